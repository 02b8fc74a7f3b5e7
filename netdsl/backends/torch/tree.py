"""Which part of a graph is a class, a `nn.Sequential`, or a plain member of a class."""

from __future__ import annotations

from netdsl.backends.torch.calls import sizes_in
from netdsl.backends.torch.holders import Holders
from netdsl.backends.torch.members import Member, ModuleKey, recipe_of
from netdsl.backends.torch.sizes import is_at_hand
from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph, Kind, Node, Scope, Value
from netdsl.ops.base import op_of
from netdsl.ops.recipe import TorchModule
from netdsl.ops.tables import needs_batch

SEQUENTIAL_ATTRIBUTES = frozenset(["append", "extend", "insert", "pop"])
"""What `nn.Sequential` has besides what every module has, so that no part of it is called so."""
MOST_NESTED = 4
"""How many `nn.Sequential` stand in each other at most; a class of its own begins beyond."""
LINEAR = (Kind.GROUP, Kind.REPEAT, Kind.FOR, Kind.IF, Kind.EACH, Kind.TURN)


def inputs_of(member: Member) -> tuple[Value, ...]:
    """What flows in, including values from outside that something in it names."""
    if isinstance(member, Node):
        return member.inputs
    if member.pattern is not None and member.pattern is not member:
        return _in_place_of(member, member.pattern)
    outside = list(member.inputs)
    seen = set(outside)
    inside = set(member.nodes())
    for node in member.nodes():
        for value in node.inputs:
            made_inside = value.producer is not None and value.producer in inside
            if not made_inside and value not in seen:
                seen.add(value)
                outside.append(value)
    used = {v for node in member.nodes() for v in node.inputs} | set(member.outputs)
    unused = [v for v in member.inputs if v not in used]
    if unused:
        used |= _read_for_sizes(member, unused, [v for v in outside if v in used])
    return tuple(v for v in outside if v in used)


def _read_for_sizes(scope: Scope, unused: list[Value], taken: list[Value]) -> set[Value]:
    """Which values flow into a scope for their sizes alone: those that no other value there has."""
    read: set[Value] = set()
    for part in scope.members():
        if isinstance(part, Scope):
            read.update(inputs_of(part))
            continue
        for size in sizes_in(recipe_of(part)):
            read |= _needed_for(size, unused, [*taken, *part.inputs])
    return read & set(unused)


def _needed_for(size: Size, unused: list[Value], at_hand: list[Value]) -> set[Value]:
    """As few of the unused values as give a size, beside those at hand."""
    needed = list(unused)
    for value in unused:
        others = [v for v in needed if v is not value]
        if is_at_hand(size, [*at_hand, *others]):
            needed = others
    return set(needed) if is_at_hand(size, [*at_hand, *needed]) else set()


def _in_place_of(call: Scope, pattern: Scope) -> tuple[Value, ...]:
    """What a call of a shared layer takes, in the order in which another one does."""
    meant: dict[Value, Value] = {}
    for there, here in zip(pattern.inputs, call.inputs, strict=True):
        meant.setdefault(there, here)
    return tuple(meant.get(value, value) for value in inputs_of(pattern))


def key_of(member: Member) -> ModuleKey:
    """What stands for the module of a member: all calls of a shared layer have one."""
    return member.layer if isinstance(member, Node) else member.first()


def outputs_of(member: Member, outline: Outline) -> tuple[Value, ...]:
    """What flows out, including values in it that something outside names."""
    if isinstance(member, Node):
        return member.outputs
    outputs = list(member.outputs)
    seen = set(outputs)
    inside = set(member.nodes())
    for node in member.nodes():
        for value in node.outputs:
            if value not in seen and outline.uses.leaves(value, inside):
                seen.add(value)
                outputs.append(value)
    return tuple(outputs)


class Outline:
    """A graph as modules: who takes each value, and which modules get parts from outside."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.uses, self.holders = graph, graph.uses, Holders(graph)
        self.nested: dict[Scope, int] = {}


def is_sequential(scope: Scope, outline: Outline) -> bool:
    """Whether a labelled scope is written as a `nn.Sequential`."""
    return 0 < _nested(scope, outline) <= MOST_NESTED


def _nested(scope: Scope, outline: Outline) -> int:
    """How many `nn.Sequential` would stand in each other, this one included; 0 if it is none."""
    depth = outline.nested.get(scope)
    if depth is None:
        depth = 0
        if _is_plain_chain(scope, outline):
            below = [_nested(part, outline) for part in scope.members() if isinstance(part, Scope)]
            depth = 1 + max((n for n in below if n <= MOST_NESTED), default=0)
        outline.nested[scope] = depth
    return depth


def _is_plain_chain(scope: Scope, outline: Outline) -> bool:
    """Whether a labelled scope is a chain of modules, each with one value in and out."""
    if scope.kind not in LINEAR or scope.shares is not None:
        return False
    if scope.path in outline.holders.extended:
        return False
    parts = list(scope.members())
    if not parts or len(scope.inputs) != 1 or len(scope.outputs) != 1:
        return False
    labels = [part.label for part in parts]
    if len(set(labels)) != len(labels) or any("." in label for label in labels):
        return False
    if not SEQUENTIAL_ATTRIBUTES.isdisjoint(labels):
        return False
    if any(part.path in outline.holders.containers for part in parts):
        return False
    flow = scope.inputs[0]
    for index, part in enumerate(parts):
        if not _is_step(part, flow, outline):
            return False
        flow = outputs_of(part, outline)[0]
        inside = nodes_of(parts[index + 1]) if index + 1 < len(parts) else set()
        if inside and outline.uses.leaves(flow, inside):
            return False
    return flow is scope.outputs[0]


def _is_step(part: Member, flow: Value, outline: Outline) -> bool:
    taken, results = inputs_of(part), outputs_of(part, outline)
    if len(taken) != 1 or taken[0] is not flow or len(results) != 1:
        return False
    if isinstance(part, Scope):
        return part.shares is None
    recipe = recipe_of(part)
    if needs_batch(op_of(part), tuple(value.type for value in part.inputs)):
        return False
    plain = isinstance(recipe, TorchModule) and recipe.inputs is None and recipe.item is None
    return plain and part.layer.calls[0] is part and len(part.layer.calls) == 1


def nodes_of(member: Member) -> set[Node]:
    return {member} if isinstance(member, Node) else set(member.nodes())
