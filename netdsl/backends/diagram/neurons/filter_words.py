"""The words of the picture of one convolution: what is shared, what fits, what is not drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from netdsl.backends.diagram.counts import parameters_of
from netdsl.backends.diagram.neurons.kernel import Cell, Kernel
from netdsl.backends.diagram.neurons.lesson import Fact
from netdsl.backends.diagram.shape_names import TIMES, plural, times
from netdsl.ops.base import op_of
from netdsl.ops.facts import by
from netdsl.ops.tables import types_of


def heading(kernel: Kernel, source: str) -> str:
    """What is often misread: a filter is no neuron, and it spans all channels."""
    filters, channels = kernel.output[0], kernel.input[0]
    first = f"The {filters:,} are filters, not input neurons"
    if filters == 1:
        first = "The one is a filter, not an input neuron"
    if kernel.windows.groups > 1:
        read = f"each reads {kernel.depth:,} of the {channels:,} channels of {source}"
        return f"{first}: {read} and makes one map."
    spans = f"{source} has {channels:,} channels, a filter spans them all and makes one map."
    if channels == 1:
        spans = f"{source} has one channel, and a filter makes one map of it."
    return f"{first}: {spans}"


def facts(kernel: Kernel, drawn_neurons: int, drawn_links: int) -> Iterator[Fact]:
    """The counts, in the order in which they follow from each other."""
    neurons, values, links = prod(kernel.output), prod(kernel.input), connections(kernel)
    first, what = "comes in", "values of the layers before"
    if kernel.node.inputs[0].producer is None:
        first, what = (
            "input layer",
            "values, the input neurons of many drawings: given, not computed",
        )
    yield first, f"{_sizes(kernel, kernel.input)} = {values:,} {what}"
    biases = parameters_of([kernel.node]) - kernel.weights * kernel.output[0]
    summed = f"{_sizes(kernel, (kernel.depth, *kernel.size))} = {plural(kernel.weights, 'product')}"
    apart = f" of cells {by(kernel.windows.dilation)} apart" * (kernel.windows.dilation != 1)
    over = f", added over {'both' if kernel.depth == 2 else f'all {kernel.depth:,}'} channels"
    added = " + bias" * (biases > 0)
    yield "a neuron", f"{summed}{apart}{over * (kernel.depth > 1)}{added} → one number"
    yield "places", f"{_places(kernel)} in each map"
    yield "neurons", f"{_sizes(kernel, kernel.output)} = {neurons:,}"
    each = f"{neurons:,} {TIMES} {kernel.weights:,} = {links:,}"
    if links != neurons * kernel.weights:
        each = f"{links:,}: at most {kernel.weights:,} a neuron, fewer at the border"
    yield "connections", each
    own = _sizes(kernel, (kernel.output[0], kernel.depth, *kernel.size))
    linear = f"a linear layer would have {neurons:,} {TIMES} {values:,} = {neurons * values:,}"
    yield (
        "weights",
        f"{own} = {kernel.weights * kernel.output[0]:,}, and {plural(biases, 'bias')}; {linear}",
    )
    left = f"{neurons - drawn_neurons:,} of {neurons:,} neurons"
    yield "not drawn", f"{left}, {links - drawn_links:,} of {links:,} connections"


def _sizes(kernel: Kernel, sizes: Sequence[int]) -> str:
    """Sizes, without the only column of a sequence."""
    return times(sizes if kernel.rank > 2 else sizes[:-1])


def connections(kernel: Kernel) -> int:
    """How many values all neurons read."""
    inputs, outputs = types_of(kernel.node)
    known = op_of(kernel.node).connections(inputs, outputs)
    assert isinstance(known, int)
    return known


def _places(kernel: Kernel) -> str:
    """`floor((27 + 2*0 - 3)/1) + 1 = 25 along each side, 25 × 25 = 625 neurons`."""
    rules = op_of(kernel.node).size_rules(*types_of(kernel.node))
    told = [rule.numbers for rule in rules]
    sizes = kernel.output[1 : kernel.rank]
    count = f"{times(sizes)} = {plural(prod(sizes), 'neuron')}"
    if len(told) == 1:
        return f"{told[0]} neurons"
    if told[0] == told[1]:
        return f"{told[0]} along each side, {count}"
    return f"{told[0]} down, {told[1]} across, {count}"


def window_words(kernel: Kernel, neuron: Cell, is_drawn: bool) -> str:
    """How far the next neuron's window lies, which may be drawn, and what both read."""
    beside = kernel.beside(neuron)
    if beside is None:
        return "no neuron stands beside it in the map"
    axis = 1 if beside[1] != neuron[1] else 2
    step = kernel.along[axis - 1][1]
    first = f"the window beside A's lies {plural(step, 'row' if axis == 1 else 'column')} further"
    mine = {tap.cell for tap in kernel.taps(neuron)}
    shared = len(mine & {tap.cell for tap in kernel.taps(beside)})
    if shared:
        return f"{first}{' (dashed)' * is_drawn} and shares {shared:,} of its {len(mine):,} values"
    touches = kernel.span[axis - 1] == step
    return f"{first}: they {'touch and never overlap' if touches else 'share nothing'}"
