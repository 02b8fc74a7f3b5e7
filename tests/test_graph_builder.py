"""Networks made by calls in Python: what a file gets, beside files and beside PyTorch itself."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

import netdsl
from netdsl import GraphBuilder, Network
from netdsl.ir.graph import Kind, Node, Scope, Value
from netdsl.ir.printer import graph_text
from netdsl.ir.verify import verify
from netdsl.ops import registry
from netdsl.ops.rule import by_rule

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.net"))

RESNET = """
net Stem(classes: int = 5) {
    input image: [3, H, W] where H >= 32, W >= 32
    x = image -> conv1: conv(8, 7, stride=2, padding=3, bias=false) -> bn1: batchnorm -> relu
        -> maxpool(3, stride=2, padding=1)
    a = x -> conv2: conv(16, 3, stride=2, padding=1, bias=false) -> bn2: batchnorm -> relu
        -> conv3: conv(16, 3, padding=1, bias=false) -> bn3: batchnorm
    b = x -> downsample: { conv(16, 1, stride=2, bias=false) -> batchnorm }
    y = (a, b) -> add -> relu
    output logits = y -> adaptive_avgpool(1) -> flatten -> fc: linear(classes)
}
"""


def resnet() -> Network:
    """The same by hand."""
    net = GraphBuilder("Stem")
    x = net.input("image", [3, "H", "W"], where=["H >= 32", "W >= 32"])
    x = net.layer("conv", x, 8, 7, stride=2, padding=3, bias=False, label="conv1")
    x = net.layer("relu", net.layer("batchnorm", x, label="bn1"))
    x = net.layer("maxpool", x, 3, stride=2, padding=1)
    a = net.layer("conv", x, 16, 3, stride=2, padding=1, bias=False, label="conv2")
    a = net.layer("relu", net.layer("batchnorm", a, label="bn2"))
    a = net.layer("conv", a, 16, kernel=3, padding=1, bias=False, label="conv3")
    a = net.layer("batchnorm", a, label="bn3")
    with net.scope("downsample"):
        b = net.layer("conv", x, 16, 1, stride=2, bias=False)
        b = net.layer("batchnorm", b)
    y = net.layer("relu", net.layer("add", a, b))
    y = net.layer("flatten", net.layer("adaptive_avgpool", y, 1))
    net.output("logits", net.layer("linear", y, 5, label="fc"))
    return net.build()


SPP = """
net Pyramid {
    input image: [3, H, W]
    map = image -> conv1: conv(6, 5, stride=2) -> relu
    small = map -> adaptive_maxpool(1) -> flatten
    middle = map -> adaptive_maxpool(2) -> flatten
    large = map -> adaptive_maxpool((3, 4)) -> flatten
    output logits = (large, middle, small) -> concat -> fc: linear(4)
    output aux = middle -> helper: linear(2) when training
}
"""


def pyramid() -> Network:
    net = GraphBuilder("Pyramid")
    image = net.input("image", [3, "H", "W"])
    seen = net.layer("relu", net.layer("conv", image, 6, 5, stride=2, label="conv1"))
    small, middle, large = (
        net.layer("flatten", net.layer("adaptive_maxpool", seen, bins)) for bins in (1, 2, (3, 4))
    )
    net.output(
        "logits", net.layer("linear", net.layer("concat", large, middle, small), 4, label="fc")
    )
    net.output("aux", net.layer("linear", middle, 2, label="helper"), when_training=True)
    return net.build()


@pytest.mark.parametrize(("by_hand", "text"), [(resnet, RESNET), (pyramid, SPP)])
def test_a_network_by_hand_is_that_of_the_file(by_hand: Callable[[], Network], text: str) -> None:
    made, read = by_hand(), netdsl.loads(text)
    assert graph_text(made.graph) == graph_text(read.graph)
    assert str(made.sizes) == str(read.sizes)
    assert str(made.summary()) == str(read.summary())
    assert str(made.summary(depth=1)) == str(read.summary(depth=1))
    for level in ("blocks", "layers", "volumes"):
        assert made.drawing(level=level)[1] == read.drawing(level=level)[1]
    verify(made.graph, by_rule)


def test_a_residual_block_by_hand_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    nn, F = torch.nn, torch.nn.functional

    class Stem(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(8)
            self.conv2 = nn.Conv2d(8, 16, 3, 2, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(16)
            self.conv3 = nn.Conv2d(16, 16, 3, 1, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(16)
            self.downsample = nn.Sequential(nn.Conv2d(8, 16, 1, 2, bias=False), nn.BatchNorm2d(16))
            self.fc = nn.Linear(16, 5)

        def forward(self, image):
            x = F.max_pool2d(F.relu(self.bn1(self.conv1(image))), 3, 2, 1)
            y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(x)))))
            y = F.relu(y + self.downsample(x))
            return self.fc(y.mean((2, 3)))

    torch.manual_seed(0)
    theirs, ours = Stem(), resnet().torch(seed=1)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for training in (True, False):
        theirs.train(training)
        ours.train(training)
        for size in ((32, 32), (47, 61)):
            image = torch.randn(2, 3, *size)
            torch.testing.assert_close(ours(image), theirs(image), rtol=1e-4, atol=1e-5)


def test_a_pyramid_by_hand_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    network = pyramid()
    module = network.torch(seed=3).eval()
    w = module.state_dict()
    for size in ((9, 11), (30, 17), (64, 64)):
        image = torch.randn(2, 3, *size)
        assert network.sizes.accepts(H=size[0], W=size[1])
        seen = F.relu(F.conv2d(image, w["conv1.weight"], w["conv1.bias"], 2))
        bins = [F.adaptive_max_pool2d(seen, n).flatten(1) for n in ((3, 4), 2, 1)]
        logits = F.linear(torch.cat(bins, 1), w["fc.weight"], w["fc.bias"])
        found = module(image)
        torch.testing.assert_close(found if torch.is_tensor(found) else found[0], logits)


def test_its_onnx_file_runs_as_pytorch_does() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    network = resnet()
    module = network.torch(seed=0).eval()
    session = runtime.InferenceSession(network.onnx(module).SerializeToString())
    for size in ((32, 40), (65, 33)):
        image = torch.randn(3, 3, *size)
        (found,) = session.run(None, {"image": image.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), module(image), rtol=1e-4, atol=1e-5)


def rebuilt(read: Network) -> Network:
    """All layers of a network again, by hand, in scopes of the same labels."""
    graph = read.graph
    net = GraphBuilder(graph.name, graph.doc)
    meant: dict[Value, Value] = {}
    where = graph.where_span.text.split(", ") if graph.where_span else []
    where += [str(r.condition) for r in graph.requirements if "/" in r.span.text and not r.node]
    for item in graph.inputs:
        is_last = item is graph.inputs[-1]
        value = net.input(
            item.name,
            [n if isinstance(n, int) else str(n) for n in item.shape],
            item.dtype,
            where=where if is_last else (),
        )
        meant[item.value] = value

    def run(children: list[Node | Scope]) -> None:
        for child in children:
            if isinstance(child, Node):
                inputs = [meant[value] for value in child.inputs]
                results = net.layer(child.op, *inputs, label=child.label)
                results = results if isinstance(results, tuple) else (results,)
                meant.update(zip(child.outputs, results, strict=True))
            elif child.label or child.kind is Kind.BLOCK:
                with net.scope(child.label, block=child.definition):
                    run(child.children)
            else:
                run(child.children)

    run(graph.root.children)
    for output in graph.outputs:
        net.output(output.name, meant[output.value], when_training=output.when_training)
    return net.build()


def layers_of(network: Network) -> list[tuple[object, ...]]:
    """Each layer with its op, what it takes from where, and what it gives."""
    made = {value: number for number, value in enumerate(values_of(network))}
    return [
        (node.op, [made[v] for v in node.inputs], [v.type for v in node.outputs])
        for node in network.graph.nodes()
    ]


def values_of(network: Network) -> list[Value]:
    inputs = [item.value for item in network.graph.inputs]
    return inputs + [value for node in network.graph.nodes() for value in node.outputs]


CLAIMS = ("claimed", "promised")
"""How messages about shapes begin that a file states: no layer asks for them."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_can_be_made_again_by_hand(path: Path) -> None:
    read = netdsl.load(path)
    if any(len(layer.calls) > 1 for layer in read.graph.layers()):
        return  # a shared layer is not one op after the other
    made = rebuilt(read)
    assert layers_of(made) == layers_of(read)
    assert made.parameters == read.parameters
    assert str(made.sizes) == str(read.sizes)
    assert made.summary().totals() == read.summary().totals()
    stated = [r for r in read.graph.requirements if r.node and not r.message.startswith(CLAIMS)]
    conditions = [(r.condition, r.code, r.training_only) for r in stated]
    again = [(r.condition, r.code, r.training_only) for r in made.graph.requirements]
    assert again == conditions


@pytest.mark.parametrize("name", ["lenet", "unet", "squeezenet1_1"])
def test_what_is_made_again_runs_as_before(name: str) -> None:
    torch = pytest.importorskip("torch")
    read = netdsl.load(EXAMPLES[0].with_name(f"{name}.net"))
    theirs, ours = read.torch(seed=0).eval(), rebuilt(read).torch(seed=1).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    (item,) = read.inputs
    image = torch.randn(1, *(size if isinstance(size, int) else 64 for size in item.shape))
    torch.testing.assert_close(ours(image), theirs(image))


# --- names, scopes, sharing ----------------------------------------------------------------


def small() -> tuple[GraphBuilder, Value]:
    net = GraphBuilder("Small")
    return net, net.input("x", [3, "H", "W"])


def paths(network: Network) -> list[str]:
    return [node.path for node in network.graph.nodes()]


def test_paths_are_those_of_a_file() -> None:
    net, x = small()
    x = net.layer("conv", x, 4, 3, label="conv2")
    x = net.layer("conv", x, 4, 3)
    x = net.layer("conv", x, 4, 3)
    with net.scope("stage"):
        x = net.layer("conv", x, 4, 3)
        with net.scope(block="Unit"):
            x = net.layer("conv", x, 4, 3)
        with net.scope():
            x = net.layer("conv", x, 4, 3, label="last")
    with net.scope(block="Unit"):
        x = net.layer("conv", x, 4, 3)
    net.output("y", x)
    expected = ["conv2", "conv1", "conv3", "stage.0", "stage.1.conv1", "stage.last", "unit1.conv1"]
    assert paths(net.build()) == expected


def test_what_flows_in_and_out_of_scopes_is_found() -> None:
    net, x = small()
    with net.scope("both") as nothing:
        a = net.layer("conv", x, 4, 1)
        b = net.layer("relu", a)
        with net.scope("inner"):
            c = net.layer("tanh", b)
    y = net.layer("add", a, c)
    z = net.layer("concat", x, y)
    net.output("y", z)
    net.output("b", b)
    assert nothing is None
    both, inner = list(net.build().graph.root.scopes())[1:]
    assert (both.inputs, both.outputs) == ((x,), (a, b, c))
    assert (inner.inputs, inner.outputs) == ((b,), (c,))


def test_blocks_by_hand_share_a_class() -> None:
    torch = pytest.importorskip("torch")
    net, x = small()
    for width in (3, 3, 5):
        with net.scope(block="Unit", doc="One convolution beside the identity.", width=width):
            y = net.layer("relu", net.layer("conv", x, width, 3, padding=1))
            x = net.layer("add", x, y) if width == 3 else y
    net.output("y", x)
    network = net.build()
    source = network.torch_source()
    assert source.count("(nn.Module):") == 3  # Unit twice in one class, Unit of another skeleton
    assert "One convolution beside the identity." in source
    assert network.torch(seed=0)(torch.zeros(1, 3, 8, 9)).shape == (1, 5, 8, 9)
    assert [(row.path, row.layer) for row in network.summary(depth=1).rows] == [
        ("unit1", "Unit(width=3)"), ("unit2", "Unit(width=3)"), ("unit3", "Unit(width=5)"),
    ]  # fmt: skip


def test_blocks_of_the_library_are_layers() -> None:
    net = GraphBuilder("Net", uses=["std.resnet (BasicBlock)"])
    x = net.input("image", [16, 32, 32])
    net.output("y", net.layer("BasicBlock", x, 32, stride=2, label="layer2"))
    text = """use std.resnet (BasicBlock)
net Net { input image: [16, 32, 32]; output y = image -> layer2: BasicBlock(32, stride=2) }"""
    assert graph_text(net.build().graph) == graph_text(netdsl.loads(text).graph)


def test_a_shared_layer_has_one_set_of_weights() -> None:
    net, x = small()
    twin = net.shared("conv", 3, 3, label="twin", padding=1)
    once = net.layer(twin, x)
    net.output("y", net.layer("add", once, net.layer(twin, once)))
    network = net.build()
    assert network.parameters == 3 * 3 * 9 + 3
    assert [len(layer.calls) for layer in network.graph.layers()] == [2, 1]
    text = """net Small { input x: [3, H, W]
layer twin = conv(3, 3, padding=1)
once = x -> twin
output y = (once, once -> twin) -> add }"""
    assert graph_text(network.graph) == graph_text(netdsl.loads(text).graph)


def test_weights_several_results_and_sizes_of_values() -> None:
    net, x = small()
    height = x.type.shape[1]
    table = net.weight("table", [6, 1, 1], fill=0.5)
    y = net.layer("mul", net.layer("conv", x, 6, 3, padding=1), table)
    first, second = net.layer("split", y, 2)
    half = net.layer("pad", first, (0, height))
    net.output("y", net.layer("upsample", second, size=half))
    net.output("z", half)
    network = net.build()
    text = """net Small { input x: [3, H, W]
weight table: [6, 1, 1] = 0.5
(a, b) = (x -> conv(6, 3, padding=1), table) -> mul -> split(2)
half = a -> pad((0, x.height))
output y = b -> upsample(size=half)
output z = half }"""
    assert set(lines(network)) == set(lines(netdsl.loads(text)))


def lines(network: Network) -> list[str]:
    return graph_text(network.graph).splitlines()


def test_layers_may_be_classes_and_objects() -> None:
    conv = registry()["conv"]
    shown = []
    for layer, settings in (("conv", (4, 3)), (conv, (4, 3)), (conv(4, 3), ())):
        net, x = small()
        net.output("y", net.layer(layer, x, *settings))
        shown.append(graph_text(net.build().graph))
    assert len(set(shown)) == 1


def test_sizes_are_numbers_names_formulas_and_dims() -> None:
    net = GraphBuilder("Two")
    a = net.input("a", [3, "H", 8])
    net.input("unused", [1])
    b = net.input("b", [3, a.type.shape[1], "H // 2 + 7"], where="H % 2 == 0")
    net.output("y", net.layer("flatten", a))
    net.output("z", net.layer("flatten", b))
    network = net.build()
    assert [str(item.value.type) for item in network.inputs] == [
        "[3, H, 8]", "[1]", "[3, H, floor(H/2) + 7]",
    ]  # fmt: skip
    assert str(network.sizes) == str(
        netdsl.loads(
            "net A { input a: [3, H, 8]; input b: [3, H, H // 2 + 7] where H % 2 == 0\n"
            "output y = a -> flatten; output z = b -> flatten }"
        ).sizes
    )


# --- one way to make a graph ---------------------------------------------------------------

PARTS = frozenset(["Graph", "Layer", "Node", "Scope", "Value"])


def makers(text: str) -> list[str]:
    """The parts of graphs that a file makes itself."""
    tree = ast.parse(text)
    known = {
        alias.asname or alias.name
        for found in ast.walk(tree)
        if isinstance(found, ast.ImportFrom) and found.module == "netdsl.ir.graph"
        for alias in found.names
        if alias.name in PARTS
    }
    calls = (found.func for found in ast.walk(tree) if isinstance(found, ast.Call))
    return [func.id for func in calls if isinstance(func, ast.Name) and func.id in known]


def test_graphs_are_made_by_the_builder_alone() -> None:
    package = Path(netdsl.__file__).parent
    made = {p.relative_to(package).as_posix(): makers(p.read_text()) for p in package.rglob("*.py")}
    makers_of_parts = {path for path, names in made.items() if names}
    copying = {"passes/copied.py", "passes/exposed.py", "passes/part.py"}
    assert makers_of_parts == {"ir/builder.py", *copying}
    assert set(made["ir/builder.py"]) == PARTS


def test_a_planted_second_way_is_found() -> None:
    text = "from netdsl.ir.graph import Node as Other, Scope\ndef f() -> Scope:\n    Other()"
    assert makers(text) == ["Other"]
