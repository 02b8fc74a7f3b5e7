"""What a block says of its inputs and results, and a chain of its shapes, checked at every use."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.diagnostics import Label, Span
from netdsl.elaborate.declare import is_new
from netdsl.elaborate.environment import (
    POISON,
    Binding,
    Broken,
    Environment,
    Flow,
    MaybeFlow,
    Poison,
)
from netdsl.elaborate.hints import claim_hint, layout_hint
from netdsl.elaborate.program import Block
from netdsl.elaborate.state import Place, State
from netdsl.ir.condition import Truth, equal
from netdsl.ir.dim import Size
from netdsl.ir.graph import Value
from netdsl.ir.history import histories
from netdsl.ir.tensor import format_shape
from netdsl.ops.axes import way_to_floats
from netdsl.syntax import ast


def bind_inputs(
    state: State, block: Block, flow: Flow, place: Place, call: Span
) -> list[tuple[Truth, str]] | None:
    """Name the inputs of a block and match their shapes; None if they don't fit (reported).

    What comes back are the conditions under which they do, each with its message.
    """
    declared = block.definition.inputs
    if declared is None:
        return []
    if len(declared) != len(flow.values):
        names = ", ".join(i.name.text for i in declared if i.name) or "one value"
        given, come = len(flow.values), "comes" if len(flow.values) == 1 else "come"
        state.error(
            place,
            "wrong-inputs",
            f"`{block.name}` takes {len(declared)} ({names}), and {given} {come} in",
            call,
            help=f"write `({names}) -> {block.name}(...)`" if len(declared) > 1 else "",
        )
        return None
    conditions: list[tuple[Truth, str]] = []
    fits = True
    for spec, value in zip(declared, flow.values, strict=True):
        if spec.name is not None:
            place.environment.values[spec.name.text] = Binding(Flow((value,)), spec.name.span)
            if spec.name.text.startswith("_"):
                state.let_go.add(value)
        if spec.shape is not None:
            asked = _match(state, block, spec.shape, value, place, call)
            fits = fits and asked is not None
            conditions += asked or ()
    return conditions if fits else None


def bind_input(
    state: State, block: Block, statement: ast.InputStatement, place: Place, call: Span
) -> list[tuple[Truth, str]] | None:
    """The same for an input of a net that is called, whose line says its type and its `where`."""
    binding = place.environment.values[statement.name.text]
    assert isinstance(binding.value, Flow)
    (value,) = binding.value.values
    dtype = statement.dtype.text if statement.dtype else "float32"
    if value.type.dtype != dtype:
        takes = statement.span.text.partition(":")[2].strip()
        state.error(
            place,
            "wrong-dtype",
            f"`{block.name}` takes {takes}, which is {dtype}, and {value.type} comes in",
            call,
            help=way_to_floats(value.type.dtype),
        )
        return None
    conditions = _match(state, block, statement.shape, value, place, call)
    if conditions is None:
        return None
    for condition in statement.where:
        try:
            truth = state.evaluator.truth(condition, place.environment)
        except Broken:
            return None
        told = f"`{block.name}` takes sizes where {condition.span.text}"
        if truth is False:
            state.error(place, "size-not-allowed", f"{told}, and {value.type} comes in", call)
            return None
        conditions.append((truth, told))
    return conditions


def _match(
    state: State, block: Block, shape: ast.ListExpr, value: Value, place: Place, call: Span
) -> list[tuple[Truth, str]] | None:
    """A new name in the shape takes the size that comes in; anything else must equal it."""
    actual = value.type.shape
    if len(actual) != len(shape.items):
        _mismatch(state, place, block, shape, call, f"{value.type} comes in")
        return None
    conditions: list[tuple[Truth, str]] = []
    for item, size in zip(shape.items, actual, strict=True):
        if is_new(item, place.environment):
            place.environment.numbers[item.name] = Binding(size, item.span)
            continue
        try:
            wanted = state.evaluator.size(item, place.environment)
        except Broken:
            return None
        condition = equal(wanted, size, (size,))
        if condition is False:
            _mismatch(state, place, block, shape, call, f"{value.type} comes in")
            return None
        if condition is not True:
            conditions.append((condition, f"`{block.name}` takes {item.span.text}"))
    return conditions


def _mismatch(
    state: State, place: Place, block: Block, shape: ast.ListExpr, call: Span, comes: str
) -> None:
    state.sink.error(
        "shape-mismatch",
        f"`{block.name}` takes {shape.span.text}, and {comes}",
        call,
        secondary=[Label(shape.span, "said here"), *reversed(place.trail[:-1])],
    )


def check_results(state: State, block: Block, result: Flow, place: Place) -> bool:
    """Whether a block gives what it promises; reports where it does not."""
    promised = block.definition.results
    if promised is None:
        return True
    if len(promised) != len(result.values):
        state.error(
            place,
            "wrong-results",
            f"`{block.name}` promises {len(promised)} results and gives {len(result.values)}",
            promised[0].span,
        )
        return False
    pairs = zip(promised, result.values, strict=True)
    fits = [check_shape(state, s, v, place, "promised") for s, v in pairs]
    return all(fits)


def check_claim(state: State, stage: ast.Claim, flow: MaybeFlow, place: Place) -> MaybeFlow:
    """A shape that is written in a chain: the flow, if it has it."""
    if isinstance(flow, Poison):
        return flow
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


def check_shape(state: State, shape: ast.ListExpr, value: Value, place: Place, verb: str) -> bool:
    """Whether a value has the shape that is written; a clash is reported at the axis."""
    sizes = _sizes(state, shape, place.environment)
    if sizes is None:
        return False
    actual = value.type.shape
    if len(sizes) != len(actual):
        _clash(state, place, shape.span, sizes, value, verb)
        return False
    for item, wanted, size in zip(shape.items, sizes, actual, strict=True):
        condition = equal(wanted, size, (size,))
        if condition is False:
            _clash(state, place, item.span, sizes, value, verb)
            return False
        if condition is not True:
            message = f"{verb} {item.span.text}, which is {wanted}, and it is {size}"
            state.graph.need(condition, item.span, message, node=value.producer)
    return True


def _sizes(state: State, shape: ast.ListExpr, environment: Environment) -> tuple[Size, ...] | None:
    try:
        return tuple(state.evaluator.size(item, environment) for item in shape.items)
    except Broken:
        return None


def _clash(
    state: State, place: Place, span: Span, sizes: Sequence[Size], value: Value, verb: str
) -> None:
    state.sink.error(
        "shape-mismatch",
        f"{format_shape(tuple(sizes))} is {verb}, and the value is {value.type}",
        span,
        secondary=[Label(value.span, f"this gives {value.type}"), *reversed(place.trail)],
        notes=histories([value], place.scope),
        help=claim_hint(value, sizes) or layout_hint([value]),
    )
