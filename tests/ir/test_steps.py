"""Formulas of the nearest member of a set give the member that a search finds."""

from __future__ import annotations

from random import Random

import pytest

from netdsl.ir.condition import Truth, all_of, any_of, equal
from netdsl.ir.dim import evaluate, symbol
from netdsl.ir.periodic import members
from netdsl.ir.steps import greatest_below, least_above, runs_of

H = symbol("H")
FARTHEST = 250


def modulo(period: int, *rests: int) -> Truth:
    return any_of(*(equal(H % period, rest) for rest in rests))


def random_set(random: Random) -> Truth:
    """Some remainders, from a size on, maybe up to one, and some sizes besides."""
    period = random.randint(1, 12)
    rests = random.sample(range(period), random.randint(1, period))
    least, most = random.randint(1, 30), random.randint(1, 90)
    condition = all_of(modulo(period, *rests), least <= H)
    if random.random() < 0.4:
        condition = all_of(condition, most >= H)
    if random.random() < 0.4:
        others = (equal(H, random.randint(1, 40)) for _ in range(random.randint(1, 3)))
        condition = any_of(condition, *others)
    return condition


def check(condition: Truth) -> bool:
    """Compare both formulas with the sizes themselves; whether there is one."""
    taken = members("H", condition)
    sizes = {n for n in range(1, 3 * FARTHEST) if n in taken}
    runs = runs_of(taken)
    if runs is None:
        return False
    most = runs.greatest or FARTHEST
    up, down = least_above(runs, H), greatest_below(runs, H)
    for n in range(1, most + 1, 2):
        assert evaluate(up, {"H": n}) == min(m for m in sizes if m >= n), (condition, n)
    assert runs.greatest == (max(sizes) if max(sizes) < 2 * FARTHEST + 20 else None)
    assert runs.smallest == min(sizes)
    for n in range(min(sizes), 2 * FARTHEST, 3) if down is not None else ():
        assert down is not None
        assert evaluate(down, {"H": n}) == max(m for m in sizes if m <= n), (condition, n)
    return True


KNOWN = [
    (True, "H", "H"),
    (H >= 15, "max(15, H)", "H"),
    (modulo(16, 0), "16*floor((H + 15)/16)", "16*floor(H/16)"),
    (all_of(modulo(16, 12), H >= 188), "max(16*floor((H + 3)/16) + 12, 188)", "16*floor((H + 4)/16) - 4"),
    (all_of(modulo(2, 1), H >= 7), "max(2*floor(H/2) + 1, 7)", "2*floor((H + 1)/2) - 1"),
    (all_of(modulo(16, 0), H <= 512), "16*floor((H + 15)/16)", None),
    (all_of(modulo(64, 63, 0, 1, 2), H >= 63), None, None),
    (any_of(equal(H, 224), equal(H, 256), equal(H, 320)), None, None),
    (any_of(equal(H, 5), H >= 9), None, None),
    (all_of(H >= 10, H <= 512), "max(10, H)", None),
    (modulo(12, 1, 5), None, None),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "up", "down"), KNOWN, ids=lambda part: str(part)[:40])
def test_known_sets(condition: Truth, up: str | None, down: str | None) -> None:
    assert check(condition)
    runs = runs_of(members("H", condition))
    assert runs is not None
    assert up is None or str(least_above(runs, H)) == up
    assert down is None or str(greatest_below(runs, H)) == down


def test_random_sets() -> None:
    random = Random(19)
    assert sum(check(random_set(random)) for _ in range(40)) > 25


@pytest.mark.full
def test_many_random_sets() -> None:
    random = Random(20)
    assert sum(check(random_set(random)) for _ in range(600)) > 400


def test_what_is_no_formula() -> None:
    assert runs_of(members("H", H <= 0)) is None
    squares = any_of(*(equal(H, n * n) for n in range(1, 12)))
    assert runs_of(members("H", squares)) is None
    runs = runs_of(members("H", any_of(equal(H, 5), H >= 9)))
    assert runs is not None
    assert greatest_below(runs, H) is None
