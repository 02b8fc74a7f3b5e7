"""Lanes: the calls of the same layers side by side, and their weights between them, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netdsl.analyses.cost import count_parameters
from netdsl.backends.diagram.blocks.labels import Label, amount, rough
from netdsl.backends.diagram.blocks.leaf import sized
from netdsl.backends.diagram.blocks.pens import Pen
from netdsl.backends.diagram.blocks.wiring import OUTPUT, SIZE_ONLY, Wire
from netdsl.backends.diagram.layout.cells import CELL_PAD
from netdsl.backends.diagram.layout.small import SmallSheet
from netdsl.backends.diagram.layout.spots import Draft, Spot
from netdsl.ir.graph import Layer, Value

GAPS = (22.0, 17.0, 13.0, 10.0)
THREAD = Pen("focus", 1.2, "dotted")
WEIGHTS = 1
"""The row of the weights: below the first lane."""


def lanes_drafts(sheet: SmallSheet) -> Iterator[Draft]:
    """Ways to lay out a network that calls the same layers side by side, the best first."""
    lanes = _Lanes(sheet)
    for gap in GAPS:
        yield lanes.draft(gap)


class _Lanes:
    """The lane of each box that belongs to one call alone; the rest joins them."""

    def __init__(self, sheet: SmallSheet) -> None:
        self.sheet = sheet
        calls = sheet.shape.features.calls
        assert calls is not None
        self.layers: Sequence[Layer] = calls.layers
        own = {sheet.makers[node]: number for layer in self.layers
               for number, node in enumerate(layer.calls) if node in sheet.makers}  # fmt: skip
        self.lane = {key: number for key in sheet.order
                     if (number := self._lane(key, own)) is not None}  # fmt: skip
        self.count = max(own.values()) + 1

    def _lane(self, key: str, own: Mapping[str, int]) -> int | None:
        if key in own:
            return own[key]
        above = {own[k] for k in self.sheet.reach(key, self.sheet.before) if k in own}
        below = {own[k] for k in self.sheet.reach(key, self.sheet.behind) if k in own}
        lanes = above or below
        return lanes.pop() if len(lanes) == 1 else None

    def row(self, lane: int) -> int:
        """The row of a lane: the weights stand below the first."""
        return lane if lane < WEIGHTS else lane + 1

    def draft(self, gap: float) -> Draft:
        """The lanes below each other, what joins them at the right."""
        spots = self._in_lanes(gap)
        weights = self._weights(spots)
        spots |= self._joining(spots, gap)
        every = [*spots.values(), *(spot for spot, _ in weights)]
        threads = [(Wire(start, key, self._value(key), 0, SIZE_ONLY), THREAD)
                   for spot, keys in weights
                   for start, key in self._threads(spot, keys)]  # fmt: skip
        total = sum(count_parameters(layer) for layer in self.layers)
        captions = {WEIGHTS: ("same weights", f"{rough(total)}, once")}
        captions |= {self.row(n): (f"call {n + 1}", "") for n in range(self.count)}
        return Draft(every, [*self.sheet.pens(), *threads], captions)

    def _value(self, key: str) -> Value:
        return self.sheet.wiring.leaves[key].outputs[0]

    def _in_lanes(self, gap: float) -> dict[str, Spot]:
        """Equal places of all lanes below each other."""
        lanes = [[k for k in self.sheet.order if self.lane.get(k) == n] for n in range(self.count)]
        spots: dict[str, Spot] = {}
        left = 0.0
        for place in range(max(map(len, lanes))):
            keys = [(n, lane[place]) for n, lane in enumerate(lanes) if place < len(lane)]
            widest = max(self.sheet.boxes[key].width for _, key in keys)
            for n, key in keys:
                spots[key] = Spot(key, self.sheet.boxes[key], self.row(n), left + widest / 2)
            left += widest + gap
        return spots

    def _weights(self, spots: Mapping[str, Spot]) -> list[tuple[Spot, list[str]]]:
        """The weights of each box of the first lanes, and the boxes that use them, in order."""
        sheet = self.sheet
        users: dict[str, list[str]] = {}
        for layer in self.layers:
            keys = [sheet.makers[node] for node in layer.calls if node in sheet.makers]
            placed = sorted((key for key in keys if key in spots), key=lambda key: spots[key].row)
            if placed and abs(spots[placed[0]].row - WEIGHTS) == 1:
                users.setdefault(placed[0], []).extend(k for k in placed if k not in
                                                       users.get(placed[0], ()))  # fmt: skip
        weights: list[tuple[Spot, list[str]]] = []
        for number, (key, keys) in enumerate(users.items()):
            text = amount(sheet.wiring.leaves[key].parameters, "").strip()
            box = sized(None, "amber", Label(text), form="pill", pad=CELL_PAD)
            weights.append((Spot(f"weights{number}", box, WEIGHTS, spots[key].x), keys))
        return weights

    def _threads(self, spot: Spot, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
        """From the weights to the lanes beside them, and on from lane to lane."""
        for number, key in enumerate(keys):
            yield (keys[number - 1] if self.lane[key] > WEIGHTS else spot.key), key

    def _joining(self, spots: Mapping[str, Spot], gap: float) -> dict[str, Spot]:
        """What reads several lanes, right of them; two that do so first stand beside the lanes."""
        rest = [key for key in self.sheet.order if key not in spots]
        first = [k for k in rest if all(t in spots for t in self.sheet.before[k])]
        beside = dict(zip(first, (0, WEIGHTS + 1), strict=False)) if len(first) == 2 else {}
        joined: dict[str, Spot] = {}
        start = max(spot.right for spot in spots.values()) + 1.5 * gap
        right: dict[int, float] = {}
        for key in rest:
            box, row = self.sheet.boxes[key], beside.get(key, WEIGHTS)
            before = [joined[t] for t in self.sheet.before[key] if t in joined]
            if key.startswith(OUTPUT) and len(before) == 1 and row == WEIGHTS == before[0].row:
                row = self.row(self.count - 1)
                left = right.get(row, start)
                joined[key] = Spot(key, box, row, max(before[0].x, left + box.width / 2))
                continue
            ends = [s.right + gap for s in before if s.row == row]
            left = max([start, right.get(row, 0.0), *ends])
            joined[key] = Spot(key, box, row, left + box.width / 2)
            right[row] = joined[key].right + gap
        return joined
