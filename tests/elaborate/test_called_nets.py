"""Nets that other nets call: their inputs, outputs, keys, sizes and what is wrong with a call."""

from __future__ import annotations

from pathlib import Path

import pytest

import netdsl
from netdsl.diagnostics import DiagnosticError
from tests.elaborate.compile_text import build, keys
from tests.examples import example

torch = pytest.importorskip("torch")

SMALL = """
net Small(classes: int = 10) {
    input image: [3, H, W] where H >= 8, W >= 3
    maps = image -> conv1: conv(4, 3) -> relu
    output logits = maps -> global_avgpool -> fc: linear(classes)
    output aux = maps -> global_maxpool -> aux: linear(classes) when training
}
"""
TWO = """
net Two {
    input left: [C, H, W]
    input right: int64 [N] where N < H
    output a = left -> conv(2, 1)
    output b = right -> embedding(5, 3)
}
"""


def calling(call: str, net: str = SMALL, inputs: str = "input x: [3, H, W]") -> str:
    return f"{net}\nnet Caller {{\n    {inputs}\n    output y = {call}\n}}\n"


def folder(path: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (path / f"{name}.net").write_text(text)
    return path


def test_inline_keeps_the_keys_and_a_label_stands_before_them() -> None:
    text = calling("x -> pad(1) -> inline Small(7)")
    graph, diagnostics = build(text, net="Caller")
    assert graph is not None
    assert not diagnostics
    own, _ = build(SMALL, params={"classes": 7})
    assert own is not None
    assert keys(graph) == keys(own) == [
        "conv1.weight", "conv1.bias", "fc.weight", "fc.bias", "aux.weight", "aux.bias",
    ]  # fmt: skip
    labelled, _ = build(calling("x -> trunk: Small"), net="Caller")
    assert labelled is not None
    assert keys(labelled) == [f"trunk.{key}" for key in keys(own)]


def test_it_computes_what_the_net_computes() -> None:
    network = netdsl.loads(calling("x -> mul(2.0) -> inline Small"), net="Caller")
    own = netdsl.loads(SMALL)
    module, alone = network.torch(seed=1).eval(), own.torch(seed=1).eval()
    alone.load_state_dict(module.state_dict())
    x = torch.randn(2, 3, 9, 11)
    torch.testing.assert_close(module(x), alone(2 * x))
    assert str(network.sizes) == "any H >= 8, any W >= 3"
    assert [o.name for o in network.outputs] == ["y"]


def test_several_inputs_and_outputs_go_by_their_order() -> None:
    inputs = "input x: [3, H, W]\n    input n: int64 [T]"
    call = "s\n    (s, t) = (x, n) -> two: Two\n    output z = t"
    text = (
        calling(call, TWO, inputs)
        .replace("    output y = s\n", "")
        .replace("    output z = t", "    output y = s\n    output z = t")
    )
    network = netdsl.loads(text, net="Caller")
    assert [tuple(map(str, o.shape)) for o in network.outputs] == [("2", "H", "W"), ("T", "3")]
    assert network.sizes.accepts(H=9, W=4, T=8)
    assert not network.sizes.accepts(H=8, W=4, T=8)


def test_a_file_gives_its_nets_by_name_or_through_an_alias(tmp_path: Path) -> None:
    folder(tmp_path, small=SMALL)
    body = "{ input x: [3, H, W]\n output y = x -> inline CALLEE(4) }"
    for use, callee in (
        ('use "./small.net" (Small)', "Small"),
        ('use "./small.net" as s', "s.Small"),
    ):
        folder(tmp_path, caller=f"{use}\nnet Caller {body.replace('CALLEE', callee)}")
        network = netdsl.load(tmp_path / "caller.net")
        assert network.name == "Caller"
        assert network.outputs[0].shape == (4,)
    folder(tmp_path, caller=f'use "./small.net"\nnet Caller {body.replace("CALLEE", "Small")}')
    with pytest.raises(DiagnosticError, match="there is no layer or value `Small`"):
        netdsl.load(tmp_path / "caller.net")


def test_a_whole_file_that_is_used_brings_no_nets_that_clash(tmp_path: Path) -> None:
    """Two files may each define a net `Main`, as they could before nets were called."""
    text = "block B() { relu }\nnet Main { input x: [3, H, W]\n output y = x -> B }"
    folder(tmp_path, one=text, two=text.replace("B()", "C()").replace("-> B", "-> C"))
    folder(
        tmp_path,
        main='use "./one.net"\nuse "./two.net"\nnet Main { input x: [3, H, W]\n output y = x -> B -> C }',
    )
    assert netdsl.load(tmp_path / "main.net").name == "Main"


def test_the_aux_heads_of_googlenet_stay_for_its_checkpoint(tmp_path: Path) -> None:
    folder(tmp_path, googlenet=example("googlenet").read_text())
    folder(
        tmp_path,
        photo='use "./googlenet.net" (GoogLeNet)\n'
        "net Photo { input x: [3, H, W]\n output y = x -> crop(64) -> inline GoogLeNet }",
    )
    ours = netdsl.load(tmp_path / "photo.net").graph
    theirs = netdsl.load(example("googlenet")).graph
    assert sorted(keys(ours)) == sorted(keys(theirs))
    assert any(key.startswith("aux1.") for key in keys(ours))


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (calling("x -> Small", inputs="input x: uint8 [3, H, W]"), "wrong-dtype", "to_float"),
        (calling("x -> Small", inputs="input x: [1, H, W]"), "shape-mismatch", "[3, H, W]"),
        (calling("x -> Small", inputs="input x: [3, 7, 9]"), "size-not-allowed", "H >= 8"),
        (calling("(x, x) -> Small"), "wrong-inputs", "takes 1 (image), and 2 come in"),
        (calling("x -> Small(clases=3)"), "unknown-argument", "clases"),
        (calling("x -> Two", TWO), "wrong-inputs", "takes 2 (left, right), and 1 comes in"),
        ("net A { input x: [3, H, W]\n output y = x -> A }", "too-deep", "nested"),
        (calling("x -> Bare", "net Bare { input x: [3, H, W]\n output y = relu }"),
         "no-source", ""),
        (calling("x -> Pair", "net Pair { input x: [4, H, W]\n output y = x -> split(2) }",
                 "input x: [4, H, W]"), "wrong-inputs", "an output is one value"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_call(text: str, code: str, told: str) -> None:
    net = "Caller" if "Caller" in text else None
    graph, diagnostics = build(text, net=net)
    assert graph is None
    assert diagnostics[0].code == code
    assert told in diagnostics[0].message + " ".join(diagnostics[0].help)
