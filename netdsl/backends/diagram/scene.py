"""What a picture is made of: shapes and texts at places, in points, y downwards.

Colours are roles (`conv.fill`), which a theme turns into colours; a role `""` is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import hypot
from typing import TypeAlias

from netdsl.backends.diagram.fonts import text_width

Point: TypeAlias = tuple[float, float]
Bounds: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; `radius` rounds its corners."""

    x: float
    y: float
    width: float
    height: float
    fill: str = ""
    line: str = ""
    stroke: float = 1.0
    radius: float = 0.0
    dash: str = ""
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed shape with straight sides."""

    points: tuple[Point, ...]
    fill: str = ""
    line: str = ""
    stroke: float = 1.0
    dash: str = ""
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A Bezier path: a start, then three points a piece; `dash` is as of a `Pen`."""

    points: tuple[Point, ...]
    line: str
    stroke: float = 1.0
    dash: str = ""
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse about its middle."""

    x: float
    y: float
    rx: float
    ry: float
    fill: str = ""
    line: str = ""
    stroke: float = 1.0
    dash: str = ""
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `y` is its baseline, `anchor` start, middle or end."""

    x: float
    y: float
    text: str
    size: float = 10.0
    colour: str = "ink"
    bold: bool = False
    anchor: str = "middle"

    @property
    def width(self) -> float:
        return text_width(self.text, self.size, self.bold)

    def bounds(self) -> Bounds:
        """The box that its letters fill."""
        shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        left = self.x - shift * self.width
        return left, self.y - 0.74 * self.size, left + self.width, self.y + 0.21 * self.size


@dataclass(frozen=True, slots=True)
class Group:
    """Items that belong together, with what a reader learns of them.

    `title` is the tooltip, `data` becomes `data-*` attributes for programs that read the file.
    """

    items: tuple[Item, ...]
    id: str = ""
    title: str = ""
    css: str = ""
    data: tuple[tuple[str, str], ...] = ()


Shape: TypeAlias = Box | Polygon | Curve | Ellipse | Text
Item: TypeAlias = Shape | Group


@dataclass(slots=True)
class Picture:
    """A drawing: its size in points, what is on it from back to front, and what it is.

    `notes` are remarks for the person who drew it (a simpler picture, small print), `font` is the
    family of its letters; the usual one where it is empty.
    """

    width: float
    height: float
    title: str
    description: str = ""
    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    font: str = ""

    def shapes(self) -> Iterator[Shape]:
        """All shapes from back to front."""
        return flatten(self.items)

    def texts(self) -> list[Text]:
        return [shape for shape in self.shapes() if isinstance(shape, Text)]

    @property
    def least(self) -> float:
        """The size of its smallest letters."""
        return min((text.size for text in self.texts()), default=12.0)

    def smallest_letter(self, width: float) -> float:
        """Points, where the picture is as wide as that."""
        return self.least * width / self.width


def flatten(items: Iterable[Item]) -> Iterator[Shape]:
    """The shapes of items and of groups in them."""
    for item in items:
        if isinstance(item, Group):
            yield from flatten(item.items)
        else:
            yield item


def moved(item: Item, dx: float, dy: float) -> Item:
    """The same at another place."""
    if isinstance(item, Group):
        return Group(
            tuple(moved(i, dx, dy) for i in item.items), item.id, item.title, item.css, item.data
        )
    if isinstance(item, Box):
        return Box(
            item.x + dx, item.y + dy, item.width, item.height, item.fill, item.line,
            item.stroke, item.radius, item.dash, item.opacity,
        )  # fmt: skip
    if isinstance(item, Polygon):
        points = tuple((x + dx, y + dy) for x, y in item.points)
        return Polygon(points, item.fill, item.line, item.stroke, item.dash, item.opacity)
    if isinstance(item, Curve):
        points = tuple((x + dx, y + dy) for x, y in item.points)
        return Curve(points, item.line, item.stroke, item.dash, item.opacity)
    if isinstance(item, Ellipse):
        return Ellipse(
            item.x + dx, item.y + dy, item.rx, item.ry, item.fill, item.line,
            item.stroke, item.dash, item.opacity,
        )  # fmt: skip
    return Text(item.x + dx, item.y + dy, item.text, item.size, item.colour, item.bold, item.anchor)


def bounds_of(items: Iterable[Item]) -> Bounds:
    """The box around items; of none, an empty one at the origin."""
    boxes = [_bounds(shape) for shape in flatten(items)]
    if not boxes:
        return 0.0, 0.0, 0.0, 0.0
    return (
        min(b[0] for b in boxes),
        min(b[1] for b in boxes),
        max(b[2] for b in boxes),
        max(b[3] for b in boxes),
    )


def _bounds(shape: Shape) -> Bounds:
    if isinstance(shape, Text):
        return shape.bounds()
    if isinstance(shape, Box):
        return shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
    if isinstance(shape, Ellipse):
        return shape.x - shape.rx, shape.y - shape.ry, shape.x + shape.rx, shape.y + shape.ry
    xs, ys = [x for x, _ in shape.points], [y for _, y in shape.points]
    return min(xs), min(ys), max(xs), max(ys)


def line(points: Iterable[Point], colour: str, stroke: float = 1.0, dash: str = "") -> Curve:
    """A polyline as a path."""
    first, *rest = points
    path = [first]
    before = first
    for point in rest:
        path += [before, point, point]
        before = point
    return Curve(tuple(path), colour, stroke, dash)


def rounded(
    points: Iterable[Point], colour: str, stroke: float = 1.0, radius: float = 8.0,
    dash: str = "",
) -> Curve:  # fmt: skip
    """A polyline whose corners are rounded."""
    polyline = list(points)
    corners = [p for p, before in zip(polyline, [None, *polyline], strict=False) if p != before]
    path: list[Point] = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        start = _towards(corner, before, radius)
        end = _towards(corner, after, radius)
        path += [path[-1], start, start, _middle(start, corner), _middle(end, corner), end]
    path += [path[-1], corners[-1], corners[-1]]
    return Curve(tuple(path), colour, stroke, dash)


def _towards(start: Point, end: Point, distance: float) -> Point:
    """A point on the line, at most halfway along it."""
    length = hypot(end[0] - start[0], end[1] - start[1])
    if not length:
        return start
    part = min(distance, length / 2) / length
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


def _middle(a: Point, b: Point) -> Point:
    return a[0] * 0.45 + b[0] * 0.55, a[1] * 0.45 + b[1] * 0.55


def arrow_head(tip: Point, behind: Point, colour: str, size: float = 6.0) -> Polygon:
    """A filled triangle that ends at `tip`, coming from `behind`."""
    length = hypot(tip[0] - behind[0], tip[1] - behind[1]) or 1.0
    ux, uy = (tip[0] - behind[0]) / length, (tip[1] - behind[1]) / length
    back = tip[0] - ux * size, tip[1] - uy * size
    half = size * 0.38
    return Polygon(
        (
            tip,
            (back[0] - uy * half, back[1] + ux * half),
            (back[0] + uy * half, back[1] - ux * half),
        ),
        colour,
    )
