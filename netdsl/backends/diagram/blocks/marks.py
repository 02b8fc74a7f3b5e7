"""What wires are marked with: that only a size is read, or that they belong to a skip."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from netdsl.backends.diagram.blocks.labels import left_out
from netdsl.backends.diagram.blocks.leaf import Leaf
from netdsl.backends.diagram.blocks.wiring import SIZE_ONLY, SKIP, Wire
from netdsl.backends.diagram.counts import parameters_of
from netdsl.backends.diagram.flaws import shape_text
from netdsl.backends.diagram.model.skips import Edge
from netdsl.ir.graph import Node, Value

JOINT = "; "
"""Between the parts of a list, in what is told to programs."""


def marked(wires: Iterable[Wire], boxes: Mapping[str, Leaf], skips: Collection[Edge]) -> list[Wire]:
    """The wires; those that bear no mark yet get one, where there is something to tell."""
    return [w if w.mark else replace(w, mark=_mark(w, boxes[w.head], skips)) for w in wires]


def with_wires(boxes: Mapping[str, Leaf], wires: Iterable[Wire]) -> dict[str, Leaf]:
    """The boxes with what flows into them: for programs, and for the bar of a concat its skips."""
    into: dict[str, list[Wire]] = {}
    for wire in wires:
        into.setdefault(wire.head, []).append(wire)
    return {key: _with_wires(box, into.get(key, ()), boxes) for key, box in boxes.items()}


def _with_wires(box: Leaf, into: Sequence[Wire], boxes: Mapping[str, Leaf]) -> Leaf:
    marks = {mark: [w for w in into if w.mark == mark] for mark in (SKIP, SIZE_ONLY)}
    told = [("from", into), ("skip-from", marks[SKIP]), ("size-from", marks[SIZE_ONLY])]
    names = ((word, JOINT.join(_name(boxes[w.tail]) for w in some)) for word, some in told if some)
    skips = frozenset(wire.port for wire in marks[SKIP])
    return replace(box, data=(*facts(box), *box.data, *names), skips=skips)


def facts(box: Leaf) -> tuple[tuple[str, str], ...]:
    """What a box stands for, for programs: its operations, shapes and parameters."""
    unit = box.unit
    if unit is None:
        return (("name", box.label.title),)
    kind = unit.scope.definition if unit.scope is not None else ""
    ops = [] if unit.is_block else [node.op.name or node.op.keyword for node in unit.nodes]
    listed = [
        ("path", unit.path),
        ("kind", kind),
        ("ops", JOINT.join(ops)),
        ("count", str(unit.count) if unit.count > 1 else ""),
        ("operations", str(sum(1 for _ in unit.covered()))),
        ("parameters", str(sum(map(parameters_of, unit.copies)))),
        ("left-out", left_out(unit) if unit.is_block else ""),
        ("in", JOINT.join(shape_text(value) for value in unit.read())),
        ("out", JOINT.join(shape_text(value) for value in unit.outputs)),
    ]
    return tuple((word, text) for word, text in listed if text)


def _name(box: Leaf) -> str:
    return box.unit.path if box.unit is not None else box.label.title


def _mark(wire: Wire, box: Leaf, skips: Collection[Edge]) -> str:
    """`SIZE_ONLY` where no reader takes the data, as `upsample(size=skip)`; else maybe `SKIP`."""
    nodes = box.unit.nodes if box.unit is not None else ()
    readers = [node for node in nodes if any(v is wire.taken for v in node.inputs)]
    takers = [node for node in readers if _reads_numbers(node, wire.taken)]
    if readers and not takers:
        return SIZE_ONLY
    return SKIP if takers and all((wire.taken, node) in skips for node in takers) else ""


def _reads_numbers(node: Node, value: Value) -> bool:
    return any(v is value for _, v in node.data_inputs())
