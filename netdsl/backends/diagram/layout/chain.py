"""One line of boxes, each of which reads the one before, on bands for the sizes of maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from netdsl.backends.diagram.blocks.dot import Layout
from netdsl.backends.diagram.blocks.leaf import CARD, LINE, Leaf
from netdsl.backends.diagram.blocks.paint import box_group
from netdsl.backends.diagram.blocks.pens import pen_of
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.layout.heads import Head
from netdsl.backends.diagram.layout.line_sheet import GAP, LineSheet
from netdsl.backends.diagram.layout.stages import Stage, part_of
from netdsl.backends.diagram.layout.tokens import COLUMN, column_of, token_cells
from netdsl.backends.diagram.scene import Box, Group, Item, Point, Text, arrow_head, line

CAPTION = 10.0
PAD = 7.0
"""Between a band's border and its boxes."""
BETWEEN = 4.0
"""Between two bands."""
WIDEST_GAP = 44.0
RISE = 18.0
"""From a box up to the learned value above it."""
DROP = 16.0
"""From a band down to the heads below it."""


def band(
    left: float, right: float, top: float, bottom: float, caption: str, more: str
) -> Iterator[Item]:
    """The ground of a stage, with its size in its corner."""
    yield Box(left, top, right - left, bottom - top, "panel.fill", "panel.line", 1, 7)
    words = Text(left + PAD, top + CAPTION + 3, caption, CAPTION, "ink", True, "start")
    yield words
    if more:
        x = left + PAD + words.width + 6
        yield Text(x, top + CAPTION + 3, more, LINE, "soft", False, "start")


class Chain:
    """A line under construction; `stages` are those of the whole sequence, `line` is its part."""

    def __init__(
        self, sheet: LineSheet, keys: Sequence[str], line: range, stages: Sequence[Stage],
        heads: Sequence[Head], room: float,
    ) -> None:  # fmt: skip
        self.sheet, self.keys, self.heads = sheet, keys, heads
        for key in keys:
            sheet.boxes[key] = column_of(sheet.boxes[key], sheet.tokens)
        self.boxes = [sheet.boxes[key] for key in keys]
        parts = [(stage, [p for p in stage.places if p in line]) for stage in stages]
        self.stages = [
            (part_of(sheet, stage, places), [place - line.start for place in places])
            for stage, places in parts
            if places
        ]
        self.hung = {key: sheet.hung[key] for key in keys if key in sheet.hung}
        self.shapes = self._shapes()
        self.middles = self._middles(room)
        high = max(box.height for box in self.boxes)
        cards = max(box.cards for box in self.boxes) * CARD
        above = [
            sheet.boxes[key].height + RISE - (high - sheet.boxes[reader].height) / 2
            for reader, (key, _) in self.hung.items()
        ]
        self.top = CAPTION + 12 + max([cards, *above])
        self.y = self.top + high / 2
        has_word = any(sheet.boxes[key].form in ("strip", COLUMN) for key in self.hung)
        self.bottom = self.y + high / 2 + PAD + LINE * has_word

    def _shapes(self) -> list[str]:
        """What stands on the wire behind each box, in the stem."""
        by_tail = {wire.tail: wire for wire in reversed(self.sheet.wires_at(self.keys))}
        shapes: list[str] = []
        before = ""
        for key in self.keys[:-1]:
            shape = self.sheet.shown_shape(by_tail[key]) if key in self.sheet.shaped else ""
            shapes.append(shape if shape != before else "")
            before = shape
        return shapes

    def _middles(self, room: float) -> list[float]:
        """Where boxes stand: as far apart as their texts need, and further if there is room."""
        self.ends = {own[-1] for _, own in self.stages}
        gaps: list[float] = []
        for number, shape in enumerate(self.shapes):
            gap = max(GAP, text_width(shape, LINE) + 8 if shape else 0.0)
            beyond = PAD + BETWEEN if number in self.ends else 0.0
            gaps.append(max(gap + beyond if shape else gap, PAD + beyond if beyond else 0.0))
        tail = 0.0
        for stage, own in self.stages:
            wide = sum(self.boxes[n].width for n in own) + sum(gaps[n] for n in own[:-1])
            told = text_width(stage.caption, CAPTION, True) + PAD
            told += text_width(stage.more, LINE) + 6 if stage.more else 0.0
            missing = max(0.0, told - wide - PAD)
            if own[-1] < len(gaps):
                gaps[own[-1]] += missing
            else:
                tail = missing
        first = self._spread(gaps)
        used = 2 * PAD + first + sum(box.width for box in self.boxes) + sum(gaps) + tail
        slack = max(0.0, room - used) / max(len(gaps), 1)
        gaps = [gap + min(slack, max(0.0, WIDEST_GAP - gap)) for gap in gaps]
        self.tail = tail
        self.gaps = gaps
        middles: list[float] = []
        x = PAD + first
        for box, gap in zip(self.boxes, [*gaps, 0.0], strict=True):
            middles.append(x + box.width / 2)
            x += box.width + gap
        self.width = x + tail + PAD
        return middles

    def _spread(self, gaps: list[float]) -> float:
        """Makes gaps so wide that boxes above the line are apart; how far the line begins in."""
        x, right, first = 0.0, -PAD, 0.0
        for number, (key, box) in enumerate(zip(self.keys, self.boxes, strict=True)):
            middle = x + box.width / 2
            if key in self.hung:
                half = self.sheet.boxes[self.hung[key][0]].width / 2
                missing = max(0.0, right + PAD + half - middle)
                if number:
                    gaps[number - 1] += missing
                else:
                    first = missing
                x, middle = x + missing, middle + missing
                right = middle + half
            x += box.width + (gaps[number] if number < len(gaps) else 0.0)
        return first

    def painted(self) -> tuple[Layout, list[Item]]:
        """Its places, and what is painted."""
        items = [*self._bands(), *self._wires()]
        items += [
            self._box(key, box, x)
            for key, box, x in zip(self.keys, self.boxes, self.middles, strict=True)
        ]
        items += [*self._above(), *self._heads()]
        height = max(self.bottom, *(self.head_bottom for _ in self.heads), 0.0)
        ends: dict[str, Point] = {"enter0": (self._left(0), self.y)}
        ends["leave0"] = (self._right(-1), self.y)
        for number in range(1, len(self.sheet.ends) + 8):
            ends[f"enter{number}"], ends[f"leave{number}"] = ends["enter0"], ends["leave0"]
        return Layout(self.width, height, ends, {}, []), items

    def _box(self, key: str, box: Leaf, x: float) -> Item:
        """A box; the word at a bar stands below it where a learned value comes from above."""
        drawn = box_group(box, x, self.y, key)
        if box.form == COLUMN:
            word = Text(x, self.y + box.height / 2 + LINE, "tokens", LINE, "soft")
            return replace(drawn, items=(word, *token_cells(box, x, self.y)))
        word, *rest = drawn.items
        if key not in self.hung or box.form != "strip" or not isinstance(word, Text):
            return drawn
        below = replace(word, y=self.y + box.height / 2 + LINE)
        return replace(drawn, items=(below, *rest))

    def _left(self, number: int) -> float:
        return self.middles[number] - self.boxes[number].width / 2

    def _right(self, number: int) -> float:
        return self.middles[number] + self.boxes[number].width / 2

    def _bands(self) -> Iterator[Item]:
        left = 0.0
        for stage, own in self.stages:
            last = own[-1]
            right = self.width
            if last < len(self.keys) - 1:
                right = self._left(last + 1) - PAD - BETWEEN
            yield from band(left, right, 0, self.bottom, stage.caption, stage.more)
            left = right + BETWEEN

    def _wires(self) -> Iterator[Item]:
        wires = {(wire.tail, wire.head): wire for wire in self.sheet.wires_at(self.keys)}
        for number, shape in enumerate(self.shapes):
            wire = wires[self.keys[number], self.keys[number + 1]]
            pen = pen_of(wire, self.boxes[number + 1], wire.head in self.sheet.training)
            start, end = self._right(number), self._left(number + 1)
            yield line([(start, self.y), (end, self.y)], pen.colour, pen.width, pen.dash)
            yield arrow_head((end, self.y), (start, self.y), pen.colour)
            if shape:
                right = end - PAD - BETWEEN if number in self.ends else end - 4
                yield Text((start + right) / 2, self.y - 4, shape, LINE, "soft")

    def _above(self) -> Iterator[Item]:
        """Learned values, above what reads them."""
        for reader, (key, wire) in self.hung.items():
            at = self.keys.index(reader)
            box, head = self.sheet.boxes[key], self.boxes[at]
            x, foot = self.middles[at], self.y - head.height / 2
            pen = pen_of(wire, head, False)
            start = foot - RISE
            yield line([(x, start), (x, foot)], pen.colour, pen.width, pen.dash)
            yield arrow_head((x, foot), (x, start), pen.colour)
            yield box_group(box, x, start - box.height / 2, key)

    def _heads(self) -> Iterator[Item]:
        """Below what each of them reads, else as near as there is room."""
        self.head_bottom = self.bottom
        right = 0.0
        for head in sorted(self.heads, key=lambda head: self.keys.index(head.source)):
            at = self.keys.index(head.source)
            x = self.middles[at]
            half = head.box.width / 2
            middle = max(x, right + half + 10, half)
            middle = max(min(middle, self.width - half), right + half + 10)
            top = self.bottom + DROP
            right = middle + half
            foot = x if abs(x - middle) < half - 8 else middle - half + 10
            start = self.y + self.boxes[at].height / 2
            points = (
                [(x, start), (x, top)]
                if foot == x
                else [(x, start), (x, top - 7), (foot, top - 7), (foot, top)]
            )
            yield line(points, "wire", 1.2, "dashed")
            yield arrow_head((foot, top), (foot, top - 8), "wire")
            box = box_group(head.box, middle, top + head.box.height / 2, head.keys[0])
            yield Group(
                box.items, box.id, box.title, box.css, (*box.data, ("boxes", str(len(head.keys))))
            )
            self.head_bottom = max(self.head_bottom, top + head.box.height)
