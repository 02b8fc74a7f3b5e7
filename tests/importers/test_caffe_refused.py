"""What is wrong with Caffe's files, or has no word: an error at its place, and never else."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from netdsl import DiagnosticError
from netdsl.importers.frontend import Question
from netdsl.importers.imported import read
from tests.importers.caffe_models import write_model
from tests.importers.caffe_small import CONV, DENSE, OLD, layer, numbers, read_text, text
from tests.importers.mutated import PARTS, SEEDS, check_part

FC = layer("InnerProduct", "f", "data", more=DENSE)


def alone(kind: str, param: str = "", bottom: str = "data") -> str:
    return text(layer(kind, "y", bottom, more=param))


def pool(param: str) -> str:
    return alone("Pooling", f"pooling_param {{ {param} }}")


def conv(param: str) -> str:
    return alone("Convolution", f"convolution_param {{ num_output: 4 {param} }}")


def shaped(param: str) -> str:
    return alone("Reshape", f"reshape_param {{ {param} }}")


REFUSED = {
    "empty": ("", "there are no layers in this file", 1),
    "a character": ("layer { name: ~ }", "`~` can't stand here", 1),
    "quotes": ('name: "a\n"', "a text has no end", 1),
    "no brace": ("\nlayer { name: 'a'", "the end of the file can't stand here", 2),
    "no colon": ("name 'a'", "`:` or `{` after `name` was expected", 1),
    "no value": ("layer { name: }", "`}` can't stand here: a value was expected", 1),
    "list": ("layer { top: [1 2] }", "`,` or `]` was expected", 1),
    "deep": ("a {" * 60, "messages lie more than 50 deep", 1),
    "field": (text(FC) + "layr { }", "a network has no field `layr`", 4),
    "layer field": (text(layer("ReLU", "r", "data", more="tip: 1")), "has no field `tip`", 3),
    "other settings": (alone("ReLU", "pooling_param { }"), "has no field `pooling_param`", 3),
    "setting": (pool("kernel: 3"), "needs `kernel_size`", 3),
    "setting more": (pool("kernel_size: 3 kernels: 1"), "has no field `kernels`", 3),
    "twice": (pool("kernel_size: 3 pool: MAX pool: AVE"), "`pool` is there twice", 3),
    "enum": (pool("kernel_size: 3 pool: MEAN"), "`pool` is one of `MAX`, `AVE`", 3),
    "number": (pool("kernel_size: '3'"), "`kernel_size` is a whole number", 3),
    "float": (pool("kernel_size: 3.5"), "`kernel_size` is a whole number, not `3.5`", 3),
    "large": (pool("kernel_size: 99999999999"), "`kernel_size` is 1 to 2,147,483,647", 3),
    "digits": (pool(f"kernel_size: {'9' * 9000}"), "`kernel_size` is a whole number", 3),
    "flag": (pool("kernel_size: 3 global_pooling: yes"), "is `true` or `false`, not `yes`", 3),
    "message": (alone("ReLU", "relu_param: 3"), "`relu_param` holds fields", 3),
    "no message": (alone("ReLU", "name { }"), "`name` is there twice", 3),
    "infinite": (alone("ReLU", "relu_param { negative_slope: inf }"), "is a number, not `inf`", 3),
    "stochastic": (pool("kernel_size: 2 pool: STOCHASTIC"), "no word for a pool of kind", 3),
    "both": (pool("kernel_size: 2 kernel_h: 2"), "not both", 3),
    "padded": (pool("kernel_size: 3 pad: 2"), "no word for windows of 3 padded by 2", 3),
    "empty window": (pool("kernel_size: 1 stride: 7"), "a last window without a cell", 3),
    "window": (pool("kernel_size: 20"), "has windows of 20 on a map of 9", 3),
    "global": (pool("kernel_size: 2 global_pooling: true"), "pools the whole map", 3),
    "no filters": (alone("Convolution", CONV.replace("3", "0", 1)), "`num_output` is 1 to", 3),
    "groups": (conv("kernel_size: 1 group: 3"), "4 channels come in, which 3 groups", 3),
    "convolution": (conv("kernel_size: 30"), "would give a blob of shape [4, -20, -21]", 3),
    "sizes": (conv("kernel_size: [3, 3, 3]"), "is given once or 2 times, not 3", 3),
    "axis": (conv("kernel_size: 1 axis: 2"), "has its channels on another axis", 3),
    "no name": (text(layer("Convolution", "", "data", "y", CONV)), "needs a name", 3),
    "names": (text(FC, layer("InnerProduct", "f", "f", more=DENSE)), "two layers are called", 4),
    "no bottom": (text(layer("ReLU", "r", "dat")), "takes the blob `dat`, which is not there", 3),
    "bottoms": (text(layer("ReLU", "r", "data data")), "takes one blob and gives one, not 2", 3),
    "tops": (text(layer("ReLU", "r", "data", "a b")), "takes one blob and gives one, not 1 and 2", 3),
    "blob": (text(FC, layer("ReLU", "g", "data", "f")), "two layers give the blob `f`", 4),
    "in place": (text(layer("ReLU", "data", "data", "data"), layer("ReLU", "r", "in")),
                 "takes the blob `in`", 4),
    "type": (alone("Python"), "no word for layer `y` of type `Python`", 3),
    "no type": (text('layer { name: "y" bottom: "data" top: "y" }'), "has no `type`", 3),
    "old type": (OLD.replace("RELU", "RELUU"), "`RELUU` is no type of layer", 5),
    "times": (OLD + layer("ReLU", "z", "prob"), "are of different times", 3),
    "V0": ('layers { layer { name: "a" } }', "this format of 2013 is not read", 1),
    "rules": (alone("ReLU", "include { } exclude { }"), "has `include` or `exclude`, not both", 3),
    "rule": (alone("ReLU", "include { phase: DEPLOY }"), "`phase` is one of `TRAIN`, `TEST`", 3),
    "phase": (text(layer("ReLU", "r", "data", more="include { phase: TRAIN }")),
              "nothing flows into this network", 2),
    "no input": (text(FC).replace('top: "data"', 'top: "other"'), "takes the blob `data`, which is not there", 3),
    "inputs": ("input: 'a' input_dim: 3\n" + layer("ReLU", "r", "a"), "have 4 times `input_dim`", 1),
    "eltwise": (text(FC, layer("Eltwise", "e", "data f")), "takes blobs of one shape", 4),
    "coeff": (alone("Eltwise", "eltwise_param { coeff: 2 }", "data data"), "1 times `coeff`", 3),
    "concat": (text(FC, layer("Concat", "e", "data f")), "joins [4, 9, 8] and [5]", 4),
    "batch": (alone("Concat", "concat_param { axis: 0 }", "data data"), "works along the batch", 3),
    "no axis": (alone("Softmax", "softmax_param { axis: 4 }"), "has `axis` 4, and 4 axes", 3),
    "slice": (text(layer("Slice", "s", "data", "a b c")), "cuts 4 into 3 equal parts", 3),
    "points": (text(layer("Slice", "s", "data", "a b", "slice_param { slice_point: 9 }")),
               "the points rise from 1 to 3", 3),
    "counts": (shaped("shape { dim: 0 dim: 5 dim: -1 }"), "the counts differ", 3),
    "samples": (shaped("shape { dim: 2 dim: 144 }"), "changes the axis of the batch", 3),
    "rest": (shaped("shape { dim: 0 dim: -1 dim: -1 }"), "has `dim: -1` twice", 3),
    "keeps": (shaped("shape { dim: 0 dim: 0 dim: 0 dim: 0 dim: 0 }"), "is not there", 3),
    "lrn": (alone("LRN", "lrn_param { local_size: 4 }"), "`local_size` is odd", 3),
    "statistics": (alone("BatchNorm", "batch_norm_param { use_global_stats: false }"),
                   "takes the statistics of the batch", 3),
    "gate": (alone("Scale", "", "data data"), "the language has words for axis 0 alone", 3),
    "crop": (text(layer("Crop", "c", "data data", more="crop_param { offset: 1 }")),
             "takes 9 cells from 1 on, of 9", 3),
    "tiles": (alone("Tile", "tile_param { tiles: 1000 }"), "repeated at most 64 times", 3),
    "argmax": (alone("ArgMax"), "the largest along one `axis` alone", 3),
    "interp": (alone("Interp"), "needs `height` and `width`, or a factor", 3),
    "base": (alone("Log", "log_param { base: 1 }"), "`base` is above 0 and not 1", 3),
    "share": (text(layer("InnerProduct", "f", "data", more='param { name: "w" } ' + DENSE),
                   layer("InnerProduct", "g", "data", more='param { name: "w" } ' + DENSE)),
              "shares some of its weights", 4),
    "many layers": (text(layer("ReLU", "data", "data") * 10_050), "more than 10,000 layers", 10_002),
    "many blobs": (text(layer("Concat", "c", "data " * 10_001)), "more than 10,000 blobs", 3),
    "long name": (text(layer("PReLU", "a" * 9_000, "data")), "at most 500 characters", 3),
    "slashes": (text(layer("PReLU", "a/" * 200, "data")), "20 slashes", 3),
    "axes": (shaped(f"shape {{ dim: 0 {'dim: 1 ' * 50} }}"), "a blob has at most 32 axes", 3),
    "input axes": (text(FC, shape=[1] * 40), "a shape has 1 to 32 times `dim`", 2),
    "numbers": (alone("ReLU", "blobs { data: 1 }"), "holds numbers", 3),
    "huge": (alone("Deconvolution", "convolution_param { num_output: 9 kernel_size: 3 stride: "
                   "90000 }"), "gives more than 2**31 numbers", 3),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_at_its_line(tmp_path: Path, name: str) -> None:
    prototxt, message, line = REFUSED[name]
    with pytest.raises(DiagnosticError) as caught:
        read_text(tmp_path, prototxt)
    (error,) = caught.value.diagnostics
    assert message in error.message
    assert error.span is not None
    assert error.span.line == line


def test_questions_that_a_file_has_no_answer_to(tmp_path: Path) -> None:
    for options, message in [
        ({"settings": {"classes": "3"}}, "has no parameter `classes`"),
        ({"settings": {"phase": "deploy"}}, "`phase` is TRAIN or TEST"),
        ({"settings": {"level": "high"}}, "`level` is a whole number"),
        ({"inputs": {"picture": (3, 4, 5)}}, "there is no input `picture`: there are `data`"),
        ({"inputs": {"data": (3, 4)}}, "`data` has 3 axes, not 2"),
        ({"dtypes": {"data": "int64"}}, "`data` is float32 in Caffe, not int64"),
    ]:
        with pytest.raises(DiagnosticError, match=message):
            read_text(tmp_path, text(FC), None, **options)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    good = [numbers(5, 288), numbers(5)]
    for blobs, message in [
        ({"g": good}, "is blob 0 of layer `f`, and .* has nothing of it"),
        ({"f": good[:1]}, "`f.bias` is blob 1 of layer `f`, and .* has 1 blobs"),
        ({"f": [good[0].T.copy(), good[1]]}, r"is \[5, 288\], and layer `f` of .* has \[288, 5\]"),
        ({"f": [good[0], numbers(4)]}, r"`f.bias` is \[5\], and"),
    ]:
        with pytest.raises(DiagnosticError, match=message):
            read_text(tmp_path, text(FC), blobs)


def test_weights_of_other_layers_are_told(tmp_path: Path) -> None:
    blobs = {"f": [numbers(5, 288), numbers(5)], "aux": [numbers(1)], "loss": []}
    answer = read_text(tmp_path, text(FC), blobs).answer
    assert answer.remarks[0].endswith("has weights of layers that the network has not: `aux`")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "it is HDF5"),
        (b"\xff" * 30, "a number in it has no end"),
        (b"\x0a\x05abc", "it ends within a field"),
        (b"\x0b", "it has a field of kind 3"),
        (b"\x08\x01" * 600_000, "it has more than 500,000 fields"),
        (b"\xa2\x06\x35\x3a\x33\x3a\x31\x0a\x2f" + b"\x01" * 47, "more than 32 axes"),
        (b"\x0a\x03abc", "it has no layers"),
        (b"\xa2\x06\x06\x3a\x04\x2d\x00\x00\x00", "it ends within a field"),
        (b"\xa2\x06\x07\x3a\x05\x2d\x00\x00\x00\x00", "its numbers are not packed"),
    ],
)
def test_files_that_are_no_weights(tmp_path: Path, data: bytes, message: str) -> None:
    path, model = tmp_path / "a.prototxt", tmp_path / "a.caffemodel"
    path.write_text(text(FC))
    model.write_bytes(data)
    with pytest.raises(DiagnosticError, match=message):
        read(Question(str(path), weights=str(model)))
    with pytest.raises(DiagnosticError, match="can't read"):
        read(Question(str(path), weights=str(tmp_path / "missing")))
    with pytest.raises(DiagnosticError, match="can't read"):
        read(Question(str(path), weights=str(tmp_path)))


BASE = [
    text(
        layer("Convolution", "conv1/3x3", "data", more='param { name: "w" lr_mult: 1 } ' + CONV),
        layer("BatchNorm", "conv1/bn", "conv1/3x3", "conv1/3x3"),
        layer("Scale", "conv1/scale", "conv1/3x3", "conv1/3x3", "scale_param { bias_term: true }"),
        layer("ReLU", "r", "conv1/3x3", "conv1/3x3", "relu_param { negative_slope: 0.1 }"),
        layer("LRN", "n", "conv1/3x3", more="lrn_param { local_size: 3 norm_region: 1 }"),
        layer("Pooling", "p", "n", more="pooling_param { pool: AVE kernel_size: 3 stride: 2 }"),
        layer("Slice", "s", "p", "a b", "slice_param { axis: 1 slice_point: 2 }"),
        layer("Concat", "j", "a b n_"),
    ).replace(" n_", "").replace('bottom: "n_"', ""),
    text(
        layer("Pooling", "p", "data", more="pooling_param { kernel_size: 2 stride: 2 pad: 1 }"),
        layer("Deconvolution", "d", "p", more="convolution_param { num_output: 4 kernel_size: 2 "
              "stride: 2 bias_term: false group: 4 }"),
        layer("Crop", "c", "d data", more="crop_param { axis: 2 offset: 0 }"),
        layer("Eltwise", "e", "c data", more="eltwise_param { coeff: 1 coeff: -0.5 }"),
        layer("Reshape", "q", "e", more="reshape_param { shape { dim: 0 dim: 2 dim: -1 } }"),
        layer("InnerProduct", "f", "q", more="inner_product_param { num_output: 3 axis: 2 }"),
        layer("Softmax", "prob", "f", more='softmax_param { axis: 2 } include { stage: "" }'),
        layer("Accuracy", "acc", "f label", more="include { phase: TRAIN }"),
    ).replace('include { stage: "" }', ""),
    OLD,
]  # fmt: skip
WORDS = [
    "layer", "layers", "name", "type", "bottom", "top", "num_output", "kernel_size", "pad", "dim",
    "data", "conv1", "ReLU", "Concat", "true", "MAX", "axis", "include", "phase", "TEST", "group",
]  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_changed_files_are_read_or_refused(tmp_path: Path, part: int) -> None:
    check_part(part, BASE, WORDS, tmp_path / "a.prototxt")


@pytest.mark.parametrize("part", PARTS)
def test_changed_weights_are_read_or_refused(tmp_path: Path, part: int) -> None:
    path, model = tmp_path / "a.prototxt", tmp_path / "a.caffemodel"
    path.write_text(text(layer("Convolution", "c", "data", more=CONV)))
    write_model(model, {"c": [numbers(3, 4, 1, 1), numbers(3)], "rest": [numbers(2)]})
    whole = model.read_bytes()
    refusals = 0
    for seed in range(part * SEEDS, part * SEEDS + SEEDS):
        draw = random.Random(seed)
        data = bytearray(whole)
        for _ in range(draw.randint(1, 3)):
            place = draw.randrange(len(data))
            data[place : place + draw.randint(0, 2)] = draw.randbytes(draw.randint(0, 2))
        model.write_bytes(bytes(data))
        try:
            held = read(Question(str(path), weights=str(model))).answer.numbers
        except DiagnosticError:
            refusals += 1
            continue
        assert held is not None
        assert np.shape(held["c.weight"]()) == (3, 4, 1, 1)
    assert 20 < refusals < SEEDS
