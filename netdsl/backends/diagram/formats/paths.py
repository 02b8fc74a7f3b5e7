"""Shapes as paths of straight lines and Bezier curves, and numbers as files have them."""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.backends.diagram.scene import Box, Ellipse, Point

ROUND = 0.5523
"""How far the handles of a quarter of a circle are from its ends, of its radius."""
DASHES = {"dashed": (4, 3), "dotted": (2, 3)}


def number(value: float) -> str:
    """Hundredths of a point, without zeros at the end."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def pieces(points: tuple[Point, ...]) -> Iterator[tuple[Point, ...]]:
    """The pieces of a Bezier path: one point for a straight line, three for a curve."""
    before, *rest = points
    for start, finish, end in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        is_straight = start == before and finish == end
        yield (end,) if is_straight else (start, finish, end)
        before = end


def rounded_box(box: Box) -> tuple[Point, ...]:
    """The outline of a box with round corners as a Bezier path, from its upper left corner on."""
    x, y, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    r = min(box.radius, box.width / 2, box.height / 2)
    k = r * (1 - ROUND)
    path: list[Point] = [(x + r, y)]
    for a, b, c, d in (
        ((right - r, y), (right - k, y), (right, y + k), (right, y + r)),
        ((right, bottom - r), (right, bottom - k), (right - k, bottom), (right - r, bottom)),
        ((x + r, bottom), (x + k, bottom), (x, bottom - k), (x, bottom - r)),
        ((x, y + r), (x, y + k), (x + k, y), (x + r, y)),
    ):
        path += [path[-1], a, a, b, c, d]
    return tuple(path)


def round_outline(ellipse: Ellipse) -> tuple[Point, ...]:
    """The outline of an ellipse as a Bezier path, from its right end on."""
    x, y, rx, ry = ellipse.x, ellipse.y, ellipse.rx, ellipse.ry
    path: list[Point] = [(x + rx, y)]
    for dx, dy in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        start = x + rx * (dx - ROUND * dy), y + ry * (dy + ROUND * dx)
        finish = x + rx * (ROUND * dx - dy), y + ry * (ROUND * dy + dx)
        path += [start, finish, (x - rx * dy, y + ry * dx)]
    return tuple(path)
