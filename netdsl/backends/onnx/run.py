"""Arrays through the ONNX file of a network, in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from netdsl.backends.onnx.export import export_onnx
from netdsl.backends.onnx.options import Options
from netdsl.backends.weights.renaming import Rename
from netdsl.ir.graph import Graph

if TYPE_CHECKING:
    import numpy as np

    Run = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


def session(path: Path) -> Any:
    """A session of ONNX Runtime on the CPU. Raises `ModuleNotFoundError` where there is none."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def onnx_run(graph: Graph, weights: object, rename: Rename | None = None) -> Run:
    """The same as `torch_run`, through the file that `netdsl export` writes.

    Raises `DiagnosticError` where a layer has no form in ONNX, and for wrong weights.
    """
    with TemporaryDirectory(prefix="netdsl-") as folder:
        path = Path(folder) / "network.onnx"
        export_onnx(graph, path, weights, Options(rename=rename), None, None)
        running = session(path)
    names = [item.name for item in graph.inputs]

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        return running.run(None, dict(zip(names, arrays, strict=True)))

    return run
