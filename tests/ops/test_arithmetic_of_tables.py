"""Arithmetic and reductions of tables: values without a batch axis, as weights are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import netdsl

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import session  # noqa: E402

# stage: what it makes of a table [4, 3, 5]
ALONE: dict[str, Callable[[Any], Any]] = {
    "mul([1, 0.5, 2, 3])": lambda w: w * torch.tensor([1, 0.5, 2, 3]).view(4, 1, 1),
    "mean(axis=0)": lambda w: w.mean(0),
    "mean(axis=[1, 2], keep=true)": lambda w: w.mean((1, 2), keepdim=True),
    "max(axis=-1) -> reshape([4, 3, 1])": lambda w: w.amax(2)[..., None],
    "sum(axis=[0, 1, 2])": lambda w: w.sum(),
    "norm(axis=[1, 2], keep=true)": lambda w: w.flatten(1).norm(dim=1).view(4, 1, 1),
    "argmax(axis=1, keep=true)": lambda w: w.argmax(1, keepdim=True),
    "cumsum(axis=0)": lambda w: w.cumsum(0),
    "abs -> sqrt -> clamp(low=0.5)": lambda w: w.abs().sqrt().clamp(min=0.5),
    "sum(axis=[0, 1, 2]) -> mul(2) -> add(1)": lambda w: 2 * w.sum() + 1,
    "sub { identity ; mean(axis=[0, 1, 2]) }": lambda w: w - w.mean(),
    "div { identity ; norm(axis=-1) -> reshape([4, 3, 1]) }": lambda w: (
        w / w.norm(dim=2)[..., None]
    ),
    "where { greater(0) ; identity ; mul(0.1) }": lambda w: torch.where(w > 0, w, 0.1 * w),
    "layernorm(affine=false)": lambda w: torch.nn.functional.layer_norm(w, (5,)),
    "rmsnorm(axis=0, affine=false)": lambda w: w / (w.pow(2).mean(0) + 2**-23).sqrt(),
}


def check(text: str, oracle: Callable[[Any, Any], Any]) -> None:
    """The module and the ONNX file, at a batch of 2, where `x` and the weight `w` meet."""
    network = netdsl.loads(text)
    module = network.torch(seed=0)
    torch.manual_seed(1)
    with torch.no_grad():
        module.w.normal_()
        x = torch.randn(2, 4, 3, 5)
        wanted = oracle(module.w, x)
        found = module(x)
    assert found.dtype == wanted.dtype
    assert tuple(found.shape[1:]) == network.outputs[0].shape
    torch.testing.assert_close(found, wanted)
    model = network.onnx(module).SerializeToString()
    (ours,) = session(model).run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(ours), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stage", ALONE)
def test_a_table_by_itself(stage: str) -> None:
    """What comes out is a table, which meets every sample alike."""
    text = f"""
    net A {{
        input x: [4, 3, 5]
        weight w: [4, 3, 5]
        table = w -> {stage}
        output y = (x, table) -> add
    }}
    """
    check(text, lambda w, x: x + ALONE[stage](w))


@pytest.mark.parametrize(
    ("stage", "oracle"),
    [
        ("(x, w) -> mul(0.5)", lambda w, x: x * w * 0.5),
        ("(w, x) -> sub", lambda w, x: w - x),
        ("(x, w -> mean(axis=0)) -> div", lambda w, x: x / w.mean(0)),
        ("(w, x) -> greater", lambda w, x: w > x),
        ("(x, w) -> pow -> abs", lambda w, x: (x**w).abs()),
        ("(x -> greater(0), x, w) -> where", lambda w, x: torch.where(x > 0, x, w)),
        ("(w -> greater(0), x) -> where(7)", lambda w, x: torch.where(w > 0, x, 7)),
        (
            "(x, w -> mean(axis=[1, 2], keep=true)) -> max",
            lambda w, x: x.maximum(w.mean((1, 2), True)),
        ),
        ("(x, w, w -> mul(2)) -> mean", lambda w, x: (x + w + 2 * w) / 3),
        ("(x, w -> argmax(axis=0, keep=true)) -> add", lambda w, x: x + w.argmax(0, keepdim=True)),
        ("(x, w -> sum(axis=-1, keep=true)) -> add", lambda w, x: x + w.sum(2, keepdim=True)),
        (
            "(x, w -> greater(0)) -> concat(axis=1)",
            lambda w, x: torch.cat((x, (w > 0).expand_as(x)), 2),
        ),
    ],
)
def test_a_table_beside_values(stage: str, oracle: Callable[[Any, Any], Any]) -> None:
    text = f"net A {{\n input x: [4, 3, 5]\n weight w: [4, 3, 5]\n output y = {stage}\n}}"
    network = netdsl.loads(text)
    nan = "pow" in stage  # of negative numbers
    if not nan:
        check(text, oracle)
    assert network.outputs[0].value.type.batched


def test_tables_of_several_ranks_align_from_the_right() -> None:
    """As PyTorch aligns tensors: a gain for all, or for each row, of a table of filters."""
    text = """
    net A {
        input x: [4, 3, 5]
        weight w: [4, 3, 5]
        weight gain: []
        weight row: [3, 1]
        table = mul { w ; gain ; row }
        output y = (x, table) -> add
    }
    """
    network = netdsl.loads(text)
    module = network.torch()
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_()
        x = torch.randn(2, 4, 3, 5)
        wanted = x + module.w * module.gain * module.row
        torch.testing.assert_close(module(x), wanted)
    model = network.onnx(module).SerializeToString()
    (ours,) = session(model).run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(ours), wanted)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int64", "bool"])
def test_a_weight_without_axes_counts_less_than_a_value(dtype: str) -> None:
    """`torch.result_type` has float16 of a float16 value and a float32 number of no axes."""
    text = f"""
    net A {{
        input x: {dtype} [4]
        weight w: []
        output y = (x, w) -> add
    }}
    """
    network = netdsl.loads(text)
    kind = getattr(torch, dtype)
    wanted = torch.result_type(torch.zeros(2, 4, dtype=kind), torch.zeros(()))
    assert f"torch.{network.outputs[0].value.type.dtype}" == str(wanted)
    assert network.torch()(torch.ones(2, 4, dtype=kind)).dtype == wanted
