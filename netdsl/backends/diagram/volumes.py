"""The volume view: feature maps as boxes to scale, kernel windows, bins of pyramids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from textwrap import wrap

from netdsl.analyses.cost import summarise
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.pyramid_bins import Pyramid, pyramid_of
from netdsl.backends.diagram.pyramid_panel import MAP, joined_bar, panel_head, panel_lead
from netdsl.backends.diagram.scene import Box, Item, Picture, Text, line
from netdsl.backends.diagram.volume_columns import SOFT, Column, Study, draw_column
from netdsl.backends.diagram.volume_forms import SHORT, Axes, Scale, Scales
from netdsl.backends.diagram.volume_legend import legend, round_length
from netdsl.backends.diagram.volume_links import link
from netdsl.backends.diagram.volume_routes import Routes
from netdsl.backends.diagram.volume_rows import (
    BEST_ASPECT,
    SCALE_ZONE,
    Lead,
    Row,
    into_rows,
    place_rows,
)
from netdsl.backends.diagram.volume_sizes import Numbers, numbers_for
from netdsl.backends.diagram.volume_steps import Step, steps_of
from netdsl.backends.diagram.volume_u import INDENTS, ULayout, u_shape
from netdsl.backends.diagram.volume_words import usual_tails
from netdsl.ir.graph import Graph

MOST_VOLUMES = 160
LONGEST_LINE = 110
PRINT_WIDTH, LEAST_PRINT = 468.0, 6.0
TALL = (112.0, 128.0, 150.0, 176.0)
U_TALL = (112.0, 140.0, 176.0)
WIDEST, LONGEST = 66.0, 128.0
MOST_A_CHANNEL = 9.0
ROOT_FROM = 1.0
LAST = ("linear", "attention", "window_attention", "embedding")
FIRST = ("conv", "conv_transpose", "maxpool", "avgpool", "upsample", "adaptive_avgpool")


def volumes_picture(graph: Graph, options: Options) -> Picture:
    """A network's volumes. Raises `DrawError` where it has none that can be drawn."""
    numbers = numbers_for(graph)
    last = channels_last(graph)
    steps = steps_of(graph, numbers, options.expand)
    shape = u_shape(Study(steps, numbers, last))
    if shape is None:
        steps = steps_of(graph, numbers, options.expand, opens_u=False)
    if len(steps) > MOST_VOLUMES:
        raise DrawError(
            f"{len(steps)} volumes are left after folding, more than the {MOST_VOLUMES} that one "
            "picture shows; draw the blocks instead: --level blocks"
        )
    study = Study(steps, numbers, last, usual_tails(steps))
    too_deep = next((s for s in steps if len(study.axes(s).spatial) > 3), None)
    if too_deep is not None:
        raise DrawError(
            f"`{too_deep.name}` has {len(study.shape(too_deep))} axes, and a volume has at most 4; "
            "draw the blocks instead: --level blocks"
        )
    axes = [study.axes(step) for step in steps]
    if shape is not None:
        layouts = [
            ULayout(study, shape, scales_for(axes, tall), indent)
            for tall in U_TALL
            for indent in INDENTS
        ]
        least = min(layout.crossings() for layout in layouts)
        pictures = [
            _u_picture(graph, study, layout, options)
            for layout in layouts
            if layout.crossings() == least
        ]
    else:
        pictures = [
            _Sheet(graph, study, scales_for(axes, tall), options).picture() for tall in TALL
        ]
    return min(pictures, key=_fault)


def _fault(picture: Picture) -> float:
    """How far a picture is from a good shape; a small one is better than a large one."""
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
    items += layout.links(study.numbers)
    width = max(c.form.x + c.width for c in layout.columns)
    marks = legend(layout.columns, layout.scales, study.tails, max(width, 640.0))
    title = options.title or graph.name
    return framed(
        title, _lines(graph, study, layout.columns, ()), items, legend=marks, notes=_notes(width)
    )


def key_of(step: Step) -> str:
    """The id of a step's drawing, the same in every run."""
    return f"{'in' if step.is_input else 'v'}-{step.name}".replace(" ", "-")


def channels_last(graph: Graph) -> frozenset[int]:
    """`id`s of the values whose channels stand last: tokens, and maps turned for attention."""
    found: set[int] = set()
    for node in graph.nodes():
        rank = len(node.outputs[0].type.shape) if node.outputs else 0
        is_last = bool(node.inputs) and id(node.inputs[0]) in found
        if node.op.name in LAST:
            is_last = True
        elif node.op.name in FIRST:
            is_last = False
        elif node.op.name == "permute":
            axes = tuple(getattr(node.op, "axes", ()))
            is_last = axes.index(rank - 1 if is_last else 0) == rank - 1
        if is_last and rank > 1:
            found.update(id(value) for value in node.outputs)
    return frozenset(found)


def scales_for(axes: Sequence[Axes], tallest: float) -> Scales:
    """Linear scales that fit the sheet; square roots where most forms would be mere lines."""
    maps = [a for a in axes if a.is_map]
    pixels = max((n for a in maps for n in a.spatial), default=1)
    channels = sorted(a.channels for a in maps) or [1]
    lengths = sorted(a.length for a in axes if not a.is_map) or [1]
    by_channel = Scale(min(WIDEST / max(channels), MOST_A_CHANNEL))
    if by_channel.length(channels[len(channels) // 2]) < ROOT_FROM:
        by_channel = Scale(WIDEST / max(channels) ** 0.5, True)
    by_value = Scale(min(LONGEST / lengths[-1], MOST_A_CHANNEL))
    if by_value.length(lengths[0]) < ROOT_FROM:
        by_value = Scale(LONGEST / lengths[-1] ** 0.5, True)
    return Scales(Scale(tallest / pixels), by_channel, by_value)


@dataclass(slots=True)
class _Panel:
    """A pyramid that is shown in a panel of its own."""

    step: Step
    pyramid: Pyramid
    source: str
    channels: int


class _Sheet:
    """The picture while it is put together."""

    def __init__(self, graph: Graph, study: Study, scales: Scales, options: Options) -> None:
        self.graph, self.study, self.scales, self.options = graph, study, scales, options
        self.columns = [study.column(step, scales) for step in study.steps]
        self.panels: dict[int, _Panel] = {}

    def picture(self) -> Picture:
        forced, leads = self._panels()
        rows = into_rows(self.columns, forced, leads)
        routes = Routes(rows)
        place_rows(rows, routes.counts, routes.inner, routes.left)
        items = [*self._rows(rows, routes), *routes.draw()]
        width = max(row.right for row in rows)
        marks = legend(self.columns, self.scales, self.study.tails, max(width, 640.0))
        title = self.options.title or self.graph.name
        return framed(
            title,
            _lines(self.graph, self.study, self.columns, rows),
            items,
            legend=marks,
            notes=_notes(width),
        )

    def _panels(self) -> tuple[set[int], dict[int, Lead]]:
        forced: set[int] = set()
        leads: dict[int, Lead] = {}
        for index, column in enumerate(self.columns):
            step = column.step
            found = pyramid_of(step.node, self.study.numbers) if step.node else None
            if found is None or step.node is None or not step.sources:
                continue
            channels = self.study.numbers.shape(step.node.inputs[0])[0]
            panel = _Panel(step, found, step.sources[0].name, channels)
            self.panels[index] = panel
            forced.add(index)
            leads[index] = panel_lead(found, panel.source, channels, column.form.tall)
        return forced, leads

    def _rows(self, rows: Sequence[Row], routes: Routes) -> list[Item]:
        items: list[Item] = []
        index = 0
        right = max(row.right for row in rows)
        for row in rows:
            panel = self.panels.get(index)
            if row.lead is not None and panel is not None:
                items += self._panel(row, panel, routes.left, right)
            items += self._scale_bar(row, routes.left)
            for column in row.columns:
                items.append(self._column(column, row))
                index += 1
            if panel is not None and panel.pyramid.is_joined:
                items += joined_bar(row.columns[0], panel.pyramid, panel.channels)
            for before, column in zip(row.columns, row.columns[1:], strict=False):
                if before.step in column.step.sources:
                    items += link(before, column, self.study.numbers)
        return items

    def _column(self, column: Column, row: Row) -> Item:
        step = column.step
        return draw_column(column, row.label_top, row.places, key_of(step), self.study.shape(step))

    def _panel(self, row: Row, panel: _Panel, left: float, right: float) -> list[Item]:
        assert row.lead is not None
        x, y = left + SCALE_ZONE - 6, row.top - row.head
        items: list[Item] = [
            Box(x, y, right - x + 8, row.bottom - y + 4, "panel.fill", "panel.line", 1, 6)
        ]
        factor = MAP / max(panel.pyramid.sizes) / self.scales.pixels.factor
        items += panel_head(panel.pyramid, panel.source, panel.channels, factor, x, y)
        items += row.lead.draw(x, row.middle, row.label_top)
        return items

    def _scale_bar(self, row: Row, left: float) -> list[Item]:
        """The pixels' scale of a row, stated anew where it differs."""
        if row.zoom == 1 or not any(c.form.axes.is_map for c in row.columns):
            return []
        scale = self.scales.zoomed(row.zoom).pixels
        number = round_length(scale, 34)
        length = scale.length(number)
        x, y = left + 4, row.label_top + 16
        bar: list[Item] = [line([(x, y), (x, y + length)], "amber", 1.2)]
        bar += [line([(x - 3, at), (x + 3, at)], "amber", 1.2) for at in (y, y + length)]
        words = Text(x - 3, y - 6, f"pixels × {row.zoom}", 8, "amber", True, "start")
        return [
            *bar,
            words,
            Text(x + 6, y + length / 2 + 3, f"{number} px", 8, "amber", False, "start"),
        ]


def _lines(graph: Graph, study: Study, columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    maps = [c for c in columns if c.form.axes.is_map]
    lines = [_projection(maps)] if maps else []
    zooms = sorted({row.zoom for row in rows if row.zoom > 1})
    if zooms:
        shown = " or ".join(f'"pixels × {zoom}"' for zoom in zooms)
        lines.append(f"Rows marked {shown} are drawn that much larger; all others share one scale.")
    if study.numbers.line:
        lines += wrap(study.numbers.line, LONGEST_LINE)
    ops = sum(1 for step in study.steps for _ in step.covered())
    volumes = sum(1 for step in study.steps if not step.is_input)
    number = summarise(graph).inference_parameters
    words = (
        f"{_many(ops, 'operation')} in {_many(volumes, 'volume')}, {_many(number, 'parameter')}."
    )
    if any(step.count > 1 for step in study.steps):
        words += " × n: n equal volumes one after the other, drawn once."
    if any(output.when_training for output in graph.outputs):
        words += " What runs in training only is left out."
    return [*lines, words]


def _many(number: int, name: str) -> str:
    return f"{number:,} {name}{'s' * (number != 1)}"


def _notes(width: float) -> list[str]:
    """A remark where the picture can't be read in a column of print."""
    smallest = SOFT * PRINT_WIDTH / width
    if smallest >= LEAST_PRINT:
        return []
    inches = LEAST_PRINT / SOFT * width / 72
    return [
        f"printed {PRINT_WIDTH / 72:g} in wide, its smallest text is {smallest:.1f} pt; "
        f"from {inches:.1f} in on it is {LEAST_PRINT:g} pt"
    ]


def _projection(maps: Sequence[Column]) -> str:
    ranks = {len(c.form.axes.spatial) for c in maps}
    if ranks == {1}:
        return "Width = channels, height = length. One scale for positions, one for channels."
    short = f"the receding edge = width, foreshortened × {SHORT}"
    if ranks == {1, 2}:
        short += "; a sheet = channels × positions"
    if 3 in ranks:
        return (
            f"Front face = depth × height, {short}; the bar below = channels. "
            "One scale for pixels, one for channels."
        )
    return f"Front face = channels × height, {short}. One scale for pixels, one for channels."


__all__ = ["Numbers", "channels_last", "scales_for", "volumes_picture"]
