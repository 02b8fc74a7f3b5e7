"""What a person can ask of a drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

FORMS = ("svg", "png", "pdf", "dot", "html")
LEVELS = ("blocks", "layers", "ops", "volumes", "neurons", "field")
SHOWN = ("params", "macs", "names", "shapes")
DIRECTIONS = ("right", "down")
THEMES = ("light", "dark", "auto", "print")
ENGINES = ("pure", "system")
INCH = 72
"""Points: lengths on paper are in points."""
SMALLEST_PRINT = 6.0
"""Points; smaller letters can't be read on paper."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to draw a network.

    `expand` are paths or patterns of blocks to open, `depth` opens all blocks down to a level
    (None: one example of the most frequent kind of block), `neurons` are places such as
    `conv2[0,4,4]`, `width` is in points, `engine` one of `engine.ENGINES`. With `formulas` sizes
    that the network leaves open stay so, else blocks and layers are drawn at an example size.
    """

    level: str = "blocks"
    expand: tuple[str, ...] = ()
    depth: int | None = None
    neurons: tuple[str, ...] = ()
    theme: str = "light"
    title: str | None = None
    width: float | None = None
    direction: str = "right"
    show: frozenset[str] = frozenset(SHOWN)
    formulas: bool = False
    engine: str = "pure"

    @property
    def opens_blocks(self) -> bool:
        """Whether blocks are to be open that were asked for."""
        return any(pattern != "none" for pattern in self.expand)

    @property
    def chooses_blocks(self) -> bool:
        """Whether the options choose which blocks are open."""
        return bool(self.expand) or self.depth is not None


class Choices(TypedDict, total=False):
    """Those of `Options` that are chosen, as keywords."""

    level: str
    expand: tuple[str, ...]
    depth: int | None
    neurons: tuple[str, ...]
    theme: str
    title: str | None
    width: float | None
    direction: str
    show: frozenset[str]
    formulas: bool
    engine: str


def check_options(options: Options) -> None:
    """That the level uses what was asked for. Raises `DrawError`."""
    level = options.level
    if options.neurons and level not in ("neurons", "field"):
        raise DrawError(
            "`--neuron` is for `--level neurons` and `--level field`, and this is "
            f"`--level {level}`"
        )
    if options.opens_blocks and level not in ("blocks", "volumes"):
        raise DrawError(
            f"`--expand` is for `--level blocks` and `--level volumes`; `--level {level}` "
            "has no closed blocks"
        )
    if options.formulas and level not in ("blocks", "layers"):
        raise DrawError(f"`--formulas` is for blocks and layers, and this is `--level {level}`")
    if options.depth is not None and level != "blocks":
        raise DrawError(f"`--depth` is for `--level blocks`, and this is `--level {level}`")


class DrawError(Exception):
    """What was asked can't be drawn; the message says why and what to ask instead."""
