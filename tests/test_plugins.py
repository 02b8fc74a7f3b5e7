"""Layers of one's own: the worked example has all that built-in ones have; mistakes are named."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl import ops
from netdsl.analyses.links import field, shape_of
from netdsl.cli import main
from netdsl.ir.dim import evaluate
from netdsl.ops import Rules, registry
from netdsl.ops.plugins import layers_of, plugged
from netdsl.reference import pages
from tests.plugin_twice import HEAD, NET_OF_TWICE, twice

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "plugins"
PLUGIN = FOLDER / "stochastic_pool.py"
NET = FOLDER / "stochastic_cifar.net"
SMALL = "net A { input x: [2, H, W]\n output y = x -> stochastic_pool(3, stride=2) }"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def plugin(tmp_path: Path):
    """Writes a plug-in: its lines after the imports."""

    def write(body: str, name: str = "mine.py") -> str:
        path = tmp_path / name
        path.write_text(HEAD + body)
        return str(path)

    return write


# --- the worked example --------------------------------------------------------------------


def test_rows_and_shapes_against_torch() -> None:
    torch = pytest.importorskip("torch")
    with plugged([PLUGIN]):
        (page,) = [page for page in pages().values() if page.name == "stochastic_pool"]
        networks = [(example, example.network()) for example in page.examples]
    for example, network in networks:
        assert ", ".join(str(o.value.type) for o in network.outputs) == example.outputs
        at = dict.fromkeys(network.sizes.symbols, 9)
        (item,), (output,) = network.inputs, network.outputs
        x = torch.rand(2, *(evaluate(n, at) for n in item.shape))
        for training in True, False:
            found = network.torch().train(training)(x)
            assert tuple(found.shape[1:]) == tuple(evaluate(n, at) for n in output.shape)


def test_inference_is_the_mean_by_share() -> None:
    torch = pytest.importorskip("torch")
    module = netdsl.loads(SMALL, plugins=[PLUGIN]).torch().eval()
    x = torch.rand(1, 2, 7, 9)
    window = x[0, 1, 2:5, 4:7]
    expected = (window * window / window.sum()).sum()
    assert torch.allclose(module(x)[0, 1, 1, 2], expected)
    assert module(torch.zeros(1, 2, 7, 9)).abs().max() == 0


def test_training_draws_cells_by_their_share() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = netdsl.loads(SMALL, plugins=[PLUGIN]).torch().train()
    x = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 4.0], [0.0, -5.0, 0.0]]).expand(1, 2, 3, 3)
    drawn = torch.stack([module(x)[0, 0, 0, 0] for _ in range(4000)])
    for value in range(5):
        assert abs(float((drawn == value).float().mean()) - value / 10) < 0.03
    image = torch.ones(1, 2, 3, 3, requires_grad=True)
    module(image).sum().backward()
    assert image.grad is not None
    assert image.grad.sum() == 2
    assert module(torch.zeros(1, 2, 3, 3)).abs().max() == 0


def test_the_example_is_checked_and_exported(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    option = ["--plugin", str(PLUGIN)]
    assert run("check", str(NET), *option).output == "1 file checked, nothing found\n"
    out = str(tmp_path / "net.onnx")
    assert run("export", str(NET), "-o", out, "--verify", *option).exit_code == 0
    network = netdsl.load(NET, plugins=[PLUGIN])
    assert network.summary().parameters == 215_562
    data = json.loads(run("summary", str(NET), "--format", "json", *option).output)
    row = next(r for r in data["layers"] if r["path"] == "stochastic_pool1")
    assert (row["connections"], row["receptive_field"]["image"][0]["size"]) == (64 * 15 * 15 * 9, 7)


def test_every_size_of_a_contract(tmp_path: Path) -> None:
    """The sizes that are taken are those at which torch runs; ONNX is right at some of them."""
    torch = pytest.importorskip("torch")
    network = netdsl.loads(SMALL, plugins=[PLUGIN])
    assert str(network.sizes) == "any H >= 3, any W >= 3"
    module = network.torch().eval()
    for height in range(1, 8):
        if network.sizes.accepts(H=height, W=5):
            assert module(torch.rand(1, 2, height, 5)).shape[2] == (height - 1) // 2
        else:
            with pytest.raises(RuntimeError):
                module(torch.rand(1, 2, height, 5))
    path = tmp_path / "a.net"
    path.write_text(SMALL)
    option = ["--plugin", str(PLUGIN), "-o", str(tmp_path / "a.onnx"), "--verify"]
    assert run("export", str(path), *option).exit_code == 0


def test_the_source_needs_torch_only_and_is_clean(tmp_path: Path) -> None:
    text = netdsl.load(NET, plugins=[PLUGIN]).torch_source()
    assert "import netdsl" not in text
    (tmp_path / "net.py").write_text(text)
    for command in (["format", "--check"], ["check"]):
        words = [sys.executable, "-m", "ruff", *command, "--isolated", str(tmp_path / "net.py")]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_the_page_shows_the_files_as_they_are() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text()
    for file in FOLDER.iterdir():
        if file.suffix in (".py", ".net"):
            assert f"\n{file.read_text()}```\n" in page, file.name


REMAINDER = FOLDER / "remainder.py"


@pytest.mark.parametrize("sizes", [(1, 1), (5, 7)])
def test_a_layer_of_two_inputs(sizes: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    onnxruntime = pytest.importorskip("onnxruntime")
    text = (
        "net A {\n input x: [3, H, W]\n input y: [3, H, W]\n"
        " output z = remainder { x -> conv: conv(3, 1) ; y -> exp }\n}"
    )
    network = netdsl.loads(text, plugins=[str(REMAINDER)])
    assert str(network.sizes) == "any H, any W"
    module = network.torch(seed=0).eval()
    x, y = torch.randn(2, 2, 3, *sizes)
    with torch.no_grad():
        wanted = torch.fmod(module.conv(x), y.exp())
        assert torch.equal(module(x, y), wanted)
    session = onnxruntime.InferenceSession(network.onnx(module).SerializeToString())
    (ours,) = session.run(None, {"x": x.numpy(), "y": y.numpy()})
    torch.testing.assert_close(torch.from_numpy(ours), wanted)
    row = next(row for row in network.summary().rows if row.path == "remainder1")
    assert str(row.connections) == "6*H*W"  # both values of each place


@pytest.mark.parametrize(
    ("chain", "code"),
    [
        ("x -> remainder", "wrong-inputs"),
        ("(x, y, x) -> remainder", "wrong-inputs"),
        ("(x, y -> global_avgpool) -> remainder", "wrong-rank"),
        ("(x, y -> maxpool(2)) -> remainder", "shape-mismatch"),
        ("(x, y -> greater(0)) -> remainder", "wrong-dtype"),
    ],
)
def test_what_a_layer_of_two_inputs_refuses(chain: str, code: str) -> None:
    text = f"net A {{\n input x: [3, 8, 8]\n input y: [3, 8, 8]\n output z = {chain}\n}}"
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(text, plugins=[str(REMAINDER)])
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_its_examples_hold() -> None:
    with plugged([str(REMAINDER)]):
        networks = [example.network() for example in pages()["remainder"].examples]
    assert [str(network.outputs[0].value.type) for network in networks] == ["[8, 6, 6]", "[T]"]


def test_the_public_names_are_there_and_documented() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text()
    for name in ops.__all__:
        assert getattr(ops, name, None) is not None
        assert f"`{name}`" in page, name


# --- how plug-ins are given ----------------------------------------------------------------


def test_a_plug_in_is_in_force_where_it_is_given_alone() -> None:
    before = set(registry())
    assert netdsl.loads(SMALL, plugins=[str(PLUGIN)]).name == "A"
    assert set(registry()) == before
    with pytest.raises(netdsl.DiagnosticError, match="stochastic_pool"):
        netdsl.loads(SMALL)


def test_modules_their_names_and_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    import stochastic_pool  # type: ignore[import-not-found]

    for given in "stochastic_pool", stochastic_pool, stochastic_pool.StochasticPool, PLUGIN:
        assert netdsl.loads(SMALL, plugins=[given]).name == "A"
    (op,) = layers_of(PLUGIN)
    assert op is layers_of(str(PLUGIN))[0]


def test_a_layer_is_used_like_any_other(plugin) -> None:
    path = plugin(twice())
    text = """
    block B(act: layer = relu) { add { identity ; act } }
    net A { input x: [3, 8, 8]
 output y = x -> B(twice) -> t: twice -> repeat 2 { twice } }
    """
    torch = pytest.importorskip("torch")
    network = netdsl.loads(text, plugins=[path])
    assert [n.path for n in network.graph.nodes()][-3:] == ["t", "twice1", "twice2"]
    x = torch.rand(1, 3, 8, 8)
    assert torch.allclose(network.torch()(x), 24 * x)
    with pytest.raises(netdsl.DiagnosticError) as error:
        netdsl.loads(NET_OF_TWICE.replace("twice", "twise"), plugins=[path])
    assert "did you mean `twice`?" in str(error.value.diagnostics[0].help)


def test_a_block_of_a_file_wins(plugin) -> None:
    text = "block twice { relu }\n" + NET_OF_TWICE
    network = netdsl.loads(text, plugins=[plugin(twice())])
    assert [w.code for w in network.warnings] == ["hides-layer"]
    assert [n.op.name for n in network.graph.nodes()] == ["relu"]


def test_nothing_in_a_file_loads_one(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit(7)\n")
    for use in 'use "./evil.py"', "use evil", "use std.evil":
        path = tmp_path / "a.net"
        path.write_text(f"{use}\nnet A {{ input x: [3]\n output y = x -> evil }}\n")
        result = run("check", str(path))
        assert result.exit_code == 1
        assert "error[" in result.output


def test_layers_shows_it() -> None:
    result = run("layers", "stochastic_pool", "--plugin", str(PLUGIN))
    assert result.exit_code == 0
    assert result.output.startswith("stochastic_pool(kernel, stride=kernel)\n")
    assert "\n  stochastic_pool " in run("layers", "--plugin", str(PLUGIN)).output
    assert run("layers", "stochastic_pool").exit_code == 2


# --- mistakes ------------------------------------------------------------------------------

FIELD = "    times: int = 2\n"
WRONG = {
    "is a built-in layer": twice("conv"),
    "can't be a name: small letters": twice("Twice"),
    "no word of the language": twice("repeat"),
    "defines no layer": "x = 1\n",
    "SyntaxError": "class (\n",
    "ZeroDivisionError: division by zero": "1 / 0\n",
    "line 4": "1 / 0\n",
    "No module named 'nowhere'": "import nowhere\n",
    "SystemExit": "raise SystemExit(3)\n",
    "a layer has a docstring": twice(doc="pass"),
    "has a method `infer`": twice().replace("def infer", "def inferr"),
    "has a method `torch`": twice().replace("def torch", "def to_torch"),
    "a layer has a `family`": twice().replace("'mine'", "''"),
    "write `@dataclass(frozen=True)`": twice(fields=FIELD),
    "made by `param(kind, doc, default)`": "@dataclass(frozen=True)\n" + twice(fields=FIELD),
    "gives a tuple of tensors, not [": twice(infer="return list(inputs)"),
    "gives a tuple of tensors, not None": twice(infer="pass"),
    "a plug-in fails: AttributeError: 'Tensor' object has no attribute 'oops'": twice(
        infer="return inputs[0].oops"
    ),
}


@pytest.mark.parametrize("said", WRONG)
def test_wrong_plug_ins(said: str, plugin, tmp_path: Path) -> None:
    net = tmp_path / "a.net"
    net.write_text(NET_OF_TWICE)
    path = plugin(WRONG[said])
    result = run("check", str(net), "--plugin", path)
    assert result.exit_code == 2
    assert said in result.output
    assert "mine.py" in result.output
    assert "Traceback" not in result.output
    assert "mistake in netdsl" not in result.output


def test_errors_of_every_method_are_the_plug_ins(plugin, tmp_path: Path) -> None:
    net = tmp_path / "a.net"
    net.write_text(NET_OF_TWICE)
    for method, command in (
        ("weights(self, inputs)", "check"),
        ("macs(self, inputs, outputs)", "summary"),
        ("connections(self, inputs, outputs)", "summary"),
        ("windows(self, inputs, outputs)", "summary"),
        ("torch(self, inputs, outputs)", "compile"),
        ("onnx(self, to)", "export"),
    ):
        body = twice().replace("def torch(self, inputs, outputs)", "def other(self)")
        body += f"    def {method}:\n        return {{}}['nothing']\n"
        body += "" if "torch(" in method else twice()[twice().index("    def torch") :]
        words = ["-o", str(tmp_path / "a.onnx")] if command == "export" else []
        result = run(command, str(net), "--plugin", plugin(body), *words)
        assert result.exit_code == 2, (method, result.output)
        assert "a plug-in fails: KeyError: 'nothing'" in result.output, method
        assert f"in {method.split('(')[0]})" in result.output


def test_two_plug_ins_of_one_name(plugin, tmp_path: Path) -> None:
    one, two = plugin(twice(), "one.py"), plugin(twice(), "two.py")
    with pytest.raises(netdsl.PluginError, match=r"from two plug-ins: .*one\.py.*two\.py"):
        netdsl.loads(NET_OF_TWICE, plugins=[one, two])
    assert netdsl.loads(NET_OF_TWICE, plugins=[one, one]).name == "A"


def test_a_plug_in_that_is_not_there() -> None:
    for name in "nowhere.py", "./no/where", "no_such_module_at_all":
        result = run("check", str(NET), "--plugin", name)
        assert result.exit_code == 2
        assert f"can't load plug-in {name}: " in result.output
    with pytest.raises(netdsl.PluginError):
        netdsl.loads(SMALL, plugins=[int])  # type: ignore[list-item]


def test_a_changed_file_is_read_again(plugin) -> None:
    path = plugin(twice())
    assert netdsl.loads(NET_OF_TWICE, plugins=[path]).name == "A"
    plugin(twice("thrice"))
    os.utime(path, ns=(1, 1))
    assert netdsl.loads(NET_OF_TWICE.replace("twice", "thrice"), plugins=[path]).name == "A"


def test_an_example_row_that_is_wrong_is_shown_to_be(plugin) -> None:
    path = plugin(twice(doc='"""2 * x.\n\n    twice: [3] -> [4]\n    """'))
    with plugged([path]):
        (example,) = pages()["twice"].examples
        assert [str(o.value.type) for o in example.network().outputs] == ["[3]"]
    assert example.outputs == "[4]"


HELPED = "TorchModule('Help', helper=__file__.replace('mine.py', 'help.py'))"
RIGHT = "from torch import Tensor, nn\nclass Help(nn.Module):\n    def forward(self, x: Tensor) -> Tensor:\n        return x + x\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RIGHT, ""),
        ("import math\n" + RIGHT, "has `import math` in line 1"),
        ("FACTOR = 2\n" + RIGHT, "has `FACTOR = 2` in line 1"),
        (RIGHT.replace("Help", "Helper"), "has no class `Help`"),
        ("class (\n", "is wrong in line 1"),
        (None, "can't read the helper"),
    ],
)
def test_helpers(plugin, tmp_path: Path, text: str | None, said: str) -> None:
    path = plugin(twice(torch=HELPED))
    if text is not None:
        (tmp_path / "help.py").write_text(text)
    network = netdsl.loads(NET_OF_TWICE, plugins=[path])
    if said:
        with pytest.raises(netdsl.PluginError, match=re.escape(said)):
            network.torch_source()
        return
    assert "class Help(nn.Module):" in network.torch_source()


def test_a_net_called_as_the_helper(plugin, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    (tmp_path / "help.py").write_text(RIGHT)
    path = plugin(twice(torch=HELPED))
    network = netdsl.loads(NET_OF_TWICE.replace("net A", "net Help"), plugins=[path])
    assert torch.equal(network.torch()(torch.ones(1, 3, 8, 8)), 2 * torch.ones(1, 3, 8, 8))


def test_two_helpers_with_one_name(plugin, tmp_path: Path) -> None:
    (tmp_path / "help.py").write_text(RIGHT)
    (tmp_path / "other.py").write_text(RIGHT)
    two = twice("thrice", torch=HELPED.replace("help.py", "other.py")).replace("Twice", "Thrice")
    path = plugin(twice(torch=HELPED) + two)
    network = netdsl.loads(NET_OF_TWICE.replace("twice", "twice -> thrice"), plugins=[path])
    with pytest.raises(netdsl.PluginError, match="`Help` is defined in two helpers"):
        network.torch_source()


def test_a_plug_in_tells_its_links() -> None:
    """A neuron behind the example's layer depends on its window alone."""
    graph = netdsl.loads(SMALL, sizes={"H": 9, "W": 8}, plugins=[str(PLUGIN)]).graph
    node = next(node for node in graph.nodes() if node.op.name == "stochastic_pool")
    shape = shape_of(node.output)
    (kernel, _), (stride, _) = node.op._parts(Rules())
    found = field(graph, node.output, tuple(n - 1 for n in shape))
    rows = found[node.inputs[0]][0][1]
    start = (shape[1] - 1) * stride
    assert rows == frozenset(range(start, start + kernel))
