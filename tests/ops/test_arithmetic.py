"""Arithmetic, comparisons and reductions by their names, beside what PyTorch calls them.

Each stage is written in a file, whose module and whose ONNX file have to give the very numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import netdsl
from tests.backends.torch.test_many_values import check_source

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import outputs, session  # noqa: E402

C, H, W = 3, 5, 4


def channels(x: Any, *numbers: float) -> Any:
    """A number for each channel, of the type in which one of them meets `x`."""
    dtype = torch.result_type(x, sum(numbers))
    return torch.tensor(numbers, dtype=dtype).view(-1, 1, 1)


def sized(x: Any) -> int:
    return 2 * x.shape[-1] - 1


# stage: what it computes of its one input, a map of C channels
UNARY: dict[str, Callable[[Any], Any]] = {
    "add(1)": lambda x: torch.add(x, 1),
    "add(0.5)": lambda x: torch.add(x, 0.5),
    "add([1, 2, 3])": lambda x: x + channels(x, 1, 2, 3),
    "add([1, 0.5, -3])": lambda x: x + channels(x, 1, 0.5, -3),
    "add(2 * W - 1)": lambda x: x + sized(x),
    "sub(2)": lambda x: torch.sub(x, 2),
    "sub([0.5, 1, 2])": lambda x: x - channels(x, 0.5, 1, 2),
    "mul(-1)": lambda x: torch.mul(x, -1),
    "mul(0.1)": lambda x: torch.mul(x, 0.1),
    "mul(x.height)": lambda x: x * x.shape[-2],
    "div(3)": lambda x: torch.div(x, 3),
    "div(x.width)": lambda x: x / x.shape[-1],
    "div([2, 4, 8])": lambda x: x / channels(x, 2, 4, 8),
    "pow(2)": lambda x: torch.pow(x, 2),
    "pow(7)": lambda x: torch.pow(x, 7),
    "pow(0)": lambda x: torch.pow(x, 0),
    "pow(2.0)": lambda x: torch.pow(x, 2.0),
    "pow(-2.0)": lambda x: torch.pow(x, -2.0),
    "greater(0)": lambda x: torch.gt(x, 0),
    "greater([0, 1, 2])": lambda x: x > channels(x, 0, 1, 2),
    "less(0.5)": lambda x: torch.lt(x, 0.5),
    "equal(1)": lambda x: torch.eq(x, 1),
    "equal(W)": lambda x: x == x.shape[-1],
    "abs": torch.abs,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "sign": torch.sign,
    "clamp(0, 1)": lambda x: torch.clamp(x, 0, 1),
    "clamp(low=0.5)": lambda x: torch.clamp(x, min=0.5),
    "clamp(high=W - 1)": lambda x: torch.clamp(x, max=x.shape[-1] - 1),
    "sum(axis=0)": lambda x: torch.sum(x, 1),
    "sum(axis=[1, -1], keep=true)": lambda x: torch.sum(x, (2, 3), keepdim=True),
    "mean(axis=channels, keep=true)": lambda x: torch.mean(x, 1, keepdim=True),
    "mean(axis=[0, 1, 2])": lambda x: torch.mean(x, (1, 2, 3)),
    "max(axis=-1)": lambda x: torch.max(x, 3).values,
    "max(axis=[0, 2])": lambda x: torch.amax(x, (1, 3)),
    "min(axis=1, keep=true)": lambda x: torch.min(x, 2, keepdim=True).values,
    "norm(axis=0, keep=true)": lambda x: torch.norm(x, dim=1, keepdim=True),
    "norm(axis=[1, 2], p=1)": lambda x: torch.norm(x, 1, dim=(2, 3)),
    "norm(axis=-1, p=3)": lambda x: torch.norm(x, 3, dim=3),
    "argmax(axis=0)": lambda x: torch.argmax(x, 1),
    "argmax(axis=-2, keep=true)": lambda x: torch.argmax(x, 2, keepdim=True),
    "cumsum(axis=0)": lambda x: torch.cumsum(x, 1),
    "cumsum(axis=2)": lambda x: torch.cumsum(x, 3),
}
# stage: what it computes of several
SEVERAL: dict[str, Callable[..., Any]] = {
    "(x, y) -> add": torch.add,
    "(x, y, z) -> add": lambda x, y, z: x + y + z,
    "(x, y, z) -> add(0.5)": lambda x, y, z: x + y + z + 0.5,
    "(x, y) -> add([1, 2, 3])": lambda x, y: x + y + channels(x + y, 1, 2, 3),
    "(x, y) -> sub": torch.sub,
    "(x, y, z) -> mul": lambda x, y, z: x * y * z,
    "(x, y) -> mul(3)": lambda x, y: x * y * 3,
    "(x, y) -> div": torch.div,
    "(x, y) -> pow": torch.pow,
    "(x, y) -> greater": torch.gt,
    "(x, y) -> less": torch.lt,
    "(x, y) -> equal": torch.eq,
    "(x, y) -> max": torch.maximum,
    "(x, y, z) -> min": lambda x, y, z: torch.minimum(torch.minimum(x, y), z),
    "(x, y, z) -> max": lambda x, y, z: torch.maximum(torch.maximum(x, y), z),
    "(x, y, z) -> mean": lambda x, y, z: (x + y + z) / 3,
    "(x, y, z) -> concat": lambda x, y, z: torch.cat((x, y, z), 1),
    "(x, y -> sum(axis=0, keep=true)) -> div": lambda x, y: x / y.sum(1, keepdim=True),
}
TYPES = ["float32", "int64", "int32", "uint8", "bool"]


def tensor(shape: tuple[int, ...], dtype: str) -> Any:
    """Small numbers of a type, in which the same come up again; all of uint8."""
    least, most = {"bool": (0, 2), "uint8": (0, 256)}.get(dtype, (-4, 9))
    numbers = torch.randint(least, most, shape)
    return (numbers / 2 if dtype == "float32" else numbers).to(getattr(torch, dtype))


def network_of(stage: str, names: str, types: tuple[str, ...]) -> netdsl.Network:
    inputs = "\n".join(f"    input {n}: {t} [{C}, H, W]" for n, t in zip(names, types, strict=True))
    return netdsl.loads(f"net A {{\n{inputs}\n    output out = {stage}\n}}")


def check(stage: str, types: tuple[str, ...], oracle: Callable[..., Any]) -> bool:
    """Whether PyTorch computes it, and both the module and the ONNX file give its numbers."""
    names = "xyz"[: len(types)]
    tensors = [tensor((2, C, H, W), dtype) for dtype in types]
    try:
        wanted = oracle(*tensors)
    except RuntimeError:
        wanted = None
    is_level = wanted is not None and wanted.dtype == torch.uint8
    runs_over = is_level and RUNS_OVER.search(stage) is not None
    try:
        network = network_of(stage, names, types)
    except netdsl.DiagnosticError as error:
        is_beyond = types == ("uint8",) and stage in BEYOND_UINT8
        if runs_over and not is_beyond:
            assert any("`to_float` first" in one for d in error.diagnostics for one in d.help)
        assert wanted is None or stage in STRICTER or is_beyond or runs_over, (stage, types)
        return False
    assert not runs_over, (stage, types)
    assert wanted is not None, (stage, types)
    module = network.torch(seed=0)
    (found,) = outputs(module, tensors)
    assert str(found.dtype) == str(wanted.dtype)[6:] == network.outputs[0].value.type.dtype
    assert torch.equal(torch.nan_to_num(torch.from_numpy(found)), torch.nan_to_num(wanted)), stage
    try:
        model = network.onnx(module)
    except netdsl.DiagnosticError as error:
        assert error.diagnostics[0].code == "not-in-onnx"
        assert "float32" not in types, (stage, types)
        return False
    feeds = {name: x.numpy() for name, x in zip(names, tensors, strict=True)}
    (ours,) = session(model.SerializeToString()).run(None, feeds)
    assert ours.dtype == found.dtype
    ours = torch.from_numpy(ours)
    if wanted.is_floating_point():
        torch.testing.assert_close(ours, wanted, equal_nan=True)
    else:
        assert torch.equal(ours, wanted), (stage, types)
    return True


STRICTER = {"(x, y, z) -> mean"}
"""What takes floats alone: sums of small whole numbers run over."""
BEYOND_UINT8 = {
    f"x -> {stage}"
    for stage in ("mul(-1)", "add(2 * W - 1)", "mul(x.height)", "equal(W)", "clamp(high=W - 1)")
}
"""Numbers that are none of that type, or may be none: PyTorch takes others for them."""
RUNS_OVER = re.compile(r"-> (add|sub|mul|pow)")
"""Arithmetic that is refused where its results would be uint8, and begin again at 256."""


@pytest.mark.parametrize("stage", UNARY)
def test_of_one_value(stage: str) -> None:
    torch.manual_seed(0)
    done = [dtype for dtype in TYPES if check(f"x -> {stage}", (dtype,), UNARY[stage])]
    assert "float32" in done


@pytest.mark.parametrize("stage", SEVERAL)
def test_of_several(stage: str) -> None:
    torch.manual_seed(0)
    count = SEVERAL[stage].__code__.co_argcount if hasattr(SEVERAL[stage], "__code__") else 2
    pairs = [(a, b) for a in TYPES for b in TYPES]
    done = [pair for pair in pairs if check(stage, (*pair, pair[0])[:count], SEVERAL[stage])]
    assert ("float32", "float32") in done
    assert ("float32", "int64") in done or stage in STRICTER


def test_choices() -> None:
    torch.manual_seed(0)
    for a in TYPES:
        for b in TYPES:
            types = ("bool", a, b)
            assert check("(x, y, z) -> where", types, torch.where)
        assert check("(x, y) -> where(2)", ("bool", a), lambda m, x: torch.where(m, x, 2))
        assert check("(x, y) -> where(-0.5)", ("bool", a), lambda m, x: torch.where(m, x, -0.5))
        listed = "(x, y) -> where([1, 2, 3])"
        assert check(listed, ("bool", a), lambda m, x: torch.where(m, x, channels(x, 1, 2, 3)))


def test_the_source_reads_well(tmp_path: Path) -> None:
    lines = [f"    a{i} = (x -> {stage}) -> mul(1.0)" for i, stage in enumerate(UNARY)]
    lines += [f"    b{i} = {stage} -> mul(1.0)" for i, stage in enumerate(SEVERAL)]
    results = [line.split()[0] for line in lines]
    outputs = "".join(f"    output {name}_ = {name}\n" for name in results)
    inputs = "".join(f"    input {name}: [{C}, H, W]\n" for name in "xyz")
    body = "\n".join(lines)
    network = netdsl.loads(f"net A {{\n{inputs}{body}\n{outputs}}}")
    check_source(network.torch_source(), tmp_path)


def test_how_numbers_are_written() -> None:
    text = """
    net A {
        input x: [3, H, W]
        y = x -> pow(2) -> mul(-0.5) -> add(1)
        output z = y -> div(2 * H * W - 1) -> pow(x.width)
        output u = (x, y -> mul(0.1)) -> add -> greater(0.5)
    }
    """
    lines = [line.strip() for line in netdsl.loads(text).torch_source().splitlines()]
    assert lines[-5:] == [
        "y = x**2 * -0.5 + 1",
        "z = y / (2 * y.shape[-2] * y.shape[-1] - 1)",
        "z2 = z ** z.shape[-1]",
        "u = x + y * 0.1 > 0.5",
        "return AOutputs(z2, u)",
    ]


# --- gradients -------------------------------------------------------------------------------


def gradient(stage: str, x: Any) -> Any:
    module = netdsl.loads(f"net A {{ input x: [4]\n output y = x -> {stage} }}").torch()
    given = x.clone().requires_grad_()
    module(given).sum().backward()
    return given.grad


def test_the_norm_of_zeros_has_a_gradient() -> None:
    """0, where the root of a sum of squares has none; so `F.normalize` learns on."""
    zeros = torch.zeros(2, 4)
    assert torch.equal(gradient("norm(axis=0)", zeros), zeros)
    assert gradient("pow(2) -> sum(axis=0) -> sqrt", zeros).isnan().all()
    x = torch.randn(2, 4)
    torch.testing.assert_close(gradient("norm(axis=0)", x), x / x.norm(dim=1, keepdim=True))


@pytest.mark.parametrize(
    ("stage", "wanted"),
    [
        ("max(axis=0)", [[0.5, 0.5, 0, 0], [0, 0, 0, 1]]),  # equal ones share it
        ("min(axis=0)", [[0, 0, 0.5, 0.5], [0.25, 0.25, 0.25, 0.25]]),
        ("clamp(low=1)", [[1, 1, 0, 0], [0, 0, 0, 1]]),
        ("mul([1, 2, 3, 4])", [[1, 2, 3, 4], [1, 2, 3, 4]]),
        ("pow(2)", [[4, 4, 0, 0], [0, 0, 0, 2]]),
        ("cumsum(axis=0)", [[4, 3, 2, 1], [4, 3, 2, 1]]),
        ("mean(axis=0)", [[0.25] * 4] * 2),
        ("abs", [[1, 1, 0, 0], [0, 0, 0, 1]]),
    ],
)
def test_gradients(stage: str, wanted: list[list[float]]) -> None:
    x = torch.tensor([[2.0, 2, 0, 0], [0, 0, 0, 1]])
    if stage.startswith("min"):
        wanted[1] = [1 / 3, 1 / 3, 1 / 3, 0]
    assert torch.allclose(gradient(stage, x), torch.tensor(wanted, dtype=torch.float32))


# --- what is refused -------------------------------------------------------------------------

REFUSED = {
    "(x, 0.1) -> mul": "a number is no value: it goes in parentheses, `mul(0.1)`",
    "1 - x": "a number is no value: it goes in parentheses, `mul(1)`",
    "sub { 1 ; x }": "a number is no value: it goes in parentheses, `mul(1)`",
    "x -> max(0)": "`max` takes no number",
    "x -> norm(2)": "`norm` takes no number",
    "x -> mul([1, 2, 3])": "3 numbers for 4 channels",
    "x -> mul([1])": "1 number for 4 channels",
    "x -> mean(axis=[0, 1, 2]) -> mul([1])": "1 number for 0 channels",
    "(x, x) -> max(axis=1)": "`max` reduces one value along `axis`, and 2 flow here",
    "(x, x) -> sum(axis=1)": "`sum` reduces one value along `axis`, and 2 flow here",
    "x -> mean": "nothing to merge",
    "x -> { identity } -> max": "nothing to merge",
    "x -> sub": "`sub` takes 2 values, and 1 comes in",
    "(x, x) -> sub(1)": "`sub` takes 1 value beside its number, and 2 come in",
    "(x, x) -> where(1)": "the first value of `where` is a condition, and [4, 8, W] comes in",
    "x -> where(1)": "`where` takes a condition, then, else; the last may be a number, and 1 value comes in",
    "x -> clamp": "`clamp` needs a bound",
    "x -> clamp(2, 1)": "low 2 is above high 1",
    "x -> div(0)": "division by zero",
    "x -> div([1, 0, 1, 1])": "division by zero",
    "x -> mul(1e39)": "1e+39 is beyond float32",
    "x -> mul(1 / x.width)": "1 / W: a size can be divided by a known number only",
    "x -> mean(axis=[1, 1])": "axis 1 is named twice",
    "x -> mean(axis=[-1, 2])": "axis 2 is named twice",
    "x -> sum(axis=[])": "one axis is needed at least",
    "x -> argmax(axis=[0, 1])": "`axis` takes int | channels: [0, 1] is not a whole number",
    "x -> norm(axis=0, p=0)": "p must be above 0, not 0.0",
    "x -> greater(0) -> sub(1)": "truth values can't be subtracted",
    "x -> greater(0) -> argmax(axis=0)": "truth values have no largest",
    "x -> greater(0) -> mean(axis=0)": "`mean` computes with floats, and bool [4, 8, W] comes in",
    "x -> argmax(axis=0) -> pow(-1)": "a whole number to the power of -1 is none",
    "x -> sum": "`sum` needs `axis`",
}


@pytest.mark.parametrize("chain", REFUSED)
def test_what_is_refused(chain: str) -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(f"net A {{ input x: [4, 8, W]\n output y = {chain} }}")
    assert caught.value.diagnostics[0].message == REFUSED[chain]


def test_lists_of_one_value_are_merged() -> None:
    """What is written as several may be one: generic blocks have lists of any length."""
    for chain in (
        "max { x }",
        "(x) -> mean",
        "x -> split(1) -> min",
        "(for i in 0..1 { x }) -> max",
    ):
        network = netdsl.loads(f"net A {{ input x: [4, 8, W]\n output y = {chain} }}")
        x = torch.randn(2, 4, 8, 3)
        assert torch.equal(network.torch()(x), x)
