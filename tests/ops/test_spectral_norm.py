"""`spectral_norm` against PyTorch's own: settings, numbers, steps of training, gradients, ONNX."""

from __future__ import annotations

from collections import Counter
from math import prod
from random import Random
from typing import Any

import pytest

import netdsl
from netdsl.ir.dim import symbol
from netdsl.ir.tensor import Tensor
from netdsl.ops.base import Rules
from netdsl.ops.refusal import Refusal
from netdsl.ops.spectral_norm import SpectralNorm

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from tests.ops.realise import make_module  # noqa: E402

CASES = 400


def random_table(random: Random) -> tuple[SpectralNorm, Tensor]:
    axis = random.choice([0, 0, 1, -1, 2, -2, 3, -4, "channels"])
    steps = random.choice([1, 1, 2, 3, 0, -1])
    shape = tuple(random.choice([1, 2, 3, 4]) for _ in range(random.choice([1, 2, 2, 3, 4, 5])))
    op = SpectralNorm(axis, steps, random.choice([1e-12, 1e-4, 0.5]))
    return op, Tensor(shape, batched=False)


def pytorchs(op: SpectralNorm, weight: Any) -> Any:
    """PyTorch's own on a parameter; raises where it takes none of it."""
    module = nn.Module()
    module.weight = nn.Parameter(weight.clone())
    dim = 0 if op.axis == "channels" else op.axis
    return nn.utils.parametrizations.spectral_norm(
        module, n_power_iterations=op.steps, eps=op.eps, dim=dim
    )


def test_settings_weights_numbers_and_steps_are_those_of_pytorch() -> None:
    random, seen = Random("spectral norm"), Counter[str]()
    torch.manual_seed(0)
    for _ in range(CASES):
        op, table = random_table(random)
        weight = torch.randn(table.shape)
        try:
            (result,) = op.infer((table,), Rules())
        except Refusal as refusal:
            if refusal.code != "wrong-rank":  # of a list PyTorch takes the length
                with pytest.raises((IndexError, ValueError)):
                    pytorchs(op, weight)
            seen[refusal.code] += 1
            continue
        theirs = pytorchs(op, weight)
        ours = make_module(op.torch((table,), (result,))).train()
        buffers = {s.key: (s.shape, s.trained) for s in op.weights((table,))}
        assert buffers == {k: (tuple(v.shape), False) for k, v in ours.state_dict().items()}
        stored = theirs.parametrizations.weight[0].state_dict()
        ours.load_state_dict(stored, strict=True)
        assert result == table
        own = theirs.parametrizations.weight.original
        for is_training in True, False, True:
            ours.train(is_training)
            theirs.train(is_training)
            mine = own.detach().clone().requires_grad_()
            found, wanted = ours(mine), theirs.weight
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
            pull = torch.randn(table.shape)
            (slope,) = torch.autograd.grad((found * pull).sum(), mine)
            (other,) = torch.autograd.grad((wanted * pull).sum(), own)
            torch.testing.assert_close(slope, other, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(
                dict(ours.state_dict()), dict(theirs.parametrizations.weight[0].state_dict())
            )
        seen["accepted"] += 1
    assert seen["accepted"] > CASES * 0.3
    assert seen["bad-argument"] > CASES * 0.1
    assert seen["wrong-rank"]


def test_it_comes_near_the_largest_singular_value() -> None:
    torch.manual_seed(0)
    table = Tensor((6, 4, 3), batched=False)
    module = make_module(SpectralNorm(axis=1).torch((table,), (table,))).train()
    weight = torch.randn(6, 4, 3)
    for _ in range(200):
        found = module(weight)
    largest = torch.linalg.matrix_norm(weight.permute(1, 0, 2).flatten(1), 2)
    torch.testing.assert_close(found, weight / largest, rtol=1e-4, atol=1e-5)


def test_two_passes_before_a_backward_pass() -> None:
    """As GANs train: the second pass must not spoil what the first one has kept."""
    text = (
        "net A { input x: [3] ; weight w: [4, 3] = kaiming_normal ; s = w -> spectral_norm\n"
        "output y = x -> linear(4, bias=false, weight=s) }"
    )
    module = netdsl.loads(text).torch(seed=0)
    (module(torch.randn(2, 3)).sum() - module(torch.randn(2, 3)).sum()).backward()
    assert module.w.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (Tensor((4, 3)), "bad-argument"),
        (Tensor((4,), batched=False), "wrong-rank"),
        (Tensor((), batched=False), "wrong-rank"),
        (Tensor((4, 3), "int64", batched=False), "wrong-dtype"),
        (Tensor((2, symbol("H")), batched=False), "needs-fixed-size"),
    ],
)
def test_what_is_no_weight(table: Tensor, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        SpectralNorm().infer((table,), Rules())
    assert refused.value.code == code


NETS = {
    "conv": "weight w: [8, 4, 3, 2] = kaiming_normal\n s = w -> f: spectral_norm\n"
    "output y = x -> conv(8, (3, 2), bias=false, weight=s)",
    "conv_transpose": "weight w: [4, 6, 3, 3] = kaiming_normal\n s = w -> f: spectral_norm(axis=1)\n"
    "output y = x -> conv_transpose(6, 3, bias=false, weight=s)",
    "linear": "weight w: [5, 4] = kaiming_normal\n s = w -> f: spectral_norm(axis=-1)\n"
    "output y = x -> permute([1, 2, 0]) -> linear(5, bias=false, weight=s)",
}


@pytest.mark.parametrize("name", NETS)
def test_onnx_at_open_sizes(name: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network = netdsl.loads(f"net A {{ input x: [4, H, W]\n {NETS[name]} }}")
    module = network.torch(seed=0)
    for size in (5, 6), (9, 4):
        module.train()(torch.randn(2, 4, *size))  # a step of the estimate
        module.eval()
        session = onnxruntime.InferenceSession(network.onnx(module).SerializeToString())
        x = torch.randn(3, 4, *size)
        (found,) = session.run(None, {"x": x.numpy()})
        with torch.no_grad():
            wanted = module(x)
        assert tuple(wanted.shape[1:]) == found.shape[1:]
        torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=1e-4, atol=1e-4)


def test_counts_and_the_first_numbers() -> None:
    network = netdsl.loads(f"net A {{ input x: [4, 5, 6]\n {NETS['conv']} }}")
    row = next(row for row in network.summary().rows if row.path == "f")
    assert (row.parameters, row.connections) == (0, 0)  # `w` is what is learned
    state = network.torch(seed=0).state_dict()
    for key, count in ("f._u", 8), ("f._v", 24):
        assert state[key].shape == (count,)
        torch.testing.assert_close(state[key].norm(), torch.tensor(1.0))
    assert prod(state["w"].shape) == 8 * 24


def test_keys_of_a_parametrised_layer_load() -> None:
    """A checkpoint of PyTorch's `spectral_norm`, by name, and the numbers that it gives."""
    conv = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 6, 3, padding=1))
    text = "use std.kernels\nnet D { input x: [3, H, W] ; output y = x -> conv: SpectralNormConv(6, 3) }"
    state = {f"conv.{key}": value for key, value in conv.state_dict().items()}
    module = netdsl.loads(text).torch(weights=state).eval()
    x = torch.randn(2, 3, 7, 8)
    torch.testing.assert_close(module(x), conv.eval()(x))
