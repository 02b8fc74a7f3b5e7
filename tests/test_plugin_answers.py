"""What a plug-in's methods give: wrong ones are the plug-in's mistakes, a buffer keeps its numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.cli import main

torch = pytest.importorskip("torch")

HEAD = "from pathlib import Path\nfrom netdsl.ops import *\n"
LAYER = '''
class Mine(Op):
    """Does it."""

    name = "mine"
    family = "own"

    def infer(self, inputs, rules):
        return inputs

    def torch(self, inputs, outputs):
        return TorchCall("torch.relu", (In(0),))
'''
NET = "net A { input x: [4, H, W]\n output y = x -> mine }"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def files(tmp_path: Path):
    """A network, and a function that writes a plug-in with more methods."""
    net = tmp_path / "a.net"
    net.write_text(NET)

    def write(more: str = "", layer: str = LAYER) -> Path:
        path = tmp_path / "mine.py"
        path.write_text(HEAD + layer + more)
        return path

    return net, write


def method(head: str, body: str) -> str:
    return f"\n    def {head}:\n        {body}\n"


WRONG = {
    "`weights` gives a tuple of `WeightSpec`, not 3": method("weights(self, i)", "return 3"),
    "`weights` gives a tuple of `WeightSpec`, not [": method("weights(self, i)", "return [1]"),
    "`weights` gives weights with an `init` of zeros, ones": method(
        "weights(self, i)", "return (WeightSpec('w', (4,), 'one'),)"
    ),
    "`weights` gives `w` 3 numbers, and its shape is [4]": method(
        "weights(self, i)", "return (WeightSpec('w', (4,), 'numbers', numbers=(1, 2, 3)),)"
    ),
    "a layer with weights is a `TorchModule`": method(
        "weights(self, i)", "return (WeightSpec('w', (4,), 'ones'),)"
    ),
    "`macs` gives a whole number or a formula of sizes, not 'many'": method(
        "macs(self, i, o)", "return 'many'"
    ),
    "`macs` gives a whole number or a formula of sizes, not 1.5": method(
        "macs(self, i, o)", "return 1.5"
    ),
    "`connections` gives a whole number or a formula of sizes, or None, not {}": method(
        "connections(self, i, o)", "return {}"
    ),
    "`windows` gives a tuple with a `Window`, or None": method("windows(self, i, o)", "return 7"),
    "`torch` gives a `TorchCall` or a `TorchModule`, not 'relu'": method(
        "torch(self, i, o)", "return 'relu'"
    ),
}


@pytest.mark.parametrize("said", WRONG)
def test_check_asks_every_method(said: str, files) -> None:
    net, write = files
    result = run("check", net, "--plugin", write(WRONG[said]))
    assert result.exit_code == 2
    assert said in result.output
    assert "mine.py, class Mine" in result.output
    assert "mistake in netdsl" not in result.output


@pytest.mark.parametrize("given", ["5", "None", "to.inputs + to.inputs"])
def test_what_onnx_gives(given: str, files) -> None:
    net, write = files
    path = write(method("onnx(self, to)", f"return {given}"))
    result = run("export", net, "-o", net.with_suffix(".onnx"), "--plugin", path)
    assert result.exit_code == 2
    assert "class Mine: `onnx` gives the value that `to.node` gives, not" in result.output


def test_what_reads_gives(files) -> None:
    net, write = files
    path = write(method("reads(self, i, o, wanted, result=0)", "return 3"))
    arguments = ["draw", net, "-o", net.with_suffix(".svg"), "--level", "neurons", "--plugin", path]
    result = run(*arguments, "--size", "H=3,W=3")
    assert result.exit_code == 2
    assert "class Mine: `reads` gives a list of pairs" in result.output


def test_an_export_that_disagrees_names_the_plug_in(files) -> None:
    pytest.importorskip("onnxruntime")
    net, write = files
    out = net.with_suffix(".onnx")
    path = write(method("onnx(self, to)", "return to.node('Sigmoid', to.inputs)"))
    result = run("export", net, "-o", out, "--plugin", path, "--verify")
    assert result.exit_code == 1
    assert "may say different things: `mine` (" in result.output
    assert "mistake in netdsl" not in result.output
    assert not out.exists()


def test_a_shape_rule_that_disagrees_with_torch(files) -> None:
    pytest.importorskip("onnxruntime")
    net, write = files
    layer = LAYER.replace("return inputs", "return (inputs[0].with_shape(1, 2, 3),)")
    path = write(method("onnx(self, to)", "return to.node('Relu', to.inputs)"), layer)
    result = run("export", net, "-o", net.with_suffix(".onnx"), "--plugin", path, "--verify")
    assert result.exit_code == 1
    assert "PyTorch gives the shape [1, 4, 1, 1], not [1, 1, 2, 3]" in result.output


@pytest.mark.parametrize(
    ("module", "weights", "said"),
    [
        ("nn.ReLU", "WeightSpec('w', (4,), 'ones'),", "`weights` tells of `w` [4], which its"),
        ("nn.PReLU", "", "its module holds `weight`, and `weights` does not tell it"),
    ],
)
def test_weights_that_the_module_has_not(module: str, weights: str, said: str, files) -> None:
    net, write = files
    more = method("torch(self, i, o)", f"return TorchModule('{module}')")
    path = write(more + method("weights(self, i)", f"return ({weights})"))
    network = netdsl.load(net, plugins=[path])
    with pytest.raises(netdsl.PluginError, match="class Mine") as caught:
        network.torch()
    assert said in str(caught.value)


# --- a layer with a buffer of fixed numbers --------------------------------------------------

BLUR = '''
class Blur(Op):
    """A fixed filter of each channel, then every second cell (Zhang 2019).

    blur: [4, H, W] -> [4, ceil(H / 2), ceil(W / 2)]
    """

    name = "blur"
    family = "own"

    def infer(self, inputs, rules):
        (x,) = inputs
        return (x.with_shape(x.channels, *((n - 1) // 2 + 1 for n in x.spatial)),)

    def weights(self, inputs):
        row = (0.25, 0.5, 0.25)
        count = inputs[0].channels
        numbers = tuple(a * b for _ in range(count) for a in row for b in row)
        spec = WeightSpec("filt", (count, 1, 3, 3), "numbers", trained=False, numbers=numbers)
        return (spec,)

    def torch(self, inputs, outputs):
        channels = From(inputs[0].channels, "in.channels")
        helper = str(Path(__file__).with_name("blur_torch.py"))
        return TorchModule("Blur", (channels,), helper=helper)

    def onnx(self, to):
        settings = {"group": to.tensors[0].channels, "kernel_shape": [3, 3]}
        settings |= {"pads": [1, 1, 1, 1], "strides": [2, 2]}
        return to.node("Conv", [to.inputs[0], to.weight("filt")], to.result(), **settings)
'''
BLUR_TORCH = '''"""Blurs."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Blur(nn.Module):
    """A fixed filter of each channel, then every second cell."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("filt", (row[:, None] * row).repeat(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.filt, None, 2, 1, 1, self.filt.shape[0])
'''


def test_a_buffer_of_fixed_numbers(files) -> None:
    """They are no parameters; an export without a checkpoint holds them, and does not draw them."""
    onnx = pytest.importorskip("onnx")
    net, write = files
    net.write_text("net A { input x: [3, H, W]\n output y = x -> conv(4, 3) -> blur }")
    path = write(layer=BLUR)
    path.with_name("blur_torch.py").write_text(BLUR_TORCH)
    network = netdsl.load(net, plugins=[path])
    assert network.parameters == 4 * (3 * 9 + 1)
    module = network.torch(seed=0)
    kernel = torch.tensor([1.0, 2, 1]).outer(torch.tensor([1.0, 2, 1])) / 16
    assert torch.equal(module.blur1.filt, kernel.repeat(4, 1, 1, 1))
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in network.onnx().graph.initializer}
    assert (torch.from_numpy(stored["blur1.filt"].copy()) == module.blur1.filt).all()
    state = {**module.state_dict(), "blur1.filt": kernel.repeat(4, 1, 1, 1) * 2}
    loaded = network.torch(weights=state)
    assert torch.equal(loaded.blur1.filt, state["blur1.filt"])
