"""A layer in numbers: its sizes, neurons, links and weights, and what it reads of what comes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import cleandoc
from math import prod
from typing import TypeAlias

from netdsl.analyses.cost import count_parameters, layer_text
from netdsl.analyses.explain.reading import Links, Overlap, Reading
from netdsl.analyses.links import UnknownLinks, shape_of
from netdsl.analyses.receptive_field import ReceptiveFields
from netdsl.ir.graph import Graph, Input, Node, Value
from netdsl.ops.axes import AXIS_NAMES
from netdsl.ops.base import Op, op_of
from netdsl.ops.cells import slid
from netdsl.ops.facts import SizeRule
from netdsl.ops.tables import types_of


@dataclass(frozen=True, slots=True)
class At:
    """The sizes that numbers are for; assumed, where nobody chose them."""

    sizes: Mapping[str, int]
    are_assumed: bool = False


@dataclass(frozen=True, slots=True)
class FilterFacts:
    """The filters of a convolution: each is a volume of `planes` windows.

    `maps` is how many filters there are, each of which gives one map, `groups` how many groups of
    channels are convolved apart, and `products` the weights of one filter: so many products make
    one number, but for a filter that `paints`: a transposed convolution's, of whose products each
    goes where its value is painted.
    """

    planes: int
    kernel: tuple[int, ...]
    maps: int
    groups: int
    products: int
    paints: bool = False


@dataclass(frozen=True, slots=True)
class AxisField:
    """What a neuron sees along one axis of an input, at most: cells, and its step there.

    `unclipped` is what a neuron far from the borders of a larger image sees.
    """

    axis: str
    size: int
    image: int
    step: str
    unclipped: int
    is_bound: bool


@dataclass(frozen=True, slots=True)
class LayerReport:
    """What `netdsl explain FILE LAYER` tells. All numbers are for one sample.

    `size_rules` are worked out at these sizes, `symbolic` at open ones, where there are any.
    `connections` are the links of all neurons, `weights` its distinct weights and `biases` what is
    added besides; `dense_weights` what a fully connected layer of this size would have.
    `outside` is the share of the cells of all windows that lie in the padding.
    """

    network: str
    sizes: Mapping[str, int]
    are_assumed: bool
    path: str
    layer: str
    sentence: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    size_rules: tuple[SizeRule, ...]
    symbolic: tuple[SizeRule, ...]
    neurons: int
    connections: int | None
    macs: int
    weights: int
    biases: int
    parameters: int
    calls: int
    dense_weights: int
    filter: FilterFacts | None = None
    reading: Reading | None = None
    overlaps: tuple[Overlap, ...] = ()
    outside: float | None = None
    fields: Mapping[str, tuple[AxisField, ...]] = field(
        default_factory=dict[str, "tuple[AxisField, ...]"]
    )
    kind: str = "layer"


def explain_layer(graph: Graph, node: Node, at: At, opened: Node | None) -> LayerReport:
    """The report of a call of a layer, all sizes known; `opened` is the same call at open ones."""
    op, types = op_of(node), types_of(node)
    inputs, outputs = map(shape_of, node.inputs), tuple(map(shape_of, node.outputs))
    weights, biases = _weights(node)
    neurons = sum(map(prod, outputs))
    times = prod(shape_of(node.outputs[0])[: len(node.outputs[0].type.items)])
    connections = op.connections(*types)
    return LayerReport(
        graph.name,
        at.sizes,
        at.are_assumed,
        node.path,
        layer_text(op),
        sentence(node),
        tuple(inputs),
        outputs,
        op.size_rules(*types),
        op_of(opened).size_rules(*types_of(opened)) if opened is not None else (),
        neurons,
        None if connections is None else number(connections) * times,
        number(op.macs(*types)) * times,
        weights,
        biases,
        count_parameters(node.layer),
        len(node.layer.calls),
        sum(prod(shape_of(v)) for v in node.inputs if v.type.batched) * neurons,
        filter_of(node),
        *_reading(node),
        outside(node),
        fields_of(graph, ReceptiveFields(graph), node.outputs[0]),
    )


@dataclass(frozen=True, slots=True)
class InputReport:
    """What `netdsl explain FILE INPUT` tells: `values` that are given; none of them is computed."""

    network: str
    sizes: Mapping[str, int]
    are_assumed: bool
    path: str
    shape: tuple[int, ...]
    values: int
    readers: tuple[str, ...]
    kind: str = "input"


def explain_input(graph: Graph, item: Input, at: At) -> InputReport:
    """The report of an input."""
    shape = shape_of(item.value)
    readers = dict.fromkeys(node.path for node in graph.uses.readers(item.value))
    return InputReport(
        graph.name, at.sizes, at.are_assumed, item.name, shape, prod(shape), tuple(readers)
    )


def number(size: object) -> int:
    """A size that is known to be one."""
    assert isinstance(size, int), size
    return size


def _weights(node: Node) -> tuple[int, int]:
    """Distinct weights, and the biases beside them."""
    trained = [spec for spec in node.layer.weights if spec.trained]
    biases = sum(prod(s.shape) for s in trained if s.key in op_of(node).biases)
    return sum(prod(s.shape) for s in trained) - biases, biases


def filter_of(node: Node) -> FilterFacts | None:
    """The filters of a layer that slides filters with weights over a map."""
    op = op_of(node)
    windows = op.sliding()
    if windows is None or windows.channels is None or not windows.groups:
        return None
    inputs, output = types_of(node)[0], shape_of(node.outputs[0])
    kernel = tuple(k for k, _, _ in windows.settings_along(inputs[0].rank - 1))
    planes = number(inputs[0].channels) // windows.groups
    products, paints = planes * prod(kernel), op.zoom > 0
    return FilterFacts(planes, kernel, output[0], windows.groups, products, paints)


def sentence(node: Node) -> str:
    """What one neuron of a layer computes, in one sentence."""
    op, (inputs, outputs) = op_of(node), types_of(node)
    windows = op.sliding()
    has_bias = op.bias_axis(outputs[0].rank) is not None
    behind = ", plus a bias" if has_bias else ""
    facts = filter_of(node)
    if facts is not None and op.zoom <= 0:
        shape = "x".join(map(str, (facts.planes, *facts.kernel)))
        times = "product" if facts.products == 1 else "products"
        return (
            f"Each neuron is one sum of {shape} = {facts.products:,} {times} of a value and a "
            f"weight{behind}; the neurons of one map use the same weights at other places."
        )
    if facts is not None:
        return (
            f"Each value that comes in is multiplied by a filter of {facts.maps // facts.groups}x"
            f"{'x'.join(map(str, facts.kernel))} weights and painted into the result; where these "
            f"overlap they are added{behind}."
        )
    if op.matrix:
        size = inputs[0].shape[-1]
        return (
            f"Each neuron is one sum of {size:,} products: each value of the last axis times a "
            f"weight of this neuron alone{behind}."
        )
    if windows is not None and op.gives:
        shape = "x".join(str(k) for k, _, _ in windows.settings_along(inputs[0].rank - 1))
        return f"Each neuron is the {op.gives} of a window of {shape} cells of one channel."
    return doc_of(op)


def doc_of(op: Op) -> str:
    """The first paragraph of a layer's page."""
    return " ".join(cleandoc(type(op).__doc__ or "").partition("\n\n")[0].split())


def _reading(node: Node) -> tuple[Reading | None, tuple[Overlap, ...]]:
    if not node.inputs or not node.inputs[0].type.batched or not shape_of(node.outputs[0]):
        return None, ()
    if node.inputs[0].type.items or node.outputs[0].type.items:
        return None, ()
    try:
        links = Links(node)
        if not links.is_counted:
            return None, ()
        names = AXIS_NAMES.get(len(links.output) - 1, ())
        is_map = bool(names) and len(links.input) == len(links.output)
        return links.reading(), tuple(links.overlaps(names)) if is_map else ()
    except UnknownLinks:
        return None, ()


def outside(node: Node) -> float | None:
    """The share of the cells of its windows that lie outside of the map; None without windows."""
    op, (inputs, outputs) = op_of(node), types_of(node)
    windows = op.sliding()
    if windows is None or op.zoom > 0 or len(inputs[0].shape) != len(outputs[0].shape):
        return None
    within = 1.0
    settings = windows.settings_along(inputs[0].rank - 1)
    around = windows.around(inputs[0].spatial)
    for size, result, (k, s, d), (before, _) in zip(
        inputs[0].spatial, outputs[0].spatial, settings, around, strict=True
    ):
        places = (frozenset((i,)) for i in range(number(result)))
        cells = sum(len(slid(i, number(size), k, s, number(before), d)) for i in places)
        within *= cells / (k * number(result))
    return 1 - within


Fields: TypeAlias = "dict[str, tuple[AxisField, ...]]"
"""An axis each, by input."""


def fields_of(graph: Graph, every: ReceptiveFields, value: Value) -> Fields:
    """What one place of a value sees of each input, at most."""
    fields: Fields = {}
    for item in graph.inputs:
        reaches = every.of(value).get(item.name)
        images = shape_of(item.value)[1:]
        if reaches is None or len(images) not in AXIS_NAMES:
            continue
        fields[item.name] = tuple(
            AxisField(
                name,
                image if reach is None or reach.size is None else reach.size,
                image,
                "" if reach is None or reach.stride is None else str(reach.stride),
                image if reach is None else (reach.unclipped or reach.size or image),
                reach is not None and (reach.is_bound or reach.size is None),
            )
            for name, image, reach in zip(AXIS_NAMES[len(images)], images, reaches, strict=True)
        )
    return fields
