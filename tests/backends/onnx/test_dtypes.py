"""Element types: what a rule accepts PyTorch runs, and ONNX Runtime too or the export refuses."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

import netdsl
from netdsl.ir.tensor import DTYPES
from netdsl.ops import registry
from netdsl.ops.op_parameters import parameters
from tests.ops.settings import OF_VALUES, random_case

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import apart, outputs, session  # noqa: E402
from tests.backends.onnx.test_layers import OneLayer, is_singular, one_layer  # noqa: E402

CASES = 14
TOLERANCE = {"float16": 2e-2, "bfloat16": 1e-1}


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype != "float32"])
@pytest.mark.parametrize("name", OF_VALUES)
def test_an_element_type(name: str, dtype: str) -> None:
    draw = Random(f"{name} {dtype}")
    for _ in range(CASES if parameters(registry()[name]) else 3):
        op, inputs = random_case(registry()[name], draw)
        inputs = tuple(replace(tensor, dtype=dtype) for tensor in inputs)
        network = one_layer(op, inputs)
        if network is None or is_singular(op):
            continue
        node = next(network.graph.nodes())
        results = tuple(value.type for value in node.outputs)
        module = OneLayer(op, inputs, results).eval()
        tensors = [(torch.rand(2, *t.shape) * 1.9).to(getattr(torch, dtype)) for t in inputs]
        if name == "embedding":
            tensors = [x % op.count for x in tensors]
        try:
            with torch.no_grad():
                found = module(*tensors)
        except NotImplementedError:  # some kernels are there on the GPU only
            continue
        found = [found] if torch.is_tensor(found) else list(found)
        assert [str(x.dtype) for x in found] == [f"torch.{t.dtype}" for t in results]
        try:
            model = network.onnx(module)
        except netdsl.DiagnosticError as error:
            assert error.diagnostics[0].code == "not-in-onnx"
            continue
        running = session(model.SerializeToString())
        if dtype == "bfloat16":  # numpy has no such numbers to hand over
            continue
        ours = running.run(None, {f"x{i}": x.numpy() for i, x in enumerate(tensors)})
        for theirs, mine in zip(outputs(module, tensors), ours, strict=True):
            assert theirs.dtype == mine.dtype
            assert apart(theirs, mine, 1.0) <= TOLERANCE.get(dtype, 1e-5), (op, inputs)
