"""What a chain begins with: a value, or what flows in."""

from __future__ import annotations

from netdsl.elaborate.environment import (
    POISON,
    Broken,
    Environment,
    Flow,
    MaybeFlow,
    Poison,
    describe,
)
from netdsl.elaborate.resolve import resolve_layer
from netdsl.elaborate.state import Place, State
from netdsl.syntax import ast


def bare_value(first: ast.Stage, environment: Environment) -> ast.NameExpr | None:
    """The name that a chain begins with, if it is a value's here."""
    match first:
        case ast.LayerStage(None, names, None, None, is_inline=False):
            named = ".".join(name.text for name in names)
            is_value = environment.lookup("values", named) is not None
            return ast.NameExpr(named, names[0].span.to(names[-1].span)) if is_value else None
        case _:
            return None


def value_of(state: State, expr: ast.Expr, environment: Environment) -> MaybeFlow:
    """The values that an expression names."""
    try:
        value = state.evaluator.head(expr, environment)
    except Broken:
        return POISON
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
        callee = resolve_layer(first.callee, place.environment, state.sink)
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
