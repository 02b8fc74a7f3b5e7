"""The neuron view: layers as columns of neurons, every line a connection that exists."""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.analyses.cost import count_parameters
from netdsl.analyses.links import UnknownLinks, is_in, shape_of
from netdsl.backends.diagram.columns import (
    Column,
    Index,
    Study,
    in_field,
    inputs_of,
    read_by,
    study,
)
from netdsl.backends.diagram.filters import filters_picture, is_small_convolution
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.labels import layer_label
from netdsl.backends.diagram.leaf import kind_of
from netdsl.backends.diagram.neuron_names import Neuron, check_sizes, neuron_of, told
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Box, Ellipse, Group, Item, Picture, Text, line
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.ir.graph import Graph

STEP, RADIUS, PILL = 44.0, 14.0, 26.0
COLUMN = 148.0


def neurons_picture(graph: Graph, options: Options) -> Picture:
    """Neurons of each layer and their links. Raises `DrawError`."""
    check_sizes(graph)
    chosen = [neuron_of(graph, text) for text in options.neurons]
    if is_small_convolution(graph):
        return filters_picture(graph, chosen, options)
    if not chosen:
        chosen = [default_neuron(graph)]
    try:
        found = study(graph, chosen)
        return _Sheet(graph, found, options).picture()
    except UnknownLinks as error:
        raise told(error) from None


def default_neuron(graph: Graph) -> Neuron:
    """The middle of the last convolution's result, or of the last layer's."""
    running = graph.inference_nodes()
    nodes = [node for node in graph.nodes() if id(node) in running]
    if not nodes:
        raise DrawError("there are no neurons to draw: the network computes nothing")
    maps = [node for node in nodes if node.op.name == "conv"]
    node = maps[-1] if maps else nodes[-1]
    shape = shape_of(node.output)
    return Neuron(node.output, (0, *(n // 2 for n in shape[1:])), node.path)


class _Sheet:
    def __init__(self, graph: Graph, found: Study, options: Options) -> None:
        self.graph, self.study, self.options = graph, found, options
        self.columns = found.columns
        self.focus = {neuron.index for neuron in found.neurons}
        heights = [self._height(column) for column in self.columns]
        self.tallest = max(heights)
        self.names = ShapeNames(())
        self.xs = self._places()
        self.ys = [
            self._rows(column, height) for column, height in zip(self.columns, heights, strict=True)
        ]

    def _places(self) -> list[float]:
        """Middles of the columns: as far apart as their headings need."""
        widths = [
            max(text_width(t, 9.5) for t in (*self._head(c), *self._foot(n)))
            for n, c in enumerate(self.columns)
        ]
        xs: list[float] = []
        x = 0.0
        for number, width in enumerate(widths):
            if number:
                x += max(COLUMN, (widths[number - 1] + width) / 2 + 22)
            xs.append(x)
        return xs

    def picture(self) -> Picture:
        items: list[Item] = list(self._links())
        for number, column in enumerate(self.columns):
            items += self._column(number, column)
        title = self.options.title or f"{self.graph.name}, neuron by neuron"
        return framed(title, self._lines(), items)

    def _lines(self) -> list[str]:
        lines: list[str] = []
        for neuron in self.study.neurons:
            seen = [
                f"{in_field(c):,} of {c.total:,} in {c.name}"
                for c in reversed(self.columns[: self._at(neuron)])
                if c.seen
            ]
            words = f"{neuron} (orange) depends on " + ", ".join(seen[:4]) if seen else str(neuron)
            lines.append(words + (", ..." if len(seen) > 4 else ""))
        lines.append(
            "A line joins two drawn neurons if and only if the one reads the other. A pill stands "
            "for neurons that are not drawn; drawn and left out add up."
        )
        counts = (self.study.skipped_before, "before these"), (self.study.skipped_after, "behind")
        skipped = [f"{n} layer{'s' * (n > 1)} {where}" for n, where in counts if n]
        if any(c.unit is not None and len(c.unit.read()) > 1 for c in self.columns):
            skipped.append("other branches")
        if skipped:
            lines.append("Left out: " + ", ".join(skipped) + ".")
        return lines

    def _at(self, neuron: Neuron) -> int:
        for number, column in enumerate(self.columns):
            unit = column.unit
            if column.value is neuron.value or (
                unit is not None and any(neuron.value in node.outputs for node in unit.nodes)
            ):
                return number
        return 0

    def _height(self, column: Column) -> float:
        pills = sum(1 for hidden, _ in column.gaps if hidden)
        return len(column.drawn) * STEP + pills * PILL

    def _rows(
        self, column: Column, height: float
    ) -> tuple[list[float], list[tuple[float, int, int]]]:
        """Heights of the drawn neurons, and of the pills with what they stand for."""
        y = (self.tallest - height) / 2
        neurons: list[float] = []
        pills: list[tuple[float, int, int]] = []
        for number in range(len(column.drawn) + 1):
            hidden, inside = column.gaps[number]
            if hidden:
                pills.append((y + PILL / 2, hidden, inside))
                y += PILL
            if number < len(column.drawn):
                neurons.append(y + STEP / 2)
                y += STEP
        return neurons, pills

    def _links(self) -> Iterator[Item]:
        for number in range(1, len(self.columns)):
            column, before = self.columns[number], self.columns[number - 1]
            for index, y in zip(column.drawn, self.ys[number][0], strict=True):
                pieces = read_by(column, index, before)
                for source, height in zip(before.drawn, self.ys[number - 1][0], strict=True):
                    if is_in(pieces, source):
                        yield self._link(number, column, index, before, source, y, height)

    def _link(
        self, number: int, column: Column, index: Index, before: Column, source: Index,
        y: float, height: float,
    ) -> Item:  # fmt: skip
        start, end = (self.xs[number - 1] + RADIUS, height), (self.xs[number] - RADIUS, y)
        if self._is_focus(number, index) or self._is_focus(number - 1, source):
            return line([start, end], "focus", 1.8)
        if is_in(column.seen, index) and is_in(before.seen, source):
            return line([start, end], "amber", 1.1)
        dense = column.unit is not None and kind_of(column.unit) == "dense"
        return line([start, end], "faint" if dense else "wire", 0.6 if dense else 0.8)

    def _is_focus(self, number: int, index: Index) -> bool:
        return any(self._at(n) == number and n.index == index for n in self.study.neurons)

    def _head(self, column: Column) -> list[str]:
        shape = f" {TIMES} ".join(map(str, column.shape))
        what = "values" if column.unit is None else "neurons"
        total = (
            f"{shape} = {column.total:,} {what}"
            if len(column.shape) > 1
            else f"{column.total:,} {what}"
        )
        if column.unit is None:
            return [column.name, "input", total]
        label = layer_label(column.unit, (), self.names)
        extra = next((t for t in label.lines if "pad" in t or "groups" in t), "")
        title = f"{label.title} {extra.split(' · ')[-1]}".strip()
        return [column.name, title, total]

    def _foot(self, number: int) -> list[str]:
        column = self.columns[number]
        lines = [f"{len(column.drawn):,} of {column.total:,} drawn"]
        if column.unit is None or number == 0:
            return [*lines, "not computed" if column.unit is None else "inputs not drawn"]
        low, high = inputs_of(column, self.columns[number - 1])
        lines.append(
            f"{high:,} inputs a neuron" if low == high else f"{low:,} to {high:,} inputs a neuron"
        )
        learned = sum(count_parameters(node.layer) for node in column.unit.nodes)
        shared = "shared " if kind_of(column.unit) == "conv" else ""
        lines.append(f"{learned:,} {shared}parameters" if learned else "no parameters")
        return lines

    def _column(self, number: int, column: Column) -> Iterator[Item]:
        x = self.xs[number]
        name, what, total = self._head(column)
        yield Text(x, -48, name, 12, "ink", True)
        yield Text(x, -34, what, 9.5, "soft")
        yield Text(x, -21, total, 9.5, "soft")
        for y, hidden, inside in self.ys[number][1]:
            yield from self._pill(x, y, hidden, inside)
        for index, y in zip(column.drawn, self.ys[number][0], strict=True):
            yield self._neuron(number, column, index, x, y)
        for row, text in enumerate(self._foot(number)):
            yield Text(
                x, self.tallest + 22 + 13 * row, text, 9.5, "ink" if not row else "soft", not row
            )

    def _pill(self, x: float, y: float, hidden: int, inside: int) -> Iterator[Item]:
        text = f"{hidden:,} more"
        wide = max(text_width(text, 8.5), 40) + 14
        if inside:
            said = f"{hidden:,} more · {inside:,} seen"
            wide = text_width(said, 8.5) + 14
            yield Box(x - wide / 2, y - 9, wide, 18, "amber.fill", "amber", 0.8, 9)
            yield Text(x, y + 3, said, 8.5, "ink")
            return
        yield Box(x - wide / 2, y - 9, wide, 18, "panel.fill", "panel.line", 0.8, 9)
        yield Text(x, y + 3, text, 8.5, "soft")

    def _neuron(self, number: int, column: Column, index: Index, x: float, y: float) -> Item:
        place = ",".join(map(str, index))
        fill, edge, ink = "paper", "faint", "soft"
        if self._is_focus(number, index):
            fill, edge, ink = "focus", "focus", "onseries"
        elif is_in(column.seen, index):
            fill, edge, ink = "amber.fill", "amber", "ink"
        elif column.unit is not None:
            kind = kind_of(column.unit)
            fill, edge, ink = f"{kind}.fill", f"{kind}.line", "ink"
        size = 8.0 if len(place) < 6 else 8.0 * 5.2 / len(place)
        shape: Item = Ellipse(x, y, RADIUS, RADIUS, fill, edge, 1.2)
        if column.unit is None:  # a value that is given, not a neuron that computes
            shape = Box(x - RADIUS, y - RADIUS * 0.8, 2 * RADIUS, RADIUS * 1.6, fill, edge, 1.2, 2)
        text = Text(x, y + size * 0.35, place, size, ink, self._is_focus(number, index))
        return Group((shape, text), title=f"{column.name}[{place}]", css="neuron")
