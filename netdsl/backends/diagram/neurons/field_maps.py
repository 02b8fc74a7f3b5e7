"""Maps of neurons drawn to scale, with the part of each that a neuron depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from netdsl.analyses.links import Product, hull, union
from netdsl.backends.diagram.scene import Box, Item, line
from netdsl.backends.diagram.shape_names import TIMES

CELLS_DRAWN = 64
"""Cells along a side up to which each is drawn."""
MOST_BOXES = 1_500
THIN, FLAT = 9.0, 20.0
"""Width of a single column, height of a single row."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A map seen from the front: its place on the sheet, its rows and columns.

    A vector is one column, a sequence one row; of a volume the front is seen. `wide` and `high`
    are the sides of a cell.
    """

    x: float
    y: float
    rows: int
    columns: int
    wide: float
    high: float

    @property
    def width(self) -> float:
        return self.columns * self.wide

    @property
    def height(self) -> float:
        return self.rows * self.high

    def box(self, patch: Product) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the rectangle around some cells."""
        (top, bottom), (left, right) = hull([patch])
        return (
            self.x + left * self.wide, self.y + top * self.high,
            self.x + (right + 1) * self.wide, self.y + (bottom + 1) * self.high,
        )  # fmt: skip

    def around(self, patches: Sequence[Product]) -> tuple[float, float, float, float]:
        """The rectangle around all cells of several sets."""
        boxes = [self.box(patch) for patch in patches]
        return (
            min(b[0] for b in boxes), min(b[1] for b in boxes),
            max(b[2] for b in boxes), max(b[3] for b in boxes),
        )  # fmt: skip


def sides(shape: Sequence[int], is_vector_row: bool = False) -> tuple[int, int]:
    """Rows and columns of the front of a shape."""
    if len(shape) >= 3:
        return shape[-2], shape[-1]
    if len(shape) == 2:
        return 1, shape[-1]
    size = shape[0] if shape else 1
    return (1, size) if is_vector_row else (size, 1)


def fitted(x: float, y: float, shape: Sequence[int], side: float, row: bool = False) -> Plane:
    """A plane whose longer side is `side`; a single row or column is as thick as can be seen."""
    rows, columns = sides(shape, row)
    cell = side / max(rows, columns)
    wide = max(cell, THIN) if columns == 1 else cell
    return Plane(x, y, rows, columns, wide, max(cell, FLAT) if rows == 1 else cell)


def projected(
    pieces: Iterable[Product], shape: Sequence[int], is_vector_row: bool = False
) -> list[Product]:
    """The rows and columns of the numbers, whatever their channel."""
    zero = frozenset((0,))
    if len(shape) >= 3:
        return union(piece[-2:] for piece in pieces)
    if len(shape) == 2:
        return union((zero, piece[-1]) for piece in pieces)
    places = [piece[0] if piece else zero for piece in pieces]
    return union((zero, p) if is_vector_row else (p, zero) for p in places)


def grid(plane: Plane, fill: str = "panel.fill", edge: str = "wire") -> Iterator[Item]:
    """The map's cells, each drawn where they are few."""
    yield Box(plane.x, plane.y, plane.width, plane.height, fill, "", 0)
    if max(plane.rows, plane.columns) <= CELLS_DRAWN and min(plane.wide, plane.high) >= 2.5:
        right, bottom = plane.x + plane.width, plane.y + plane.height
        for i in range(1, plane.rows):
            y = plane.y + i * plane.high
            yield line([(plane.x, y), (right, y)], "panel.line", 0.5)
        for j in range(1, plane.columns):
            x = plane.x + j * plane.wide
            yield line([(x, plane.y), (x, bottom)], "panel.line", 0.5)
    yield Box(plane.x, plane.y, plane.width, plane.height, "", edge, 0.9)


def cells(plane: Plane, patches: Sequence[Product], colour: str, opacity: float) -> Iterator[Item]:
    """The cells of some sets, filled; holes stay open."""
    boxes = [
        (top, bottom, left, right)
        for patch in patches
        for top, bottom in runs(patch[0])
        for left, right in runs(patch[1])
    ]
    if len(boxes) > MOST_BOXES:
        left, top, right, bottom = plane.around(patches)
        yield Box(left, top, right - left, bottom - top, colour, "", 0, opacity=opacity / 2)
        return
    for top, bottom, left, right in boxes:
        yield Box(
            plane.x + left * plane.wide, plane.y + top * plane.high,
            (right - left + 1) * plane.wide, (bottom - top + 1) * plane.high,
            colour, "", 0, opacity=opacity,
        )  # fmt: skip


def runs(indices: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of each stretch of indices that follow each other."""
    stretches: list[tuple[int, int]] = []
    for index in sorted(indices):
        if stretches and stretches[-1][1] == index - 1:
            stretches[-1] = stretches[-1][0], index
        else:
            stretches.append((index, index))
    return stretches


def frame(
    plane: Plane, patches: Sequence[Product], colour: str, stroke: float, dash: str = ""
) -> Box:
    """The rectangle around some cells."""
    left, top, right, bottom = plane.around(patches)
    return Box(left, top, right - left, bottom - top, "", colour, stroke, 0, dash)


def rays(
    before: Plane,
    near: Sequence[Product],
    after: Plane,
    far: Sequence[Product],
    by: float | None = None,
) -> Iterator[Item]:
    """Lines from the edge of what is seen in one map to that in the next, which turn at `by`."""
    _, top, right, bottom = before.around(near)
    left, upper, _, lower = after.around(far)
    for start, end in ((top, upper), (bottom, lower)):
        turn = [] if by is None else [(by, end)]
        yield line([(right, start), *turn, (left, end)], "amber", 0.7)


def extent(patches: Sequence[Product]) -> tuple[int, int]:
    """Rows and columns from the first to the last."""
    (top, bottom), (left, right) = hull(patches)
    return bottom - top + 1, right - left + 1


def extent_text(rows: int, columns: int, is_line: bool) -> str:
    """`14 × 14`, or how long where there is one row only."""
    return str(max(rows, columns)) if is_line else f"{rows} {TIMES} {columns}"
