"""Small boxes for overviews: a name, what it does, and how many channels come out."""

from __future__ import annotations

from dataclasses import replace

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.blocks.labels import Label, amount, channels_joined, layer_label
from netdsl.backends.diagram.blocks.leaf import Leaf, leaf_of, relative, sized, times
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.roles import role_of
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Value
from netdsl.ops.base import op_of

BAR_WIDTH, BAR_HEIGHT = 18.0, 58.0
"""Of a concat."""
MOST_LINES = 2


def cell_of(
    unit: Unit, usual_tail: tuple[str, ...] | None, names: ShapeNames, options: Options,
    axes: ChannelAxes, inside: str = "",
) -> Leaf:  # fmt: skip
    """The small box of a unit; `inside` is the path of the open block around it."""
    if unit.is_block:
        return _block(unit, names, options, axes, inside)
    if len(unit.layers) == 1 and (op_of(unit.node).shown_sign() or channels_joined(unit.node)):
        leaf = leaf_of(unit, usual_tail, names, options, axes, inside)
        return leaf if leaf.form == "circle" else replace(leaf, width=BAR_WIDTH, height=BAR_HEIGHT)
    label = layer_label(unit, usual_tail, names)
    if unit.count > 1:
        label = Label(f"{label.title} {TIMES} {unit.count}", label.lines)
    form = leaf_of(unit, usual_tail, names, options, axes, inside).form
    return sized(unit, role_of(op_of(unit.node)), Label(label.title, label.lines[:MOST_LINES]),
                 form=form)  # fmt: skip


def _block(
    unit: Unit, names: ShapeNames, options: Options, axes: ChannelAxes, inside: str
) -> Leaf:
    assert unit.scope is not None
    definition = unit.scope.definition
    name = relative(unit.path, inside) if "names" in options.show else definition
    title = f"{name} {TIMES} {unit.count}" if unit.count > 1 else name
    words = [definition] if definition != name else []
    if unit.outputs:
        words.append(channels(unit.outputs[0], names, axes))
    lines = [", ".join(filter(None, words))]
    if "params" in options.show:
        lines.append(times(unit.count, amount(unit.parameters, "params")))
    return sized(unit, "block", Label(title, tuple(filter(None, lines))), form="block")


def channels(value: Value, names: ShapeNames, axes: ChannelAxes) -> str:
    """How many channels a value has: `64 ch`."""
    place = axes.of(value) - len(value.type.items)
    shape = value.type.shape
    return f"{names.size(shape[place])} ch" if 0 <= place < len(shape) else ""
