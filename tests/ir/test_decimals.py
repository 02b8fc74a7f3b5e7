"""Numbers of settings are shown with the digits that were written."""

from __future__ import annotations

from fractions import Fraction

import pytest

import netdsl
from netdsl.ir.decimals import decimal
from netdsl.ir.printer import graph_text
from netdsl.lints import WARNINGS

SHOWN = {
    "upsample(3)": "scale=3",
    "upsample(3.0)": "scale=3",
    "upsample(1.5)": "scale=1.5",
    "upsample(0.29)": "scale=0.29",
    "upsample(2.5e-1)": "scale=0.25",
    "upsample(3x2)": "scale=3x2",
    "upsample((1.5, 2))": "scale=(1.5, 2)",
    "upsample(1.123456789012)": "scale=1.123456789012",
    "leaky_relu(0.123456789012)": "slope=0.123456789012",
    "leaky_relu(2.5e-3)": "slope=0.0025",
    "dropout(0.2 * 12 / 16)": "p=0.15",
    "batchnorm(1e-3)": "eps=0.001",
}


@pytest.mark.parametrize("layer", SHOWN)
def test_summary_text_and_drawing_show_what_was_written(layer: str) -> None:
    net = netdsl.loads(f"net A {{ input x: [3, 64, 64]; output y = x -> {layer} }}", allow=WARNINGS)
    shown = SHOWN[layer]
    assert f"{shown})" in str(net.summary())
    assert f"{shown})" in net._repr_svg_()
    if "0.2 *" not in layer:
        plain = shown.replace("3x2", "(3, 2)")
        assert f"; {plain})" in graph_text(net.graph)


def test_a_fraction_without_a_decimal_is_shown_as_one() -> None:
    assert decimal(Fraction(1, 3)) == "1/3"
    assert decimal(Fraction("0.3333333333333333")) == "0.3333333333333333"
    assert decimal(Fraction(40, 10)) == "4"
