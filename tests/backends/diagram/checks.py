"""What holds for any picture, whatever it shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import islice, pairwise

from netdsl.backends.diagram.draw import render
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import (
    Bounds,
    Box,
    Curve,
    Ellipse,
    Group,
    Picture,
    Point,
    Polygon,
    Text,
    bounds_of,
)


def overlapping(picture: Picture, *, beside: float = 0.5) -> list[tuple[str, str]]:
    """Pairs of texts whose letters meet, if they share more than so many points of width."""
    texts = sorted((text.bounds(), text.text) for text in picture.texts())
    found: list[tuple[str, str]] = []
    for place, (a, one) in enumerate(texts):
        for b, other in islice(texts, place + 1, None):
            if b[0] >= a[2] - beside:
                break  # so do all that follow, which start further to the right
            if a[0] < b[2] - beside and a[1] < b[3] - 0.5 and b[1] < a[3] - 0.5:
                found.append((one, other))
    return found


def along(curve: Curve) -> list[tuple[float, float]]:
    """Points of a path."""
    start, found = curve.points[0], []
    for a, b, end in zip(curve.points[1::3], curve.points[2::3], curve.points[3::3], strict=True):
        for k in range(25):
            t, u = k / 24, 1 - k / 24
            parts = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
            x, y = (
                sum(p * q[i] for p, q in zip(parts, (start, a, b, end), strict=True))
                for i in (0, 1)
            )
            found.append((x, y))
        start = end
    return found


def cuts(a: Point, b: Point, box: Bounds) -> bool:
    """Whether the line from a to b goes through a box (Liang and Barsky)."""
    if max(a[0], b[0]) < box[0] or min(a[0], b[0]) > box[2]:
        return False
    if max(a[1], b[1]) < box[1] or min(a[1], b[1]) > box[3]:
        return False
    low, high = 0.0, 1.0
    for start, end, least, most in zip(a, b, box[:2], box[2:], strict=True):
        way = end - start
        if way == 0:
            if not least < start < most:
                return False
            continue
        first, last = sorted(((least - start) / way, (most - start) / way))
        low, high = max(low, first), min(high, last)
    return low < high


def struck(picture: Picture) -> set[str]:
    """Texts that a line between boxes runs through."""
    texts = [(text.text, text.bounds()) for text in picture.texts()]
    found: set[str] = set()
    for curve in (item for item in picture.items if isinstance(item, Curve)):
        points = along(curve)
        left, right = min(x for x, _ in points), max(x for x, _ in points)
        top, bottom = min(y for _, y in points), max(y for _, y in points)
        for text, (a, b, c, d) in texts:
            if a < right and left < c and b < bottom and top < d:
                box = (a + 0.7, b + 0.7, c - 0.7, d - 0.7)
                if any(cuts(p, q, box) for p, q in pairwise(points)):
                    found.add(text)
    return found


def off_the_sheet(picture: Picture) -> list[str]:
    """Shapes that are not wholly on the sheet."""
    sheet = (-0.5, -0.5, picture.width + 0.5, picture.height + 0.5)
    return [repr(s) for s in picture.shapes() if not is_inside(bounds_of([s]), sheet)]


def out_of_their_box(picture: Picture) -> list[str]:
    """Texts of a box or frame that are wider than it; the word at a bar stands outside."""
    found: list[str] = []
    for group in picture.items:
        if not isinstance(group, Group) or group.css not in ("unit", "end", "open", "neuron"):
            continue
        left, _, right, _ = bounds_of(
            [i for i in group.items if isinstance(i, Box | Ellipse | Polygon)]
        )
        for text in (i for i in group.items if isinstance(i, Text) and i.text != "concat"):
            start, _, end, _ = text.bounds()
            if start < left - 0.5 or end > right + 0.5:
                found.append(text.text)
    return found


def is_inside(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    low, high = zip(one[:2], other[:2], strict=True), zip(one[2:], other[2:], strict=True)
    return all(a >= b for a, b in low) and all(a <= b for a, b in high)


def forks_without_ways(picture: Picture) -> list[Ellipse]:
    """Dots where a way divides, of which fewer than two lines start or end."""
    curves = [item for item in picture.items if isinstance(item, Curve)]
    ends = [p for curve in curves for p in (curve.points[0], curve.points[-1])]
    dots = [i for i in picture.items if isinstance(i, Ellipse) and i.rx == 3 and i.fill == "wire"]
    return [d for d in dots if sum(abs(x - d.x) + abs(y - d.y) < 8 for x, y in ends) < 2]


def check_picture(picture: Picture, options: Options, *, free_of_lines: bool) -> None:
    """Well-formed with ids that are unique; texts apart, in their boxes, on the sheet, readable."""
    root = ET.fromstring(render(picture, "svg", options))
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert overlapping(picture) == []
    assert off_the_sheet(picture) == []
    assert out_of_their_box(picture) == []
    assert forks_without_ways(picture) == []
    assert not free_of_lines or struck(picture) == set()
