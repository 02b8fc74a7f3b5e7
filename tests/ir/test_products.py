"""Equations of products of sizes, and factors that divide by themselves, against whole numbers."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

import netdsl
from netdsl.ir.condition import equal, holds, is_linear_condition, positive
from netdsl.ir.dim import Dim, Size, evaluate, floor_div, is_linear, substitute, symbol
from netdsl.ir.factors import factors_of
from tests.sampling import FULL, some

POINTS = [{"H": h, "W": w} for h, w in product((*range(1, 15), 96, 97), (*range(1, 9), 30, 31))]


def factor(name: str, draw: Random) -> Size:
    """A symbol, a part of it, or a sum with it."""
    size = symbol(name)
    over, plus = draw.choice([1, 1, 2, 3, 4]), draw.choice([0, 0, 0, 1, 2, -1, -2])
    return floor_div(size + plus, over) * draw.choice([1, 1, over]) + draw.choice([0, 0, 0, 1, -1])


def pair_of_products(draw: Random) -> tuple[Size, Size]:
    """Two products over the same symbols, often of sizes and of what is left of them in parts."""
    number = draw.choice([1, 2, 6])
    left: Size = number
    right: Size = number * draw.choice([1, 1, 1, 2, 3])
    for name in "HWH"[: draw.choice([2, 2, 3])]:
        over = draw.choice([1, 2, 2, 3])
        size = symbol(name) if draw.random() < 0.7 else factor(name, draw)
        part = floor_div(size + draw.choice([0, 0, over - 1]), over)
        own = part * over if draw.random() < 0.8 else factor(name, draw)
        left, right = left * size, right * own
    return (left, right) if draw.random() < 0.5 else (right, left)


SMALLER = {"H": floor_div(symbol("H"), 2), "W": floor_div(symbol("W") - 1, 3)}
"""The sizes behind a stride, which are 0 for the smallest maps."""


def test_an_equation_of_products_means_the_same_in_parts() -> None:
    draw, parted = Random("products"), 0
    for _ in some(range(3000), 4):
        left, right = pair_of_products(draw)
        condition = equal(left, right)
        parted += not is_linear(left - right) and is_linear_condition(condition)
        for point in POINTS:
            same = evaluate(left, point) == evaluate(right, point)
            assert holds(condition, point) == same, (left, right, point, condition)
    assert parted > (300 if FULL else 75)


def test_an_equation_of_products_of_axes_means_the_same_where_these_are() -> None:
    """Factors that may be 0, as those of a map behind a stride: no axis of a value is."""
    draw, parted, more = Random("axes"), 0, 0
    for _ in some(range(3000), 4):
        left, right = pair_of_products(draw)
        left, right = (substitute(side, SMALLER) for side in (left, right))
        axes = factors_of(left) if isinstance(left, Dim) else [left]
        condition = equal(left, right, axes)
        is_parted = not is_linear(left - right) and is_linear_condition(condition)
        parted += is_parted
        more += is_parted and not is_linear_condition(equal(left, right))
        for point in POINTS:
            if all(evaluate(axis, point) >= 1 for axis in axes):
                same = evaluate(left, point) == evaluate(right, point)
                assert holds(condition, point) == same, (left, right, point, condition)
    assert parted > (200 if FULL else 40), (parted, more)
    assert more > (100 if FULL else 25), (parted, more)


def test_a_product_is_positive_where_its_factors_are() -> None:
    draw, parted = Random("positive"), 0
    for _ in range(1000):
        size = factor("H", draw) * factor("W", draw) * draw.choice([1, 1, 2, -1])
        condition = positive(size)
        parted += isinstance(size, Dim) and is_linear_condition(condition)
        for point in POINTS:
            assert holds(condition, point) == (evaluate(size, point) >= 1), (size, point)
    assert parted > 100


# --- in the language -------------------------------------------------------------------------


def sizes(stages: str, shape: str = "[8, H, W]") -> str:
    return str(netdsl.loads(f"net A {{ input x: {shape}\n output y = x -> {stages} }}").sizes)


@pytest.mark.parametrize(
    ("stages", "wanted"),
    [
        ("reshape([8 * 4, (H / 2) * (W / 2)])", "H and W multiples of 2"),
        ("reshape([8 * 6, (W / 3) * (H / 2)])", "H a multiple of 2, W a multiple of 3"),
        ("reshape([8, H / 2, 2, W / 2, 2])", "H and W multiples of 2"),
        ("reshape([8, (H / 2) * 2, W])", "any H, any W"),  # a known number: 2H/2
        ("reshape([2 * 8, (H / 2 + W - W / 1) * W])", "H a multiple of 2, any W"),
        ("reshape([16, H * W / 2])", None),
        ("reshape([8, 4, ((H, W) / 2)[0] * ((H, W) / 2)[1]])", "H and W multiples of 2"),
        ("conv(5, 4, stride=4) -> reshape([5, (H / 4) * (W / 4)]) -> permute([1, 0]) "
         "-> reshape([H / 4, W / 4, 5])", "H and W multiples of 4"),
        ("conv(8, 4, stride=4) -> { size = identity ; size -> reshape([8, size.height / 2, 2, "
         "size.width / 3, 3]) }", "H mod 8 in {0, 1, 2, 3}, at least 8, "
         "W mod 12 in {0, 1, 2, 3}, at least 12"),
        ("maxpool(2) -> { size = identity ; size -> reshape([8, size.height * size.width]) -> "
         "reshape([8 * 4, (size.height // 2) * (size.width // 2)]) }",
         "H and W mod 4 in {0, 1}, at least 4"),
        ("maxpool(2) -> { size = identity ; size -> reshape([8, size.height * size.width]) -> "
         "[8, 4 * (size.height // 2) * (size.width // 2)] }",
         "H and W mod 4 in {0, 1}, at least 4"),
        # below 0 by the formula, and never where there is a map
        ("conv(5, 4, stride=2) -> reshape([5, ((H - 2) // 2) * ((W - 2) // 2)])",
         "any H >= 4, any W >= 4"),
    ],
)  # fmt: skip
def test_a_factor_is_divided_by_itself(stages: str, wanted: str | None) -> None:
    if wanted is not None:
        assert sizes(stages) == wanted
        return
    with pytest.raises(netdsl.DiagnosticError) as caught:
        sizes(stages)
    assert {d.code for d in caught.value.diagnostics} == {"undecided-size"}


@pytest.mark.parametrize(
    ("stages", "wanted"),
    [
        ("slice(0, 5)", "H and W multiples of 4"),
        ("slice(0, 0, -5)", "H and W multiples of 4"),
        ("split([5, (H / 4) * (W / 4)], axis=0) -> concat(axis=0)", "H and W multiples of 4"),
    ],
)
def test_what_is_left_of_a_product_is_judged_by_its_factors(stages: str, wanted: str) -> None:
    text = f"""net A {{
        input x: [8, H, W]
        weight front: [1, 5, 6]
        cells = x -> conv(6, 4, stride=4) -> reshape([6, (H / 4) * (W / 4)]) -> permute([1, 0])
        output y = (front, cells) -> concat(axis=0) -> {stages}
    }}"""
    assert str(netdsl.loads(text).sizes) == wanted


def test_a_square_is_a_product() -> None:
    assert sizes("reshape([32, (H / 2) ** 2])", "[8, H, H]") == "H a multiple of 2"


@pytest.mark.parametrize(
    "stage", ["reshape([8, H / 7 * W / 7, 49])", "reshape([8, H / 7 * W / 6])"]
)
def test_a_product_divided_as_a_whole_is_refused(stage: str) -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        sizes(stage)
    (diagnostic,) = caught.value.diagnostics
    last = stage.partition("W / ")[2][0]
    assert diagnostic.help == (f"write `(H / 7) * (W / {last})`",)


def test_sums_and_known_factors_are_rounded_at_the_end() -> None:
    """3 * (H / 2) and (H + 1) / 2 need no exact division before `floor`."""
    for call, wanted in (
        ("floor(3 * (H / 2))", lambda h: 3 * h // 2),
        ("floor(H / 2 + H / 3)", lambda h: 5 * h // 6),
        ("ceil((H + 1) / 2 * 3)", lambda h: -(-3 * (h + 1) // 2)),
    ):
        text = f"net A {{ input x: [8, H, W]\n output y = x -> pad(top={call}) }}"
        network = netdsl.loads(text)
        assert str(network.sizes) == "any H, any W"
        for h in range(1, 20):
            shape = network.sizes.dims.at({"H": h, "W": 5})["y"]
            assert shape == f"8x{h + wanted(h)}x5", (call, h)
