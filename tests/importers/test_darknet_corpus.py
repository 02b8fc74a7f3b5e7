"""Public cfg files: shapes, parameters and numbers of every layer, as Darknet in C has them."""

from __future__ import annotations

import struct
import time
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netdsl
from netdsl import DiagnosticError
from netdsl.files import read_source
from netdsl.importers.darknet import program_of
from netdsl.importers.darknet.network import Reading
from netdsl.importers.frontend import Answer, Question
from netdsl.importers.imported import imported, read
from netdsl.importers.program import Output, Program
from tests import corpus

pytestmark = corpus.NEEDED
FILES = corpus.files("darknet", ".cfg")
HEADS = ("cost", "detection", "region", "yolo", "Gaussian_yolo")
XNOR = ["darknet53_448_xnor.cfg", "yolov3-tiny_xnor.cfg"]
"""Networks of binary weights, which the language has no word for."""
UNEQUAL = ["resnet101.cfg", "resnet152.cfg"]
"""Networks whose shortcuts add maps of different sizes: there are no numbers for them."""
READABLE = [name for name in FILES if name not in XNOR]
LIGHT = 2e7
"""Parameters of a network that is run in `make test`, and a hundredth of its multiply-adds."""


def path_of(name: str) -> str:
    return str(corpus.FOLDER / "darknet" / name)


def program(name: str) -> tuple[Program, Reading]:
    return program_of(read_source(path_of(name)), Question(path_of(name)))


def layers(name: str) -> list[dict[str, Any]]:
    return corpus.table("darknet", "reference")[name]["layers"]


def test_what_is_read_and_what_is_not() -> None:
    assert len(FILES) >= 52
    for name in XNOR:
        with pytest.raises(DiagnosticError, match="no word for `xnor`") as caught:
            program(name)
        span = caught.value.diagnostics[0].span
        assert span is not None
        assert span.text == "xnor=1"


@pytest.mark.parametrize("name", READABLE)
def test_every_layer_has_the_shape_and_the_parameters_of_darknet(name: str) -> None:
    _, reading = program(name)
    reference = layers(name)
    assert len(reading.flows) == len(reference)
    stored: dict[int, int] = {}
    for one in reading.writer.stored:
        number = int(one.key.split(".")[0])
        stored[number] = stored.get(number, 0) + prod(one.shape)
    for flow, layer in zip(reading.flows, reference, strict=True):
        if layer["type"] not in HEADS:
            assert flow.count == layer["outputs"], layer["index"]
        if layer["type"] not in (*HEADS, "softmax"):
            assert list(flow.shape) == layer["out"], layer["index"]
        assert stored.get(layer["index"], 0) == layer["params"], layer["index"]


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.one_in(4)
def test_the_text_has_darknets_shapes_and_parameters(name: str) -> None:
    result = read(Question(path_of(name)))
    network = netdsl.loads(result.text)
    size = corpus.table("darknet", "reference")[name]["input"]
    fixed = (
        netdsl.loads(result.text, sizes=dict(zip("HW", size[1:], strict=True)))
        if ("H" in map(str, network.inputs[0].shape))
        else network
    )
    learned = corpus.table("darknet", "reference")[name]["params_learnable"]
    assert network.parameters == learned
    heads = [layer for layer in layers(name) if layer["type"] in HEADS]
    ends = [prod(layer["in"]) if layer["in"][0] else layer["outputs"] for layer in heads]
    if heads:
        counts = [prod([int(str(size)) for size in one.shape]) for one in fixed.outputs]
        assert counts == ends


@pytest.mark.parametrize("name", ["cspx-p7-mish_hp.cfg"])
def test_the_largest_is_read_in_a_second(name: str) -> None:
    program("tiny.cfg")
    start = time.process_time()
    program(name)
    assert time.process_time() - start < 1


def weights(name: str, path: Path) -> None:
    """A file of weights in Darknet's order, by the rule of the golden forwards."""
    with open(path, "wb") as file:
        file.write(struct.pack("<iiiq", 0, 2, 5, 0))
        for layer in layers(name):
            if not layer["params"]:
                continue
            attributes = layer.get("attr", {})
            n = attributes.get("n") or layer["outputs"]
            each = prod(layer["out"]) if layer["type"] == "local" else n
            norm = 3 * n if attributes.get("batch_normalize") else 0
            rest = layer["params"] - each - norm
            if layer["type"] == "connected" and (rest - 3 * n) % n == 0 and norm == 0:
                inputs = prod(layer["in"])
                norm, rest = layer["params"] - n - n * inputs, n * inputs
            fan_in = prod(layer["in"])
            if layer["type"] != "connected":
                fan_in = layer["in"][0] // max(attributes["groups"], 1) * attributes["size"] ** 2
            k = 8 * layer["index"]
            numbers = [0.1 * corpus.drawn(each, k + 1)]
            matrix = corpus.drawn(rest, k) * np.sqrt(6 / fan_in)
            norms = []
            if norm:
                norms = [
                    1 + 0.2 * corpus.drawn(n, k + 2),
                    0.1 * corpus.drawn(n, k + 3),
                    1 + 0.5 * corpus.drawn(n, k + 4),
                ]
            order = [matrix, *norms] if layer["type"] == "connected" else [*norms, matrix]
            for part in [*numbers, *order]:
                file.write(part.astype("<f4").tobytes())


def golden(name: str) -> list[dict[str, Any]]:
    return corpus.table("darknet", "golden_forward").get(name, {}).get("layers", [])


def compare(name: str, tmp_path: Path) -> float:
    """The largest difference to a golden forward, relative to the spread of a layer."""
    import torch

    file = tmp_path / "net.weights"
    weights(name, file)
    question = Question(path_of(name), weights=str(file))
    plain, reading = program_of(read_source(path_of(name)), question)
    ends = [(flow, layer) for flow, layer in zip(reading.flows, golden(name), strict=True)]
    ends = [(flow, layer) for flow, layer in ends if not flow.head]
    outputs = [
        Output(f"layer{layer['index']}", flow.value(), flow.section.span) for flow, layer in ends
    ]
    plain.inputs[0].shape = plain.inputs[0].value.shape or ()
    whole = Program(plain.name, plain.root, plain.inputs, outputs)
    network = netdsl.loads(imported(Answer(whole)).text)
    from netdsl.importers.darknet.weights import numbers

    module = network.torch(
        weights={key: get() for key, get in numbers(str(file), reading.writer.stored).items()}
    ).eval()
    shape = plain.inputs[0].value.shape or ()
    image = torch.from_numpy((corpus.drawn(prod(shape), 0xFFFF) + 1) / 2).reshape(1, *shape)
    with torch.no_grad():
        results = module(image)
    results = results if isinstance(results, tuple | list | dict) else [results]
    results = list(results.values()) if isinstance(results, dict) else list(results)
    worst = 0.0
    for value, (_, layer) in zip(results, ends, strict=True):
        flat = value.numpy().reshape(-1)
        assert flat.size == layer["outputs"]
        scale = max(layer["std"], abs(layer["mean"]))
        apart = np.abs(corpus.samples(flat) - np.array(layer["samples"])).max() / scale
        apart = max(apart, abs(float(flat.mean(dtype=np.float64)) - layer["mean"]) / scale)
        assert apart < 1e-4, (layer["index"], apart)
        worst = max(worst, apart)
    return worst


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in READABLE
        if golden(name)
        and sum(layer["params"] for layer in layers(name)) < LIGHT
        and sum(layer["macs"] for layer in layers(name)) < 100 * LIGHT
    ],
)
def test_small_networks_give_darknets_numbers(name: str, tmp_path: Path) -> None:
    compare(name, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("name", [name for name in READABLE if golden(name)])
def test_networks_give_darknets_numbers(name: str, tmp_path: Path) -> None:
    compare(name, tmp_path)
