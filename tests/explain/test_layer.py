"""Reports of layers and neurons against Jacobians: links, shared values, what is read by nobody."""

from __future__ import annotations

from itertools import product
from math import prod
from random import Random
from typing import Any

import pytest

import netdsl
from netdsl.analyses.explain.layer import At, LayerReport, explain_layer
from netdsl.analyses.explain.neuron import NeuronReport
from netdsl.analyses.neurons import NoSuchPlace
from netdsl.explaining import page_of
from netdsl.ir.graph import Node
from netdsl.lints import WARNINGS
from netdsl.ops.axes import AXIS_NAMES
from netdsl.ops.base import op_of
from netdsl.ops.tables import types_of
from tests import examples
from tests.legal_networks import legal_network

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from tests.explain.oracles import MEANS, MULTIPLIES, Ran  # noqa: E402

MOST = 60_000
"""Numbers of a Jacobian."""
SLIDES = (*MULTIPLIES, *MEANS, *MEANS.values())
SMALL = ("conv27", "rgb6", "lenet", "mtcnn_onet", "mtcnn_rnet", "upsample_any", "cgan_generator")


def small_layers(network: netdsl.Network) -> list[tuple[Ran, Node]]:
    """Layers that slide or multiply, with few enough numbers for a Jacobian."""
    ran = Ran(network.graph)
    return [
        (ran, node)
        for node in network.graph.nodes()
        if isinstance(ran.modules.get(node), SLIDES)
        and not node.output.type.items
        and ran.tensors[node.inputs[0]].numel() * ran.tensors[node.output].numel() <= MOST
    ]


def report_of(network: netdsl.Network, node: Node) -> LayerReport:
    return explain_layer(network.graph, node, At({}), None)


def check(network: netdsl.Network, ran: Ran, node: Node) -> None:
    """All that a report says of links, by the Jacobian of a layer with positive weights."""
    report = report_of(network, node)
    links = ran.links(node)
    assert report.connections == int(links.sum())
    assert report.neurons == links.shape[0]
    assert report.macs == ran.macs(node)
    assert report.parameters == ran.parameters(node)
    assert report.biases == ran.parameters(node, "bias")
    assert report.weights == ran.parameters(node, "weight")
    if report.weights:
        assert report.dense_weights == links.numel()
    check_reading(report, links, ran.shape(node.inputs[0]))
    check_overlaps(report, links, ran.shape(node.output))


def check_reading(report: LayerReport, links: Any, shape: tuple[int, ...]) -> None:
    reading = report.reading
    assert reading is not None
    of_one, reached = links.sum(1), links.sum(0)
    assert (reading.least, reading.most) == (int(of_one.min()), int(of_one.max()))
    assert (reading.reached_least, reading.reached_most) == (int(reached.min()), int(reached.max()))
    assert reading.unread == int((reached == 0).sum())
    if len(shape) > 1:
        by_place = reached.reshape(shape).amax(0)
        assert reading.unread_places == int((by_place == 0).sum())
        assert reading.places == by_place.numel()


def check_overlaps(report: LayerReport, links: Any, shape: tuple[int, ...]) -> None:
    """The middle neuron and the next one along each axis."""
    rows = links.reshape(*shape, -1)
    middle = tuple((n - 1) // 2 for n in shape)
    for overlap in report.overlaps:
        axis = 1 + AXIS_NAMES[len(shape) - 1].index(overlap.axis)
        other = tuple(n + (k == axis) for k, n in enumerate(middle))
        assert overlap.shared == int((rows[middle] & rows[other]).sum())
        assert overlap.of == int(rows[middle].sum())
    there = [n for n, size in enumerate(shape) if n and middle[n] + 1 < size]
    assert len(report.overlaps) == len(there)


@pytest.mark.parametrize("part", range(4))
def test_layers_of_generated_networks(part: int) -> None:
    checked = 0
    for seed in range(part, 24, 4):
        network = netdsl.loads(legal_network(seed, symbolic=False), allow=WARNINGS)
        for ran, node in small_layers(network)[:6]:
            check(network, ran, node)
            checked += 1
    assert checked > 5


@pytest.mark.full
@pytest.mark.parametrize("part", range(8))
def test_layers_of_many_generated_networks(part: int) -> None:
    for seed in range(60 + part, 500, 8):
        network = netdsl.loads(legal_network(seed, symbolic=False), allow=WARNINGS)
        for ran, node in small_layers(network):
            check(network, ran, node)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", SMALL)
def test_layers_of_examples(name: str) -> None:
    network = examples.held(name)
    if network.sizes.symbols:
        network = examples.held(name, network.sizes.small())
    for ran, node in small_layers(network):
        check(network, ran, node)


def drawn_layer(random: Random) -> str:
    """A convolution or a pool with odd settings."""
    kernel, stride, size = random.randint(1, 5), random.randint(1, 4), random.randint(7, 12)
    groups = random.choice([1, 1, 2, 4])
    padding = random.randint(0, kernel // 2)
    dilation = random.choice([1, 1, 2])
    if random.random() < 0.6:
        layer = f"conv({4 * random.randint(1, 2)}, {kernel}, stride={stride}, padding={padding}, dilation={dilation}, groups={groups})"
    elif random.random() < 0.5:
        layer = f"conv_transpose(4, {kernel}, stride={stride}, groups={groups})"
    else:
        layer = f"avgpool({kernel}, stride={stride}, padding={padding})"
    return f"net A {{ input x: [4, {size}, {size + 1}] ; output y = x -> l: {layer} }}"


@pytest.mark.parametrize("part", range(4))
def test_layers_with_odd_settings(part: int) -> None:
    for seed in range(part, 100, 4):
        try:
            network = netdsl.loads(drawn_layer(Random(seed)), allow=WARNINGS)
        except netdsl.DiagnosticError:
            continue
        for ran, node in small_layers(network):
            check(network, ran, node)
            check_outside(network, node)


def check_outside(network: netdsl.Network, node: Node) -> None:
    """The share of the cells of windows that lie outside: a convolution of ones over ones."""
    report, windows = report_of(network, node), node.op.sliding()  # type: ignore[attr-defined]
    if report.outside is None:
        return
    ones = torch.ones(1, 1, *report.inputs[0][1:])
    weight = torch.ones(1, 1, windows.kernel, windows.kernel)
    inside = F.conv2d(ones, weight, None, windows.stride, windows.padding, windows.dilation)
    assert report.outside == pytest.approx(1 - float(inside.mean()) / weight.numel())


def explained(text: str, place: str, **options: Any) -> Any:
    return netdsl.loads(text, allow=WARNINGS).explain(place, **options)


def test_pixels_that_nobody_reads() -> None:
    """28x28 at stride 3: 55 pixels lie behind the last windows, in one row and one column."""
    report = explained(
        "net A { input x: [1, 28, 28] ; output y = x -> c: conv(3, 3, stride=3) }", "c"
    )
    assert report.reading.unread_places == 28 * 28 - 27 * 27 == 55


@pytest.mark.parametrize(("stride", "side", "shared"), [(1, 25, 6), (2, 13, 3), (3, 9, 0)])
def test_the_questions_of_a_first_month(stride: int, side: int, shared: int) -> None:
    text = (
        f"net A {{ input image: [1, 27, 27] ; output y = image -> c: conv(3, 3, stride={stride}) }}"
    )
    report = explained(text, "c")
    assert report.outputs == ((3, side, side),)
    assert report.reading.most == report.filter.products == 9
    assert (report.weights, report.biases) == (27, 3)
    assert [o.shared for o in report.overlaps] == [shared, shared]


def test_what_the_words_are_made_of() -> None:
    report = explained("net A { input x: [3, 6, 6] ; output y = x -> c: conv(1, 3) }", "c")
    assert report.sentence.startswith("Each neuron is one sum of 3x3x3 = 27 products")
    assert [rule.numbers for rule in report.size_rules] == ["floor((6 + 2*0 - 3)/1) + 1 = 4"] * 2


def text_of(text: str, place: str = "") -> str:
    """The page, in one line."""
    return " ".join(page_of(explained(text, place)).text(1000).split())


def test_values_that_are_read_more_than_once_count_once() -> None:
    """Attention reads a value as query, key and value: each neuron depends on all of them."""
    text = "net A { input x: [10, 32] ; output y = x -> a: attention(4) }"
    report = explained(text, "a")
    assert (report.reading.least, report.reading.most) == (320, 320)
    assert (report.reading.reached_least, report.reading.reached_most) == (320, 320)
    assert [(o.shared, o.of) for o in report.overlaps] == [(320, 320)]
    assert [other.shared for other in explained(text, "a[5,0]").neighbours] == [320]


def test_one_neuron_of_a_transposed_convolution_does_not_add_a_whole_filter() -> None:
    """Kernel 4 and stride 3: a neuron adds one or two of the 4 products of each channel."""
    text = "net A { input x: [6, 24] ; output y = x -> t: conv_transpose(3, 4, stride=3) }"
    assert explained(text, "t").reading.most == 12
    page = text_of(text, "t")
    assert "24 products" not in page
    assert "6 rows, one for each channel that it reads. What they give is added" in page


def test_one_of_a_thing_is_no_plural() -> None:
    text = "net A { input x: [1, 5, 5] ; output y = x -> c: conv(1, 5) }"
    page = text_of(text)
    assert "1 neuron in the layers" in page
    assert "1 layer multiplies by weights (convolutions, linear layers and the like). " in page
    assert "next one" not in text_of(text, "c")
    assert "c[0,0,0]: the only neuron of c (conv(1, 5))" in text_of(text, "c[0,0,0]")
    two = (
        "net A { input x: [8] ; h = x -> linear(2) ; g = x -> linear(2)\noutput y = (h, g) -> add }"
    )
    assert "2 layers multiply by weights" in text_of(two)
    assert "of which 1 stands on the longest way" in text_of(two)
    block = "block B() { conv(2, 3) -> relu }\nnet A { input x: [1, 5, 5] ; output y = x -> b: B }"
    assert "1 layer that multiplies by weights." in text_of(block, "b")


def test_filters_of_volumes_and_signals() -> None:
    volume = "net A { input x: [2, 8, 9, 10] ; output y = x -> c: conv(4, 3, groups=2) }"
    assert "A filter is one block of 3x3x3 weights." in text_of(volume, "c")
    assert "(channel, depth, row, column)" in str(not_there(volume, "c[9,0,0,0]"))
    signal = "net A { input x: [1, 50] ; output y = x -> c: conv(4, 3, stride=3) }"
    assert "A filter is one row of 3 weights." in text_of(signal, "c")
    assert "shares none of the 3 values" in text_of(signal, "c")
    dilated = "net A { input x: [1, 50] ; output y = x -> c: conv(4, 3, dilation=2) }"
    assert "x[0, 0-4]: not all 5 of them, but 3 of its 50 values" in text_of(dilated, "c[0,0]")


def not_there(text: str, place: str) -> NoSuchPlace:
    with pytest.raises(NoSuchPlace) as caught:
        explained(text, place)
    return caught.value


def test_size_formulas_give_the_size() -> None:
    """Each formula, read as Python, is the size that PyTorch gives."""
    from math import ceil, floor

    checked = 0
    for seed in range(30):
        network = netdsl.loads(legal_network(seed, symbolic=False), allow=WARNINGS)
        ran = Ran(network.graph)
        for node in network.graph.nodes():
            rules = op_of(node).size_rules(*types_of(node))
            for axis, rule in enumerate(rules):
                left, mark, right = rule.numbers.rpartition(" = ")
                if mark:
                    size = ran.shape(node.output)[axis + (len(ran.shape(node.output)) > 1)]
                    assert eval(left, {"floor": floor, "ceil": ceil}) == int(right) == size, rule
                    checked += 1
    assert checked > 60


def test_symbolic_formulas_stand_beside_the_numbers() -> None:
    network = netdsl.load(examples.example("googlenet"))
    report = network.explain("conv1.conv", sizes={"H": 97, "W": 129})
    assert report.symbolic[0].numbers == "floor((H + 2*3 - 7)/2) + 1 = floor((H + 1)/2)"
    assert report.size_rules[0].numbers == "floor((97 + 2*3 - 7)/2) + 1 = 49"
    assert not report.are_assumed
    assert network.explain("conv1.conv").are_assumed


# --- neurons ----------------------------------------------------------------------------------


def cells_of(report: NeuronReport, number: int = 0) -> set[tuple[int, ...]]:
    """The indices that a report lists."""
    axes = report.reads[number].axes
    return set(product(*([i for a, b in runs for i in range(a, b + 1)] for runs in axes)))


def test_neurons_read_what_gradients_show() -> None:
    for seed in range(60):
        random = Random(seed)
        try:
            network = netdsl.loads(drawn_layer(random), allow=WARNINGS)
        except netdsl.DiagnosticError:
            continue
        ran = Ran(network.graph)
        node = network.graph.outputs[0].value.producer
        assert node is not None
        shape, links = ran.shape(node.output), ran.links(node)
        index = tuple(random.randrange(n) for n in shape)
        report = network.explain(f"l[{','.join(map(str, index))}]")
        row = links.reshape(*shape, *ran.shape(node.inputs[0]))[index]
        assert report.links == int(row.sum())
        assert (cells_of(report) if report.reads else set()) == {
            tuple(n) for n in row.nonzero().tolist()
        }
        for other in report.neighbours:
            rows = links.reshape(*shape, -1)
            assert other.shared == int((rows[index] & rows[other.index]).sum())
        check_pixel(network, links, ran.shape(node.inputs[0]), random)


def check_pixel(
    network: netdsl.Network, links: Any, shape: tuple[int, ...], random: Random
) -> None:
    """How many neurons one value of the input goes into."""
    pixel = tuple(random.randrange(n) for n in shape)
    report = network.explain(f"x[{','.join(map(str, pixel))}]")
    place = sum(i * prod(shape[k + 1 :]) for k, i in enumerate(pixel))
    assert [r.count for r in report.reached] == [int(links[:, place].sum())]
    assert report.links == 0


@pytest.mark.parametrize("place", ["conv2[3,4,9]", "maxpool2[0,0,4]", "fc1[7]", "conv1[5,0,27]"])
def test_what_a_neuron_depends_on(place: str) -> None:
    """Through all layers before it: by the gradient of a surrogate with positive weights."""
    network = examples.network("lenet")
    report = network.explain(place)
    ran = Ran(network.graph)
    value = next(n.outputs[0] for n in network.graph.nodes() if n.path == report.path)
    seen = ran.sees(value, report.index)["image"]
    (told,) = report.sees
    assert told.count == int(seen.sum())
    ends = seen.nonzero()
    assert told.first == tuple(ends.min(0).values.tolist())
    assert told.last == tuple(ends.max(0).values.tolist())


@pytest.mark.parametrize("place", ["conv1[2,0,5]", "conv2[3,4,9]", "fc2[7]"])
def test_the_products_of_a_neuron(place: str) -> None:
    """Their sum is what the network gives; each is a value times a weight that stand there."""
    network = examples.network("lenet")
    module = network.torch(seed=3).eval()
    image = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(1))
    report = network.explain(place, weights=module, inputs={"image": image.numpy()})
    assert report.sum.total == pytest.approx(report.sum.result, abs=1e-5)
    assert len(report.sum.terms) == report.links
    layer, caught = module.get_submodule(report.path), []
    layer.register_forward_hook(lambda _, args, result: caught.append((args[0][0], result[0])))
    module(image[None])
    (x, result) = caught[0]
    assert report.sum.result == pytest.approx(float(result[report.index]), abs=1e-6)
    for term in report.sum.terms:
        assert term.value == pytest.approx(float(x[term.cell]))
        assert term.weight == pytest.approx(float(layer.weight[term.weight_at]))
        assert term.product == pytest.approx(term.value * term.weight)
    assert {term.cell for term in report.sum.terms} == cells_of(report)


def test_products_of_odd_layers() -> None:
    """Convolutions with groups, dilation, padding of all modes, transposed ones: the sum agrees."""
    for seed in range(80):
        random = Random(seed)
        text = drawn_layer(random)
        if "conv(" in text and random.random() < 0.5:
            mode = random.choice(["reflect", "replicate", "circular"])
            text = text.replace("groups=", f"padding_mode={mode}, groups=")
        try:
            network = netdsl.loads(text, allow=WARNINGS)
        except netdsl.DiagnosticError:
            continue
        if "conv" not in text:
            continue
        shape = network.outputs[0].shape
        index = ",".join(str(random.randrange(n)) for n in shape)
        module = network.torch(seed=seed)
        x = torch.rand(network.inputs[0].shape, generator=torch.Generator().manual_seed(seed))
        report = network.explain(f"l[{index}]", weights=module, inputs={"x": x.numpy()})
        assert report.sum.total == pytest.approx(report.sum.result, abs=1e-5), text


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("conv[0,9,9]", r"whose last neuron is conv\[2,8,8\] \(channel, row, column\): its shape is \[3, 9, 9\]"),
        ("conv[0,9]", r"whose last neuron is conv\[2,8,8\]"),
        ("conv[0,a,9]", r"no neuron of conv: .* one whole number for each axis, counted from 0"),
        ("conv[-1,0,0]", "no neuron of conv"),
        ("image[0,27,0]", r"whose last value is image\[0,26,26\]"),
        ("con", "no layer or block `con`; did you mean `conv`"),
        ("zzz", "there are image, conv"),
        ("zzz[0]", "there is no layer `zzz`"),
    ],
)  # fmt: skip
def test_places_that_are_not_there(place: str, said: str) -> None:
    with pytest.raises(NoSuchPlace, match=said):
        examples.network("conv27").explain(place)


def test_open_sizes_where_a_neuron_is_asked_for() -> None:
    with pytest.raises(ValueError, match="say `--size H=32,W=32`"):
        examples.network("googlenet").explain("conv1[0,0,0]")
    with pytest.raises(ValueError, match=r"does not take these sizes.*nearest.*H=15,W=15"):
        examples.network("googlenet").explain("conv1", sizes={"H": 14, "W": 15})
