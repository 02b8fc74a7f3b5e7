"""The nearest accepted size, against trying all sizes around."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.analyses.nearest import nearest
from netdsl.analyses.sizes import Sizes

RANGE = range(1, 41)


def sizes_of(chain: str, shape: str) -> Sizes:
    return netdsl.loads(f"net A {{\n input x: {shape}\n output y = x -> {chain}\n}}").sizes


@pytest.mark.parametrize(
    "chain", ["conv(3, 5) -> maxpool(3)", "add { identity ; maxpool(4) -> upsample(4) }"]
)
def test_it_is_the_nearest(chain: str) -> None:
    sizes = sizes_of(chain, "[3, d0, dd]")
    accepted = [(a, b) for a in RANGE for b in RANGE if sizes.accepts(d0=a, dd=b)]
    for wanted in [(1, 1), (3, 30), (17, 2), (18, 22), (9, 9)]:
        best = min(accepted, key=lambda s: (abs(s[0] - wanted[0]) + abs(s[1] - wanted[1]), s))
        found = nearest(sizes, {"d0": wanted[0], "dd": wanted[1]})
        assert found == {"d0": best[0], "dd": best[1]}


def test_sizes_that_must_agree() -> None:
    text = "net A {\n input x: [3, H]\n input y: [3, W]\n output z = (x, y) -> add\n}"
    sizes = netdsl.loads(text).sizes
    assert nearest(sizes, {"H": 9, "W": 11}) == {"H": 9, "W": 9}


def test_without_symbols_there_is_none() -> None:
    assert nearest(sizes_of("relu", "[3, 4, 4]"), {}) is None
