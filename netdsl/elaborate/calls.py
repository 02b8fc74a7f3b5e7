"""Calls of layers: a node for an op, a scope for a block, one set of weights for a shared layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netdsl.diagnostics import Label, Span
from netdsl.elaborate.bind import Bound, Given
from netdsl.elaborate.contracts import bind_inputs, check_results
from netdsl.elaborate.layers import Callee, resolve_layer
from netdsl.elaborate.names import (
    POISON,
    Binding,
    Environment,
    Flow,
    LayerValue,
    MaybeFlow,
    Poison,
    SharedLayer,
)
from netdsl.elaborate.naming import Naming
from netdsl.elaborate.program import Block
from netdsl.elaborate.sharing import Shared, has_weights
from netdsl.elaborate.state import Place, State
from netdsl.ir.formula import IN_CHANNELS
from netdsl.ir.graph import Kind, Layer, Node, Scope, Value, WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops.answers import check_answers
from netdsl.ops.base import Op, Refusal, Rules, parameters
from netdsl.ops.plugins import check_types

MAX_SIZE = 2**40


@dataclass(frozen=True, slots=True)
class Call:
    """A stage that calls a layer: its arguments, its label, the place of its name.

    `joins` is True for the stage that ends a labelled fork: it is named with the fork.
    """

    arguments: tuple[Given, ...]
    label: str
    span: Span
    joins: bool = False


def call_layer(
    state: State, callee: Callee | Poison, call: Call, flow: MaybeFlow, place: Place
) -> MaybeFlow:
    """What comes out when `flow` enters the layer; poison where something is wrong."""
    while isinstance(callee, LayerValue):
        given = tuple((a, callee.environment) for a in callee.arguments)
        call = replace(call, arguments=given + call.arguments)
        callee = callee.target
    if isinstance(callee, Poison):
        return POISON
    if isinstance(callee, SharedLayer):
        return _call_shared(state, callee, call, flow, place)
    if isinstance(callee, Block):
        return _call_block(state, callee, call, flow, place)
    return _call_op(state, callee, call, flow, place)


# --- ops -----------------------------------------------------------------------------------


def _call_op(state: State, op: type[Op], call: Call, flow: MaybeFlow, place: Place) -> MaybeFlow:
    inputs = flow.values if isinstance(flow, Flow) else ()
    bound = state.binder.bind_op(op, call.arguments, call.span, len(inputs))
    if bound is None or bound.is_poison or isinstance(flow, Poison):
        return POISON
    if not _fits(state, op, call, flow, place):
        return POISON
    state.count_nodes(1, call.span)
    return add_node(state, op(**bound.values), bound, call, inputs, place)


def add_node(
    state: State,
    op: Op,
    bound: Bound,
    call: Call,
    inputs: tuple[Value, ...],
    place: Place,
) -> MaybeFlow:
    """The node of an op, with its results' shapes by the op's own rule."""
    inputs += tuple(bound.references)
    tensors = tuple(value.type for value in inputs)
    rules = Rules()
    try:
        results = op.infer(tensors, rules)
        check_types(op, results)
        weights = op.weights(tensors)
        check_answers(op, tensors, results, weights)
        check_precision(op, tensors, weights, rules)
        check_sizes(results, rules)
    except Refusal as refusal:
        state.refused(place, op, refusal, bound.spans.get(refusal.at, call.span), inputs)
        return POISON
    layer = Layer(op, weights, bound.arguments())
    node = Node(layer, inputs, (), place.scope, call.span)
    layer.calls.append(node)
    node.outputs = tuple(
        Value(tensor, call.span, "", node, index) for index, tensor in enumerate(results)
    )
    place.scope.children.append(node)
    if not call.joins:
        place.naming.add(node, call.label, op.name, call.span)
    state.use(*inputs)
    for needed in rules.needed:
        state.need(
            needed.condition,
            bound.spans.get(needed.at, call.span),
            needed.message,
            code=needed.code,
            node=node,
            training_only=needed.training_only,
            unless_batch=needed.unless_batch,
            help=needed.help,
        )
    return Flow(node.outputs)


def check_precision(
    op: Op, inputs: tuple[Tensor, ...], weights: tuple[WeightSpec, ...], rules: Rules
) -> None:
    """Refuses floats of another precision than that of the weights, as PyTorch does."""
    if not any(spec.dtype == "float32" for spec in weights):
        return
    for tensor in inputs:
        if tensor.is_float and tensor.dtype != "float32":
            rules.refuse(
                "in",
                f"the weights of `{op.name}` are float32, and {tensor} comes in",
                code="wrong-dtype",
                help="make the input float32; a module is turned to another precision as a whole: "
                "`module.half()`, `netdsl export --fp16`",
            )


def check_sizes(results: tuple[Tensor, ...], rules: Rules) -> None:
    """Refuses results that no machine holds."""
    for tensor in results:
        if any(isinstance(size, int) and size > MAX_SIZE for size in tensor.shape):
            rules.refuse("in", f"a value of shape {tensor} is beyond any memory", code="too-large")


def _fits(state: State, op: type[Op], call: Call, flow: Flow, place: Place) -> bool:
    """Whether as many values come in as the op takes, and of the sort it takes."""
    least, most = op.arity
    count = len(flow.values)
    if count < least or (most is not None and count > most):
        takes = (
            f"{least}"
            if least == most
            else f"{least} or more"
            if most is None
            else f"{least} to {most}"
        )
        state.error(
            place,
            "wrong-inputs",
            f"`{op.name}` takes {takes} value{'' if takes == '1' else 's'}, "
            f"and {count} come{'s' * (count == 1)} in",
            call.span,
            help=_inputs_help(op, too_many=count > least),
        )
        return False
    if op.takes_weights or all(v.type.batched for v in flow.values):
        return True
    state.error(
        place,
        "weight-without-batch",
        f"a learned weight has no batch axis and can't enter `{op.name}`",
        call.span,
        help="join it with a value first: `(x, weight) -> add`, `mul` or `concat`",
    )
    return False


def _inputs_help(op: type[Op], *, too_many: bool) -> str:
    """How a layer gets as many values as it takes; never by joining what is to stay apart."""
    if not too_many:
        return f"give it several: `(a, b) -> {op.name}`, or a body: `{op.name} {{ ... ; ... }}`"
    if op.name in ("attention", "window_attention"):
        return (
            f"in `{op.name}` the tokens of one value look at each other; there is no layer yet in "
            "which they look at those of another value"
        )
    if any(p.kind.takes_value for p in parameters(op)):
        return f"where the other value is to give its size: `x -> {op.name}(size=other)`"
    if op.arity[1] != 1:
        return f"name those that are meant: `(a, b) -> {op.name}`"
    return f"let one flow in, `a -> {op.name}`, or join them before it: `(a, b) -> concat`"


# --- blocks --------------------------------------------------------------------------------


def _call_block(state: State, block: Block, call: Call, flow: MaybeFlow, place: Place) -> MaybeFlow:
    definition = block.definition
    inner = Environment(block.unit, None, flow, labels=True)
    _bind_incoming(inner, flow, call.span)
    bound = state.binder.bind_definition(
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
    scope = Scope(
        Kind.BLOCK,
        call.span,
        place.scope,
        definition=block.name,
        doc=definition.doc,
        arguments=bound.arguments(),
        inputs=flow.values,
    )
    naming = place.naming if call.joins else Naming(numbered=False)
    used_here = Label(call.span, f"in this use of `{block.name}`")
    within = replace(place.inside(inner, scope, naming), trail=(*place.trail[-3:], used_here))
    state.enter(within, call.span)
    if not bind_inputs(state, block, scope, flow, within, call.span):
        return POISON
    place.scope.children.append(scope)
    if not call.joins:
        place.naming.add(scope, call.label, block.name.lower(), call.span)
    result = state.run_body(state, definition.body, within)
    if not call.joins:
        naming.finish(state.sink)
    if isinstance(result, Poison) or not check_results(state, block, result, within):
        return POISON
    scope.outputs = result.values
    return result


def _bind_incoming(inner: Environment, flow: MaybeFlow, span: Span) -> None:
    """`in`, and `in.channels` of a single value."""
    inner.bindings["in"] = Binding(flow, span)
    if isinstance(flow, Flow) and len(flow.values) == 1 and flow.values[0].type.shape:
        channels = flow.values[0].type.channels
        if isinstance(channels, int):
            inner.bindings["in.channels"] = Binding(channels, span, IN_CHANNELS)


# --- shared layers -------------------------------------------------------------------------


def _call_shared(
    state: State, shared: SharedLayer, call: Call, flow: MaybeFlow, place: Place
) -> MaybeFlow:
    """The first call makes the layer; the others are built apart and must come out the same."""
    statement = shared.statement
    name = statement.name.text
    if call.arguments or call.label:
        state.error(
            place,
            "bad-argument",
            f"`{name}` is one layer, made by its `layer` line: uses add no arguments and no label",
            call.span,
        )
        return POISON
    if place.environment.label_scope() is not shared.environment.label_scope():
        state.error(
            place,
            "shared-elsewhere",
            f"`{name}` belongs to the scope its `layer` line stands in",
            call.span,
            help="use it there, outside of labelled groups",
        )
        return POISON
    stage = statement.stage
    callee = resolve_layer(stage.callee, shared.environment, state.sink)
    given: Sequence[Given] = [(a, shared.environment) for a in stage.arguments or ()]
    made = Call(tuple(given), name, call.span)
    if isinstance(callee, SharedLayer):
        state.error(
            place, "bad-argument", f"`{callee.statement.name.text}` is a layer already", stage.span
        )
        return POISON
    if not shared.made:
        before = len(place.scope.children)
        result = call_layer(state, callee, made, flow, place)
        if not isinstance(result, Poison):
            first = place.scope.children[before]
            shared.made.append(Shared([first], first))
        return result
    again = replace(place, naming=Naming(numbered=False))
    result = call_layer(state, callee, made, flow, again)
    if isinstance(result, Poison):
        return result
    return result if _join(state, shared, call, place) else POISON


def _join(state: State, shared: SharedLayer, call: Call, place: Place) -> bool:
    """Make the call just built one more of a layer made before; False where that can't be.

    A layer without weights is no less the same where PyTorch needs a module of its own for it.
    """
    again = place.scope.children[-1]
    reasons = [made.join(again) for made in shared.made]
    if not all(reasons):
        return True
    name = shared.statement.name.text
    place.naming.add_variant(again, name)
    if not has_weights(again) and not shared.made[0].has_weights:
        shared.made.append(Shared([again], again))
        return True
    state.error(
        place,
        "shared-differs",
        f"`{name}` can't be shared here: for this input it would be another layer",
        call.span,
        secondary=(Label(shared.made[0].calls[0].span, "its first use"),),
        notes=(f"beside its first use: {reasons[0]}",),
        help="the channels (and what else its weights depend on) must be those of its first use, "
        "and so must the number of axes and the sizes that PyTorch's modules depend on; "
        "or make a second layer: `layer other = ...`",
    )
    return False
