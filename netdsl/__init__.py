"""netdsl: a language for neural-network architectures, and its compiler.

`load(path)` and `loads(text)` give a checked `Network`, and so does a `GraphBuilder`, call by call;
what is wrong raises `DiagnosticError`. `from_torch(module, inputs)` and the like import what others
have, and `load` takes their files too.
Importing netdsl imports neither torch nor onnx.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from netdsl.version import __version__

if TYPE_CHECKING:
    from netdsl.diagnostics import Diagnostic, DiagnosticError
    from netdsl.driver import load, loads
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

__all__ = [
    "Diagnostic",
    "DiagnosticError",
    "FitError",
    "GraphBuilder",
    "Network",
    "PluginError",
    "__version__",
    "from_caffe",
    "from_darknet",
    "from_keras",
    "from_onnx",
    "from_torch",
    "from_ultralytics",
    "load",
    "loads",
]

_HOMES = {
    "Diagnostic": "netdsl.diagnostics",
    "DiagnosticError": "netdsl.diagnostics",
    "FitError": "netdsl.ir.fitting",
    "GraphBuilder": "netdsl.graph_builder",
    "Network": "netdsl.network",
    "PluginError": "netdsl.ops.plugins",
    "from_caffe": "netdsl.importing",
    "from_darknet": "netdsl.importing",
    "from_keras": "netdsl.importing",
    "from_onnx": "netdsl.importing",
    "from_torch": "netdsl.importing",
    "from_ultralytics": "netdsl.importing",
    "load": "netdsl.driver",
    "loads": "netdsl.driver",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'netdsl' has no attribute {name!r}")
