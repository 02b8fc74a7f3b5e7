"""`weight` lines: what is learned, stored and filled with what; tables that meet layers."""

from __future__ import annotations

import pytest

import netdsl
from tests.elaborate.compile_text import errors_of, net
from tests.torchvision_models import torchvision_models

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402


def module_of(text: str) -> nn.Module:
    return netdsl.loads(text, allow=["unused-name"]).torch(seed=0).eval()


def run(text: str, *inputs):
    """What PyTorch gives; ONNX Runtime has to give the same."""
    network = netdsl.loads(text, allow=["unused-name"])
    module = network.torch(seed=0).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-1, 1)
        results = module(*inputs)
    results = results if isinstance(results, tuple) else (results,)
    session = onnxruntime.InferenceSession(network.onnx(module).SerializeToString())
    names = [item.name for item in network.inputs]
    feeds = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
    for ours, theirs in zip(session.run(None, feeds), results, strict=True):
        torch.testing.assert_close(torch.from_numpy(ours), theirs)
    return module, results


LISTED = """
net Listed {
    input x: [2, 3]
    weight factors.0: [3]
    weight factors.2: [3]
    let last = 2
    weight rows.[last]: [2, 1]
    output y = (x, factors[0], factors[last]) -> mul -> add { identity ; rows[2] }
}
"""


def test_weights_whose_labels_end_in_numbers_are_called_in_brackets():
    x = torch.randn(2, 2, 3)
    module, (y,) = run(LISTED, x)
    state = module.state_dict()
    assert list(state) == ["factors.0", "factors.2", "rows.2"]
    torch.testing.assert_close(y, x * state["factors.0"] * state["factors.2"] + state["rows.2"])
    assert errors_of(LISTED.replace("[last])", "[1])")) == ["bad-expression 8:32"]


# --- what is kept, and how it begins ------------------------------------------------------

KINDS = """
net Kinds {
    input x: [2, 3]
    weight learned: [2, 1] = 0.5
    weight stored: frozen [2, 3] = [1, 2, 3]
    weight fixed: constant [2, 3] = [4, 5, 6, 7, 8, 9]
    output y = (x, learned, stored, fixed) -> add
}
"""


def test_what_is_learned_and_what_is_stored():
    module = module_of(KINDS)
    assert list(module.state_dict()) == ["learned", "stored"]
    assert [name for name, _ in module.named_parameters()] == ["learned"]
    x = torch.zeros(1, 2, 3)
    wanted = 0.5 + torch.tensor([[1.0, 2, 3], [1, 2, 3]]) + torch.tensor([[4.0, 5, 6], [7, 8, 9]])
    assert torch.equal(module(x)[0], wanted)
    assert module.double()(x.double()).dtype is torch.float64
    assert netdsl.loads(KINDS).parameters == 2


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("frozen [3, 3] = identity", torch.eye(3)),
        ("[3, 3] = [1, 2, 3]", torch.tensor([[1.0, 2, 3]] * 3)),
        ("[3, 3] = 0.25", torch.full((3, 3), 0.25)),
        ("[3, 3]", torch.zeros(3, 3)),
        ("frozen [3, 3] = [2 ** 0.5, -1, 1e-3]", torch.tensor([[2**0.5, -1, 1e-3]] * 3)),
    ],
)
def test_fills(line, wanted):
    module = module_of(
        f"net N {{\n input x: [3, 3]\n weight w: {line}\n output y = (x, w) -> add\n}}"
    )
    assert torch.equal(module.w, wanted)


def test_words_of_drawing_are_those_of_pytorch():
    text = """
net N {
    input x: [64, 81]
    weight a: [64, 81] = normal(0.02)
    weight b: [64, 81] = kaiming_normal
    weight c: frozen [64, 81] = xavier_uniform
    output y = (x, a, b, c) -> add
}
"""
    source = netdsl.loads(text).torch_source()
    for line in (
        "nn.init.normal_(self.a, std=0.02)",
        'nn.init.kaiming_normal_(self.b, nonlinearity="relu")',
        "nn.init.xavier_uniform_(self.c)",
    ):
        assert line in source
    module = module_of(text)
    assert abs(module.a.std().item() - 0.02) < 0.002
    assert abs(module.b.std().item() - (2 / 81) ** 0.5) < 0.01
    assert module.c.abs().max() <= (6 / (64 + 81)) ** 0.5


def test_positions_are_those_of_swin_and_beit():
    torchvision_models()
    from timm.layers.pos_embed_rel import gen_relative_position_index
    from torchvision.models.swin_transformer import ShiftedWindowAttention

    text = """
net N(size: int, cells: int) {
    input x: [cells, cells]
    weight bias: [(2 * size - 1) ** 2 + 3, 2]
    weight index: int64 [cells, cells] = relative_position
    y = index -> embedding((2 * size - 1) ** 2 + 3, 2, weight=bias) -> permute([2, 0, 1])
        -> slice(0, 0, 1) -> reshape([cells, cells])
    output z = (x, y) -> add
}
"""
    for window in (2, 3, 7):
        for token in (False, True):
            cells = window**2 + token
            network = netdsl.loads(text, params={"size": window, "cells": cells})
            index = network.torch().index
            wanted = gen_relative_position_index((window, window), class_token=token)
            assert torch.equal(index, wanted), (window, token)
    swin = ShiftedWindowAttention(8, [3, 3], [0, 0], 2)
    flat = "net N {\n input x: int64 [81]\n weight i: int64 [81] = relative_position\n"
    module = module_of(flat + " output y = (x, i) -> add\n}")
    assert torch.equal(module.i, swin.relative_position_index)


@pytest.mark.parametrize("kernel", [4, 5, 8])
def test_a_bilinear_kernel_interpolates(kernel):
    """The weights of `ConvTranspose2d` with which it gives what `F.interpolate` gives inside."""
    factor = (kernel + 1) // 2
    for inner in (1, 3):
        shape = f"[3, {inner}, {kernel}, {kernel}]"
        module = module_of(
            f"net N {{\n input x: {shape}\n weight w: {shape} = bilinear\n"
            " output y = (x, w) -> add\n}"
        )
        x = torch.rand(1, 3, 7, 9)
        padding, groups = (kernel - factor) // 2, 3 // inner
        grown = F.conv_transpose2d(x, module.w, stride=factor, padding=padding, groups=groups)
        wanted = F.interpolate(x, scale_factor=factor, mode="bilinear")
        inside = (..., slice(factor, -factor), slice(factor, -factor))
        torch.testing.assert_close(grown[inside], wanted[inside])


# --- tables in layers --------------------------------------------------------------------


def test_a_table_runs_as_a_batch_of_one():
    text = """
net N {
    input x: [4, H, W]
    weight w: [3, 8, 8]
    weight pos: [6, 4]
    (a, b) = w -> conv: conv(4, 3) -> relu -> split(2)
    t = a -> flatten -> fc: linear(4) -> reshape([4, 1, 1])
    u = pos -> permute([1, 0]) -> attn: attention(2) -> slice(1, 0, 1) -> reshape([4, 1, 1])
    g = b -> global_avgpool -> out: linear(4) -> reshape([4, 1, 1])
    output y = (x, t, u, g) -> add
    output z = x -> upsample(size=w)
}
"""
    for shape in (1, 4, 5, 6), (3, 4, 9, 2):
        x = torch.randn(shape)
        m, (y, z) = run(text, x)
        a, b = m.conv(m.w[None]).relu().chunk(2, 1)
        q = m.pos.t()[None]
        u = m.attn(q, q, q)[0][0][:, :1].reshape(4, 1, 1)
        t = m.fc(a.flatten(1)).reshape(4, 1, 1)
        wanted = x + t + u + m.out(b.mean((2, 3))).reshape(4, 1, 1)
        torch.testing.assert_close(y, wanted)
        assert z.shape[2:] == (8, 8)


def test_tied_tables():
    text = """
net Tied(words: int = 50, width: int = 6) {
    input ids: int64 [T]
    weight wte.weight: [words, width]
    weight b: [words]
    e = ids -> embedding(words, width, weight=wte.weight) -> mix: linear(width)
    output logits = e -> linear(words, bias=b, weight=wte.weight)
    t = wte.weight -> down: linear(4) -> slice(0, 0, 6) -> permute([1, 0])
    output z = e -> linear(4, weight=t, bias=false)
}
"""
    ids = torch.randint(0, 50, (3, 7))
    m, (logits, z) = run(text, ids)
    table = m.wte.weight
    e = m.mix(F.embedding(ids, table))
    torch.testing.assert_close(logits, e @ table.t() + m.b)
    torch.testing.assert_close(z, e @ m.down(table)[:6])
    keys = ["b", "wte.weight", "mix.weight", "mix.bias", "down.weight", "down.bias"]
    assert list(m.state_dict()) == keys
    m(ids)[0].sum().backward()
    assert table.grad is not None


CONVOLUTIONS = """
net Convolutions {
    input x: [4, H, W]
    weight filt: frozen [4, 1, 3, 3] = [1, 2, 1, 2, 4, 2, 1, 2, 1]
    weight v: [6, 4, 3, 3] = normal(0.1)
    weight g: [6, 1, 1, 1] = 1
    weight b: [6]
    weight up: [6, 2, 4, 4]
    w = (div { v ; v -> norm(axis=[1, 2, 3], keep=true) }, g) -> mul
    y = x -> conv(4, 3, groups=4, padding=1, bias=false, weight=filt)
        -> conv(6, 3, padding=2, stride=2, dilation=2, weight=w, bias=b)
    output z = y
        -> conv_transpose(12, 4, 2, padding=1, output_padding=1, groups=6, bias=false, weight=up)
    output s = x -> conv(6, 3, weight=w, bias=b, padding=same)
}
"""


@pytest.mark.parametrize("shape", [(1, 4, 9, 8), (3, 4, 5, 12)])
def test_convolutions_with_tables(shape):
    """Blurring and weight-normalised kernels: PyTorch's functions, written by hand."""
    x = torch.randn(shape)
    m, (z, s) = run(CONVOLUTIONS, x)
    w = m.v / m.v.flatten(1).norm(dim=1)[:, None, None, None] * m.g
    y = F.conv2d(x, m.filt, padding=1, groups=4)
    y = F.conv2d(y, w, m.b, stride=2, padding=2, dilation=2)
    wanted = F.conv_transpose2d(y, m.up, stride=2, padding=1, output_padding=1, groups=6)
    torch.testing.assert_close(z, wanted)
    torch.testing.assert_close(s, F.conv2d(x, w, m.b, padding=1))
    assert set(m.state_dict()) == {"filt", "v", "g", "b", "up"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("weight w: [3] = norml\n    output y = (x, w) -> add", "bad-argument 4:21"),
        ("weight w: [3, 32, 32] = [1, 2]\n    output y = (x, w) -> add", "bad-argument 4:29"),
        ("weight w: constant [3, 1, 1]\n    output y = (x, w) -> add", "bad-argument 4:5"),
        (
            "weight w: constant [3, 1] = normal(0.1)\n    output y = (x, w) -> add",
            "bad-argument 4:33",
        ),
        ("weight w: frozn [3, 1, 1]\n    output y = (x, w) -> add", "bad-argument 4:15"),
        ("weight w: int64 [3, 1, 1] = 0.5\n    output y = (x, w) -> add", "bad-argument 4:33"),
        ("weight w: [3, 4] = identity\n    output y = (x, w) -> add", "bad-argument 4:24"),
        ("weight w: [32] = kaiming_normal\n    output y = (x, w) -> add", "bad-argument 4:22"),
        ("weight w: [8, 32]\n    output y = x -> linear(8, weight=w)", "bad-argument 5:38"),
        (
            "weight w: [8, 31]\n    output y = x -> linear(8, weight=w, bias=false)",
            "shape-mismatch 5:38",
        ),
        (
            "weight b: [8]\n    output y = x -> linear(8, bias=b)",
            "bad-argument 5:36",
        ),
        ("output y = x -> linear(8, weight=x, bias=false)", "bad-argument 4:38"),
        (
            "weight w: [8, 3, 3, 3]\n    output y = x -> conv(8, 3, bias=false, weight=w, padding=1, "
            "padding_mode=reflect)",
            "bad-argument 5:78",
        ),
        (
            "weight w: [8, 3, 1, 1]\n    output y = x -> conv(8, 3, bias=false, weight=w)",
            "shape-mismatch 5:51",
        ),
        (
            "weight w: [8, 3, 3, 3]\n    output y = x -> conv(8, 3, bias=false, weight=w, init=normal)",
            "bad-argument 5:59",
        ),
        ("weight w: [3, 8, 8]\n    output y = w -> conv(8, 3)", "weight-without-batch 5:5"),
        (
            "weight w: [3, 32, 32]\n    output y = (x, w -> batchnorm) -> add",
            "weight-without-batch 5:25",
        ),
    ],
)
def test_refusals(lines, expected):
    text = net(f"    {lines}")
    assert expected in errors_of(text), errors_of(text)
