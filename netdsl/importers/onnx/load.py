"""From the bytes of an `.onnx` file to a `Model`; whatever is wrong with them is an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdsl.diagnostics import Source, Span
from netdsl.diagnostics.reading import reason
from netdsl.importers.frontend import refused
from netdsl.importers.onnx.listing import Listing
from netdsl.importers.onnx.model import Model, Node, Port, Sizes, Weight, brief, shown, text_of

if TYPE_CHECKING:
    import numpy
    import onnx

OPSETS = range(7, 25)
"""Versions of the operators that are read."""
DOMAINS = ("", "ai.onnx")
MOST_BYTES = 2**31
MOST_NODES = 200_000
MOST_ELEMENTS = 2**31


def load(path: str) -> Model:
    """The model in a file. Raises `DiagnosticError`."""
    import onnx
    from google.protobuf.message import DecodeError

    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(_bytes(path))
    except DecodeError:
        raise _file_error(path, "it is no ONNX model: its bytes can't be decoded") from None
    if not proto.HasField("graph"):
        raise _file_error(path, "it is no ONNX model: there is no graph in it")
    return _model(path, _inlined(path, proto))


def _file_error(path: str, message: str, *, code: str = "not-importable", help: str = "") -> Any:
    span = Span(Source(path, ""), 0, 0)
    return refused(f"can't import {shown(path, 200)}: {message}", span, code=code, help=help)


def _bytes(path: str) -> bytes:
    try:
        if not Path(path).is_file():
            raise _file_error(path, "there is no such file", code="unreadable-file")
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _file_error(path, reason(error), code="unreadable-file") from None
    if len(data) > MOST_BYTES:
        raise _file_error(path, "it has more than 2 GB", code="too-large")
    return data


def _inlined(path: str, proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the bodies of its own functions in place of their calls."""
    if not proto.functions:
        return proto
    import onnx.checker
    import onnx.inliner

    try:
        return onnx.inliner.inline_local_functions(proto)
    except Exception as error:
        raise _file_error(path, f"its functions can't be inlined: {brief(error)}") from None


def _model(path: str, proto: onnx.ModelProto) -> Model:
    opset = _opset(path, proto)
    graph = proto.graph
    if len(graph.node) > MOST_NODES:
        raise _file_error(path, f"it has {len(graph.node)} nodes", code="too-many-layers")
    listing = Listing(path, proto, opset)
    try:
        return _read(path, proto, opset, listing)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, MemoryError) as error:
        raise _file_error(path, f"it is broken: {brief(error)}") from None


def _read(path: str, proto: onnx.ModelProto, opset: int, listing: Listing) -> Model:
    graph, folder = proto.graph, Path(path).parent
    weights = dict(_weights(graph, folder, listing))
    inputs = tuple(
        _port(one, listing.inputs[n])
        for n, one in enumerate(graph.input)
        if text_of(one.name) not in weights
    )
    nodes = tuple(_node(one, listing.nodes[n], opset, folder) for n, one in enumerate(graph.node))
    outputs = tuple(
        Port(text_of(one.name), "", None, listing.outputs[n]) for n, one in enumerate(graph.output)
    )
    for where in (inputs, outputs):
        names = [one.name for one in where]
        for one in where:
            if names.count(one.name) > 1 or not one.name:
                message = f"the name `{shown(one.name)}` is not its own"
                raise refused(message, one.origin, code="name-taken")
    producer = shown(proto.producer_name, 30)
    return Model(
        text_of(graph.name),
        opset,
        producer,
        inputs,
        outputs,
        weights,
        nodes,
        listing.source,
        listing.head,
    )


def _opset(path: str, proto: onnx.ModelProto) -> int:
    """The version of ONNX's own operators."""
    versions = [one.version for one in proto.opset_import if one.domain in DOMAINS]
    if not versions:
        raise _file_error(path, "it does not say which version of ONNX's operators it uses")
    if versions[0] not in OPSETS:
        raise _file_error(
            path,
            f"its operators are those of opset {versions[0]}, and opsets 7 to 24 are read",
            help="convert it: `onnx.version_converter.convert_version(model, 20)`",
        )
    return versions[0]


# --- numbers ---------------------------------------------------------------------------------


def _weights(
    graph: onnx.GraphProto, folder: Path, listing: Listing
) -> Iterator[tuple[str, Weight]]:
    if graph.sparse_initializer:
        raise refused("sparse initializers are not read", listing.head)
    for one in graph.initializer:
        yield text_of(one.name), weight(one, folder, listing.head)


def weight(tensor: onnx.TensorProto, folder: Path, origin: Span) -> Weight:
    """The numbers of a tensor of the file, which may lie in a file beside it."""
    import onnx

    name = shown(tensor.name)
    if tensor.data_type not in onnx.TensorProto.DataType.values():
        raise refused(f"the type {tensor.data_type} of `{name}` is unknown", origin)
    dtype = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
    dtype = {"float": "float32", "double": "float64"}.get(dtype, dtype)
    shape = tuple(tensor.dims)
    count = 1
    for size in shape:
        count *= size
    if any(size < 0 for size in shape) or count > MOST_ELEMENTS:
        raise refused(f"`{name}` has the shape {list(shape)[:8]}", origin, code="too-large")
    return Weight(
        text_of(tensor.name), shape, dtype, partial(_array, tensor, shape, folder, origin)
    )


def _array(
    tensor: onnx.TensorProto, shape: tuple[int, ...], folder: Path, origin: Span
) -> numpy.ndarray:
    from onnx import numpy_helper

    try:
        array = numpy_helper.to_array(tensor, base_dir=str(folder))
    except Exception as error:
        message = f"the numbers of `{shown(tensor.name)}` can't be read: {shown(str(error), 120)}"
        raise refused(message, origin, code="bad-weights") from None
    if array.shape != shape:
        raise refused(f"`{shown(tensor.name)}` has not as many numbers as its shape says", origin)
    return array


# --- inputs, outputs, nodes ------------------------------------------------------------------


def _port(info: onnx.ValueInfoProto, origin: Span) -> Port:
    import onnx

    name = shown(info.name)
    if not info.type.HasField("tensor_type"):
        raise refused(f"`{name}` is no tensor, and only tensors can be read", origin)
    tensor = info.type.tensor_type
    if tensor.elem_type not in onnx.TensorProto.DataType.values():
        raise refused(f"the type {tensor.elem_type} of `{name}` is unknown", origin)
    dtype = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    dtype = {"float": "float32", "double": "float64"}.get(dtype, dtype)
    shape = tuple(map(_size, tensor.shape.dim)) if tensor.HasField("shape") else None
    return Port(text_of(info.name), dtype, shape, origin)


def _size(dim: Any) -> int | str | None:
    kind = dim.WhichOneof("value")
    if kind == "dim_value" and dim.dim_value > 0:
        return int(dim.dim_value)
    return text_of(dim.dim_param) or None if kind == "dim_param" else None


def _node(proto: onnx.NodeProto, origin: Span, opset: int, folder: Path) -> Node:
    attributes: dict[str, object] = {}
    node = Node(
        text_of(proto.op_type),
        "" if proto.domain in DOMAINS else text_of(proto.domain),
        text_of(proto.name),
        tuple(map(text_of, proto.input)),
        tuple(map(text_of, proto.output)),
        attributes,
        dict(_metadata(proto)),
        origin,
        opset,
    )
    for one in proto.attribute:
        name = text_of(one.name)
        if name in attributes:
            node.refuse(f"the attribute `{shown(name)}` is given twice")
        attributes[name] = _attribute(one, node, folder)
    return node


def _metadata(proto: onnx.NodeProto) -> Iterator[tuple[str, str]]:
    """What exporters note of a node, but for what netdsl itself has noted."""
    for one in proto.metadata_props:
        if not text_of(one.key).startswith("netdsl."):
            yield text_of(one.key), text_of(one.value)


def _attribute(proto: onnx.AttributeProto, node: Node, folder: Path) -> object:
    from onnx import AttributeProto as A

    plain: dict[int, Callable[[], object]] = {
        A.INT: lambda: int(proto.i),
        A.FLOAT: lambda: decimal(proto.f),
        A.STRING: lambda: proto.s.decode("utf-8", "replace"),
        A.INTS: lambda: tuple(map(int, proto.ints)),
        A.FLOATS: lambda: tuple(map(decimal, proto.floats)),
        A.STRINGS: lambda: tuple(one.decode("utf-8", "replace") for one in proto.strings),
        A.TENSOR: lambda: weight(proto.t, folder, node.origin),
        A.GRAPH: lambda: proto.g,
    }
    if proto.ref_attr_name or proto.type not in plain:
        node.refuse(f"the attribute `{shown(proto.name)}` is of a kind that is not read")
    return plain[proto.type]()


def decimal(value: float) -> float:
    """A 32 bit float as the shortest decimal that stands for it: 0.1, not 0.10000000149."""
    import numpy

    return float(str(numpy.float32(value)))


def sizes_text(shape: Sizes | Sequence[int] | None) -> str:
    """`[N, 3, 224, 224]`."""
    if shape is None:
        return ""
    return f"[{', '.join('?' if one is None else shown(str(one), 20) for one in shape[:10])}]"
