"""Proof that a network takes every size its file allows, or a counterexample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netdsl.analyses.nearest import some_point
from netdsl.analyses.sizes import Sizes, sizes_of, with_numbers
from netdsl.diagnostics import Diagnostic, Label, Sink
from netdsl.ir.condition import (
    all_of,
    condition_symbols,
    holds,
    is_linear_condition,
    negate,
    speaks_of_quotients,
)
from netdsl.ir.graph import Graph, Requirement
from netdsl.ir.history import histories
from netdsl.ir.simplify import conjunction
from netdsl.ir.solver import Domain, GaveUp, Verdict, sharing_one_bound

COMMON_SIZES = (224, 256, 64, 1, 4096)
MOST_REPORTED = 10


def check_contract(graph: Graph, sink: Sink) -> None:
    """Report sizes the file allows and the network can't take, or that no size works at all.

    With a `where`, every requirement must hold for all sizes it allows; without one, some size
    must satisfy all of them. What can't be judged is an error as well.
    """
    if not graph.symbols:
        return
    contract = sizes_of(graph)
    if graph.where is not True:
        _check_where(graph, contract, sink)
        return
    if _has_witness(contract):
        return
    try:
        if not Domain(graph.symbols, contract.condition).is_empty():
            return
        culprit = _first_emptying(graph.symbols, contract.constraints)
    except GaveUp:
        if not _has_a_far_witness(contract):
            _report_undecided(graph, contract, sink)
        return
    sizes = dict.fromkeys(graph.symbols, COMMON_SIZES[0])
    sink.error(
        "no-size-works",
        f"no input size satisfies this together with what comes before it: {culprit.message}",
        culprit.span,
        secondary=_sources(culprit),
        notes=[
            *_histories(culprit),
            f"it needs {culprit.condition}; {_example(culprit, sizes)}",
        ],
        help=culprit.help,
    )


def _has_witness(contract: Sizes) -> bool:
    """Whether a common size is in the contract, which proves that it is not empty.

    Says no, without a look, where some condition is beyond the solver: that is to be reported.
    """
    needed = contract.condition
    return is_linear_condition(needed) and any(
        holds(needed, dict.fromkeys(contract.symbols, size)) for size in COMMON_SIZES
    )


def _has_a_far_witness(contract: Sizes) -> bool:
    """Whether some size near a common one is found in a contract that the solver can't judge."""
    return is_linear_condition(contract.condition) and any(
        some_point(contract.symbols, contract.condition, size) for size in COMMON_SIZES
    )


def _check_where(graph: Graph, contract: Sizes, sink: Sink) -> None:
    allowed = Domain(graph.symbols, graph.where)
    try:
        if allowed.is_empty():
            sink.error("empty-where", "no size satisfies this", graph.where_span)
            return
    except GaveUp:
        sink.error(
            "not-linear",
            "a restriction is made of sums, multiples and remainders of the sizes",
            graph.where_span,
            help="products of two sizes can't be judged for all sizes at once",
        )
        return
    for requirement in contract.constraints:
        verdict = allowed.decide(requirement.condition)
        if verdict is Verdict.GAVE_UP:
            _undecided(requirement, sink)
        elif verdict is not Verdict.PROVED:
            _report_bad_size(allowed, requirement, contract, sink)
            # what fails at the same sizes only is the same mistake
            allowed = Domain(graph.symbols, all_of(allowed.condition, requirement.condition))


def _report_bad_size(
    allowed: Domain, requirement: Requirement, contract: Sizes, sink: Sink
) -> None:
    bad = _bad_size(allowed, requirement)
    if bad is None:
        _undecided(requirement, sink)
        return
    shown = _shown(requirement, bad)
    sink.emit(
        Diagnostic(
            "size-not-allowed",
            f"{requirement.message}; {_example(requirement, bad)}",
            requirement.span,
            secondary=tuple(_sources(requirement)),
            notes=(
                *_histories(requirement),
                f"the `where` allows {shown}, and this stage needs {requirement.condition}",
            ),
            help=(
                f"without the `where` the network takes {replace(contract, where=True)}: "
                "leave it out, or tighten it to that",
                *([requirement.help] if requirement.help else []),
            ),
        )
    )


def _bad_size(allowed: Domain, requirement: Requirement) -> dict[str, int] | None:
    """The smallest size that is allowed and does not do, or one that is found."""
    refused = negate(requirement.condition)
    try:
        return allowed.smallest(refused)
    except GaveUp:
        return some_point(allowed.symbols, all_of(allowed.condition, refused), COMMON_SIZES[0])


def _shown(requirement: Requirement, sizes: dict[str, int]) -> str:
    """The sizes that the requirement is about: `H = 65`."""
    used = set(condition_symbols(requirement.condition))
    return ", ".join(f"{name} = {number}" for name, number in sizes.items() if name in used)


def _example(requirement: Requirement, sizes: dict[str, int]) -> str:
    """`H = 65 gives 34 here and 33 there`."""
    return f"{_shown(requirement, sizes)} gives {with_numbers(requirement.condition, sizes)}"


def _sources(requirement: Requirement) -> list[Label]:
    """Where what meets at a stage comes from."""
    inputs = requirement.node.inputs if requirement.node else ()
    if len(inputs) < 2:
        return []
    return [
        Label(v.span, f"{v.name or 'this'} is {v.type}")
        for v in inputs
        if v.span != requirement.span
    ]


def _histories(requirement: Requirement) -> list[str]:
    node = requirement.node
    return histories(node.inputs, node.scope) if node and node.inputs else []


def _report_undecided(graph: Graph, contract: Sizes, sink: Sink) -> None:
    """Name the requirements that can't be judged; if each can be, it is their number."""
    every = Domain(graph.symbols)
    with sharing_one_bound():
        hard = [r for r in contract.constraints if every.decide(r.condition) is Verdict.GAVE_UP]
    for requirement in hard[:MOST_REPORTED] or contract.constraints[-1:]:
        _undecided(requirement, sink)


OTHERWISE = (
    "fix the size of the input (`--size H=224,W=224`), or, which makes it another network, "
    "bring the map to a fixed size first: `adaptive_avgpool(7x7)`, `global_avgpool`, `spp`"
)
OF_A_RATIO = (
    "a size that depends on the ratio of two others is known by its bounds alone: bring the image "
    "to a known size, `resize(256) -> center_crop(224)` or `resize(224x224)`, or to one that "
    "divides, `pad_to(multiple=32)`; or fix the size of the input (`--size H=224,W=224`)"
)


def _undecided(requirement: Requirement, sink: Sink) -> None:
    sink.error(
        "undecided-size",
        f"whether this holds can't be judged for all sizes at once: {requirement.message}",
        requirement.span,
        notes=[f"it needs {requirement.condition}"],
        help=(OF_A_RATIO, requirement.help)
        if speaks_of_quotients(requirement.condition)
        else requirement.help or OTHERWISE,
    )


def _first_emptying(symbols: tuple[str, ...], constraints: Sequence[Requirement]) -> Requirement:
    """The requirement that, with those before it, leaves no size; found by halving.

    Raises `GaveUp`.
    """
    low, high = 0, len(constraints)
    while low < high - 1:
        middle = (low + high) // 2
        needed = conjunction(r.condition for r in constraints[:middle])
        if Domain(symbols, needed).is_empty():
            high = middle
        else:
            low = middle
    return constraints[high - 1]
