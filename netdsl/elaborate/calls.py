"""Calls of layers: a node for an op, a scope for a block, one set of weights for a shared layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netdsl.diagnostics import Label, Span
from netdsl.elaborate.bind import Bound, Given, bind_op
from netdsl.elaborate.environment import (
    POISON,
    Binding,
    Environment,
    Flow,
    MaybeFlow,
    Poison,
    SharedLayer,
)
from netdsl.elaborate.sharing import Shared, has_weights
from netdsl.elaborate.state import Place, State
from netdsl.ir.formula import IN_CHANNELS, Formula
from netdsl.ir.graph import Value
from netdsl.ops.base import Op
from netdsl.ops.op_parameters import parameters
from netdsl.ops.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Call:
    """A stage that calls a layer: its arguments, its label, the place of its name.

    `joins` is True for the stage that ends a labelled fork: it is named with the fork. With
    `is_inline` the stages of a block belong to the scope around. One that stands `aside` goes by
    that name and takes no place.
    """

    arguments: tuple[Given, ...]
    label: str
    span: Span
    joins: bool = False
    is_inline: bool = False
    aside: str = ""


# --- ops -----------------------------------------------------------------------------------


def call_op(state: State, op: type[Op], call: Call, flow: MaybeFlow, place: Place) -> MaybeFlow:
    inputs = flow.values if isinstance(flow, Flow) else ()
    bound = bind_op(state.evaluator, op, call.arguments, call.span, len(inputs))
    if bound is None or bound.is_poison or isinstance(flow, Poison):
        return POISON
    made = op(**bound.values)
    if not _fits(state, made, call, flow, place):
        return POISON
    state.count_nodes(1, call.span)
    return add_node(state, made, bound, call, inputs, place)


def call_made(
    state: State, op: Op, call: Call, values: tuple[Value, ...], place: Place
) -> MaybeFlow:
    """Call an op that has its settings; the values that these name come last."""
    flowing = Flow(values[: max(0, len(values) - op.named_inputs())])
    if not _fits(state, op, call, flowing, place):
        return POISON
    state.count_nodes(1, call.span)
    return add_node(state, op, Bound(), call, values, place)


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
    try:
        results = state.graph.layer(
            place.site,
            op,
            inputs,
            call.span,
            label=call.label,
            arguments=bound.arguments(),
            places=bound.spans,
            is_named=not call.joins,
            aside=call.aside,
        )
    except Refusal as refusal:
        state.refused(place, op, refusal, bound.spans.get(refusal.at, call.span), inputs)
        return POISON
    return Flow(results, is_list=op.gives_several)


def _fits(state: State, op: Op, call: Call, flow: Flow, place: Place) -> bool:
    """Whether as many values come in as the op takes, and of the sort it takes."""
    least, most = op.inputs_taken()
    count = len(flow.values)
    mistake = None
    if count < least or (most is not None and count > most):
        mistake = op.miscounted(count) or _miscounted(op, count)
    elif count == 1 and not flow.is_list:
        mistake = op.alone()
    if mistake is not None:
        message, help = mistake
        state.error(place, "wrong-inputs", message, call.span, help=help)
        return False
    if not op.over_batch or all(v.type.batched for v in flow.values):
        return True
    state.error(
        place,
        "weight-without-batch",
        f"`{op.name}` takes its statistics over a batch, and a table has none",
        call.span,
        help="join it with a value first: `(x, table) -> add`, `mul` or `concat`",
    )
    return False


def _miscounted(op: Op, count: int) -> tuple[str, str]:
    """What to say where another number of values comes in than a layer takes."""
    least, most = op.inputs_taken()
    takes = f"{least}" if least == most else f"{least} to {most}" if most else f"{least} or more"
    beside = "" if (least, most) == op.arity else " beside its number"
    message = (
        f"`{op.name}` takes {takes} value{'' if takes == '1' else 's'}{beside}, "
        f"and {count} come{'s' * (count == 1)} in"
    )
    return message, _inputs_help(op, too_many=count > least)


def _inputs_help(op: Op, *, too_many: bool) -> str:
    """How a layer gets as many values as it takes; never by joining what is to stay apart."""
    if not too_many:
        return f"give it several: `(a, b) -> {op.name}`, or a body: `{op.name} {{ ... ; ... }}`"
    if any(p.kind.takes_value and not p.kind.reads_value for p in parameters(type(op))):
        return f"where the other value is to give its size: `x -> {op.name}(size=other)`"
    if op.inputs_taken()[1] != 1:
        return f"name those that are meant: `(a, b) -> {op.name}`"
    return f"let one flow in, `a -> {op.name}`, or join them before it: `(a, b) -> concat`"


# --- blocks --------------------------------------------------------------------------------


def bind_incoming(
    inner: Environment, flow: MaybeFlow, span: Span, formula: Formula | None = IN_CHANNELS
) -> None:
    """`in`, and `in.channels` of a single value."""
    inner.values["in"] = Binding(flow, span)
    if isinstance(flow, Flow) and len(flow.values) == 1 and flow.values[0].type.shape:
        channels = flow.values[0].type.channels
        if isinstance(channels, int):
            inner.numbers["in.channels"] = Binding(channels, span, formula)


def say_of_caller(inner: Environment, bound: Bound) -> None:
    """Let the parameters of an inline block speak of those of the block it is called in."""
    for name, binding in inner.numbers.items():
        if name in bound.values:
            inner.numbers[name] = replace(binding, formula=bound.formulas.get(name))


# --- shared layers -------------------------------------------------------------------------


def may_call(state: State, shared: SharedLayer, call: Call, place: Place) -> bool:
    """Whether a shared layer can be called so, and here."""
    name = shared.statement.name.text
    if call.arguments or call.label:
        state.error(
            place,
            "bad-argument",
            f"`{name}` is one layer, made by its `layer` line: uses add no arguments and no label",
            call.span,
        )
        return False
    if place.environment.path_scope() is not shared.environment.path_scope():
        state.error(
            place,
            "shared-elsewhere",
            f"`{name}` belongs to the scope its `layer` line stands in",
            call.span,
            help="use it there, outside of labelled groups",
        )
        return False
    return True


def join_calls(state: State, shared: SharedLayer, call: Call, label: str, place: Place) -> bool:
    """Make the call just built one more of a layer made before; False where that can't be.

    A layer without weights is no less the same where PyTorch needs a module of its own for it,
    which goes by its `label` and a number.
    """
    again = place.scope.children[-1]
    reasons = [variant.join(again) for variant in shared.variants]
    if not all(reasons):
        return True
    name = shared.statement.name.text
    place.site.naming.add_variant(again, label)
    if not has_weights(again) and not shared.variants[0].has_weights:
        shared.variants.append(Shared([again], again))
        return True
    state.error(
        place,
        "shared-differs",
        f"`{name}` can't be shared here: for this input it would be another layer",
        call.span,
        secondary=(Label(shared.variants[0].calls[0].span, "its first use"),),
        notes=(f"beside its first use: {reasons[0]}",),
        help="the channels (and what else its weights depend on) must be those of its first use, "
        "and so must the number of axes and the sizes that PyTorch's modules depend on; "
        "or make a second layer: `layer other = ...`",
    )
    return False
