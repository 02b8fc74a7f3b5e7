"""What modules do with shapes, imported: the same numbers, at sizes that were not traced too."""

from __future__ import annotations

import pytest

import netdsl
from tests.importers import torch_shapes
from tests.importers.torch_models import compare, import_of

SIZES = ((9, 14), (16, 11), (23, 8))


@pytest.mark.parametrize(
    ("name", "contract"),
    [
        ("Expanded", "any H >= 3, any W >= 3"),
        ("Outer", "any H, any W"),
        ("Listed", "any H, any W"),
        ("Blanked", "any H, any W"),
        ("Rounded", "any H, any W >= 2"),
    ],
)
def test_at_sizes_that_were_not_traced(name: str, contract: str) -> None:
    one = compare(getattr(torch_shapes, name), name, sizes=SIZES, pairs=20, x=(3, "H", "W"))
    assert one.is_open
    assert str(netdsl.loads(one.text).sizes) == contract


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("Copied", (3, 8, 8)),
        ("Assigned", (3, 8, 8)),
        ("Windowed", (3, 8, 12)),
        ("Masked", (6, 8)),
        ("Placed", (2, 12, 12)),
        ("Kept", (6, 8)),
    ],
)
def test_at_one_size(name: str, shape: tuple[int, ...]) -> None:
    one = compare(getattr(torch_shapes, name), name, x=shape)
    assert one.largest_difference <= 1e-6


def test_parameters_of_modules_lie_in_their_blocks() -> None:
    text = import_of(torch_shapes.Listed, "Listed", x=(3, "H", "W")).text
    assert text.count("Factors") == 3
    assert "    weight factors.0: [3, 1, 1]\n    weight factors.1: [3, 1, 1]\n" in text


def test_a_large_table_is_written_as_the_sum_of_small_ones() -> None:
    one = import_of(torch_shapes.Placed, "Placed", x=(2, 12, 12))
    assert len(one.text) < 12_000, "144 x 144 whole numbers would be more than 60,000 characters"
