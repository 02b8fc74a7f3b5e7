"""Numbers of calls that differ between uses of a block: attributes, so that its class is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from netdsl.backends.torch.layout import Hole
from netdsl.backends.torch.members import Member, is_attribute, recipe_of
from netdsl.backends.torch.python_names import is_plain
from netdsl.ir.graph import Graph, Node
from netdsl.ops.base import op_of
from netdsl.ops.op_parameters import parameters
from netdsl.ops.params import FLOAT, NUMBER, NUMBERS
from netdsl.ops.recipe import From, Setting, TorchCall

Number: TypeAlias = "int | float"
KINDS = (FLOAT.name, NUMBER.name, NUMBERS.name)
"""Of settings that numbers of an arithmetic are given for; others decide what is called."""


class Varying:
    """The numbers that are written in `forward`, and are not the same in all uses of a block."""

    def __init__(self, graph: Graph) -> None:
        values: dict[tuple[str, ...], set[object]] = {}
        self._numbers: dict[Node, Mapping[str, Number]] = {}
        for node in graph.nodes():
            self._numbers[node] = dict(_numbers(node))
            for field, number in self._numbers[node].items():
                values.setdefault(_place(node, field), set()).add((type(number), number))
        self._several = {place for place, numbers in values.items() if len(numbers) > 1}

    def attributes(self, node: Node, members: Iterable[Member]) -> dict[str, tuple[str, Hole]]:
        """By field, the name of the attribute that holds it, and what it is made of.

        There is none where Python does not take the name, or a module goes by it.
        """
        fields = self._numbers[node]
        varying = [field for field in fields if _place(node, field) in self._several]
        if not varying:
            return {}
        names = {
            field: node.label if len(fields) == 1 else f"{node.label}_{field}" for field in varying
        }
        others = [part.label for part in members if part is not node]
        taken = {label.split(".")[0] for label in others}
        arguments = node.layer.arguments
        return {
            field: (name, Hole(fields[field], arguments[field].formula, field))
            for field, name in names.items()
            if is_plain(name) and name not in taken and field in arguments
        }


def _place(node: Node, field: str) -> tuple[str, ...]:
    """A setting of a call by its place in a definition."""
    home = node.scope.home()
    return home.definition, node.path.removeprefix(home.path), node.op.name, field


def _numbers(node: Node) -> Iterator[tuple[str, Number]]:
    """The numbers that a call is written with, by the fields they come from."""
    recipe = recipe_of(node)
    if is_attribute(node) or not isinstance(recipe, TorchCall):
        return
    numeric = {p.name for p in parameters(type(op_of(node))) if p.kind.name in KINDS}
    for value in (*recipe.args, *(value for _, value in recipe.kwargs)):
        match value.value if isinstance(value, Setting) else value:
            case From(int() | float() as number, field) if field in numeric:
                yield field, number
            case _:
                pass
