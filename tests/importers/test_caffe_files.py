"""Whole prototxt files: names, shared weights, phases, inputs and outputs, files of 2013."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch.nn import functional

import netdsl
from netdsl.importers.frontend import Question
from netdsl.importers.imported import read
from tests.importers.caffe_models import write_model
from tests.importers.caffe_small import (
    CONV,
    DENSE,
    OLD,
    close,
    layer,
    numbers,
    one,
    read_text,
    run,
    tensors,
    text,
)


def test_layers_in_place_and_their_order(tmp_path: Path) -> None:
    layers = [
        layer("Power", "p", "data", "data", "power_param { scale: 2 }"),
        layer("Power", "q", "data", "other", "power_param { shift: 1 }"),
        layer("ReLU", "r", "data", "data"),
        layer("Eltwise", "e", "data other"),
    ]
    x = numbers(4, 9, 8)
    close(one(read_text(tmp_path, text(*layers)), x), np.maximum(2 * x, 0) + 2 * x + 1)


def test_names_are_paths(tmp_path: Path) -> None:
    layers = [
        layer("Convolution", "conv1", "data", more=CONV),
        layer("BatchNorm", "conv1/bn", "conv1", "conv1"),
        layer("Scale", "conv1/scale", "conv1", "conv1", "scale_param { bias_term: true }"),
        layer("Convolution", "part/1x1-b", "conv1", more=CONV),
        layer("InnerProduct", "fc.8", "part/1x1-b", "out/put", DENSE),
    ]
    ours = read_text(tmp_path, text(*layers))
    network = netdsl.loads(ours.text)
    keys = [key for key in network.torch(seed=0).state_dict() if "num_batches" not in key]
    assert sorted(keys) == sorted(
        ["conv1.conv.weight", "conv1.conv.bias", "conv1.bn.weight", "conv1.bn.bias",
         "conv1.bn.running_mean", "conv1.bn.running_var", "part.1x1-b.weight", "part.1x1-b.bias",
         "fc.8.weight", "fc.8.bias"]
    )  # fmt: skip
    assert [one.name for one in network.outputs] == ["out_put"]
    assert network.name == "SmallNet"


@pytest.mark.parametrize(
    ("name", "key"),
    [("in", "in_"), ("1/x", "1.x"), ("a/b", "a.b"), ("a-b", "a-b"), ("true/2 c", "true_.2 c")],
)
def test_tables_have_names_that_can_be_called(tmp_path: Path, name: str, key: str) -> None:
    given = 'layer { name: "d" type: "Input" top: "for" input_param { shape { dim: 1 dim: 2 } } }\n'
    scale = layer("Scale", name, "for", "if")
    ours = read_text(tmp_path, given + scale, {name: [np.array([2.0, 3.0])]})
    close(one(ours, np.ones(2, np.float32)), np.array([2, 3], np.float32))
    assert list(ours.answer.numbers or ()) == [f"{key}.weight"]
    network = netdsl.loads(ours.text)
    assert (network.inputs[0].name, network.outputs[0].name) == ("for_", "if_")


def test_names_that_differ_by_slashes_are_two_layers(tmp_path: Path) -> None:
    first = layer("Convolution", "a/b", "data", more=CONV.replace("3", "4", 1))
    second = layer("Convolution", "a//b", "a/b", more=CONV)
    network = netdsl.loads(read_text(tmp_path, text(first, second)).text)
    assert network.parameters == 4 * 4 + 4 + 3 * 4 + 3
    keys = list(network.torch(seed=0).state_dict())
    assert keys == ["a.b.weight", "a.b.bias", "a.b_.weight", "a.b_.bias"]


def test_weights_are_shared_by_name(tmp_path: Path) -> None:
    shared = 'param { name: "w" } param { name: "b" }'
    layers = [
        layer("Slice", "cut", "data", "a b"),
        layer("InnerProduct", "f", "a", more=f"{shared} {DENSE}"),
        layer("InnerProduct", "f_p", "b", more=f"{shared} {DENSE}"),
        layer("ContrastiveLoss", "loss", "f f_p sim"),
    ]
    sim = 'layer { name: "in2" type: "Input" top: "sim" input_param { shape { dim: 1 } } }\n'
    weight, bias = numbers(5, 144) * 0.1, numbers(5)
    ours = read_text(tmp_path, text(sim, *layers), {"f": [weight, bias]})
    x = numbers(4, 9, 8)
    a, b = run(ours, x)
    close(a, weight @ x[:2].reshape(-1) + bias)
    close(b, weight @ x[2:].reshape(-1) + bias)
    network = netdsl.loads(ours.text)
    assert network.parameters == 5 * 145
    assert [one.name for one in network.inputs] == ["data"]


PHASES = text(
    layer("ReLU", "a", "data", "x", "include { phase: TRAIN }"),
    layer("Sigmoid", "b", "data", "x", 'include { phase: TEST not_stage: "deploy" }'),
    layer("TanH", "c", "data", "x", 'include { stage: "deploy" min_level: 1 }'),
    layer("AbsVal", "d", "data", "x", 'include { stage: "deploy" max_level: 0 }'),
    layer("Power", "e", "x", "x", "exclude { phase: TRAIN } power_param { scale: 2 }"),
)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ["sigmoid", "mul"]),
        ({"phase": "train"}, ["relu"]),
        ({"stage": "deploy", "level": "1"}, ["tanh", "mul"]),
        ({"stage": "deploy,other"}, ["abs", "mul"]),
    ],
)
def test_phases_levels_and_stages(
    tmp_path: Path, settings: dict[str, str], words: list[str]
) -> None:
    ours = read_text(tmp_path, PHASES, settings=settings)
    there = [word for word in ("relu", "sigmoid", "tanh", "abs", "mul") if word in ours.text]
    assert there == words


def test_networks_end_before_losses(tmp_path: Path) -> None:
    label = 'layer { name: "in2" type: "Input" top: "label" input_param { shape { dim: 1 } } }\n'
    layers = [
        layer("InnerProduct", "f", "data", more=DENSE),
        layer("SoftmaxWithLoss", "loss", "f label"),
        layer("Accuracy", "acc", "f label"),
        layer("Sigmoid", "s", "data"),
        layer("Silence", "quiet", "s", "").replace('top: "quiet"', ""),
    ]
    network = netdsl.loads(read_text(tmp_path, text(label, *layers)).text)
    assert [one.name for one in network.outputs] == ["f"]
    assert [one.name for one in network.inputs] == ["data"]


@pytest.mark.parametrize("is_double", [False, True])
def test_files_and_models_of_2013(tmp_path: Path, is_double: bool) -> None:
    path, model = tmp_path / "old.prototxt", tmp_path / "old.caffemodel"
    path.write_text(OLD)
    weight, bias = numbers(3, 2, 3, 3), numbers(3)
    dense, offset = numbers(2, 36) * 0.1, numbers(2)
    blobs = {"c": [weight, bias], "f": [dense, offset], "loss": []}
    write_model(model, blobs, is_old=True, is_double=is_double)
    x = numbers(2, 6, 5)
    image, filters, offsets = tensors(x[None], weight, bias)
    y = functional.conv2d(image, filters, offsets)
    z = dense @ np.maximum(y.numpy(), 0).reshape(-1) + offset
    close(one(read(Question(str(path), weights=str(model))), x), np.exp(z) / np.exp(z).sum())


def test_data_layers_say_what_they_can(tmp_path: Path) -> None:
    images = """layer { name: "d" type: "ImageData" top: "data" top: "label"
        transform_param { mirror: true crop_size: 5 mean_value: 104 }
        image_data_param { source: "list.txt" } }
    """
    cfg = images + layer("Convolution", "c", "data", more=CONV)
    ours = read_text(tmp_path, cfg)
    assert "input data: [3, 5, 5]" in ours.text
    assert "`mean_value`" in ours.answer.remarks[0]
    memory = cfg.replace("ImageData", "MemoryData").replace(
        'image_data_param { source: "list.txt" }',
        "memory_data_param { batch_size: 2 channels: 2 height: 4 width: 7 }",
    )
    assert "input data: [2, 4, 7]" in read_text(tmp_path, memory).text
    plain = cfg.replace("ImageData", "Data").replace("image_data_param", "data_param")
    with pytest.raises(netdsl.DiagnosticError, match="does not say the shape of `data`"):
        read_text(tmp_path, plain)
    assert "data: [1, 6, 6]" in read_text(tmp_path, plain, inputs={"data": (1, 6, 6)}).text


def test_sizes_are_those_of_the_file_or_open(tmp_path: Path) -> None:
    conv = text(layer("Convolution", "c", "data", more=CONV))
    assert "data: [4, 9, 8]" in read_text(tmp_path, conv).text
    assert "data: [4, H, W]" in read_text(tmp_path, conv, opens=True).text
    assert "data: [4, 20, W]" in read_text(tmp_path, conv, inputs={"": (4, 20, "W")}).text
    dense = text(layer("InnerProduct", "f", "data", more=DENSE))
    assert "data: [4, 9, 8]" in read_text(tmp_path, dense, opens=True).text


def test_layers_of_one_scope_are_one_region(tmp_path: Path) -> None:
    from netdsl.files import read_source
    from netdsl.importers.caffe import program_of
    from netdsl.importers.program import Region

    def fire(name: str, bottom: str) -> str:
        return (
            layer("Convolution", f"{name}/squeeze", bottom, more=CONV)
            + layer("ReLU", f"{name}/relu", f"{name}/squeeze", f"{name}/squeeze")
            + layer("Convolution", f"{name}/expand", f"{name}/squeeze", more=CONV)
        )

    path = tmp_path / "a.prototxt"
    path.write_text(text(fire("fire2", "data"), fire("fire3", "fire2/expand")))
    program, _ = program_of(read_source(str(path)), Question(str(path)))
    first, second = program.root.items
    assert isinstance(first, Region)
    assert isinstance(second, Region)
    assert (first.kind, first.path, second.kind) == ("Fire", ("fire2",), "Fire")
    assert first.inputs == [program.inputs[0].value]
    assert first.outputs == second.inputs
    assert second.outputs == [program.outputs[0].value]
