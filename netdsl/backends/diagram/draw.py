"""From a network to a drawing in the form that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from netdsl.backends.diagram import fonts, raster
from netdsl.backends.diagram.blocks.dot_file import dot_file
from netdsl.backends.diagram.blocks.mermaid import mermaid
from netdsl.backends.diagram.blocks.picture import blocks_picture
from netdsl.backends.diagram.diff.picture import diff_picture
from netdsl.backends.diagram.engine import EngineError
from netdsl.backends.diagram.figure.picture import figure_picture
from netdsl.backends.diagram.flaws import Flaws, known_part, with_verdict
from netdsl.backends.diagram.formats.letters import Setter
from netdsl.backends.diagram.formats.pdf import pdf
from netdsl.backends.diagram.formats.tikz import tikz
from netdsl.backends.diagram.naming import part_asked
from netdsl.backends.diagram.neurons.field_view import field_picture
from netdsl.backends.diagram.neurons.picture import neurons_picture
from netdsl.backends.diagram.options import (
    INCH,
    PAGE,
    SHOWN,
    SLIDE,
    SMALLEST_PRINT,
    DrawError,
    Options,
    check_form,
    check_options,
    for_slide,
)
from netdsl.backends.diagram.page.html import html
from netdsl.backends.diagram.page.picture_page import picture_page
from netdsl.backends.diagram.scene import Picture
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import theme
from netdsl.backends.diagram.volumes.picture import volumes_picture
from netdsl.ir.graph import Graph

LARGEST_PNG = 30_000
"""Pixels along a side that Graphviz paints."""


def _blocks(graph: Graph, options: Options) -> Picture:
    """One figure, unless a choice says which blocks are open, or to run up or down."""
    if options.chooses_blocks or options.runs_down or graph.within is not None:
        return blocks_picture(graph, options)
    return figure_picture(graph, options)


_VIEWS: dict[str, Callable[[Graph, Options], Picture]] = {
    "blocks": _blocks,
    "layers": blocks_picture,
    "volumes": volumes_picture,
    "neurons": neurons_picture,
    "field": field_picture,
}


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: how a picture of any level is written, and how the blocks of a network are.

    `of_graph` is for the levels that it names; what has nothing but that draws no other level.
    Where it `draws_flaws`, it is for files with errors too.
    """

    of_picture: Callable[[Picture, Options, Setter], bytes] | None = None
    of_graph: Callable[[Graph, Options, Flaws | None], tuple[bytes, list[str]]] | None = None
    levels: tuple[str, ...] = ("blocks", "layers")
    draws_flaws: bool = True


FORMATS = {
    "svg": Format(lambda picture, o, setter: svg(
        picture, theme(o.theme), o.width, setter if o.outlines else None).encode()),
    "png": Format(lambda picture, o, _: _png(picture, o)),
    "pdf": Format(lambda picture, o, setter: pdf(
        picture, theme(o.theme), o.width, setter, o.author)),
    "tex": Format(lambda picture, o, _: tikz(picture, theme(o.theme), o.width, whole=True)),
    "tikz": Format(lambda picture, o, _: tikz(picture, theme(o.theme), o.width)),
    "mmd": Format(None, mermaid),
    "dot": Format(lambda picture, o, _: raster.painted(picture, theme(o.theme), INCH).encode(),
                  lambda graph, o, flaws: (dot_file(graph, o, theme(o.theme), flaws).encode(), [])),
    "html": Format(lambda picture, o, _: picture_page(picture, theme(o.theme)).encode(),
                   lambda graph, o, _: (html(graph, o), []), ("blocks",), draws_flaws=False),
}  # fmt: skip
"""By the ending of a file's name."""


def draw(
    graph: Graph,
    form: str,
    options: Options,
    old: Graph | None = None,
    flaws: Flaws | None = None,
) -> tuple[bytes, list[str]]:
    """The file, and remarks on it (a simpler picture, small print).

    `old` is the network that this one is compared with, `flaws` what is wrong with a draft.
    Raises `DrawError`, `EngineError`.
    """
    check_options(options)
    check_form(form, options)
    asked, options = options, for_slide(options)
    writer, setter = FORMATS[form], _setter(options)
    is_alone = old is None and (flaws is None or writer.draws_flaws)
    is_alone &= form != "html" or options.only is None  # a page has the whole network
    of_graph = writer.of_graph if options.level in writer.levels and is_alone else None
    if of_graph is not None:
        if options.highlight and form in ("html", "mmd"):
            raise DrawError(f"`--highlight` is for pictures, and .{form} is none; write SVG")
        part, notes = _part(graph, options)
        data, remarks = of_graph(part, options, flaws)
        return data, [*notes, *remarks, *_left_to_readers(asked, form)]
    if writer.of_picture is None:
        other = "a comparison" if old is not None else f"`--level {options.level}`"
        raise DrawError(
            f".{form} is for one network in {' or '.join(writer.levels)}, not for {other}; "
            "write .svg or .pdf"
        )
    picture = picture_of(graph, options, old, flaws)
    sized = replace(options, width=_width(picture, options))
    data = writer.of_picture(picture, sized, setter)
    remarks = [*picture.notes, *_small_print(picture, options), *_unused(options)]
    return data, [*remarks, *_other_letters(options, form), *_boxed_letters(picture, form)]


def picture_of(
    graph: Graph, options: Options, old: Graph | None = None, flaws: Flaws | None = None
) -> Picture:
    """The drawing, whatever file it is to be; a simpler one where Graphviz takes too long.

    With `old` it shows what changes from that network to this one, with `flaws` what is wrong.
    Raises `DrawError`, `EngineError`.
    """
    if old is not None:
        _check_compared(options)
    options = for_slide(options)
    graph, notes = _part(graph, options)
    steps = [("", options)]
    if options.level in ("blocks", "layers"):
        closed = replace(options, level="blocks", expand=("none",), depth=None)
        steps.append(("all blocks are closed", closed))
        bare = replace(closed, hide=options.hide | {"shapes"})
        steps.append(("all blocks are closed and no shapes stand on the edges", bare))
    for number, (note, simpler) in enumerate(steps):
        try:
            if old is not None:
                picture = diff_picture(old, graph, simpler)
            else:
                picture = _picture(graph, simpler, flaws)
        except EngineError as error:
            if not error.is_slow:
                raise
            if number == len(steps) - 1:
                raise EngineError(f"{error}{_faster(options)}", is_slow=True) from None
            continue
        picture.notes[:0] = notes
        if note:
            picture.notes.append(f"Graphviz took too long for what was asked: {note}")
        return picture
    raise AssertionError(steps)


def _part(graph: Graph, options: Options) -> tuple[Graph, list[str]]:
    """What is drawn of a network, and remarks. Raises `DrawError`."""
    return (graph, []) if options.only is None else part_asked(graph, options.only)


def _check_compared(options: Options) -> None:
    """That two networks can be compared so. Raises `DrawError`."""
    if options.level not in ("blocks", "layers"):
        raise DrawError(
            f"two networks are compared in blocks or layers, not in {options.level}: "
            f"leave out `--level {options.level}`"
        )
    asked = {"--only": options.only is not None, "--highlight": options.highlight}
    asked["--hide"] = options.hide.difference(SHOWN)
    for name, is_asked in asked.items():
        if is_asked:
            raise DrawError(f"`{name}` is for one network; leave it out, or leave out `--diff`")


def _picture(graph: Graph, options: Options, flaws: Flaws | None) -> Picture:
    """One view of a network, or of a draft: what is known of it, and what is wrong."""
    if flaws is None:
        return _VIEWS[options.level](graph, options)
    if options.level in ("blocks", "layers"):
        return blocks_picture(graph, options, flaws)
    if options.level == "volumes":
        return with_verdict(volumes_picture(known_part(graph), options), flaws)
    raise DrawError(
        f"`--level {options.level}` counts links between neurons, and a network with errors has no "
        "such numbers: draw `--level blocks`, or correct the file first"
    )


def _faster(options: Options) -> str:
    """What to ask for where even a simple picture takes too long."""
    if options.engine == "system":
        return "; leave out `--engine`, or see whether `dot -V` works"
    if options.level in ("blocks", "layers"):
        return ", even with all blocks closed; draw `--level volumes`"
    return "; draw `--level blocks`"


def render(picture: Picture, form: str, options: Options) -> bytes:
    """A picture as a file; remarks are added to its notes. Raises `EngineError`, `DrawError`."""
    check_form(form, options)
    options = replace(options, width=_width(picture, options))
    write = FORMATS[form].of_picture
    if write is None:
        raise DrawError(f".{form} is for networks; write .svg or .pdf")
    return write(picture, options, _setter(options))


def _setter(options: Options) -> Setter:
    """What sets letters where a file must not leave them to its reader. Raises `DrawError`."""
    if not options.outlines and not options.font_file:
        return Setter()
    try:
        from netdsl.backends.diagram.formats.outlines import FontFiles, packaged

        fonts = [*options.font_file, *([] if options.font_file else [packaged()])]
    except ModuleNotFoundError as error:
        raise DrawError(
            f"letters as outlines take the package {error.name}: type "
            "`pip install 'netdsl[outlines]'`"
        ) from None
    return Setter(FontFiles(fonts), standard=not options.outlines)


def _png(picture: Picture, options: Options) -> bytes:
    _check_size(picture, options.width)
    return raster.png(picture, theme(options.theme), options.width)


def _width(picture: Picture, options: Options) -> float | None:
    """That of the file: as asked, or such that the smallest letters are as large as asked."""
    if options.width is not None or options.font_size is None:
        return options.width
    return picture.width * options.font_size / picture.least


def _check_size(picture: Picture, width: float | None) -> None:
    scale = 2.0 if width is None else 2.0 * width / picture.width
    largest = max(picture.width, picture.height) * scale
    if largest > LARGEST_PNG:
        raise DrawError(
            f"the PNG would be {largest:,.0f} pixels long, more than {LARGEST_PNG:,}; "
            "write SVG, or ask for a smaller `--width`"
        )


def _unused(options: Options) -> list[str]:
    """Remarks on what was asked and changes nothing at this level."""
    if options.level in ("blocks", "layers"):
        return []
    asked = {
        "--direction": options.direction != "right",
        "--show": options.show != frozenset(SHOWN),
    }
    return [
        f"`{name}` changes nothing at `--level {options.level}`; it is for blocks and layers"
        for name, is_asked in asked.items()
        if is_asked
    ]


def _small_print(picture: Picture, options: Options) -> list[str]:
    """Remarks where letters are too small for the width that was asked for, or it gets high."""
    if options.width is None:
        return _far_from_page(picture)
    printed = picture.smallest_letter(options.width)
    high = picture.height * options.width / picture.width
    remarks: list[str] = []
    if printed < options.smallest - 0.005:
        remarks.append(
            f"the smallest letters are {printed:.1f} points high at this width, under "
            f"{options.smallest:g}; {_way_out(options)}"
        )
    if high > 2 * options.width:
        remarks.append(f"at this width the picture is {high / INCH:.0f} inches high")
    return remarks


def _far_from_page(picture: Picture) -> list[str]:
    """A remark where letters are too small on a page or on a slide."""
    on_page = picture.smallest_letter(PAGE)
    if on_page < SMALLEST_PRINT:
        needed = SMALLEST_PRINT / on_page * PAGE / INCH
        return [
            f"printed {PAGE / INCH:g} in wide, its smallest letters are {on_page:.1f} points; from "
            f"{needed:.1f} in on they are {SMALLEST_PRINT:g}, and `--width` lays it out for a page"
        ]
    high = min(SLIDE[0], SLIDE[1] * picture.width / picture.height)
    on_slide = picture.smallest_letter(high)
    if on_slide < SMALLEST_PRINT:
        return [
            f"on a slide its smallest letters are {on_slide:.1f} points; `--theme slides` lays it "
            "out for one"
        ]
    return []


def _left_to_readers(options: Options, form: str) -> list[str]:
    """Remarks on what was asked and is chosen by what draws a file of structure."""
    if form not in ("dot", "mmd"):
        return []
    asked = {
        "--width": options.width is not None,
        "--aspect": options.aspect is not None,
        "--font": bool(options.font),
        "--font-size": options.font_size is not None,
    }
    return [
        f"`{name}` changes nothing in .{form}, whose reader lays it out; write SVG"
        for name, is_asked in asked.items()
        if is_asked
    ]


def _boxed_letters(picture: Picture, form: str) -> list[str]:
    """A remark on letters that PNG may not have."""
    if form != "png":
        return []
    letters = dict.fromkeys(c for text in picture.texts() for c in text.text if fonts.is_rare(c))
    if not letters:
        return []
    shown = ", ".join(f"`{letter}`" for letter in letters)
    return [
        f"PNG has Latin, Greek and Cyrillic letters: {shown} may be empty boxes; write SVG, or PDF "
        "with `--font-file`"
    ]


def _other_letters(options: Options, form: str) -> list[str]:
    """A remark on a font whose widths are not those that texts are measured with."""
    if not options.font or fonts.is_alike(options.font):
        return []
    if options.outlines:
        return [f"outlines are those of `--font-file`, not of `{options.font}`"]
    if form == "pdf":
        return [
            f"PDF is written in Helvetica, not in `{options.font}`; `--outlines` with "
            "`--font-file` takes another font"
        ]
    if form in ("tex", "tikz"):
        return [f"TikZ takes the font of the document, not `{options.font}`"]
    if form == "png" and not fonts.is_serif(options.font):
        return [f"PNG is painted in Helvetica or Times, not in `{options.font}`; write SVG"]
    if form in ("svg", "html") and not fonts.is_serif(options.font):
        return [
            f"texts have the widths of Helvetica: where `{options.font}` is wider or narrower, "
            "viewers fit it to its place (`textLength`)"
        ]
    return []


def _way_out(options: Options) -> str:
    """What makes letters larger, at the level that is drawn."""
    if options.aspect is not None:
        part = "draw a part (`--only`), or " if options.only is None else ""
        return f"{part}leave something out (`--hide`, `--no-header`, `--no-legend`)"
    if options.level == "blocks":
        if options.runs_down:
            way = f"leave out `--direction {options.direction}`"
            return f"{way}: rows are cut to fit, a column is not"
        if options.chooses_blocks:
            return "open fewer blocks (`--expand`, `--depth`), or ask for a larger `--width`"
        return "ask for a larger `--width`"
    wider, blocks = "ask for a larger `--width`", "draw `--level blocks`"
    return {
        "layers": f"{blocks}, or {wider}",
        "volumes": f"open fewer blocks (`--expand`), or {wider}" if options.opens_blocks else wider,
    }.get(options.level, wider)
