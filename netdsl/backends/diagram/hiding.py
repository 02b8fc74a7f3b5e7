"""What a drawing leaves out because it was asked to, and how the legend counts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from netdsl.backends.diagram.options import HIDDEN_LAYERS, Options
from netdsl.backends.diagram.roles import role_of
from netdsl.ir.graph import Graph, Node
from netdsl.ops.base import op_of

_KINDS: dict[str, Callable[[Node], bool]] = {
    "dropout": lambda node: node.op.family == "regularising",
    "norm": lambda node: node.op.family == "norms",
    "activation": lambda node: node.op.family == "activations",
    "moves": lambda node: role_of(op_of(node)) == "move",
}
"""By the word of the legend."""
_NAMES = {
    "dropout": ("dropout", "dropouts"),
    "norm": ("normalisation", "normalisations"),
    "activation": ("activation", "activations"),
    "moves": ("layer that moves values only", "layers that move values only"),
}


def hidden_nodes(graph: Graph, options: Options) -> frozenset[Node]:
    """Layers through which a wire goes as if they were not there: one tensor in, one out."""
    return frozenset(node for node in graph.nodes() if _word(node, options))


def hides_training(options: Options) -> bool:
    """Whether what runs in training only is left out."""
    return "training" in options.hide


def left_out(graph: Graph, options: Options, shown: frozenset[Node]) -> str:
    """`not drawn: 57 normalisations, 2 outputs and 20 operations of training`.

    `shown` are those that no neighbour could take along, which are drawn all the same.
    """
    hidden = hidden_nodes(graph, options).difference(shown)
    if hides_training(options) or options.level == "volumes":
        hidden &= graph.inference_nodes()
    counts = Counter(_word(node, options) for node in hidden)
    parts = [
        f"{counts[kind]:,} {_NAMES[kind][counts[kind] > 1]}"
        for kind in HIDDEN_LAYERS
        if counts[kind]
    ]
    if hides_training(options):
        ends = sum(output.when_training for output in graph.outputs)
        number = sum(1 for _ in graph.nodes()) - len(graph.inference_nodes())
        if number:
            also = f" and {ends} output{'s' * (ends != 1)}" if ends else ""
            parts.append(f"{number:,} operation{'s' * (number != 1)}{also} in training only")
    kept = f" ({len(shown):,} more drawn, where nothing else takes them along)" if shown else ""
    return f"not drawn: {', '.join(parts)}{kept}" if parts else ""


def _word(node: Node, options: Options) -> str:
    """Which word of `--hide` is for a layer; empty for none."""
    if len(node.outputs) != 1 or len(node.data_inputs()) != 1 or not node.inputs[0].type.batched:
        return ""
    return next((k for k, is_meant in _KINDS.items() if k in options.hide and is_meant(node)), "")
