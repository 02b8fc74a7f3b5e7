"""Two dashed lines and a tinted cone, from a box of the overview to the panel that opens it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from netdsl.backends.diagram.blocks.text_places import cuts
from netdsl.backends.diagram.scene import (
    Bounds,
    Curve,
    Group,
    Item,
    Point,
    Polygon,
    Text,
    bounds_of,
    line,
)

SHARES = (1.0, 0.75, 0.5, 0.35, 0.25, 0.18)
"""Of the panel's width: the widest cone that is free is drawn."""
INSET = 8.0


def lens(
    box: Bounds, panel: Bounds, items: Iterable[Item], *, is_aside: bool = False
) -> list[Item]:
    """From the lower edge of a box to the upper edge of a panel; none where that crosses things.

    Where the panel stands aside, from the right edge to the left one. A cone may cross bands, never
    a box, a text or a wire.
    """
    drawn = list(items)
    obstacles = _obstacles(drawn)
    ways = [point for i in drawn if isinstance(i, Curve) for point in _along(i)]
    if is_aside:
        box, panel, *obstacles = ((b[1], b[0], b[3], b[2]) for b in (box, panel, *obstacles))
        ways = [(y, x) for x, y in ways]
    near = [b for b in obstacles if b[3] > box[3] and b[1] < panel[1]]
    for share in SHARES:
        left, right = _target(box, panel, share)
        cone = ((box[0], box[3]), (box[2], box[3]), (right, panel[1]), (left, panel[1]))
        if not _meets(cone, near, ways):
            return _painted([(y, x) for x, y in cone] if is_aside else cone)
    return []


def _target(box: Bounds, panel: Bounds, share: float) -> tuple[float, float]:
    """The part of the panel's edge that the cone ends at: around the box, within the edge."""
    long = (panel[2] - panel[0] - 2 * INSET) * share
    first, last = panel[0] + INSET, panel[2] - INSET - long
    start = (box[0] + box[2]) / 2 - long / 2
    start = min(max(start, first), last)
    return start, start + long


def _obstacles(items: Iterable[Item]) -> list[Bounds]:
    """The boxes of units and the texts."""
    found: list[Bounds] = []
    for item in items:
        if isinstance(item, Group):
            found.append(bounds_of(item.items))
        elif isinstance(item, Text):
            found.append(item.bounds())
    return found


def _meets(cone: Sequence[Point], obstacles: Sequence[Bounds], ways: Sequence[Point]) -> bool:
    if any(_overlaps(cone, box) for box in obstacles):
        return True
    return any(_inside(cone, point) for point in ways)


def _along(curve: Curve) -> list[Point]:
    """Points of a wire, near to each other."""
    points: list[Point] = []
    ends = [curve.points[0], *curve.points[3::3]]
    for (x, y), (u, v) in itertools.pairwise(ends):
        points += [(x + (u - x) * k / 24, y + (v - y) * k / 24) for k in range(25)]
    return points


def _overlaps(cone: Sequence[Point], box: Bounds) -> bool:
    """Whether a convex shape and a box share room."""
    left, top, right, bottom = box
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    if any(_inside(cone, corner) for corner in corners):
        return True
    sides = zip(cone, (*cone[1:], cone[0]), strict=True)
    return any(cuts(a, b, box) for a, b in sides)


def _inside(cone: Sequence[Point], point: Point) -> bool:
    """Whether a point lies within a shape whose corners run clockwise."""
    x, y = point
    for (ax, ay), (bx, by) in zip(cone, (*cone[1:], cone[0]), strict=True):
        if (bx - ax) * (y - ay) - (by - ay) * (x - ax) <= 0.01:
            return False
    return True


def _painted(cone: Sequence[Point]) -> list[Item]:
    upper_left, upper_right, right, left = cone
    return [
        Polygon(tuple(cone), "block.line", opacity=0.08),
        line([upper_left, left], "block.line", 1.0, "dashed"),
        line([upper_right, right], "block.line", 1.0, "dashed"),
    ]
