"""Operators of ONNX in small graphs: the same numbers as in ONNX Runtime, at open sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from netdsl import DiagnosticError
from tests.importers.onnx_runs import (
    check_same,
    graph_of,
    imported,
    in_torch,
    module_of,
    saved,
    session,
)

RNG = np.random.default_rng(7)
MAP: dict[str, Sequence[int | str]] = {"x": ["N", 4, "H", "W"]}
FIXED: dict[str, Sequence[int | str]] = {"x": [2, 4, 9, 10]}
TOKENS: dict[str, Sequence[int | str]] = {"x": ["N", "T", 8]}
SIZES = [{"N": 1, "H": 12, "W": 15, "T": 5}, {"N": 3, "H": 9, "W": 10, "T": 7}]


def rand(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def whole(*numbers: int) -> Any:
    return np.asarray(numbers, np.int64)


def node(operator: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    names = [name.replace("_", "") for name in inputs.split()]
    return helper.make_node(operator, names, outputs.split(), **attributes)


def unary(operator: str, opset: int = 18, **attributes: Any) -> Any:
    return [node(operator, "x", **attributes)], MAP, {}, opset


def tokens(operator: str, opset: int = 18, **attributes: Any) -> Any:
    return [node(operator, "x", **attributes)], TOKENS, {}, opset


def weighed(
    operator: str, given: dict[str, Any], inputs: Any = MAP, opset: int = 18, **a: Any
) -> Any:
    return [node(operator, " ".join(["x", *given]), **a)], inputs, given, opset


def window(operator: str, opset: int = 18, inputs: Any = MAP, **attributes: Any) -> Any:
    return [node(operator, "x", kernel_shape=[3, 3], **attributes)], inputs, {}, opset


KERNEL, BIAS = rand(6, 4, 3, 3), rand(6)
UP = rand(4, 6, 3, 3)
ROW = {"s": rand(4), "b": rand(4), "m": rand(4), "v": np.abs(rand(4)) + 0.5}
CHANNELS = rand(4, 1, 1)

CASES: dict[str, Any] = {
    "conv": weighed("Conv", {"w": KERNEL, "b": BIAS}, pads=[1, 1, 1, 1]),
    "conv of two sides": weighed("Conv", {"w": KERNEL}, pads=[0, 1, 2, 0], strides=[2, 1]),
    "conv, dilated": weighed("Conv", {"w": KERNEL}, dilations=[2, 1], pads=[2, 1, 2, 1]),
    "conv in groups": weighed("Conv", {"w": rand(8, 2, 3, 3)}, group=2),
    "conv, same upper": weighed("Conv", {"w": KERNEL}, auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv, same lower": weighed("Conv", {"w": rand(6, 4, 2, 4)}, auto_pad="SAME_LOWER"),
    "conv, valid": weighed("Conv", {"w": KERNEL}, auto_pad="VALID", strides=[3, 2]),
    "conv 1d": weighed("Conv", {"w": rand(6, 4, 3)}, {"x": ["N", 4, "T"]}, pads=[1, 0]),
    "conv 3d": weighed("Conv", {"w": rand(6, 4, 3, 3, 3)}, {"x": ["N", 4, "T", "H", "W"]}),
    "transposed": weighed("ConvTranspose", {"w": UP, "b": BIAS}, strides=[2, 2], pads=[1, 1, 1, 1]),
    "transposed, cut": weighed("ConvTranspose", {"w": UP}, strides=[2, 2], pads=[0, 1, 1, 0]),
    "transposed, more": weighed(
        "ConvTranspose", {"w": UP}, strides=[2, 3], output_padding=[1, 2], pads=[1, 0, 1, 0]
    ),
    "transposed, same": weighed("ConvTranspose", {"w": UP}, strides=[2, 2], auto_pad="SAME_UPPER"),
    "transposed to a shape": weighed(
        "ConvTranspose", {"w": UP}, FIXED, strides=[2, 2], output_shape=[18, 20]
    ),
    "maxpool": window("MaxPool", strides=[2, 2], pads=[1, 1, 1, 1]),
    "maxpool up": window("MaxPool", strides=[2, 2], ceil_mode=1),
    "maxpool of two sides": window("MaxPool", strides=[2, 2], pads=[0, 0, 1, 1]),
    "maxpool same": window("MaxPool", strides=[2, 2], auto_pad="SAME_UPPER"),
    "maxpool dilated": window("MaxPool", dilations=[2, 2], strides=[1, 1]),
    "avgpool": window("AveragePool", strides=[2, 2], pads=[1, 1, 1, 1]),
    "avgpool, padding counts": window(
        "AveragePool", strides=[2, 2], pads=[0, 1, 1, 0], count_include_pad=1
    ),
    "avgpool up": window("AveragePool", strides=[2, 2], ceil_mode=1, opset=19),
    "avgpool same": window("AveragePool", strides=[2, 2], auto_pad="SAME_UPPER"),
    "avgpool, word for pads": window(
        "AveragePool", inputs={"x": [2, 4, 8, 8]}, strides=[2, 2], pads=[0, 0, 1, 1]
    ),
    "lppool": window("LpPool", strides=[2, 2], p=2),
    "global": unary("GlobalAveragePool"),
    "global max": unary("GlobalMaxPool"),
    "batchnorm": weighed("BatchNormalization", ROW, epsilon=0.01),
    "batchnorm 7": weighed("BatchNormalization", ROW, opset=7, momentum=0.8),
    "instancenorm": weighed("InstanceNormalization", {"s": ROW["s"], "b": ROW["b"]}),
    "groupnorm by channel": weighed(
        "GroupNormalization", {"s": ROW["s"], "b": ROW["b"]}, num_groups=2, opset=21
    ),
    "layernorm": weighed("LayerNormalization", {"s": rand(8), "b": rand(8)}, TOKENS),
    "layernorm, no bias": weighed("LayerNormalization", {"s": rand(8)}, TOKENS, epsilon=0.001),
    "lrn": unary("LRN", size=3, alpha=0.01, beta=0.5, bias=2.0),
    "lp norm": unary("LpNormalization", axis=1, p=1),
    "gemm": weighed(
        "Gemm", {"w": rand(5, 8), "c": rand(5)}, {"x": ["N", 8]}, transB=1, alpha=0.5, beta=2.0
    ),
    "gemm of one number": weighed("Gemm", {"w": rand(8, 5), "c": rand(1)}, {"x": ["N", 8]}),
    "matmul": weighed("MatMul", {"w": rand(8, 5)}, TOKENS),
    "matmul of a table": ([node("MatMul", "w x")], {"x": ["N", 8, "T"]}, {"w": rand(5, 8)}, 18),
    "softmax": tokens("Softmax"),
    "softmax 11": ([node("Softmax", "x", axis=1)], {"x": ["N", 4, 5, 6]}, {}, 11),
    "softmax 11, last": ([node("Softmax", "x", axis=2)], TOKENS, {}, 11),
    "log softmax": unary("LogSoftmax", axis=1),
    "clip 6": unary("Clip", opset=10, min=0.0, max=6.0),
    "clip": weighed("Clip", {"low": np.float32(-0.5), "high": np.float32(1.0)}),
    "clip, one end": ([node("Clip", "x _ high")], MAP, {"high": np.float32(0.3)}, 13),
    "prelu": weighed("PRelu", {"s": CHANNELS}),
    "prelu of one": weighed("PRelu", {"s": rand(1, 1, 1)}),
    "leaky": unary("LeakyRelu", alpha=0.2),
    "elu": unary("Elu", alpha=0.7),
    "selu": unary("Selu"),
    "selu, others": unary("Selu", alpha=1.5, gamma=1.1),
    "celu": unary("Celu", alpha=0.5),
    "hardsigmoid": unary("HardSigmoid"),
    "hardswish": unary("HardSwish"),
    "thresholded": unary("ThresholdedRelu", alpha=0.4),
    "shrink": unary("Shrink", lambd=0.3, bias=0.2),
    "gelu": unary("Gelu", opset=20),
    "gelu, tanh": unary("Gelu", opset=20, approximate="tanh"),
    "mish": unary("Mish"),
    "softplus": unary("Softplus"),
    "softsign": unary("Softsign"),
    "add a number": weighed("Add", {"c": np.float32(0.1)}),
    "subtract from a number": ([node("Sub", "c x")], MAP, {"c": np.float32(1.5)}, 18),
    "over": ([node("Div", "c x")], {"x": ["N", 4]}, {"c": np.float32(2.0)}, 18),
    "channels of numbers": weighed("Sub", {"c": CHANNELS}),
    "channels with a batch": weighed("Mul", {"c": rand(1, 4, 1, 1)}),
    "a table": weighed("Add", {"c": rand(1, 5, 1)}, {"x": ["N", 5, 6]}),
    "to a power": weighed("Pow", {"c": np.float32(2.0)}),
    "a maximum": weighed("Max", {"c": np.float32(0.25)}),
    "less or equal": ([node("LessOrEqual", "x c")], MAP, {"c": np.float32(0.1)}, 18),
    "where": (
        [node("Greater", "x c", "m"), node("Where", "m x c")], MAP, {"c": np.float32(0.1)}, 18
    ),
    "where, a number first": (
        [node("Greater", "x c", "m"), node("Where", "m c x")], MAP, {"c": np.float32(0.1)}, 18
    ),
    "concat": ([node("Concat", "x x", axis=2)], MAP, {}, 18),
    "concat with a table": (
        [node("Concat", "c x", axis=1)], {"x": [1, 5, 8]}, {"c": rand(1, 1, 8)}, 18
    ),
    "split": ([node("Split", "x", "a y", axis=1, num_outputs=2)], MAP, {}, 18),
    "split 11": ([node("Split", "x", "a y", axis=1, split=[1, 3])], MAP, {}, 11),
    "split 13": ([node("Split", "x p", "y b", axis=-3)], MAP, {"p": whole(3, 1)}, 13),
    "slice 9": unary("Slice", opset=9, starts=[1, 2], ends=[3, 100000], axes=[1, 2]),
    "slice": weighed(
        "Slice", {"s": whole(1, 0), "e": whole(2**62, -2), "a": whole(1, 3), "t": whole(2, 1)}
    ),
    "gather one": ([node("Gather", "x i", axis=1)], MAP, {"i": np.int64(2)}, 18),
    "gather many": ([node("Gather", "x i", axis=1)], MAP, {"i": whole(3, 0, 1)}, 18),
    "gather evens": ([node("Gather", "x i", axis=1)], MAP, {"i": whole(0, 2)}, 18),
    "pad 10": unary("Pad", opset=10, pads=[0, 0, 1, 2, 0, 0, 0, 1], value=0.5),
    "pad": weighed("Pad", {"p": whole(0, 0, 1, 2, 0, 0, 3, 0)}, mode="reflect"),
    "pad edge": weighed("Pad", {"p": whole(0, 0, 1, 0, 0, 0, 0, 2)}, mode="edge"),
    "pad channels": weighed("Pad", {"p": whole(0, 1, 0, 0, 0, 2, 0, 0)}),
    "crop by a pad": weighed("Pad", {"p": whole(0, 0, -1, 0, 0, 0, 1, -2)}),
    "pad axes": ([node("Pad", "x p _ a")], MAP, {"p": whole(2, 1), "a": whole(3)}, 18),
    "tile": weighed("Tile", {"c": whole(1, 2, 1, 3)}),
    "expand": (
        [node("Expand", "x c")], {"x": ["N", 4, 1, "W"]}, {"c": whole(1, 1, 5, 1)}, 18
    ),
    "transpose": unary("Transpose", perm=[0, 3, 1, 2]),
    "flatten": ([node("Flatten", "x")], FIXED, {}, 18),
    "reshape": weighed("Reshape", {"c": whole(0, 2, 2, -1)}),
    "reshape, batch by -1": weighed("Reshape", {"c": whole(-1, 360)}, FIXED),
    "squeeze": ([node("GlobalMaxPool", "x", "g"), node("Squeeze", "g a")], MAP, {"a": whole(2, 3)}, 18),
    "unsqueeze 11": unary("Unsqueeze", opset=11, axes=[2]),
    "depth to space": unary("DepthToSpace", blocksize=2),
    "depth to space, crd": unary("DepthToSpace", blocksize=2, mode="CRD"),
    "space to depth": ([node("SpaceToDepth", "x", blocksize=3)], {"x": ["N", 4, 9, 12]}, {}, 18),
    "mean": unary("ReduceMean", opset=13, axes=[2, 3], keepdims=0),
    "sum 13": weighed("ReduceSum", {"a": whole(1)}, opset=13),
    "max 18": weighed("ReduceMax", {"a": whole(-1)}, keepdims=0),
    "log of sum of exp": weighed("ReduceLogSumExp", {"a": whole(1)}),
    "sum of squares": weighed("ReduceSumSquare", {"a": whole(2)}),
    "l1": weighed("ReduceL1", {"a": whole(1, 2)}),
    "argmax": unary("ArgMax", axis=1, keepdims=0),
    "cumsum": weighed("CumSum", {"a": np.int64(2)}),
    "upsample 7": unary("Upsample", opset=7, scales=[1.0, 1.0, 2.0, 3.0]),
    "upsample 9": weighed("Upsample", {"s": np.float32([1, 1, 2, 2])}, opset=9),
    "resize 10": weighed("Resize", {"s": np.float32([1, 1, 3, 2])}, opset=10),
    "resize, linear": (
        [node("Resize", "x _ s", mode="linear")], MAP, {"s": np.float32([1, 1, 1.5, 2])}, 18
    ),
    "resize to sizes": (
        [node("Resize", "x _ _ s", mode="linear", coordinate_transformation_mode="align_corners")],
        FIXED, {"s": whole(2, 4, 13, 7)}, 18,
    ),
    "resize, nearest": (
        [node("Resize", "x _ s", mode="nearest", nearest_mode="floor",
              coordinate_transformation_mode="asymmetric")],
        MAP, {"s": np.float32([1, 1, 2, 2.5])}, 18,
    ),
    "resize, half pixels": ([node("Resize", "x _ s")], MAP, {"s": np.float32([1, 1, 3, 4])}, 18),
    "resize, cubic": (
        [node("Resize", "x _ s", mode="cubic")], MAP, {"s": np.float32([1, 1, 2, 2])}, 18
    ),
    "linear of two nodes": (
        [node("MatMul", "x w", "m"), node("Add", "b m")], TOKENS, {"w": rand(8, 5), "b": rand(5)}, 18
    ),
    "norm and scale": (
        [node("BatchNormalization", "x s b m v", "n"), node("Mul", "n f", "p"), node("Add", "p o")],
        MAP, {**ROW, "f": CHANNELS, "o": rand(4, 1, 1)}, 18,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_operator_computes_the_same(name: str, tmp_path: Path) -> None:
    nodes, inputs, weights, opset = CASES[name]
    model = graph_of(nodes, inputs, ["y"], weights, opset=opset)
    check_same(saved(model, tmp_path), SIZES)


FEATURES = 6


def recurrent(kind: str, directions: int, **attributes: Any) -> Any:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    weights = {
        "w": rand(directions, gates * 3, FEATURES),
        "r": rand(directions, gates * 3, 3),
        "b": rand(directions, gates * 6),
    }
    return node(kind, "x w r b", "y", hidden_size=3, **attributes), weights


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_layers_have_the_gates_of_pytorch(
    kind: str, directions: int, tmp_path: Path
) -> None:
    word = {"direction": "bidirectional"} if directions == 2 else {}
    more = {"linear_before_reset": 1} if kind == "GRU" else {}
    one, weights = recurrent(kind, directions, **word, **more)
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        helper.make_node(kind, ["t", "w", "r", "b"], ["h"], **_attributes(one)),
        node("Transpose", "h", "p", perm=[2, 0, 1, 3]),
        node("Reshape", "p c"),
    ]
    model = graph_of(nodes, {"x": ["N", "T", FEATURES]}, ["y"], {**weights, "c": whole(0, 0, -1)})
    result, _ = check_same(saved(model, tmp_path), SIZES)
    assert "reshape" not in result.text


def _attributes(one: Any) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in one.attribute}


def test_attention_whose_heads_are_merged_into_the_batch(tmp_path: Path) -> None:
    """As PyTorch's module has it: [T, N, E] becomes [N * heads, T, E / heads]."""
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        *(node("MatMul", f"t w{n}", f"m{n}") for n in "qkv"),
        node("Shape", "t", "shape"),
        node("Gather", "shape i1", "batch"),
        node("Gather", "shape i0", "time"),
        node("Mul", "batch i2", "many"),
        *(node("Unsqueeze", f"{n} a0", f"{n}1") for n in ("time", "many")),
        node("Concat", "time1 many1 half", "split", axis=0),
        *(node("Reshape", f"m{n} split", f"r{n}") for n in "qkv"),
        *(node("Transpose", f"r{n}", f"h{n}", perm=[1, 0, 2]) for n in "qv"),
        node("Transpose", "rk", "hk", perm=[1, 2, 0]),
        node("MatMul", "hq hk", "s"),
        node("Softmax", "s", "p", axis=-1),
        node("MatMul", "p hv", "o"),
        node("Transpose", "o", "ot", perm=[1, 0, 2]),
        node("Unsqueeze", "batch a0", "batch1"),
        node("Concat", "time1 batch1 all", "joined", axis=0),
        node("Reshape", "ot joined", "z"),
        node("Transpose", "z", perm=[1, 0, 2]),
    ]  # fmt: skip
    weights = {f"w{n}": rand(8, 8) for n in "qkv"}
    weights |= {"i0": np.int64(0), "i1": np.int64(1), "i2": np.int64(2), "a0": whole(0)}
    weights |= {"half": whole(4), "all": whole(8)}
    model = graph_of(nodes, TOKENS, ["y"], weights)
    _, network = check_same(saved(model, tmp_path), SIZES)
    assert str(network.outputs[0].value.type.shape) == "(T, 8)"


def test_shape_arithmetic_gives_sizes_of_values(tmp_path: Path) -> None:
    """An upsampling to the size of another value, and a flattening by the sizes of axes."""
    nodes = [
        node("MaxPool", "x", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Shape", "x", "s"),
        node("Slice", "s two four zero", "hw"),
        node("Shape", "p", "ps"),
        node("Slice", "ps zero two zero", "nc"),
        node("Concat", "nc hw", "to", axis=0),
        node("Resize", "p _ _ to", "u", mode="linear"),
        node("Add", "u x", "z"),
        node("Gather", "s i2", "h"),
        node("Gather", "s i3", "w"),
        node("Mul", "h w", "hw2"),
        node("Unsqueeze", "hw2 zero", "flat"),
        node("Concat", "nc flat", "shape", axis=0),
        node("Reshape", "z shape"),
    ]
    weights = {"zero": whole(0), "two": whole(2), "four": whole(4)}
    weights |= {"i2": np.int64(2), "i3": np.int64(3)}
    model = graph_of(nodes, MAP, ["y"], weights)
    result, network = check_same(saved(model, tmp_path), SIZES)
    assert "upsample(size=x, mode=bilinear)" in result.text
    assert network.sizes.accepts(H=7, W=5)


def test_a_file_of_one_size_is_open_where_its_arithmetic_allows_it(tmp_path: Path) -> None:
    head = [node("GlobalAveragePool", "x", "g"), node("Flatten", "g")]
    model = graph_of(head, {"x": [1, 4, 9, 10]}, ["y"])
    path = saved(model, tmp_path)
    _, fixed = imported(path)
    _, opened = imported(path, opens=True)
    assert (str(fixed.sizes), str(opened.sizes)) == ("fixed sizes", "any H, any W")
    closed = graph_of([node("Reshape", "x c")], {"x": [1, 4, 9, 10]}, ["y"], {"c": whole(1, 360)})
    _, network = imported(saved(closed, tmp_path), opens=True)
    assert str(network.sizes) == "fixed sizes"


def test_paths_are_those_of_the_names_of_weights(tmp_path: Path) -> None:
    weights = {"features.0.weight": KERNEL, "features.0.bias": BIAS, "head.gamma": rand(6, 1, 1)}
    nodes = [
        helper.make_node("Conv", ["x", "features.0.weight", "features.0.bias"], ["c"]),
        helper.make_node("Mul", ["c", "head.gamma"], ["y"]),
    ]
    result, network = check_same(saved(graph_of(nodes, MAP, ["y"], weights), tmp_path), SIZES)
    assert set(result.answer.numbers) == set(weights)
    assert network.parameters == KERNEL.size + BIAS.size + 6


def test_paths_are_those_of_the_scopes_of_nodes(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w1", "a", name="/stem/stem.0/Conv"),
        node("Relu", "a", "r", name="/stem/stem.1/Relu"),
        node("Conv", "r w2", "y", name="/head/conv/Conv"),
    ]
    model = graph_of(nodes, MAP, ["y"], {"w1": rand(4, 4, 1, 1), "w2": rand(4, 4, 1, 1)})
    result, _ = check_same(saved(model, tmp_path), SIZES)
    assert set(result.answer.numbers) == {"stem.0.weight", "head.conv.weight"}


def test_an_output_has_its_batch_first_and_it_is_said_where_the_file_has_not(
    tmp_path: Path,
) -> None:
    path = saved(graph_of([node("Flatten", "x", axis=2)], FIXED, ["y"]), tmp_path)
    result, network = imported(path)
    assert result.answer.remarks == (
        "output `y` has its batch merged into axis 0 in the file; here it is axis 0, as always",
    )
    x = rand(2, 4, 9, 10)
    (ours,) = in_torch(module_of(result, network), {"x": x})
    assert ours.shape == (2, 4, 90)
    assert (ours.reshape(8, 90) == session(path).run(None, {"x": x})[0]).all()


def test_a_number_modulo_a_size_is_undecided_and_no_broken_file(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["height"], start=2, end=3),
        helper.make_node("Mod", ["minus_one", "height"], ["start"]),
        helper.make_node("Slice", ["x", "start", "end", "axis"], ["y"]),
    ]
    weights = {"minus_one": [-1], "end": [1000], "axis": [2]}
    path = saved(graph_of(nodes, {"x": ["N", 3, "H", 8]}, ["y"], weights), tmp_path)
    with pytest.raises(DiagnosticError, match="-1 is divided by H") as caught:
        imported(path)
    assert caught.value.diagnostics[0].code == "undecided-size"


def test_a_size_that_was_written_down_asks_for_that_size(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    path = saved(graph_of(nodes, TOKENS, ["y"], {"shape": [-1, 5, 2, 4]}), tmp_path)
    with pytest.raises(DiagnosticError, match="can't be proved to fill") as caught:
        imported(path)
    assert "--input" in caught.value.diagnostics[0].help[0]
    result, _ = imported(path, x=(5, 8))
    assert "input x: [5, 8]" in result.text


def test_a_value_that_is_taken_twice_keeps_its_numbers(tmp_path: Path) -> None:
    """What is added behind a layer is no bias of it where the layer's own result is used too."""
    nodes = [
        node("MatMul", "x w", "m"),
        node("Identity", "m", "same"),
        node("Add", "same b", "p"),
        node("Mul", "m p"),
    ]
    weights = {"w": rand(8, 5), "b": rand(5)}
    check_same(saved(graph_of(nodes, TOKENS, ["y"], weights), tmp_path), SIZES)


def test_one_weight_with_a_bias_and_without(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", "x w", "m"),
        node("Add", "m b", "p"),
        node("MatMul", "x w", "q"),
        node("Mul", "p q"),
    ]
    weights = {"w": rand(8, 5), "b": rand(5)}
    check_same(saved(graph_of(nodes, TOKENS, ["y"], weights), tmp_path), SIZES)


PATTERNS = {
    "silu": ([node("Sigmoid", "x", "s"), node("Mul", "x s")], {}),
    "mish": ([node("Softplus", "x", "s"), node("Tanh", "s", "t"), node("Mul", "t x")], {}),
    "hardswish": ([node("HardSigmoid", "x", "s", alpha=1 / 6), node("Mul", "s x")], {}),
    "gelu": (
        [node("Div", "x r", "d"), node("Erf", "d", "e"), node("Add", "e one", "a"),
         node("Mul", "x a", "m"), node("Mul", "m half")],
        {"r": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)},
    ),
    "layernorm": (
        [node("ReduceMean", "x", "m", axes=[-1]), node("Sub", "x m", "c"), node("Pow", "c two", "q"),
         node("ReduceMean", "q", "v", axes=[-1]), node("Add", "v e", "w"), node("Sqrt", "w", "r"),
         node("Div", "c r", "n"), node("Mul", "n s", "f"), node("Add", "f b")],
        {"two": np.float32(2), "e": np.float32(1e-5), "s": rand(8), "b": rand(8)},
    ),
}  # fmt: skip


def test_channels_that_are_shuffled_by_two_reshapes(tmp_path: Path) -> None:
    nodes = [
        node("Reshape", "x parts", "p"),
        node("Transpose", "p", "t", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "t whole"),
    ]
    weights = {"parts": whole(0, 2, 2, 9, 10), "whole": whole(0, -1, 9, 10)}
    _, network = check_same(saved(graph_of(nodes, FIXED, ["y"], weights), tmp_path))
    assert [one.op.name for one in network.graph.nodes()] == ["channel_shuffle"]


@pytest.mark.parametrize("name", PATTERNS)
def test_several_nodes_that_are_one_layer(name: str, tmp_path: Path) -> None:
    nodes, weights = PATTERNS[name]
    path = saved(graph_of(nodes, TOKENS, ["y"], weights, opset=14), tmp_path)
    _, network = check_same(path, SIZES)
    assert [one.op.name for one in network.graph.nodes()] == [name]


def test_weights_that_are_listed_as_inputs_are_weights(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w b", auto_pad="VALID")]
    model = graph_of(nodes, MAP, ["y"], {"w": KERNEL, "b": BIAS}, opset=8, listed=True)
    model.ir_version = 3
    _, network = check_same(saved(model, tmp_path), SIZES)
    assert [one.name for one in network.inputs] == ["x"]


def test_weights_in_a_file_beside_it(tmp_path: Path) -> None:
    import onnx

    model = graph_of([node("Conv", "x w b")], MAP, ["y"], {"w": KERNEL, "b": BIAS})
    path = str(tmp_path / "net.onnx")
    onnx.save(model, path, save_as_external_data=True, location="net.bin", size_threshold=0)
    check_same(path, SIZES)


def test_metadata_of_modules_makes_regions(tmp_path: Path) -> None:
    from netdsl.importers.frontend import Question, front_end
    from netdsl.importers.program import Region

    nodes = [node("Conv", "x w1", "a"), node("Relu", "a", "r"), node("Conv", "r w2")]
    scopes = [["", "block", "block.conv"], ["", "block"], ["", "head"]]
    kinds = [["Net", "nets.Block", "nn.Conv2d"], ["Net", "nets.Block"], ["Net", "nn.Conv2d"]]
    for one, names, classes in zip(nodes, scopes, kinds, strict=True):
        one.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=repr([*names, "op"]))
        one.metadata_props.add(key="pkg.torch.onnx.class_hierarchy", value=repr([*classes, "aten"]))
        one.metadata_props.add(key="netdsl.path", value="elsewhere")
    weights = {"w1": rand(4, 4, 1, 1), "w2": rand(4, 4, 1, 1)}
    path = saved(graph_of(nodes, MAP, ["y"], weights), tmp_path)
    root = front_end(path).read(Question(path)).program.root
    block, head = root.items
    assert isinstance(block, Region)
    assert (block.path, block.kind) == (("block",), "Block")
    assert [call.path for call in block.calls()] == [("block", "conv"), ()]
    assert (len(block.inputs), len(block.outputs)) == (1, 1)
    assert not isinstance(head, Region)
    check_same(path, SIZES)
