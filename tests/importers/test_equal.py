"""Whether two graphs compute the same: what is written otherwise is equal, what differs is not."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.importers.equal import difference

BASE = """net A {
    input x: [3, H, W]
    a = x -> stem.conv: conv(8, 3, padding=1, bias=false)
    b = a -> stem.bn: batchnorm
    c = b -> relu
    d = x -> side: conv(8, 3, padding=1)
    e = (c, d) -> concat
    f = (e, x) -> concat
    output y = f -> head: conv(4, 1)
    output z = d when training
}"""

SAME = [
    """net B {
    input x: [3, H, W]
    output y = x -> concat {
        concat {
            stem: { conv: conv(8, 3, padding=1, bias=false) -> bn: batchnorm -> relu }
            side: conv(8, 3, padding=1)
        }
        identity
    } -> head: conv(4, 1)
    output z = side when training
}""",
    BASE.replace("e = (c, d) -> concat\n    f = (e, x) -> concat", "f = (c, d, x) -> concat"),
    BASE.replace("a = x", "q = x").replace("b = a", "b = q"),
]

OTHER = [
    ("padding=1, bias=false", "padding=1, bias=true"),
    ("head: conv(4, 1)", "foot: conv(4, 1)"),
    ("(c, d) -> concat", "(d, c) -> concat"),
    ("c = b -> relu", "c = b -> silu"),
    ("input x: [3, H, W]", "input x: [3, W, H]"),
    ("input x: [3, H, W]", "input image: [3, H, W]\n    x = image"),
    ("output z = d when training", "output z = d"),
    ("output z = d", "output w = d"),
    ("output z = d", "output z = c"),
    ("output y = f -> head: conv(4, 1)", "output y = f -> head: conv(4, 1) -> dropout(0.5)"),
    (
        "d = x -> side: conv(8, 3, padding=1)",
        "d = x -> side: conv(8, 3, padding=1)\n    _ = x -> more: conv(1, 1)",
    ),
    ("c = b -> relu", "c = (b, b) -> add -> relu"),
]


@pytest.mark.parametrize("text", SAME)
def test_the_same_written_otherwise(text: str) -> None:
    assert difference(netdsl.loads(BASE).graph, netdsl.loads(text).graph) == ""


@pytest.mark.parametrize(("old", "new"), OTHER)
def test_what_differs(old: str, new: str) -> None:
    assert old in BASE
    graphs = [netdsl.loads(text).graph for text in (BASE, BASE.replace(old, new))]
    assert difference(*graphs)
    assert difference(*reversed(graphs))


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("(x, a) -> add", "(a, x) -> add", True),
        ("(x, a) -> mul", "(a, x) -> mul", True),
        ("(x, a, x) -> add", "(a, x, x) -> add", True),
        ("(x, x, a) -> add", "(x, a, x) -> add", False),
        ("(x, a) -> sub", "(a, x) -> sub", False),
        ("(x, a) -> div", "(a, x) -> div", False),
        ("(x, a) -> concat", "(a, x) -> concat", False),
    ],
)
def test_the_first_two_of_a_sum_may_change_places(one: str, other: str, are_same: bool) -> None:
    """Not others: a sum is from left to right, and rounds."""
    text = "net A {{\n    input x: [8, H, W]\n    a = x -> a: conv(8, 1)\n    output y = {}\n}}"
    graphs = [netdsl.loads(text.format(flow)).graph for flow in (one, other)]
    assert (difference(*graphs) == "") == are_same


SHARED = """net A {{
    input x: [8, H, W]
    layer body = conv(8, 3, padding=1)
    layer other = conv(8, 3, padding=1)
    output y = x -> body -> {second}
    output z = x -> other
}}"""


def test_which_weights_a_call_uses() -> None:
    one, two = (netdsl.loads(SHARED.format(second=name)).graph for name in ("body", "other"))
    assert difference(one, two)
    assert not difference(one, netdsl.loads(SHARED.format(second="body")).graph)
