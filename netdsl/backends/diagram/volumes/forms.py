"""The shape of one volume in oblique projection: boxes, sheets and bars, to scale."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin, sqrt

from netdsl.backends.diagram.scene import Box, Curve, Item, Point, Polygon, line
from netdsl.backends.diagram.theme import SERIES, series

SHORT = 0.42
"""How much the receding axis is foreshortened."""
ANGLE = radians(38)
ALONG, UP = SHORT * cos(ANGLE), SHORT * sin(ANGLE)
BAR_WIDTH = 10.0
THIN = 0.8
CELLS = 4.0
MOST_CELLS = 64


@dataclass(frozen=True, slots=True)
class Scale:
    """Points a unit; of a `root` scale, points by the square root of the number."""

    factor: float
    root: bool = False

    def length(self, number: float) -> float:
        return self.factor * (sqrt(number) if self.root else number)


@dataclass(frozen=True, slots=True)
class Scales:
    """The scales of a picture: pixels, channels, values of vectors."""

    pixels: Scale
    channels: Scale
    values: Scale

    def zoomed(self, factor: float) -> Scales:
        """The same with larger pixels."""
        return Scales(Scale(self.pixels.factor * factor), self.channels, self.values)


@dataclass(frozen=True, slots=True)
class Axes:
    """Which number of a shape is what: channels, and the spatial ones (`(H, W)`, `(L,)`).

    A vector has neither: `length` is its number of values.
    """

    channels: int = 0
    spatial: tuple[int, ...] = ()
    length: int = 0

    @property
    def is_map(self) -> bool:
        return bool(self.spatial)


def axes_of(shape: tuple[int, ...], is_last: bool) -> Axes:
    """The axes of a shape; `is_last` where the channels stand last."""
    if len(shape) < 2:
        return Axes(length=shape[0] if shape else 1)
    if is_last:
        return Axes(shape[-1], shape[:-1])
    return Axes(shape[0], shape[1:])


@dataclass(frozen=True, slots=True)
class Form:
    """A volume's measures in points, and where it stands: left edge, middle of its height."""

    axes: Axes
    scales: Scales
    x: float = 0.0
    y: float = 0.0

    def at(self, x: float, y: float) -> Form:
        return Form(self.axes, self.scales, x, y)

    @property
    def front(self) -> float:
        """Width of the front face: the channels; of a map with three axes, the first of them."""
        if not self.axes.is_map:
            return BAR_WIDTH
        if len(self.axes.spatial) == 3:
            return self.scales.pixels.length(self.axes.spatial[0])
        return self.scales.channels.length(self.axes.channels)

    @property
    def tall(self) -> float:
        """Height of the front face."""
        if not self.axes.is_map:
            return self.scales.values.length(self.axes.length)
        return self.scales.pixels.length(self.axes.spatial[-2 if self.is_deep else -1])

    @property
    def is_deep(self) -> bool:
        return len(self.axes.spatial) >= 2

    @property
    def depth(self) -> Point:
        """How far the receding edge goes to the right and up."""
        if not self.is_deep:
            return 0.0, 0.0
        length = self.scales.pixels.length(self.axes.spatial[-1])
        return length * ALONG, length * UP

    @property
    def width(self) -> float:
        return self.front + self.depth[0]

    @property
    def height(self) -> float:
        return self.tall + self.depth[1]

    @property
    def top(self) -> float:
        """Upper edge of the front face."""
        return self.y - self.height / 2 + self.depth[1]

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2

    @property
    def right(self) -> Point:
        """Middle of the face on the right."""
        return self.x + self.front + self.depth[0] / 2, self.y

    @property
    def left(self) -> Point:
        """Middle of the face on the left, which the front hides."""
        return self.x + self.depth[0] / 2, self.y

    @property
    def crown(self) -> Point:
        """Middle of the edge at the top and back."""
        return self.x + self.depth[0] + self.front / 2, self.top - self.depth[1]

    def on_face(self, row: float, column: float, right: bool = True) -> Point:
        """A place on the face on the right, or on the left, by pixels."""
        pixels = self.scales.pixels
        across = pixels.length(column) if self.is_deep else 0.0
        x = self.x + (self.front if right else 0.0) + across * ALONG
        return x, self.top + pixels.length(row) - across * UP


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the channels, and its colour."""

    channels: int
    role: str
    opacity: float = 1.0


def series_parts(channels: list[int]) -> tuple[Part, ...]:
    """Each part in a colour of its own; many equal ones in two that alternate."""
    many = len(channels) > SERIES
    return tuple(
        Part(n, series(1 + index % 2 if many and index else index), 0.55)
        for index, n in enumerate(channels)
    )


def draw_form(form: Form, role: str, parts: tuple[Part, ...] = ()) -> list[Item]:
    """A box with shaded sides, a sheet, or a bar; `parts` cut it along the channels."""
    fill, edge = f"{role}.fill", f"{role}.line"
    if not form.axes.is_map:
        return [
            Box(form.x, form.top, form.front, form.tall, fill, edge, 1.0, min(1.5, form.tall / 3))
        ]
    items: list[Item] = []
    if form.is_deep:
        items += _faces(form, fill, edge)
    if form.front >= THIN or not form.is_deep:
        items.append(Box(form.x, form.top, form.front, form.tall, fill, edge, 1.0))
        if role == "block":
            items.append(Box(form.x, form.top, form.front, form.tall, edge, "", 0, opacity=0.12))
        items += _slices(form, parts, edge)
    items += _cells(form, edge)
    return items


def _faces(form: Form, fill: str, edge: str) -> list[Item]:
    x, top, bottom = form.x, form.top, form.bottom
    far, (dx, dy) = form.x + form.front, form.depth
    side = ((far, top), (far + dx, top - dy), (far + dx, bottom - dy), (far, bottom))
    lid = ((x, top), (x + dx, top - dy), (far + dx, top - dy), (far, top))
    items: list[Item] = [
        Polygon(side, fill, "", 0),
        Polygon(side, edge, "", 0, opacity=0.22),
        Polygon(side, "", edge),
    ]
    if form.front >= THIN:
        items += [Polygon(lid, fill, "", 0), Polygon(lid, edge, "", 0, opacity=0.07)]
        items.append(Polygon(lid, "", edge))
    return items


def _slices(form: Form, parts: tuple[Part, ...], edge: str) -> list[Item]:
    """Parts of the channels, in proportion, in the front and on the lid."""
    if len(parts) < 2:
        return []
    total, x, (dx, dy) = sum(p.channels for p in parts), form.x, form.depth
    items: list[Item] = []
    for index, part in enumerate(parts):
        width, seen = form.front * part.channels / total, part.opacity
        items.append(Box(x, form.top, width, form.tall, part.role, "", 0, opacity=seen))
        lid = (
            (x, form.top),
            (x + dx, form.top - dy),
            (x + width + dx, form.top - dy),
            (x + width, form.top),
        )
        if form.is_deep:
            items.append(Polygon(lid, part.role, "", 0, opacity=seen * 0.7))
        x += width
        if index < len(parts) - 1:
            cut = [(x, form.bottom), (x, form.top), (x + dx, form.top - dy)]
            items.append(line(cut if form.is_deep else cut[:2], edge, 0.5))
    items.append(Box(form.x, form.top, form.front, form.tall, "", edge, 1.0))
    return items


def _cells(form: Form, edge: str) -> list[Item]:
    """Pixels and channels, where they are large enough to be seen."""
    pixel, (dx, dy) = form.scales.pixels.factor, form.depth
    items: list[Item] = []
    rows = form.axes.spatial[-2 if form.is_deep else -1]
    if form.is_deep and pixel * SHORT >= CELLS / 2 and max(form.axes.spatial) <= MOST_CELLS:
        columns = form.axes.spatial[-1]
        for row in range(1, rows):
            items.append(_thin([form.on_face(row, 0), form.on_face(row, columns)], edge))
        for column in range(1, columns):
            items.append(_thin([form.on_face(0, column), form.on_face(rows, column)], edge))
    channels = form.axes.channels
    if len(form.axes.spatial) < 3 and form.scales.channels.length(1) >= CELLS and channels > 1:
        for number in range(1, channels):
            x = form.x + form.scales.channels.length(number)
            cut = [(x, form.bottom), (x, form.top), (x + dx, form.top - dy)]
            items.append(_thin(cut if form.is_deep else cut[:2], edge))
    return items


def _thin(points: list[Point], edge: str) -> Item:
    path = line(points, edge, 0.4)
    return Curve(path.points, edge, 0.4, opacity=0.45)
