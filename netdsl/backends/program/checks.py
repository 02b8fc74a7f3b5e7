"""Checks at the head of an exported program: sizes that PyTorch's own guards let through."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdsl.backends.program.steps import Steps
from netdsl.ir.graph import Graph

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

Axis = tuple[int, int]
"""An input, and one of its axes, batch included."""


@dataclass(frozen=True, slots=True)
class Check:
    """What an axis is compared with: a number, or another axis; with `step`, what is left of it."""

    axis: Axis
    compare: Callable[[Any, Any], Any]
    other: int | Axis
    words: str
    step: int = 1


def checks_of(
    graph: Graph, steps: Mapping[str, Steps], batch: tuple[str, Steps]
) -> Iterator[Check]:
    """The sizes of each symbol, at the first axis that has it; that the others have the same.

    PyTorch checks no steps (of `2*_H` any number is taken), and no least size of 2.
    """
    places: dict[str, list[Axis]] = {batch[0]: [(n, 0) for n in range(len(graph.inputs))]}
    for number, item in enumerate(graph.inputs):
        for axis, size in enumerate(item.shape, start=1):
            if str(size) in steps:
                places.setdefault(str(size), []).append((number, axis))
    for name, (first, *others) in places.items():
        yield from _of_symbol(name, steps[name] if name in steps else batch[1], first)
        for other in others:
            yield Check(other, operator.eq, first, f"all axes of {name} have one size")


def _of_symbol(name: str, one: Steps, axis: Axis) -> Iterator[Check]:
    if one.is_fixed:
        return
    if one.first > 1:
        yield Check(axis, operator.ge, one.first, f"{name} is {one.first} or more")
    if one.last is not None:
        yield Check(axis, operator.le, one.last, f"{name} is {one.last} or less")
    if one.step > 1:
        rest = one.first % one.step
        words = f"{name} % {one.step} is {rest}"
        yield Check(axis, operator.eq, rest, words, one.step)


def add_checks(program: ExportedProgram, checks: Iterator[Check]) -> None:
    """Put the checks before all other operations."""
    import torch

    graph = program.graph_module.graph
    places = {node.name: node for node in graph.nodes if node.op == "placeholder"}
    inputs = [places[str(name)] for name in program.graph_signature.user_inputs]
    start = next(node for node in graph.nodes if node.op != "placeholder")
    sizes: dict[Axis, Node] = {}

    def added(target: Any, arguments: tuple[Any, ...], value: Any) -> Node:
        node = graph.call_function(target, arguments)
        node.meta["val"] = value
        return node

    def size_of(axis: Axis) -> Node:
        if axis not in sizes:
            number, place = axis
            of = inputs[number].meta["val"].shape[place]
            sizes[axis] = added(torch.ops.aten.sym_size.int, (inputs[number], place), of)
        return sizes[axis]

    with graph.inserting_before(start):
        for check in checks:
            size = size_of(check.axis)
            if check.step > 1:
                size = added(operator.mod, (size, check.step), size.meta["val"] % check.step)
            other = size_of(check.other) if isinstance(check.other, tuple) else check.other
            holds = added(check.compare, (size, other), True)
            added(torch.ops.aten._assert_scalar.default, (holds, check.words), None)
    program.graph_module.recompile()
