"""From the wiring of a scope to chains: backwards from what it gives, with forks in braces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from netdsl.importers import spelling
from netdsl.importers.program import Call, Path, Setting, Value, values_in
from netdsl.importers.recover.forks import Node, Wiring
from netdsl.importers.recover.regions import Scope
from netdsl.importers.recover.shares import Share
from netdsl.importers.recover.sketch import Argument, Body, Chain, Line, Quoted, Stage, Text
from netdsl.importers.recover.weights import has_weights

StageOf = Callable[[Scope], Stage]
"""A scope as a stage of what is around it, without its label."""


@dataclass(eq=False, slots=True)
class Chains:
    """Writes the body of one scope; `names` are those of the net or block it is in."""

    wiring: Wiring
    path: Path
    names: dict[Value, str]
    stage_of: StageOf
    shared: dict[Path, str] = field(default_factory=dict[Path, str])
    quoted: set[str] = field(default_factory=set[str])
    shares: dict[float, Share] = field(default_factory=dict[float, Share])

    def named_lines(self) -> Iterator[tuple[int, Line]]:
        """The lines that name values, or hold layers that nothing uses, each at its place."""
        wiring = self.wiring
        outputs = set(wiring.outputs)
        fed = set(wiring.feeds.values())
        for node in wiring.nodes:
            if node in fed or wiring.gives_all(node):
                continue
            names = [value for value in node.outputs if value in wiring.names]
            used = [v for v in node.outputs if v in wiring.users or v in outputs]
            if not names and used:
                continue
            texts = tuple(self.names[v] if v in wiring.names else "_" for v in node.outputs)
            yield node.number, Line(texts, self.chain_of(node), node.item_origin)

    def chain(self, value: Value, fork: Value | None = None) -> Chain:
        """The chain that gives a value, back to where it forks or to a name."""
        if value is fork:
            return Chain([])
        if value in self.wiring.tables or value in self.wiring.names:
            return Chain([], self.names[value])
        producer = self.wiring.producer.get(value)
        return Chain([]) if producer is None else self.chain_of(producer, fork)

    def chain_of(self, node: Node, fork: Value | None = None) -> Chain:
        """The chain that ends in a node."""
        wiring, stages = self.wiring, list[Stage]()
        while True:
            stage = self.stage(node)
            stages.append(stage)
            if node in wiring.feeds:
                node = wiring.feeds[node]
                continue
            if len(node.flows) == 1:
                value = node.flows[0]
            elif node in wiring.joins:
                value = wiring.joins[node].fork
                stage.branches = [self.branch(one, value) for one in node.flows]
            else:
                several = [self.chain(one, fork) for one in node.flows]
                return Chain(stages[::-1], None, several)
            if value is fork or (value is wiring.entry and value not in wiring.names):
                return Chain(stages[::-1])
            if value in wiring.names or value in wiring.tables:
                return Chain(stages[::-1], self.names[value])
            node = wiring.producer[value]

    def branch(self, value: Value, fork: Value) -> Chain:
        chain = self.chain(value, fork)
        if chain.is_bare:
            origin = self.wiring.nodes[0].item_origin
            return Chain([Stage("layer", "identity", origin)])
        return chain

    def stage(self, node: Node) -> Stage:
        """A node as a stage; its label in quotes where a value has its name."""
        stage = self.unquoted(node)
        if len(stage.label) == 1 and stage.label[0] in self.quoted:
            stage.label = (Quoted(stage.label[0]),)
        return stage

    def unquoted(self, node: Node) -> Stage:
        item = node.item
        is_weighted = item.has_weights if isinstance(item, Scope) else has_weights(item)
        if is_weighted and item.path in self.shared:
            return Stage("shared", self.shared[item.path], node.item_origin)
        if isinstance(item, Scope):
            stage = self.stage_of(item)
            stage.label = item.path[len(self.path) :]
            stage.has_weights = item.has_weights
            return stage
        stage = layer_stage(item, self.path, self.names)
        share = item.settings.get("p")
        if item.layer == "drop_path" and isinstance(share, float) and share in self.shares:
            stage.args["p"] = self.shares[share]
        return stage


def layer_stage(call: Call, path: Path, names: dict[Value, str]) -> Stage:
    """A call of a layer as a stage below a path."""
    args = {name: argument(value, names) for name, value in call.settings.items()}
    stage = Stage("layer", call.layer, call.origin, args=args)
    if has_weights(call):
        stage.has_weights = True
        stage.label = call.path[len(path) :]
    return stage


def argument(value: Setting, names: dict[Value, str]) -> Argument:
    """A setting; as it is written where it speaks of values."""
    if next(values_in(value), None) is None:
        return value
    if isinstance(value, list):
        return cast(Argument, [argument(one, names) for one in value])
    return Text(spelling.setting(value, names.__getitem__))


def body_of(lines: list[tuple[int, Line]]) -> Body:
    """Lines in the order in which their parts run."""
    return Body([line for _, line in sorted(lines, key=lambda pair: pair[0])])
