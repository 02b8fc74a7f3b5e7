"""Differences in words: the settings, the cost, how many layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from netdsl.analyses.cost import setting_text
from netdsl.backends.diagram.blocks.labels import rough, title_of, word
from netdsl.backends.diagram.counts import macs_of, parameters_of
from netdsl.backends.diagram.diff.compare import Match, NodePair
from netdsl.backends.diagram.shape_names import MINUS, TIMES, ShapeNames
from netdsl.backends.diagram.units import Unit
from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph, Node
from netdsl.ir.tensor import Shape
from netdsl.ops.base import op_of
from netdsl.ops.facts import Work

SIGNS = {"added": "+", "gone": MINUS, "changed": "~"}
CHANGES = ("same", "changed", "added", "gone")
MOST_LINES = 4


def change_of(pair: NodePair) -> str:
    """One of `CHANGES`, for a layer and its partner."""
    old, new = pair
    if old is None:
        return "added"
    if new is None:
        return "gone"
    is_same = repr(old.op) == repr(new.op) and _weights(old) == _weights(new)
    return "same" if is_same else "changed"


def counted(matches: Iterable[Match]) -> Counter[str]:
    """Layers of each of `CHANGES`; what only passes a value on is none."""
    return Counter(
        change_of(pair)
        for match in matches
        for pair in match.pairs()
        if any(node is not None and _does_something(node) for node in pair)
    )


def _does_something(node: Node) -> bool:
    return op_of(node).work is not Work.PASSES


def told(count: Counter[str]) -> str:
    """`2 layers added, 1 changed, 57 the same`."""
    words = {"added": "added", "gone": "taken away", "changed": "changed", "same": "the same"}
    parts = [f"{count[kind]:,} {words[kind]}" for kind in words if count[kind]]
    if not parts:
        return "no layers"
    first, _, rest = parts[0].partition(" ")
    layers = "layer" if first == "1" else "layers"
    return ", ".join([f"{first} {layers} {rest}", *parts[1:]])


def costs(old: Graph, new: Graph) -> list[str]:
    """Parameters and multiply-adds of inference, before and after."""
    lines: list[str] = []
    sides = [_inference(old), _inference(new)]
    for count, name in ((parameters_of, "parameters"), (macs_of, "multiply-adds")):
        before, after = map(count, sides)
        if isinstance(before, int) and isinstance(after, int):
            lines.append(f"{name} {_amounts(before, after)}")
        elif str(before) == str(after):
            lines.append(f"{name} as before")
        else:
            lines.append(f"{name}: a formula of the sizes; `--size` makes it a number")
    return lines


def _amounts(before: int, after: int) -> str:
    if before == after:
        return f"{rough(before)} as before"
    share = f", {_signed_share(before, after)}" if before else ""
    return f"{rough(before)} → {rough(after)} ({signed(after - before)}{share})"


def signed(number: int) -> str:
    """`+1.20 M`, `-300`."""
    return f"{'+' if number > 0 else MINUS}{rough(abs(number))}"


def _signed_share(before: int, after: int) -> str:
    share = 100 * (after - before) / before
    digits = 0 if abs(share) >= 100 else 1 if abs(share) >= 0.1 else 2
    return f"{'+' if share > 0 else MINUS}{abs(share):,.{digits}f} %"


def _inference(graph: Graph) -> list[Node]:
    return list(graph.inference_nodes())


def cost_line(match: Match, shown: frozenset[str]) -> str:
    """`+1.20 M params · -30 M MACs`; empty where nothing changes."""
    parts: list[str] = []
    for name, unit, count in (("params", "params", parameters_of), ("macs", "MACs", macs_of)):
        before, after = _all(match.old, count), _all(match.new, count)
        if name in shown and isinstance(before, int) and isinstance(after, int) and after != before:
            parts.append(f"{signed(after - before)} {unit}")
    return " · ".join(parts)


def _all(unit: Unit | None, count: Callable[[Sequence[Node]], Size]) -> Size:
    nodes: Sequence[Node] = () if unit is None else list(unit.covered())
    return count(nodes)


def settings(match: Match, names: ShapeNames) -> tuple[list[str], list[str]]:
    """What differs in two layers with what is folded behind them: at the head, and behind."""
    head: list[str] = []
    behind: list[str] = []
    for number, (old, new) in enumerate(match.first_pairs()):
        lines = head if number == 0 else behind
        if old is None or new is None:
            node, what = (new, "added") if old is None else (old, "taken away")
            if node is not None and _does_something(node):
                lines.append(f"{word(node)} {what}")
        elif type(old.op) is not type(new.op):
            lines.append(
                f"was {title_of(old, names)}" if number == 0 else f"{word(old)} → {word(new)}"
            )
        else:
            changes = _settings(old, new)
            lines += [f"{word(new)}: {text}" for text in changes] if number else changes
            if not number and not changes and _weights(old) != _weights(new):
                lines.append(_resized(old, new))
    return head[:MOST_LINES], behind[:MOST_LINES]


def _settings(old: Node, new: Node) -> list[str]:
    """`channels 64 → 128`."""
    changes: list[str] = []
    pairs = zip(op_of(old).settings(), op_of(new).settings(), strict=True)
    for (parameter, before), (_, after) in pairs:
        if repr(before) != repr(after):
            name = parameter.name.replace("_", " ")
            changes.append(f"{name} {setting_text(before)} → {setting_text(after)}")
    return changes


def _resized(old: Node, new: Node) -> str:
    """Why the weights of equal settings are of another shape."""
    before, after = (node.inputs[0].type for node in (old, new))
    if before.channels != after.channels:
        return f"reads {before.channels} → {after.channels} channels"
    return f"reads {before.shape[-1]} → {after.shape[-1]} numbers"


def _weights(node: Node) -> tuple[str, ...]:
    return tuple(str(spec.shape) for spec in node.layer.weights)


def shape_change(old: Shape, new: Shape, names: ShapeNames) -> str:
    """`64→128×56×56`: each axis before and after."""
    if len(old) != len(new):
        return f"{names.shape(old)} → {names.shape(new)}"
    axes = [(names.size(a), names.size(b)) for a, b in zip(old, new, strict=True)]
    return TIMES.join(b if a == b else f"{a}→{b}" for a, b in axes) or "1"
