"""Which neuron is meant: `conv2[0,4,4]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from netdsl.analyses.calls import call_paths
from netdsl.analyses.dims import Dims
from netdsl.analyses.links import shape_of
from netdsl.analyses.sizes import sizes_of
from netdsl.ir.graph import Graph, Value

NEURON = re.compile(r"\s*(.{1,4000}?)\s*\[([\d\s,]{0,200})\]\s*", re.ASCII)
BRACKETS = re.compile(r"\[(\d+)\]", re.ASCII)
AXES = {
    1: "",
    2: " (channel, place)",
    3: " (channel, row, column)",
    4: " (channel, depth, row, column)",
}
EXAMPLE_SIZE = 32
"""The size that is proposed where the network takes it."""
IN_BRACKETS = re.compile(r"(.{1,4000}?)\s*\[[^\[\]]*\]?\s*")


class NoSuchPlace(ValueError):
    """A place that a network does not have; the text says what there is."""


@dataclass(frozen=True, slots=True)
class Neuron:
    """One number of a value: its index, channels first."""

    value: Value
    index: tuple[int, ...]
    name: str

    def __str__(self) -> str:
        return f"{self.name}[{','.join(map(str, self.index))}]"


def neuron_of(graph: Graph, text: str) -> Neuron:
    """The neuron of a text. Raises `NoSuchPlace`."""
    match = NEURON.fullmatch(text)
    if match is None:
        raise NoSuchPlace(f"`{text}` is no neuron; write a layer and a place, such as conv2[0,4,4]")
    name, value = value_named(graph, match[1])
    shape = shape_of(value)
    index = tuple(int(part) for part in match[2].split(",") if part.strip())
    if len(index) != len(shape) or any(i >= n for i, n in zip(index, shape, strict=True)):
        last = ",".join(str(n - 1) for n in shape)
        axes = AXES.get(len(shape), "")
        kind = "value" if value.producer is None else "neuron"
        raise NoSuchPlace(
            f"`{text}` is not in {name}, whose last {kind} is {name}[{last}]{axes}: its shape is "
            f"{list(shape)}, and places are counted from 0"
        )
    return Neuron(value, index, name)


def value_named(graph: Graph, text: str) -> tuple[str, Value]:
    """The value of a layer, a block or a name, and what it is called. Raises `NoSuchPlace`."""
    values = values_by_name(graph)
    for name in (text.strip(), BRACKETS.sub(r"\1", text.strip())):  # `down[3]` is called `down3`
        if name in values:
            return name, values[name]
    near = get_close_matches(text, values, 3) or list(values)[:4]
    raise NoSuchPlace(f"there is no layer `{text}`; there are, for example: {', '.join(near)}")


def values_by_name(graph: Graph) -> dict[str, Value]:
    """Values by name; those of each call of a shared layer have names of their own."""
    values = dict(Dims(graph).values_by_name())
    paths = call_paths(graph)
    for item in (*graph.root.scopes(), *graph.nodes()):
        if len(item.outputs) == 1 and paths[item] != item.path:
            values.setdefault(paths[item], item.outputs[0])
    return values


def check_sizes(graph: Graph) -> None:
    """Neurons are counted: all sizes must be numbers. Raises `NoSuchPlace`."""
    if graph.symbols and any(not isinstance(n, int) for i in graph.inputs for n in i.shape):
        sizes, asked = sizes_of(graph), dict.fromkeys(graph.symbols, EXAMPLE_SIZE)
        near = None if sizes.accepts(**asked) else sizes.nearest(**asked).closest or sizes.small()
        example = ",".join(f"{symbol}={size}" for symbol, size in (near or asked).items())
        raise NoSuchPlace(f"neurons are counted, so sizes must be numbers: say `--size {example}`")
