"""Numbers that a narrower type has not: no weight and no constant becomes infinite in silence."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.cli import main

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
save_file = pytest.importorskip("safetensors.torch").save_file

TEXT = "net A {\n input x: [3, H, W]\n output y = x -> c: conv(4, 3) -> n: batchnorm -> relu\n}\n"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "a.net"
    path.write_text(TEXT)
    return path


def export(net: Path, state: dict[str, torch.Tensor], ending: str, *options: str) -> Result:
    weights = net.with_name(f"w.{ending}")
    save_file(state, weights) if ending == "safetensors" else torch.save(state, weights)
    out = net.with_suffix(".onnx")
    words = ["export", net, "-o", out, "--weights", weights, *options]
    return CliRunner().invoke(main, list(map(str, words)))


def state_of(key: str, number: float, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Weights in which one number is another."""
    state = netdsl.loads(TEXT).torch(seed=1).state_dict()
    changed = state[key].to(dtype)
    changed.view(-1)[1] = number
    return {**state, key: changed}


KEYS = ["c.weight", "c.bias", "n.weight", "n.running_mean", "n.running_var"]
NARROWINGS = [
    (70000.0, torch.float32, ["--fp16"], "float16 ends at 65504"),
    (-65520.0, torch.float32, ["--fp16"], "float16 ends at 65504"),
    (1e300, torch.float64, [], "float32 ends at 3.40282e+38"),
    (-3.5e38, torch.float64, [], "float32 ends at 3.40282e+38"),
    (1e6, torch.float64, ["--fp16"], "float16 ends at 65504"),
    (3e38, torch.bfloat16, ["--fp16"], "float16 ends at 65504"),
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("number", "dtype", "options", "limit"), NARROWINGS)
@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_a_weight_that_would_be_infinite(
    net: Path, key: str, number: float, dtype: torch.dtype, options: list[str], limit: str, ending: str
) -> None:  # fmt: skip
    result = export(net, state_of(key, number, dtype), ending, *options)
    assert result.exit_code == 1, result.output
    assert "error[number-range]" in result.output
    assert f"`{key}[" in result.output
    assert limit in result.output
    assert ":3:" in result.output  # its layer
    assert {p.name for p in net.parent.iterdir()} == {"a.net", f"w.{ending}"}


@pytest.mark.parametrize("number", [65504.0, -65519.0, float("inf"), float("nan"), 1e-3, 0.0])
def test_what_half_precision_has_is_written(net: Path, number: float) -> None:
    result = export(net, state_of("c.weight", number, torch.float32), "pt", "--fp16")
    assert result.exit_code == 0, result.output
    model = onnx.load(net.with_suffix(".onnx"))
    found = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    wanted = torch.tensor(number).half().item()
    assert found["c.weight"].dtype == np.float16
    assert np.array_equal(found["c.weight"].flat[1], np.float16(wanted), equal_nan=True)


def test_random_numbers_narrow_as_torch_narrows_them(net: Path) -> None:
    """Bits of any float32: refused where torch makes it infinite, else written as torch writes it."""
    network = netdsl.loads(TEXT)
    random = np.random.default_rng(3)
    refused = 0
    for _ in range(150):
        (number,) = struct.unpack("<f", random.bytes(4))
        state = state_of("c.weight", number, torch.float32)
        half = torch.tensor(number).half()
        if half.isinf() and np.isfinite(number):
            refused += 1
            with pytest.raises(netdsl.DiagnosticError, match="number-range"):
                network.onnx(state, half=True)
            continue
        model = network.onnx(state, half=True)
        found = next(t for t in model.graph.initializer if t.name == "c.weight")
        assert np.array_equal(
            onnx.numpy_helper.to_array(found).flat[1], half.numpy(), equal_nan=True
        )
    assert 20 < refused < 130


def test_the_module_is_not_given_infinite_weights() -> None:
    network = netdsl.loads(TEXT)
    for key in KEYS:
        with pytest.raises(netdsl.DiagnosticError, match="number-range") as caught:
            network.torch(weights=state_of(key, 1e300, torch.float64))
        (found,) = caught.value.diagnostics
        assert found.span is not None
        assert found.span.line == 3
    loaded = network.torch(weights=state_of("c.bias", 1e30, torch.float64))
    assert loaded.c.bias[1] == torch.tensor(1e30)


def test_how_many_are_beyond() -> None:
    network = netdsl.loads(TEXT)
    state = network.torch(seed=1).state_dict()
    state["c.weight"] = state["c.weight"] * 1e9
    with pytest.raises(netdsl.DiagnosticError) as caught:
        network.onnx(state, half=True)
    count = int(state["c.weight"].half().isinf().sum())
    assert caught.value.diagnostics[0].notes == (f"{count:,} of its 108 numbers are beyond that",)


@pytest.mark.parametrize(
    ("factor", "said"),
    [(1e-9, "`c.weight` is 0 throughout in float16"), (2e-7, "of its magnitude in float16"), (1e-3, "")],
)  # fmt: skip
def test_small_numbers_that_get_lost(net: Path, factor: float, said: str) -> None:
    network = netdsl.loads(TEXT)
    state = network.torch(seed=1).state_dict()
    state["c.weight"] = state["c.weight"] * factor
    half = ["--fp16", "--allow", "bias-before-norm"]
    for options, code in (half, 0), ([*half, "--deny", "warnings"], 1 if said else 0):
        result = export(net, state, "pt", *options)
        assert result.exit_code == code, result.output
        assert ("warning[number-range]" in result.output) == bool(said)
        assert said in result.output
        assert net.with_suffix(".onnx").exists() == (code == 0)
        net.with_suffix(".onnx").unlink(missing_ok=True)
    if said:
        with pytest.warns(UserWarning, match="number-range"):
            network.onnx(state, half=True)


CONSTANTS = {
    "hardtanh(0.0, 70000.0)": "70000",
    "hardtanh(-1e5, 1.0)": "-100000",
    "normalize([1e5, 0.0, 0.0], [1.0, 1.0, 1.0])": "100000",
    "normalize([0.0, 0.0, 0.0], [1e6, 1.0, 1.0])": "1e+06",
    "pad(1, value=-3.4e38)": "-3.4e+38",
    "pad(1, value=70000.0)": "70000",
    "celu(1e5)": "100000",
}


@pytest.mark.parametrize("stage", CONSTANTS)
def test_constants_of_layers(stage: str, tmp_path: Path) -> None:
    net, out = tmp_path / "a.net", tmp_path / "a.onnx"
    net.write_text(f"net A {{\n input x: [3, 8, 8]\n output y = x -> {stage}\n}}\n")
    words = ["export", str(net), "-o", str(out)]
    assert CliRunner().invoke(main, words).exit_code == 0
    out.unlink()
    result = CliRunner().invoke(main, [*words, "--fp16"])
    assert result.exit_code == 1, result.output
    assert (
        f"error[number-range]: a constant is {CONSTANTS[stage]}, and float16 ends at"
        in result.output
    )
    assert ":3:" in result.output
    assert not out.exists()


@pytest.mark.parametrize(
    "stage",
    ["hardtanh(0.0, 1e39)", "pad(1, value=1e300)", "normalize([1e300, 0.0, 0.0], [1.0, 1.0, 1.0])",
     "leaky_relu(1e300)", "elu(1e39)", "lrn(3, alpha=1e39)", "batchnorm(eps=1e39)",
     "pad(10 ** 20)"],
)  # fmt: skip
def test_constants_that_single_precision_has_not(stage: str, tmp_path: Path) -> None:
    """Located, or refused by the layer itself: never infinite, never cut off, no internal error."""
    net, out = tmp_path / "a.net", tmp_path / "a.onnx"
    net.write_text(f"net A {{\n input x: [3, 8, 8]\n output y = x -> {stage}\n}}\n")
    result = CliRunner().invoke(main, ["export", str(net), "-o", str(out)])
    assert result.exit_code == 1, result.output
    assert "error[" in result.output
    assert ":3:" in result.output
    assert not out.exists()


def test_a_divisor_that_becomes_0_is_told(tmp_path: Path) -> None:
    net = tmp_path / "a.net"
    net.write_text("net A {\n input x: [3, 8, 8]\n output y = x -> hardtanh(1e-9, 1.0)\n}\n")
    result = CliRunner().invoke(
        main, ["export", str(net), "-o", str(tmp_path / "a.onnx"), "--fp16"]
    )
    assert result.exit_code == 0
    assert "warning[number-range]: 1e-09 is 0 in float16" in result.output


NUMBERS = [18446744073709551617, 2**31, 2**63, 10**30, 0, -1]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "option", ["--batch", "--batch-sizes", "--opset", "--seed", "--size", "--at"]
)
def test_numbers_of_options(option: str, number: int, net: Path) -> None:
    """Written as given, or refused as a wrong call: never another number."""
    if option == "--at" and number == 2**31:
        pytest.skip("a size like any other, where the memory is there")
    given = f"H={number},W=9" if option in ("--size", "--at") else str(number)
    more = ["--verify"] if option in ("--batch-sizes", "--at") else []
    out = net.with_suffix(".onnx")
    result = CliRunner().invoke(main, ["export", str(net), "-o", str(out), option, given, *more])
    assert "internal error" not in result.output
    if option == "--size" and number == 2**31:
        shape = onnx.load(out).graph.input[0].type.tensor_type.shape
        assert [d.dim_value for d in shape.dim][2:] == [number, 9]
        return
    if option == "--seed" and 0 <= number < 2**64:
        assert result.exit_code == 0
        return
    assert result.exit_code in (1, 2), result.output
    assert str(number) in result.output or option in result.output
    assert not out.exists()


def test_batches_in_python() -> None:
    network = netdsl.loads(TEXT)
    for number in (*NUMBERS, 2.0, True, "3"):
        with pytest.raises(ValueError, match="a batch has 1 to"):
            network.onnx(batch=number)
    dims = network.onnx(batch=2**31 - 1).graph.input[0].type.tensor_type.shape.dim
    assert dims[0].dim_value == 2**31 - 1


@pytest.mark.parametrize(
    ("command", "option"),
    [("summary", "--depth"), ("draw", "--depth"), ("sizes", "--training"), ("check", "--max-layers"), ("sizes", "--accepts")],
)  # fmt: skip
@pytest.mark.parametrize("number", [0, -1, 2**31, 2**63, 2**64 + 1, 10**30])
def test_numbers_of_other_commands(command: str, option: str, number: int, net: Path) -> None:
    given = f"H={number},W=9" if option == "--accepts" else str(number)
    more = ["-o", str(net.with_suffix(".svg"))] if command == "draw" else []
    result = CliRunner().invoke(main, [command, str(net), option, given, *more])
    assert result.exit_code in (0, 1, 2)
    assert "internal error" not in result.output
    assert not isinstance(result.exception, OverflowError)
    if number < 0:
        assert result.exit_code == 2
