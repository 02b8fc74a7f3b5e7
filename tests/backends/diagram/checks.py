"""What holds for any picture, whatever it shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

from netdsl.backends.diagram.draw import render
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import (
    Box,
    Curve,
    Ellipse,
    Group,
    Picture,
    Polygon,
    Text,
    bounds_of,
)
from tests.backends.diagram.test_blocks import overlapping
from tests.backends.diagram.test_neurons import along
from tests.backends.diagram.test_volumes import cuts


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
