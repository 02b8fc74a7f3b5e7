"""Statements that hold no others: names of values, `let`, `weight`."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.elaborate.arguments import Bound
from netdsl.elaborate.calls import Call, add_node
from netdsl.elaborate.declare import declare, declare_weight, label_text
from netdsl.elaborate.environment import (
    POISON,
    Binding,
    Broken,
    Flow,
    MaybeFlow,
    Poison,
    SharedLayer,
)
from netdsl.elaborate.formulas import formula_of
from netdsl.elaborate.state import Place, State
from netdsl.ops.base import op_of
from netdsl.ops.source import Weight
from netdsl.syntax import ast


def note_unused(state: State, flow: MaybeFlow, statement: ast.Statement) -> None:
    """Remember a result that something has to use by the end."""
    if isinstance(flow, Flow):
        state.unused.append((statement, flow))


def assign(state: State, statement: ast.AssignStatement, flow: MaybeFlow, place: Place) -> None:
    """Give what came out of a chain its name, or its names."""
    targets = statement.targets
    if not statement.is_tuple:
        _name_value(state, targets[0], flow, place)
        note_unused(state, flow, statement)
        return
    flows: list[MaybeFlow] = [POISON] * len(targets)
    if isinstance(flow, Flow) and len(flow.values) != len(targets):
        count = len(flow.values)
        state.error(
            place,
            "wrong-inputs",
            f"{len(targets)} names stand for {count} value{'s' * (count != 1)}",
            statement.span,
            help=_help_of_maker(flow),
        )
    elif isinstance(flow, Flow):
        flows = [Flow((value,)) for value in flow.values]
    for target, part in zip(targets, flows, strict=True):
        _name_value(state, target, part, place)
    note_unused(state, flow, statement)


def _help_of_maker(flow: Flow) -> str:
    """How the layer that gives these values gives others, if they come from one."""
    makers = {value.producer for value in flow.values}
    maker = makers.pop() if len(makers) == 1 else None
    return "" if maker is None else op_of(maker).wrong_names


def _name_value(state: State, name: ast.Name, flow: MaybeFlow, place: Place) -> None:
    if isinstance(flow, Flow) and len(flow.values) == 1:
        (value,) = flow.values
        state.graph.name_value(place.site, value, name.text)
    declare(state, "values", name, Binding(flow, name.span), place.environment)


def run_let(state: State, statement: ast.LetStatement, place: Place) -> None:
    """Name a number."""
    try:
        value = state.evaluator.plain(statement.value, place.environment)
    except Broken:
        value = POISON
    if isinstance(value, Flow | SharedLayer):
        state.error(
            place,
            "bad-expression",
            "`let` names a number",
            statement.value.span,
            help=f"to name a value leave `let` out: `{statement.name.text} = ...`",
        )
        value = POISON
    is_known = not isinstance(value, Poison)
    formula = formula_of(statement.value, place.environment) if is_known else None
    binding = Binding(value, statement.name.span, formula)
    declare(state, "numbers", statement.name, binding, place.environment)


def misplaced(
    state: State, statement: ast.InputStatement | ast.OutputStatement, place: Place
) -> None:
    """Report an input or output that stands in inner braces."""
    name = statement.name
    place.environment.values.setdefault(name.text, Binding(POISON, name.span))
    state.error(
        place,
        "misplaced",
        "inputs and outputs stand in a net, outside of inner braces",
        statement.span,
        help="a block's inputs are named after its parameters: `block Up(channels: int) "
        "(x, skip) { ... }`; its result is its last chain",
    )


def run_weight(state: State, statement: ast.WeightStatement, place: Place) -> None:
    """A parameter: a node without inputs, whose path is its key."""
    environment = place.environment
    label = label_text(state, statement.label, place)
    flow: MaybeFlow = POISON
    try:
        shape = [state.evaluator.size(item, environment) for item in statement.shape.items]
        fill = 0.0
        if statement.fill is not None:
            filled = state.evaluator.number(statement.fill, environment)
            if not isinstance(filled, int | float):
                state.evaluator.error("bad-argument", "the fill is a number", statement.fill.span)
            fill = float(filled)  # type: ignore[arg-type]
        call = Call((), label, statement.span)
        flow = weight_node(state, shape, statement.shape, fill, call, place)
    except Broken:
        pass
    note_unused(state, flow, statement)
    declare_weight(state, statement.label, flow, place)


def weight_node(
    state: State,
    shape: Sequence[object],
    written: ast.ListExpr,
    fill: float,
    call: Call,
    place: Place,
) -> MaybeFlow:
    """The node of a weight, whose shape stands at `written`."""
    for size, item in zip(shape, written.items, strict=True):
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            state.evaluator.error(
                "bad-argument",
                f"a weight has a known size, at least 1, on every axis, and this is {size}",
                item.span,
            )
    state.count_nodes(1, call.span)
    bound = Bound(spans={"shape": written.span})
    return add_node(state, Weight(tuple(shape), fill), bound, call, (), place)  # type: ignore[arg-type]
