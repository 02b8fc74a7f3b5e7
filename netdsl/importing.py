"""Networks of other frameworks and formats, as networks of this one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdsl.driver import compile_import, compile_imported
from netdsl.importers.frontend import Question
from netdsl.network import Network

if TYPE_CHECKING:
    from torch import nn


def from_torch(module: nn.Module, inputs: Any = None) -> Network:
    """The network that a PyTorch module computes, with its weights under their keys.

    `inputs` are example tensors or shapes without the batch axis (`(3, "H", "W")`): one, several,
    or a dictionary by the names of `forward`'s parameters; None is an image, `(3, "H", "W")`.
    The module is traced on tensors without data, in training mode and in evaluation mode; it is
    left as it was.
    Raises `DiagnosticError`, located in the Python file, for what the language can't say;
    `ValueError` for inputs that are neither.
    """
    from netdsl.importers.imported import imported
    from netdsl.importers.torch import from_module

    return compile_imported(imported(from_module(module, inputs)))


def from_onnx(path: str | Path, *, opens: bool = False) -> Network:
    """The network of an ONNX file, opsets 7 to 24, with its weights.

    With `opens` the height and width of a file of one size are left open, where its own shape
    arithmetic allows it. Raises `DiagnosticError`.
    """
    return compile_import(Question(str(path), opens=opens))


def from_darknet(path: str | Path, weights: str | Path | None = None) -> Network:
    """The network of a Darknet `.cfg`, with the weights of a `.weights` file."""
    return compile_import(Question(str(path), weights=_file(weights)))


def from_caffe(path: str | Path, weights: str | Path | None = None) -> Network:
    """The network of a Caffe `.prototxt`, with the weights of a `.caffemodel` file."""
    return compile_import(Question(str(path), weights=_file(weights)))


def from_ultralytics(path: str | Path, scale: str | None = None) -> Network:
    """The network of an Ultralytics model YAML at one of its scales; its first if none is given."""
    settings: Mapping[str, str] = {} if scale is None else {"scale": scale}
    return compile_import(Question(str(path), settings=settings))


def from_keras(path: str | Path) -> Network:
    """The network of a Keras 3 `.keras` file or of the `.json` of `model.to_json()`."""
    return compile_import(Question(str(path)))


def _file(path: str | Path | None) -> str | None:
    return None if path is None else str(path)
