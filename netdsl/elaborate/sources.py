"""What a chain begins with: a value, or what flows in."""

from __future__ import annotations

from netdsl.diagnostics import Sink
from netdsl.elaborate.environment import (
    POISON,
    Broken,
    Environment,
    Flow,
    MaybeFlow,
    Poison,
    describe,
)
from netdsl.elaborate.resolve import is_whole_layer, resolve_layer
from netdsl.elaborate.state import Place, State
from netdsl.syntax import ast


def bare_value(first: ast.Stage, environment: Environment, sink: Sink) -> ast.NameExpr | None:
    """The name that a chain begins with, if it is a value's here; warns where a layer has it too.

    It does where the layer could stand there as it is written, and something flows in.
    """
    match first:
        case ast.LayerStage(None, names, None, None, is_inline=False):
            named = ".".join(name.text for name in names)
        case _:
            return None
    if environment.lookup("values", named) is None:
        return None
    span = names[0].span.to(names[-1].span)
    if environment.incoming is not None and is_whole_layer(named, environment):
        sink.warn(
            "layer-or-value",
            f"`{named}` is a value here, and there is a layer of that name",
            span,
            help=f"`{named}()` is the layer; the value is meant where another name says so",
        )
    return ast.NameExpr(named, span)


def value_of(state: State, expr: ast.Expr, environment: Environment) -> MaybeFlow:
    """The values that an expression names."""
    try:
        value = state.evaluator.head(expr, environment)
    except Broken as broken:
        return broken.poison
    if isinstance(value, Flow):
        return value if state.evaluator.are_at_hand(value, expr, environment) else POISON
    state.sink.error(
        "not-a-value",
        f"a chain begins with a value, and this is {describe(value)}",
        expr.span,
    )
    return POISON


def has_own_sources(first: ast.Stage) -> bool:
    """Whether the lines in the braces of a stage can name where they begin."""
    forks = isinstance(first, ast.LayerStage) and first.branches is not None
    return forks or isinstance(first, ast.Group | ast.If)


def misses_source(state: State, first: ast.Stage, place: Place) -> None:
    """Report a chain that nothing flows into, unless its layer is unknown, which says more."""
    if isinstance(first, ast.LayerStage):
        callee = resolve_layer(first.callee, place.environment, state.sink, label=first.label)
        if isinstance(callee, Poison):
            return
    state.error(
        place,
        "no-source",
        "nothing flows into this chain",
        first.span,
        help="begin it with a value: `image -> for ...`; a value for each item is "
        "`(for ... { image -> ... })`"
        if isinstance(first, ast.For)
        else "begin it with a value: `image -> ...`",
    )
