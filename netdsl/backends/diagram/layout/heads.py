"""Heads that run in training only: each a dashed box below what it reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netdsl.backends.diagram.blocks.labels import Label, rough
from netdsl.backends.diagram.blocks.leaf import Leaf
from netdsl.backends.diagram.blocks.wiring import INPUT, Wire
from netdsl.backends.diagram.counts import parameters_of
from netdsl.backends.diagram.layout.line_sheet import LineSheet, small
from netdsl.backends.diagram.units import Unit


@dataclass(frozen=True, slots=True)
class Head:
    """A head as one box: the key of the box it reads, those of what it is made of."""

    source: str
    keys: tuple[str, ...]
    box: Leaf


def heads_of(sheet: LineSheet) -> list[Head]:
    """The heads that read one box; they and their wires are taken off the sheet."""
    late = sheet.items[sheet.first_late :]
    heads: list[Head] = []
    for keys in _groups(sheet, [key for item in late for key in sheet.keys_of([item])]):
        around = [w for w in sheet.wires if (w.head in keys) != (w.tail in keys)]
        sources = {wire.tail for wire in around}
        if len(sources) != 1 or sources & keys:
            continue
        ordered = tuple(key for key in sheet.boxes if key in keys)
        heads.append(Head(sources.pop(), ordered, _box(sheet, ordered)))
    taken = {key for head in heads for key in head.keys}
    sheet.first_late = min(sheet.first_late, len(sheet.items))
    sheet.items = [item for item in sheet.items if not taken.issuperset(sheet.keys_of([item]))]
    sheet.wires = [wire for wire in sheet.wires if wire.head not in taken]
    return heads


def hang(sheet: LineSheet) -> None:
    """Takes learned values that one box reads off the sequence, where all else is one chain."""
    readers: dict[str, list[Wire]] = {}
    for wire in sheet.wires:
        readers.setdefault(wire.tail, []).append(wire)
    fed = {wire.head for wire in sheet.wires} | {key for key in sheet.boxes if key[:2] == INPUT}
    free = {key: wires[0] for key, wires in readers.items() if key not in fed and len(wires) == 1}
    keys = [key for item in sheet.items for key in sheet.keys_of([item]) if key not in free]
    place = {key: number for number, key in enumerate(keys)}
    rest = [wire for wire in sheet.wires if wire.tail not in free]
    if any(place[wire.head] != place[wire.tail] + 1 for wire in rest):
        return
    hung = {wire.head: (key, wire) for key, wire in free.items()}
    if len(hung) < len(free):
        return
    sheet.hung = hung
    sheet.items = [item for item in sheet.items if sheet.keys_of([item])[0] not in free]
    sheet.first_late -= len(free)
    sheet.wires = rest


def _groups(sheet: LineSheet, keys: list[str]) -> list[set[str]]:
    """Boxes that wires join."""
    groups: list[set[str]] = []
    for key in keys:
        near = {w.tail for w in sheet.wires if w.head == key}
        near |= {w.head for w in sheet.wires if w.tail == key}
        joined = [group for group in groups if group & near]
        groups = [group for group in groups if not group & near]
        groups.append({key}.union(*joined))
    return groups


def _box(sheet: LineSheet, keys: tuple[str, ...]) -> Leaf:
    units = [unit for key in keys if isinstance(unit := sheet.wiring.leaves.get(key), Unit)]
    nodes = [node for unit in units for node in unit.nodes]
    learned = parameters_of(nodes)
    told = f"in training, {rough(learned)} params" if learned else "in training"
    name = units[0].path.rpartition(".")[2] if units else sheet.boxes[keys[0]].label.title
    box = small(units[0] if units else None, "block", Label(name, (told,)))
    facts = (("operations", str(len(nodes))), ("parameters", str(learned)))
    path = (("path", units[0].path),) if units else ()
    return replace(box, form="end", dash="dashed", data=(*path, *facts))
