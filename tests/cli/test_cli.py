"""The commands as a person calls them: what they print, and their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.cli import main

ROOT = Path(__file__).resolve().parents[2]
LENET = str(ROOT / "examples" / "lenet.net")
UNET16 = str(ROOT / "examples" / "unet16.net")
GOOGLENET = str(ROOT / "examples" / "googlenet.net")


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=stdin)


@pytest.fixture
def broken(tmp_path: Path) -> str:
    path = tmp_path / "broken.net"
    path.write_text("net A {\n    input x: [3, 8, 8]\n    output y = x -> conv(4, 9)\n}\n")
    return str(path)


def test_check() -> None:
    result = run("check", LENET, UNET16)
    assert (result.exit_code, result.output) == (0, "2 files checked, nothing found\n")


def test_check_finds_errors_in_every_file(broken: str) -> None:
    result = run("check", broken, LENET, "missing.net")
    assert result.exit_code == 1
    assert "error[shape-mismatch]: the window spans 9 cells" in result.output
    assert f"{broken}:3:29" in result.output
    assert "can't read missing.net: no such file or directory" in result.output
    assert "2 errors" in result.output


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_forms_for_tools(form: str, broken: str) -> None:
    result = run("check", broken, "--format", form)
    assert result.exit_code == 1
    if form == "github":
        assert result.output.startswith("::error file=")
        return
    data = json.loads(result.output)
    if form == "json":
        assert (data[0]["code"], data[0]["line"], data[0]["column"]) == ("shape-mismatch", 3, 29)
        return
    found = data["runs"][0]["results"][0]
    region = found["locations"][0]["physicalLocation"]["region"]
    assert (found["ruleId"], region["startLine"]) == ("shape-mismatch", 3)


def test_compile_writes_the_source(tmp_path: Path) -> None:
    out = tmp_path / "lenet.py"
    assert run("compile", LENET, "-o", str(out)).exit_code == 0
    assert "class LeNet(nn.Module):" in out.read_text()
    assert run("compile", LENET).stdout == out.read_text()


def test_parameters_are_typed_and_checked() -> None:
    assert "nn.Linear(84, 7)" in run("compile", LENET, "--set", "classes=7").output
    for wrong in ("classes=x", "classes=2.5", "clases=7"):
        result = run("compile", LENET, "--set", wrong)
        assert result.exit_code == 1
        assert "error[" in result.output
    assert run("compile", LENET, "--set", "classes").exit_code == 2


def test_summary() -> None:
    result = run("summary", GOOGLENET, "--size", "H=224,W=224")
    assert (
        "13,004,888 parameters (6,624,904 at inference), 1,498,376,192 multiply-adds"
        in result.output
    )
    data = json.loads(run("summary", LENET, "--format", "json").output)
    assert data["parameters"] == 61_706
    assert data["layers"][0] == {
        "path": "conv1",
        "layer": "conv(6, 5x5, padding=2)",
        "output": "[6, 28, 28]",
        "neurons": 4_704,
        "connections": 107_736,
        "parameters": 156,
        "macs": 117_600,
        "receptive_field": {"image": [{"size": 5, "step": 1, "start": -2}] * 2},
        "alive_bytes": 4 * (28 * 28 + 4_704),
        "training_only": False,
    }


def test_sizes() -> None:
    assert run("sizes", UNET16).output == "H and W multiples of 16\n"
    fixed = run("sizes", str(ROOT / "examples" / "vit_b_16.net")).output
    assert fixed == "fixed sizes: image [3, 224, 224]\n"
    given = run("sizes", str(ROOT / "examples" / "cgan_generator.net")).output
    assert given == "fixed sizes: noise [100], label int64 []\n"
    assert run("sizes", UNET16, "--accepts", "H=64,W=32").exit_code == 0
    refused = run("sizes", UNET16, "--accepts", "H=65,W=64")
    assert refused.exit_code == 1
    assert "H = 65, W = 64 gives 64 here and 65 there" in refused.output
    assert json.loads(run("sizes", UNET16, "--format", "json").output)["smallest"] == {
        "H": 16,
        "W": 16,
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["check", LENET, "--size", "H"],
        ["check", LENET, "--size", "H=-1"],
        ["sizes", UNET16, "--accepts", "H=64"],
        ["sizes", UNET16, "--accepts", "H=64,W=0"],
        ["nothing"],
        ["check", LENET, "--max-layers", "0"],
    ],
)
def test_wrong_calls(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_wrong_sizes_and_nets() -> None:
    assert run("check", UNET16, "--size", "Q=3").exit_code == 1
    assert run("check", LENET, "--net", "LeNets").exit_code == 1
    assert run("check", LENET, "--max-layers", "3").exit_code == 1


def test_a_file_of_several_nets(tmp_path: Path) -> None:
    """`check` looks at each; what is given to one, or asked of one, must say which."""
    file = tmp_path / "a.net"
    unused = "fn unused(n: int) = 3\n"
    nets = (
        f"net A {{ input x: [3, 8, 8]; output y = x -> maxpool({n}) }}\n".replace("A", name)
        for name, n in zip("ABC", (2, 20, 30), strict=True)
    )
    file.write_text(unused + "".join(nets))
    found = json.loads(run("check", str(file), "--format", "json").output)
    assert [d["code"] for d in found] == ["unused-name", "shape-mismatch", "shape-mismatch"]
    assert run("check", str(file), "--net", "A").exit_code == 0
    for arguments in (
        ["check", str(file), "--size", "H=3"],
        ["check", str(file), "--weights", "a.pt"],
        ["summary", str(file)],
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "error[several-nets]" in result.output
        assert "one of A, B, C" in result.output


def test_what_several_nets_share_is_said_once(tmp_path: Path) -> None:
    """A mistake in a file that all nets use, and one between the files, beside one of one net."""
    (tmp_path / "bad.net").write_text("block Bad { conv(8, 3, strid=2) }\n")
    file = tmp_path / "a.net"
    file.write_text(
        'use "./bad.net"\nuse std.nothing\n'
        "net A { input x: [3, 8, 8]; output y = x -> Bad }\n"
        "net B { input x: [3, 9, 9]; output y = x -> Bad -> linear(2, 3, 4) }\n"
    )
    found = json.loads(run("check", str(file), "--format", "json").output)
    codes = ["use-not-found", "unknown-argument", "too-many-arguments"]
    assert sorted(d["code"] for d in found) == sorted(codes)


def test_standard_input() -> None:
    text = "net A { input x: [1, 4, 4]\n output y = x -> relu }"
    assert run("check", "-", stdin=text).exit_code == 0


def test_warnings_can_be_denied(tmp_path: Path) -> None:
    path = tmp_path / "w.net"
    path.write_text("block relu { sigmoid }\nnet A { input x: [2]\n output y = x -> relu }")
    assert run("check", str(path)).exit_code == 0
    assert run("check", str(path), "--deny", "warnings").exit_code == 1


@pytest.mark.parametrize("command", ["check", "compile", "summary", "sizes"])
def test_help_has_an_example(command: str) -> None:
    assert f"netdsl {command} examples/" in run(command, "--help").output


def test_checking_loads_neither_torch_nor_onnx_nor_numpy() -> None:
    code = (
        "import sys, netdsl.cli\n"
        f"try: netdsl.cli.main(['check', {GOOGLENET!r}])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'onnx', 'numpy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


PARAMETERS = (
    "net A(n: int = 3, f: float = 1.0, b: bool = true, s: string = \"q\", z: size = 3,"
    " l: [int] = [1], act: layer = relu) {\n input x: [3, H, W]\n"
    " output y = x -> conv(n * len(l), z) -> leaky_relu(f) -> act\n}"
)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("n=4", "conv(4, 3)"),
        ("n=2 ** 3", "conv(8, 3)"),
        ("f=2", "leaky_relu(slope=2.0)"),
        ("z=3x5", "conv(3, 3x5)"),
        ("z=(3, 5)", "conv(3, 3x5)"),
        ("l=[7, 7]", "conv(6, 3)"),
        ("act=tanh", "tanh1"),
        ("act=leaky_relu(0.1)", "leaky_relu2"),
        ("s=7", "conv(3, 3)"),
        ("s=)", "conv(3, 3)"),
    ],
)
def test_values_are_written_as_in_the_language(given: str, said: str) -> None:
    result = run("summary", "-", "--set", given, stdin=PARAMETERS)
    assert result.exit_code == 0, result.output
    assert said in result.output


@pytest.mark.parametrize(
    "given",
    ["n=true", "n=x", "n=", "n=H", "n=10 ** 10 ** 10", "n=1) fn a() = (2", "n=1)\nfn a() = (2",
     "f=1e999", "f=nan", "b=1", "z=3y", "z=3x0x", "l=1", "l=[1.5]", "act=nothing", "act=5", "act=",
     "act=relu -> tanh", "act={ relu }", "m=1"],
)  # fmt: skip
def test_wrong_values(given: str) -> None:
    result = run("check", "-", "--set", given, stdin=PARAMETERS)
    assert result.exit_code == 1, result.output
    assert "error[" in result.output


def test_python_gives_layers_as_they_are_written() -> None:
    network = netdsl.loads(PARAMETERS, params={"act": "leaky_relu(0.1)", "n": 4, "z": (3, 5)})
    assert [row.layer for row in network.summary().rows] == [
        "conv(4, 3x5)", "leaky_relu(slope=1.0)", "leaky_relu(slope=0.1)",
    ]  # fmt: skip
    for wrong in (5, None, "nothing", ["relu"]):
        with pytest.raises(netdsl.DiagnosticError):
            netdsl.loads(PARAMETERS, params={"act": wrong})


def test_refused_sizes_come_with_the_nearest_that_work() -> None:
    said = run("sizes", UNET16, "--accepts", "H=65,W=70").output.splitlines()
    assert said[-2:] == ["crop to H = 64, W = 64", "pad to H = 80, W = 80"]
    data = json.loads(run("sizes", UNET16, "--accepts", "H=65,W=64", "--format", "json").output)
    assert (data["accepts"], data["closest"]) == (False, {"H": 64, "W": 64})
    data = json.loads(run("sizes", UNET16, "--accepts", "H=32,W=64", "--format", "json").output)
    assert (data["accepts"], data["refusals"]) == (True, [])
    assert data["closest"] == data["down"] == data["up"] == {"H": 32, "W": 64}


def test_a_piped_summary_is_plain_text() -> None:
    lines = run("summary", LENET).output.splitlines()
    titles = "path layer output neurons connections parameters multiply-adds receptive field"
    assert lines[0].split() == titles.split()
    said = "conv1 conv(6, 5x5, padding=2) [6, 28, 28] 4,704 107,736 156 117,600 5x5"
    assert lines[2].split() == said.split()
    assert lines[-2] == "61,706 parameters, 416,520 multiply-adds"
