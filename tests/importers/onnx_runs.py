"""An ONNX file in ONNX Runtime, and what was imported from it in PyTorch, on the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from netdsl import loads
from netdsl.importers.frontend import Question
from netdsl.importers.imported import Imported, read
from netdsl.network import Network

TOLERANCE = 1e-5
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def graph_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str],
    weights: Mapping[str, Any] | None = None,
    *,
    opset: int = 18,
    dtype: int = FLOAT,
    listed: bool = False,
) -> onnx.ModelProto:
    """A model of some nodes; with `listed` its weights are inputs too, as in old files."""
    arrays = {name: np.asarray(value) for name, value in (weights or {}).items()}
    ports = [helper.make_tensor_value_info(n, dtype, list(shape)) for n, shape in inputs.items()]
    if listed:
        ports += [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in arrays.items()
        ]
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    given = [numpy_helper.from_array(a, n) for n, a in arrays.items()]
    graph = helper.make_graph(list(nodes), "small", ports, results, given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    if any(node.domain for node in nodes):
        return model
    inferred = onnx.shape_inference.infer_shapes(model)
    for one, own in zip(inferred.graph.output, model.graph.output, strict=True):
        own.type.tensor_type.elem_type = one.type.tensor_type.elem_type or FLOAT
    return model


def saved(model: onnx.ModelProto, folder: Path, name: str = "net.onnx") -> str:
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return str(path)


def imported(path: str, *, opens: bool = False, **inputs: Any) -> tuple[Imported, Network]:
    result = read(Question(path, opens=opens, inputs=inputs))
    return result, loads(result.text)


def module_of(result: Imported, network: Network) -> torch.nn.Module:
    """The imported network with the numbers of the file, all of them and no others."""
    numbers = {key: torch.from_numpy(np.array(f())) for key, f in result.answer.numbers.items()}
    module = network.torch(seed=0)
    counted = {key for key in module.state_dict() if key.endswith("num_batches_tracked")}
    missing, unexpected = module.load_state_dict(numbers, strict=False)
    assert set(missing) <= counted
    assert not unexpected
    return module.eval()


def session(path: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def feeds_for(run: onnxruntime.InferenceSession, sizes: Mapping[str, int], seed: int = 0) -> Any:
    """Random inputs, open sizes by their names in the file."""
    rng = np.random.default_rng(seed)
    feeds = {}
    for one in run.get_inputs():
        shape = [size if isinstance(size, int) else sizes[size] for size in one.shape]
        if "int" in one.type:
            feeds[one.name] = rng.integers(0, 2, shape).astype(np.int64)
        elif "bool" in one.type:
            feeds[one.name] = rng.random(shape) > 0.4
        else:
            feeds[one.name] = rng.standard_normal(shape).astype(np.float32)
    return feeds


def in_torch(module: torch.nn.Module, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    with torch.no_grad():
        results = module(*(torch.from_numpy(np.array(value)) for value in feeds.values()))
    listed = [results] if isinstance(results, torch.Tensor) else list(results)
    return [one.numpy() for one in listed]


def check_equal(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], what: str = "") -> None:
    """Equal shapes, and numbers that differ by less than a part of the largest one."""
    assert len(ours) == len(theirs), what
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape, what
        if not np.issubdtype(other.dtype, np.floating):
            assert (one.astype(np.int64) == other.astype(np.int64)).all(), what
            continue
        distance = np.abs(one - other).max(initial=0.0)
        assert distance <= TOLERANCE * max(1.0, np.abs(other).max(initial=0.0)), (what, distance)


def check_same(
    path: str, sizes: Sequence[Mapping[str, int]] = ({},), *, opens: bool = False
) -> tuple[Imported, Network]:
    """Import a file and compare at several sizes; gives what was imported."""
    result, network = imported(path, opens=opens)
    module, run = module_of(result, network), session(path)
    for number, one in enumerate(sizes):
        feeds = feeds_for(run, one, number)
        check_equal(in_torch(module, feeds), run.run(None, feeds), f"{one}\n{result.text}")
    return result, network
