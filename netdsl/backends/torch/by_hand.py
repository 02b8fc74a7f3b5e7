"""How a network of PyTorch is made to take any size, in lines around its call."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netdsl.backends.torch.calls import Speaker
from netdsl.backends.torch.layout import Expr, fill, lines, literal
from netdsl.backends.torch.members import recipe_of
from netdsl.backends.torch.python_names import field_names
from netdsl.backends.torch.sizes import At
from netdsl.backends.torch.tables import with_batch
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ops.recipe import TorchCall

CALLED = "network"


def by_hand(graph: Graph, fitted: Graph) -> str:
    """The code that does around `network`, a module of the graph, what `fitted` has in itself."""
    own = {node.path for node in graph.nodes()}
    running = fitted.inference_nodes()
    added = [node for node in fitted.nodes() if node.path not in own and node in running]
    names = {item.value: item.name for item in fitted.inputs}
    at_hand = [(item.name, item.value) for item in fitted.inputs]
    entering: list[Node] = []
    for node in added:
        if node.inputs[0] in names or node.inputs[0].producer in entering:
            entering.append(node)
    text = [line for node in entering for line in _line(node, names, at_hand)]
    leaving = [node for node in added if node not in entering]
    text += _call(fitted, entering, leaving, names)
    text += [line for node in leaving for line in _line(node, names, at_hand)]
    code = "\n".join(text)
    needs_functions = re.search(r"\bF\.", code) is not None
    return f"import torch.nn.functional as F\n\n{code}" if needs_functions else code


def _call(
    fitted: Graph, entering: list[Node], leaving: list[Node], names: dict[Value, str]
) -> Iterator[str]:
    """The line that runs the network; what its results are called then goes to the names."""
    behind = {node.inputs[0]: node.output for node in entering}
    arguments: list[str] = []
    for item in fitted.inputs:
        value = item.value
        while value in behind:
            value = behind[value]
        arguments.append(names[value])
    outputs = fitted.inference_outputs
    fields = field_names(output.name for output in outputs)
    is_single = len(outputs) == 1
    yield f"{fields[0] if is_single else 'outputs'} = {CALLED}({', '.join(arguments)})"
    starts = {node.output: node.inputs[0] for node in leaving}
    for output, field in zip(outputs, fields, strict=True):
        value = output.value
        while value in starts:
            names[value] = field
            value = starts[value]
        names[value] = field if is_single else f"outputs.{field}"


def _line(node: Node, names: dict[Value, str], at_hand: list[At]) -> list[str]:
    """`padded = F.pad(image, ...)`."""
    recipe, value = recipe_of(node), node.inputs[0]
    assert isinstance(recipe, TorchCall)
    name = names.setdefault(node.output, node.output.name or "x")
    args: list[Expr] = [names[value]]
    expr = Speaker(node, with_batch(node, args), [*at_hand, (names[value], value)]).function(recipe)
    return lines(fill(expr, lambda hole: literal(hole.value)), 0, f"{name} = ")
