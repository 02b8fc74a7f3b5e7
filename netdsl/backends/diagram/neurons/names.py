"""Which neuron is meant: `conv2[0,4,4]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from netdsl.analyses.dims import Dims
from netdsl.analyses.links import UnknownLinks, shape_of
from netdsl.backends.diagram.calls import call_paths
from netdsl.backends.diagram.fonts import shorten, text_width
from netdsl.backends.diagram.options import DrawError
from netdsl.ir.graph import Graph, Value

NEURON = re.compile(r"\s*(.{1,4000}?)\s*\[([\d\s,]{0,200})\]\s*", re.ASCII)
BRACKETS = re.compile(r"\[(\d+)\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Neuron:
    """One number of a value: its index, channels first."""

    value: Value
    index: tuple[int, ...]
    name: str

    def __str__(self) -> str:
        return f"{self.name}[{','.join(map(str, self.index))}]"


def neuron_of(graph: Graph, text: str) -> Neuron:
    """The neuron of a text. Raises `DrawError`, which says what there is."""
    match = NEURON.fullmatch(text)
    if match is None:
        raise DrawError(f"`{text}` is no neuron; write a layer and a place, such as conv2[0,4,4]")
    values = _values_by_name(graph)
    name = match[1]
    if name not in values:  # `down[3]` is written so, and called `down3`
        name = BRACKETS.sub(r"\1", name)
    if name not in values:
        near = get_close_matches(name, values, 3) or list(values)[:4]
        raise DrawError(
            f"there is no layer `{match[1]}`; there are, for example: {', '.join(near)}"
        )
    value = values[name]
    shape = shape_of(value)
    index = tuple(int(part) for part in match[2].split(",") if part.strip())
    if len(index) != len(shape) or any(i >= n for i, n in zip(index, shape, strict=True)):
        last = ",".join(str(n - 1) for n in shape)
        axes = {1: "", 3: " (channel, row, column)", 2: " (channel, place)"}.get(len(shape), "")
        raise DrawError(f"`{text}` is not in {name}, whose last neuron is {name}[{last}]{axes}")
    return Neuron(value, index, name)


def _values_by_name(graph: Graph) -> dict[str, Value]:
    """Values by name; those of each call of a shared layer have names of their own."""
    values = Dims(graph).values_by_name()
    paths = call_paths(graph)
    for item in (*graph.root.scopes(), *graph.nodes()):
        if len(item.outputs) == 1 and paths[item] != item.path:
            values.setdefault(paths[item], item.outputs[0])
    return values


def check_sizes(graph: Graph) -> None:
    """Neurons are counted: all sizes must be numbers. Raises `DrawError`."""
    if graph.symbols and any(not isinstance(n, int) for i in graph.inputs for n in i.shape):
        example = ",".join(f"{symbol}=32" for symbol in graph.symbols)
        raise DrawError(f"neurons are counted, so sizes must be numbers: say `--size {example}`")


def told(error: UnknownLinks, names: Mapping[int, str] | None = None) -> DrawError:
    """What to say of a layer whose links are not known."""
    node = error.node
    return DrawError(
        f"the links of `{node.op.name}` ({node.path}, line {node.span.line}) can't be drawn one by "
        "one; choose a neuron before it, or draw `--level blocks`"
    )


def last_parts(path: str, size: float, width: float) -> str:
    """A path in bold, or as many of its last parts as fit."""
    shown, parts = path, path.split(".")
    while text_width(shown, size, True) > width and len(parts) > 1:
        parts = parts[1:]
        shown = ".." + ".".join(parts)
    return shorten(shown, size, width, True)
