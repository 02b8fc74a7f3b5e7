"""The messages of ONNX's file format, written byte by byte, so that weights can be streamed.

Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import struct

from netdsl.backends.onnx.model import Model, Stored
from netdsl.ir.dim import Size
from netdsl.ops.lowering import UNKNOWN, OnnxAttribute, OnnxNode, OnnxValue

DTYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "int16": 5, "int32": 6, "int64": 7, "bool": 9,
    "float16": 10, "float64": 11, "bfloat16": 16,
}  # fmt: skip
IR_VERSIONS = {18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 11}
"""The version of the format that goes with each opset."""
FLOAT, INT, STRING, FLOATS, INTS, STRINGS = 1, 2, 3, 6, 7, 8
"""AttributeProto.AttributeType."""
EXTERNAL = 1
SMALL = [bytes([number]) for number in range(128)]


def varint(number: int) -> bytes:
    """A whole number in groups of seven bits; negative ones as 64 bits."""
    if 0 <= number < len(SMALL):
        return SMALL[number]
    if not -(1 << 63) <= number < 1 << 64:
        raise OverflowError(f"{number} has more than 64 bits")
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def integer(field: int, number: int) -> bytes:
    return varint(field << 3) + varint(number)


def opening(field: int, length: int) -> bytes:
    """What stands before `length` bytes of a field."""
    return varint(field << 3 | 2) + varint(length)


def message(field: int, content: bytes) -> bytes:
    return opening(field, len(content)) + content


def text(field: int, value: str) -> bytes:
    return message(field, value.encode("utf-8", "surrogateescape"))


def fixed(field: int, number: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", number)


def node(item: OnnxNode, name: str) -> bytes:
    """NodeProto."""
    parts = [text(1, value) for value in item.inputs]
    parts += [text(2, value) for value in item.outputs]
    parts += [text(3, name), text(4, item.op)]
    parts += [message(5, attribute(key, value)) for key, value in sorted(item.attributes.items())]
    return b"".join(parts)


def attribute(name: str, value: OnnxAttribute) -> bytes:
    """AttributeProto."""
    if name == "to":  # Cast's element type
        value = DTYPES[str(value)]
    match value:
        case int():
            content, kind = integer(3, value), INT
        case float():
            content, kind = fixed(2, value), FLOAT
        case str():
            content, kind = text(4, value), STRING
        case [float(), *_]:
            content, kind = b"".join(fixed(7, number) for number in value), FLOATS
        case [str(), *_]:
            content, kind = b"".join(text(9, str(word)) for word in value), STRINGS
        case _:
            content, kind = b"".join(integer(8, int(number)) for number in value), INTS
    return text(1, name) + content + integer(20, kind)


def value_info(value: OnnxValue) -> bytes:
    """ValueInfoProto with a symbolic shape."""
    dims = b"".join(message(1, dimension(size)) for size in value.shape)
    tensor = integer(1, DTYPES[value.dtype]) + message(2, dims)
    return text(1, value.name) + message(2, message(1, tensor))


def dimension(size: Size) -> bytes:
    """TensorShapeProto.Dimension: a number, a formula of the symbols, or nothing."""
    if not isinstance(size, int):
        return text(2, str(size))
    return b"" if size == UNKNOWN else integer(1, size)


def tensor_head(tensor: Stored) -> bytes:
    """TensorProto without its numbers."""
    dims = b"".join(integer(1, size) for size in tensor.shape)
    return dims + integer(2, DTYPES[tensor.dtype]) + text(8, tensor.name)


def inline(tensor: Stored) -> tuple[bytes, int]:
    """What stands before a tensor's numbers in the graph, and how many bytes these are."""
    content = tensor_head(tensor) + opening(9, tensor.nbytes)
    return opening(5, len(content) + tensor.nbytes) + content, tensor.nbytes


def external(tensor: Stored, file: str, offset: int) -> bytes:
    """A tensor whose numbers are in another file."""
    entries = {"location": file, "offset": str(offset), "length": str(tensor.nbytes)}
    data = b"".join(message(13, text(1, key) + text(2, value)) for key, value in entries.items())
    return message(5, tensor_head(tensor) + data + integer(14, EXTERNAL))


def graph_parts(model: Model) -> tuple[bytes, bytes]:
    """GraphProto before and after its weights."""
    nodes = (message(1, node(n, name)) for name, n in model.named_nodes())
    before = b"".join([*nodes, text(2, model.name)])
    doc = [text(10, model.doc)] if model.doc else []
    after = b"".join(
        [
            *doc,
            *(message(11, value_info(v)) for v in model.inputs),
            *(message(12, value_info(v)) for v in model.outputs),
            *(message(13, value_info(v)) for v in model.values),
        ]
    )
    return before, after


def model_parts(model: Model, version: str, graph_length: int) -> tuple[bytes, bytes]:
    """ModelProto before and after its graph."""
    before = [integer(1, IR_VERSIONS[model.opset]), text(2, "netdsl"), text(3, version)]
    opset = text(1, "") + integer(2, model.opset)
    after = [message(8, opset)]
    after += [message(14, text(1, k) + text(2, v)) for k, v in sorted(model.metadata.items())]
    return b"".join([*before, opening(7, graph_length)]), b"".join(after)
