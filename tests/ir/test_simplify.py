"""Conjunctions are simplified without changing what they say."""

from __future__ import annotations

from random import Random

from netdsl.ir.condition import Truth, all_of, any_of, divides, holds
from netdsl.ir.dim import Size, compare, maximum, symbol
from netdsl.ir.simplify import conjunction, plain

H, W = symbol("H"), symbol("W")


def size(draw: Random, depth: int = 0) -> Size:
    """A random size of the kinds that networks have."""
    choice = draw.randrange(5 if depth < 3 else 2)
    if choice == 0:
        return draw.choice([H, W])
    if choice == 1:
        return draw.choice([H, W]) * draw.randint(1, 3) + draw.randint(-9, 9)
    if choice == 2:
        return (size(draw, depth + 1) + draw.randint(-9, 9)) // draw.randint(1, 4)
    if choice == 3:
        return size(draw, depth + 1) - size(draw, depth + 1)
    return maximum(size(draw, depth + 1), draw.randint(0, 9))


def condition(draw: Random) -> Truth:
    kind = draw.randrange(4)
    left = size(draw)
    if kind == 0:
        return divides(draw.randint(2, 5), left)
    if kind == 1:
        return any_of(condition(draw), condition(draw))
    right = draw.randint(-5, 12) if kind == 2 else size(draw)
    return compare(draw.choice(["==", "!=", "<", "<=", ">", ">="]), left, right)


def test_the_same_at_every_size() -> None:
    draw = Random(3)
    changed = 0
    for _ in range(600):
        parts = [condition(draw) for _ in range(draw.randint(1, 6))]
        short, long = conjunction(parts), all_of(*parts)
        changed += str(short) != str(long)
        for _ in range(40):
            at = {"H": draw.randint(1, 30), "W": draw.randint(1, 30)}
            assert holds(short, at) == holds(long, at), (parts, at)
    assert changed > 80


def test_floors_give_way() -> None:
    assert str(plain((H + 17) // 32 >= 2)) == "H >= 47"
    assert str(plain(((H + 1) // 2 - 3) // 2 > 1)) == "H >= 13"


def test_only_the_strongest_bound_stays() -> None:
    bounds = [H - 2 * k >= 1 for k in range(1, 1000)]
    assert str(conjunction(bounds)) == "H >= 1999"
