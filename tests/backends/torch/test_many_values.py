"""Merges of hundreds of values and parts nested a hundred deep: source that Python reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.cli import main

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import apart, outputs, session  # noqa: E402

ALONG = {
    "max": lambda x, axis: x.amax(axis),
    "min": lambda x, axis: x.amin(axis),
    "mean": lambda x, axis: x.mean(axis),
    "add": lambda x, axis: x.sum(axis, dtype=x.dtype) if x.dtype != torch.bool else x.any(axis),
    "mul": lambda x, axis: x.prod(axis, dtype=x.dtype) if x.dtype != torch.bool else x.all(axis),
}
"""What PyTorch computes along an axis."""

MAX_OVER_MAPS = """
net MaxOverMaps {
    input x: [256, H, W]
    output y = x -> split(256) -> max -> conv(1, 7, padding=3)
}
"""


def check_source(text: str, tmp_path: Path) -> None:
    """The source is formatted as ruff does, and nothing in it is unused."""
    path = tmp_path / "made.py"
    path.write_text(text, encoding="utf-8")
    for command in (["format", "--check", "--diff"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", str(path)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[:2000]


def test_the_greatest_of_256_maps(tmp_path: Path) -> None:
    network = netdsl.loads(MAX_OVER_MAPS)
    text = network.torch_source()
    assert "torch.stack(x.chunk(256, dim=1)).amax(0)" in text
    check_source(text, tmp_path)
    module: Any = network.torch(seed=0)
    torch.manual_seed(0)
    x = torch.randn(2, 256, 5, 6)
    assert apart(module(x).detach(), module.conv1(x.amax(1, keepdim=True)).detach()) < 1e-6
    assert sum(p.numel() for p in module.parameters()) == 50


def test_the_greatest_of_256_maps_on_the_command_line(tmp_path: Path) -> None:
    file, out = tmp_path / "a.net", tmp_path / "a.onnx"
    file.write_text(MAX_OVER_MAPS, encoding="utf-8")
    done = CliRunner().invoke(main, ["export", str(file), "-o", str(out), "--verify"])
    assert done.exit_code == 0, done.output
    assert out.exists()


@pytest.mark.parametrize("operation", ALONG)
@pytest.mark.parametrize("count", [2, 3, 16, 17, 300])
def test_merges_of_many_maps(operation: str, count: int, tmp_path: Path) -> None:
    text = (
        f"net A {{ input x: [{2 * count}, H, W]\n output y = x -> split({count}) -> {operation} }}"
    )
    network = netdsl.loads(text)
    check_source(network.torch_source(), tmp_path)
    module = network.torch()
    torch.manual_seed(0)
    x = 1 + 0.1 * torch.randn(2, 2 * count, 3, 4)
    expected = ALONG[operation](x.reshape(2, count, 2, 3, 4), 1)
    assert apart(module(x), expected) < 1e-5
    running = session(network.onnx(module).SerializeToString())
    assert apart(running.run(None, {"x": x.numpy()})[0], expected) < 1e-5


@pytest.mark.parametrize(
    ("operation", "dtype"),
    [
        (operation, dtype)
        for operation in ("max", "min", "add", "mul")
        for dtype in ("float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool")
        if dtype != "uint8" or operation in ("max", "min")  # sums of bytes are refused
    ],
)
def test_element_types_of_many_maps(operation: str, dtype: str) -> None:
    text = (
        f"net A {{ input x: {dtype} [40, 3]\n output y = x -> split(40, axis=0) -> {operation} }}"
    )
    kind = getattr(torch, dtype)
    x = torch.randint(0, 2, (2, 40, 3)).to(kind)
    found = netdsl.loads(text).torch()(x)
    assert found.dtype == kind
    assert torch.equal(found, ALONG[operation](x, 1).unsqueeze(1))


@pytest.mark.parametrize("operation", ALONG)
@pytest.mark.parametrize("count", [3, 5, 20])
def test_many_values_that_spread(operation: str, count: int, tmp_path: Path) -> None:
    """Axes of literally 1 and weights spread before the values are stacked."""
    random = Random(f"{operation}{count}")
    shapes = [random.choice([[4, 3, 5], [4, 1, 5], [1, 1, 1], [1, 3, 5]]) for _ in range(count)]
    shapes[1] = [4, 3, 5]
    lines = [f"    input x{i}: {shape}" for i, shape in enumerate(shapes)]
    lines += ["    weight w: [4, 1, 1] = 0.5", "    weight v: [1, 4, 3, 5] = 1.5"]
    values = ", ".join([*(f"x{i}" for i in range(count)), "w", "v"])
    network = netdsl.loads(
        "net A {\n" + "\n".join(lines) + f"\n    output y = ({values}) -> {operation}\n}}"
    )
    check_source(network.torch_source(), tmp_path)
    torch.manual_seed(0)
    inputs = [1 + 0.1 * torch.randn(2, *shape) for shape in shapes]
    module = network.torch()
    learned = [torch.full((4, 1, 1), 0.5), torch.full((1, 4, 3, 5), 1.5)]
    spread = torch.stack([x.expand(2, 4, 3, 5) for x in (*inputs, *learned)])
    assert apart(outputs(module, inputs)[0], ALONG[operation](spread, 0)) < 1e-5
    given = {f"x{i}": x.numpy() for i, x in enumerate(inputs)}
    running = session(network.onnx(module).SerializeToString())
    assert apart(running.run(None, given)[0], ALONG[operation](spread, 0)) < 1e-5


def test_equal_values_share_the_gradient_of_the_greatest() -> None:
    """As `maximum` and `amax` have it, whatever the order."""
    for count in (2, 3, 200):
        module = netdsl.loads(
            f"net A {{ input x: [{count}, 1]\n output y = x -> split({count}) -> max }}"
        ).torch()
        x = torch.zeros(1, count, 1, requires_grad=True)
        module(x).sum().backward()
        torch.testing.assert_close(x.grad, torch.full((1, count, 1), 1 / count))


@pytest.mark.parametrize("operation", [*ALONG, "concat"])
def test_merges_of_thousands_are_quick(operation: str) -> None:
    text = f"net A {{ input x: [2000, 2]\n output y = x -> split(2000) -> {operation} }}"
    branches = (
        "net A { input x: [2, 2]\n output y = x -> "
        + operation
        + " { for i in 0..2000 { tanh -> relu } } }"
    )
    for written in (text, branches):
        network = netdsl.loads(written)
        before = perf_counter()
        network.torch()
        network.onnx()
        assert perf_counter() - before < 10


def test_many_results_are_named_one_below_the_other(tmp_path: Path) -> None:
    """Also those of a block, which come back as one tuple."""
    text = """
block Each { (for i in 0..40 { in[i] -> relu }) }
net A {
    input x: [40, 3]
    output y = x -> split(40) -> Each -> concat
    output z = x -> split(40) -> Each -> add
}
"""
    network = netdsl.loads(text)
    check_source(network.torch_source(), tmp_path)
    x = torch.randn(2, 40, 3)
    y, z = outputs(network.torch(), [x])
    assert apart(y, x.relu()) == 0
    assert apart(z, x.relu().sum(1, keepdim=True)) < 1e-5


NESTS = {
    "a: { ": " }",
    "a: { relu -> ": " }",
    "a: { identity -> b: { ": " } }",
    "{ ": " }",
    "if true { ": " }",
    "repeat 1 { ": " }",
    "a: repeat 1 { ": " }",
    "add { identity ; ": " }",
    "max { identity ; tanh ; ": " }",
    "a: add { identity ; b: { ": " } }",
}


@pytest.mark.parametrize("opening", NESTS)
@pytest.mark.parametrize("levels", [3, 9, 45, 90])
def test_parts_nested_deep(opening: str, levels: int, tmp_path: Path) -> None:
    """They compile, run, and keep their keys."""
    levels = levels // opening.count("{")
    stages = opening * levels + "c: conv(3, 1)" + NESTS[opening] * levels
    network = netdsl.loads(f"net A {{ input x: [3, 4, 4]\n output y = x -> {stages} }}")
    text = network.torch_source()
    check_source(text, tmp_path)
    assert max(len(line) - len(line.lstrip()) for line in text.splitlines()) < 80
    module = network.torch(seed=0)
    keys = {layer.key(spec) for layer in network.graph.layers() for spec in layer.weights}
    assert set(module.state_dict()) == keys
    x = torch.randn(2, 3, 4, 4)
    running = session(network.onnx(module).SerializeToString())
    assert apart(running.run(None, {"x": x.numpy()})[0], outputs(module, [x])[0]) < 1e-5


def test_blocks_that_hold_themselves_as_deep_as_allowed() -> None:
    text = "block D(n: int) { conv(2, 1) -> if n > 1 { D(n - 1) } }\nnet A { input x: [2, 4]\n output y = x -> D(140) }"
    network = netdsl.loads(text)
    module = network.torch(seed=0)
    x = torch.randn(1, 2, 4)
    running = session(network.onnx(module).SerializeToString())
    assert apart(running.run(None, {"x": x.numpy()})[0], outputs(module, [x])[0]) < 1e-5


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("operation", ["concat", "add", "max", "mul"])
def test_a_weight_in_any_place(operation: str, place: int) -> None:
    """Also where the values around it are no names but expressions."""
    values = ["x", "x -> relu", "x -> tanh -> relu"]
    values.insert(place, "w")
    text = f"""
net A {{
    input x: [3, 4, 5]
    weight w: [{1 if operation != "concat" else 2}, 4, 5] = 0.5
    output y = ({", ".join(values)}) -> {operation}
}}
"""
    network = netdsl.loads(text)
    assert "{" not in network.torch_source()
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 5)
    parts = [x, x.relu(), x.tanh().relu()]
    weight = torch.full((2, 2, 4, 5), 0.5) if operation == "concat" else torch.full_like(x, 0.5)
    parts.insert(place, weight)
    expected = (
        torch.cat(parts, 1) if operation == "concat" else ALONG[operation](torch.stack(parts), 0)
    )
    module = network.torch()
    assert apart(outputs(module, [x])[0], expected) < 1e-6
    running = session(network.onnx(module).SerializeToString())
    assert apart(running.run(None, {"x": x.numpy()})[0], expected) < 1e-6


def test_a_long_row_of_calls_with_several_results(tmp_path: Path) -> None:
    """Calls that follow each other are broken within parentheses."""
    text = """
    net Rows {
        input x: [96, H, W]
        (first, second, third) = x -> reshape([1, 96, 1, -1]) -> permute([0, 2, 3, 1]) -> split(3, axis=-1)
        output y = (first, second, third) -> attend(1) -> permute([0, 3, 1, 2])
    }
    """
    network = netdsl.loads(text)
    check_source(network.torch_source(), tmp_path)
    module: Any = network.torch(seed=0)
    assert module(torch.randn(1, 96, 4, 6)).shape == (1, 1, 32, 1, 24)


def test_several_results_of_a_long_chain_stand_in_parentheses() -> None:
    """A call a line is no statement without them."""
    text = """net A {
        input x: [T, 16]
        (part, part2, part3) = x -> linear(48) -> reshape([-1, 3, 4, 4]) -> permute([1, 2, 0, 3])
            -> split(3)
        output y = (part, part2, part3) -> add
    }"""
    network = netdsl.loads(text)
    assert "part, part2, part3 = (\n" in network.torch_source()
    assert network.torch()(torch.zeros(2, 5, 16)).shape == (2, 1, 4, 5, 4)
