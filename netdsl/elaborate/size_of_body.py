"""How many layers a body makes at the least: too large a network is refused unbuilt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from netdsl.elaborate.environment import Environment, LayerValue, SharedLayer
from netdsl.elaborate.program import Block
from netdsl.ops import registry
from netdsl.syntax import ast
from netdsl.syntax.walk import walk

MAX_DEPTH = 300
"""Bodies in bodies that are looked into; what lies deeper counts as nothing."""


@dataclass(frozen=True, slots=True)
class BodySizes:
    """Counts layers; the blocks counted once are remembered for one network."""

    blocks: dict[Block, int] = field(default_factory=dict[Block, int])

    def of_body(self, body: ast.Body, environment: Environment) -> int:
        """Layers of one run of a body that stands in `environment`."""
        return _Counter(self, environment, _named_in(body)).body(body)

    def of_block(self, block: Block, depth: int = 0) -> int:
        """Layers of one use of a block, whatever its arguments; 0 for one that is being counted."""
        if block not in self.blocks:
            self.blocks[block] = 0
            definition = block.definition
            inputs = [i.name.text for i in definition.inputs or () if i.name is not None]
            own = _named_in(definition.body) | {p.name.text for p in definition.parameters}
            names = Environment(block.unit)
            counter = _Counter(self, names, own.union(inputs), depth)
            self.blocks[block] = counter.body(definition.body)
        return self.blocks[block]


@dataclass(frozen=True, slots=True)
class _Counter:
    """Counts where `environment` holds; `own` are names that are bound in the body only."""

    sizes: BodySizes
    environment: Environment
    own: frozenset[str]
    depth: int = 0

    def body(self, body: ast.Body) -> int:
        if self.depth > MAX_DEPTH:
            return 0
        inner = replace(self, depth=self.depth + 1)
        return sum(inner.statement(s) for s in body.statements)

    def statement(self, statement: ast.Statement) -> int:
        match statement:
            case (
                ast.ChainStatement(chain=chain)
                | ast.AssignStatement(chain=chain)
                | ast.OutputStatement(chain=chain)
            ):
                return self.chain(chain)
            case ast.WeightStatement():
                return 1
            case _:
                return 0

    def chain(self, chain: ast.Chain) -> int:
        if chain.head is not None:
            return self.item(chain.head) + sum(map(self.item, chain.stages))
        first = chain.stages[0]
        named = isinstance(first, ast.LayerStage) and self.may_be_value(first)
        return sum(map(self.item, chain.stages[1:] if named else chain.stages))

    def item(self, item: object) -> int:
        match item:
            case ast.LayerStage(callee=callee, branches=branches):
                return self.callee(callee) + (self.body(branches) if branches else 0)
            case ast.Group(body=body):
                return self.body(body)
            case ast.Each(body=body):
                return 2 + self.body(body)
            case ast.Repeat(count=count, body=body):
                return self.turns(count) * self.body(body)
            case ast.For(iterable=items, body=body) | ast.ForSource(iterable=items, body=body):
                return self.turns(items) * self.body(body)
            case ast.If(then=then, otherwise=ast.Body() as otherwise):
                return min(self.body(then), self.body(otherwise))
            case ast.TupleSource(items=chains):
                return sum(map(self.chain, chains))
            case _:
                return 0

    def may_be_value(self, head: ast.LayerStage) -> bool:
        """Whether a name at the head of a chain may mean a value."""
        if (head.label, head.arguments, head.branches) != (None, None, None):
            return False
        name = head.callee[0].text
        return self.environment.lookup("values", name) is not None or name in self.own

    def callee(self, names: tuple[ast.Name, ...]) -> int:
        """Layers of what is called; 0 where that is not known here, or unknown at all."""
        unit, name = self.environment.unit, names[-1].text
        if len(names) > 1:
            other = unit.aliases.get(names[0].text)
            if other is None or len(names) > 2:
                return 0
            return self.layer(other.own.get(name) or other.called.get(name))
        binding = self.environment.lookup("layers", name)
        if binding is not None:
            return self.layer(binding.value)
        if name in self.own and name not in registry():
            return 0
        return self.layer(unit.visible.get(name) or registry().get(name) or unit.called.get(name))

    def layer(self, layer: object) -> int:
        while isinstance(layer, LayerValue):
            layer = layer.target
        match layer:
            case Block():
                return self.sizes.of_block(layer, self.depth)
            case SharedLayer(callee=callee):
                return self.layer(callee)
            case type():
                return 1
            case _:
                return 0

    def turns(self, of: ast.Expr) -> int:
        """How often a loop runs, where that is written or a number known here; else 0."""
        match of:
            case ast.Number(int(count)):
                return count
            case ast.ListExpr(items):
                return len(items)
            case ast.Range(ast.Number(int(start)), ast.Number(int(stop))):
                return max(0, stop - start)
            case ast.NameExpr(name):
                binding = self.environment.lookup("numbers", name)
                value = None if binding is None else binding.value
                if isinstance(value, list):
                    return len(value)  # type: ignore[arg-type]
                return max(0, value) if isinstance(value, int) else 0
            case _:
                return 0


def _named_in(body: ast.Body) -> frozenset[str]:
    """All names that are given to something in a body, at any depth."""
    bound: set[str] = set()
    for part in walk(body):
        match part:
            case ast.AssignStatement(targets=names) | ast.For(targets=names):
                bound.update(n.text for n in names)
            case ast.ForSource(targets=names):
                bound.update(n.text for n in names)
            case (
                ast.LetStatement(name=name)
                | ast.LayerStatement(name=name)
                | ast.OutputStatement(name=name)
            ):
                bound.add(name.text)
            case ast.Label(parts=(one,)):
                bound.add(one.text)
            case _:
                pass
    return frozenset(bound)
