"""Which stages set the bounds of the sizes that a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdsl.analyses.describe import describe
from netdsl.analyses.sizes import Sizes
from netdsl.ir.condition import Truth, condition_symbols
from netdsl.ir.graph import Requirement
from netdsl.ir.simplify import conjunction
from netdsl.ir.solver import Domain, Verdict

MOST_COMPARED = 200


@dataclass(frozen=True, slots=True)
class Bound:
    """A part of the contract: the sizes that one stage takes, and where it stands.

    `path` is empty for what the file's `where` says.
    """

    sizes: str
    path: str
    place: str
    message: str


def bounds(contract: Sizes) -> tuple[Bound, ...]:
    """The stages that are enough for the whole contract, in the order they run.

    A stage is left out where what it asks follows from the others; of two that ask the same the
    first stays.
    """
    needed = _needed(contract)
    told = [] if contract.where is True else [_bound_of_file(contract)]
    return (*told, *(_bound(contract.symbols, requirement) for requirement in needed))


def _needed(contract: Sizes) -> list[Requirement]:
    requirements = list(_distinct(contract.constraints))
    if len(requirements) > MOST_COMPARED:
        return requirements
    needed = list(requirements)
    for requirement in reversed(requirements):
        rest = [r for r in needed if r is not requirement]
        whole = conjunction([contract.where, *(r.condition for r in rest)])
        verdict = Domain(contract.symbols, whole).decide(requirement.condition)
        if verdict is Verdict.PROVED:
            needed = rest
    return needed


def _distinct(requirements: Sequence[Requirement]) -> list[Requirement]:
    """Each condition once, as the first stage asks it."""
    by_condition: dict[Truth, Requirement] = {}
    for requirement in requirements:
        by_condition.setdefault(requirement.condition, requirement)
    return list(by_condition.values())


def _bound(symbols: tuple[str, ...], requirement: Requirement) -> Bound:
    own = tuple(s for s in symbols if s in condition_symbols(requirement.condition)) or symbols
    node, scope = requirement.node, requirement.scope
    path = node.path if node is not None else scope.path if scope is not None else ""
    return Bound(
        describe(own, requirement.condition).text, path, str(requirement.span), requirement.message
    )


def _bound_of_file(contract: Sizes) -> Bound:
    text = describe(contract.symbols, contract.where).text
    return Bound(text, "", "", "the file's `where`")
