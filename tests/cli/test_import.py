"""`netdsl import`, and sources of other formats where a `.net` file is meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.cli import main

CFG = """[net]
width=32
height=24
channels=3

[convolutional]
filters=8
size=3
pad=1
batch_normalize=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=5
size=1
activation=linear
"""

MODULE = '''"""A small module."""
import torch
from torch import nn


class Net(nn.Module):
    """A small net,
    of one layer.
    Args:
        width: what nobody needs to know
    """

    def __init__(self, width=4, extra=0.0):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.extra = extra

    def forward(self, image):
        y = torch.relu(self.conv(image))
        return y.mean((2, 3)) + self.extra


class Sly(Net):
    """Computes something else as soon as there are numbers."""

    def forward(self, image):
        y = super().forward(image)
        return y if image.is_meta else 1.01 * y


class Odd(Net):
    def forward(self, image):
        return torch.fft.fft2(self.conv(image)).abs()
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a.cfg").write_text(CFG)
    (tmp_path / "nets.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_file_is_written_and_is_what_every_command_reads(folder: Path) -> None:
    result = run("import", "a.cfg", "-o", "a.net")
    assert result.exit_code == 0, result.output
    assert netdsl.load("a.net").parameters == 3 * 8 * 9 + 2 * 8 + 8 * 5 + 5
    assert run("check", "a.net", "--deny", "warnings").exit_code == 0
    for command in ("sizes",), ("summary", "--depth", "1"), ("compile",):
        ours, theirs = (run(command[0], file, *command[1:]) for file in ("a.net", "a.cfg"))
        assert ours.exit_code == theirs.exit_code == 0, theirs.output
        assert ours.output == theirs.output
    assert run("fmt", "--check", "a.net").exit_code == 0
    assert netdsl.load("a.cfg").source == (folder / "a.net").read_text()


def test_two_sources_are_compared_in_a_picture(folder: Path) -> None:
    (folder / "b.cfg").write_text(CFG.replace("filters=5", "filters=9"))
    result = run("draw", "--diff", "a.cfg", "b.cfg", "-o", "d.svg")
    assert result.exit_code == 0, result.output
    assert "9" in (folder / "d.svg").read_text()


def test_an_error_stands_in_the_source(folder: Path) -> None:
    (folder / "a.cfg").write_text(CFG.replace("size=1\n", "size=1\nstride=0\n"))
    for command in ("import", "check", "sizes"):
        result = run(command, "a.cfg")
        assert result.exit_code == 1
        assert "a.cfg:" in result.output
        assert "Traceback" not in result.output


def test_what_is_no_source(folder: Path) -> None:
    (folder / "a.net").write_text("net A { input x: [3]; output y = x -> relu }")
    for source, said in (
        ("a.net", "is a `.net` file already"),
        ("-", "is neither"),
        ("a.txt", "is neither"),
    ):
        result = run("import", source)
        assert result.exit_code == 2, result.output
        assert said in result.output
    assert run("import", "none.cfg").exit_code == 1
    assert run("check", "a.net", "--input", "[3]").exit_code == 2
    assert run("check", "a.net", "--open").exit_code == 2
    assert run("check", "--fix", "a.cfg").exit_code == 2
    assert run("check", "a.cfg", "--input", "[3, H").exit_code == 2


def test_the_source_is_never_written_over(folder: Path) -> None:
    for option in ("-o", "--weights-out"):
        assert run("import", "a.cfg", option, "a.cfg").exit_code == 2
        assert run("import", "nets.py:Net", option, "nets.py").exit_code == 2
    assert (folder / "a.cfg").read_text() == CFG
    assert (folder / "nets.py").read_text() == MODULE


def test_nothing_to_compare_or_to_write(folder: Path) -> None:
    assert "can't be run here" in run("import", "a.cfg", "--verify").output
    assert "no weights to write" in run("import", "a.cfg", "--weights-out", "a.safetensors").output
    assert sorted(path.name for path in folder.iterdir()) == ["a.cfg", "nets.py"]


def test_a_module_beside_its_import(folder: Path) -> None:
    pytest.importorskip("torch")
    result = run(
        "import",
        "nets.py:Net(width=6)",
        "-o",
        "n.net",
        "--verify",
        "--weights-out",
        "n.safetensors",
    )
    assert result.exit_code == 0, result.output
    assert "conv: conv(6, 3, padding=1)" in (folder / "n.net").read_text()
    assert run("check", "n.net", "--weights", "n.safetensors").exit_code == 0
    assert (folder / "n.net").read_text().startswith("# A small net, of one layer.\nnet Net {")
    assert "image: [3, H, W]" in (folder / "n.net").read_text()


def test_a_module_that_gives_other_numbers_is_not_written(folder: Path) -> None:
    """What was traced can't be what is compared with: the module itself is run."""
    pytest.importorskip("torch")
    assert run("import", "nets.py:Sly", "-o", "s.net").exit_code == 0
    result = run(
        "import", "nets.py:Sly", "-o", "r.net", "--verify", "--weights-out", "r.safetensors"
    )
    assert result.exit_code == 2
    assert "gives other numbers" in result.output
    assert not list(folder.glob("r.*"))


def test_sizes_that_can_not_be_open_are_told(folder: Path) -> None:
    assert "note:" not in run("sizes", "a.cfg").output
    (folder / "b.cfg").write_text(CFG + "\n[connected]\noutput=4\nactivation=linear\n")
    result = run("sizes", "b.cfg")
    assert result.exit_code == 0
    assert "[3, 24, 32]" in result.output
    line = (CFG + "\n").count("\n") + 1
    assert "note: it is read at the sizes of its source; at open ones" in result.output
    assert f"(b.cfg:{line}:1)" in result.output


def test_from_python(folder: Path) -> None:
    assert netdsl.from_darknet("a.cfg").source == netdsl.load("a.cfg").source
    with pytest.raises(netdsl.DiagnosticError):
        netdsl.from_caffe(folder / "none.prototxt")


def test_an_unknown_function_stands_at_its_line(folder: Path) -> None:
    pytest.importorskip("torch")
    result = run("sizes", "nets.py:Odd")
    assert result.exit_code == 1
    line = MODULE.splitlines().index("        return torch.fft.fft2(self.conv(image)).abs()") + 1
    assert f"nets.py:{line}:" in result.output
    assert "fft" in result.output


def test_onnx_and_back(folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    (folder / "a.net").write_text(
        "net A { input x: [3, H, W]; output y = x -> c: conv(4, 3) -> relu -> global_avgpool -> fc: linear(2) }"
    )
    assert run("export", "a.net", "-o", "a.onnx").exit_code == 0
    result = run("import", "a.onnx", "-o", "b.net", "--verify", "--weights-out", "b.safetensors")
    assert result.exit_code == 0, result.output
    assert result.output.count(": ") >= 4
    assert netdsl.load("b.net").check_weights(folder / "b.safetensors") == ()
    again = run("export", "a.onnx", "-o", "c.onnx", "--verify")
    assert again.exit_code == 0, again.output


def test_a_file_that_does_other_things_than_its_import(folder: Path) -> None:
    """Were the file not run, its changed number would not be seen."""
    onnx = pytest.importorskip("onnx")
    from netdsl.backends.torch.comparing import comparisons
    from netdsl.importers.frontend import Question
    from netdsl.importers.imported import read

    (folder / "a.net").write_text("net A { input x: [3, H, W]; output y = x -> c: conv(4, 3) }")
    assert run("export", "a.net", "-o", "a.onnx").exit_code == 0
    network = netdsl.load("a.onnx")
    assert read(Question("a.onnx")).answer.runs is not None
    model = onnx.load("a.onnx")
    bias = next(w for w in model.graph.initializer if list(w.dims) == [4])
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + 0.01, bias.name))
    onnx.save(model, "a.onnx")
    assert network.origin is not None
    assert network.origin.runs is not None
    results = list(comparisons(network.graph, network.torch().eval(), network.origin.runs))
    assert results
    assert not any(result.is_equal for result in results)
