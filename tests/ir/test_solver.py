"""Questions to the integer sets."""

from __future__ import annotations

import pytest

import netdsl


@pytest.mark.parametrize(
    "name", ["mod", "exists", "max", "min", "floor", "implies", "infty", "m0", "e0"]
)
def test_a_symbol_may_be_called_like_a_word_of_the_solver(name: str) -> None:
    text = f"net A {{ input x: [3, {name}, W]\n output y = x -> conv(3, 3) -> conv(3, 3) }}"
    assert str(netdsl.loads(text).sizes) == f"any {name} >= 5, any W >= 5"
