"""config.pbtxt, read by Triton's own protocol buffer and compared with what onnx says of the file."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import netdsl
from netdsl.backends.onnx.options import Options
from netdsl.backends.serving.box import box_of
from netdsl.backends.serving.triton import config
from tests.backends.serving.kits import network

onnx = pytest.importorskip("onnx")

NAMES = [
    "lenet", "bert", "cgan_generator", "vae", "fours", "siamese", "autoencoder", "audio_1d",
    "upsample_any", "crnn",
]  # fmt: skip
OF_TRITON = {1: "FP32", 9: "BOOL", 7: "INT64", 2: "UINT8", 6: "INT32", 10: "FP16", 11: "FP64"}


@cache
def messages() -> Any:
    """Triton's messages, without the rest of its client, which needs gRPC."""
    if find_spec("tritonclient") is None:
        pytest.skip("needs Triton's messages: pip install --no-deps tritonclient")
    pytest.importorskip("google.protobuf")
    (folder,) = find_spec("tritonclient").submodule_search_locations  # type: ignore[union-attr]
    path = Path(folder) / "grpc" / "model_config_pb2.py"
    spec = spec_from_file_location("triton_model_config", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parsed(text: str) -> Any:
    from google.protobuf import text_format

    return text_format.Parse(text, messages().ModelConfig())


def said(ports: Any, has_batch: bool) -> dict[str, tuple[str, list[int]]]:
    """What the configuration says of inputs or outputs: the shapes that reach the file."""
    found = {}
    for port in ports:
        dims = list(port.reshape.shape) if port.HasField("reshape") else list(port.dims)
        assert port.dims, "Triton takes no empty dims"
        kind = messages().DataType.Name(port.data_type).removeprefix("TYPE_")
        found[port.name] = kind, [*([-1] if has_batch else []), *dims]
    return found


def of_file(items: Any) -> dict[str, tuple[str, list[int]]]:
    found = {}
    for item in items:
        kind = item.type.tensor_type
        dims = [d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim]
        found[item.name] = OF_TRITON[kind.elem_type], dims
    return found


@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_the_file_says(name: str, batch: int | None) -> None:
    messages()
    graph = network(name).graph
    options = Options(batch=batch)
    told = parsed(config(graph, "model.onnx", options, box_of(graph, batch)))
    model = model_without_weights(name, options)
    assert said(told.input, batch is None) == of_file(model.graph.input)
    assert said(told.output, batch is None) == of_file(model.graph.output)
    assert told.backend == "onnxruntime"
    assert told.default_model_filename == "model.onnx"
    assert told.name == graph.name
    assert told.max_batch_size == (8 if batch is None else 0)
    assert told.HasField("dynamic_batching") == (batch is None)


def model_without_weights(name: str, options: Options) -> Any:
    from netdsl.backends.onnx.export import built
    from netdsl.backends.onnx.protobuf import graph_parts, model_parts

    model = built(network(name).graph, options)
    graph = b"".join(graph_parts(model))
    before, after = model_parts(model, "", len(graph))
    return onnx.load_from_string(before + graph + after)


def test_names_that_protobuf_has_to_escape() -> None:
    graph = netdsl.loads("net A { input x: [2]\n output y = x -> relu }").graph
    names = {"x": 'a"b\\', "y": "é\n"}
    told = parsed(config(graph, "m.onnx", Options(names=names), box_of(graph)))
    assert [port.name for port in (*told.input, *told.output)] == ['a"b\\', "é\n"]
