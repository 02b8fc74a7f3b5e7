"""Writes an ONNX file: aside, weights streamed one by one, then renamed."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from netdsl.analyses.sizes import sizes_of
from netdsl.backends.onnx import protobuf
from netdsl.backends.onnx.builder import onnx_model
from netdsl.backends.onnx.half import to_half
from netdsl.backends.onnx.model import Model, Stored
from netdsl.backends.onnx.options import ExportError, Options
from netdsl.backends.onnx.protobuf import IR_VERSIONS
from netdsl.backends.onnx.ranges import MOST_SAMPLES, check_constants, is_batch
from netdsl.backends.weights.narrow import warn
from netdsl.backends.weights.numbers import Weights, weights_of
from netdsl.diagnostics import Diagnostic
from netdsl.files import drafting, leads_to
from netdsl.ir.graph import Graph
from netdsl.version import __version__

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Array = np.ndarray[Any, Any]

SMALL = 4096
LIMIT = 2**31 - 2**20
"""Protobuf messages end at 2 GiB; weights beyond that go into a file of their own."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that is ready and lies aside: it can be run from `path`, and will be `files`.

    `size` are the bytes of them all.
    """

    path: Path
    files: tuple[Path, ...]
    size: int
    graph: Graph
    model: Model
    weights: Weights
    options: Options

    @property
    def warnings(self) -> list[Diagnostic]:
        """What there is to report about its numbers."""
        return [*self.model.warnings, *self.weights.remarks()]


Review = Callable[[Draft], None]
"""Looks at a file before it takes its place; what it raises keeps the file from it."""


def export_onnx(
    graph: Graph,
    path: Path,
    source: object,
    options: Options,
    external: bool | None,
    review: Review | None,
) -> list[Path]:
    """Write a network's file, with the weights of `source`; see `Network.export`."""
    weights = weights_of(graph, source, options.seed, options.rename, options.init)
    model = built(graph, options)
    with _drafted(path, model, weights, external) as (aside, files, size):
        draft = Draft(aside, files, size, graph, model, weights, options)
        if review is not None:
            review(draft)
    if review is None:
        warn(draft.warnings)
    return list(files)


def onnx_proto(graph: Graph, source: object, options: Options) -> onnx.ModelProto:
    """The file's content in memory; see `Network.onnx`."""
    import onnx

    weights = weights_of(graph, source, options.seed, options.rename, options.init)
    model = built(graph, options)
    proto = onnx.load_from_string(b"".join(model_chunks(model, weights)))
    warn([*model.warnings, *weights.remarks()])
    return proto


def built(graph: Graph, options: Options) -> Model:
    """The model with its metadata.

    Raises `ExportError` for options that can't be, `DiagnosticError` where a layer has no form.
    """
    if options.opset not in IR_VERSIONS:
        low, high = min(IR_VERSIONS), max(IR_VERSIONS)
        raise ExportError(f"opsets from {low} to {high} can be written, not {options.opset}")
    if options.batch is not None and not is_batch(options.batch):
        raise ExportError(f"a batch has 1 to {MOST_SAMPLES:,} samples, not {options.batch!r}")
    model = onnx_model(graph, options.opset, options.batch, guard=options.guard)
    rename(model, options.names or {})
    if options.half:
        to_half(model)
    model.warnings = check_constants(model)
    model.metadata = {
        "netdsl.contract": str(sizes_of(graph)),
        "netdsl.source": graph.root.span.source.text,
        "netdsl.version": __version__,
    }
    return model


def rename(model: Model, names: Mapping[str, str]) -> None:
    """Give inputs and outputs other names, in place. Raises `ExportError`."""
    ends = dict.fromkeys(value.name for value in (*model.inputs, *model.outputs))
    inside = {name for node in model.nodes for name in (*node.inputs, *node.outputs)}
    inside -= ends.keys()
    for old, new in names.items():
        if old not in ends:
            raise ExportError(f"there is no input or output {old}; there are {', '.join(ends)}")
        if not new or new in inside or new in ends.keys() - names.keys():
            raise ExportError(f"the name {new!r} is taken")
    if len(set(names.values())) < len(names):
        raise ExportError("two inputs or outputs are given one name")
    model.inputs = [replace(v, name=names.get(v.name, v.name)) for v in model.inputs]
    model.outputs = [replace(v, name=names.get(v.name, v.name)) for v in model.outputs]
    for node in model.nodes:
        node.inputs = [names.get(name, name) for name in node.inputs]
        node.outputs = [names.get(name, name) for name in node.outputs]


def model_chunks(model: Model, weights: Weights) -> Iterator[bytes | memoryview]:
    """The bytes of a file that holds everything, weight by weight."""
    before, after = protobuf.graph_parts(model)
    heads = [protobuf.inline(tensor) for tensor in model.stored]
    length = len(before) + len(after) + sum(len(head) + size for head, size in heads)
    opening, ending = protobuf.model_parts(model, __version__, length)
    yield opening + before
    for tensor, (head, size) in zip(model.stored, heads, strict=True):
        yield head
        data = numbers_of(tensor, weights)
        assert data.nbytes == size, tensor.name
        yield data.tobytes() if size < SMALL else data.data.cast("B")
    yield after + ending


def numbers_of(tensor: Stored, weights: Weights) -> Array:
    """The numbers of a stored tensor, in the order and type they are written in."""
    import numpy as np

    if tensor.spec is None:
        return np.array(tensor.numbers, dtype=tensor.dtype).reshape(tensor.shape)
    return weights.array(replace(tensor.spec, dtype=tensor.dtype))


def files_of(path: Path) -> list[Path]:
    """What is written in the place of a file, at most."""
    return [path, _data_of(path)]


def is_apart(model: Model, external: bool | None) -> bool:
    """Whether weights go into a file of their own; None: only if one can't hold all."""
    return sum(tensor.nbytes for tensor in model.stored) > LIMIT if external is None else external


def _data_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.data")


@contextmanager
def _drafted(
    path: Path, model: Model, weights: Weights, external: bool | None
) -> Iterator[tuple[Path, tuple[Path, ...], int]]:
    """Where a file is written aside, what it will be, and its bytes; at the end it takes its place.

    Weights that go apart are in `PATH.data` then, and both take their places or none does.
    `external` None: apart only if all would not fit in one file. Raises `OSError`.
    """
    if not is_apart(model, external):
        with drafting(path) as (aside,):
            with open(aside, "wb") as file:
                file.writelines(model_chunks(model, weights))
            yield aside, (path,), aside.stat().st_size
        return
    path = _beside(path)
    with drafting(_data_of(path), path) as (data, aside):
        with open(aside, "wb") as file, open(data, "wb") as numbers:
            _write_apart(file, numbers, data.name, model, weights)
        yield aside, (path, _data_of(path)), aside.stat().st_size + data.stat().st_size


def _beside(path: Path) -> Path:
    """The file that a name leads to, if its weights are found beside that name too."""
    for name in files_of(path):
        real = leads_to(name)
        if real.parent != name.parent.resolve():
            raise OSError(
                errno.EINVAL,
                f"{name} is a link to {real}, and runtimes look for the weights beside the name "
                "that they are given: name the file itself",
            )
    return leads_to(path)


def _write_apart(
    file: BinaryIO,
    numbers: BinaryIO,
    name: str,
    model: Model,
    weights: Weights,
) -> None:
    before, after = protobuf.graph_parts(model)
    tensors: list[bytes] = []
    offset = 0
    for tensor in model.stored:
        if tensor.spec is None:  # runtimes read small constants while they load
            head, _ = protobuf.inline(tensor)
            tensors.append(head + numbers_of(tensor, weights).tobytes())
            continue
        tensors.append(protobuf.external(tensor, name, offset))
        numbers.write(numbers_of(tensor, weights).data)
        offset += tensor.nbytes
    graph = b"".join([before, *tensors, after])
    opening, ending = protobuf.model_parts(model, __version__, len(graph))
    file.write(opening + graph + ending)
