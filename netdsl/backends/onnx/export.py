"""Writes an ONNX file: aside, weights streamed one by one, then renamed."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from netdsl import __version__
from netdsl.analyses.sizes import sizes_of
from netdsl.backends.onnx import protobuf
from netdsl.backends.onnx.half import to_half
from netdsl.backends.onnx.model import OPSET, Model, Stored, onnx_model
from netdsl.backends.onnx.protobuf import IR_VERSIONS
from netdsl.backends.onnx.ranges import MOST_SAMPLES, check_constants, is_batch
from netdsl.backends.weights.checkpoint import Rename
from netdsl.backends.weights.narrow import warn
from netdsl.backends.weights.numbers import Weights, weights_of
from netdsl.files import drafting, leads_to
from netdsl.ir.graph import Graph
from netdsl.ops.initial import PYTORCH

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose; see `Network.export`."""

    opset: int = OPSET
    batch: int | None = None
    half: bool = False
    guard: bool = False
    external: bool | None = None
    rename: Rename | None = None
    init: str = PYTORCH
    names: Mapping[str, str] = field(default_factory=dict)


SMALL = 4096
LIMIT = 2**31 - 2**20
"""Protobuf messages end at 2 GiB; weights beyond that go into a file of their own."""


def export_onnx(
    graph: Graph, path: Path, source: object, seed: int, options: Options
) -> list[Path]:
    """Write a network's file; see `Network.export`."""
    model = built(graph, options)
    weights = weights_of(graph, source, seed, options.rename, options.init)
    with drafted_model(path, model, weights, external=options.external) as draft:
        files = list(draft.files)
    warn([*model.warnings, *weights.remarks()])
    return files


def onnx_proto(graph: Graph, source: object, seed: int, options: Options) -> onnx.ModelProto:
    """The file's content in memory; see `Network.onnx`."""
    import onnx

    weights = weights_of(graph, source, seed, options.rename, options.init)
    model = built(graph, options)
    made = onnx.load_from_string(b"".join(model_chunks(model, weights)))
    warn([*model.warnings, *weights.remarks()])
    return made


def built(graph: Graph, options: Options) -> Model:
    """The model with its metadata.

    Raises `ValueError` for options that can't be, `DiagnosticError` where a layer has no form.
    """
    if options.opset not in IR_VERSIONS:
        low, high = min(IR_VERSIONS), max(IR_VERSIONS)
        raise ValueError(f"opsets from {low} to {high} can be written, not {options.opset}")
    if options.batch is not None and not is_batch(options.batch):
        raise ValueError(f"a batch has 1 to {MOST_SAMPLES:,} samples, not {options.batch!r}")
    model = onnx_model(graph, options.opset, options.batch, guard=options.guard)
    rename(model, options.names)
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
    """Give inputs and outputs other names, in place."""
    known = {value.name for value in (*model.inputs, *model.outputs)}
    inside = {name for node in model.nodes for name in (*node.inputs, *node.outputs)} - known
    for old, new in names.items():
        if old not in known:
            raise ValueError(f"there is no input or output {old}; there are {', '.join(known)}")
        if not new or new in inside or new in (known - names.keys()):
            raise ValueError(f"the name {new!r} is taken")
    if len(set(names.values())) < len(names):
        raise ValueError("two inputs or outputs are given one name")
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


def _data_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.data")


@contextmanager
def drafted_model(
    path: Path, model: Model, weights: Weights, *, external: bool | None
) -> Iterator[Draft]:
    """The file, written aside, to be looked at: it takes its place at the end, or not at all.

    Weights that go apart are in `PATH.data` then, and both take their places or none does.
    `external` None: apart only if all would not fit in one file. Raises `OSError`.
    """
    size = sum(tensor.nbytes for tensor in model.stored)
    if not (size > LIMIT if external is None else external):
        with drafting(path) as (aside,):
            with open(aside, "wb") as file:
                file.writelines(model_chunks(model, weights))
            yield Draft(aside, (path,), aside.stat().st_size)
        return
    path = _beside(path)
    with drafting(_data_of(path), path) as (data, aside):
        with open(aside, "wb") as file, open(data, "wb") as numbers:
            _write_apart(file, numbers, data.name, model, weights)
        size = aside.stat().st_size + data.stat().st_size
        yield Draft(aside, (path, _data_of(path)), size)


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that can be run from where it is, the files that it will be, and their bytes."""

    path: Path
    files: tuple[Path, ...]
    size: int


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
