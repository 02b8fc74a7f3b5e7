"""Statements that hold no others: names of values, `let`, `weight`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from netdsl.elaborate.arguments import Bound
from netdsl.elaborate.calls import Call, add_node
from netdsl.elaborate.declare import declare, declare_weight, label_text
from netdsl.elaborate.environment import (
    POISON,
    Binding,
    Broken,
    Environment,
    Flow,
    MaybeFlow,
    Poison,
    SharedLayer,
    values_of,
)
from netdsl.elaborate.formulas import formula_of
from netdsl.elaborate.resolve import resolve_layer
from netdsl.elaborate.state import Place, State
from netdsl.elaborate.suggest import did_you_mean
from netdsl.ir.graph import Value
from netdsl.ir.tensor import DTYPES
from netdsl.ops.base import op_of
from netdsl.ops.fills import COMPUTED, FILL, Word
from netdsl.ops.initial import NEED_STD, WORDS
from netdsl.ops.params import Mismatch, choice
from netdsl.ops.source import CONSTANT, FROZEN, LEARNED, WHOLE, Weight
from netdsl.syntax import ast

NOBODY = "_"
"""The name of what is never used: several things may have it."""


def note_unused(state: State, flow: MaybeFlow, statement: ast.Statement) -> None:
    """Remember a result that something has to use by the end."""
    if isinstance(flow, Flow):
        state.unused.append((statement, flow))


def assign(state: State, statement: ast.AssignStatement, flow: MaybeFlow, place: Place) -> None:
    """Give what came out of a chain its name, or its names."""
    targets = statement.targets
    if isinstance(flow, Flow) and all(target.text.startswith("_") for target in targets):
        state.graph.used.update(flow.values)
    if not statement.is_tuple:
        _name_value(state, targets[0], flow, place)
        note_unused(state, flow, statement)
        return
    since = state.mark()
    flows = [flow] * len(targets)
    if isinstance(flow, Flow) and len(flow.values) != len(targets):
        count = len(flow.values)
        state.error(
            place,
            "wrong-inputs",
            f"{len(targets)} names stand for {count} value{'s' * (count != 1)}",
            statement.span,
            help=_help_of_maker(flow),
        )
        flows = [state.drafted(POISON, statement.span, flow, place, since)] * len(targets)
    elif isinstance(flow, Flow):
        flows = [Flow((value,)) for value in flow.values]
    for target, part in zip(targets, flows, strict=True):
        _name_value(state, target, part, place)
        if target.text.startswith("_"):
            state.let_go.update(values_of(part))
    note_unused(state, flow, statement)


def _help_of_maker(flow: Flow) -> str:
    """How the layer that gives these values gives others, if they come from one."""
    makers = {value.producer for value in flow.values}
    maker = makers.pop() if len(makers) == 1 else None
    return "" if maker is None else op_of(maker).wrong_names


def _name_value(state: State, name: ast.Name, flow: MaybeFlow, place: Place) -> None:
    if isinstance(flow, Flow) and len(flow.values) == 1:
        (value,) = flow.values
        if name.text != NOBODY:
            state.graph.name_value(place.site, value, name.text)
    before = place.environment.lookup("values", NOBODY) if name.text == NOBODY else None
    if before is not None:
        place.environment.values[NOBODY] = replace(before, rival=name.span)
        return
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


def run_layer(state: State, statement: ast.LayerStatement, place: Place) -> None:
    """Name one layer; in its own line the name still means what it meant before."""
    name, stage = statement.name, statement.stage
    written = stage.arguments or ()
    callee = resolve_layer(stage.callee, place.environment, state.sink, written)
    if isinstance(callee, SharedLayer):
        already = callee.statement.name.text
        state.error(place, "bad-argument", f"`{already}` is a layer already", stage.span)
        callee = POISON
    layer = SharedLayer(statement, callee, place.environment)
    declare(state, "layers", name, Binding(layer, name.span), place.environment)


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


def output_value(
    state: State, statement: ast.OutputStatement, flow: Flow, place: Place
) -> Value | None:
    """The one value that an output is; None if it can't be one (reported)."""
    if len(flow.values) != 1:
        state.error(
            place,
            "wrong-inputs",
            f"an output is one value, and these are {len(flow.values)}",
            statement.span,
            help="name them: `(a, b) = ...`, then `output first = a`",
        )
        return None
    (value,) = flow.values
    if not value.type.batched:
        state.error(
            place,
            "weight-without-batch",
            "a table is the same for every sample, and can't be an output",
            statement.span,
            help="let it meet a value: `(x, table) -> concat`; weights are in `state_dict()`",
        )
        return None
    return value


def run_weight(state: State, statement: ast.WeightStatement, place: Place) -> None:
    """A table: a node without inputs, whose path is its key."""
    environment = place.environment
    label = label_text(state, statement.label, place)
    flow, since = cast(MaybeFlow, POISON), state.mark()
    try:
        shape = [state.evaluator.size(item, environment) for item in statement.shape.items]
        table = Table(shape, _fill(state, statement, environment), *_words(statement))
        call = Call((), label, statement.span)
        flow = weight_node(state, table, statement, call, place)
    except Broken:
        pass
    flow = state.drafted(flow, statement.span, None, place, since, label)
    note_unused(state, flow, statement)
    declare_weight(state, statement.label, flow, place)


def _words(statement: ast.WeightStatement) -> tuple[str, str]:
    """Whether it is learned, and its element type; whole numbers and truths can't be learned."""
    dtype = statement.dtype.text if statement.dtype else "float32"
    kind = FROZEN if dtype in WHOLE else LEARNED
    return (statement.kind.text if statement.kind else kind), dtype


def _fill(state: State, statement: ast.WeightStatement, environment: Environment) -> object:
    """A number, a list or a word; a constant has to say what it is."""
    match statement.fill:
        case None:
            if statement.kind and statement.kind.text == CONSTANT:
                message = "a constant is in no checkpoint: give its numbers"
                state.evaluator.error("bad-argument", message, statement.span, "`... = 0`")
            return 0.0
        case ast.NameExpr(name) if environment.lacks(name) and name in (*WORDS, *COMPUTED):
            return Word(name)
        case ast.CallExpr(ast.NameExpr(name), (ast.Argument(_, value),)) if name in NEED_STD:
            std = state.evaluator.number(value, environment)
            return Word(name, float(std)) if isinstance(std, int | float) else std
        case ast.NameExpr(name, span) if environment.lacks(name):
            words = (*WORDS, *COMPUTED)
            help = did_you_mean(name, words) or f"there are {', '.join(words)}"
            message = f"nothing is called `{name}`, and it is no word for a weight"
            state.evaluator.error("bad-argument", message, span, help)
            return POISON
        case fill:
            return state.evaluator.plain(fill, environment)


@dataclass(frozen=True, slots=True)
class Table:
    """What a weight is to be: its shape, what fills it, whether it is learned, its type."""

    shape: Sequence[object]
    fill: object
    kind: str
    dtype: str


def weight_node(
    state: State, table: Table, written: ast.WeightStatement, call: Call, place: Place
) -> MaybeFlow:
    """The node of a weight."""
    for size, item in zip(table.shape, written.shape.items, strict=True):
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            state.evaluator.error(
                "bad-argument",
                f"a weight has a known size, at least 1, on every axis, and this is {size}",
                item.span,
            )
    spans = {"shape": written.shape.span}
    if written.fill:
        spans["fill"] = written.fill.span
    if written.dtype:
        spans["dtype"] = written.dtype.span
    try:
        fill = FILL.convert(table.fill)
        dtype = choice(*DTYPES).convert(table.dtype)
    except Mismatch as mismatch:
        at = "fill" if table.dtype in DTYPES else "dtype"
        state.evaluator.error("bad-argument", str(mismatch), spans.get(at, call.span))
        return POISON
    state.count_nodes(1, call.span)
    weight = Weight(tuple(table.shape), fill, table.kind, dtype)  # type: ignore[arg-type]
    return add_node(state, weight, Bound(spans=spans), call, (), place)
