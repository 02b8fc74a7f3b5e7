"""A block called alone, in a small net: which graph it gives for some arguments and inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from netdsl.diagnostics import Sink, Source
from netdsl.elaborate import Unit, Written, elaborate, load_program
from netdsl.elaborate.environment import LayerValue
from netdsl.elaborate.program import Block
from netdsl.importers.spelling import number
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Graph, Scope
from netdsl.ir.tensor import Tensor
from netdsl.ops import registry
from netdsl.ops.base import Op, op_of
from netdsl.syntax import ast
from netdsl.syntax.unparse_inline import parameter

MISSING = -4
"""What a layer counts that one of two graphs lacks."""


@dataclass(frozen=True, eq=False, slots=True)
class Instance:
    """One call of a block: its arguments, what flows in, how many values flow out."""

    arguments: Mapping[str, object]
    inputs: tuple[Tensor, ...]
    results: int

    @classmethod
    def of(cls, scope: Scope, names: list[str]) -> Instance:
        """The call that a scope is."""
        arguments = {name: _plain(scope.arguments[name].value) for name in names}
        return cls(arguments, tuple(value.type for value in scope.inputs), len(scope.outputs))

    def key(self) -> str:
        """The same for calls that give the same."""
        return f"{self.arguments} {list(map(str, self.inputs))}"


@dataclass(eq=False, slots=True)
class Trials:
    """Calls of blocks of one or another file by the parameters of one of them."""

    parameters: tuple[ast.Parameter, ...]
    budget: int = 5_000
    """How many layers may still be made."""
    most: int = 1_000
    """How many in one graph."""
    nets: dict[str, Unit | None] = field(default_factory=dict[str, "Unit | None"])

    def graph(self, block: Block, passed: Mapping[str, str], instance: Instance) -> Graph | None:
        """The graph of `block(passed)`, whose expressions speak of the parameters."""
        shapes, symbols = [], dict[Dim, str]()
        for one in instance.inputs:
            sizes = [str(s) if isinstance(s, int) else _symbol(s, symbols) for s in one.shape]
            shapes.append(("" if one.dtype == "float32" else f"{one.dtype} ", sizes))
        text = self.text(block.name, passed, shapes, instance.results)
        if text not in self.nets:
            unit = load_program(Source("trial", text), None, (), Sink())
            self.nets[text] = unit
        unit = self.nets[text]
        if unit is None or self.budget <= 0:
            return None
        unit.visible[block.name] = block
        graph = elaborate(unit, Sink(), params=dict(instance.arguments), max_nodes=self.most)
        self.budget -= 20 if graph is None else 10 + sum(1 for _ in graph.nodes())
        return graph

    def text(
        self,
        name: str,
        passed: Mapping[str, str],
        shapes: list[tuple[str, list[str]]],
        results: int,
    ) -> str:
        """A net that calls a block and gives all of its results."""
        takes = ", ".join(parameter(one) for one in self.parameters)
        names = [f"in{n}" for n in range(len(shapes))]
        lines = [
            f"input {one}: {dtype}[{', '.join(sizes)}]"
            for one, (dtype, sizes) in zip(names, shapes, strict=True)
        ]
        source = names[0] if len(names) == 1 else f"({', '.join(names)})"
        arguments = ", ".join(f"{one}={text}" for one, text in passed.items())
        targets = [f"part{n}" for n in range(results)]
        target = targets[0] if results == 1 else f"({', '.join(targets)})"
        lines.append(f"{target} = {source} -> whole: {name}({arguments})")
        lines += [f"output out{n} = {one}" for n, one in enumerate(targets)]
        inner = "\n    ".join(lines)
        return f"net Trial({takes}) {{\n    {inner}\n}}\n"


@dataclass(frozen=True, slots=True)
class Profile:
    """The layers of a graph: those with weights by their path, others by what they are."""

    weighted: Mapping[str, Op]
    others: Counter[str]

    @classmethod
    def of(cls, graph: Graph) -> Profile:
        weighted = {node.path: op_of(node) for node in graph.nodes() if node.layer.weights}
        rest = [(node, op_of(node)) for node in graph.nodes() if not node.layer.weights]
        others = Counter(str(op) for node, op in rest if not op.passes(len(node.inputs)))
        return cls(weighted, others)

    def likeness(self, other: Profile) -> int:
        """How many settings of layers two graphs have in common, less what one of them lacks."""
        score = MISSING * len(other.weighted.keys() - self.weighted.keys())
        for path, op in self.weighted.items():
            theirs = other.weighted.get(path)
            if theirs is None or type(theirs) is not type(op):
                score += MISSING
                continue
            pairs = zip(op.settings(), theirs.settings(), strict=True)
            score += (op == theirs) + sum(a == b for (_, a), (_, b) in pairs)
        common = (self.others & other.others).total()
        return score + 3 * common - self.others.total() - other.others.total()


def layer_text(op: Op) -> str:
    """A layer with what is not as it would be anyway: `batchnorm(eps=0.001)`."""
    texts = [
        f"{one.name}={value if isinstance(value, str) else number(value)}"
        for one, value in op.settings()
        if isinstance(value, int | float | str) and (one.required or value != one.default)
    ]
    return f"{op.name}({', '.join(texts)})" if texts else op.name


def is_act(op: Op) -> bool:
    """Whether a layer may stand where a block takes a norm or an activation."""
    return op.name in registry() and op.family in ("norms", "activations")


def _plain(value: object) -> object:
    """A value as it may be given to a net: layers by their text."""
    while isinstance(value, LayerValue) and isinstance(value.target, LayerValue):
        value = value.target
    return Written(value.text) if isinstance(value, LayerValue) else value


def _symbol(size: Dim, symbols: dict[Dim, str]) -> str:
    """A name for an open size, the same for the same size."""
    return symbols.setdefault(size, f"N{len(symbols)}")
