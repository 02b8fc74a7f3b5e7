"""Norms along axes, beside PyTorch's modules with the same keys, and written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import netdsl

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
nn, F = torch.nn, torch.nn.functional

from tests.backends.onnx.runtime import outputs, session  # noqa: E402


class Turned(nn.Module):
    """A module that goes along the last axis, along another one; its keys are those of `inner`."""

    def __init__(self, inner: Any, axis: int) -> None:
        super().__init__()
        self.inner, self.axis = inner, axis

    def forward(self, x: Any) -> Any:
        return self.inner(x.movedim(self.axis + 1, -1)).movedim(-1, self.axis + 1)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return self.inner.state_dict(*args, **kwargs)


# stage on [4, 6, 5]: PyTorch's module
MODULES: dict[str, Callable[[], Any]] = {
    "layernorm": lambda: nn.LayerNorm(5),
    "layernorm(axis=[-1], eps=0.1)": lambda: nn.LayerNorm(5, eps=0.1),
    "layernorm(axis=[-2, -1])": lambda: nn.LayerNorm((6, 5)),
    "layernorm(axis=[0, 1, 2], bias=false)": lambda: nn.LayerNorm((4, 6, 5), bias=False),
    "layernorm(bias=false)": lambda: nn.LayerNorm(5, bias=False),
    "layernorm(affine=false, eps=0.01)": lambda: nn.LayerNorm(5, 0.01, elementwise_affine=False),
    "layernorm(axis=channels, bias=false)": lambda: Turned(nn.LayerNorm(4, bias=False), 0),
    "layernorm(axis=1, affine=false)": lambda: Turned(nn.LayerNorm(6, elementwise_affine=False), 1),
    "rmsnorm": lambda: nn.RMSNorm(5),
    "rmsnorm(eps=0.1)": lambda: nn.RMSNorm(5, eps=0.1),
    "rmsnorm(axis=[1, 2])": lambda: nn.RMSNorm((6, 5)),
    "rmsnorm(affine=false)": lambda: nn.RMSNorm(5, elementwise_affine=False),
    "rmsnorm(axis=0, eps=1e-3)": lambda: Turned(nn.RMSNorm(4, eps=1e-3), 0),
}


@pytest.mark.parametrize("stage", MODULES)
def test_they_are_modules_of_pytorch(stage: str) -> None:
    theirs = MODULES[stage]()
    for weight in theirs.parameters():
        nn.init.normal_(weight)
    network = netdsl.loads(f"net A {{ input x: [4, 6, 5]\n output y = x -> n: {stage} }}")
    state = {f"n.{key}": value for key, value in theirs.state_dict().items()}
    ours = network.torch(weights=state)
    assert list(ours.state_dict()) == list(state)
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 5) * 1e-2
    for model in ours, theirs:
        model.zero_grad()
    given = [x.clone().requires_grad_() for _ in range(2)]
    found, wanted = ours(given[0]), theirs(given[1])
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)
    for result in found, wanted:
        (result * torch.linspace(-1, 1, 5)).sum().backward()
    torch.testing.assert_close(given[0].grad, given[1].grad)
    (made,) = session(network.onnx(ours).SerializeToString()).run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(made), wanted.detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [1, 3, 8])
def test_without_weights_an_axis_may_be_open(size: int) -> None:
    text = """
    net A {
        input x: [4, H, W]
        output y = x -> layernorm(affine=false, eps=0.1)
        output z = x -> layernorm(axis=[1, 2], affine=false)
        output u = x -> rmsnorm(affine=false)
    }
    """
    network = netdsl.loads(text)
    module: Any = network.torch()
    x = torch.randn(2, 4, 7, size)
    found = outputs(module, [x])
    wanted = [
        F.layer_norm(x, (size,), eps=0.1),
        F.layer_norm(x, (7, size)),
        x / (x.pow(2).mean(-1, keepdim=True) + 2**-23).sqrt(),
    ]
    made = session(network.onnx(module).SerializeToString()).run(None, {"x": x.numpy()})
    for ours, theirs, right in zip(found, made, wanted, strict=True):
        torch.testing.assert_close(torch.from_numpy(ours), right, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(torch.from_numpy(theirs), right, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("layernorm(axis=[0, 1])", "takes one axis, or the last ones in order"),
        ("layernorm(axis=[2, 1])", "takes one axis, or the last ones in order"),
        ("rmsnorm(axis=[])", "one axis is needed at least"),
        ("layernorm(axis=3)", "axis 3 is outside"),
        ("layernorm", "the weights of `layernorm` need a known size, and that axis is W"),
        ("rmsnorm(axis=1, affine=false)", "needs a known size unless it goes along the last axis"),
    ],
)
def test_what_they_refuse(stage: str, message: str) -> None:
    with pytest.raises(netdsl.DiagnosticError, match=message.replace("(", r"\(")):
        netdsl.loads(f"net A {{ input x: [4, H, W]\n output y = x -> {stage} }}")
