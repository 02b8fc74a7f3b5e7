"""Runs ONNX files beside PyTorch, and says how far apart the answers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from netdsl.network import Network
from tests.examples import random_inputs


def session(model: bytes | str | Path) -> Any:
    """A session of ONNX Runtime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def apart(theirs: Any, ours: Any, least: float = 1e-6) -> float:
    """The greatest difference, relative to the greatest number; infinite for other shapes.

    `least` is what the greatest number counts as where it is smaller.
    """
    least_float = float(np.finfo(np.float32).min)  # a window of padding alone: PyTorch says -inf
    a, b = (np.maximum(np.asarray(x, dtype=np.float64), least_float) for x in (theirs, ours))
    if a.shape != b.shape:
        return float("inf")
    if not a.size:
        return 0.0
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    scale = max(least, float(np.abs(a[np.isfinite(a)]).max(initial=0.0)))
    with np.errstate(invalid="ignore"):  # infinite numbers that are equal
        return float(np.where(same, 0.0, np.abs(a - b)).max()) / scale


def restless(module: torch.nn.Module) -> torch.nn.Module:
    """In evaluation mode, with statistics and biases that leave nothing out."""
    for key, value in module.state_dict().items():
        if "running_var" in key:
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point() and value.ndim == 1:
            value.normal_(0.2, 0.5)
    return module.eval()


def outputs(module: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> list[np.ndarray]:
    """What PyTorch gives at inference."""
    with torch.no_grad():
        found = module(*inputs)
    found = [found] if torch.is_tensor(found) else [part for part in found if part is not None]
    return [part.numpy() for part in found]


def difference(
    running: Any,
    network: Network,
    module: torch.nn.Module,
    sizes: Mapping[str, int],
    batch: int,
) -> float:
    """How far ONNX Runtime and PyTorch are apart on random inputs of these sizes."""
    inputs = random_inputs(network, dict(sizes), batch)
    names = [item.name for item in network.inputs]
    ours = running.run(None, dict(zip(names, (x.numpy() for x in inputs), strict=True)))
    return max(apart(a, b) for a, b in zip(outputs(module, inputs), ours, strict=True))


def check_file(model: onnx.ModelProto) -> None:
    """onnx's own checker, with shape inference that has to agree with what the file says."""
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(
        without_types(model), strict_mode=True, data_prop=True
    )
    said = {v.name: dims(v) for v in (*model.graph.value_info, *model.graph.output)}
    for value in inferred.graph.value_info:
        if value.name not in said:
            continue
        for ours, theirs in zip(said[value.name], dims(value), strict=True):
            if isinstance(ours, int) and isinstance(theirs, int):
                assert ours == theirs, (value.name, said[value.name], dims(value))


def without_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without what it says of the values within, so that onnx must find out."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    return bare


def dims(value: onnx.ValueInfoProto) -> list[int | str | None]:
    shape = value.type.tensor_type.shape
    return [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in shape.dim]
