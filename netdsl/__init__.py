"""netdsl: a language for neural-network architectures, and its compiler.

`load(path)` and `loads(text)` give a checked `Network`, and so does a `GraphBuilder`, call by call;
what is wrong raises `DiagnosticError`.
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
    from netdsl.network import Network
    from netdsl.ops.plugins import PluginError

__all__ = [
    "Diagnostic",
    "DiagnosticError",
    "GraphBuilder",
    "Network",
    "PluginError",
    "__version__",
    "load",
    "loads",
]

_HOMES = {
    "Diagnostic": "netdsl.diagnostics",
    "DiagnosticError": "netdsl.diagnostics",
    "GraphBuilder": "netdsl.graph_builder",
    "Network": "netdsl.network",
    "PluginError": "netdsl.ops.plugins",
    "load": "netdsl.driver",
    "loads": "netdsl.driver",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'netdsl' has no attribute {name!r}")
