"""The tooltip of a unit."""

from __future__ import annotations

from netdsl.analyses.cost import layer_text
from netdsl.backends.diagram.flaws import shape_text
from netdsl.backends.diagram.units import Unit
from netdsl.ops.base import op_of

LONGEST_LINE = 90


def tip(unit: Unit) -> str:
    """Path, what it is, shapes, cost, the source line, its comment; a line each."""
    lines = [_name(unit)]
    if not unit.is_block:
        for node in unit.nodes:
            lines.append(f"{node.path}: {layer_text(op_of(node))}")
    shapes_in = ", ".join(map(shape_text, unit.inputs)) or "nothing"
    shapes_out = ", ".join(map(shape_text, unit.outputs))
    lines.append(f"{shapes_in} → {shapes_out}")
    macs = unit.macs
    counted = f"{macs:,}" if isinstance(macs, int) else str(macs)
    each = " each" if unit.count > 1 else ""
    lines.append(f"{unit.parameters:,} parameters, {counted} multiply-adds{each}")
    number, written = source_line(unit)
    lines.append(f"line {number}: {written}")
    if unit.scope is not None and unit.scope.doc:
        lines.append(unit.scope.doc)
    return "\n".join(lines)


def source_line(unit: Unit) -> tuple[int, str]:
    """Where a unit is written, and what stands there."""
    span = unit.scope.span if unit.scope is not None else unit.node.span
    written = span.source.line(span.line)[span.column - 1 :].strip()
    return span.line, written if len(written) <= LONGEST_LINE else written[:LONGEST_LINE] + "..."


def _name(unit: Unit) -> str:
    name = unit.path
    if unit.scope is not None and unit.scope.definition:
        name += f": {unit.scope.definition}"
    return f"{name}, {unit.count} times" if unit.count > 1 else name
