"""Public prototxt files: shapes, parameters and numbers of every layer, as Caffe has them."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netdsl
from netdsl import DiagnosticError
from netdsl.files import read_source
from netdsl.importers.caffe import program_of
from netdsl.importers.caffe.network import Reading
from netdsl.importers.caffe.weights import numbers
from netdsl.importers.frontend import Answer, Question
from netdsl.importers.imported import imported, read
from netdsl.importers.program import Output, Program
from tests import corpus
from tests.importers.caffe_models import write_model

pytestmark = corpus.NEEDED
FILES = corpus.files("caffe", ".prototxt")
CASES = [
    (name, phase) for name in FILES for phase in corpus.table("caffe", "reference")[name]["phases"]
]
GOLDEN = [name for name in FILES if corpus.table("caffe", "golden_forward").get(name)]
HEADS = ("Input", "Split", "SoftmaxWithLoss", "Accuracy", "SigmoidCrossEntropyLoss",
         "EuclideanLoss", "ContrastiveLoss")  # fmt: skip


def question(name: str, phase: str = "TEST") -> Question:
    """A file with the shapes of its data, which stand beside it."""
    data = corpus.table("caffe", "reference")[name]["data_layers_replaced_by_Input"]
    shapes = {one["tops"][0]: tuple(one["shapes"][0][1:]) for one in data.values()}
    word, _, stage = phase.partition(":")
    settings = {"phase": word} | ({"stage": stage} if stage else {})
    return Question(str(corpus.FOLDER / "caffe" / name), shapes, settings=settings)


def program(name: str, phase: str = "TEST") -> tuple[Program, Reading]:
    asked = question(name, phase)
    return program_of(read_source(asked.source), asked)


def layers(name: str, phase: str = "TEST") -> list[dict[str, Any]]:
    return corpus.table("caffe", "reference")[name]["phases"][phase]["layers"]


@pytest.mark.parametrize(("name", "phase"), CASES)
def test_every_layer_has_the_shapes_and_the_parameters_of_caffe(name: str, phase: str) -> None:
    _, reading = program(name, phase)
    seen = 0
    for layer in layers(name, phase):
        if layer["type"] in HEADS:
            continue
        values = reading.tops[layer["name"]]
        assert [list(value.shape or ()) for value in values] == [
            shape[1:] for _, shape in layer["tops"]
        ], layer["name"]
        stored = [one for one in reading.writer.stored if one.layer == layer["name"]]
        count = sum(prod(one.shape) for one in stored)
        count += sum(one.divisor is not None for one in stored) // 2  # the divisor is a blob, too
        assert count == layer["params"] or count == layer["params_not_shared"] == 0, layer["name"]
        seen += 1
    assert seen > 0


@pytest.mark.parametrize(("name", "phase"), [case for case in CASES if case[1] != "TRAIN"])
def test_the_text_has_caffes_parameters(name: str, phase: str) -> None:
    result = read(question(name, phase))
    network = netdsl.loads(result.text)
    reference = corpus.table("caffe", "reference")[name]["phases"][phase]
    norms = [layer for layer in reference["layers"] if layer["type"] == "BatchNorm"]
    assert network.parameters == reference["params"] - sum(layer["params"] for layer in norms)


def test_data_without_a_shape_is_asked_for() -> None:
    path = "examples/mnist/lenet_train_test.prototxt"
    with pytest.raises(DiagnosticError, match="does not say the shape of `data`") as caught:
        read(Question(str(corpus.FOLDER / "caffe" / path)))
    assert caught.value.diagnostics[0].span is not None


def weights(name: str, path: Path) -> None:
    """A file of weights by the rule of the golden forwards."""
    blobs: dict[str, list[np.ndarray]] = {}
    owners = [layer for layer in layers(name) if layer["params"]]
    for ordinal, layer in enumerate(owners):
        parts: list[np.ndarray] = []
        for j, shape in enumerate(layer["param_shapes"]):
            drawn = corpus.drawn(prod(shape), 8 * ordinal + j)
            factor = np.sqrt(6 / prod(shape[1:])) if j == 0 else 0.1
            parts.append((drawn * np.float32(factor)).reshape(shape))
        blobs[layer["name"]] = parts
    write_model(path, blobs)


def compare(name: str, tmp_path: Path) -> float:
    """The largest difference to a golden forward, relative to the spread of a layer."""
    import torch

    file = tmp_path / "net.caffemodel"
    weights(name, file)
    plain, reading = program(name)
    ends: list[Output] = []
    wanted: list[dict[str, Any]] = []
    for layer in corpus.table("caffe", "golden_forward")[name]["layers"]:
        if layer["type"] in HEADS:
            continue
        for value, top in zip(reading.tops[layer["name"]], layer["tops"], strict=True):
            ends.append(Output(f"out{len(ends)}", value, plain.root.origin))
            wanted.append(top)
    text = imported(Answer(Program(plain.name, plain.root, plain.inputs, ends))).text
    held, remark = numbers(str(file), reading.writer.stored)
    assert remark == ""
    module = netdsl.loads(text).torch(weights={key: get() for key, get in held.items()}).eval()
    shape = plain.inputs[0].value.shape or ()
    image = torch.from_numpy((corpus.drawn(prod(shape), 0xFFFF) + 1) / 2).reshape(1, *shape)
    with torch.no_grad():
        results = module(image)
    values = list(results) if isinstance(results, tuple) else [results]
    worst = 0.0
    for value, top in zip(values, wanted, strict=True):
        flat = value.numpy().reshape(-1)
        assert flat.size == top["n"]
        scale = max(top["std"], abs(top["mean"]))
        apart = float(np.abs(corpus.samples(flat) - np.array(top["samples"])).max() / scale)
        apart = max(apart, abs(float(flat.mean(dtype=np.float64)) - top["mean"]) / scale)
        assert apart < 1e-4, (top["blob"], apart)
        worst = max(worst, apart)
    return worst


LIGHT = [
    name
    for name in GOLDEN
    if corpus.table("caffe", "reference")[name]["phases"]["TEST"]["params"] < 8e6
]


@pytest.mark.parametrize("name", LIGHT)
def test_small_networks_give_caffes_numbers(name: str, tmp_path: Path) -> None:
    compare(name, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("name", GOLDEN)
def test_networks_give_caffes_numbers(name: str, tmp_path: Path) -> None:
    compare(name, tmp_path)
