"""`netdsl explain FILE PLACE`: finds the place and asks the analyses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias

from netdsl.analyses.calls import call_paths
from netdsl.analyses.explain.block import (
    BlockReport,
    Otherwise,
    cost_of,
    explain_block,
    macs_of,
    plain_kernel,
)
from netdsl.analyses.explain.document import Document
from netdsl.analyses.explain.layer import (
    At,
    InputReport,
    LayerReport,
    explain_input,
    explain_layer,
)
from netdsl.analyses.explain.layer_words import input_page, layer_page, neuron_page
from netdsl.analyses.explain.network import NetworkReport, explain_network
from netdsl.analyses.explain.network_words import block_page, network_page
from netdsl.analyses.explain.neuron import NeuronReport, Sum, explain_neuron, sum_of
from netdsl.analyses.neurons import (
    IN_BRACKETS,
    NEURON,
    Neuron,
    NoSuchPlace,
    check_sizes,
    neuron_of,
    values_by_name,
)
from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.ir.graph import Graph, Input, Node, Scope
from netdsl.ops.refusal import Refusal
from netdsl.passes.copied import copied
from netdsl.passes.fix_sizes import fix_sizes
from netdsl.passes.variants import alone, plain, variants

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    Array = np.ndarray[Any, Any]

Report: TypeAlias = NetworkReport | BlockReport | LayerReport | InputReport | NeuronReport
Place: TypeAlias = "Input | Scope | Node | Neuron | None"
ASSUMED = 224
"""The size of an axis that nobody chose, or the nearest that the network takes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked besides the place.

    `sizes` are numbers for all open symbols, `to` others to compare with; `machine` are GB/s and
    TFLOP/s; `module` and `inputs` are what numbers of a neuron's sum come from.
    """

    sizes: Mapping[str, int] | None = None
    to: Mapping[str, int] | None = None
    batch: int = 1
    machine: tuple[float, float] | None = None
    module: nn.Module | None = None
    inputs: Mapping[str, Array] | None = None


def explain(graph: Graph, place: str, asked: Asked) -> Report:
    """The report of a place. Raises `NoSuchPlace`, a `ValueError`, for what is not there."""
    at = sizes_for(graph, asked.sizes)
    if at.are_assumed and NEURON.fullmatch(place) and not _is_path(graph, place):
        check_sizes(graph)
    fixed = at_sizes(graph, at.sizes)
    found = place_of(fixed, place)
    if asked.to is not None and found is not None:
        raise ValueError("two sizes are compared for a whole network; leave the place out")
    match found:
        case None:
            return _network(graph, fixed, at, asked)
        case Input():
            return explain_input(fixed, found, at)
        case Scope():
            return _block(fixed, found, at)
        case Neuron():
            return explain_neuron(fixed, found, at.sizes, _sum(found, asked))
        case _:
            return explain_layer(fixed, found, at, _same_call(graph, fixed, found))


def page_of(report: Report) -> Document:
    """The page of a report."""
    match report:
        case NetworkReport():
            return network_page(report)
        case BlockReport():
            return block_page(report)
        case LayerReport():
            return layer_page(report)
        case InputReport():
            return input_page(report)
        case NeuronReport():
            return neuron_page(report)


def as_json(report: Report) -> str:
    """All numbers of a report."""
    return json.dumps(asdict(report), indent=2) + "\n"


# --- sizes -------------------------------------------------------------------------------


def sizes_for(graph: Graph, wanted: Mapping[str, int] | None) -> At:
    """The sizes of a report: those wanted, or the nearest to a usual one.

    Raises `ValueError` for sizes that the network does not take.
    """
    if not graph.symbols and not wanted:
        return At({})
    contract = sizes_of(graph)
    if wanted:
        _check(contract, wanted)
        return At(dict(wanted))
    near = contract.nearest(**dict.fromkeys(graph.symbols, ASSUMED)).closest
    if near is None:
        example = ",".join(f"{symbol}=32" for symbol in graph.symbols)
        raise ValueError(f"the numbers depend on the size: say `--size {example}`")
    return At(near, are_assumed=True)


def _check(contract: Sizes, wanted: Mapping[str, int]) -> None:
    if not contract.accepts(**wanted):
        reasons = "; ".join(contract.explain(**wanted)[:1])
        near = contract.nearest(**wanted).closest
        shown = ",".join(f"{name}={size}" for name, size in (near or {}).items())
        way_out = f"; the nearest that works: `--size {shown}`" if near else ""
        raise ValueError(f"the network does not take these sizes: {reasons}{way_out}")


def at_sizes(graph: Graph, sizes: Mapping[str, int]) -> Graph:
    """The graph at these sizes; itself where none is open."""
    return fix_sizes(copied(graph), sizes) if sizes else graph


# --- places ------------------------------------------------------------------------------


def place_of(graph: Graph, text: str) -> Place:
    """What a text names: an input, a block, a layer, a neuron; None: the network itself.

    Raises `NoSuchPlace`.
    """
    if not text:
        return None
    places = _places(graph)
    if text in places:
        return places[text]
    if NEURON.fullmatch(text):
        return neuron_of(graph, text)
    match = IN_BRACKETS.fullmatch(text)
    if match is not None and match[1] in places:
        raise NoSuchPlace(
            f"`{text}` is no neuron of {match[1]}: its place is one whole number for each axis, "
            f"counted from 0, such as {match[1]}[0,4,4]"
        )
    raise NoSuchPlace(f"{graph.name} has no layer or block `{text}`{_nearest(text, places)}")


def _nearest(text: str, places: Mapping[str, object]) -> str:
    near = get_close_matches(text, places, 3)
    if near:
        return f"; did you mean {' or '.join(f'`{name}`' for name in near)}?"
    own = [name for name in places if "." not in name]
    listed = ", ".join(own[:8]) + ", ..." * (len(own) > 8)
    return f"; there are {listed}"


def _is_path(graph: Graph, text: str) -> bool:
    return text in _places(graph)


def _places(graph: Graph) -> dict[str, Input | Scope | Node]:
    """All that has a name: inputs, blocks, layers by path, and values by the name of a line."""
    places: dict[str, Input | Scope | Node] = {item.name: item for item in graph.inputs}
    for part, path in call_paths(graph).items():
        if path and (isinstance(part, Node) or part.label):
            known = places.get(path)
            if known is None or isinstance(part, Scope):
                places[path] = _without_shell(part)
    for name, value in values_by_name(graph).items():
        if value.producer is not None:
            places.setdefault(name, value.producer)
    return places


def _without_shell(part: Node | Scope) -> Node | Scope:
    """The layer of a labelled group that holds nothing else."""
    nodes = list(part.nodes()) if isinstance(part, Scope) else []
    return nodes[0] if len(nodes) == 1 else part


def _same_call(graph: Graph, fixed: Graph, node: Node) -> Node | None:
    """The same call in the graph of open sizes; None where no size is open."""
    if graph is fixed:
        return None
    return next(n for n, m in zip(graph.nodes(), fixed.nodes(), strict=True) if m is node)


# --- reports -----------------------------------------------------------------------------


def _network(graph: Graph, fixed: Graph, at: At, asked: Asked) -> NetworkReport:
    report = explain_network(fixed, at, graph, asked.batch, asked.machine)
    if asked.to is None:
        return report
    _check(sizes_of(graph), asked.to)
    other = explain_network(
        at_sizes(graph, asked.to), At(dict(asked.to)), graph, asked.batch, asked.machine
    )
    return replace(report, changed=other)


def _block(graph: Graph, scope: Scope, at: At) -> BlockReport:
    try:
        whole = alone(graph, scope)
    except Refusal:
        whole = None
    return explain_block(graph, scope, at, whole, list(_otherwise(graph, scope, whole)))


def _otherwise(graph: Graph, scope: Scope, whole: Graph | None) -> Iterator[Otherwise]:
    cost = macs_of(scope.nodes())
    ways = list(variants(graph, scope))
    kernel = plain_kernel(whole) if whole is not None else None
    weighing = [node for node in scope.nodes() if node.layer.weights and macs_of([node])]
    if whole is not None and kernel is not None and len(weighing) > 1:
        single = plain(whole, kernel)
        ways += [single] if single is not None else []
    for way in ways:
        if way.graph is None:
            yield Otherwise(way.name, way.what, refusal=way.refusal)
        else:
            yield cost_of(way.name, way.what, way.graph, cost)


def _sum(neuron: Neuron, asked: Asked) -> Sum | None:
    """The products of a neuron and their sum. Raises `ValueError` where it is no such sum."""
    if asked.module is None or asked.inputs is None:
        return None
    from netdsl.backends.torch.layer_values import layer_values

    node = neuron.value.producer
    if node is None or not any(spec.key == "weight" for spec in node.layer.weights):
        raise ValueError(
            f"{neuron.name} multiplies nothing by weights of its own, so it has no products; name "
            "a neuron of a convolution or of a linear layer"
        )
    if len(node.layer.calls) > 1:
        raise ValueError(f"{neuron.name} is a shared layer, and runs more than once: {node.path}")
    x, result, weights = layer_values(asked.module, node.path, asked.inputs)
    sum = sum_of(node, neuron.index, x, result, weights["weight"], weights.get("bias"))
    if sum is None:
        raise ValueError(f"{neuron.name} is no sum of products: {node.op.name}")
    return sum
