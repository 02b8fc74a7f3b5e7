"""`init=` and `--init`: the numbers of torch.nn.init and of torchvision's models, drawn alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.cli import main
from netdsl.ops.initial import NEED_STD, WORDS, policies

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")

from torch import nn  # noqa: E402

from tests.torchvision_models import torchvision_models  # noqa: E402

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LAYERS = {
    "conv(48, 3, groups=2": ("[32, 9, 9]", lambda: nn.Conv2d(32, 48, 3, groups=2)),
    "conv_transpose(48, 2": ("[32, 9]", lambda: nn.ConvTranspose1d(32, 48, 2)),
    "linear(64": ("[96]", lambda: nn.Linear(96, 64)),
    "embedding(100, 48": ("int64 [7]", lambda: nn.Embedding(100, 48)),
}


def theirs(module: Any, word: str, std: float | None) -> Any:
    """A module begun by hand."""
    function, settings = WORDS[word]
    more = {"std": std or 0.02} if word in NEED_STD else {}
    getattr(nn.init, function.split(".")[-1])(module.weight, **dict(settings), **more)
    if getattr(module, "bias", None) is not None:
        nn.init.zeros_(module.bias)
    return module


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_begins_as_torch_has_it(layer: str, word: str) -> None:
    shape, make = LAYERS[layer]
    std = 0.7 if word in NEED_STD else None
    said = f", std={std}" if std else ""
    network = netdsl.loads(
        f"net A {{ input x: {shape}; output y = x -> a: {layer}, init={word}{said}) }}"
    )
    state = network.torch(seed=11).state_dict()
    torch.manual_seed(11)
    expected = theirs(make(), word, std).state_dict()
    for key, value in expected.items():
        assert torch.equal(state[f"a.{key}"], value), key


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_drawn_without_torch_has_the_distribution(layer: str, word: str) -> None:
    shape, make = LAYERS[layer]
    std = 1.5 if word == "trunc_normal" else 0.3 if word == "normal" else None
    said = f", std={std}" if std else ""
    network = netdsl.loads(
        f"net A {{ input x: {shape}; output y = x -> a: {layer}, init={word}{said}) }}"
    )
    onnx = pytest.importorskip("onnx")
    drawn = {t.name: onnx.numpy_helper.to_array(t) for t in network.onnx().graph.initializer}
    torch.manual_seed(0)
    many = torch.cat(
        [theirs(make(), word, std).weight.detach().flatten() for _ in range(20)]
    ).numpy()
    ours = drawn["a.weight"].ravel()
    assert drawn["a.weight"].shape == tuple(make().weight.shape)
    count = len(ours)
    assert abs(ours.mean()) <= 5 * many.std() / count**0.5
    assert abs(ours.std() - many.std()) <= 5 * many.std() / count**0.5 + 1e-9
    quantiles = np.linspace(0.01, 0.99, 25)
    apart = np.abs(np.quantile(ours, quantiles) - np.quantile(many, quantiles)).max()
    assert apart <= 12 * many.std() / count**0.5 + 1e-9
    if "uniform" in word or word == "trunc_normal":
        assert np.abs(ours).max() <= np.abs(many).max() * 1.01
    if "a.bias" in drawn:
        assert not drawn["a.bias"].any()


MODELS = [
    ("resnet18", "resnet18", "resnet"), ("resnet50", "resnet50", "resnet"),
    ("mobilenet_v2", "mobilenet_v2", "mobilenet_v2"), ("densenet121", "densenet121", "densenet"),
    ("vgg16", "vgg16", "vgg"), ("mobilenet_v3_large", "mobilenet_v3_large", "mobilenet_v3"),
    ("regnet_y_400mf", "regnet_y_400mf", "regnet"), ("convnext_tiny", "convnext_tiny", "convnext"),
]  # fmt: skip


@pytest.mark.parametrize(("example", "model", "init"), MODELS)
def test_models_of_torchvision_begin_alike(example: str, model: str, init: str) -> None:
    """The very numbers where modules are made in the same order, as here they are."""
    torch.manual_seed(5)
    expected = getattr(torchvision_models(), model)().state_dict()
    found = netdsl.load(EXAMPLES / f"{example}.net").torch(seed=5, init=init).state_dict()
    assert found.keys() == expected.keys()
    wrong = [key for key, value in expected.items() if not torch.equal(found[key], value)]
    assert wrong == []


def test_googlenet_begins_alike_in_distribution() -> None:
    """torchvision draws by scipy or torch, whichever is there; deviations are compared."""
    expected = torchvision_models().googlenet(init_weights=True).state_dict()
    found = netdsl.load(EXAMPLES / "googlenet.net").torch(seed=5, init="googlenet").state_dict()
    for key, value in expected.items():
        if value.ndim > 1:
            assert abs(found[key].std() - value.std()) <= 0.1 * value.std(), key
            assert abs(found[key].std() - 0.01) < 0.001


MIXED = """
block Unit(c: int) {
    conv: conv(c, 3, padding=1, init=xavier_normal) -> relu
        -> body: { conv(c, 1, init=normal, std=0.1) -> inner: { relu -> conv(c, 1) } }
}
net A {
    input x: [3, 8, 8]
    output y = x -> Unit(4) -> Unit(8) -> global_avgpool -> a: linear(4, init=zeros) -> b: linear(3, bias=false)
}
"""


def test_the_file_comes_before_the_policy() -> None:
    network = netdsl.loads(MIXED)
    state = network.torch(seed=1, init="trunc_normal").state_dict()
    assert not state["a.weight"].any()
    assert 0.05 < state["unit2.body.0.weight"].std() < 0.2
    assert 0.01 < state["unit2.body.inner.1.weight"].std() < 0.03
    assert not state["unit1.body.inner.1.bias"].any()
    assert network.torch(seed=1).state_dict()["unit1.body.inner.1.bias"].any()


def test_the_source_says_it_as_one_would() -> None:
    text = netdsl.loads(MIXED).torch_source(init="kaiming_uniform")
    assert (
        "        nn.init.xavier_normal_(self.conv.weight)\n"
        "        nn.init.zeros_(self.conv.bias)\n"
        "        nn.init.normal_(self.body[0].weight, std=0.1)\n"
        "        nn.init.zeros_(self.body[0].bias)\n"
        '        nn.init.kaiming_uniform_(self.body[1][1].weight, nonlinearity="relu")\n'
        "        nn.init.zeros_(self.body[1][1].bias)\n\n"
        "    def forward"
    ) in text
    text = netdsl.load(EXAMPLES / "mobilenet_v2.net").torch_source(init="mobilenet_v2")
    assert text.count("nn.init.") == 3
    assert (
        "\n\n        for module in self.modules():\n"
        "            if isinstance(module, nn.Conv2d):\n"
        "                nn.init.kaiming_normal_(\n"
        '                    module.weight, mode="fan_out", nonlinearity="relu"\n'
        "                )\n"
        "            elif isinstance(module, nn.Linear):\n"
        "                nn.init.normal_(module.weight, std=0.01)\n"
        "                nn.init.zeros_(module.bias)\n"
    ) in text
    assert "nn.init" not in netdsl.load(EXAMPLES / "mobilenet_v2.net").torch_source()


def test_matrices_within_attention_are_left_alone() -> None:
    text = "net A {{ input x: [5, 8]; output y = x -> a: attention(2) -> b: linear(8{0}) -> c: linear(8{0}) }}"
    network = netdsl.loads(text.format(", init=zeros"))
    state = network.torch(seed=3).state_dict()
    assert not state["b.weight"].any()
    assert not state["c.weight"].any()
    assert state["a.out_proj.weight"].any()
    assert torch.equal(
        state["a.in_proj_weight"],
        netdsl.loads(text.format("")).torch(seed=3).state_dict()["a.in_proj_weight"],
    )


def test_some_layers_with_a_bias_and_some_without() -> None:
    text = "net A { input x: [3, 8, 8]; output y = x -> conv(4, 1) -> conv(4, 1, bias=false) -> linear(3) }"
    network = netdsl.loads(text)
    assert (
        "if module.bias is not None:\n                    nn.init.zeros_(module.bias)"
        in network.torch_source(init="vgg")
    )
    state = network.torch(seed=1, init="vgg").state_dict()
    assert not state["conv1.bias"].any()
    assert state["conv2.weight"].any()


def test_shared_weights_begin_once() -> None:
    text = "net A { input x: [4, 8, 8]; layer enc = conv(4, 1, init=normal); output y = x -> enc -> relu -> enc }"
    assert netdsl.loads(text).torch_source().count("nn.init.normal_") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("init=he", "`init`"),
        ("init=kaiming_normal, std=0.1", "has no deviation of its own"),
        ("std=0.1", "has no deviation of its own"),
        ("init=normal, std=0", "a deviation lies above 0"),
    ],
)
def test_refusals(arguments: str, message: str) -> None:
    with pytest.raises(netdsl.DiagnosticError) as found:
        netdsl.loads(f"net A {{ input x: [3, 8, 8]; output y = x -> conv(4, 1, {arguments}) }}")
    assert message in str(found.value)


@pytest.mark.parametrize("name", policies())
def test_every_policy_gives_a_module(name: str) -> None:
    network = netdsl.loads(MIXED)
    assert network.torch(seed=1, init=name)(torch.zeros(2, 3, 8, 8)).shape == (2, 3)


def test_the_command(tmp_path: Path) -> None:
    example, out = EXAMPLES / "lenet.net", tmp_path / "a.py"
    result = CliRunner().invoke(main, ["compile", str(example), "-o", str(out), "--init", "vgg"])
    assert result.exit_code == 0
    assert "nn.init.kaiming_normal_(" in out.read_text()
    result = CliRunner().invoke(main, ["compile", str(example), "--init", "he"])
    assert (result.exit_code, "`he` is none of pytorch, kaiming_normal" in result.output) == (
        2,
        True,
    )
    with pytest.raises(ValueError, match="no initialisation is called 'he'"):
        netdsl.load(example).torch(init="he")
    onnx = tmp_path / "a.onnx"
    result = CliRunner().invoke(main, ["export", str(example), "-o", str(onnx), "--init", "zeros"])
    assert result.exit_code == 0
    import onnx as library

    made = {t.name: library.numpy_helper.to_array(t) for t in library.load(onnx).graph.initializer}
    assert not made["fc1.weight"].any()
