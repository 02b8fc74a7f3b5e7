"""Values, stages, forks, loops, claims: what they build (language reference, sections 2 to 4)."""

from __future__ import annotations

import re

import pytest

import netdsl
from tests.elaborate.compile_text import build, chain, errors_of, graph_of, keys, net, shape_of

BLOCKS = """
fn twice(n: int) = 2 * n
block Unit(c: int, kernel: size = 3, padding: size = kernel // 2) { conv(c, kernel, padding=padding) }
block Up(channels: int) (x, skip) {
    (x -> upsample(size=skip), skip) -> concat -> Unit(channels)
}
block Trunk(n: int) : [C, H, W] -> ([n, H, W], [2 * n, H / 2, W / 2]) {
    a = conv(n, 1)
    (a, a -> maxpool(2) -> conv(twice(n), 1))
}
block Hourglass(depth: int) {
    add {
        identity
        maxpool(2) -> if depth > 1 { Hourglass(depth - 1) } -> upsample(2)
    }
}
"""


@pytest.mark.parametrize(
    ("stages", "shape"),
    [
        ("conv(8, 3)", "[8, 30, 30]"),
        ("concat { conv(4, 1) ; conv(6, 3, padding=1) ; identity }", "[13, 32, 32]"),
        ("add { identity ; conv(3, 1) }", "[3, 32, 32]"),
        ("add { if in.channels == 4 { identity } ; relu }", "[3, 32, 32]"),
        ("concat { for c in [1, 2, 3] { conv(c, 1) } }", "[6, 32, 32]"),
        ("for (c, n) in [[4, 1], [8, 2]] { repeat n { conv(c, 1) } }", "[8, 32, 32]"),
        ("repeat 0 { conv(c, 1) }", "[3, 32, 32]"),
        ("if 1 < 2 { relu } else { conv(9, 1) }", "[3, 32, 32]"),
        ("if 2 < 1 { relu } else if 1 == 1 { conv(7, 1) } else { conv(9, 1) }", "[7, 32, 32]"),
        ("Unit(8)", "[8, 32, 32]"),
        ("Unit(8, 5x3)", "[8, 32, 32]"),
        ("Hourglass(3)", "[3, 32, 32]"),
        ("{ let m = in.channels * 2 ; conv(m, 1) -> [m, 32, 32] }", "[6, 32, 32]"),
        ("split(3) -> concat", "[3, 32, 32]"),
        ("mul { identity ; global_avgpool -> reshape([3, 1, 1]) -> sigmoid }", "[3, 32, 32]"),
    ],
)
def test_shapes(stages: str, shape: str) -> None:
    assert (
        shape_of(graph_of(chain(stages.replace("in.channels", "x.channels"), before=BLOCKS)))
        == shape
    )


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("    a = x -> maxpool(2)\n    output y = (a, x) -> Up(5)", "[5, 32, 32]"),
        ("    (a, b) = x -> Trunk(4)\n    output y = (a, b -> upsample(2)) -> concat", "[12, 32, 32]"),
        ("    for i in 0..3 { c }\n    output y = x", None),
        ("    a = x -> for i in 0..3 { d[i]: conv(i + 1, 1) }\n    output y = (a, d[1]) -> concat",
         "[5, 32, 32]"),
        ("    output y = (for c in [2, 3] { x -> conv(c, 1) }) -> concat", "[5, 32, 32]"),
        ("    output y = (x, x) -> repeat 2 { (in[0], in[1]) -> split2: add }", None),
        ("    t: conv(4, 1)\n    output y = t", None),
        ("    x -> t: conv(4, 1)\n    output y = t -> relu", "[4, 32, 32]"),
    ],
)  # fmt: skip
def test_bodies(body: str, shape: str | None) -> None:
    graph, diagnostics = build(net(body, before=BLOCKS))
    assert (str(graph.outputs[0].value.type) if graph else None) == shape, diagnostics


def test_symbolic_sizes_stay_exact() -> None:
    graph = graph_of(
        chain(
            "conv(8, 7, stride=2, padding=3) -> maxpool(3, stride=2, ceil_mode=true)",
            shape="[3, H, W]",
        )
    )
    assert shape_of(graph).startswith("[8, floor(")


def test_an_exact_quarter_is_required() -> None:
    graph = graph_of(chain("maxpool(2) -> maxpool(2) -> [3, H / 4, W // 4]", shape="[3, H, W]"))
    texts = {str(r.condition) for r in graph.requirements}
    assert any("H" in t and "4" in t and "== 0" in t for t in texts), texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (chain("conv(8, 40)"), ["shape-mismatch 4:29"]),
        (chain("conv(8)"), ["missing-argument 4:21"]),
        (chain("conv(8, 3, strid=2)"), ["unknown-argument 4:32"]),
        (chain("conv(8, 3, 1, 0, 1, 1, true, zeros, 9)"), ["too-many-arguments 4:57"]),
        (chain("Conv2d(8, 3)"), ["unknown-layer 4:21"]),
        (chain("conv(n, 3)"), ["unknown-name 4:26"]),
        (chain("conv(2.5, 3)"), ["bad-argument 4:26"]),
        (chain("relu -> [3, 16, 32]"), ["shape-mismatch 4:33"]),
        (chain("add { conv(4, 1) ; identity }"), ["shape-mismatch 4:21"]),
        (chain("concat"), None),
        (chain("(relu)"), None),
        (net("    output y = conv(8, 3)"), ["no-source 4:16"]),
        (net("    a = x -> relu\n    output y = x"), ["unused-result 4:5"]),
        (net("    x -> relu\n    output y = x"), ["unused-result 4:5"]),
        (net("    x = x -> relu\n    output y = x"), ["name-taken 4:5"]),
        (net("    let y = 1 / 0\n    output z = x -> conv(y, 1)"), ["bad-expression 4:13"]),
        (net("    a = x -> conv(0, 3)\n    output y = (a, x) -> add -> wrong"),
         ["bad-argument 4:19", "unknown-layer 5:33"]),
        (net("    let a = 10 ** 10 ** 10\n    output y = x"), ["too-large 4:13"]),
        (chain("repeat 1000000000 { conv(3, 1) }"), ["too-many-layers 4:28"]),
        (chain("if H > 40 { relu }", shape="[3, H, W]"), ["undecided-condition 4:24"]),
        (chain("B(1)", before="block B(n: int) { B(n + 1) }"), ["too-deep 1:19"]),
        (net("    output y = x -> f(1)", before="fn f(n: int) = f(n)"), ["unknown-layer 4:21"]),
        (net("    let n = f(1)\n    output y = x", before="fn f(n: int) = f(n)"), ["too-deep 1:16"]),
        ("net A { input x: [1, 2, 2] }", ["no-output 1:5"]),
        ("block A { relu }", ["no-net 1:1"]),
    ],
)  # fmt: skip
def test_errors(text: str, expected: list[str] | None) -> None:
    if expected is None:
        build(text)
        return
    assert errors_of(text) == expected


def test_an_error_in_a_block_is_reported_once() -> None:
    text = chain("B -> B -> B", before="block B { conv(8, 99) }")
    assert errors_of(text) == ["shape-mismatch 1:19"]


def test_training_outputs_keep_their_weights() -> None:
    text = net("    output y = x -> relu\n    output aux = x -> head: conv(8, 31) when training")
    graph = graph_of(text)
    assert keys(graph) == ["head.weight", "head.bias"]
    assert [o.when_training for o in graph.outputs] == [False, True]


def test_sizes_and_parameters_can_be_given() -> None:
    text = "net A(c: int = 4) {\n input x: [3, H, W] where H >= 8\n output y = x -> conv(c, 3)\n}"
    assert shape_of(graph_of(text, params={"c": 7}, sizes={"H": 10})) == "[7, 8, W - 2]"
    assert errors_of(text, params={"d": 7}) == ["unknown-parameter 1:5"]
    assert errors_of(text, params={"c": "x"}) == ["bad-argument 1:7"]
    assert errors_of(text, sizes={"Q": 7}) == ["unknown-size 1:5"]
    assert errors_of(text, sizes={"H": 7}) == ["size-not-allowed 2:27"]


def test_a_misspelt_library_block_names_its_file() -> None:
    _, diagnostics = build(chain("Bottleneck(8)"))
    assert any("use std." in h for d in diagnostics for h in d.help) or not diagnostics


# --- option words --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("conv(4, 3, padding=same if c else valid)", ("same", "valid")),
        ("conv(4, 3, padding=2 if not c else same)", ("same", "2")),
        ("conv(4, 3, padding=same if c and n == 0 else valid if c else n)", ("same", "3")),
        ("softmax(axis=channels if c else -1)", ("channels", "-1")),
    ],
)
def test_option_words_are_the_sides_of_a_choice(written, meant):
    """A word goes before any other meaning, as it does alone: `valid` is a number here."""
    name = "padding" if "padding" in written else "axis"
    for c, word in zip(("true", "false"), meant, strict=True):
        block = (
            f"block B(c: bool, n: int = {0 if c == 'true' else 3}, valid: int = 1) {{ {written} }}"
        )
        text = chain(f"B({c}) -> B({c}, valid=7)", shape="[4, 16, 16]", before=block)
        plain = re.sub(rf"{name}=.*\)", f"{name}={word})", written)
        theirs = graph_of(chain(f"{plain} -> {plain}", shape="[4, 16, 16]"))
        for ours, other in zip(graph_of(text).nodes(), theirs.nodes(), strict=True):
            assert ours.op == other.op


def test_a_class_takes_the_word_it_is_given():
    torch = pytest.importorskip("torch")
    block = "block B(c: bool) { conv: conv(4, 3, padding=same if c else 0, bias=false) }"
    text = chain("B(true) -> B(false)", shape="[4, 9, 9]", before=block)
    module = netdsl.loads(text).torch().eval()
    assert module(torch.zeros(1, 4, 9, 9)).shape == (1, 4, 7, 7)
    assert module.b1.conv.padding == "same"


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("conv(4, 3, padding=[same, 1][0])", "same"),
        ("softmax(axis=channels + 1)", "channels"),
        ("conv(4, 3, padding=1 if 1 == same else 0)", "same"),
    ],
)
def test_an_option_word_is_no_number(written, word):
    graph, (error,) = build(chain(written, shape="[4, 16, 16]"))
    assert graph is None
    assert (error.code, error.span.text) == ("bad-argument", word)
    assert f"`{word}` is a word for" in error.message
