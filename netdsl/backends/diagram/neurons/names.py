"""Neurons of a picture by name, and what to say where they can't be drawn."""

from __future__ import annotations

from collections.abc import Mapping

from netdsl.analyses import neurons
from netdsl.analyses.links import UnknownLinks
from netdsl.analyses.neurons import Neuron
from netdsl.backends.diagram.fonts import shorten, text_width
from netdsl.backends.diagram.options import DrawError
from netdsl.ir.graph import Graph

__all__ = ["Neuron", "check_sizes", "last_parts", "neuron_of", "told"]


def neuron_of(graph: Graph, text: str) -> Neuron:
    """The neuron of a text. Raises `DrawError`, which says what there is."""
    try:
        return neurons.neuron_of(graph, text)
    except neurons.NoSuchPlace as error:
        raise DrawError(str(error)) from None


def check_sizes(graph: Graph) -> None:
    """Neurons are counted: all sizes must be numbers. Raises `DrawError`."""
    try:
        neurons.check_sizes(graph)
    except neurons.NoSuchPlace as error:
        raise DrawError(str(error)) from None


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
