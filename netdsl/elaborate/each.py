"""`each { ... }`: values taken apart along axis 0, and the results put together again."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.diagnostics import Span
from netdsl.elaborate.arguments import Bound
from netdsl.elaborate.calls import Call, add_node
from netdsl.elaborate.environment import MaybeFlow, Poison, joined
from netdsl.elaborate.state import Place, State
from netdsl.ir.graph import Value
from netdsl.ops.base import Op
from netdsl.ops.each import Apart, Together


def take_apart(state: State, flow: MaybeFlow, span: Span, place: Place) -> MaybeFlow:
    """The items of several values side by side, which must be equally many."""
    if isinstance(flow, Poison):
        return flow
    first = flow.values[0].type.shape[:1]
    return _each_through(
        state, Apart(*first or (1,)), [(value,) for value in flow.values], span, place
    )


def put_together(
    state: State, result: MaybeFlow, whole: Value, span: Span, place: Place
) -> MaybeFlow:
    """What the body gives for all items, along axis 0; `whole` is one of those taken apart."""
    if isinstance(result, Poison):
        return result
    pairs = [(value, whole) for value in result.values]
    return _each_through(state, Together(), pairs, span, place)


def _each_through(
    state: State, op: Op, inputs: Sequence[tuple[Value, ...]], span: Span, place: Place
) -> MaybeFlow:
    call = Call((), "", span, aside=op.keyword)
    state.count_nodes(len(inputs), span)
    return joined([add_node(state, op, Bound(), call, values, place) for values in inputs])
