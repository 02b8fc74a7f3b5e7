"""Small boxes for overviews: a name, what it does, and how many channels come out."""

from __future__ import annotations

from dataclasses import replace

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.blocks.labels import (
    Label,
    amount,
    channels_joined,
    expected_tail,
    tail_line,
)
from netdsl.backends.diagram.blocks.leaf import LINE, TITLE, Leaf, leaf_of, relative, sized, times
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.roles import role_of
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.backends.diagram.tails import Tails
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Value
from netdsl.ops.base import op_of
from netdsl.ops.tables import types_of

BAR_WIDTH, BAR_HEIGHT = 18.0, 58.0
"""Of a concat."""
MOST_LINES = 4
CELL_PAD = 8.0


def cell_of(
    unit: Unit, usual: Tails, names: ShapeNames, options: Options,
    axes: ChannelAxes, inside: str = "", is_terse: bool = False,
) -> Leaf:  # fmt: skip
    """The small box of a unit; `inside` is the path of the open block around it.

    A terse one has as few words as say what it is.
    """
    if unit.is_block:
        return _block(unit, names, options, axes, inside, is_terse)
    if len(unit.layers) == 1 and (op_of(unit.node).shown_sign() or channels_joined(unit.node)):
        leaf = leaf_of(unit, usual, names, options, axes, inside)
        return leaf if leaf.form == "circle" else replace(leaf, width=BAR_WIDTH, height=BAR_HEIGHT)
    op = op_of(unit.node)
    title = op.headline(types_of(unit.node)[0])
    if is_terse and op.family == "convolution":
        title = title.partition(" ")[2] or title
    elif is_terse and op.zoom < 0:
        title = (op.brief(*types_of(unit.node)) or title).replace(" pool", "")
    lines = (
        [channels(unit.outputs[0], names, axes)] if unit.outputs and not keeps(unit, axes) else []
    )
    lines.append(tail_line(unit, expected_tail(unit, usual)))
    if unit.count > 1:
        title = f"{title} {TIMES} {unit.count}"
    form = leaf_of(unit, usual, names, options, axes, inside).form
    return sized(unit, role_of(op), Label(title, tuple(filter(None, lines))), (), form, CELL_PAD)


def _block(
    unit: Unit, names: ShapeNames, options: Options, axes: ChannelAxes, inside: str, is_terse: bool
) -> Leaf:
    if unit.scope is None:
        return _run(unit, names, options, axes)
    definition = unit.scope.definition
    name = relative(unit.path, inside) if "names" in options.written else definition
    title = f"{name} {TIMES} {unit.count}" if unit.count > 1 else name
    lines = [definition] if definition != name and not is_terse else []
    facts = [channels(unit.outputs[0], names, axes)] if len(unit.outputs) == 1 else []
    if "params" in options.written:
        facts.append(times(unit.count, amount(unit.parameters, "").strip()))
    line = " · ".join(filter(None, facts))
    room = max([text_width(title, TITLE, True) + 14, *(text_width(t, LINE) for t in lines)])
    lines += [line] if text_width(line, LINE) <= room else facts
    return sized(unit, "block", Label(title, tuple(filter(None, lines))), (), "block", CELL_PAD)


def _run(unit: Unit, names: ShapeNames, options: Options, axes: ChannelAxes) -> Leaf:
    """Layers that follow one another: what each of them is."""
    words = [op_of(part.node).brief(*types_of(part.node)) for part in unit.parts]
    main = max(unit.parts, key=lambda part: part.parameters)
    op = op_of(main.node)
    title = op.headline(types_of(main.node)[0])
    if len({part.node.op.name for part in unit.parts}) == 1:
        title = f"{len(words)} {title.partition(' ')[0]}"
    else:
        words[unit.parts.index(main)] = channels(main.outputs[0], names, axes)
    lines = words if len(words) <= MOST_LINES else [*words[: MOST_LINES - 1], "..."]
    if "params" in options.written:
        lines.append(amount(unit.parameters, "").strip())
    return sized(unit, role_of(op), Label(title, tuple(filter(None, lines))), pad=CELL_PAD)


def keeps(unit: Unit, axes: ChannelAxes) -> bool:
    """Whether a layer gives as many channels as it takes, and has none of its own."""
    if unit.node.layer.weights or len(unit.inputs) != 1 or len(unit.outputs) != 1:
        return False
    one, other = unit.inputs[0], unit.outputs[0]
    sizes = [v.type.shape[axes.of(v) - len(v.type.items)] for v in (one, other) if v.type.shape]
    return len(sizes) == 2 and sizes[0] == sizes[1]


def channels(value: Value, names: ShapeNames, axes: ChannelAxes) -> str:
    """How many channels a map has, `64 ch`, or how many numbers a vector."""
    place = axes.of(value) - len(value.type.items)
    shape = value.type.shape
    if not 0 <= place < len(shape):
        return ""
    return f"{names.size(shape[place])} ch" if len(shape) > 1 else names.size(shape[place])
