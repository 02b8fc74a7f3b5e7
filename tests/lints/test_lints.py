"""Each lint speaks where it should, is silent where it should, and can be silenced."""

from __future__ import annotations

from pathlib import Path

import pytest

import netdsl
from netdsl import lints
from netdsl.lints import LINTS, WARNINGS

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def net(chain: str, head: str = "", image: str = "[3, 32, 32]", before: str = "") -> str:
    return f"{before}\nnet A{head} {{\n    input x: {image}\n    output y = x -> {chain}\n}}\n"


SPEAKS = {
    "unused-name": [
        net("relu", head="(n: int = 3)"),
        net("B(3)", before="block B(n: int) { relu }"),
        net("conv(f(1, 2), 1)", before="fn f(a: int, b: int) = a"),
        net("relu; let n = 3"),
        net("relu; layer spare = conv(3, 1)"),
        net("(x, x) -> B").replace("x -> (x", "(x"),
        net("relu").replace("output", "input z: [1]; output"),
    ],
    "dead-branch": [
        net("if true { relu } else { tanh }"),
        net("if n > 3 { relu }").replace("output", "let n = 2 + 1; output"),
        net("conv(3 if 2 > 1 else 4, 1)"),
    ],
    "bias-before-norm": [
        net("conv(8, 3) -> batchnorm"),
        net("flatten -> linear(8) -> batchnorm"),
        net("conv_transpose(8, 3, bias=true) -> instancenorm"),
        net("B -> B", before="block B { conv(8, 3) -> batchnorm }"),
        net("a: conv(8, 3) -> batchnorm -> maxpool(2) -> upsample(size=a)"),
    ],
    "tight-where": [
        net("relu", image="[3, H, W] where H >= 2"),
        net("conv(3, 5)", image="[3, H, W] where H > 5, W > 4"),
    ],
    "channels-last": [
        net("conv(8, 3, padding=1)", image="[224, 224, 3]"),
        net("maxpool(2, padding=1)", image="[1, 3, 64, 64]"),
    ],
    "linear-on-map": [net("conv(8, 3) -> relu -> linear(10)"), net("maxpool(2) -> linear(10)")],
    "odd-argument": [
        net("conv(3, 16, 3)"),
        net("conv(3, 12, 7, 2)"),
        net("conv(3, 24, 1)"),
        net("conv_transpose(3, 64, 2)"),
        net("conv_transpose(3, 16, 4, 2)"),
        net("c: conv(3, 16, 3, bias=false)"),
        net("B(conv(3, 16, 3))", before="block B(c: layer) { c }"),
        net("batchnorm(64)"),
        net("groupnorm(3, 3)"),
    ],
    "size-unlike-pytorch": [
        net("upsample(2.3)", image="[3, H, W]"),
        net("upsample(2.3)", image="[3, 50, 8]"),
        net("upsample((1.5, 0.7), mode=bicubic, align_corners=true)", image="[3, H, 90]"),
        net("maxpool(2) -> upsample(0.29)", image="[3, H, 200]"),
        net("upsample(1 / 3)", image="[3, H, W]"),
    ],
    "hides-layer": [net("relu", before="block relu { tanh }")],
    "layer-or-value": [
        net("B", before="block B { relu: relu ; add { relu -> tanh ; tanh } }"),
        net("B", before="block B { Act: relu ; add { Act -> tanh ; tanh } }\nblock Act { tanh }"),
    ],
    "in-of-branch": [
        net("B", before="block B { conv(3, 1) -> add { in ; identity } }"),
        net("B", before="block B { x = conv(3, 1)\n x -> add { identity ; in -> relu } }"),
        net("B", before="block B { relu -> if in.rank == 3 { mul { identity ; in -> sigmoid } } }"),
        net(
            "B",
            before="block B { (relu -> a: { tanh -> [3, 32, 32] -> add { in ; tanh } }) -> abs }",
        ),
        net("B", before="block B { add { (for i in 0..2 { relu -> mul { in ; tanh } }) -> add } }"),
        net("each { relu -> repeat 2 { tanh -> add { in ; identity } } }"),
        net("add { identity ; relu -> add { in ; tanh } }"),
    ],
    "unknown-warning": [net("relu") + "# allow: unused-nme"],
}
SPEAKS["unused-name"][5] = (
    "block B (a, b) { a -> relu }\nnet A { input x: [3]; output y = (x, x) -> B }"
)

SILENT = {
    "unused-name": [
        net("relu", head="(_n: int = 3)"),
        net("B(3)", before="block B(n: int, m: int = n) { conv(m, 1) }"),
        net("B(relu)", before="block B(act: layer) { act }"),
        net("for i in 0..n { down[i + k]: conv(3, 1) }", head="(n: int = 3, k: int = 0)"),
        net("B", before="block B : [C, H, W] -> [C, H, W] { relu }"),
    ],
    "dead-branch": [
        net("if n > 3 { relu }", head="(n: int = 2)"),
        net("if H >= 1 { relu }", image="[3, H, W]"),
        net("B", before="block B { if in.channels == 3 { relu } else { tanh } }"),
        net("for i in 0..2 { if i == 0 { relu } else { tanh } }"),
    ],
    "bias-before-norm": [
        net("conv(8, 3, bias=false) -> batchnorm"),
        net("conv(8, 3) -> relu -> batchnorm"),
        net("linear(8) -> batchnorm", image="[4, 6]"),  # the norm is over the 4, the bias of the 8
        net("c: conv(8, 3) -> batchnorm -> add { identity ; c }"),
        net("B(batchnorm) -> B(relu)", before="block B(n: layer) { conv(8, 3) -> n }"),
        net("a: conv(8, 3) -> batchnorm ; output aux = a -> relu when training"),
    ],
    "tight-where": [
        net("conv(3, 5)", image="[3, H, W] where H >= 5, W > 4"),
        net("add { identity ; maxpool(2) -> upsample(2) }", image="[3, H, W] where H % 2 == 0, W % 2 == 0"),
    ],
    "channels-last": [
        net("conv(8, 3, padding=1)", image="[3, 224, 224]"),
        net("relu", image="[224, 224, 3]"),
        net("conv(8, 3)", image="[64, 8, 8, 8]"),
    ],
    "linear-on-map": [
        net("conv(8, 3) -> flatten -> linear(10)"),
        net("conv(8, 3) -> permute([1, 2, 0]) -> linear(10)"),
        net("linear(10)", image="[196, 768]"),
    ],
    "odd-argument": [
        net("conv(3, 3, 1)"),
        net("conv(3, 31, padding=15)", image="[4, 9, 9]"),
        net("conv(3, 31, padding=15)"),
        net("conv(3, 31, 1, 15, groups=3)"),
        net("conv(3, 16, 16)"),
        net("conv_transpose(3, 64, stride=32, bias=false)"),
        net("conv_transpose(3, 32, 16)"),
        net("conv_transpose(n, 16, 8)", head="(n: int = 3)"),
        net("B", before="block B { conv(in.channels, 31, 1, 15) }"),
        net("batchnorm(0.001)"),
    ],
    "size-unlike-pytorch": [
        net("upsample(1.5)", image="[3, H, W]"),
        net("upsample(1.1) -> upsample(3) -> upsample(0.1)", image="[3, H, W]"),
        net("upsample(2.3)", image="[3, 49, 8]"),
        net("upsample((1.5, 2.3))", image="[3, 50, 51]"),
        net("upsample(2.3)", image="[3, H, W] where H < 50, W == 99"),
        net("upsample(size=115x115)", image="[3, 50, 50]"),
    ],
    "hides-layer": [net("relu", before="block Relu { tanh }")],
    "layer-or-value": [
        net("B", before="block B { act: relu ; add { act -> tanh ; tanh } }"),
        net("B", before="block B { conv: conv(3, 1) ; add { conv -> tanh ; tanh } }"),
    ],
    "in-of-branch": [
        net("conv(3, 1) -> add { in ; identity }"),  # a net has no other `in`
        net("B", before="block B { add { in ; relu -> tanh } }"),
        net("B", before="block B { in -> [3, 32, 32] -> add { in ; mul { in ; relu } } }"),
        net("B", before="block B { relu -> add { identity ; (in, in) -> mul } }"),
        net("B", before="block B { x = in\n relu -> add { x ; identity } }"),
        net("B", before="block B { if in.rank == 3 { add { in ; relu } } }"),
        net("B", before="block B { r = relu\n (r -> abs, in) -> sub }"),
        net("split(3) -> concat { for m in in { m } }"),
        net("each { add { in ; relu } }"),
    ],
    "unknown-warning": [net("relu") + "# allow: unused-name\n# allow what comes"],
}  # fmt: skip


def codes(text: str, **options: object) -> list[str]:
    return [w.code for w in netdsl.loads(text, **options).warnings]


def cases(table: dict[str, list[str]]) -> list[object]:
    return [pytest.param(c, t, id=f"{c}-{i}") for c, ts in table.items() for i, t in enumerate(ts)]


FCN = """
net Fcn32s(classes: int = 21) {
    input image: [3, H, W]
    f = image -> conv(64, 3, padding=100) -> relu -> maxpool(2, ceil_mode=true) -> conv(64, 3, padding=1)
        -> for i in 0..4 { maxpool(2, ceil_mode=true) } -> conv(64, 7) -> conv(classes, 1)
    output y = f -> conv_transpose(classes, 64, stride=32, bias=false) -> crop(image, offset=19)
}
"""


def test_the_deconvolutions_of_fcn_are_not_odd() -> None:
    """Kernels of twice the stride, as published for all three strides."""
    network = netdsl.loads(FCN)
    assert network.warnings == ()
    assert str(network.sizes) == "any H, any W"
    for kernel, stride in (32, 16), (16, 8), (4, 2):
        chain = f"conv_transpose(21, {kernel}, {stride}, bias=false)"
        assert codes(net(chain, image="[21, 8, 8]")) == []


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.net")), ids=lambda path: path.stem)
def test_no_example_is_odd(example: Path) -> None:
    assert "odd-argument" not in [w.code for w in netdsl.load(example).warnings]


@pytest.mark.parametrize("text", SPEAKS["bias-before-norm"])
def test_a_bias_before_a_norm_changes_nothing(text: str) -> None:
    """In training, where the norm takes the mean of what comes in."""
    torch = pytest.importorskip("torch")
    module = netdsl.loads(text, allow=["bias-before-norm"]).torch(seed=0).train()
    x = torch.rand(4, 3, 32, 32)
    before = module(x)
    for name, weight in module.named_parameters():
        if name.endswith("bias") and weight.abs().max() > 0:  # those of norms begin at 0
            weight.data += 1.0
    torch.testing.assert_close(module(x), before, atol=1e-4, rtol=1e-4)


def test_a_refused_depthwise_kernel_is_not_taken_for_channels() -> None:
    for chain, meant in ("conv(3, 99, 7)", True), ("conv(3, 99, 1, groups=3)", False):
        with pytest.raises(netdsl.DiagnosticError) as caught:
            netdsl.loads(net(chain))
        helps = " ".join(caught.value.diagnostics[0].help)
        assert ("did you mean `conv(99, 7)`?" in helps) == meant


def test_every_warning_has_cases() -> None:
    assert set(SPEAKS) == set(SILENT) == WARNINGS
    assert {rule.__name__.replace("_", "-") for rule in LINTS} < WARNINGS


def test_every_file_is_a_lint_and_runs_in_the_order_of_the_names() -> None:
    names = {path.stem for path in Path(lints.__file__).parent.glob("*.py")}
    assert [lint.__name__ for lint in LINTS] == sorted(names - {"__init__", "silence", "subject"})


@pytest.mark.parametrize(("code", "text"), cases(SPEAKS))
def test_it_speaks(code: str, text: str) -> None:
    assert codes(text) == [code]


@pytest.mark.parametrize(("code", "text"), cases(SILENT))
def test_it_is_silent(code: str, text: str) -> None:
    assert code not in codes(text)


@pytest.mark.parametrize(("code", "text"), cases(SPEAKS))
def test_an_option_silences_it(code: str, text: str) -> None:
    assert codes(text, allow=[code]) == []


@pytest.mark.parametrize(("code", "text"), cases(SPEAKS))
@pytest.mark.parametrize("above", [True, False])
def test_a_comment_silences_it(code: str, text: str, above: bool) -> None:
    (warning,) = netdsl.loads(text).warnings
    lines = text.split("\n")
    place = warning.span.line - 1
    if code == "unknown-warning":
        return
    if above:
        lines[place:place] = [f"    # allow: tight-where, {code}", "    # and a remark"]
    else:
        lines[place] += f"  # allow: {code}"
    assert codes("\n".join(lines)) == []


def test_the_smallest_size_at_which_pytorch_rounds_is_named() -> None:
    """0.7 at 90: 90 * 0.7 is 62.99999999999999."""
    for text, first, ours, theirs in [
        (SPEAKS["size-unlike-pytorch"][0], 50, 115, 114),
        (net("upsample(0.7)", image="[3, H, W]"), 90, 63, 62),
        (net("upsample(0.29)", image="[3, H, W] where H >= 150, W >= 4, W < 100"), 200, 58, 57),
        (
            net("pad(left=1) -> upsample(2.3)", image="[3, H, W] where H == 7, W == 99"),
            100,
            230,
            229,
        ),
    ]:
        (warning,) = netdsl.loads(text, allow=["tight-where"]).warnings
        assert f"{ours} of {first} cells" in warning.message
        assert warning.message.endswith(f"makes {theirs}")


def test_a_comment_elsewhere_silences_nothing() -> None:
    text = "# allow: unused-name\n\n" + SPEAKS["unused-name"][0]
    assert codes(text) == ["unused-name"]


def test_directives_are_not_documentation() -> None:
    text = (
        "# A net.\n# allow: unused-name\nnet A(n: int = 1) { input x: [3]; output y = x -> relu }"
    )
    network = netdsl.loads(text)
    assert network.graph.doc == "A net."
    assert network.warnings == ()


def test_used_files_are_judged_on_their_own(tmp_path: Path) -> None:
    (tmp_path / "b.net").write_text("block B(n: int) { relu }\n")
    path = tmp_path / "a.net"
    path.write_text('use "./b.net"\n' + net("B(3)"))
    assert netdsl.load(path).warnings == ()


def test_errors_are_never_silenced() -> None:
    text = net("conv(8, 99)") + "# allow: unused-name"
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(text, allow=["shape-mismatch"])
    assert [d.code for d in caught.value.diagnostics] == ["shape-mismatch"]
