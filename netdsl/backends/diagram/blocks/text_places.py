"""Texts of a row moved aside where a line or another text runs through them.

Graphviz knows nothing of the titles of frames, and lets one edge run through the shape that
stands on another. A text that is free stays where it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from itertools import pairwise

from netdsl.backends.diagram.scene import (
    Bounds,
    Box,
    Curve,
    Ellipse,
    Group,
    Item,
    Point,
    Polygon,
    Text,
    bounds_of,
    moved,
)

CELL = 48.0
PIECES = 10
"""Straight parts that a curve is taken for."""
MARGIN = 1.0
TEXT, LINE, BOX, FRAME = 10, 4, 20, 2
"""How bad it is to meet another text, a line, a box, the border of a frame."""
ALONG = (0.5, 0.35, 0.65, 0.2, 0.8, 0.1, 0.9)
STEPS = (0.0, 8.0, 16.0, 26.0, 40.0, 60.0, 90.0, 130.0, 180.0, 240.0)

Move = tuple[float, float]
Part = tuple[Point, Point]


def freed(items: Iterable[Item]) -> list[Item]:
    """The same items, texts that were struck through at the best place near."""
    placed = list(items)
    around = _Around(placed)
    before: Curve | None = None
    for number, item in enumerate(placed):
        if isinstance(item, Curve):
            before = item
        elif isinstance(item, Text) and before is not None:
            placed[number] = around.settled(item, _beside(item, before))
        elif isinstance(item, Group) and item.css == "open":
            placed[number] = _with_title(item, around)
        elif isinstance(item, Group) and item.css == "unit":
            placed[number] = _with_word(item, around)
    return placed


def _beside(text: Text, way: Curve) -> Iterator[Move]:
    """Near where it stands, then on both sides of its edge."""
    left, top, right, bottom = text.bounds()
    x, y = (left + right) / 2, (top + bottom) / 2
    yield from ((0, dy) for dy in (3.0, -3.0, 6.0, -6.0))
    line = _points(way)
    for away in (2.5, 9.0):
        high, wide = (bottom - top) / 2 + away, (right - left) / 2 + away
        sides = (0, -high), (0, high), (wide, 0), (-wide, 0), (wide, -high), (-wide, high)
        for share in ALONG:
            at = line[round(share * (len(line) - 1))]
            yield from ((at[0] + dx - x, at[1] + dy - y) for dx, dy in sides)


def _with_title(frame: Group, around: _Around) -> Group:
    """Its title at a free place along a border, in one line or in two."""
    box, mark, name, *rest = frame.items
    assert isinstance(name, Text)
    kind = [replace(t, x=name.x, y=name.y + 11) for t in rest if isinstance(t, Text) and t.text]
    own = [part for part in (name, *rest) if isinstance(part, Text)]
    title: list[Item] = [mark, name, *rest]
    price, move = around.best(title, _along(box, title), own)
    if price and kind:
        stacked = [mark, name, *kind]
        other, way = around.best(stacked, _along(box, stacked), own)
        title, move = (stacked, way) if other < price else (title, move)
    placed = [moved(item, *move) for item in title]
    around.replaced(own, [item for item in placed if isinstance(item, Text)])
    return replace(frame, items=(box, *placed))


def _along(box: Item, title: Sequence[Item]) -> list[Move]:
    """Along the upper border, else along the lower one."""
    _, _, right, bottom = bounds_of([box])
    own = bounds_of(title)
    room, low = max(right - own[2] - 6, 0.0), bottom - 4 - own[3]
    return [(dx, dy) for dy in (0.0, low) for dx in STEPS if dx <= room]


def _with_word(unit: Group, around: _Around) -> Group:
    """The word at a bar: a text that stands outside of its box."""
    boxes = [item for item in unit.items if not isinstance(item, Text)]
    if not boxes or not isinstance(unit.items[0], Text):
        return unit
    word, *rest = unit.items
    assert isinstance(word, Text)
    left, top, right, bottom = bounds_of(boxes)
    own = word.bounds()
    above, below = top - 3 - own[3], bottom + 3 - own[1]
    before, after = left - 4 - own[2], right + 4 - own[0]
    flush, back = left - own[0], right - own[2]
    moves = [(0, above), (0, below), (flush, below), (back, below), (flush, above), (back, above)]
    moves += [(before, dy) for dy in (0.0, above + 14, below - 14, (above + below) / 2)]
    moves += [(after, dy) for dy in (0.0, above + 14, below - 14, (above + below) / 2)]
    return replace(unit, items=(around.settled(word, moves), *rest))


class _Around:
    """What texts should not meet, found by where it is."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.lines: dict[tuple[int, int], list[tuple[Part, int]]] = defaultdict(list)
        self.boxes: dict[tuple[int, int], list[Bounds]] = defaultdict(list)
        self.texts: dict[tuple[int, int], list[Text]] = defaultdict(list)
        for item in items:
            if isinstance(item, Curve):
                self._line(_points(item), LINE)
            elif isinstance(item, Group) and item.css == "open":
                left, top, right, bottom = bounds_of(item.items[:1])
                corners = (left, top), (right, top), (right, bottom), (left, bottom), (left, top)
                self._line(corners, FRAME)
            elif isinstance(item, Group | Ellipse):
                shapes = item.items if isinstance(item, Group) else (item,)
                box = bounds_of([s for s in shapes if isinstance(s, Box | Polygon | Ellipse)])
                for cell in _cells(box):
                    self.boxes[cell].append(box)
            for text in _texts(item):
                self._put(text)

    def _line(self, points: Sequence[Point], price: int) -> None:
        for a, b in pairwise(points):
            for cell in _cells(
                (min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))
            ):
                self.lines[cell].append(((a, b), price))

    def _put(self, text: Text) -> None:
        for cell in _cells(text.bounds()):
            self.texts[cell].append(text)

    def settled(self, text: Text, moves: Iterable[Move]) -> Text:
        """The text at the first of the places that is free, else at the least bad."""
        dx, dy = self.best([text], moves, [text])[1]
        if not dx and not dy:
            return text
        placed = replace(text, x=text.x + dx, y=text.y + dy)
        self.replaced([text], [placed])
        return placed

    def best(
        self, parts: Sequence[Item], moves: Iterable[Move], own: Sequence[Text]
    ) -> tuple[int, Move]:
        """How to move parts together, and how bad it is there; `own` are not in the way."""
        boxes = [bounds_of([part]) for part in parts]
        mine = set(map(id, own))  # texts compare by value, and an equal one is in the way
        best, least = (0.0, 0.0), self._price(boxes, (0.0, 0.0), mine)
        for move in moves:
            if not least:
                break
            price = self._price(boxes, move, mine)
            if price < least:
                best, least = move, price
        return least, best

    def replaced(self, texts: Sequence[Text], others: Sequence[Text]) -> None:
        """Texts have gone, others have come."""
        for text in texts:
            for cell in _cells(text.bounds()):
                self.texts[cell] = [t for t in self.texts[cell] if t is not text]
        for text in others:
            self._put(text)

    def _price(self, boxes: Sequence[Bounds], move: Move, own: Set[int]) -> int:
        dx, dy = move
        return sum(self._met((a + dx, b + dy, c + dx, d + dy), own) for a, b, c, d in boxes)

    def _met(self, bounds: Bounds, own: Set[int]) -> int:
        left, top, right, bottom = bounds
        box = left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN
        price = 0
        for cell in _cells(box):
            price += sum(cost for (a, b), cost in self.lines.get(cell, ()) if cuts(a, b, bounds))
            price += BOX * sum(meet(box, other) for other in self.boxes.get(cell, ()))
            for text in self.texts.get(cell, ()):
                price += TEXT * (id(text) not in own and meet(box, text.bounds()))
        return price


def _texts(item: Item) -> list[Text]:
    if isinstance(item, Group):
        return [text for text in item.items if isinstance(text, Text)]
    return [item] if isinstance(item, Text) else []


def _cells(box: Bounds) -> Iterator[tuple[int, int]]:
    left, top, right, bottom = (int(side // CELL) for side in box)
    for x in range(left, right + 1):
        yield from ((x, y) for y in range(top, bottom + 1))


def _points(curve: Curve) -> list[Point]:
    """Points on a curve, near enough to each other that straight lines may join them."""
    start = curve.points[0]
    points = [start]
    for a, b, end in zip(curve.points[1::3], curve.points[2::3], curve.points[3::3], strict=True):
        steps = 1 if (a == start and b == end) else PIECES
        for k in range(1, steps + 1):
            t, u = k / steps, 1 - k / steps
            w = u**3, 3 * u * u * t, 3 * u * t * t, t**3
            x = w[0] * start[0] + w[1] * a[0] + w[2] * b[0] + w[3] * end[0]
            y = w[0] * start[1] + w[1] * a[1] + w[2] * b[1] + w[3] * end[1]
            points.append((x, y))
        start = end
    return points


def meet(one: Bounds, other: Bounds) -> bool:
    """Whether two boxes share room."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def cuts(a: Point, b: Point, box: Bounds) -> bool:
    """Whether the straight line between two points has a part inside a box."""
    first, last = 0.0, 1.0
    for axis in (0, 1):
        start, way = a[axis], b[axis] - a[axis]
        low, high = box[axis], box[axis + 2]
        if way == 0:
            if not low < start < high:
                return False
            continue
        near, far = sorted(((low - start) / way, (high - start) / way))
        first, last = max(first, near), min(last, far)
    return first < last
