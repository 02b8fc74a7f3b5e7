"""Bodies: statements in order, of which the last chain is the result."""

from __future__ import annotations

from netdsl.elaborate.bind import Bound
from netdsl.elaborate.calls import Call, add_node
from netdsl.elaborate.formulas import formula_of
from netdsl.elaborate.labels import declare, declare_label, label_text
from netdsl.elaborate.names import (
    POISON,
    Binding,
    Broken,
    Flow,
    MaybeFlow,
    Poison,
    SharedLayer,
)
from netdsl.elaborate.stages import run_chain
from netdsl.elaborate.state import Place, State
from netdsl.ir.dim import Size
from netdsl.ops.source import Weight
from netdsl.syntax import ast


def run_body(state: State, body: ast.Body, place: Place) -> MaybeFlow:
    """Run the statements; what comes out is the flow of the last chain."""
    state.enter(place, body.span)
    last = _last_chain(body)
    if last is None:
        state.error(
            place,
            "no-result",
            "this body has no result: its last chain is what comes out, and it has none",
            body.span,
            help="end it with the value: a line `x`, or `x -> ...`",
        )
        last = -1
    result: MaybeFlow = POISON
    for index, statement in enumerate(body.statements):
        if index == last:
            assert isinstance(statement, ast.ChainStatement)
            result = run_chain(state, statement.chain, place)
        else:
            run_statement(state, statement, place)
    return result


def _last_chain(body: ast.Body) -> int | None:
    chains = [i for i, s in enumerate(body.statements) if isinstance(s, ast.ChainStatement)]
    return chains[-1] if chains else None


def run_statement(state: State, statement: ast.Statement, place: Place) -> None:
    """Run one statement that is not the result of its body."""
    match statement:
        case ast.ChainStatement(chain):
            note_unused(state, run_chain(state, chain, place), statement)
        case ast.AssignStatement():
            _assign(state, statement, place)
        case ast.LetStatement():
            _let(state, statement, place)
        case ast.WeightStatement():
            _weight(state, statement, place)
        case ast.LayerStatement(name):
            shared = SharedLayer(statement, place.environment)
            declare(state, name, Binding(shared, name.span), place.environment)
        case ast.InputStatement(name, span=span) | ast.OutputStatement(name, span=span):
            place.environment.bindings.setdefault(name.text, Binding(POISON, name.span))
            state.error(
                place,
                "misplaced",
                "inputs and outputs stand in a net, outside of inner braces",
                span,
                help="a block's inputs are named after its parameters: `block Up(channels: int) "
                "(x, skip) { ... }`; its result is its last chain",
            )


def note_unused(state: State, flow: MaybeFlow, statement: ast.Statement) -> None:
    """Remember a result that something has to use by the end."""
    if isinstance(flow, Flow):
        state.unused.append((statement, flow))


def _assign(state: State, statement: ast.AssignStatement, place: Place) -> None:
    flow = run_chain(state, statement.chain, place)
    targets = statement.targets
    if not statement.is_tuple:
        _name_value(state, targets[0], flow, place)
        note_unused(state, flow, statement)
        return
    flows: list[MaybeFlow] = [POISON] * len(targets)
    if isinstance(flow, Flow) and len(flow.values) != len(targets):
        state.error(
            place,
            "wrong-inputs",
            f"{len(targets)} names stand for {len(flow.values)} values",
            statement.span,
        )
    elif isinstance(flow, Flow):
        flows = [Flow((value,)) for value in flow.values]
    for target, part in zip(targets, flows, strict=True):
        _name_value(state, target, part, place)
    note_unused(state, flow, statement)


def _name_value(state: State, name: ast.Name, flow: MaybeFlow, place: Place) -> None:
    if isinstance(flow, Flow) and len(flow.values) == 1:
        (value,) = flow.values
        value.name = value.name or name.text
        place.scope.home().names.setdefault(value, name.text)
    declare(state, name, Binding(flow, name.span), place.environment)


def _let(state: State, statement: ast.LetStatement, place: Place) -> None:
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
    declare(state, statement.name, binding, place.environment, number=True)


def _weight(state: State, statement: ast.WeightStatement, place: Place) -> None:
    """A learned value: a node without inputs, whose path is its key."""
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
        flow = _weight_node(state, statement, shape, fill, label, place)
    except Broken:
        pass
    note_unused(state, flow, statement)
    if len(statement.label.parts) == 1 and statement.label.parts[0].text.isidentifier():
        declare_label(state, statement.label, flow, place)


def _weight_node(
    state: State,
    statement: ast.WeightStatement,
    shape: list[Size],
    fill: float,
    label: str,
    place: Place,
) -> MaybeFlow:
    for item, size in zip(statement.shape.items, shape, strict=True):
        if not isinstance(size, int) or size < 1:
            state.evaluator.error(
                "bad-argument",
                f"a weight has a known size, at least 1, on every axis, and this is {size}",
                item.span,
            )
    state.count_nodes(1, statement.span)
    bound = Bound(spans={"shape": statement.shape.span})
    call = Call((), label, statement.span)
    return add_node(state, Weight(tuple(shape), fill), bound, call, (), place)  # type: ignore[arg-type]
