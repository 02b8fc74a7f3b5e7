"""What a person can ask of a drawing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypedDict

FORMS = ("svg", "png", "pdf", "tex", "tikz", "mmd", "dot", "html")
"""Endings of files; `draw.py` says what writes each."""
LEVELS = ("blocks", "layers", "volumes", "neurons", "field")
SHOWN = ("params", "macs", "names", "shapes")
DIRECTIONS = ("right", "down", "up")
LAYOUTS = ("rows", "u", "triangle", "lattice", "lanes")
"""How a whole network may stand; its shape decides where none of them is asked for."""
THEMES = ("light", "dark", "auto", "print", "slides")
HIDDEN_LAYERS = ("dropout", "norm", "activation", "moves")
"""What a legend calls the layers that can be left out: the wire goes on as if they were not."""
HIDDEN = (*HIDDEN_LAYERS, "training", *SHOWN)
"""What `--hide` leaves out."""
ENGINES = ("pure", "system")
INCH = 72
"""Points: lengths on paper are in points."""
SMALLEST_PRINT = 6.0
"""Points; smaller letters can't be read on paper."""
PAGE = 6.5 * INCH
"""The text of a letter page is that wide."""
SLIDE = (40 / 3 * INCH, 7.5 * INCH)
"""A slide of 16:9: 13.33 by 7.5 inches."""
SMALLEST_SLIDE = 14.0
"""Points; smaller letters can't be read from the back of a room."""
FONT_SIZES = (4.0, 72.0)
ASPECTS = (0.2, 5.0)
_FONT = re.compile(r"[^\W\d_][\w .-]{0,59}")


@dataclass(frozen=True, slots=True)
class Options:
    """How to draw a network.

    `expand` are paths or patterns of blocks to open, `depth` opens all blocks down to a level
    (None: one example of the most frequent kind of block), `neurons` are places such as
    `conv2[0,4,4]`, `width` is in points, `engine` one of `engine.ENGINES`, `layout` one of
    `LAYOUTS` (None: that of the network's shape). With `formulas` sizes
    that the network leaves open stay so, else blocks and layers are drawn at an example size.
    `only` is the path, pattern or kind of the one block that is drawn. `title` is in place of the
    usual one, empty for none; `header` and `legend` are what stands above the drawing. `font` is
    a family, `font_size` that of the smallest letters in points, `aspect` width by height.
    `highlight` are texts `PATH=colour`, `hide` words of `HIDDEN`. With `outlines` an SVG
    or PDF file has its letters as outlines; `font_file` are fonts for them, and for letters that
    a PDF file's standard fonts lack; `author` is a property of a PDF file. A page starts with
    these `sizes` for what is open, and with what lies at a `place` chosen.
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
    layout: str | None = None
    engine: str = "pure"
    outlines: bool = False
    font_file: tuple[str, ...] = ()
    author: str = ""
    sizes: Mapping[str, int] | None = None
    place: str = ""
    only: str | None = None
    header: bool = True
    legend: bool = True
    font: str = ""
    font_size: float | None = None
    aspect: float | None = None
    highlight: tuple[str, ...] = ()
    hide: frozenset[str] = frozenset()

    @property
    def smallest(self) -> float:
        """Points that the smallest letters should have."""
        return SMALLEST_PRINT if self.font_size is None else self.font_size

    @property
    def runs_down(self) -> bool:
        """Whether layers stand below or above each other, not side by side."""
        return self.direction != "right"

    @property
    def written(self) -> frozenset[str]:
        """What is written of `SHOWN`."""
        return self.show - self.hide

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
    layout: str | None
    engine: str
    outlines: bool
    font_file: tuple[str, ...]
    author: str
    sizes: Mapping[str, int] | None
    place: str
    only: str | None
    header: bool
    legend: bool
    font: str
    font_size: float | None
    aspect: float | None
    highlight: tuple[str, ...]
    hide: frozenset[str]


def for_slide(options: Options) -> Options:
    """With the theme for slides the size of one, and letters that are seen from the last row."""
    if options.theme != "slides":
        return options
    width = options.width or SLIDE[0]
    letters = options.font_size or SMALLEST_SLIDE * width / SLIDE[0]
    aspect = options.aspect or SLIDE[0] / SLIDE[1]
    return replace(options, width=width, font_size=letters, aspect=aspect)


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
    if options.place and level != "blocks":
        raise DrawError(f"a place is chosen at `--level blocks`, and this is `--level {level}`")
    if options.layout is not None:
        if options.layout not in LAYOUTS:
            raise DrawError(f"no layout is `{options.layout}`; there are {', '.join(LAYOUTS)}")
        if level != "blocks" or options.chooses_blocks or options.only is not None:
            raise DrawError(
                "`--layout` is for a whole network in blocks, with none that are chosen"
            )
    if options.formulas and level not in ("blocks", "layers"):
        raise DrawError(f"`--formulas` is for blocks and layers, and this is `--level {level}`")
    if options.depth is not None and level != "blocks":
        raise DrawError(f"`--depth` is for `--level blocks`, and this is `--level {level}`")
    if options.only is not None and level not in ("blocks", "layers", "volumes"):
        raise DrawError(
            f"`--only` is for `--level blocks`, `layers` and `volumes`; `--level {level}` draws "
            "the whole network"
        )
    if options.highlight and level not in ("blocks", "layers", "volumes"):
        raise DrawError(
            f"`--highlight` is for `--level blocks`, `layers` and `volumes`, and this is "
            f"`--level {level}`"
        )
    _check_hidden(options)
    _check_looks(options)


def _check_hidden(options: Options) -> None:
    able = {"blocks": HIDDEN, "layers": HIDDEN, "volumes": HIDDEN_LAYERS[:-1]}
    words = able.get(options.level, ())
    for word in sorted(options.hide.difference(words)):
        if not words:
            raise DrawError(f"`--hide` is not for `--level {options.level}`, which shows it all")
        told = f" at `--level {options.level}`" if word in HIDDEN else ""
        raise DrawError(f"`{word}` can't be hidden{told}; there are {', '.join(words)}")


def _check_looks(options: Options) -> None:
    """Font, size of letters, aspect."""
    if options.font and not _FONT.fullmatch(options.font):
        raise DrawError(f"`{options.font}` is not the name of a font, such as Times or Fira Sans")
    for value, (least, most), name in (
        (options.font_size, FONT_SIZES, "`--font-size` is in points"),
        (options.aspect, ASPECTS, "`--aspect` is width by height"),
    ):
        if value is not None and not least <= value <= most:
            raise DrawError(f"{name}, from {least:g} to {most:g}, and this is {value:g}")


def check_form(form: str, options: Options) -> None:
    """That there is such a file, and that it uses what was asked for. Raises `DrawError`."""
    if form not in FORMS:
        raise DrawError(f"no drawing has the form `{form}`; there are {', '.join(FORMS)}")
    if options.outlines and form not in ("svg", "pdf"):
        raise DrawError(f"`--outlines` is for .svg and .pdf, and this is .{form}")
    if options.font_file and not options.outlines and form != "pdf":
        raise DrawError("`--font-file` goes with `--outlines`, or with .pdf")
    if options.author and form != "pdf":
        raise DrawError(f"`--author` is a property of .pdf, and this is .{form}")


class DrawError(Exception):
    """What was asked can't be drawn; the message says why and what to ask instead."""
