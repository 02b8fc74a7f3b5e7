"""Runs a definition: bodies, chains, stages and calls, which lie in each other without end."""

from __future__ import annotations

from dataclasses import replace

from netdsl.diagnostics import Label, Span
from netdsl.elaborate.calls import (
    Call,
    bind_incoming,
    call_op,
    join_calls,
    may_call,
    say_of_caller,
)
from netdsl.elaborate.contracts import bind_input, bind_inputs, check_claim, check_results
from netdsl.elaborate.declare import declare, declare_label, label_text
from netdsl.elaborate.each import put_together, take_apart
from netdsl.elaborate.environment import (
    NOTHING,
    POISON,
    Binding,
    Broken,
    Environment,
    Flow,
    LayerValue,
    MaybeFlow,
    Poison,
    SharedLayer,
    joined,
    values_of,
)
from netdsl.elaborate.loops import repeat_count, turns
from netdsl.elaborate.program import Block
from netdsl.elaborate.resolve import Callee, resolve_layer
from netdsl.elaborate.sharing import Shared
from netdsl.elaborate.sources import bare_value, has_own_sources, misses_source, value_of
from netdsl.elaborate.state import Place, State
from netdsl.elaborate.statements import (
    assign,
    misplaced,
    note_unused,
    output_value,
    run_layer,
    run_let,
    run_weight,
)
from netdsl.ir.builder import Site
from netdsl.ir.formula import IN_CHANNELS
from netdsl.ir.graph import Kind
from netdsl.ir.paths import Naming
from netdsl.syntax import ast

# --- bodies --------------------------------------------------------------------------------


def run_body(state: State, body: ast.Body, place: Place) -> MaybeFlow:
    """Run the statements in order; what comes out is the flow of the last chain."""
    state.enter(place, body.span)
    chains = [s for s in body.statements if isinstance(s, ast.ChainStatement)]
    if not chains:
        state.error(
            place,
            "no-result",
            "this body has no result: its last chain is what comes out, and it has none",
            body.span,
            help="end it with the value: a line `x`, or `x -> ...`",
        )
    result: MaybeFlow = POISON
    for statement in body.statements:
        if chains and statement is chains[-1]:
            result = run_chain(state, chains[-1].chain, place)
        else:
            run_statement(state, statement, place)
    return result


def run_statement(state: State, statement: ast.Statement, place: Place) -> None:
    """Run one statement that is not the result of its body."""
    match statement:
        case ast.ChainStatement(chain):
            note_unused(state, run_chain(state, chain, place), statement)
        case ast.AssignStatement(chain=chain):
            assign(state, statement, run_chain(state, chain, place), place)
        case ast.LetStatement():
            run_let(state, statement, place)
        case ast.WeightStatement():
            run_weight(state, statement, place)
        case ast.LayerStatement():
            run_layer(state, statement, place)
        case ast.InputStatement() | ast.OutputStatement():
            misplaced(state, statement, place)


# --- chains --------------------------------------------------------------------------------


def run_chain(state: State, chain: ast.Chain, place: Place) -> MaybeFlow:
    """What comes out of a chain; poison where something in it is wrong."""
    stages, since = chain.stages, state.mark()
    named = None if chain.head else bare_value(stages[0], place.environment, state.sink)
    if chain.head is not None:
        flow = _source(state, chain.head, place)
        flow = state.drafted(flow, chain.head.span, None, place, since)
    elif named is not None:
        flow, stages = value_of(state, named, place.environment), stages[1:]
        flow = state.drafted(flow, named.span, None, place, since)
    else:
        flow = _incoming(state, stages[0], place)
    for stage in stages:
        flow = run_stage(state, stage, flow, place)
    return flow


def _source(state: State, head: ast.Head, place: Place) -> MaybeFlow:
    """What a chain begins with that says so."""
    match head:
        case ast.ValueSource(expr):
            return value_of(state, expr, place.environment)
        case ast.TupleSource(chains):
            return joined([run_chain(state, chain, place) for chain in chains])
        case ast.ForSource():
            return _for_source(state, head, place)


def _incoming(state: State, first: ast.Stage, place: Place) -> MaybeFlow:
    """What flows into a chain that begins with a stage."""
    incoming = place.environment.incoming
    if incoming is not None:
        return incoming
    if has_own_sources(first):
        return NOTHING
    misses_source(state, first, place)
    return POISON


def _for_source(state: State, source: ast.ForSource, place: Place) -> MaybeFlow:
    loop = replace(place, site=state.graph.scope(place.site, Kind.FOR, source.span))
    flows = [
        _unlabelled(state, Kind.TURN, source.body, turn)
        for turn in turns(state, source, loop, place.environment.incoming)
    ]
    if flows:
        return joined(flows)
    message = "the list is empty, so nothing flows on from here"
    state.error(place, "no-source", message, source.span)
    return POISON


# --- stages --------------------------------------------------------------------------------


def run_stage(state: State, stage: ast.Stage, flow: MaybeFlow, place: Place) -> MaybeFlow:
    """What comes out of one stage; its label names it."""
    since = state.mark()
    if isinstance(stage, ast.Claim):
        claimed = check_claim(state, stage, flow, place)
        return state.drafted(claimed, stage.span, flow, place, since)
    result = _run_labelled(state, stage, flow, place)
    if state.stumps is not None:
        label = label_text(state, stage.label, place)
        result = state.drafted(result, stage.span, flow, place, since, label)
    if stage.label is not None:
        declare_label(state, stage.label, result, place)
    return result


def _run_labelled(
    state: State,
    stage: ast.LayerStage | ast.Group | ast.Repeat | ast.For | ast.If | ast.Each,
    flow: MaybeFlow,
    place: Place,
) -> MaybeFlow:
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
        case ast.Each():
            return _each(state, stage, flow, place)


def _group(state: State, stage: ast.Group, flow: MaybeFlow, place: Place) -> MaybeFlow:
    label = label_text(state, stage.label, place)
    within = state.labelled(Kind.GROUP, stage.span, flow, label, place)
    return state.end(within, run_body(state, stage.body, within))


def _repeat(state: State, stage: ast.Repeat, flow: MaybeFlow, place: Place) -> MaybeFlow:
    label = label_text(state, stage.label, place)
    count = repeat_count(state, stage, place)
    if isinstance(count, Poison):
        return POISON
    within = state.labelled(Kind.REPEAT, stage.span, flow, label, place)
    for _ in range(count):
        state.turn(stage.count.span)
        turn = replace(within, environment=within.environment.child(flow))
        flow = _unlabelled(state, Kind.TURN, stage.body, turn)
        if isinstance(flow, Poison):
            break
    return state.end(within, flow)


def _for(state: State, stage: ast.For, flow: MaybeFlow, place: Place) -> MaybeFlow:
    label = label_text(state, stage.label, place)
    within = state.labelled(Kind.FOR, stage.span, flow, label, place)
    for turn in turns(state, stage, within, flow):
        turn = replace(turn, environment=turn.environment.child(flow))
        flow = _unlabelled(state, Kind.TURN, stage.body, turn)
    return state.end(within, flow)


def _if(state: State, stage: ast.If, flow: MaybeFlow, place: Place) -> MaybeFlow:
    arm = _chosen(state, stage, place)
    label = label_text(state, stage.label, place)
    if isinstance(arm, Poison):
        return POISON
    if arm is None:
        return flow
    within = state.labelled(Kind.IF, stage.span, flow, label, place)
    return state.end(within, run_body(state, arm, within))


def _chosen(state: State, stage: ast.If, place: Place) -> ast.Body | Poison | None:
    """The arm taken; None where the condition is false and there is no else."""
    try:
        holds = state.evaluator.decided(stage.condition, place.environment)
    except Broken:
        return POISON
    return stage.then if holds else stage.otherwise


def _each(state: State, stage: ast.Each, flow: MaybeFlow, place: Place) -> MaybeFlow:
    label = label_text(state, stage.label, place)
    items = take_apart(state, flow, stage.span, place)
    if isinstance(items, Poison) or isinstance(flow, Poison):
        return POISON
    site = state.graph.scope(
        place.site, Kind.EACH, stage.span, items.values, label=label, numbered=True
    )
    inner = place.environment.child(items, labels=True)
    inner.items, inner.adds_path = items.values[0].type.items, bool(label)
    bind_incoming(inner, items, stage.span, None)
    within = place.inside(inner, site)
    result = state.end(within, run_body(state, stage.body, within))
    return put_together(state, result, flow.values[0], stage.span, place)


def _unlabelled(state: State, kind: Kind, body: ast.Body, place: Place) -> MaybeFlow:
    """Run a body without a label in a scope of its own."""
    incoming = values_of(place.environment.incoming)
    site = state.graph.scope(place.site, kind, body.span, incoming)
    within = place.inside(place.environment, site)
    return state.end(within, run_body(state, body, within))


# --- layers and forks ----------------------------------------------------------------------


def _layer(state: State, stage: ast.LayerStage, flow: MaybeFlow, place: Place) -> MaybeFlow:
    written, since = stage.arguments or (), state.mark()
    callee = resolve_layer(stage.callee, place.environment, state.sink, written, stage.label)
    arguments = tuple((a, place.environment) for a in written)
    label = label_text(state, stage.label, place)
    call = Call(arguments, label, stage.span, is_inline=stage.is_inline)
    if stage.branches is None:
        return call_layer(state, callee, call, flow, place)
    within = state.labelled(Kind.FORK, stage.span, flow, label, place, numbered=False)
    if flow is not NOTHING:
        within.environment.values["in"] = Binding(flow, stage.span)
    within.environment.numbers["in.channels"] = Binding(POISON, stage.span)
    flows = _branches(state, stage.branches, flow, within)
    # the stage itself stands outside of the body: `in` in its arguments is not the branches'
    outside = replace(within, environment=place.environment)
    joint = joined(flows)
    result = call_layer(state, callee, replace(call, joins=bool(label)), joint, outside)
    return state.end(within, state.drafted(result, stage.span, joint, within, since))


def _branches(state: State, body: ast.Body, flow: MaybeFlow, place: Place) -> list[MaybeFlow]:
    """The flow of each branch: a line each, an item of a `for` each, none for a false `if`."""
    flows: list[MaybeFlow] = []
    for statement in body.statements:
        if not isinstance(statement, ast.ChainStatement):
            run_statement(state, statement, place)
            continue
        match statement.chain:
            case ast.Chain(None, (ast.For(label=None) as loop,)):
                for turn in turns(state, loop, place, flow):
                    flows.append(_branch(state, loop.body, turn, flow))
            case ast.Chain(None, (ast.If(label=None) as choice,)):
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
    inner = place.environment.child(None if flow is NOTHING else flow)
    branch = replace(place, environment=inner)
    return _unlabelled(state, Kind.BRANCH, body, branch)


# --- calls ---------------------------------------------------------------------------------


def call_layer(
    state: State, callee: Callee | Poison, call: Call, flow: MaybeFlow, place: Place
) -> MaybeFlow:
    """What comes out when `flow` enters the layer; poison where something is wrong."""
    while isinstance(callee, LayerValue):
        arguments = tuple((a, callee.environment) for a in callee.arguments)
        call = replace(call, arguments=arguments + call.arguments)
        callee = callee.target
    if call.is_inline and not isinstance(callee, Poison | Block):
        state.error(
            place,
            "bad-argument",
            "`inline` takes a block, whose stages it puts here",
            call.span,
            help="leave `inline` out",
        )
        return POISON
    match callee:
        case Poison():
            return POISON
        case SharedLayer():
            return _call_shared(state, callee, call, flow, place)
        case Block():
            return _call_block(state, callee, call, flow, place)
        case _:
            return call_op(state, callee, call, flow, place)


def _call_block(state: State, block: Block, call: Call, flow: MaybeFlow, place: Place) -> MaybeFlow:
    definition = block.definition
    incoming = None if block.is_net else flow
    inner = Environment(block.unit, None, incoming, labels=True, items=place.environment.items)
    if not block.is_net:
        bind_incoming(inner, flow, call.span, None if call.is_inline else IN_CHANNELS)
    bound = state.evaluator.bind_definition(
        block.name,
        definition.parameters,
        call.arguments,
        call.span,
        inner,
        definition.inputs or (),
    )
    if bound is None or bound.is_poison or isinstance(flow, Poison):
        return POISON
    state.expect_nodes(state.body_sizes.of_block(block), call.span)
    used_here = Label(call.span, f"in this use of `{block.name}`")
    within = replace(place.inside(inner, place.site), trail=(*place.trail[-3:], used_here))
    state.enter(within, call.span)
    conditions = bind_inputs(state, block, flow, within, call.span)
    if conditions is None:
        return POISON
    if call.is_inline:
        say_of_caller(inner, bound)
        site = state.graph.scope(place.site, Kind.GROUP, call.span, flow.values)
    else:
        site = state.graph.block(
            place.site,
            block.name,
            call.span,
            flow.values,
            label=call.label,
            doc=definition.doc,
            arguments=bound.arguments(),
            input_names=tuple(i.name.text for i in definition.inputs or () if i.name),
            is_named=not call.joins,
        )
    for condition, message in conditions:
        state.graph.need(condition, call.span, message, scope=site.scope)
    within = replace(within, site=site)
    if block.is_net:
        return state.end(within, _run_net(state, block, within, call.span))
    result, since = run_body(state, definition.body, within), state.mark()
    if isinstance(result, Flow) and not check_results(state, block, result, within):
        promised = (definition.results or (definition,))[0].span
        result = state.drafted(POISON, promised, result, within, since)
    return state.end(within, result)


def _run_net(state: State, block: Block, place: Place, call: Span) -> MaybeFlow:
    """The outputs of a net that is called; of those for training the weights stay."""
    state.enter(place, call)
    outputs: list[MaybeFlow] = []
    for statement in block.definition.body.statements:
        match statement:
            case ast.InputStatement():
                conditions = bind_input(state, block, statement, place, call)
                if conditions is None:
                    return POISON
                for condition, message in conditions:
                    state.graph.need(condition, call, message, scope=place.scope)
            case ast.OutputStatement():
                flow = run_chain(state, statement.chain, place)
                state.graph.used.update(values_of(flow))
                if not isinstance(flow, Poison) and not output_value(state, statement, flow, place):
                    flow = POISON
                binding = Binding(flow, statement.name.span)
                declare(state, "values", statement.name, binding, place.environment)
                outputs += () if statement.when_training else (flow,)
            case _:
                run_statement(state, statement, place)
    return joined(outputs) if len(outputs) != 1 else outputs[0]


def _call_shared(
    state: State, shared: SharedLayer, call: Call, flow: MaybeFlow, place: Place
) -> MaybeFlow:
    """The first call makes the layer; the others are built apart and must come out the same."""
    if not may_call(state, shared, call, place):
        return POISON
    stage = shared.statement.stage
    arguments = tuple((a, shared.environment) for a in stage.arguments or ())
    named = replace(place, environment=shared.environment)
    label = label_text(state, stage.label, named) or shared.statement.name.text
    shared_call = Call(arguments, label, call.span)
    if not shared.variants:
        before = len(place.scope.children)
        result = call_layer(state, shared.callee, shared_call, flow, place)
        if not isinstance(result, Poison):
            first = place.scope.children[before]
            shared.variants.append(Shared([first], first))
        return result
    again = replace(place, site=Site(place.scope, Naming(numbered=False)))
    result = call_layer(state, shared.callee, shared_call, flow, again)
    if isinstance(result, Poison):
        return result
    return result if join_calls(state, shared, call, label, place) else POISON
