"""Volumes in rows as a picture: panels of pyramids, scales, routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.hiding import left_out
from netdsl.backends.diagram.highlight import Drawn, highlighted
from netdsl.backends.diagram.model.skips import skip_edges
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Bounds, Box, Item, Picture, Text, bounds_of, line
from netdsl.backends.diagram.volumes.columns import Column, Study, draw_column
from netdsl.backends.diagram.volumes.forms import Scales
from netdsl.backends.diagram.volumes.legend import legend, round_length
from netdsl.backends.diagram.volumes.lines import heading
from netdsl.backends.diagram.volumes.links import link, windows_seen
from netdsl.backends.diagram.volumes.pyramid_bins import Pyramid, pyramid_of
from netdsl.backends.diagram.volumes.pyramid_lens import lens_lines
from netdsl.backends.diagram.volumes.pyramid_panel import joined_bar, panel_head, panel_lead
from netdsl.backends.diagram.volumes.routes import Routes
from netdsl.backends.diagram.volumes.rows import Lead, Row, into_rows, place_rows, zone_of
from netdsl.backends.diagram.volumes.steps import Step
from netdsl.ir.graph import Graph

TRIES = 4
PANEL = 8.0
"""How far a panel reaches beyond what is in it."""
LEGEND = 640.0


def key_of(step: Step) -> str:
    """The id of a step's drawing, the same in every run."""
    return f"{'in' if step.is_input else 'v'}-{step.name}".replace(" ", "-")


def hidden_words(graph: Graph, study: Study, options: Options) -> str:
    """What is not drawn; a hidden layer that no other took along is a volume all the same."""
    kept = (step.node for step in study.steps if step.node in step.hidden)
    return left_out(graph, options, frozenset(node for node in kept if node is not None))


def seen_first(items: Sequence[Item], graph: Graph, study: Study, options: Options) -> list[Item]:
    """The drawing with frames around the volumes that are to be seen first."""
    drawn = (
        Drawn(key_of(step), tuple(tuple(s.nodes) for s in (step, *step.copies)), step.node is None)
        for step in study.steps
        if not step.is_input
    )
    return highlighted(items, graph, options, drawn)


@dataclass(frozen=True, slots=True)
class _Panel:
    """A pyramid that is shown in a panel of its own."""

    step: Step
    pyramid: Pyramid
    source: str
    channels: int


class Sheet:
    """The picture while it is put together."""

    def __init__(self, graph: Graph, study: Study, scales: Scales, options: Options) -> None:
        self.graph, self.study, self.scales, self.options = graph, study, scales, options
        self.columns = [study.column(step, scales) for step in study.steps]
        self.panels: dict[int, _Panel] = {}

    def picture(self) -> Picture:
        rows, routes = self._placed()
        self._take_least_zoom(rows)
        items = seen_first(self._rows(rows, routes), self.graph, self.study, self.options)
        items += routes.draw()
        width = max(row.right for row in rows)
        marks = legend(
            self.columns,
            self.scales,
            self.study.tails,
            windows_seen([c for row in rows for c in row.columns], self.study.numbers),
            min(max(width, LEGEND), self.study.looks.inside),
            hidden_words(self.graph, self.study, self.options),
        )
        lines = heading(self.graph, self.study, self.columns, rows)
        return framed(self.graph.name, lines, items, self.options, legend=marks)

    def _take_least_zoom(self, rows: Sequence[Row]) -> None:
        """Where all rows of maps are enlarged, the least enlarged ones are at the one scale."""
        enlarged = [row for row in rows if any(c.form.axes.is_map for c in row.columns)]
        least = min((row.zoom for row in enlarged), default=1)
        for row in enlarged:
            row.zoom //= least
        self.scales = self.scales.zoomed(least)

    def _placed(self) -> tuple[list[Row], Routes]:
        """Rows that leave room for the routes beside them."""
        forced, leads = self._panels()
        looks = self.study.looks
        room = None if looks.most is None else looks.inside
        rows, routes = self._tried(forced, leads, room)
        for _ in range(TRIES):
            over = routes.right + (PANEL if leads else 0.0) - looks.inside
            if room is None or over <= 0:
                break
            room = min(room, looks.inside - routes.left) - over
            tried = self._tried(forced, leads, room)
            if not tried[0]:  # the routes leave no room: the picture is wider than asked
                break
            rows, routes = tried
        return rows, routes

    def _tried(
        self, forced: set[int], leads: dict[int, Lead], room: float | None
    ) -> tuple[list[Row], Routes]:
        rows = into_rows(self.columns, forced, leads, room, self.options.aspect)
        routes = Routes(rows, skip_edges(self.graph))
        place_rows(rows, routes.counts, routes.inner, routes.left)
        return rows, routes

    def _panels(self) -> tuple[set[int], dict[int, Lead]]:
        leads: dict[int, Lead] = {}
        for index, column in enumerate(self.columns):
            step = column.step
            pyramid = pyramid_of(step.node, self.study.numbers) if step.node else None
            if pyramid is None or step.node is None or not step.sources:
                continue
            channels = self.study.numbers.shape(step.node.inputs[0])[0]
            panel = _Panel(step, pyramid, step.sources[0].name, channels)
            self.panels[index] = panel
            lead = panel_lead(pyramid, channels, column.form.tall, self.study.looks)
            head = panel_head(
                pyramid, panel.source, channels, self._factor(panel), 0, 0, self.study.looks
            )
            leads[index] = replace(lead, whole=bounds_of(head)[2] + 12)
        return set(leads), leads

    def _rows(self, rows: Sequence[Row], routes: Routes) -> list[Item]:
        items: list[Item] = []
        index = 0
        left = routes.left + zone_of(rows) - 6
        wide = max((row.lead.whole for row in rows if row.lead), default=0.0)
        right = max(left + wide, *(row.right + PANEL for row in rows))
        maps = {row: place for place, row in routes.lenses}
        for number, row in enumerate(rows):
            panel = self.panels.get(index)
            if row.lead is not None and panel is not None:
                bounds = left, row.top - row.head, right, row.bottom + 4
                if number in maps:
                    above = rows[maps[number][0]]
                    items += lens_lines(above.columns[maps[number][1]], above, bounds)
                items += self._panel(row, panel, bounds)
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

    def _panel(self, row: Row, panel: _Panel, bounds: Bounds) -> list[Item]:
        assert row.lead is not None
        x, y, right, bottom = bounds
        items: list[Item] = [Box(x, y, right - x, bottom - y, "panel.fill", "panel.line", 1, 6)]
        items += panel_head(
            panel.pyramid, panel.source, panel.channels, self._factor(panel), x, y, self.study.looks
        )
        items += row.lead.draw(x, row.middle, row.label_top)
        return items

    def _factor(self, panel: _Panel) -> float:
        """By how much a map is larger in its panel than at the picture's scale."""
        return self.study.looks.grid / max(panel.pyramid.sizes) / self.scales.pixels.factor

    def _scale_bar(self, row: Row, left: float) -> list[Item]:
        """The pixels' scale of a row, stated anew where it differs."""
        if not row.has_scale:
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
