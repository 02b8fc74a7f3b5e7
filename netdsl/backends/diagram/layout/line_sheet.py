"""The boxes of an overview: small ones, of two or three short lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.blocks.labels import Label, concat_parts, expected_tail, tail
from netdsl.backends.diagram.blocks.leaf import BAR, LINE, STAIR, STEP, Leaf, leaf_of
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.blocks.rows import Piece
from netdsl.backends.diagram.blocks.wiring import INPUT, OUTPUT, SIZE_ONLY, Wire
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.layout.staircase import staircases
from netdsl.backends.diagram.model.shape import Shape
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.shape_names import TIMES
from netdsl.backends.diagram.tails import told
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Graph, Value
from netdsl.ops.base import op_of
from netdsl.ops.tables import types_of

SMALL_TITLE = 10.0
WIDEST = 60.0
"""Points of a word that need not be broken."""
WIDEST_NAME = 88.0
"""Points of the name of a block; a longer one gives way to its class."""
STRIP_HEIGHT = 52.0
STAGE_GAP = 5.0
"""What the border between two stages takes beside that."""
GAP = 16.0
"""Between two boxes: an arrow."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^A-Za-z]+|[A-Z]")


class LineSheet(BlockSheet):
    """A network as small boxes, all blocks closed.

    Wires of which only the size is read are left out; `sizes_left_out` counts them. `dropped`
    is what all blocks of a class have before their short names, by class: `inception` for `3a`.
    """

    def __init__(
        self, graph: Graph, units: tuple[Unit, ...], options: Options, shape: Shape
    ) -> None:
        blocks = [unit for unit in units if unit.is_block]
        self.stairs = staircases(shape.features.chains, blocks, ChannelAxes(graph))
        self.tokens = frozenset(shape.features.tokens)
        """Nodes that join learned tokens to others."""
        self.short, self.dropped = short_names(units)
        super().__init__(graph, units, options)
        kept = [wire for wire in self.wires if wire.mark != SIZE_ONLY]
        self.sizes_left_out = len(self.wires) - len(kept)
        self.wires: Sequence[Wire] = kept
        self.is_terse = False
        self.shaped: set[str] = set()
        """Keys of the boxes behind which the shape stands on the wire."""
        self.stages: dict[int, int] = {}
        """By the place of an item: the number of its stage."""
        self.hung: dict[str, tuple[str, Wire]] = {}
        """By the key of a box: a learned value that stands above it, with its wire."""

    def _boxes(self) -> dict[str, Leaf]:
        boxes: dict[str, Leaf] = {}
        for number, item in enumerate(self.graph.inputs):
            boxes[f"{INPUT}{number}"] = self._end(item.name, item.value)
        for key, unit in self.wiring.leaves.items():
            boxes[key] = self._block(unit) if unit.is_block else self._layer(unit)
        for number, item in enumerate(self.outputs):
            boxes[f"{OUTPUT}{number}"] = self._end(item.name, item.value)
        return boxes

    def _end(self, name: str, value: Value) -> Leaf:
        is_map = bool(self.axes.spatial(value))
        told = self._channels(value) + " ch" * is_map
        return small(None, "io", Label(name, (told,)), form="end")

    def _block(self, unit: Unit) -> Leaf:
        if unit.scope is None:
            return self._pair(unit)
        name, kind = self.short[unit], unit.scope.definition
        times = f" {TIMES} {unit.count}" if unit.count > 1 else ""
        lines = (
            [] if kind.lower() in name.lower() or kind in self.dropped else broken(inside_of(unit))
        )
        title, *rest = broken(name) if name == kind else [name]
        lines = [*rest, *lines]
        title += times
        parts = tuple(concat_parts(unit))
        lines.append(self._channels(unit.outputs[0]) if unit.outputs else "")
        label = Label(title, tuple(filter(None, lines)))
        box = small(unit, "block", label, () if unit in self.stairs else parts, "block")
        return with_steps(box, self.stairs.get(unit, ()))

    def _pair(self, unit: Unit) -> Leaf:
        """Blocks in turn that differ in one setting."""
        kinds = [part.scope.definition for part in unit.parts if part.scope is not None]
        title, *rest = broken(kinds[0])
        told = f"{unit.count} pairs" if unit.count > 1 else "a pair"
        lines = (*rest, told, self._channels(unit.outputs[0]))
        return small(unit, "block", Label(title, lines), (), "block")

    def _layer(self, unit: Unit) -> Leaf:
        usual = leaf_of(unit, self.usual_tails, self.names, self.options, self.axes)
        if usual.form == "circle":
            return usual
        if usual.form == "strip":
            return replace(usual, height=STRIP_HEIGHT, width=18.0)
        op, types = op_of(unit.node), types_of(unit.node)
        if not unit.inputs:
            shape = self.names.shape(unit.outputs[0].type.shape)
            name = unit.path.rpartition(".")[2].replace("_", " ")
            return small(unit, usual.kind, Label(name, ("learned", shape)), form=usual.form)
        words = op.headline(types[0]).removeprefix(op.title).split()
        count = f" {TIMES} {unit.count}" if unit.count > 1 else ""
        title, lines = op.title, []
        if unit.node.layer.weights and words:
            title = f"{op.title} {' '.join(words)}"
            if text_width(title, SMALL_TITLE, True) > WIDEST + 4:
                title, lines = op.title, [" ".join(words)]
            lines.append(self._channels(unit.outputs[0]))
        elif unit.node.layer.weights and op.family != "norms":
            lines.append(self._channels(unit.outputs[0]))
        else:
            lines += [" ".join(words)] if words else list(op.told(*types)[:1])
        if text_width(title, SMALL_TITLE, True) > WIDEST + 8:
            first, _, rest = title.partition(" ")
            title, lines = first, [rest, *lines]
        lines.append(told(tail(unit), expected_tail(unit, self.usual_tails), " + "))
        shown = [line for line in lines if line and text_width(line, 9) <= WIDEST + 24]
        return small(unit, usual.kind, Label(title + count, tuple(shown)), form=usual.form)

    def _channels(self, value: Value) -> str:
        """The size of the axis of channels; the shape where that is all there is."""
        shape, place = value.type.shape, self.axes.of(value) - len(value.type.items)
        return self.names.size(shape[place]) if 0 <= place < len(shape) else ""

    def shown_shape(self, wire: Wire) -> str:
        """The shape of a tensor; within a line only in the stem, as bands tell it elsewhere."""
        if self.is_terse and wire.tail not in self.shaped:
            return ""
        return super().shown_shape(wire)

    def size_told(self, item: str | Unit) -> str:
        """The size of the maps that an item gives: `56 × 56`, `197 tokens`, `vectors`."""
        value = self.ends[item] if isinstance(item, str) else next(iter(item.outputs), None)
        return (value and self.told_size(value)) or "vectors"

    def pieces(self) -> list[Piece]:
        """About how much room each item takes, in order; behind a box of the stem a shape too."""
        pieces: list[Piece] = []
        told = 0.0
        for place, (piece, item) in enumerate(zip(self._pieces(), self.items, strict=True)):
            stage = str(self.stages.get(place, ""))
            width = piece.width + max(told, 0.0)
            width += STAGE_GAP if self.stages.get(place) != self.stages.get(place - 1) else 0.0
            pieces.append(replace(piece, width=width, resolution=stage, ends=False))
            key = self.keys_of([item])[0]
            shapes = [self.shown_shape(wire) for wire in self.wires_at([key]) if wire.tail == key]
            told = text_width(shapes[0], LINE) - GAP + 8 if shapes and key in self.shaped else 0.0
        return pieces

    def piece(self, item: str | Unit) -> Piece:
        piece = super().piece(item)
        boxes = [self.boxes[key] for key in self.keys_of([item])]
        return replace(piece, width=sum(box.width + GAP for box in boxes))


def inside_of(unit: Unit) -> str:
    """The class of a block; `6 Bottleneck` for a sequence of blocks of one class."""
    assert unit.scope is not None
    kinds = {part.scope.definition for part in unit.parts if part.is_block and part.scope}
    if len(kinds) == 1 and all(part.is_block for part in unit.parts):
        return f"{sum(part.count for part in unit.parts)} {TIMES} {kinds.pop()}"
    return unit.scope.definition


def short_names(units: Iterable[Unit]) -> tuple[dict[Unit, str], dict[str, str]]:
    """What blocks are called in their boxes, and what was dropped before it, by class.

    A name that is nothing but numbers gives way to the class.
    """
    blocks = [unit for unit in units if unit.is_block and unit.scope is not None]
    outer = _outer([unit.path for unit in blocks])
    names = {unit: _tail_name(unit.path) for unit in blocks}
    if len(set(names.values())) < len(names):
        names = {unit: unit.path for unit in blocks}
    names = {unit: name.removeprefix(outer) for unit, name in names.items()}
    dropped: dict[str, str] = {}
    by_kind: dict[str, list[Unit]] = {}
    for unit in blocks:
        assert unit.scope is not None
        by_kind.setdefault(unit.scope.definition, []).append(unit)
    for kind, alike in by_kind.items():
        start = _start([names[unit] for unit in alike])
        word = re.match(r"[A-Za-z_]*", start)
        lead = word[0] if word else ""
        is_told = any(re.search("[A-Za-z]", names[unit][len(lead) :]) for unit in alike)
        if len(alike) > 2 and lead.lower() == kind.lower() and is_told:
            dropped[kind] = lead
            names.update((unit, names[unit][len(lead) :]) for unit in alike)
    for unit in blocks:
        assert unit.scope is not None
        is_wide = text_width(names[unit], SMALL_TITLE, True) > WIDEST_NAME
        if is_wide or not re.search(r"[A-Za-z]", names[unit]):
            names[unit] = unit.scope.definition
    return names, dropped


def _start(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    first, last = min(texts, default=""), max(texts, default="")
    same = (n for n, letter in enumerate(first) if letter != last[n : n + 1])
    return first[: next(same, len(first))]


def _outer(paths: Sequence[str]) -> str:
    """What all paths begin with, up to a dot."""
    start, dot, _ = _start(paths).rpartition(".")
    return start + dot if len(paths) > 1 else ""


def _tail_name(path: str) -> str:
    """The end of a path, from the last part that has a letter: `layer1.0`."""
    parts = path.split(".")
    last = max((n for n, part in enumerate(parts) if re.search(r"[A-Za-z]", part)), default=0)
    return ".".join(parts[last:])


def broken(word: str) -> list[str]:
    """A long name in lines, broken where a word of it begins."""
    if text_width(word, SMALL_TITLE, True) <= WIDEST:
        return [word]
    lines: list[str] = []
    for part in _WORDS.findall(word):
        if lines and text_width(lines[-1] + part, SMALL_TITLE, True) <= WIDEST:
            lines[-1] += part
        else:
            lines.append(part)
    return lines


def with_steps(box: Leaf, steps: tuple[float, ...]) -> Leaf:
    """A box with bars in it, to scale with those of other boxes."""
    if not steps:
        return box
    width = max(box.width, round(STAIR * (len(steps) - 1) + 16))
    return replace(box, width=width, height=box.height + round(max(steps)) + 4, steps=steps)


def small(
    unit: Unit | None, kind: str, label: Label, parts: tuple[int, ...] = (), form: str = "box"
) -> Leaf:
    """A box as large as its short texts need."""
    label = Label(label.title, tuple(line for line in label.lines if line))
    widths = [text_width(label.title, SMALL_TITLE, True)]
    widths += [text_width(line, LINE) for line in label.lines]
    extra = {"block": 14.0, "shrink": 12.0, "grow": 12.0}.get(form, 12.0)
    height = 22.0 + STEP * len(label.lines) + (BAR + 4 if parts else 0)
    height += 4 if form == "block" else 0
    width = max(36.0, max(widths) + extra)
    return Leaf(unit, kind, label, round(width), round(height), parts, form, title_size=SMALL_TITLE)
