"""A network in numbers: how deep it is, and where its weights, its work and its memory are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from netdsl.analyses.cost import count_parameters, layer_text, macs
from netdsl.analyses.explain.contract import Bound, bounds
from netdsl.analyses.explain.layer import At, AxisField, fields_of, number
from netdsl.analyses.links import shape_of
from netdsl.analyses.memory import memory
from netdsl.analyses.receptive_field import ReceptiveFields
from netdsl.analyses.sizes import sizes_of
from netdsl.analyses.training import kept
from netdsl.ir.graph import Child, Graph, Node, Output, Value
from netdsl.ir.tensor import BYTES
from netdsl.ops.base import op_of

FLOAT = 4
"""Bytes of a weight, of its gradient, and of each number that an optimizer keeps of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A layer or a stage (what stands directly in the net), and its share of the whole.

    `values` are the bytes of its results, `moved` those that it reads and writes, weights
    included. `output` is the shape of its first result.
    """

    path: str
    what: str
    output: tuple[int, ...]
    parameters: int
    macs: int
    values: int
    moved: int

    @property
    def intensity(self) -> float:
        """Operations for each byte that is moved; a multiply-add is two."""
        return 2 * self.macs / self.moved if self.moved else 0.0


@dataclass(frozen=True, slots=True)
class Depth:
    """How many layers there are that multiply by weights, in all and one behind the other.

    These are the convolutions, the linear layers and the like that run at inference. `path` are
    those of a longest way through the network.
    """

    layers: int
    longest: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bytes:
    """The memory of a batch of so many samples, in bytes.

    `weights` holds all that is stored under a key of those that inference needs; `inference` is
    the most that values take at once, at `at`; `kept` is what PyTorch keeps of the forward pass of
    training for its backward pass (see `analyses/training.py`), `missing` the layers that this
    does not know. In training the weights have gradients of `gradients` bytes beside them.
    """

    batch: int
    weights: int
    inference: int
    at: str
    kept: int
    gradients: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Roofline:
    """How fast a machine could be that moves `gbs` GB/s and computes `tflops` TFLOP/s.

    Each layer takes the longer of what its bytes and its operations take; `ridge` are the
    operations for each byte from which on computing takes longer. `moving` are the seconds of
    layers that wait for memory, `computing` those of the others.
    """

    gbs: float
    tflops: float
    ridge: float
    seconds: float
    moving: float
    computing: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What one place of a value sees of an input."""

    path: str
    input: str
    axes: tuple[AxisField, ...]


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """What `netdsl explain FILE` tells. All counts are for one sample.

    `fields` has the growth of the field layer by layer, of those that see more than the one
    before, `outputs` what each output sees. `contract` are the sizes that it takes in words and
    `bounds` which stage sets each part of that. `changed` is the same network at other sizes.
    """

    network: str
    sizes: Mapping[str, int]
    are_assumed: bool
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    parameters: int
    inference_parameters: int
    macs: int
    neurons: int
    depth: Depth
    layers: tuple[Part, ...]
    stages: tuple[Part, ...]
    fields: tuple[Seen, ...]
    ends: tuple[Seen, ...]
    contract: str
    bounds: tuple[Bound, ...]
    bytes: Bytes
    moved: int
    roofline: Roofline | None = None
    changed: NetworkReport | None = None
    kind: str = "network"

    @property
    def intensity(self) -> float:
        """Operations for each byte, where each layer reads all it takes and writes all it gives."""
        return 2 * self.macs / self.moved if self.moved else 0.0


def explain_network(
    graph: Graph,
    at: At,
    opened: Graph,
    batch: int = 1,
    machine: tuple[float, float] | None = None,
) -> NetworkReport:
    """The report; all sizes of `graph` are known, `opened` is the same with open ones.

    `machine` are GB/s and TFLOP/s.
    """
    running = graph.inference_nodes()
    layers = tuple(part_of(node) for node in running)
    stages = tuple(_stage(member) for member in graph.root.members() if _runs(member, running))
    contract, fields = sizes_of(opened), ReceptiveFields(graph)
    weighing = [node for node in running if multiplies_weights(node)]
    ran = list(dict.fromkeys(node.layer for node in running))
    return NetworkReport(
        graph.name,
        at.sizes,
        at.are_assumed,
        {item.name: shape_of(item.value) for item in graph.inputs},
        {item.name: shape_of(item.value) for item in graph.inference_outputs},
        sum(map(count_parameters, graph.layers())),
        sum(map(count_parameters, ran)),
        sum(part.macs for part in layers),
        sum(prod(shape_of(value)) for node in weighing for value in node.outputs),
        depth(running),
        layers,
        stages,
        growth(graph, fields, running),
        tuple(_seen(graph, fields, item) for item in graph.inference_outputs),
        str(contract),
        bounds(contract),
        _bytes(graph, ran, batch),
        sum(part.moved for part in layers),
        None if machine is None else roofline(layers, *machine),
    )


def _runs(member: Child, running: Iterable[Node]) -> bool:
    nodes = [member] if isinstance(member, Node) else list(member.nodes())
    return not set(running).isdisjoint(nodes)


def multiplies_weights(node: Node) -> bool:
    """Whether it is a layer that multiplies what comes in by weights: convolution, linear, ..."""
    op = op_of(node)
    has_own = any(spec.trained for spec in node.layer.weights)
    return number(macs(node)) > 0 and (has_own or bool(op.table_inputs()))


def depth(running: Iterable[Node]) -> Depth:
    """The longest way through the network, counted in layers that multiply by weights."""
    nodes = list(running)
    best: dict[Value, tuple[int, Value | None, str]] = {}
    for node in nodes:
        before = max(
            (value for _, value in node.data_inputs() if value in best),
            key=lambda value: best[value][0],
            default=None,
        )
        length = best[before][0] if before is not None else 0
        is_one = multiplies_weights(node)
        for value in node.outputs:
            best[value] = (length + is_one, before, node.path if is_one else "")
    last = max(best, key=lambda value: best[value][0], default=None)
    path: list[str] = []
    step = last
    while step is not None:
        _, step, name = best[step]
        path += [name] if name else []
    layers = {node.layer for node in nodes if multiplies_weights(node)}
    return Depth(len(layers), best[last][0] if last is not None else 0, tuple(reversed(path)))


def part_of(node: Node) -> Part:
    """A layer, in the place of one call."""
    weights = sum(prod(spec.shape) * BYTES.get(spec.dtype, 4) for spec in node.layer.weights)
    results = sum(map(_bytes_of, node.outputs))
    read = sum(_bytes_of(value) for _, value in node.data_inputs())
    is_first = node.layer.calls[0] is node
    output = shape_of(node.outputs[0]) if node.outputs else ()
    parameters = count_parameters(node.layer) if is_first else 0
    return Part(
        node.path,
        layer_text(op_of(node)),
        output,
        parameters,
        number(macs(node)),
        results,
        read + results + weights,
    )


def _stage(member: Child) -> Part:
    if isinstance(member, Node):
        return part_of(member)
    parts = [part_of(node) for node in member.nodes()]
    return Part(
        member.path,
        member.definition or member.kind.value,
        shape_of(member.outputs[0]) if member.outputs else (),
        sum(part.parameters for part in parts),
        sum(part.macs for part in parts),
        sum(part.values for part in parts),
        sum(part.moved for part in parts),
    )


def _bytes_of(value: Value) -> int:
    return prod(shape_of(value)) * BYTES.get(value.type.dtype, 4)


def _bytes(graph: Graph, ran: Sequence[object], batch: int) -> Bytes:
    specs = [spec for layer in graph.layers() if layer in ran for spec in layer.weights]
    held, trained = memory(graph), kept(graph)
    gradients = sum(map(count_parameters, graph.layers())) * FLOAT
    return Bytes(
        batch,
        sum(prod(spec.shape) * BYTES.get(spec.dtype, 4) for spec in specs),
        (held.peak or 0) * batch,
        held.at,
        trained.of(batch),
        gradients,
        trained.unknown,
    )


def growth(graph: Graph, fields: ReceptiveFields, running: Iterable[Node]) -> tuple[Seen, ...]:
    """The layers behind which a place sees more of an input than behind all before."""
    seen: list[Seen] = []
    most: dict[str, tuple[int, ...]] = {}
    for node in running:
        for name, axes in fields_of(graph, fields, node.outputs[0]).items():
            sizes = tuple(axis.unclipped for axis in axes)
            before = most.get(name, (0,) * len(sizes))
            if any(n > m for n, m in zip(sizes, before, strict=True)):
                most[name] = tuple(map(max, sizes, before))
                seen.append(Seen(node.path, name, axes))
    return tuple(seen)


def _seen(graph: Graph, every: ReceptiveFields, output: Output) -> Seen:
    fields = fields_of(graph, every, output.value)
    item = next(iter(fields), "")
    return Seen(output.name, item, fields.get(item, ()))


def roofline(layers: Sequence[Part], gbs: float, tflops: float) -> Roofline:
    """The least time of a pass: each layer waits for its bytes or for its operations."""
    moving = computing = 0.0
    for part in layers:
        by_bytes, by_operations = part.moved / (gbs * 1e9), 2 * part.macs / (tflops * 1e12)
        if by_bytes >= by_operations:
            moving += by_bytes
        else:
            computing += by_operations
    ridge = tflops * 1e12 / (gbs * 1e9)
    return Roofline(gbs, tflops, ridge, moving + computing, moving, computing)
