"""The size contract: for which image sizes every requirement of a network holds, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from netdsl.analyses.describe import Description, describe
from netdsl.analyses.dims import Dims
from netdsl.analyses.nearest import Nearest, nearest
from netdsl.ir.condition import (
    All,
    AnyOf,
    Truth,
    condition_symbols,
    holds,
    speaks_of_quotients,
)
from netdsl.ir.dim import Compare, evaluate
from netdsl.ir.graph import Graph, Requirement
from netdsl.ir.simplify import conjunction
from netdsl.ir.solver import Domain, GaveUp, Verdict


@dataclass(frozen=True)
class Sizes:
    """The sizes a network takes, for inference on one sample.

    `symbols` are its size symbols, `where` what the file restricts them to, `constraints` the
    requirements that hold for some sizes only, each with its span and text; `of_training` are
    those and what training needs besides. `dims` are the shapes of all values that have a name or
    a path, axis by axis: `{"conv1": ("64", "floor((H - 1)/2) + 1", "W")}`.
    """

    symbols: tuple[str, ...]
    where: Truth
    constraints: tuple[Requirement, ...]
    of_training: tuple[Requirement, ...]
    dims: Dims

    def accepts(self, **sizes: int) -> bool:
        """Whether the network takes these sizes; every symbol needs a whole number from 1 on.

        Raises `ValueError` for a missing or unknown symbol, or a number that is no size.
        """
        self._check(sizes)
        return not self._refusing(sizes) and holds(self.where, sizes)

    def explain(self, **sizes: int) -> list[str]:
        """Which requirements refuse these sizes, with the numbers; empty if none does."""
        self._check(sizes)
        reasons = [] if holds(self.where, sizes) else [f"the file restricts sizes to {self.where}"]
        shown = ", ".join(f"{name} = {number}" for name, number in sizes.items())
        for requirement in _first_of_each(self._refusing(sizes)):
            numbers = with_numbers(requirement.condition, sizes)
            gives = f"; {shown} gives {numbers}" if numbers else ""
            reasons.append(f"{requirement.span}: {requirement.message}{gives}")
        return reasons

    def smallest(self) -> dict[str, int] | None:
        """The smallest sizes that work, symbol by symbol in their order.

        None without symbols, where no size works, and where that could not be worked out.
        """
        try:
            return Domain(self.symbols, self.condition).smallest() if self.symbols else None
        except GaveUp:
            return None

    def small(self) -> dict[str, int] | None:
        """The smallest sizes that work; where that could not be worked out, those nearest to 1."""
        return self.smallest() or self.nearest(**dict.fromkeys(self.symbols, 1)).closest

    def nearest(self, **sizes: int) -> Nearest:
        """The accepted sizes next to these: the closest, the closest below and above."""
        self._check(sizes)
        return nearest(self.symbols, self.condition, sizes)

    def training(self, batch: int = 1) -> Sizes:
        """The sizes for training with this many samples at a time, training-only heads included.

        Raises `ValueError` for a number that is no batch size.
        """
        if type(batch) is not int or batch < 1:
            raise ValueError(f"a batch has a whole number of samples from 1 on, not {batch!r}")
        needed = tuple(r for r in self.of_training if not 0 < r.unless_batch <= batch)
        return replace(self, constraints=needed)

    @cached_property
    def condition(self) -> Truth:
        """All requirements and the restriction, as one condition on the symbols."""
        return conjunction([self.where, *(r.condition for r in self.constraints)])

    def _refusing(self, sizes: dict[str, int]) -> list[Requirement]:
        return [r for r in self.constraints if not holds(r.condition, sizes)]

    def _check(self, sizes: dict[str, int]) -> None:
        for name, number in sizes.items():
            if name not in self.symbols:
                names = f"there are: {', '.join(self.symbols)}" if self.symbols else "all are fixed"
                raise ValueError(f"there is no size symbol {name}; {names}")
            if type(number) is not int or number < 1:
                raise ValueError(f"{name} is a whole number from 1 on, not {number!r}")
        for name in self.symbols:
            if name not in sizes:
                raise ValueError(f"no size is given for {name}")

    @property
    def is_settled(self) -> bool:
        """Whether the words for the sizes are as short as can be: nothing in them is redundant.

        Where the solver gave up they are the bare conditions, exact as ever.
        """
        return not self.symbols or self.description.is_settled

    def __str__(self) -> str:
        if not self.symbols:
            return "fixed sizes" if self.condition is True else "no size"
        return self.description.text

    @cached_property
    def description(self) -> Description:
        """The sizes in words, and whether it is settled that these are the shortest."""
        return describe(self.symbols, self.condition)


def sizes_of(graph: Graph) -> Sizes:
    """The size contract of a graph, for inference."""
    every = tuple(r for r in graph.requirements if not _is_proved(r, graph.symbols))
    needed = tuple(r for r in every if not r.training_only)
    return Sizes(graph.symbols, graph.where, needed, every, Dims(graph))


def _is_proved(requirement: Requirement, symbols: tuple[str, ...]) -> bool:
    """Whether it speaks of a quotient of two sizes, and holds at all sizes.

    Others stay: what holds at all sizes was decided by its bounds, or follows from the rest.
    """
    needed = requirement.condition
    return speaks_of_quotients(needed) and Domain(symbols).decide(needed) is Verdict.PROVED


def _first_of_each(requirements: Sequence[Requirement]) -> list[Requirement]:
    """The first to refuse for each set of symbols: a map that is too small fails ever after."""
    by_symbols: dict[frozenset[str], Requirement] = {}
    for requirement in requirements:
        by_symbols.setdefault(frozenset(condition_symbols(requirement.condition)), requirement)
    return list(by_symbols.values())


def with_numbers(condition: Truth, sizes: dict[str, int]) -> str:
    """The two sides of what fails: `34 here and 33 there`; empty where no size would do."""
    match condition:
        case Compare(operator, left, right):
            a, b = evaluate(left, sizes), evaluate(right, sizes)
            return f"{a} here and {b} there" if operator == "==" else f"{a}, not {operator} {b}"
        case All(parts):
            return "; ".join(with_numbers(p, sizes) for p in parts if not holds(p, sizes))
        case AnyOf(parts):
            return " and ".join(with_numbers(p, sizes) for p in parts)
        case _:
            return ""
