"""Which drawn box feeds which, with which tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from netdsl.backends.diagram.units import Unit, leaves
from netdsl.ir.graph import Graph, Node, Output, Value

INPUT, OUTPUT = "in", "out"
SKIP, SIZE_ONLY = "skip", "size"


@dataclass(frozen=True, slots=True)
class Wire:
    """A tensor on its way from one box to another; `port` is the reader's input, from 0.

    `mark` is what its look tells: a change (`added`, `gone`), that it is a skip, or that nothing
    but its size is read. `read` is the tensor that the reader takes, where that is the same of a
    later copy of what is drawn.
    """

    tail: str
    head: str
    value: Value
    port: int
    mark: str = ""
    read: Value | None = None

    @property
    def taken(self) -> Value:
        return self.read or self.value


@dataclass(slots=True)
class Wiring:
    """Boxes by key, and the wires between them, in the order of the network.

    Keys are `u0`, `u1`, ... for units, `in0`, `out0` for inputs and outputs.
    """

    leaves: dict[str, Unit] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)

    @classmethod
    def of(
        cls, graph: Graph, units: Sequence[Unit], outputs: Sequence[Output] | None = None
    ) -> Wiring:
        """The wires among these units, and to `outputs`: all of the network, if none are given."""
        wiring = cls({f"u{n}": unit for n, unit in enumerate(leaves(units))})
        aliases: dict[Value, Value] = {}
        for unit in _all(units):
            aliases.update(unit.aliases)
        makers = {item.value: f"{INPUT}{n}" for n, item in enumerate(graph.inputs)}
        for key, unit in wiring.leaves.items():
            for value in (*unit.outputs, *_node_outputs(unit)):
                makers[value] = key
        for key, unit in wiring.leaves.items():
            for port, value in enumerate(unit.read()):
                wiring._connect(value, key, port, makers, aliases)
        for number, output in enumerate(graph.outputs if outputs is None else outputs):
            wiring._connect(output.value, f"{OUTPUT}{number}", 0, makers, aliases)
        return wiring

    def _connect(
        self,
        value: Value,
        head: str,
        port: int,
        makers: dict[Value, str],
        aliases: dict[Value, Value],
    ) -> None:
        # a value of a later copy that is shown opened is read from the copy that is drawn
        tail, read = makers.get(value), value
        while tail is None and value in aliases:
            value = aliases[value]
            tail = makers.get(value)
        assert tail is not None, value
        self.wires.append(Wire(tail, head, value, port, read=read))


def _node_outputs(unit: Unit) -> Iterator[Value]:
    for node in unit.nodes:
        yield from node.outputs


def _all(units: Sequence[Unit]) -> Iterator[Unit]:
    for unit in units:
        yield unit
        yield from _all(unit.parts)


def coverage(units: Sequence[Unit]) -> list[tuple[Unit, list[Node]]]:
    """The nodes that each drawn box stands for, in all copies of the blocks around it."""
    pairs: list[tuple[Unit, list[Node]]] = []
    for unit in units:
        if not unit.is_open:
            pairs.append((unit, list(unit.covered())))
            continue
        places = {node: index for index, node in enumerate(unit.nodes)}
        for part, nodes in coverage(unit.parts):
            indices = [places[node] for node in nodes]
            pairs.append((part, [copy[i] for copy in unit.copies for i in indices]))
    return pairs
