"""Places inside a network, by the names that they have in its file."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.analyses.neurons import NEURON, NoSuchPlace, value_named
from netdsl.ir.graph import Graph, Value
from netdsl.see.errors import SeeError


@dataclass(frozen=True, slots=True)
class Place:
    """A value of the network, and maybe one of its channels, or one neuron of it."""

    name: str
    value: Value
    index: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}[{','.join(map(str, self.index))}]" if self.index else self.name


def place(graph: Graph, text: str) -> Place:
    """The value of a layer, a block or a name: `inception4c`. Raises `SeeError`."""
    try:
        return Place(*value_named(graph, text))
    except NoSuchPlace as error:
        raise SeeError(str(error)) from None


def neuron(graph: Graph, text: str) -> Place:
    """A channel or a neuron: `conv2[7]`, `conv2[7,4,4]`. Raises `SeeError`."""
    match = NEURON.fullmatch(text)
    if match is None:
        raise SeeError(
            f"`{text}` is no channel and no neuron; write a layer and a place: "
            "`conv2[7]` is all of map 7, `conv2[7,4,4]` one neuron of it"
        )
    whole = place(graph, match[1])
    shape = whole.value.type.shape
    index = tuple(int(part) for part in match[2].split(",") if part.strip())
    if len(index) not in (1, len(shape)):
        raise SeeError(
            f"`{text}` has {len(index)} numbers, and {whole.name} has {len(shape)} axes: "
            f"write one number, of a channel, or {len(shape)}"
        )
    for axis, (i, size) in enumerate(zip(index, shape, strict=False)):
        if isinstance(size, int) and i >= size:
            raise SeeError(
                f"`{text}` is not in {whole.name}, which is {whole.value.type}: "
                f"axis {axis} goes from 0 to {size - 1}"
            )
    return Place(whole.name, whole.value, index)
