"""What a person can ask of a drawing."""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = ("blocks", "layers", "ops", "volumes", "neurons", "field")
SHOWN = ("params", "macs", "names", "shapes")
DIRECTIONS = ("right", "down")
THEMES = ("light", "dark", "auto", "print")
ENGINES = ("pure", "system")
SMALLEST_PRINT = 6.0
"""Points; smaller letters can't be read on paper."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to draw a network.

    `expand` are paths or patterns of blocks to open, `depth` opens all blocks down to a level
    (None: one example of the most frequent kind of block), `neurons` are places such as
    `conv2[0,4,4]`, `width` is in points, `engine` one of `engine.ENGINES`.
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
    engine: str = "pure"

    @property
    def chooses_blocks(self) -> bool:
        """Whether it is said which blocks are open."""
        return bool(self.expand) or self.depth is not None


class DrawError(Exception):
    """What was asked can't be drawn; the message says why and what to ask instead."""
