"""The nearest accepted size, against trying all sizes around."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.analyses.sizes import Sizes

RANGE = range(1, 41)


def sizes_of(chain: str, shape: str) -> Sizes:
    return netdsl.loads(f"net A {{\n input x: {shape}\n output y = x -> {chain}\n}}").sizes


def distance(a: tuple[int, int], b: tuple[int, int]) -> int:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


@pytest.mark.parametrize(
    "chain", ["conv(3, 5) -> maxpool(3)", "add { identity ; maxpool(4) -> upsample(4) }"]
)
def test_it_is_the_nearest(chain: str) -> None:
    sizes = sizes_of(chain, "[3, d0, dd]")
    accepted = [(a, b) for a in RANGE for b in RANGE if sizes.accepts(d0=a, dd=b)]
    for wanted in [(1, 1), (3, 30), (17, 2), (18, 22), (9, 9)]:
        best = min(accepted, key=lambda s: (distance(s, wanted), s))
        found = sizes.nearest(d0=wanted[0], dd=wanted[1])
        assert found.closest == {"d0": best[0], "dd": best[1]}
        below = [s for s in accepted if s[0] <= wanted[0] and s[1] <= wanted[1]]
        above = [s for s in accepted if s[0] >= wanted[0] and s[1] >= wanted[1]]
        for point, among in (found.down, below), (found.up, above):
            near = min(among, key=lambda s: (distance(s, wanted), s), default=None)
            assert point == (near and {"d0": near[0], "dd": near[1]})


def test_sizes_that_must_agree() -> None:
    text = "net A {\n input x: [3, H]\n input y: [3, W]\n output z = (x, y) -> add\n}"
    sizes = netdsl.loads(text).sizes
    found = sizes.nearest(H=9, W=11)
    assert found.closest == found.down == {"H": 9, "W": 9}
    assert found.up == {"H": 11, "W": 11}


def test_without_symbols_there_is_none() -> None:
    assert sizes_of("relu", "[3, 4, 4]").nearest().closest is None
