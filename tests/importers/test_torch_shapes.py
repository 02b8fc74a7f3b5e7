"""What modules do with shapes, imported: the same numbers, at sizes that were not traced too."""

from __future__ import annotations

import pytest

import netdsl
from tests.importers import torch_shapes
from tests.importers.torch_models import compare

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
