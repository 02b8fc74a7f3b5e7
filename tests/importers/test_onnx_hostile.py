"""ONNX files that are broken, odd or hostile: an error at a place of the file, and nothing else."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, helper, numpy_helper

from netdsl import DiagnosticError
from netdsl.importers.frontend import Question
from netdsl.importers.imported import read
from tests.importers.onnx_runs import graph_of, saved
from tests.importers.test_onnx_operators import CASES, MAP, node, rand, whole
from tests.sampling import some

LONGEST = 10.0
"""Seconds that no file of this size may take."""


def refusal(path: str) -> str:
    """What is said of a file; fails where nothing is, or no place is named."""
    with pytest.raises(DiagnosticError) as caught:
        read(Question(path))
    for one in caught.value.diagnostics:
        assert one.span is not None
        assert str(one.span).startswith(path)
    return str(caught.value.diagnostics[0])


def either(path: str) -> bool:
    """Whether a file is read; if not it is refused at a place, in time."""
    start = time.process_time()
    try:
        read(Question(path))
        return True
    except DiagnosticError as error:
        assert all(one.span is not None for one in error.diagnostics)
        assert all(len(one.message) < 2000 for one in error.diagnostics)
        return False
    finally:
        assert time.process_time() - start < LONGEST


def models() -> list[onnx.ModelProto]:
    """The graphs of the operators, and one of shape arithmetic."""
    made = [
        graph_of(nodes, inputs, ["y"], weights, opset=opset)
        for nodes, inputs, weights, opset in CASES.values()
    ]
    arithmetic = [
        node("Shape", "x", "s"),
        node("Gather", "s i", "g"),
        node("Mul", "g two", "m"),
        node("Concat", "zero zero m minus", "c", axis=0),
        node("Reshape", "x c"),
    ]
    weights = {"i": whole(2), "two": whole(2), "zero": whole(0), "minus": whole(-1)}
    return [*made, graph_of(arithmetic, {"x": ["N", 4, "H", 6]}, ["y"], weights)]


def some_bytes(model: onnx.ModelProto, rng: random.Random) -> bytes:
    """Some bytes of a file are others, or missing, or twice."""
    data = bytearray(model.SerializeToString())
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[place] = rng.randrange(256)
            case 1:
                del data[place : place + rng.randint(1, 8)]
            case 2:
                data[place:place] = data[place : place + rng.randint(1, 8)]
            case _:
                data[place] ^= 1 << rng.randrange(8)
    return bytes(data)


NUMBERS = (0, -1, 1, 2, 7, 2**31, -(2**31), 2**62, -(2**63))


def attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    one = rng.choice(model.graph.node)
    if one.attribute and rng.random() < 0.7:
        changed = rng.choice(one.attribute)
        if changed.type == AttributeProto.INTS and changed.ints:
            changed.ints[rng.randrange(len(changed.ints))] = rng.choice(NUMBERS)
        elif changed.type == AttributeProto.INT:
            changed.i = rng.choice(NUMBERS)
        elif changed.type == AttributeProto.FLOAT:
            changed.f = rng.choice([float("nan"), float("inf"), -1.0, 0.0, 1e30])
        else:
            changed.type = rng.randrange(15)
        return
    name = rng.choice(["axis", "axes", "pads", "strides", "group", "nonsense", "to", "perm"])
    one.attribute.append(helper.make_attribute(name, rng.choice([[1, 2], 3, 0.5, "word"])))


def weight(model: onnx.ModelProto, rng: random.Random) -> None:
    if not model.graph.initializer:
        return
    one = rng.choice(model.graph.initializer)
    match rng.randrange(4):
        case 0:
            with suppress(Exception):  # it may be broken already
                array = numpy_helper.to_array(one).reshape(-1).copy()
                array[rng.randrange(array.size)] = rng.choice([0, -1, 2, 100])
                one.CopyFrom(numpy_helper.from_array(array.reshape(tuple(one.dims)), one.name))
        case 1:
            one.dims.append(rng.choice(NUMBERS))
        case 2:
            one.data_type = rng.randrange(30)
        case _:
            one.name = rng.choice(["x", "y", "", "elsewhere"])


def wiring(model: onnx.ModelProto, rng: random.Random) -> None:
    one = rng.choice(model.graph.node)
    names = ["", "x", "y", "nowhere", *(n for node in model.graph.node for n in node.output)]
    side = one.input if rng.random() < 0.6 and one.input else one.output
    match rng.randrange(3):
        case 0 if side:
            side[rng.randrange(len(side))] = rng.choice(names)
        case 1:
            side.append(rng.choice(names))
        case _:
            del side[:1]


def port(model: onnx.ModelProto, rng: random.Random) -> None:
    one = rng.choice([*model.graph.input, *model.graph.output])
    match rng.randrange(4):
        case 0 if one.type.tensor_type.shape.dim:
            rng.choice(one.type.tensor_type.shape.dim).dim_value = rng.choice(NUMBERS)
        case 1:
            one.type.tensor_type.elem_type = rng.randrange(30)
        case 2:
            one.name = rng.choice(["", "x", "a" * 5000, "\x1b[31mred", "net", "0"])
        case _:
            one.type.tensor_type.shape.dim.add(dim_param=rng.choice(["H", "a b", "", "\n"]))


def whole_model(model: onnx.ModelProto, rng: random.Random) -> None:
    match rng.randrange(4):
        case 0:
            model.opset_import[0].version = rng.choice([-1, 0, 6, 7, 9, 11, 13, 24, 25, 2**40])
        case 1:
            rng.choice(model.graph.node).op_type = rng.choice(
                ["Add", "Loop", "If", "Scan", "Reshape", "Resize", "", "Nothing", "LSTM", "Expand"]
            )
        case 2:
            rng.choice(model.graph.node).domain = "com.example"
        case _:
            model.graph.node.append(rng.choice(model.graph.node))


PARTS: list[Callable[[onnx.ModelProto, random.Random], None]] = [
    attribute, weight, wiring, port, whole_model,
]  # fmt: skip


def test_mutated_files_are_read_or_refused_at_a_place(tmp_path: Path) -> None:
    kept = models()
    outcomes = {True: 0, False: 0}
    for seed in some(range(3000), 10):
        rng = random.Random(seed)
        model = onnx.ModelProto()
        model.CopyFrom(kept[seed % len(kept)])
        if seed % 4 == 0:
            data = some_bytes(model, rng)
        else:
            for _ in range(rng.randint(1, 2)):
                rng.choice(PARTS)(model, rng)
            data = model.SerializeToString()
        path = tmp_path / "net.onnx"
        path.write_bytes(data)
        outcomes[either(str(path))] += 1
    assert min(outcomes.values()) > 20


def test_what_is_no_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    assert "there is no such file" in refusal(str(path))
    for data in (b"", b"\x00" * 1000, b"net A {}", bytes(range(256)) * 20):
        path.write_bytes(data)
        assert "no ONNX model" in refusal(str(path))


def small(*nodes: Any, weights: Any = None, opset: int = 18, inputs: Any = MAP) -> onnx.ModelProto:
    return graph_of(nodes, inputs, ["y"], weights, opset=opset)


REFUSED: dict[str, tuple[Any, str]] = {
    "an unknown operator": (
        small(node("NonZero", "x", name="odd")), '`NonZero` "odd": the operator `NonZero` has no'
    ),
    "a domain": (
        small(helper.make_node("Gelu", ["x"], ["y"], domain="com.example")), "com.example.Gelu"
    ),
    "an unknown attribute": (small(node("Relu", "x", fast=1)), "the attribute `fast` is unknown"),
    "a cycle": (small(node("Relu", "b", "a"), node("Relu", "a", "b"), node("Relu", "a")),
                "`b` is used before it is computed"),
    "no result": (small(node("Relu", "x", "z")), "nothing computes the output `y`"),
    "twice": (small(node("Relu", "x"), node("Abs", "x")), "`y` is computed twice"),
    "an old opset": (small(node("Relu", "x"), opset=6), "opsets 7 to 24 are read"),
    "a training norm": (
        small(node("BatchNormalization", "x s s s s", training_mode=1),
              weights={"s": rand(4)}), "statistics over the batch"
    ),
    "samples mixed": (small(node("ReduceMean", "x a"), weights={"a": whole(0)}), "samples stay apart"),
    "a huge constant": (
        small(node("ConstantOfShape", "s", "c"), node("Add", "x c"), weights={"s": whole(2**40, 2**20)}),
        "too large",
    ),
    "a huge range": (
        small(node("Range", "a b c", "r"), node("Add", "x r"),
              weights={"a": np.int64(0), "b": np.int64(2**50), "c": np.int64(1)}), "too long"
    ),
    "many copies": (small(node("Tile", "x c"), weights={"c": whole(1, 1, 1, 10**9)}), "copies"),
    "another linear mode": (
        small(node("Upsample", "x", mode="linear", scales=[1.0, 1.0, 2.0, 2.0]), opset=8),
        "linear interpolation",
    ),
    "another nearest cell": (
        small(node("Resize", "x _ _ s"), weights={"s": whole(2, 4, 13, 17)},
              inputs={"x": [2, 4, 9, 10]}), "the nearest cell by `half_pixel`"
    ),
    "whole numbers divided": (
        graph_of([node("Div", "x c")], {"x": ["N", 4]}, ["y"], {"c": whole(2)}, dtype=7),
        "divided towards 0",
    ),
    "a single number": (graph_of([node("Relu", "x")], {"x": []}, ["y"]), "axis 0 of inputs is the batch"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_word_is_refused_with_its_node(name: str, tmp_path: Path) -> None:
    model, words = REFUSED[name]
    assert words in refusal(saved(model, tmp_path))


def test_an_error_names_the_line_of_its_node(tmp_path: Path) -> None:
    weights = {"w": rand(6, 3, 3, 3)}
    path = saved(
        small(node("Relu", "x", "r"), node("Conv", "r w", name="c1"), weights=weights), tmp_path
    )
    with pytest.raises(DiagnosticError) as caught:
        read(Question(path))
    (error,) = caught.value.diagnostics
    assert error.span is not None
    assert error.span.text == 'Conv "c1" (r, w) -> y'
    assert "the weight is [6, 3, 3, 3] in 1 groups, and [4, H, W] comes in" in error.message


def test_weights_beside_the_file_stay_beside_it(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret.bin").write_bytes(b"\0" * 864)
    model = graph_of([node("Conv", "x w")], MAP, ["y"], {"w": rand(6, 4, 3, 3)})
    one = model.graph.initializer[0]
    one.ClearField("raw_data")
    one.data_location = onnx.TensorProto.EXTERNAL
    one.external_data.add(key="location", value="../secret.bin")
    result = read(Question(saved(model, tmp_path / "inner")))
    with pytest.raises(DiagnosticError, match="can't be read"):
        next(iter(result.answer.numbers.values()))()


def test_names_are_words_of_the_language_whatever_they_are(tmp_path: Path) -> None:
    weights = {"net.0.weight": rand(6, 4, 3, 3), "forward": rand(6, 1, 1), 'a"b.\n': rand(6, 1, 1)}
    nodes = [
        helper.make_node("Conv", ["input", "net.0.weight"], ["c"], name='/"x"/\n/Conv'),
        helper.make_node("Mul", ["c", "forward"], ["d"]),
        helper.make_node("Add", ["d", 'a"b.\n'], ["output"]),
    ]
    model = graph_of(nodes, {"input": ["batch size", 4, "in", "for"]}, ["output"], weights)
    assert either(saved(model, tmp_path))
