"""How often a loop runs, and what its names stand for in each turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netdsl.elaborate.declare import declare
from netdsl.elaborate.environment import (
    POISON,
    Binding,
    Broken,
    Environment,
    Family,
    Flow,
    LayerValue,
    MaybeFlow,
    Poison,
    Sort,
    describe,
)
from netdsl.elaborate.state import Place, State
from netdsl.ir.sequences import is_sequence
from netdsl.syntax import ast


def repeat_count(state: State, stage: ast.Repeat, place: Place) -> int | Poison:
    """How often a `repeat` runs; within the bounds."""
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
    return count


def turns(
    state: State, loop: ast.For | ast.ForSource, place: Place, incoming: MaybeFlow | None
) -> Iterator[Place]:
    """A place for each item of the list, with the names of the `for` bound."""
    iterable = loop.iterable
    sort: Sort = "numbers"
    try:
        state.evaluator.one_meaning(iterable, place.environment)
        items = state.evaluator.plain(iterable, place.environment)
    except Broken:
        items = ()
    if isinstance(items, Flow):
        sort, items = "values", [Flow((value,)) for value in items.values]
    if not is_sequence(items):
        state.error(
            place,
            "bad-argument",
            f"`for` goes over a list, not {describe(items)}",
            iterable.span,
            help=f"it has numbers: `for i in 0..3 {{ {iterable.span.text}[i] }}`"
            if isinstance(items, Family)
            else "a range is a list: `for i in 0..4`",
        )
        items = ()
    state.expect_turns(len(items), loop.body, place.environment, iterable.span)
    for item in items:
        state.turn(iterable.span)
        environment = place.environment.child(incoming)
        if not _bind_targets(state, sort, loop.targets, item, environment, iterable, place):
            return
        yield replace(place, environment=environment)


def _bind_targets(
    state: State,
    sort: Sort,
    targets: tuple[ast.Name, ...],
    item: object,
    environment: Environment,
    iterable: ast.Expr,
    place: Place,
) -> bool:
    parts = [item] if len(targets) == 1 else item
    if not is_sequence(parts) or len(parts) != len(targets):
        state.error(
            place,
            "bad-argument",
            f"{len(targets)} names stand for {describe(item)}",
            iterable.span,
            help="each item of the list is a list of as many: `for (c, n) in [[64, 3], [128, 4]]`",
        )
        return False
    for target, part in zip(targets, parts, strict=True):
        kind: Sort = "layers" if isinstance(part, LayerValue) else sort
        declare(state, kind, target, Binding(part, target.span), environment)
    return True
