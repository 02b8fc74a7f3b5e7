"""Two networks in one drawing: what the new one has more, what is gone, what has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.blocks.labels import Label
from netdsl.backends.diagram.blocks.leaf import Leaf, end_leaf, leaf_of, relative, sized
from netdsl.backends.diagram.blocks.marks import marked, with_wires
from netdsl.backends.diagram.blocks.picture import BlockSheet, training_units, usual_tails_of
from netdsl.backends.diagram.blocks.row_plan import cluster_title
from netdsl.backends.diagram.blocks.wiring import INPUT, OUTPUT, Wire, Wiring
from netdsl.backends.diagram.diff.compare import Comparison, Match
from netdsl.backends.diagram.diff.places import Opening, Place
from netdsl.backends.diagram.diff.words import (
    SIGNS,
    cost_line,
    costs,
    counted,
    settings,
    shape_change,
    told,
)
from netdsl.backends.diagram.model.skips import skip_edges
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Picture
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.backends.diagram.units import Unit, units_of
from netdsl.ir.graph import Graph, Input, Output, Value


def diff_picture(old: Graph, new: Graph, options: Options) -> Picture:
    """What changes from one network to another. Raises `DrawError`, `EngineError`."""
    compared = Comparison()
    fold = options.level == "blocks"
    matches = compared.of(units_of(old, fold=fold), units_of(new, fold=fold))
    opened = Opening(compared, options).of(matches)
    picture = DiffSheet(old, new, opened, options).picture()
    picture.notes.append(told(counted(matches)))
    return picture


class DiffSheet(BlockSheet):
    """The units of both networks, those that stand in both drawn once."""

    def __init__(self, old: Graph, new: Graph, places: Sequence[Place], options: Options) -> None:
        self.old, self.graph, self.options, self.places = old, new, options, places
        self.title = new.name if old.name == new.name else f"{old.name} → {new.name}"
        self.names = ShapeNames(dict.fromkeys((*new.symbols, *old.symbols)))
        self.axes = ChannelAxes(new, old)
        self.match: dict[Unit, Match] = {}
        self.before: dict[Value, Value] = {}
        self.units = tuple(self._merged(place) for place in places)
        self.usual_tails = usual_tails_of(self.units)
        self.ends: dict[str, Value] = {}
        self.boxes: dict[str, Leaf] = {}
        self._end_boxes(INPUT, old.inputs, new.inputs)
        self.keys = {}
        self._unit_boxes(places, "", "")
        self._end_boxes(OUTPUT, old.outputs, new.outputs)
        self._wire()
        self.items = self.sequence()

    def _merged(self, place: Place) -> Unit:
        """What is drawn at a place: the unit, opened where its parts are drawn."""
        match = place.match
        unit = match.unit
        if place.parts:
            unit = replace(unit, parts=tuple(map(self._merged, place.parts)), is_open=True)
        self.match[unit] = match
        if match.old is not None and match.new is not None:
            pairs = zip(match.new.outputs, match.old.outputs, strict=False)
            self.before.update((new, old) for new, old in pairs)
        return unit

    def _end_boxes(
        self, sort: str, old: Sequence[Input | Output], new: Sequence[Input | Output]
    ) -> None:
        """Boxes of inputs or outputs; those of one name are the same, and so is what is left."""
        word = "input" if sort == INPUT else "output"
        names = [item.name for item in new]
        strange = [item for item in old if item.name not in names]
        self.end_keys: dict[str, str] = getattr(self, "end_keys", {})
        by_name = {item.name: item for item in old}
        for number, item in enumerate(new):
            key = f"{sort}{number}"
            partner = by_name.get(item.name) or (strange.pop(0) if strange else None)
            self.ends[key] = item.value
            leaf = end_leaf(item.name, _end_line(word, item))
            if partner is None:
                leaf = _marked(leaf, "added")
            elif partner.name != item.name:
                leaf = _marked(end_leaf(item.name, f"was {partner.name}"), "changed")
            if partner is not None:
                self.end_keys[f"{sort}{_index(old, partner)}"] = key
                self.before[item.value] = partner.value
            self.boxes[key] = leaf
        for item in strange:
            key = f"{sort}-{_index(old, item)}"
            self.ends[key] = item.value
            self.end_keys[f"{sort}{_index(old, item)}"] = key
            self.boxes[key] = _marked(end_leaf(item.name, _end_line(word, item)), "gone")

    def _unit_boxes(self, places: Sequence[Place], old_inside: str, inside: str) -> None:
        for place in places:
            match = place.match
            if place.parts:
                was = match.old.path if match.old is not None else ""
                self._unit_boxes(place.parts, was, match.unit.path)
                continue
            key = f"u{len(self.keys)}"
            self.keys[match.unit] = key
            usual = leaf_of(
                match.unit, self.usual_tails, self.names, self.options, self.axes, inside
            )
            self.boxes[key] = self._box(match, usual, old_inside, inside)

    def _box(self, match: Match, leaf: Leaf, old_inside: str, inside: str) -> Leaf:
        """The box of a unit with what has changed in it."""
        assert leaf.unit is not None
        lines = list(leaf.label.lines)
        change = match.change
        if change == "changed" and leaf.form in ("strip", "circle"):
            return _marked(leaf, change)
        if change == "changed":
            lines = self._changes(match, lines)
        if match.old is not None and match.new is not None and "names" in self.options.written:
            was, now = relative(match.old.path, old_inside), relative(match.new.path, inside)
            if was != now and any(node.layer.weights for node in match.new.nodes):
                lines.append(f"was {was}")
        if change in ("added", "gone", "changed") and leaf.form not in ("strip", "circle"):
            cost = cost_line(match, self.options.written)
            counts = [line for line in lines if " params" in line or " MACs" in line]
            lines = [line for line in lines if line not in counts] + ([cost] if cost else [])
        return _marked(replace(leaf, label=Label(leaf.label.title, tuple(lines))), change)

    def _changes(self, match: Match, lines: list[str]) -> list[str]:
        assert match.old is not None
        assert match.new is not None
        changes: list[str] = []
        if match.old.count != match.new.count:
            changes.append(f"{TIMES} {match.old.count} → {TIMES} {match.new.count}")
        if match.unit.is_block:
            was, now = (u.scope.definition if u.scope else "" for u in (match.old, match.new))
            changes += [f"was {was}"] if was != now else []
            inside = counted([replace(match, old=_once(match.old), new=_once(match.new))])
            if inside.total() != inside["same"]:
                changes.append(told(inside))
            return [line for line in lines if line == now] + changes
        head, behind = settings(match, self.names)
        if head:  # what both networks have alike is not repeated
            path = match.unit.path
            lines = [line for line in lines[:1] if path == line or path.endswith(f".{line}")]
        return [*lines, *changes, *head, *behind]

    def _wire(self) -> None:
        """Wires of the new network, the added ones marked, and those that are gone."""
        sides: list[tuple[Wiring, dict[str, str]]] = []
        for graph, side in ((self.old, _old), (self.graph, _new)):
            units = [u for u in (place.unit(side) for place in self.places) if u is not None]
            wiring = Wiring.of(graph, units)
            keys = dict(self.end_keys) if graph is self.old else {}
            leaves = [leaf for place in self.places for leaf in place.leaves()]
            drawn = {side(leaf.match): self.keys[leaf.match.unit] for leaf in leaves}
            keys.update((key, drawn[unit]) for key, unit in wiring.leaves.items())
            sides.append((wiring, keys))
        (old, old_keys), (new, new_keys) = sides
        before = Counter(_ends(wire, old_keys) for wire in old.wires)
        after = Counter(_ends(wire, new_keys) for wire in new.wires)
        wires = [*_marked_wires(new, new_keys, before, "added")]
        wires += _marked_wires(old, old_keys, after, "gone")
        self.wires = marked(wires, self.boxes, skip_edges(self.old) | skip_edges(self.graph))
        self.boxes = with_wires(self.boxes, self.wires)
        training = {new_keys.get(k, k) for k in training_units(self.graph, new)}
        gone = {old_keys.get(k, k) for k in training_units(self.old, old)}
        self.training = training | (gone - set(new_keys.values()))

    def frame_name(self, unit: Unit) -> str:
        sort = "gone" if self.match[unit].new is None else "unit"
        return f"{sort}-{unit.path}"

    def frame_title(self, unit: Unit, inside: str) -> str:
        match = self.match[unit]
        text = cluster_title(unit, inside)
        if match.old is None or match.new is None:
            return f"   {SIGNS[match.change]} {text.strip()}"
        was, now = (u.scope.definition if u.scope else "" for u in (match.old, match.new))
        text += f", was {was}" if was != now else ""
        if match.old.count != match.new.count:
            text += f", {TIMES} {match.old.count} → {TIMES} {match.new.count}"
        return text

    def shown_shape(self, wire: Wire) -> str:
        if "shapes" not in self.options.written:
            return ""
        shape = wire.value.type.shape
        if wire.mark == "gone":
            is_told = any(value is wire.value for value in self.before.values())
            return "" if is_told else self.names.shape(shape)
        before = self.before.get(wire.value)
        return shape_change(shape if before is None else before.type.shape, shape, self.names)

    def lines(self, room: float | None = None) -> list[str]:
        old, new = _file(self.old), _file(self.graph)
        what = f"what changes from {old} to {new}" if old != new else "what changes"
        parts = [told(counted(place.match for place in self.places)), *costs(self.old, self.graph)]
        return [what, *self.fitted(parts, room)]


def _old(match: Match) -> Unit | None:
    return match.old


def _new(match: Match) -> Unit | None:
    return match.new


def _once(unit: Unit) -> Unit:
    """The unit without its copies."""
    return replace(unit, copies=unit.copies[:1])


def _index(items: Sequence[Input | Output], wanted: Input | Output) -> int:
    return next(n for n, item in enumerate(items) if item is wanted)


def _end_line(word: str, item: Input | Output) -> str:
    return f"{word}, in training" if isinstance(item, Output) and item.when_training else word


def _file(graph: Graph) -> str:
    """The name of the file, without its folder."""
    return PurePath(graph.root.span.source.name).name


def _ends(wire: Wire, keys: dict[str, str]) -> tuple[str, str]:
    return keys.get(wire.tail, wire.tail), keys.get(wire.head, wire.head)


def _marked_wires(
    wiring: Wiring, keys: dict[str, str], others: Counter[tuple[str, str]], mark: str
) -> list[Wire]:
    """The wires of one side by the keys of the drawing; those that the other lacks are marked.

    Of those that are gone, only these are given.
    """
    left = others.copy()
    wires: list[Wire] = []
    for wire in wiring.wires:
        tail, head = _ends(wire, keys)
        is_shared = left[tail, head] > 0
        left[tail, head] -= 1
        if is_shared and mark == "gone":
            continue
        port = -1 if mark == "gone" else wire.port
        word = "" if is_shared else mark
        wires.append(replace(wire, tail=tail, head=head, port=port, mark=word))
    return wires


def _marked(leaf: Leaf, change: str) -> Leaf:
    """The box in the colour of its change, with its sign."""
    dash = "dashed" if change == "gone" else ""
    if leaf.form in ("strip", "circle"):
        return replace(leaf, kind=change, dash=dash)
    sign = f"{SIGNS[change]} " if change in SIGNS else ""
    label = Label(sign + leaf.label.title, leaf.label.lines)
    box = sized(leaf.unit, change, label, leaf.parts, leaf.form)
    return replace(box, dash=dash)
