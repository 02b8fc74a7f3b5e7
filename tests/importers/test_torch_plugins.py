"""Modules without a word in the language become layers that call their classes as they are."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import netdsl
from netdsl import DiagnosticError, Network
from netdsl.cli import main
from netdsl.ops.plugins import layers_of, plugged
from tests.importers import torch_own

HERE = "tests.importers.torch_own"
SMALL = {"x": ("float32", (3, 16, 12))}


def imported(name: str, path: Path, plugins: Any = (), inputs: Any = SMALL) -> Network:
    """An import whose layers are in a folder."""
    network = netdsl.load(
        f"{HERE}:{name}", plugins_out=str(path / "layers.py"), plugins=plugins, inputs=inputs
    )
    assert network.origin is not None
    for file, text in network.origin.plugins.items():
        Path(file).write_text(text)
    return network


def written_in(path: Path) -> dict[str, Any]:
    """The tests in the file of a plug-in."""
    spec = importlib.util.spec_from_file_location("layers", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["layers"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: one for name, one in vars(module).items() if name.startswith("test_")}


def test_a_network_of_such_modules_computes_what_they_do(tmp_path: Path) -> None:
    text = imported("Numbers", tmp_path).source
    network = netdsl.loads(text, plugins=[tmp_path / "layers.py"])
    torch.manual_seed(0)
    module, ours = torch_own.Numbers().eval(), network.torch().eval()
    assert set(ours.state_dict()) == set(module.state_dict())
    ours.load_state_dict(module.state_dict())
    x = torch.randn(2, 3, 16, 12)
    with torch.no_grad():
        for one, other in zip(module(x), ours(x), strict=True):
            torch.testing.assert_close(one, other)
    assert "share(4, levels=[1, 2], input_=2)" in text
    assert 'share(4, mode="real"' in text
    assert "around(0.25)" in text  # what holds it is made with a number, and it with a module
    assert network.torch().state_dict()["one.steps"].dtype == torch.int64


def test_the_tests_that_are_written_compare(tmp_path: Path, monkeypatch: Any) -> None:
    imported("Numbers", tmp_path)
    tests = written_in(tmp_path / "layers.py")
    assert {name.rpartition("_")[0] for name in tests} == {
        f"test_{name}" for name in ("share", "auto", "host", "compiled", "around")
    }
    for test in tests.values():
        test()
    monkeypatch.setattr(torch_own.Auto, "forward", lambda self, x: x[..., :-1])
    with pytest.raises(AssertionError):
        tests["test_auto_0"]()


def test_other_sizes_wait_for_a_rule_that_is_then_compared(tmp_path: Path) -> None:
    network = imported("HoldsAuto", tmp_path)
    file = tmp_path / "layers.py"
    opened = network.source.replace("[3, 16, 12]", "[3, H, W]")
    with pytest.raises(DiagnosticError, match=r"no rule of `auto` is stated for \[4, H, W\]"):
        netdsl.loads(opened, plugins=[file])
    with pytest.raises(DiagnosticError, match=r"no rule of `auto` is stated for \[4, 16, 13\]"):
        netdsl.loads(network.source.replace("12]", "13]"), plugins=[file])
    text = file.read_text()
    body = text[text.index("        # The rule") : text.index("        return types\n")]
    stated = tmp_path / "stated.py"
    stated.write_text(text.replace(body + "        return types", "        return (inputs[0],)"))
    (tmp_path / "layers_torch.py").rename(tmp_path / "stated_torch.py")
    stated.write_text(stated.read_text().replace("layers_torch.py", "stated_torch.py"))
    again = imported("HoldsAuto", tmp_path, [stated], None)
    assert "input x: [3, H, W]" in again.source
    assert again.origin is not None
    assert not again.origin.plugins
    wrong = tmp_path / "wrong.py"
    wrong.write_text(stated.read_text().replace("(inputs[0],)", "(inputs[0].with_shape(4, 1, 1),)"))
    with pytest.raises(DiagnosticError, match=r"gives \[4, 1, 1\] for \[4, .* the module gives"):
        netdsl.load(f"{HERE}:HoldsAuto", plugins=[wrong])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("HoldsKept", "gives other shapes where other numbers come in"),
        ("HoldsInPlace", "it changes in place what it takes"),
        ("HoldsHolder", "can't be imported by its name"),
        ("Auto", "no module around this part can be a layer"),
        ("Acting", "this can't be made"),
    ],
)
def test_what_can_be_no_layer(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DiagnosticError) as caught:
        imported(name, tmp_path)
    (one,) = caught.value.diagnostics
    assert message in f"{one.message} {one.help}"
    assert not list(tmp_path.iterdir())


def test_a_plugin_has_what_was_measured_and_no_more(tmp_path: Path) -> None:
    imported("Numbers", tmp_path)
    share, auto, *_ = layers_of(tmp_path / "layers.py")
    assert (share.name, share.stands_for) == ("share", f"{HERE}:Share")
    with plugged([tmp_path / "layers.py"]):
        rows = (auto.__doc__ or "").split("\n\n")[1].split("\n")
    assert [row.strip() for row in rows if row.strip()] == ["auto: [4, 16, 4] -> [4, 16, 4]"]


def test_no_file_is_written_over(tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text(
        "import torch\nfrom torch import nn\n\n\nclass Part(nn.Module):\n"
        "    def forward(self, x):\n        return torch.fft.fft2(x).real\n\n\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.part = Part()\n\n    def forward(self, x):\n"
        "        return self.part(x) * 2\n"
    )
    before = source.read_text()
    base = ["import", f"{source}:Net", "--input", "[3, 8, 8]", "-o", str(tmp_path / "a.net")]
    for name, code in (("mine.py", 2), ("layers.txt", 2), ("1-2.py", 2), ("layers.py", 0)):
        result = CliRunner().invoke(main, [*base, "--plugins-out", str(tmp_path / name)])
        assert result.exit_code == code, result.output
    assert source.read_text() == before
    written = sorted(one.name for one in tmp_path.iterdir() if one.is_file())
    assert written == ["a.net", "layers.py", "layers_torch.py", "mine.py"]
    assert "the language has no word for `fft_fft2`" in result.output
    net, plugin = str(tmp_path / "a.net"), str(tmp_path / "layers.py")
    assert CliRunner().invoke(main, ["check", net, "--plugin", plugin]).exit_code == 0
    assert CliRunner().invoke(main, ["check", net]).exit_code == 1
    verified = CliRunner().invoke(main, [*base, "--plugins-out", plugin, "--verify"])
    assert verified.exit_code == 0, verified.output
    (tmp_path / "layers.py").write_text("# mine\n")
    again = CliRunner().invoke(main, [*base, "--plugins-out", plugin])
    assert again.exit_code == 2
    assert "says something else" in again.output
    assert (tmp_path / "layers.py").read_text() == "# mine\n"
    (tmp_path / "layers.py").unlink()
    helper = tmp_path / "layers_torch.py"
    asked = [*base[:-1], str(helper), "--plugins-out", plugin]
    assert CliRunner().invoke(main, asked).exit_code == 2  # two files for one place


class Straight(torch.autograd.Function):
    """Whole numbers forward, the identity backward."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.sign()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        return grads[0]


class Binary(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return Straight.apply(x.tanh())


def test_a_backward_pass_of_ones_own_is_lost_only_with_a_remark(tmp_path: Path) -> None:
    apply = torch.autograd.Function.__dict__["apply"]
    network = netdsl.from_torch(Binary(), {"x": (3, 8, 8)})
    assert torch.autograd.Function.__dict__["apply"] is apply
    assert network.origin is not None
    told = [one for one in network.origin.remarks if "`Straight` has a backward pass" in one]
    assert len(told) == 1
    assert "test_torch_plugins.py:" in told[0]
    plugin = imported("Numbers", tmp_path)  # there a layer keeps the function as it is
    assert plugin.origin is not None
    assert not [one for one in plugin.origin.remarks if "backward" in one]
