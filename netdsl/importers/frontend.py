"""What a front end is asked, and what it gives; which one reads which source."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from netdsl.diagnostics import Diagnostic, DiagnosticError, Span
from netdsl.importers.program import Program
from netdsl.ir.tensor import DTYPES

if TYPE_CHECKING:
    import numpy

Shape: TypeAlias = "tuple[int | str, ...]"
Declared: TypeAlias = "tuple[str, Shape]"
"""The element type and the shape of an input."""
DECLARED = re.compile(r"(?:([a-z]+[0-9]*)\s*)?\[([\w\s,]*)\]", re.ASCII)
DIGITS = re.compile(r"[0-9]{1,9}")

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
OWN_WEIGHTS = (".weights", ".caffemodel")
"""Files of weights that are read with their source, as only it says what they are."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a front end.

    `inputs` are shapes without the batch axis by the names of inputs (`""` for the only one), and
    `dtypes` their element types where these are not float32. `settings` are the values of `--set`
    as they are written, `weights` is a file with numbers. With `opens` a source of one size is read
    for all sizes where its own arithmetic allows it. `plugins_out` is the file that layers are to
    be written to that run the user's own code, where the language has no word for what it does.
    """

    source: str
    inputs: Mapping[str, Shape] = field(default_factory=dict[str, Shape])
    dtypes: Mapping[str, str] = field(default_factory=dict[str, str])
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    weights: str | None = None
    opens: bool = False
    plugins_out: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What a network brings along from a source of another format.

    `numbers` are its weights by key, where the source has them; `remarks` what there is to know of
    the import; `runs` gives what the source itself computes of arrays with a batch axis, one for
    each input: its outputs at inference, in their order. `plugins` are the files of the layers of
    one's own that it takes: their texts by their paths.
    """

    numbers: Mapping[str, Callable[[], numpy.ndarray]] | None = None
    remarks: tuple[str, ...] = ()
    runs: Callable[[Sequence[numpy.ndarray]], Sequence[numpy.ndarray]] | None = None
    plugins: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Answer:
    """A program, and what comes with it as in `Origin`; `files` are those that were read."""

    program: Program
    numbers: Mapping[str, Callable[[], numpy.ndarray]] | None = None
    remarks: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    runs: Callable[[Sequence[numpy.ndarray]], Sequence[numpy.ndarray]] | None = None
    plugins: Mapping[str, str] = field(default_factory=dict[str, str])


class FrontEnd(Protocol):
    """A module `netdsl.importers.NAME`."""

    def read(self, question: Question) -> Answer:
        """The program of a source. Raises `DiagnosticError` for what is wrong with it."""
        ...


def declared(text: str) -> Declared:
    """What `int64 [T]` or `[3, H, W]` declares. Raises `ValueError` for anything else."""
    match = DECLARED.fullmatch(text.strip())
    dtype, axes = match.groups() if match else (None, "")
    shape = tuple(axis.strip() for axis in axes.split(",")) if axes.strip() else ()
    if match is None or (dtype or "float32") not in DTYPES or not all(map(_is_size, shape)):
        raise ValueError(f"`{text.strip()}` is no shape such as `[3, H, W]` or `int64 [T]`")
    return dtype or "float32", tuple(int(axis) if axis.isdigit() else axis for axis in shape)


def _is_size(axis: str) -> bool:
    return bool(DIGITS.fullmatch(axis)) or axis.isidentifier()


def is_foreign(source: str) -> bool:
    """Whether a source is read by a front end, and is not a `.net` file."""
    ending = Path(source).suffix.lower()
    if ending in ENDINGS or ending == ".py":
        return True
    return ending != ".net" and bool(PYTHON.fullmatch(source))


def front_end(source: str) -> FrontEnd:
    """The front end for a source."""
    return cast(FrontEnd, import_module(f"netdsl.importers.{front_end_name(source)}"))


def front_end_name(source: str) -> str:
    """The package of the front end for a source."""
    return ENDINGS.get(Path(source).suffix.lower(), "torch")


def refused(message: str, span: Span | None, *, code: str = "", help: str = "") -> DiagnosticError:
    """The error that ends an import, at its place in the source."""
    helps = (help,) if help else ()
    if code:
        return DiagnosticError([Diagnostic(code, message, span, help=helps)])
    return DiagnosticError([Diagnostic("not-importable", message, span, help=helps)])
