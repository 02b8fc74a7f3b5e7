"""The table of rules, by the names of functions.

A rule is a function with the parameters of the function of torch, named and placed as there: so
Python itself binds the arguments, and one that no rule reads is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from netdsl.importers.torch.events import Modes
from netdsl.importers.torch.lows import Low, Refusal

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder

RULES: dict[str, Callable[..., Any]] = {}
F = TypeVar("F", bound=Callable[..., Any])


def rule(*names: str) -> Callable[[F], F]:
    """Makes a function the rule of these functions of torch."""

    def register(function: F) -> F:
        for name in names:
            assert name not in RULES, name
            RULES[name] = function
        return function

    return register


def pair(one: Any, count: int) -> tuple[Any, ...]:
    """A number for each axis of space."""
    parts = tuple(one) if isinstance(one, Sequence) and not isinstance(one, str) else (one,)
    if len(parts) == 1:
        parts *= count
    if len(parts) != count:
        raise Refusal(f"{len(parts)} numbers for {count} axes")
    return parts


def in_order(low: Low, spatial: int | None = None) -> int:
    """The number of axes of space of a map `[batch, channels, ...]`. Raises `Refusal`."""
    if not low.is_plain and not low.is_table:
        raise Refusal(
            "this takes a map with the batch first, then the channels",
            "other axes lie in front: `each` has no rule in the import",
        )
    count = len(low.sizes) - 1
    if spatial is not None and count != spatial:
        raise Refusal(f"this takes a map with {spatial} axes of space, not {count}")
    return count


def map_of(to: Builder, input: Any) -> tuple[Low, Callable[[Low], Low]]:
    """A map, and the way back: a table `[1, channels, ...]` goes without its axis in front."""
    low = to.plain(input)
    is_in_front = low.is_table and low.batch is None and low.rank > 2
    if not is_in_front or low.size(0) != (1,) * to.runs:
        return low, lambda one: one
    return RULES["squeeze"](to, low, 0), lambda one: RULES["unsqueeze"](to, one, 0)


def dropped(one: Any) -> float:
    """A share that is dropped in training."""
    if isinstance(one, Modes):
        one = one.training
    if isinstance(one, bool) or not isinstance(one, int | float):
        raise Refusal(f"the share that is dropped is {one!r}")
    return float(one)


def without(name: str, one: Any, *allowed: Any) -> None:
    """Refuses an argument that the language has no word for, unless it is as it is anyway."""
    if not any(one is other or one == other for other in (None, *allowed)):
        raise Refusal(f"`{name}={one!r}` has no word in the language")
