"""Reports of networks and blocks against modules, hooks, autograd's graph and published counts."""

from __future__ import annotations

from typing import Any

import pytest

import netdsl
from netdsl.analyses.explain.contract import _needed
from netdsl.analyses.training import kept
from netdsl.ir.condition import holds
from netdsl.lints import WARNINGS
from tests import examples
from tests.legal_networks import legal_network

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from tests.explain.oracles import MULTIPLIES, TURNED, depth, saved  # noqa: E402

DEEP = ("alexnet", "densenet121", "googlenet", "mobilenet_v2", "resnet18", "resnet50",
        "squeezenet1_1", "unet16", "vgg16")  # fmt: skip


def at_small_size(name: str, size: int = 64) -> netdsl.Network:
    """An example at a small size that it takes."""
    network = examples.network(name)
    if not network.sizes.symbols:
        return network
    near = network.sizes.nearest(**dict.fromkeys(network.sizes.symbols, size)).closest
    return examples.held(name, near)


def inputs_of(network: netdsl.Network, batch: int = 1) -> list[Any]:
    return [torch.rand(batch, *item.shape) for item in network.inputs]


def run(network: netdsl.Network) -> tuple[int, int, int]:
    """Multiply-adds, and depth and number of the layers that ran, counted as PyTorch runs."""
    module = network.torch(seed=0).eval()
    counts: list[int] = []
    ran: set[nn.Module] = set()

    def count(layer: Any, args: Any, y: Any) -> None:
        ran.add(layer)
        if isinstance(layer, nn.Linear):
            counts.append(args[0].numel() * layer.out_features)
        else:
            turned = args[0] if isinstance(layer, TURNED) else y
            counts.append(turned.numel() * layer.weight[0].numel())

    for part in module.modules():
        if isinstance(part, MULTIPLIES):
            part.register_forward_hook(count)
    outputs = module(*inputs_of(network))
    outputs = outputs if isinstance(outputs, tuple | list) else [outputs]
    deepest = max(depth(y) for y in outputs if y is not None)
    return sum(counts), deepest, len(ran)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", DEEP)
def test_depth_and_cost_of_examples(name: str) -> None:
    network = at_small_size(name)
    report = network.explain()
    macs, longest, count = run(network)
    assert (report.macs, report.depth.longest, report.depth.layers) == (macs, longest, count)
    assert len(report.depth.path) == longest
    assert sum(part.macs for part in report.stages) == report.macs
    assert sum(part.parameters for part in report.stages) == report.inference_parameters


def test_googlenet_is_22_deep_and_has_58_layers() -> None:
    """Not "more than 100": pools, norms, activations and the heads for training are not counted."""
    report = at_small_size("googlenet", 32).explain()
    assert (report.depth.longest, report.depth.layers) == (22, 58)
    paper = examples.network("googlenet_paper").explain()
    assert (paper.depth.longest, paper.depth.layers) == (22, 58)


@pytest.mark.parametrize("part", range(2))
def test_depth_and_cost_of_generated_networks(part: int) -> None:
    for seed in range(part, 12, 2):
        network = netdsl.loads(legal_network(seed, symbolic=False), allow=WARNINGS)
        report = network.explain()
        module = network.torch(seed=0)
        if any(isinstance(m, nn.MultiheadAttention | nn.RNNBase) for m in module.modules()):
            continue
        others = [
            node
            for node in network.graph.nodes()
            if node.op.name in ("matmul", "attend", "attention", "window_attention")
            or any(not value.type.batched for value in node.inputs)  # weights that are tables
        ]
        macs, _, count = run(network)
        if not others:
            assert (report.macs, report.depth.layers) == (macs, count), seed


def test_a_fake_depth_is_seen() -> None:
    """Counting all layers, or those of one branch, is another number than autograd's."""
    text = "net A { input x: [4, 8, 8] ; output y = x -> concat { conv(2, 1) ; { conv(2, 1) -> relu -> conv(2, 3, padding=1) } } -> conv(2, 1) }"
    network = netdsl.loads(text)
    report = network.explain()
    assert (report.depth.longest, report.depth.layers) == run(network)[1:] == (3, 4)


# --- memory of training --------------------------------------------------------------------

KEPT = ("alexnet", "googlenet", "lenet", "resnet18", "squeezenet1_1", "unet16", "vgg16",
        "densenet121", "mobilenet_v2")  # fmt: skip


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_for_the_backward_pass(name: str) -> None:
    """Byte by byte what autograd holds when a forward pass of training has ended."""
    network = at_small_size(name)
    told = kept(network.graph)
    assert not told.unknown
    module = network.torch(seed=0)
    for batch in (2, 3):
        assert saved(module, inputs_of(network, batch)) == told.of(batch), batch


@pytest.mark.parametrize("part", range(2))
def test_what_is_kept_of_generated_networks(part: int) -> None:
    checked = 0
    for seed in range(part, 40, 2):
        network = netdsl.loads(legal_network(seed, symbolic=False), allow=WARNINGS)
        told = kept(network.graph)
        if not told.unknown:
            module = network.torch(seed=0)
            assert saved(module, inputs_of(network, 2)) == told.of(2), seed
            checked += 1
    print(checked)
    assert checked >= 1


@pytest.mark.parametrize(
    "chain",
    ["relu", "sigmoid", "tanh", "silu", "softsign", "softmax", "softplus", "batchnorm",
     "groupnorm(2)", "instancenorm", "layernorm", "lrn(5)", "maxpool(2)", "avgpool(2)",
     "adaptive_maxpool(3)", "adaptive_avgpool(3)", "adaptive_avgpool(1)", "global_avgpool",
     "global_maxpool", "dropout(0.3)", "channel_dropout(0.3)", "drop_path(0.3)", "upsample(2)",
     "upsample(2, mode=bilinear)", "crop(4)", "flatten -> relu", "relu -> flatten -> linear(5)", "mul(0.5)", "add(1)", "exp",
     "abs", "prelu", "clamp(0, 1)", "mul { identity ; sigmoid }", "div { abs ; exp }",
     "add { relu ; tanh }", "concat { relu ; tanh }", "permute([1, 2, 0]) -> flatten -> linear(5)",
     "slice(0, 0, 4) -> relu", "channel_shuffle(2)", "pixel_shuffle(2)", "conv_transpose(4, 2)",
     "conv(8, 3, padding=same)", "split(2) -> sub", "greater(0)", "dropout(0)", "mul([1, 2, 1, 2, 1, 2, 1, 2])"],
)  # fmt: skip
def test_what_single_layers_keep(chain: str) -> None:
    """Behind a convolution, and before one, so that all of them are in autograd's graph."""
    network = netdsl.loads(
        f"net A {{ input x: [3, 8, 8] ; output y = x -> c: conv(8, 3, padding=1) -> {chain} }}",
        allow=WARNINGS,
    )
    told = kept(network.graph)
    if not told.unknown:
        module = network.torch(seed=0)
        assert saved(module, inputs_of(network, 3)) == told.of(3)
    else:
        assert chain.startswith(("mul([", "conv(8, 3, padding=same)"))


# --- contract ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["googlenet", "unet16", "hourglass", "alexnet", "resnet18"])
def test_the_bounds_are_the_contract(name: str) -> None:
    """Together they say what the contract says, at every size; none can be left out."""
    network = examples.network(name)
    needed = _needed(network.sizes)
    sizes = [{"H": h, "W": w} for n in range(1, 150) for h, w in ((n, 64), (64, n), (n, n))]
    accepts = [network.sizes.accepts(**size) for size in sizes]
    assert [all(holds(r.condition, s) for r in needed) for s in sizes] == accepts
    for left_out in needed:
        rest = [r for r in needed if r is not left_out]
        weaker = [s for s in sizes if all(holds(r.condition, s) for r in rest)]
        assert not all(network.sizes.accepts(**size) for size in weaker), left_out


def test_which_stage_sets_the_bound() -> None:
    report = examples.network("googlenet").explain()
    assert report.contract == "any H >= 15, any W >= 15"
    assert {(b.sizes, b.path) for b in report.bounds} == {
        ("any H >= 15", "maxpool3"), ("any W >= 15", "maxpool3")
    }  # fmt: skip


# --- blocks --------------------------------------------------------------------------------


def cost(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """Parameters and multiply-adds of a module, by hooks."""
    counts: list[int] = []
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(
                lambda layer, _, y: counts.append(y.numel() * layer.weight[0].numel())
            )
    module.eval()(torch.rand(1, *shape))
    return sum(p.numel() for p in module.parameters()), sum(counts)


class Module(nn.Module):
    """An inception module: 1x1, 3x3, 5x5 (`wide`) and a pool side by side."""

    def __init__(self, wide: int, *, reduced: bool, projected: bool, norm: bool) -> None:
        super().__init__()

        def conv(before: int, after: int, kernel: int) -> nn.Sequential:
            own = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=not norm)
            return nn.Sequential(own, nn.BatchNorm2d(after)) if norm else nn.Sequential(own)

        pool = nn.MaxPool2d(3, 1, 1)
        self.ways = nn.ModuleList([
            conv(192, 64, 1),
            nn.Sequential(conv(192, 96, 1), conv(96, 128, 3)) if reduced else conv(192, 128, 3),
            nn.Sequential(conv(192, 16, 1), conv(16, 32, wide)) if reduced else conv(192, 32, wide),
            nn.Sequential(pool, conv(192, 32, 1)) if projected else pool,
        ])  # fmt: skip

    def forward(self, x: Any) -> Any:
        return torch.cat([way(x) for way in self.ways], 1)


@pytest.mark.parametrize(
    ("name", "wide", "norm"), [("googlenet", 3, True), ("googlenet_paper", 5, False)]
)
def test_what_inception_saves(name: str, wide: int, norm: bool) -> None:
    """The first module at 28x28, its variants built by hand.

    Left out are the two 1x1 reductions; the naive module of the paper's figure 2a has no
    projection behind its pool either, and gives 416 channels in place of 256. With both left out
    torchvision's form, 3x3 where the paper has 5x5, goes from 226.4 M to 121.6 M multiply-adds and
    the paper's from 303.5 M to 128.0 M. With the projection kept they begin at 231.2 M and 308.3 M.
    """
    sizes = {"H": 224, "W": 224} if name == "googlenet" else None
    report = examples.network(name).explain("inception3a", sizes=sizes)
    forms = [Module(wide, reduced=r, projected=p, norm=norm) for r, p in ((1, 1), (0, 1), (0, 0))]
    by_hand = [cost(form, (192, 28, 28)) for form in forms]
    told = [(report.parameters, report.macs)]
    told += [(o.parameters, o.macs) for o in report.otherwise if o.name.startswith("without")]
    assert told == by_hand
    in_millions = [round(macs / 1e6, 1) for _, macs in told]
    assert in_millions == ([121.6, 231.2, 226.4] if wide == 3 else [128.0, 308.3, 303.5])
    assert [o.output[0] for o in report.otherwise] == [256, 416, 256]


BLOCKS = [
    ("resnet50", "layer1.1", "without reductions", [(256, 64, 3, 1), (64, 256, 1, 1)], 0),
    ("resnet50", "layer1.1", "one plain convolution", [(256, 256, 3, 1)], 0),
    ("resnext101_32x8d", "layer1.1", "without groups", [(256, 256, 1, 1), (256, 256, 3, 1), (256, 256, 1, 1)], 0),
    ("mobilenet_v2", "features.3", "one plain convolution", [(24, 24, 3, 1)], 0),
    ("mobilenet_v2", "features.3", "without groups", [(24, 144, 1, 1), (144, 144, 3, 1), (144, 24, 1, 1)], 0),
    ("squeezenet1_1", "features.3", "one plain convolution", [(64, 128, 3, 1)], 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "way", "convs", "extra"), BLOCKS)
def test_blocks_built_otherwise(
    name: str, path: str, way: str, convs: list[Any], extra: int
) -> None:
    """Multiply-adds of a chain of convolutions that keep the size, built by hand."""
    report = examples.network(name).explain(path, sizes={"H": 224, "W": 224})
    chain = nn.Sequential(
        *(nn.Conv2d(i, o, k, padding=k // 2, groups=g, bias=False) for i, o, k, g in convs)
    )
    (told,) = [other for other in report.otherwise if other.name == way]
    assert told.macs == cost(chain, report.inputs[0])[1]
    assert told.times == pytest.approx(told.macs / report.macs)


def test_fire_without_its_squeeze() -> None:
    report = examples.network("squeezenet1_1").explain("features.3", sizes={"H": 224, "W": 224})
    wide = [nn.Conv2d(64, 64, k, padding=k // 2) for k in (1, 3)]
    (told,) = [other for other in report.otherwise if other.name == "without reductions"]
    costs = [cost(conv, report.inputs[0]) for conv in wide]
    assert (told.parameters, told.macs) == tuple(map(sum, zip(*costs, strict=True)))


def test_branches_add_up() -> None:
    report = examples.network("googlenet").explain("inception4c", sizes={"H": 64, "W": 64})
    assert sum(branch.macs for branch in report.branches) == report.macs
    assert sum(branch.share for branch in report.branches) == pytest.approx(1)
    assert sum(branch.output[0] for branch in report.branches) == report.outputs[0][0]


# --- published counts ----------------------------------------------------------------------


TABLE = {
    "conv1": (2.7, 34), "conv2": (112, 360), "inception3a": (159, 128), "inception3b": (380, 304),
    "inception4a": (364, 73), "inception4b": (437, 88), "inception4c": (463, 100),
    "inception4d": (580, 119), "inception4e": (840, 170), "inception5a": (1072, 54),
    "inception5b": (1388, 71), "classifier": (1000, 1),
}  # fmt: skip
"""Thousands of parameters and millions of multiply-adds, as printed in the paper."""


def test_table_1_of_googlenet() -> None:
    """Szegedy et al. 2014, table 1, row by row; `conv2` is its 1x1 and its 3x3 together.

    Multiply-adds agree within 1 % in nine rows, and the last row rounds 1.02 M to 1 M. The first
    convolution, 7x7 over three channels at 112x112, has 118 M and not 34 M; the widths printed for
    5a give 51.1 M and not 54 M.

    Parameters, in units of 1024, agree within 1 % for conv2, 3a, 3b, 4a, 4b, 4e and the last row.
    The widths printed in the other rows give other numbers than those beside them: 4c 498 (463),
    4d 591 (580), 5a 1019 (1072), 5b 1410 (1388), the first convolution 9.2 (2.7).
    """
    report = examples.network("googlenet_paper").explain()
    ours = {part.path: (part.parameters, part.macs) for part in report.stages}
    reduce = ours["conv2_reduce"]
    ours["conv2"] = tuple(map(sum, zip(ours["conv2"], reduce, strict=True)))  # type: ignore[assignment]
    agree = {
        column: [
            name
            for name, row in TABLE.items()
            if abs(ours[name][column] / unit / row[column] - 1) <= 0.01
        ]
        for column, unit in ((0, 1024), (1, 1e6))
    }
    assert set(TABLE) - set(agree[1]) == {"conv1", "inception5a", "classifier"}
    assert ours["classifier"] == (1_025_000, 1_024_000)  # printed as 1000K and 1M
    assert agree[0] == ["conv2", "inception3a", "inception3b", "inception4a", "inception4b",
                        "inception4e", "classifier"]  # fmt: skip
    assert ours["conv1"] == (64 * 3 * 49 + 64, 118_013_952)
    assert round(ours["inception5a"][1] / 1e6, 1) == 51.1


def test_the_first_layer_of_lenet_5() -> None:
    """LeCun et al. 1998: C1 has 156 parameters and 122,304 connections.

    They take a 32x32 input and count the bias of each neuron as a connection: 28*28*6 neurons with
    25 links and a bias each. Without the biases it is 117,600. The example pads a 28x28 image, and
    what lies in the padding is no value, so that it has fewer links.
    """
    text = "net A { input image: [1, 32, 32] ; output c1 = image -> c: conv(6, 5) }"
    report = netdsl.loads(text).explain("c")
    assert report.parameters == 156
    assert report.connections == 117_600
    assert report.connections + report.neurons == 122_304
    padded = examples.network("lenet").explain("conv1")
    assert padded.neurons == report.neurons
    assert padded.connections < report.connections == padded.macs


def test_the_counts_of_alexnet() -> None:
    """Krizhevsky et al. 2012: 60 million parameters, 650,000 neurons, 253,440 after the input.

    The paper's list of neurons (253,440; 186,624; 64,896; 64,896; 43,264; 4096; 4096; 1000) has
    253,440 for the first layer, which is no product of 96 maps: 55x55x96 are 290,400, as its text
    says 55x55. The others agree. With 290,400 the sum is 659,272, without it 622,312.
    """
    network = examples.network("alexnet_paper")
    report = network.explain()
    counts = [network.explain(path).neurons for path in report.depth.path]
    assert counts == [290_400, 186_624, 64_896, 64_896, 43_264, 4_096, 4_096, 1_000]
    assert report.neurons == sum(counts) == 659_272
    assert report.parameters == 60_965_224
    assert report.depth.longest == report.depth.layers == 8
