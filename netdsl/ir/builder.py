"""How a graph is made: all of its values, layers, nodes, scopes and requirements begin here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Never, TypeAlias

from netdsl.diagnostics import Sink, Span
from netdsl.ir.condition import Truth, all_of
from netdsl.ir.dim import Size, symbol
from netdsl.ir.graph import (
    Argument,
    Graph,
    Input,
    Kind,
    Layer,
    Needed,
    Node,
    OpLike,
    Output,
    Requirement,
    Scope,
    Value,
    WeightSpec,
)
from netdsl.ir.paths import Naming, write_paths
from netdsl.ir.simplify import conjunction
from netdsl.ir.solver import Domain, Verdict
from netdsl.ir.tensor import Tensor

EMPTY: Mapping[str, Never] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rule of an op says of its inputs: types of the results, weights, conditions."""

    types: tuple[Tensor, ...]
    weights: tuple[WeightSpec, ...]
    needed: Sequence[Needed]


Rule: TypeAlias = Callable[[OpLike, tuple[Tensor, ...]], Judged]
"""Judges an op over its inputs; raises where it does not take them."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where parts are put: a scope, and how what stands in it is named.

    `is_named` is True for a scope with names of its own, which are settled when it ends.
    """

    scope: Scope
    naming: Naming
    is_named: bool = False


@dataclass(eq=False)
class Builder:
    """A graph in the making; `rule` judges each layer, the sink is told of names that clash.

    `used` are the values that something takes, `measured` those that are asked for a size.
    """

    name: str
    rule: Rule
    sink: Sink
    span: Span
    doc: str = ""
    inputs: list[Input] = field(default_factory=list[Input])
    outputs: list[Output] = field(default_factory=list[Output])
    symbols: list[str] = field(default_factory=list[str])
    where: Truth = True
    where_span: Span | None = None
    requirements: list[Requirement] = field(default_factory=list[Requirement])
    used: set[Value] = field(default_factory=set[Value])
    measured: set[Value] = field(default_factory=set[Value])

    def __post_init__(self) -> None:
        root = Scope(Kind.NET, self.span, definition=self.name, doc=self.doc)
        self.site = Site(root, Naming(numbered=False), is_named=True)

    # --- sizes

    def symbol(self, name: str) -> Size:
        """A size that is left open."""
        self.symbols.append(name)
        return symbol(name)

    def restrict(self, condition: Truth, span: Span) -> None:
        """Allow only the sizes at which this holds."""
        self.where_span = (self.where_span or span).to(span)
        self.where = all_of(self.where, condition)

    def need(
        self,
        condition: Truth,
        span: Span,
        message: str,
        *,
        node: Node | None = None,
        scope: Scope | None = None,
    ) -> None:
        """Keep a condition that holds for some sizes only, of a node or of a block."""
        requirement = Requirement(condition, "shape-mismatch", message, span, node, scope=scope)
        self.requirements.append(requirement)

    def holds(self, condition: Truth) -> bool | None:
        """Whether it holds at every allowed size; None: at some only, or nobody knows."""
        needed = [r.condition for r in self.requirements if not r.training_only]
        domain = Domain(tuple(self.symbols), conjunction([self.where, *needed]))
        answers = {Verdict.PROVED: True, Verdict.REFUTED: False}
        return answers.get(domain.decide(condition))

    # --- parts

    def input(self, name: str, tensor: Tensor, span: Span) -> Value:
        """What flows in from outside."""
        value = Value(tensor, span, name)
        self.inputs.append(Input(name, value))
        return value

    def layer(
        self,
        site: Site,
        op: OpLike,
        inputs: tuple[Value, ...],
        span: Span,
        *,
        label: str = "",
        arguments: Mapping[str, Argument] = EMPTY,
        places: Mapping[str, Span] = EMPTY,
        is_named: bool = True,
        aside: str = "",
    ) -> tuple[Value, ...]:
        """A layer and its call, with results as the rule has them.

        `places` are where the settings stand, by name; a layer that is not named itself goes by
        the name of the scope that it ends. One that stands `aside` is called so with a number,
        and takes no place among the others. Raises what the rule raises.
        """
        judged = self.rule(op, tuple(value.type for value in inputs))
        layer = Layer(op, judged.weights, dict(arguments))
        node = Node(layer, inputs, (), site.scope, span)
        layer.calls.append(node)
        results = enumerate(judged.types)
        node.outputs = tuple(Value(tensor, span, "", node, index) for index, tensor in results)
        site.scope.children.append(node)
        if aside:
            site.naming.add_aside(node, aside)
        elif is_named:
            site.naming.add(node, label, op.name, span)
        self.used.update(inputs)
        for needed in judged.needed:
            place = places.get(needed.at, span)
            self.requirements.append(
                Requirement(
                    needed.condition,
                    needed.code,
                    needed.message,
                    place,
                    node,
                    needed.training_only,
                    needed.unless_batch,
                    help=needed.help,
                )
            )
        return node.outputs

    def scope(
        self,
        site: Site,
        kind: Kind,
        span: Span,
        inputs: tuple[Value, ...] = (),
        *,
        label: str = "",
        base: str = "",
        numbered: bool = False,
    ) -> Site:
        """A scope, which `end` ends: with names of its own where it has a label.

        Without one it is counted by `base`; without both it adds nothing to names. In a
        `numbered` scope parts without a label are called by their place.
        """
        scope = Scope(kind, span, site.scope, inputs=inputs)
        site.scope.children.append(scope)
        if not label and not base:
            return Site(scope, site.naming)
        site.naming.add(scope, label, base, span)
        return Site(scope, Naming(numbered), is_named=True)

    def block(
        self,
        site: Site,
        definition: str,
        span: Span,
        inputs: tuple[Value, ...] = (),
        *,
        label: str = "",
        doc: str = "",
        arguments: Mapping[str, Argument] = EMPTY,
        input_names: tuple[str, ...] = (),
        is_named: bool = True,
    ) -> Site:
        """The scope of one use of a block; `is_named` as for a layer."""
        base = definition.lower() if is_named else ""
        inner = self.scope(site, Kind.BLOCK, span, inputs, label=label if base else "", base=base)
        inner.scope.definition, inner.scope.doc = definition, doc
        inner.scope.arguments, inner.scope.input_names = dict(arguments), input_names
        return inner

    def end(self, site: Site, outputs: tuple[Value, ...]) -> None:
        """Settle the names in a scope, and say what flows out of it."""
        site.scope.outputs = outputs
        if site.is_named:
            site.naming.finish(self.sink)

    def name_value(self, site: Site, value: Value, name: str) -> None:
        """Call a value by a name of the block or net around."""
        value.name = value.name or name
        site.scope.home().names.setdefault(value, name)

    def output(self, name: str, value: Value, span: Span, *, when_training: bool = False) -> None:
        """What flows out of the network."""
        self.name_value(self.site, value, name)
        self.used.add(value)
        self.outputs.append(Output(name, value, when_training, span))

    def undoing(self, site: Site) -> Callable[[], None]:
        """What takes back all that is added from now on, where that goes to this site."""
        naming, where = site.naming, (self.where, self.where_span)
        ends = (self.inputs, self.outputs, self.symbols, self.requirements)
        lists: list[list[Any]] = [*ends, site.scope.children, naming.entries, naming.variants]
        lengths = [len(one) for one in lists]

        def undo() -> None:
            self.where, self.where_span = where
            for one, length in zip(lists, lengths, strict=True):
                del one[length:]

        return undo

    def build(self) -> Graph:
        """The graph, with the paths of all layers. Nothing can be added then."""
        self.end(self.site, ())
        graph = Graph(
            self.name,
            self.doc,
            self.site.scope,
            tuple(self.inputs),
            tuple(self.outputs),
            tuple(self.symbols),
            self.where,
            self.where_span,
        )
        write_paths(graph, self.sink)
        return replace(graph, requirements=tuple(self._requirements(graph)))

    def _requirements(self, graph: Graph) -> Iterator[Requirement]:
        """Mark what only training needs: what stages ask that do not run at inference."""
        running = graph.inference_nodes()
        for requirement in self.requirements:
            node = requirement.node
            if requirement.scope is not None:
                node = next(requirement.scope.nodes(), None)
            training = node is not None and node not in running
            yield replace(requirement, training_only=True) if training else requirement
