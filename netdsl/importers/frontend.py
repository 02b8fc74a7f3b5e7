"""What a front end is asked, and what it gives; which one reads which source."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from netdsl.diagnostics import Diagnostic, DiagnosticError, Span
from netdsl.importers.program import Program

if TYPE_CHECKING:
    import numpy

Shape = tuple[int | str, ...]

PYTHON = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_].*|.+\.py:[A-Za-z_].*", re.DOTALL)
"""`torchvision.models:resnet50`, `mypackage.nets:make(10)`, `path/to/file.py:Net`."""

ENDINGS = {
    ".cfg": "darknet",
    ".prototxt": "caffe",
    ".yaml": "ultralytics",
    ".yml": "ultralytics",
    ".onnx": "onnx",
    ".keras": "keras",
    ".json": "keras",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a front end.

    `inputs` are shapes without the batch axis by the names of inputs (`""` for the only one);
    `settings` the values of `--set`, as they are written; `weights` a file with numbers; with
    `opens` a source of one size is read for all sizes where its own arithmetic allows it.
    """

    source: str
    inputs: Mapping[str, Shape] = field(default_factory=dict[str, Shape])
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    weights: str | None = None
    opens: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A program, the numbers of its weights by key (where the source has them), and remarks."""

    program: Program
    numbers: Mapping[str, Callable[[], numpy.ndarray]] | None = None
    remarks: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


class FrontEnd(Protocol):
    """A module `netdsl.importers.NAME`."""

    def read(self, question: Question) -> Answer:
        """The program of a source. Raises `DiagnosticError` for what is wrong with it."""
        ...


def is_foreign(source: str) -> bool:
    """Whether a source is read by a front end, and is not a `.net` file."""
    return Path(source).suffix.lower() in ENDINGS or bool(PYTHON.fullmatch(source))


def front_end(source: str) -> FrontEnd:
    """The front end for a source."""
    name = ENDINGS.get(Path(source).suffix.lower(), "torch")
    return cast(FrontEnd, import_module(f"netdsl.importers.{name}"))


def refused(
    message: str, span: Span | None, *, code: str = "not-importable", help: str = ""
) -> DiagnosticError:
    """The error that ends an import, at its place in the source."""
    return DiagnosticError([Diagnostic(code, message, span, help=(help,) if help else ())])
