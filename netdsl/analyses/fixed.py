"""Sizes asked of a network whose sizes are all fixed: what its axes are usually called."""

from __future__ import annotations

from collections.abc import Mapping

from netdsl.ir.graph import Graph, Input

USUAL = {1: ("F",), 2: ("C", "L"), 3: ("C", "H", "W"), 4: ("C", "D", "H", "W")}
"""Names of axes by rank, as the language's shapes are written."""


def shapes(graph: Graph) -> str:
    """`image [1, 28, 28]`, input by input."""
    return ", ".join(f"{item.name} {item.value.type}" for item in graph.inputs)


def mismatches(graph: Graph, wanted: Mapping[str, int]) -> list[str]:
    """Which of these sizes the inputs do not have, by the usual names of their axes.

    Raises `ValueError` for a name that no input has an axis for.
    """
    for name in wanted:
        if not any(name in _axes(item) for item in graph.inputs):
            names = dict.fromkeys(axis for item in graph.inputs for axis in _axes(item))
            raise ValueError(
                f"the sizes of this network are fixed, and none is called {name}; it takes "
                f"{shapes(graph)}, whose axes are asked for as {', '.join(names) or 'nothing'}"
            )
    return [
        f"the size of {item.name} is fixed: {name} is {size}, not {wanted[name]}"
        for item in graph.inputs
        for name, size in _axes(item).items()
        if name in wanted and size != wanted[name]
    ]


def _axes(item: Input) -> dict[str, int]:
    names = USUAL.get(len(item.shape), ())
    return {
        name: size for name, size in zip(names, item.shape, strict=False) if isinstance(size, int)
    }
