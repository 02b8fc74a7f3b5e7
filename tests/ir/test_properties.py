"""Sizes, conditions and the solver against plain integers, on expressions that hypothesis finds.

An expression comes with the Python function that says what it means; nothing of netdsl computes
the expected value.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from fractions import Fraction
from itertools import product

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netdsl.ir import dim
from netdsl.ir.columns import Columns
from netdsl.ir.condition import (
    Truth,
    all_of,
    any_of,
    decide,
    divides,
    holds,
    negate,
    substitute_in,
)  # fmt: skip
from netdsl.ir.dim import (
    Dim,
    Size,
    bounds,
    ceil_div,
    compare,
    evaluate,
    floor_div,
    substitute,
    symbol,
)
from netdsl.ir.factors import factors_of, gathered
from netdsl.ir.periodic import TooLong, members
from netdsl.ir.simplify import conjunction, plain
from netdsl.ir.solver import Domain, GaveUp, Verdict

Meaning = Callable[[int, int], int]
Pair = tuple[Size, Meaning]
Claim = tuple[Truth, Callable[[int, int], bool]]

TIMES = int(os.environ.get("NETDSL_PROPERTIES", "300"))
usual = settings(
    max_examples=TIMES, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
NUMBERS = st.integers(-12, 12)
DIVISORS = st.integers(1, 9)
POINTS = st.tuples(st.integers(1, 400), st.integers(1, 400))


def _sum(a: Pair, b: Pair, sign: int) -> Pair:
    return a[0] + b[0] * sign, lambda h, w: a[1](h, w) + sign * b[1](h, w)


def _scaled(a: Pair, n: int) -> Pair:
    return a[0] * n, lambda h, w: a[1](h, w) * n


def _floor(a: Pair, n: int) -> Pair:
    return floor_div(a[0], n), lambda h, w: a[1](h, w) // n


def _ceil(a: Pair, n: int) -> Pair:
    return ceil_div(a[0], n), lambda h, w: -(-a[1](h, w) // n)


def _rest(a: Pair, n: int) -> Pair:
    return a[0] % n, lambda h, w: a[1](h, w) % n


def _largest(a: Pair, b: Pair) -> Pair:
    return dim.maximum(a[0], b[0]), lambda h, w: max(a[1](h, w), b[1](h, w))


def _least(a: Pair, b: Pair) -> Pair:
    return dim.minimum(a[0], b[0]), lambda h, w: min(a[1](h, w), b[1](h, w))


def _times(a: Pair, b: Pair) -> Pair:
    return a[0] * b[0], lambda h, w: a[1](h, w) * b[1](h, w)


def _over(a: Pair, b: Pair) -> Pair:
    return (
        dim.quotient(a[0], dim.maximum(b[0], 1)),
        lambda h, w: a[1](h, w) // max(b[1](h, w), 1),
    )


LEAVES: st.SearchStrategy[Pair] = st.one_of(
    st.just((symbol("H"), lambda h, w: h)),
    st.just((symbol("W"), lambda h, w: w)),
    NUMBERS.map(lambda n: (n, lambda h, w: n)),
)


def linear(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    """What layers do to sizes."""
    return st.one_of(
        st.builds(_sum, inner, inner, st.sampled_from([1, -1])),
        st.builds(_scaled, inner, NUMBERS),
        *(st.builds(rule, inner, DIVISORS) for rule in (_floor, _ceil, _rest)),
        st.builds(_largest, inner, inner),
        st.builds(_least, inner, inner),
    )


def any_size(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    """Products too, which `flatten` gives, and quotients, which `resize` does."""
    return st.one_of(linear(inner), st.builds(_times, inner, inner), st.builds(_over, inner, inner))


LINEAR = st.recursive(LEAVES, linear, max_leaves=5)
RATIOS = st.builds(_sum, st.builds(_over, LINEAR, LINEAR), LEAVES, st.sampled_from([1, -1]))
SIZES = st.recursive(LEAVES, any_size, max_leaves=8)
_SIGNS: dict[str, Callable[[int, int], bool]] = {
    "==": int.__eq__, "!=": int.__ne__, "<": int.__lt__, "<=": int.__le__, ">": int.__gt__,
    ">=": int.__ge__,
}  # fmt: skip


def _compared(a: Pair, b: Pair, sign: str) -> Claim:
    test = _SIGNS[sign]
    return compare(sign, a[0], b[0]), lambda h, w: test(a[1](h, w), b[1](h, w))


def _divided(a: Pair, n: int) -> Claim:
    return divides(n, a[0]), lambda h, w: a[1](h, w) % n == 0


def _both(a: Claim, b: Claim) -> Claim:
    return all_of(a[0], b[0]), lambda h, w: a[1](h, w) and b[1](h, w)


def _either(a: Claim, b: Claim) -> Claim:
    return any_of(a[0], b[0]), lambda h, w: a[1](h, w) or b[1](h, w)


def _not(a: Claim) -> Claim:
    return negate(a[0]), lambda h, w: not a[1](h, w)


CLAIMS: st.SearchStrategy[Claim] = st.recursive(
    st.one_of(
        st.builds(_compared, LINEAR, LINEAR, st.sampled_from(list(_SIGNS))),
        st.builds(_compared, RATIOS, LINEAR, st.sampled_from(list(_SIGNS))),
        st.builds(_divided, st.one_of(LINEAR, RATIOS), DIVISORS),
    ),
    lambda inner: st.one_of(
        st.builds(_both, inner, inner), st.builds(_either, inner, inner), inner.map(_not)
    ),
    max_leaves=3,
)


ONE = st.one_of(st.just((symbol("H"), lambda h, w: h)), NUMBERS.map(lambda n: (n, lambda h, w: n)))
ALONE: st.SearchStrategy[Pair] = st.recursive(ONE, linear, max_leaves=6)
CLAIMS_ON_ONE: st.SearchStrategy[Claim] = st.recursive(
    st.one_of(
        st.builds(_compared, ALONE, ALONE, st.sampled_from(list(_SIGNS))),
        st.builds(_divided, ALONE, DIVISORS),
    ),
    lambda inner: st.one_of(
        st.builds(_both, inner, inner), st.builds(_either, inner, inner), inner.map(_not)
    ),
    max_leaves=3,
)


@usual
@given(CLAIMS_ON_ONE, st.integers(1, 10**9))
def test_one_symbol_is_counted_to_the_end(claim: Claim, far: int) -> None:
    """Also with maxima of maxima, and far beyond what was counted."""
    condition, means = claim
    try:
        found = members("H", condition)
    except TooLong:
        return
    sizes = [*range(1, 600), *range(far, far + 40)]
    assert [n in found for n in sizes] == [bool(means(n, 1)) for n in sizes]
    wanted = [n for n in range(1, 600) if means(n, 1)]
    assert not wanted or found.least == wanted[0]
    below = [n for n in wanted if n <= 300]
    assert not below or found.below(300) == below[-1]
    above = [n for n in wanted if n >= 300]
    assert not above or found.above(300) == above[0]


@settings(usual, max_examples=TIMES // 2)
@given(CLAIMS_ON_ONE, CLAIMS_ON_ONE)
def test_one_symbol_is_always_judged(given_: Claim, asked: Claim) -> None:
    domain = Domain(("H",), given_[0])
    inside = [n for n in range(1, 3000) if given_[1](n, 1)]
    answers = {bool(asked[1](n, 1)) for n in inside}
    verdict = domain.decide(asked[0])
    assert verdict is not Verdict.GAVE_UP
    assert verdict is not Verdict.PROVED or False not in answers
    assert verdict is not Verdict.REFUTED or True not in answers
    if not inside:
        assert domain.smallest() is None or given_[1](domain.smallest()["H"], 1)
    else:
        assert domain.smallest() == {"H": inside[0]}


@usual
@given(st.lists(CLAIMS, min_size=1, max_size=3), POINTS)
def test_many_points_at_once(claims: list[Claim], point: tuple[int, int]) -> None:
    rows = [point, (1, 1), (7, 2), (2, 7)]
    columns = Columns({"H": [h for h, _ in rows], "W": [w for _, w in rows]})
    condition = all_of(*(claim[0] for claim in claims))
    expected = [all(means(*row) for _, means in claims) for row in rows]
    assert columns.where(condition) == expected


@usual
@given(SIZES, POINTS)
def test_a_size_is_the_number_it_says(pair: Pair, point: tuple[int, int]) -> None:
    size, means = pair
    h, w = point
    expected = means(h, w)
    assert evaluate(size, {"H": h, "W": w}) == expected
    half = substitute(size, {"H": h})
    assert evaluate(half, {"W": w}) == expected
    moved = substitute(size, {"H": symbol("H") + 1, "W": symbol("H")})
    assert evaluate(moved, {"H": h}) == means(h + 1, h)


@usual
@given(SIZES, POINTS)
def test_the_text_of_a_size_means_the_same(pair: Pair, point: tuple[int, int]) -> None:
    size, means = pair
    names = {"H": Fraction(point[0]), "W": Fraction(point[1]), "floor": math.floor, "max": max}
    assert eval(str(size), {"__builtins__": {}}, names) == means(*point)


@usual
@given(SIZES, SIZES, st.integers(1, 99), POINTS)
def test_products_are_written_as_products(
    one: Pair, other: Pair, number: int, point: tuple[int, int]
) -> None:
    """The text means the number, and its factors multiplied out are the size itself."""
    size = one[0] * substitute(other[0], {"H": symbol("W")}) * number
    expected = one[1](*point) * other[1](point[1], point[1]) * number
    names = {"H": Fraction(point[0]), "W": Fraction(point[1]), "floor": math.floor, "max": max}
    assert eval(str(size), {"__builtins__": {}}, names) == expected
    if isinstance(size, Dim):
        assert len(str(size)) <= len(size.text)
        assert math.prod(evaluate(f, {"H": point[0], "W": point[1]}) for f in factors_of(size)) == (
            expected
        )


@usual
@given(SIZES, st.integers(2, 5), st.integers(1, 3), POINTS)
def test_runs_of_floors_are_summed(
    pair: Pair, divisor: int, often: int, point: tuple[int, int]
) -> None:
    total: Size = floor_div(pair[0] + 1, divisor)
    for n in range(divisor):
        total = total + floor_div(pair[0] + n, divisor) * often
    at = {"H": point[0], "W": point[1]}
    assert evaluate(gathered(total), at) == evaluate(total, at)
    h = symbol("H")
    run = sum((floor_div(h + n, divisor) for n in range(divisor)), 0 * h)
    assert gathered(run) is h


@usual
@given(SIZES, st.tuples(st.integers(1, 40), st.integers(0, 40)), POINTS)
def test_intervals_hold_every_value(
    pair: Pair, span: tuple[int, int], point: tuple[int, int]
) -> None:
    size, means = pair
    first, last = span[0], span[0] + span[1]
    h = min(max(point[0], first), last)
    for ranges, at in (({"H": (first, last)}, h), ({}, point[0])):
        low, high = bounds(size, ranges)
        assert low is None or low <= means(at, point[1])
        assert high is None or means(at, point[1]) <= high


@usual
@given(LINEAR, LINEAR)
def test_sizes_that_are_one_object_are_equal_everywhere(one: Pair, other: Pair) -> None:
    same = one[0] == other[0] if isinstance(one[0], int) else one[0] is other[0]
    if same:
        assert all(one[1](h, w) == other[1](h, w) for h, w in product(range(1, 20), repeat=2))


@usual
@given(CLAIMS, POINTS)
def test_a_condition_holds_where_it_says(claim: Claim, point: tuple[int, int]) -> None:
    condition, means = claim
    values = {"H": point[0], "W": point[1]}
    assert holds(condition, values) == means(*point)
    assert holds(negate(condition), values) != means(*point)
    assert holds(plain(condition), values) == means(*point)
    assert holds(substitute_in(condition, {"H": point[0]}), {"W": point[1]}) == means(*point)
    assert decide(condition, {}) in (None, means(*point))


@usual
@given(st.lists(CLAIMS, max_size=4), POINTS)
def test_a_short_conjunction_is_the_long_one(claims: list[Claim], point: tuple[int, int]) -> None:
    values = {"H": point[0], "W": point[1]}
    short = conjunction(condition for condition, _ in claims)
    assert holds(short, values) == all(means(*point) for _, means in claims)


@settings(usual, max_examples=TIMES // 2)
@given(CLAIMS, CLAIMS)
def test_the_solver_says_what_counting_says(given_: Claim, asked: Claim) -> None:
    """Up to 40 everything is counted; what the solver proves or refutes has no exception there."""
    domain = Domain(("H", "W"), given_[0])
    inside = [p for p in product(range(1, 41), repeat=2) if given_[1](*p)]
    verdict = domain.decide(asked[0])
    answers = {asked[1](*point) for point in inside}
    if verdict is Verdict.PROVED:
        assert False not in answers
    if verdict is Verdict.REFUTED:
        assert True not in answers
    if answers == {True, False}:
        assert verdict in (Verdict.MIXED, Verdict.GAVE_UP)
    try:
        least = domain.smallest(asked[0])
    except GaveUp:
        return
    wanted = [point for point in inside if asked[1](*point)]
    if least is None:
        assert not wanted
    else:
        found = least["H"], least["W"]
        assert given_[1](*found)
        assert asked[1](*found)
        assert not wanted or found <= min(wanted)
