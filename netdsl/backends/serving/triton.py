"""`config.pbtxt`: how Triton Inference Server is told of an ONNX file."""

from __future__ import annotations

import json
from collections.abc import Iterable

from netdsl.backends.onnx.options import Options
from netdsl.backends.serving.box import Box
from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph
from netdsl.ir.tensor import Shape

TYPES = {
    "float32": "FP32", "float64": "FP64", "float16": "FP16", "bfloat16": "BF16", "int64": "INT64",
    "int32": "INT32", "int16": "INT16", "int8": "INT8", "uint8": "UINT8", "bool": "BOOL",
}  # fmt: skip


def config(graph: Graph, model: str, options: Options, box: Box) -> str:
    """The model's configuration; sizes that are open are -1.

    Triton adds the batch axis itself where `max_batch_size` is not 0: where the file fixes the
    number of samples, that is 0, and the axis is one of `dims`.
    """
    lines = [
        f"name: {_text(graph.name)}",
        'backend: "onnxruntime"',
        f"default_model_filename: {_text(model)}",
        f"max_batch_size: {0 if options.batch else box.most.samples}",
    ]
    for item in graph.inputs:
        lines += _port("input", options.name_of(item.name), item.dtype, item.shape, options)
    for output in graph.inference_outputs:
        kind = output.value.type
        lines += _port("output", options.name_of(output.name), kind.dtype, kind.shape, options)
    if not options.batch and box.most.samples > 1:
        lines.append("dynamic_batching {}")
    return "\n".join([*lines, ""])


def _port(kind: str, name: str, dtype: str, shape: Shape, options: Options) -> list[str]:
    batch = (options.batch,) if options.batch else ()
    lines = [f"{kind} {{", f"  name: {_text(name)}", f"  data_type: TYPE_{TYPES[dtype]}"]
    if shape or batch:
        return [*lines, f"  dims: {_dims((*batch, *shape))}", "}"]
    return [*lines, "  dims: [ 1 ]", "  reshape { shape: [ ] }", "}"]  # a number for each sample


def _dims(shape: Iterable[Size]) -> str:
    return f"[ {', '.join(str(n) if isinstance(n, int) else '-1' for n in shape)} ]"


def _text(text: str) -> str:
    """A string as protobuf's text format has it: escapes are of bytes, not of characters."""
    if text.isascii() and text.isprintable():
        return json.dumps(text)
    data = text.encode("utf-8", "surrogateescape")
    return f'"{"".join(f"{chr(92)}{byte:03o}" for byte in data)}"'
