"""The words of the picture of one convolution: counts, the sum of a neuron, the size of a map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

from netdsl.analyses.cost import count_parameters
from netdsl.analyses.links import reads, size_of
from netdsl.backends.diagram.neurons.filter_parts import Setting
from netdsl.backends.diagram.shape_names import MINUS, TIMES
from netdsl.ir.graph import Node
from netdsl.ops.cells import one

AXES = ("down", "across")


def counts(node: Node, setting: Setting, letters: Sequence[str], same: str) -> Iterator[str]:
    """Neurons, links and weights; the sum of a neuron; how many fit; what is shared.

    `letters` are those of neurons of one map; `same` is what links of one weight have alike.
    """
    neurons, values = prod(setting.output), prod(setting.input)
    links = sum(links_of(node, index) for index in product(*map(range, setting.output)))
    distinct = setting.weights * setting.output[0]
    biases = count_parameters(node.layer) - distinct
    shape = times(setting.output)
    filters = times((setting.output[0], setting.planes, *setting.kernel))
    each = f"{setting.weights} links each"
    if links != neurons * setting.weights:
        each = f"at most {setting.weights} links each, fewer at the border"
    added = f" (+ {biases} bias{'es' * (biases > 1)})" if biases else ""
    yield (
        f"{shape} = {neurons:,} neurons, {each}: {links:,} connections, {filters} = "
        f"{distinct} distinct weights{added}"
    )
    yield sums(setting, bool(biases))
    yield f"{fits(setting)}: each map is {times(setting.output[1:])}."
    whose = "all neurons of a map use one filter, on other pixels"
    if len(letters) > 1:
        *first, last = letters
        whose = f"{', '.join(first)} and {last} use one filter on other pixels, as {whose[:24]} do"
    yield f"Same {same}, same weight: {whose}."
    yield (
        f"A fully connected layer of this size would need {neurons:,} {TIMES} {values:,} = "
        f"{neurons * values:,} distinct weights."
    )


def times(sizes: Sequence[int]) -> str:
    return f" {TIMES} ".join(map(str, sizes))


def links_of(node: Node, index: Sequence[int]) -> int:
    """How many values a neuron reads."""
    return sum(size_of(piece) for _, piece in reads(node, one(index)))


def sums(setting: Setting, has_bias: bool) -> str:
    """Why a filter gives one map, however many planes it reads."""
    bias = " + bias" * has_bias
    many, planes = setting.output[0], setting.planes
    told = (
        f"A neuron is one sum: {times((planes, *setting.kernel))} = {setting.weights} "
        f"products{bias} → one number"
    )
    maps = f"{many} filter{'s' * (many > 1)} give{'s' * (many == 1)} {many} map{'s' * (many > 1)}"
    return f"{told} over all {planes} planes; so {maps}." if planes > 1 else f"{told}; {maps}."


def fits(setting: Setting) -> str:
    """`A window fits at (6 - 3)/1 + 1 = 4 places along each side`."""
    told = [_along(setting, axis) for axis in (0, 1)]
    if told[0] == told[1]:
        return f"A window fits at {told[0]} places along each side"
    places = " and ".join(f"{text} places {axis}" for text, axis in zip(told, AXES, strict=True))
    return f"A window fits at {places}"


def _along(setting: Setting, axis: int) -> str:
    size, kernel, stride, around, dilation = (
        setting.input[axis + 1], setting.kernel[axis], setting.stride[axis],
        setting.around[axis], setting.dilation[axis],
    )  # fmt: skip
    span = dilation * (kernel - 1) + 1
    padded = f" + {around} padding" if around else ""
    spans = f"{span}" if dilation == 1 else f"[{dilation}·({kernel} {MINUS} 1) + 1]"
    down = "" if (size + around - span) % stride == 0 else " rounded down"
    count = (size + around - span) // stride + 1
    return f"({size}{padded} {MINUS} {spans})/{stride}{down} + 1 = {count}"
