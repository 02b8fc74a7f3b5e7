"""`.pt2` files: the sizes of the contract, the weights that were asked for, and nothing where PyTorch refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.cli import main
from netdsl.lints import WARNINGS

torch = pytest.importorskip("torch")

PLAIN = "net A { input image: [3, H, W]\n output y = image -> conv: conv(4, 3, stride=2) -> relu -> adaptive_avgpool(1) -> flatten -> fc: linear(5) }"
FOURS = "net A { input x: [1, H, W]\n output y = (x -> maxpool(4) -> conv(2, 1) -> upsample(4), x) -> concat }"
SEVERAL = "net A { input x: [2, L]\n input z: [2, ceil(L / 4)]\n output y = x -> relu\n output s = z -> sigmoid\n output t = x -> tanh when training }"
BOUNDED = "net A { input x: [3, T] where T >= 5, T <= 9\n output y = x -> relu }"
ODD = "net A { input x: [3, T] where T % 6 == 5\n output y = x -> conv(2, 3) }"
RESIDUES = "net A { input x: [3, T] where T % 8 <= 1\n output y = x -> relu }"

ATTENTION = "net A { input x: [8, T]\n output y = x -> permute([1, 0]) -> attention(2) }"
RUNS = ((1, 3, 3), (2, 31, 58), (5, 224, 160))


def write(folder: Path, text: str) -> Path:
    path = folder / "a.net"
    path.write_text(text)
    return path


def export(file: Path, *arguments: object) -> Result:
    out = file.with_suffix(".pt2")
    return CliRunner().invoke(main, ["export", str(file), "-o", str(out), *map(str, arguments)])


def loaded(file: Path) -> Any:
    return torch.export.load(file.with_suffix(".pt2")).module()


def takes(program: Any, *shapes: tuple[int, ...]) -> bool:
    try:
        program(*(torch.zeros(shape) for shape in shapes))
    except (AssertionError, RuntimeError):
        return False
    return True


def with_weights(folder: Path) -> Path:
    """A network of which a file was written, with the weights of seed 7 from a checkpoint."""
    file = write(folder, PLAIN)
    weights = netdsl.load(file).torch(seed=7).state_dict()
    torch.save({f"module.{key}": value for key, value in weights.items()}, folder / "w.pt")
    result = export(file, "--weights", folder / "w.pt", "--rename", "module.=")
    assert result.exit_code == 0, result.output
    assert "H = 3, W = 3, batch 1: 0.0e+00\n" in result.output
    return file


def image(n: int, height: int, width: int) -> Any:
    return torch.arange(n * 3 * height * width).reshape(n, 3, height, width) / 1e4


def test_weights_and_keys(tmp_path: Path) -> None:
    """Those of the checkpoint, at the sizes of the contract; at others it refuses."""
    file = with_weights(tmp_path)
    module = netdsl.load(file).torch(seed=7).eval()
    program = loaded(file)
    for sizes in RUNS:
        with torch.no_grad():
            torch.testing.assert_close(program(image(*sizes)), module(image(*sizes)))
    assert not takes(program, (1, 3, 2, 9))
    assert not takes(program, (1, 4, 9, 9))
    assert set(program.state_dict()) == set(module.state_dict())


@pytest.mark.full
def test_it_runs_where_there_is_no_netdsl(tmp_path: Path) -> None:
    file = with_weights(tmp_path)
    code = (
        "import sys; sys.modules['netdsl'] = None\n"
        "import torch; program = torch.export.load(sys.argv[1]).module()\n"
        f"for n, h, w in {RUNS}:\n"
        "    x = torch.arange(n * 3 * h * w).reshape(n, 3, h, w) / 1e4\n"
        "    print(program(x).double().sum().item())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file.with_suffix(".pt2"))], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    module = netdsl.load(file).torch(seed=7).eval()
    for line, sizes in zip(done.stdout.split(), RUNS, strict=True):
        with torch.no_grad():
            wanted = module(image(*sizes)).double().sum().item()
        assert float(line) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "options", "legal", "wrong"),
    [
        (FOURS, (), [(1, 1, 4, 8), (2, 1, 40, 4)], [(1, 1, 6, 8), (1, 1, 8, 2)]),
        (FOURS, ("--min", "H=8,N=2", "--max", "H=16,N=3"), [(2, 1, 8, 4), (3, 1, 16, 400)],
         [(2, 1, 4, 8), (2, 1, 20, 8), (1, 1, 8, 4), (4, 1, 8, 4)]),
        (FOURS, ("--batch", "2", "--size", "H=8"), [(2, 1, 8, 12)], [(1, 1, 8, 12), (2, 1, 12, 12)]),
        (ATTENTION, ("--min", "N=2,T=2"), [(2, 8, 2), (5, 8, 9)], []),
        (BOUNDED, (), [(1, 3, 5), (4, 3, 9)], [(1, 3, 4), (1, 3, 10)]),
        (ODD, (), [(1, 3, 5), (2, 3, 23)], [(1, 3, 6), (1, 3, 22)]),
        (RESIDUES, ("--min", "T=8", "--max", "T=9"), [(1, 3, 8), (1, 3, 9)], [(1, 3, 7), (1, 3, 16)]),
    ],
)  # fmt: skip
@pytest.mark.one_in(2)
def test_its_sizes_are_those_of_the_contract(
    text: str, options: tuple[str, ...], legal: list, wrong: list, tmp_path: Path
) -> None:
    file = write(tmp_path, text)
    result = export(file, *options)
    assert result.exit_code == 0, result.output
    program = loaded(file)
    assert all(takes(program, shape) for shape in legal)
    assert not any(takes(program, shape) for shape in wrong)


def test_several_inputs_and_results(tmp_path: Path) -> None:
    """A size that another input's depends on, and a result of training mode, which is left out."""
    file = write(tmp_path, SEVERAL)
    result = export(file)
    assert result.exit_code == 0, result.output
    x, z = torch.randn(2, 2, 7), torch.randn(2, 2, 2)
    y, s = loaded(file)(x, z)
    torch.testing.assert_close(y, x.relu())
    torch.testing.assert_close(s, z.sigmoid())


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        (RESIDUES, (), "takes sizes in equal steps alone, and refuses this contract: T mod 8 in {0, 1}"),
        (RESIDUES, ("--min", "T=10", "--max", "T=15"), "no size from 10 to 15 is accepted"),
        ("net A { input x: [1, H, W] where H >= W\n output y = x -> relu }", (), "takes each size by itself"),
        (PLAIN, ("--min", "Q=3"), "no open size Q; there are: H, W, N"),
        (PLAIN, ("--fp16",), "--fp16 is of ONNX files"),
        (PLAIN, ("--opset", "18"), "--opset is of ONNX files"),
        (PLAIN, ("--guard",), "--guard is of ONNX files"),
        (ATTENTION, (), "  N != 1\n"),
    ],
)  # fmt: skip
def test_nothing_is_written_where_it_refuses(
    text: str, options: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    file = write(tmp_path, text)
    out = file.with_suffix(".pt2")
    out.write_text("kept")
    result = export(file, *options)
    assert (result.exit_code, out.read_text()) == (2, "kept"), result.output
    assert told in result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.net", "a.pt2"]


def test_the_file_is_run_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that computes something else, or refuses a size, is none."""
    from netdsl.backends.onnx.options import ExportError
    from netdsl.backends.program import export as writer

    saved = writer._saved
    for wrong, told in (
        (lambda x: x + 1e-2, "differ by"),
        (lambda x: x[:, :, 1:], "other shapes"),
        (lambda x: (_ for _ in ()).throw(RuntimeError("no such size")), "no such size"),
    ):

        class Wrong(torch.nn.Module):
            def __init__(self, inner: Any, change: Any) -> None:
                super().__init__()
                self.inner, self.change = inner, change

            def forward(self, x: Any) -> Any:
                return self.change(self.inner(x))

        monkeypatch.setattr(writer, "_saved", lambda *a, wrong=wrong: Wrong(saved(*a), wrong))
        network = netdsl.loads(BOUNDED, allow=WARNINGS)
        with pytest.raises(ExportError, match=told):
            network.export_program(tmp_path / "a.pt2")
        assert not list(tmp_path.iterdir())
    with pytest.raises(ExportError, match="export_program"):
        network.export(tmp_path / "a.pt2")


STEPPED = "net A { input x: [3, H, W]\n input z: [1, H, W]\n output y = (x, z) -> concat -> maxpool(2) -> upsample(2) -> [4, H, W] }"


def test_what_pytorch_does_not_check(tmp_path: Path) -> None:
    """Steps and a least size of 2 of layers that would run at other sizes: the program fails."""
    file = write(tmp_path, STEPPED)
    result = export(file, "--max", "W=30")
    assert result.exit_code == 0, result.output
    program = loaded(file)
    for (height, width), is_taken in {
        (2, 2): True,
        (8, 6): True,
        (40, 30): True,
        (7, 6): False,
        (8, 5): False,
        (1, 6): False,
        (8, 32): False,
    }.items():
        assert takes(program, (1, 3, height, width), (1, 1, height, width)) == is_taken
    assert not takes(program, (1, 3, 8, 6), (1, 1, 8, 8))
    assert not takes(program, (2, 3, 8, 6), (1, 1, 8, 6))


def test_a_least_size_of_two(tmp_path: Path) -> None:
    file = write(tmp_path, "net A { input x: [3, T] where T >= 2\n output y = x -> relu }")
    assert export(file, "--allow", "tight-where", "--min", "N=2").exit_code == 0
    assert takes(loaded(file), (2, 3, 2))
    assert not takes(loaded(file), (2, 3, 1))
    assert not takes(loaded(file), (1, 3, 2))
