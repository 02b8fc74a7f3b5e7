"""Networks made by calls in Python: what a file gets, beside files and beside PyTorch itself."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import netdsl
from netdsl import DiagnosticError, GraphBuilder, Network
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
    conditions = [(r.condition, r.code, r.training_only) for r in read.graph.requirements]
    again = [(r.condition, r.code, r.training_only) for r in made.graph.requirements]
    assert again == [c for c, r in zip(conditions, read.graph.requirements, strict=True) if r.node]


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


# --- mistakes ------------------------------------------------------------------------------


def refused(call: Callable[[], object]) -> netdsl.Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        call()
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


MISTAKES: dict[str, Callable[[GraphBuilder, Value], object]] = {
    "x -> convv(4, 3)": lambda net, x: net.layer("convv", x, 4, 3),
    "x -> Conv2d(3, 4, 3)": lambda net, x: net.layer("Conv2d", x, 3, 4, 3),
    "x -> conv(4)": lambda net, x: net.layer("conv", x, 4),
    "x -> conv(4, 3, 1, 1, 1, 1, true, zeros, 1)": lambda net, x: net.layer(
        "conv", x, 4, 3, 1, 1, 1, 1, True, "zeros", 1
    ),
    "x -> conv(4, 3, strid=2)": lambda net, x: net.layer("conv", x, 4, 3, strid=2),
    "x -> conv(4, 3, channels=4)": lambda net, x: net.layer("conv", x, 4, 3, channels=4),
    "x -> conv(0.5, 3)": lambda net, x: net.layer("conv", x, 0.5, 3),
    "x -> conv(4, 3, groups=2)": lambda net, x: net.layer("conv", x, 4, 3, groups=2),
    "x -> pad(1, mode=mirror)": lambda net, x: net.layer("pad", x, 1, mode="mirror"),
    "(x, x) -> conv(4, 3)": lambda net, x: net.layer("conv", x, x, 4, 3),
    "x -> embedding(10, 4)": lambda net, x: net.layer("embedding", x, 10, 4),
    "x -> adaptive_avgpool(x)": lambda net, x: net.layer("adaptive_avgpool", x, size=x),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_as_those_of_a_file(text: str) -> None:
    net, x = small()
    with pytest.raises(DiagnosticError) as caught:
        netdsl.loads(f"net Small {{ input x: [3, H, W]\n output y = {text} }}")
    in_file = [d for d in caught.value.diagnostics if d.is_error]
    with pytest.raises(DiagnosticError) as caught:
        MISTAKES[text](net, x)
    by_hand = caught.value.diagnostics
    told = [(d.code, d.message, d.help, d.notes) for d in by_hand]
    assert told == [(d.code, d.message, d.help, d.notes) for d in in_file]
    for diagnostic in by_hand:
        assert diagnostic.fix is None  # which would put the language into a Python file
        assert diagnostic.span is not None
        assert diagnostic.span.source.name == __file__
        assert "net.layer(" in diagnostic.span.source.line(diagnostic.span.line)


def test_the_place_is_that_of_the_call() -> None:
    net, x = small()
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    found = refused(lambda: net.layer("conv", net.layer("relu", x), 4, 3, groups=3))
    assert found.span is not None
    assert (found.span.line, found.span.source.name) == (line, __file__)
    assert found.span.text == 'net.layer("conv", net.layer("relu", x), 4, 3, groups=3)'


def test_where_the_text_of_a_call_is_not_at_hand_its_line_is_named() -> None:
    text = "\n\nnet.layer('conv', x,\n 4, 3, groups=3)"
    net, x = small()
    found = refused(lambda: exec(compile(text, "<typed>", "exec"), {"net": net, "x": x}))
    assert str(found.span).startswith("<typed>:3:")


def test_a_requirement_and_its_place_are_kept() -> None:
    net = GraphBuilder("Small")
    x = net.input("x", [3, 8, "W"], where="W <= 4")
    y = net.layer("conv", x, 4, 5)
    net.output("y", y)
    found = refused(net.build)
    with pytest.raises(DiagnosticError) as caught:
        netdsl.loads(
            "net A { input x: [3, 8, W] where W <= 4\n output y = x -> conv(4, 5) }", name="b"
        )
    (in_file,) = caught.value.diagnostics
    assert (found.code, found.message) == (in_file.code, in_file.message)
    assert 'net.layer("conv", x, 4, 5)' in str(
        [found.span and found.span.text, *[d.span.text for d in found.secondary]]
    )


def test_nothing_is_added_by_a_call_that_fails() -> None:
    def made(tries: bool) -> Network:
        net = GraphBuilder("Net", uses=["std.resnet"])
        x = net.input("image", [8, "H", "H"])
        if tries:
            refused(lambda: net.input("image", [3]))
            refused(lambda: net.input("other", ["Q", 5], where="Q < 0"))
            refused(lambda: net.input("other", ["Q", 0]))
            refused(lambda: net.layer("conv", x, 4, 3, groups=3))
            with pytest.raises(DiagnosticError, match="stride"):
                net.layer("BasicBlock", x, 8, stride=0, label="a")
            refused(lambda: net.weight("w", [0]))
            refused(lambda: net.layer("conv", x, 4, 3, label="a..b"))
            refused(lambda: net.output("if", x))
        with net.scope("a"):
            x = net.layer("conv", x, 8, 3)
            if tries:
                refused(lambda: net.layer("linear", x, -1))
        y = net.layer("BasicBlock", x, 8, label="b")
        net.output("y", y)
        if tries:
            refused(lambda: net.output("y", y))
        return net.build()

    assert graph_text(made(tries=True).graph) == graph_text(made(tries=False).graph)


def test_names_are_those_of_the_language() -> None:
    net, x = small()
    for name in ("if", "in", "layer", "a b", "2x", "", "x.y", "a() = 1\nfn b", "é"):
        assert (
            refused(lambda name=name: net.input(name, [3])).message == f"`{name}` can't be a name"
        )
        assert refused(lambda name=name: net.output(name, x)).message == f"`{name}` can't be a name"
        assert refused(lambda name=name: GraphBuilder(name)).message == f"`{name}` can't be a name"


def test_two_layers_of_one_path() -> None:
    net, x = small()
    for _ in range(2):
        x = net.layer("conv", x, 4, 3, label="same")
    net.output("y", x)
    assert refused(net.build).code == "path-taken"


def test_two_scopes_of_one_path() -> None:
    net, x = small()
    for _ in range(2):
        with net.scope("a"):
            x = net.layer("conv", x, 4, 3, label="same")
    net.output("y", x)
    found = refused(net.build)
    assert found.code == "path-taken"
    assert "turn" not in found.message


def test_a_network_has_ends_and_no_idle_layer() -> None:
    assert refused(GraphBuilder("Empty").build).code == "no-input"
    net, x = small()
    assert refused(net.build).code == "no-output"
    idle = net.layer("relu", x)
    net.output("y", net.layer("tanh", x))
    found = refused(net.build)
    assert (found.code, found.span and found.span.text) == ("unused-result", 'net.layer("relu", x)')
    net.output("z", idle)
    assert paths(net.build()) == ["relu1", "tanh1"]


def test_a_result_that_one_turn_leaves_is_found() -> None:
    net, x = small()
    for turn in range(3):
        y = net.layer("relu", x)
        x = y if turn else net.layer("tanh", x)
    net.output("y", x)
    assert refused(net.build).code == "unused-result"


def test_names_that_no_module_can_have_are_found_in_scopes() -> None:
    net, x = small()
    with net.scope("a"):
        net.output("y", net.layer("conv", x, 4, 3, label="forward"))
    for _ in range(2):  # it stays wrong
        assert refused(net.build).code == "name-taken"
    assert refused(lambda: net.scope(block="My Block")).code == "syntax-error"


def test_a_network_is_built_outside_of_its_scopes() -> None:
    net, x = small()
    with net.scope("a"):
        net.output("y", net.layer("conv", x, 4, 3, label="last"))
        with pytest.raises(ValueError, match="outside of its scopes"):
            net.build()
    assert paths(net.build()) == ["a.last"]


def test_a_scope_that_is_left_by_an_error_is_left() -> None:
    net, x = small()
    with suppress(DiagnosticError), net.scope("a"):
        x = net.layer("relu", x)
        net.layer("conv", x)
        x = net.layer("never", x)
    net.output("y", net.layer("tanh", x))
    assert paths(net.build()) == ["a.0", "tanh1"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 2**70, (1, 2**70)])
def test_numbers_are_those_that_a_file_can_say(number: object) -> None:
    net, x = small()
    assert refused(lambda: net.layer("leaky_relu", x, number)).code in ("too-large", "bad-argument")
    assert refused(lambda: net.shared("leaky_relu", number, label="a")).code == "too-large"
    if isinstance(number, float):
        assert refused(lambda: net.weight("w", [3], fill=number)).code == "too-large"


def test_objects_take_as_many_values_as_their_layer() -> None:
    net, x = small()
    relu = registry()["relu"]()
    assert refused(lambda: net.layer(relu, x, x)).code == "wrong-inputs"
    assert refused(lambda: net.layer(relu)).code == "wrong-inputs"


def test_texts_of_python_are_texts_in_the_source() -> None:
    torch = pytest.importorskip("torch")
    doc = 'Quotes """ and \\ and \n{braces}'
    net = GraphBuilder("Odd", doc)
    x = net.input("x", [3, 8, 8])
    with net.scope('la"bel', block="Unit", doc=doc, text='"""\\'):
        x = net.layer("conv", x, 4, 3, label="con v")
    net.output("y", x)
    network = net.build()
    assert list(network.torch(seed=0).state_dict()) == ['la"bel.con v.weight', 'la"bel.con v.bias']
    assert network.torch(seed=0)(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 6, 6)


def test_values_of_another_network_are_refused() -> None:
    net, x = small()
    _, other = small()
    assert refused(lambda: net.layer("relu", other)).code == "not-a-value"
    assert refused(lambda: net.layer("upsample", x, size=other)).code == "not-a-value"
    assert refused(lambda: net.output("y", other)).code == "not-a-value"


def test_what_is_built_stays_as_it_is() -> None:
    net, x = small()
    net.output("y", net.layer("relu", x))
    net.build()
    for call in (lambda: net.layer("relu", x), lambda: net.input("z", [3]), net.build):
        with pytest.raises(ValueError, match="built already"):
            call()


def test_warnings_are_given_and_can_be_silenced() -> None:
    def made(*allow: str) -> Network:
        net = GraphBuilder("Warned")
        x = net.input("x", [3, 8, 8])
        x = net.layer("batchnorm", net.layer("conv", x, 4, 3))
        net.output("y", x)
        return net.build(allow=allow)

    (warning,) = made().warnings
    assert (warning.code, warning.fix) == ("bias-before-norm", None)
    assert made("bias-before-norm").warnings == ()


def test_its_onnx_file_does_not_quote_the_python_file() -> None:
    pytest.importorskip("onnx")
    net, x = small()
    net.output("y", net.layer("relu", x))
    held = {entry.key: entry.value for entry in net.build().onnx().metadata_props}
    assert held["netdsl.source"].strip() == 'GraphBuilder("Small")'


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
    assert {path for path, names in made.items() if names} == {"ir/builder.py"}
    assert set(made["ir/builder.py"]) == PARTS


def test_a_planted_second_way_is_found() -> None:
    text = "from netdsl.ir.graph import Node as Other, Scope\ndef f() -> Scope:\n    Other()"
    assert makers(text) == ["Other"]
