"""netdsl: a language for neural-network architectures, and its compiler.

`load(path)` and `loads(text)` give a checked `Network`, and so does a `GraphBuilder`, call by call;
what is wrong raises `DiagnosticError`. `from_torch(module, inputs)` and the like import what others
have, and `load` takes their files too. `train(network, data, sizes, out)` trains one.
Importing netdsl imports neither torch nor onnx.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from netdsl.version import __version__

if TYPE_CHECKING:
    from netdsl.diagnostics import Diagnostic, DiagnosticError
    from netdsl.drafting import Draft
    from netdsl.driver import draft, load, loads
    from netdsl.graph_builder import GraphBuilder
    from netdsl.importing import (
        from_caffe,
        from_darknet,
        from_keras,
        from_onnx,
        from_torch,
        from_ultralytics,
    )
    from netdsl.ir.fitting import FitError
    from netdsl.network import Network
    from netdsl.ops.plugins import PluginError
    from netdsl.training.faults import TrainingError
    from netdsl.training.start import train

__all__ = [
    "Diagnostic",
    "DiagnosticError",
    "Draft",
    "FitError",
    "GraphBuilder",
    "Network",
    "PluginError",
    "TrainingError",
    "__version__",
    "draft",
    "from_caffe",
    "from_darknet",
    "from_keras",
    "from_onnx",
    "from_torch",
    "from_ultralytics",
    "load",
    "loads",
    "train",
]

_HOMES = {
    "Diagnostic": "netdsl.diagnostics",
    "DiagnosticError": "netdsl.diagnostics",
    "Draft": "netdsl.drafting",
    "FitError": "netdsl.ir.fitting",
    "GraphBuilder": "netdsl.graph_builder",
    "Network": "netdsl.network",
    "PluginError": "netdsl.ops.plugins",
    "TrainingError": "netdsl.training.faults",
    "draft": "netdsl.driver",
    "from_caffe": "netdsl.importing",
    "from_darknet": "netdsl.importing",
    "from_keras": "netdsl.importing",
    "from_onnx": "netdsl.importing",
    "from_torch": "netdsl.importing",
    "from_ultralytics": "netdsl.importing",
    "load": "netdsl.driver",
    "loads": "netdsl.driver",
    "train": "netdsl.training.start",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'netdsl' has no attribute {name!r}")
