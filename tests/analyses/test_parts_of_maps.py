"""Receptive fields through layers that make columns of a map, and past borders that hold nothing."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.analyses.reach import Reach
from netdsl.lints import WARNINGS

torch = pytest.importorskip("torch")


def field(chain: str, height: object = "H", width: object = "W") -> tuple[Reach | None, ...]:
    text = f"net A {{ input x: [4, {height}, {width}]\n output y = x -> {chain} }}"
    network = netdsl.loads(text, allow=WARNINGS)
    (found,) = network.receptive_fields.of(network.outputs[0].value).values()
    return found


COLUMNS = (
    "unfold(3, padding=1) -> fold(3, size=(H, W), padding=1)",
    "unfold(3, stride=5) -> fold(3, size=(H, W), stride=5)",
    "conv(8, 4, stride=4) -> reshape([8, (H / 4) * (W / 4)]) -> permute([1, 0]) -> linear(2)",
)


@pytest.mark.parametrize("chain", COLUMNS)
def test_a_column_is_not_said_to_see_the_whole(chain: str) -> None:
    """Nor that it sees so many cells: which it are follows no rule at open sizes."""
    for reach in field(chain):
        assert reach is not None
        assert reach.size is None


def test_columns_at_known_sizes_hold_what_is_seen() -> None:
    chain = "conv(4, 3) -> unfold(3) -> fold(3, size=(12, 14))"
    for reach, size in zip(field(chain, 14, 16), (14, 16), strict=True):
        here = size if reach is None else reach.size
        assert here is not None
        assert here >= 3  # of a cell the windows that hold it read that cell alone


@pytest.mark.parametrize("border", [1, 2, 3])
def test_a_copy_of_a_border_of_zeros_shows_nothing(border: int) -> None:
    """Circular padding copies what constant padding put there."""
    chain = f"pad({border}) -> conv(4, 3, padding=1, padding_mode=circular)"
    for reach in field(chain):
        assert reach is not None, "not the whole axis"
    (rows, columns) = field(chain, 40, 40)
    assert rows is not None
    assert rows.size == 3
    assert columns == rows
    whole = field("conv(4, 3, padding=1, padding_mode=circular)")
    assert whole == (None, None)
