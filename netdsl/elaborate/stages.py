"""Chains and their stages: what flows in, what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netdsl.diagnostics import Span
from netdsl.elaborate.calls import Call, call_layer
from netdsl.elaborate.contracts import check_shape
from netdsl.elaborate.declare import declare, declare_label, label_text
from netdsl.elaborate.environment import (
    POISON,
    Binding,
    Broken,
    Environment,
    Family,
    Flow,
    MaybeFlow,
    Poison,
)
from netdsl.elaborate.evaluate import describe
from netdsl.elaborate.paths import Naming
from netdsl.elaborate.resolve import resolve_layer
from netdsl.elaborate.state import Place, State
from netdsl.ir.graph import Kind, Scope
from netdsl.syntax import ast

NOTHING = Flow(())
"""Enters a fork at the head of a chain where nothing flows: its branches name their values."""


def run_chain(state: State, chain: ast.Chain, place: Place) -> MaybeFlow:
    """What comes out of a chain; poison where something in it is wrong."""
    flow, stages = _source(state, chain, place)
    for stage in stages:
        flow = run_stage(state, stage, flow, place)
    return flow


def run_stage(state: State, stage: ast.Stage, flow: MaybeFlow, place: Place) -> MaybeFlow:
    """What comes out of one stage; its label names it."""
    result = _dispatch(state, stage, flow, place)
    if not isinstance(stage, ast.Claim) and stage.label is not None:
        declare_label(state, stage.label, result, place)
    return result


def _dispatch(state: State, stage: ast.Stage, flow: MaybeFlow, place: Place) -> MaybeFlow:
    match stage:
        case ast.LayerStage():
            return _layer(state, stage, flow, place)
        case ast.Group():
            return _group(state, stage, flow, place)
        case ast.Repeat():
            return _repeat(state, stage, flow, place)
        case ast.For():
            return _for(state, stage, flow, place)
        case ast.If():
            return _if(state, stage, flow, place)
        case ast.Claim():
            return _claim(state, stage, flow, place)


# --- sources -------------------------------------------------------------------------------


def _source(
    state: State, chain: ast.Chain, place: Place
) -> tuple[MaybeFlow, tuple[ast.Stage, ...]]:
    """The flow that enters the first stage, and the stages."""
    head, rest = chain.items[0], chain.items[1:]
    match head:
        case ast.ValueSource(expr):
            return _value(state, expr, place.environment), rest  # type: ignore[return-value]
        case ast.TupleSource(items):
            flows = [run_chain(state, item, place) for item in items]
            return joined(flows), rest  # type: ignore[return-value]
        case ast.ForSource():
            return _for_source(state, head, place), rest  # type: ignore[return-value]
        case ast.LayerStage(None, (name,), None, None):
            binding = place.environment.lookup(name.text)
            if binding is not None and isinstance(binding.value, Flow | Family | Poison):
                expr = ast.NameExpr(name.text, name.span)
                return _value(state, expr, place.environment), rest  # type: ignore[return-value]
        case _:
            pass
    incoming = place.environment.incoming
    if incoming is None and _has_own_sources(head):
        return NOTHING, chain.items  # type: ignore[return-value]
    if incoming is None:
        known_layer = True
        if isinstance(head, ast.LayerStage):
            callee = resolve_layer(head.callee, place.environment, state.sink)
            known_layer = not isinstance(callee, Poison)
        if known_layer:
            state.error(
                place,
                "no-source",
                "nothing flows into this chain",
                head.span,
                help="begin it with a value: `image -> for ...`; a value for each item is "
                "`(for ... { image -> ... })`"
                if isinstance(head, ast.For)
                else "begin it with a value: `image -> ...`",
            )
        return POISON, chain.items  # type: ignore[return-value]
    return incoming, chain.items  # type: ignore[return-value]


def _has_own_sources(head: object) -> bool:
    """Whether the lines in the braces of a stage can name where they begin."""
    forks = isinstance(head, ast.LayerStage) and head.branches is not None
    return forks or isinstance(head, ast.Group | ast.If)


def _value(state: State, expr: ast.Expr, environment: Environment) -> MaybeFlow:
    try:
        value = state.evaluator.evaluate(expr, environment)
    except Broken:
        return POISON
    if isinstance(value, Flow):
        return value
    state.sink.error(
        "not-a-value",
        f"a chain begins with a value, and this is {describe(value)}",
        expr.span,
    )
    return POISON


def _for_source(state: State, source: ast.ForSource, place: Place) -> MaybeFlow:
    scope = _scope(Kind.FOR, source.span, place)
    flows: list[MaybeFlow] = []
    for turn in _turns(state, source, place, place.environment.incoming):
        flows.append(_in_scope(state, Kind.TURN, source.body, turn, scope))
    return joined(flows) if flows else _nothing(state, source.span, place)


def _nothing(state: State, span: Span, place: Place) -> Poison:
    state.error(place, "no-source", "the list is empty, so nothing flows on from here", span)
    return POISON


def joined(flows: list[MaybeFlow]) -> MaybeFlow:
    """Several flows as one, in order; poison if one of them is."""
    if any(isinstance(f, Poison) for f in flows):
        return POISON
    return Flow(tuple(v for f in flows if isinstance(f, Flow) for v in f.values))


# --- layers and forks ----------------------------------------------------------------------


def _layer(state: State, stage: ast.LayerStage, flow: MaybeFlow, place: Place) -> MaybeFlow:
    callee = resolve_layer(stage.callee, place.environment, state.sink, stage.arguments or ())
    given = tuple((a, place.environment) for a in stage.arguments or ())
    label = label_text(state, stage.label, place)
    call = Call(given, label, stage.span)
    if stage.branches is None:
        return call_layer(state, callee, call, flow, place)
    scope = _scope(Kind.FORK, stage.span, place, flow)
    within = _inner(place, scope, flow, label, numbered=False)
    if flow is not NOTHING:
        within.environment.bindings["in"] = Binding(flow, stage.span)
    within.environment.bindings["in.channels"] = Binding(POISON, stage.span)
    flows = _branches(state, stage.branches, flow, within)
    # the stage itself stands outside of the body: `in` in its arguments is not the branches'
    outside = replace(within, environment=place.environment)
    result = call_layer(state, callee, replace(call, joins=bool(label)), joined(flows), outside)
    if label:
        within.naming.finish(state.sink)
    scope.outputs = result.values if isinstance(result, Flow) else ()
    return result


def _branches(state: State, body: ast.Body, flow: MaybeFlow, place: Place) -> list[MaybeFlow]:
    """The flow of each branch: a line each, an item of a `for` each, none for a false `if`."""
    flows: list[MaybeFlow] = []
    for statement in body.statements:
        if not isinstance(statement, ast.ChainStatement):
            state.run_statement(state, statement, place)
            continue
        match statement.chain.items:
            case (ast.For(label=None) as loop,):
                for turn in _turns(state, loop, place, flow):
                    flows.append(_branch(state, loop.body, turn, flow))
            case (ast.If(label=None) as choice,):
                arm = _chosen(state, choice, place)
                if isinstance(arm, Poison):
                    flows.append(arm)
                elif arm is not None:
                    flows.append(_branch(state, arm, place, flow))
            case _:
                line = ast.Body((statement,), statement.span)
                flows.append(_branch(state, line, place, flow))
    return flows


def _branch(state: State, body: ast.Body, place: Place, flow: MaybeFlow) -> MaybeFlow:
    return _in_scope(
        state,
        Kind.BRANCH,
        body,
        replace(place, environment=place.environment.child(None if flow is NOTHING else flow)),
        place.scope,
    )


# --- groups, loops, conditions, claims -----------------------------------------------------


def _group(state: State, stage: ast.Group, flow: MaybeFlow, place: Place) -> MaybeFlow:
    label = label_text(state, stage.label, place)
    scope = _scope(Kind.GROUP, stage.span, place, flow)
    within = _inner(place, scope, flow, label, numbered=True)
    return _finish(state, scope, within, label, state.run_body(state, stage.body, within))


def _repeat(state: State, stage: ast.Repeat, flow: MaybeFlow, place: Place) -> MaybeFlow:
    label = label_text(state, stage.label, place)
    try:
        count = state.evaluator.plain(stage.count, place.environment)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            state.evaluator.error(
                "bad-argument",
                f"`repeat` takes a whole number from 0 on, not {describe(count)}",
                stage.count.span,
            )
    except Broken:
        return POISON
    assert isinstance(count, int)
    state.expect_turns(count, stage.body, place.environment, stage.count.span)
    scope = _scope(Kind.REPEAT, stage.span, place, flow)
    within = _inner(place, scope, flow, label, numbered=True)
    for _ in range(count):
        state.turn(stage.count.span)
        turn = replace(within, environment=within.environment.child(flow))
        flow = _in_scope(state, Kind.TURN, stage.body, turn, scope)
        if isinstance(flow, Poison):
            break
    return _finish(state, scope, within, label, flow)


def _for(state: State, stage: ast.For, flow: MaybeFlow, place: Place) -> MaybeFlow:
    label = label_text(state, stage.label, place)
    scope = _scope(Kind.FOR, stage.span, place, flow)
    within = _inner(place, scope, flow, label, numbered=True)
    for turn in _turns(state, stage, within, flow):
        turn = replace(turn, environment=turn.environment.child(flow))
        flow = _in_scope(state, Kind.TURN, stage.body, turn, scope)
    return _finish(state, scope, within, label, flow)


def _turns(
    state: State, loop: ast.For | ast.ForSource, place: Place, incoming: MaybeFlow | None
) -> Iterator[Place]:
    """A place for each item of the list, with the names of the `for` bound."""
    iterable = loop.iterable
    try:
        items = state.evaluator.plain(iterable, place.environment)
    except Broken:
        items = []
    if isinstance(items, tuple):
        items = list(items)
    if not isinstance(items, list):
        state.error(
            place,
            "bad-argument",
            f"`for` goes over a list, not {describe(items)}",
            iterable.span,
            help="a range is a list: `for i in 0..4`",
        )
        items = []
    state.expect_turns(len(items), loop.body, place.environment, iterable.span)
    for item in items:
        state.turn(iterable.span)
        environment = place.environment.child(incoming)
        if not _bind_targets(state, loop.targets, item, environment, iterable, place):
            return
        yield replace(place, environment=environment)


def _bind_targets(
    state: State,
    targets: tuple[ast.Name, ...],
    item: object,
    environment: Environment,
    iterable: ast.Expr,
    place: Place,
) -> bool:
    parts = [item] if len(targets) == 1 else item
    if not isinstance(parts, list | tuple) or len(parts) != len(targets):
        state.error(
            place,
            "bad-argument",
            f"{len(targets)} names stand for {describe(item)}",
            iterable.span,
            help="each item of the list is a list of as many: `for (c, n) in [[64, 3], [128, 4]]`",
        )
        return False
    for target, part in zip(targets, parts, strict=True):
        declare(state, target, Binding(part, target.span), environment, number=True)
    return True


def _if(state: State, stage: ast.If, flow: MaybeFlow, place: Place) -> MaybeFlow:
    arm = _chosen(state, stage, place)
    label = label_text(state, stage.label, place)
    if isinstance(arm, Poison):
        return POISON
    if arm is None:
        return flow
    scope = _scope(Kind.IF, stage.span, place, flow)
    within = _inner(place, scope, flow, label, numbered=True)
    return _finish(state, scope, within, label, state.run_body(state, arm, within))


def _chosen(state: State, stage: ast.If, place: Place) -> ast.Body | Poison | None:
    """The arm taken; None where the condition is false and there is no else."""
    try:
        holds = state.evaluator.decided(stage.condition, place.environment)
    except Broken:
        return POISON
    return stage.then if holds else stage.otherwise


def _claim(state: State, stage: ast.Claim, flow: MaybeFlow, place: Place) -> MaybeFlow:
    if isinstance(flow, Poison):
        return POISON
    if len(flow.values) != 1:
        state.error(
            place,
            "wrong-inputs",
            f"a shape is claimed of one value, and {len(flow.values)} flow here",
            stage.span,
        )
        return POISON
    ok = check_shape(state, stage.shape, flow.values[0], place, "claimed")
    return flow if ok else POISON


# --- scopes --------------------------------------------------------------------------------


def _scope(kind: Kind, span: Span, place: Place, flow: MaybeFlow | None = None) -> Scope:
    scope = Scope(kind, span, place.scope)
    scope.inputs = flow.values if isinstance(flow, Flow) else ()
    place.scope.children.append(scope)
    return scope


def _inner(place: Place, scope: Scope, flow: MaybeFlow, label: str, *, numbered: bool) -> Place:
    """Inside a body: with a naming of its own where it has a label, else that of around it."""
    if label:
        place.naming.add(scope, label, "", scope.span)
    naming = Naming(numbered) if label else place.naming
    incoming = None if flow is NOTHING else flow
    return place.inside(place.environment.child(incoming, labels=bool(label)), scope, naming)


def _in_scope(state: State, kind: Kind, body: ast.Body, place: Place, parent: Scope) -> MaybeFlow:
    scope = Scope(kind, body.span, parent)
    incoming = place.environment.incoming
    scope.inputs = incoming.values if isinstance(incoming, Flow) else ()
    parent.children.append(scope)
    result = state.run_body(state, body, place.inside(place.environment, scope, place.naming))
    scope.outputs = result.values if isinstance(result, Flow) else ()
    return result


def _finish(state: State, scope: Scope, within: Place, label: str, result: MaybeFlow) -> MaybeFlow:
    if label:
        within.naming.finish(state.sink)
    scope.outputs = result.values if isinstance(result, Flow) else ()
    return result
