"""The volume view: feature maps as boxes to scale, kernel windows, bins of pyramids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.blocks.opening import no_block
from netdsl.backends.diagram.example_size import Numbers, numbers_for
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.hiding import hidden_nodes
from netdsl.backends.diagram.options import PAGE, DrawError, Options
from netdsl.backends.diagram.scene import Item, Picture
from netdsl.backends.diagram.volumes.columns import Study, draw_column
from netdsl.backends.diagram.volumes.forms import Axes, Scale, Scales
from netdsl.backends.diagram.volumes.legend import legend
from netdsl.backends.diagram.volumes.lines import heading
from netdsl.backends.diagram.volumes.links import windows_seen
from netdsl.backends.diagram.volumes.looks import USUAL, Looks, for_page
from netdsl.backends.diagram.volumes.names import names_of
from netdsl.backends.diagram.volumes.rows import BEST_ASPECT
from netdsl.backends.diagram.volumes.sheet import LEGEND, Sheet, hidden_words, key_of, seen_first
from netdsl.backends.diagram.volumes.steps import is_meant, steps_of
from netdsl.backends.diagram.volumes.u import INDENTS, Shape, ULayout, u_shape
from netdsl.backends.diagram.volumes.u_narrow import BETWEEN, NarrowU
from netdsl.backends.diagram.volumes.words import usual_tails
from netdsl.ir.graph import Graph, Kind

MOST_VOLUMES = 160
WIDEST_U = 1600.0
"""Points; a U that would be wider is drawn as a narrow one."""
MOST_A_CHANNEL = 9.0
ROOT_FROM = 1.0


def volumes_picture(graph: Graph, options: Options) -> Picture:
    """A network's volumes. Raises `DrawError` where it has none that can be drawn."""
    _check_patterns(graph, options)
    numbers = numbers_for(graph.within or graph)
    channels = ChannelAxes(graph)
    hidden = hidden_nodes(graph, options)
    steps = steps_of(graph, numbers, options.expand, hidden=hidden)
    if not steps:
        raise DrawError(
            "there are no volumes to draw: the network computes nothing; draw `--level blocks`"
        )
    shape = u_shape(Study(steps, numbers, channels))
    if shape is None:
        steps = steps_of(graph, numbers, options.expand, opens_u=False, hidden=hidden)
    if len(steps) > MOST_VOLUMES:
        raise DrawError(
            f"{len(steps)} volumes are left after folding, more than the {MOST_VOLUMES} that one "
            f"picture shows; {_fewer(options)}draw `--level blocks`"
        )
    study = Study(steps, numbers, channels, usual_tails(steps))
    too_deep = next((s for s in steps if len(study.axes(s).spatial) > 3), None)
    if too_deep is not None:
        raise DrawError(
            f"`{too_deep.name}` has {len(study.shape(too_deep))} axes, and a volume has at most 4; "
            "draw `--level blocks`"
        )
    return _laid_out(graph, study, shape, options)


def _laid_out(graph: Graph, study: Study, shape: Shape | None, options: Options) -> Picture:
    """The picture as usual; where a width is given at which that is too small, for a page."""
    usual = _drawn(graph, study, shape, options, USUAL)
    best = min(usual, key=lambda p: _fault(p, options))
    width = options.width or PAGE
    looks = for_page(width, options.smallest)
    if options.aspect is not None:
        kinds = looks, replace(looks, most=None)
        others = [p for kind in kinds for p in _drawn(graph, study, shape, options, kind)]
        return min((*usual, *others), key=lambda p: _fault(p, options))
    if options.width is None or best.smallest_letter(options.width) >= options.smallest:
        return best
    most = looks.most or width
    pictures = _drawn(graph, study, shape, options, looks)
    if shape is not None and min(p.width for p in pictures) > most:
        pictures += _drawn(graph, study, None, options, looks)
    return min(pictures, key=lambda p: (max(p.width, most), _fault(p, options)))


def _drawn(
    graph: Graph, study: Study, shape: Shape | None, options: Options, looks: Looks
) -> list[Picture]:
    """The picture at several scales."""
    steps = study.steps
    names = names_of(steps, looks.name, looks.names if shape is None else looks.names_in_u)
    study = replace(study, looks=looks, names=names)
    if shape is None:
        axes = [study.axes(step) for step in steps]
        return [
            Sheet(graph, study, scales_for(axes, tall, looks), options).picture()
            for tall in looks.tall
        ]
    pictures = _us(graph, study, shape, options, looks.most is not None)
    if min(picture.width for picture in pictures) > WIDEST_U:
        return _us(graph, study, shape, options, is_narrow=True)
    return pictures


def _us(
    graph: Graph, study: Study, shape: Shape, options: Options, is_narrow: bool
) -> list[Picture]:
    """A U at several scales; if narrow, with the levels of a side one above the other."""
    axes = [study.axes(step) for step in study.steps]
    kind, indents = (NarrowU, BETWEEN) if is_narrow else (ULayout, INDENTS)
    layouts = [
        kind(study, shape, scales_for(axes, tall, study.looks), indent)
        for tall in study.looks.tall_in_u
        for indent in indents
    ]
    least = min(layout.crossings() for layout in layouts)
    return [
        _u_picture(graph, study, layout, options)
        for layout in layouts
        if is_narrow or layout.crossings() == least
    ]


def _check_patterns(graph: Graph, options: Options) -> None:
    """That each pattern of `--expand` is for a block. Raises `DrawError`."""
    scopes = [s for s in graph.root.scopes() if s.kind in (Kind.BLOCK, Kind.FORK) and s.path]
    for pattern in options.expand:
        if pattern != "none" and not any(is_meant(scope, pattern) for scope in scopes):
            blocks = dict.fromkeys(s.path for s in scopes if s.kind is Kind.BLOCK)
            raise DrawError(no_block(pattern, list(blocks)))


def _fewer(options: Options) -> str:
    return "open fewer blocks (`--expand`), or " if options.opens_blocks else ""


def _fault(picture: Picture, options: Options) -> float:
    """How far a picture is from a good shape; a small one is better than a large one.

    Where the aspect is given, how small its letters are.
    """
    if options.aspect is not None:
        return picture.height / picture.least
    return abs(log(picture.width / picture.height / BEST_ASPECT)) + picture.width / 1500


def _u_picture(graph: Graph, study: Study, layout: ULayout, options: Options) -> Picture:
    items: list[Item] = []
    for column in layout.columns:
        level = layout.level(column.step)
        group = draw_column(
            column, layout.label_tops[level], layout.places[level], key_of(column.step),
            study.shape(column.step),
        )  # fmt: skip
        items.append(group)
    items = seen_first(items, graph, study, options)
    items += layout.links(study.numbers)
    width = max(c.form.x + c.width for c in layout.columns)
    marks = legend(
        layout.columns, layout.scales, study.tails, windows_seen(layout.columns, study.numbers),
        min(max(width, LEGEND), study.looks.inside), hidden_words(graph, study, options),
    )  # fmt: skip
    lines = heading(graph, study, layout.columns)
    return framed(graph.name, lines, items, options, legend=marks)


def scales_for(axes: Sequence[Axes], tallest: float, looks: Looks = USUAL) -> Scales:
    """Linear scales that fit the sheet; square roots where most forms would be mere lines."""
    maps = [a for a in axes if a.is_map]
    pixels = max((n for a in maps for n in a.spatial), default=1)
    channels = sorted(a.channels for a in maps) or [1]
    lengths = sorted(a.length for a in axes if not a.is_map) or [1]
    by_channel = Scale(min(looks.widest / max(channels), MOST_A_CHANNEL))
    if by_channel.length(channels[len(channels) // 2]) < ROOT_FROM:
        by_channel = Scale(looks.widest / max(channels) ** 0.5, True)
    by_value = Scale(min(looks.longest / lengths[-1], MOST_A_CHANNEL))
    if by_value.length(lengths[0]) < ROOT_FROM:
        by_value = Scale(looks.longest / lengths[-1] ** 0.5, True)
    return Scales(Scale(tallest / pixels), by_channel, by_value)


__all__ = ["Numbers", "scales_for", "volumes_picture"]
