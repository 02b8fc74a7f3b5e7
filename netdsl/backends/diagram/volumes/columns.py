"""A volume with what is written below it, as a column of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from json import dumps

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram import roles
from netdsl.backends.diagram.example_size import Numbers
from netdsl.backends.diagram.fonts import shorten, text_width
from netdsl.backends.diagram.scene import Box, Group, Item, Point, Polygon, Text, line
from netdsl.backends.diagram.volumes.forms import (
    Axes,
    Form,
    Part,
    Scales,
    axes_of,
    draw_form,
    series_parts,
)
from netdsl.backends.diagram.volumes.looks import USUAL, Looks
from netdsl.backends.diagram.volumes.names import MOST_LINES, Name, path_of
from netdsl.backends.diagram.volumes.steps import Step
from netdsl.backends.diagram.volumes.words import (
    counted,
    parts_of,
    says,
    tail_words,
    times,
    tooltip,
)
from netdsl.ops.base import op_of

TINY, LENS, LENS_ROOM, LENS_ASIDE = 3.0, 20.0, 44.0, 18.0
LONG_LINE = 150.0
LINES_ABOVE = (0.0, 1.5, 1.5, 2.5, 3.5, 3.0)
"""What is added to the height of a line: those of the name, class, shape, count."""
LINE_ABOVE = 2.5
SOFT = 8.0
WITH_NUMBER = ("pad", "dilation", "groups", "levels")


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    size: float
    colour: str
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A step's form and label; `left` is where the column begins."""

    step: Step
    form: Form
    label: tuple[Line, ...]
    label_width: float
    parts: tuple[Part, ...]
    role: str
    is_left: bool = False
    lens_wanted: bool = True

    @property
    def has_lens(self) -> bool:
        """Whether the map is too small to be seen as it is."""
        form = self.form
        return (
            self.lens_wanted and form.is_deep and len(form.axes.spatial) == 2 and form.tall < TINY
        )

    @property
    def crown(self) -> Point:
        """Where routes over the row start and end: the middle of the top, beside a lens."""
        x, y = self.form.crown
        return (self.form.x + 2.0, self.form.top) if self.has_lens else (x, y)

    @property
    def above(self) -> float:
        """The room it needs above the middle of its form: half of it, and a lens."""
        return self.form.height / 2 + (LENS_ROOM if self.has_lens else 0.0)

    @property
    def below(self) -> float:
        """The room below the middle: half of it, and the bar of the channels."""
        return self.form.height / 2 + (10 if len(self.form.axes.spatial) == 3 else 0.0)

    @property
    def width(self) -> float:
        if self.is_left:
            return max(self.form.width, self.label_width)
        return max(self.form.width, self.label_width, 18.0)

    def placed(self, left: float, middle: float) -> Column:
        """With the form's column beginning at `left`, its middle at the height `middle`."""
        inset = 0.0 if self.is_left else (self.width - self.form.width) / 2
        return replace(self, form=self.form.at(left + inset, middle))

    def zoomed(self, factor: float) -> Column:
        return replace(self, form=Form(self.form.axes, self.form.scales.zoomed(factor)))


@dataclass(frozen=True, slots=True)
class Study:
    """A network that is to be drawn: its steps, with their numbers."""

    steps: Sequence[Step]
    numbers: Numbers
    channels: ChannelAxes
    tails: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By family what usually follows in place, which is not shown for each."""
    looks: Looks = USUAL
    names: Mapping[Step, Name] = field(default_factory=dict)
    """What steps are called; one without an entry by its path."""

    def shape(self, step: Step) -> tuple[int, ...]:
        return self.numbers.shape(step.shown)

    def axes(self, step: Step) -> Axes:
        return axes_of(self.shape(step), self.channels.is_last(step.shown))

    def is_last(self, step: Step) -> bool:
        """Whether its channels stand last in its shape."""
        return self.channels.is_last(step.shown)

    def column(self, step: Step, scales: Scales, is_left: bool = False) -> Column:
        """The column of a step, not placed yet."""
        role = role_of(step)
        form = Form(self.axes(step), scales)
        label = tuple(self._label(step, role))
        widest = max(text_width(item.text, item.size, item.bold) for item in label)
        return Column(step, form, label, widest, self._parts(step), role, is_left)

    def _parts(self, step: Step) -> tuple[Part, ...]:
        channels = parts_of(step, self.numbers)
        if sum(channels) != self.axes(step).channels:
            return ()
        if step.join is None:
            return series_parts(channels)
        first_grows = step.join.inputs[0].producer in step.nodes
        roles = ("up.fill", "conv.fill") if first_grows else ("conv.fill", "up.fill")
        return tuple(Part(n, role) for n, role in zip(channels, roles, strict=False))

    def _label(self, step: Step, role: str) -> Iterator[Line]:
        looks = self.looks
        name = self.names.get(step, (path_of(step),))
        for text in ("",) * (MOST_LINES - len(name)) + name:
            yield Line(shorten(text, looks.name, LONG_LINE, True), looks.name, "ink", True)
        definition = step.scope.definition if step.scope is not None else ""
        yield Line(shorten(definition, looks.soft, LONG_LINE), looks.soft, "soft")
        shape = self.shape(step)
        channels = " ch" if self.is_last(step) else ""
        yield Line(_shape_text(shape) + channels, looks.shape, "ink")
        items = self.numbers.items(step.output)
        yield Line(counted(step, shape, items) if looks.has_counts else "", looks.soft, "soft")
        colour = "ink" if role in ("io", "block") else f"{role}.line"
        for text in says(step, self.numbers):
            for piece in wrapped(text, looks.says, looks.half):
                yield Line(piece, looks.says, colour)
        for piece in wrapped(tail_words(step, self.tails), looks.soft, looks.half):
            yield Line(piece, looks.soft, "soft")


def role_of(step: Step) -> str:
    """The role of its colours."""
    if step.join is not None:
        return "up"
    if step.node is None:
        return "io" if step.is_input else "block"
    return roles.role_of(op_of(step.node))


def _shape_text(shape: tuple[int, ...]) -> str:
    if len(shape) < 2:
        return f"{shape[0]:,}" if shape else "one number"
    return times(shape)


def wrapped(text: str, size: float, width: float) -> list[str]:
    """A text in lines of about this width, broken at spaces, `pad 1` never."""
    words: list[str] = []
    for word in text.split(" "):
        if words and words[-1] in WITH_NUMBER:
            words[-1] += f" {word}"
        else:
            words.append(word)
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and (text_width(longer, size) <= width or word in ("+", "×", "→", "·")):
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def with_one_lens(columns: Sequence[Column]) -> list[Column]:
    """Of maps of one size that stand in a row, only the first has a lens."""
    seen: set[tuple[int, ...]] = set()
    adjusted: list[Column] = []
    for column in columns:
        adjusted.append(replace(column, lens_wanted=column.form.axes.spatial not in seen))
        seen.add(column.form.axes.spatial)
    return adjusted


def label_rows(columns: Sequence[Column]) -> list[float]:
    """Distances of the label lines' baselines below the label's top; lines that are empty in all
    columns take no room."""
    deepest = max((len(c.label) for c in columns), default=0)
    places: list[float] = []
    y = 0.0
    for number in range(deepest):
        sizes = [
            c.label[number].size for c in columns if number < len(c.label) and c.label[number].text
        ]
        more = LINES_ABOVE[number] if number < len(LINES_ABOVE) else LINE_ABOVE
        y += max(sizes) + (more if y else 0.0) if sizes else 0.0
        places.append(y)
    return places


def draw_column(
    column: Column, top: float, places: Sequence[float], key: str, shape: tuple[int, ...]
) -> Group:
    """The volume, and its label whose top is given."""
    form = column.form
    items: list[Item] = draw_form(form, column.role, column.parts)
    if len(form.axes.spatial) == 3:
        items += channel_bar(form)
    if column.has_lens:
        items += lens(form)
    items += label_items(column, top, places)
    nodes = dumps([node.path for node in column.step.covered()], ensure_ascii=False)
    scales = form.scales
    data = (
        ("nodes", nodes),
        ("shape", ",".join(map(str, shape))),
        ("points-per-pixel", f"{scales.pixels.factor:.5f}"),
        ("points-per-channel", f"{scales.channels.factor:.5f}"),
    )
    return Group(tuple(items), key, tooltip(column.step, shape), "volume", data)


def label_items(column: Column, top: float, places: Sequence[float]) -> list[Item]:
    form = column.form
    x = form.x if column.is_left else form.x + form.width / 2
    anchor = "start" if column.is_left else "middle"
    return [
        Text(x, top + y, item.text, item.size, item.colour, item.bold, anchor)
        for item, y in zip(column.label, places, strict=False)
        if item.text
    ]


def lens(form: Form) -> list[Item]:
    """The face of a tiny map, enlarged above it by a factor that is stated."""
    factor = max(2, int(LENS / form.tall))
    large = Form(form.axes, form.scales.zoomed(factor))
    edge = max(form.x + form.front - 4, form.x + LENS_ASIDE)
    x = edge - large.front
    large = large.at(x, form.y - form.height / 2 - 7 - large.height / 2)
    rows, columns = form.axes.spatial
    corners = ((0, 0), (0, columns), (rows, columns), (rows, 0))
    face = Polygon(tuple(large.on_face(r, c) for r, c in corners), "paper", "amber", 0.9)
    cells = [
        *([large.on_face(r, 0), large.on_face(r, columns)] for r in range(1, rows)),
        *([large.on_face(0, c), large.on_face(rows, c)] for c in range(1, columns)),
    ]
    rays = [
        line([form.on_face(0, c), large.on_face(rows, c)], "amber", 0.6, "dashed")
        for c in (0, columns)
    ]
    right, top = large.on_face(0, columns)
    words = Text(right, top - 3, f"× {factor}", SOFT, "amber", True, "end")
    return [*rays, face, *(line(points, "amber", 0.4) for points in cells), words]


def channel_bar(form: Form) -> list[Item]:
    """The channels of a map with three axes, of which the box shows the axes."""
    y, length = form.bottom + 5, form.scales.channels.length(form.axes.channels)
    ends = [line([(x, y - 2), (x, y + 2)], "conv.line") for x in (form.x, form.x + length)]
    return [Box(form.x, y - 0.75, length, 1.5, "conv.line"), *ends]
