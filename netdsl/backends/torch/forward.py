"""The body of a `forward`: one line a step, short chains nested, values named as in the file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from netdsl.backends.torch.calls import (
    MOST_TERMS,
    OPERATORS,
    Speaker,
    needs_names,
    sizes_in,
    takes_list,
)
from netdsl.backends.torch.layout import WIDTH, Bracket, Expr, fill, flat, literal
from netdsl.backends.torch.members import Member, ModuleKey, recipe_of
from netdsl.backends.torch.python_names import variable
from netdsl.backends.torch.sizes import At, NotAtHand
from netdsl.backends.torch.tables import meets_samples, with_batch, without_batch
from netdsl.backends.torch.tree import Outline, inputs_of, key_of, outputs_of
from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.ir.graph import Node, Scope, Value
from netdsl.ops.recipe import TorchCall, TorchModule, TorchWeight

NESTED = 3
LONGEST = 64
FEW = 4
"""Results of one call that are all given names, even where they go on together."""
FLOW_NAMES = ("x", "y", "z")
BROKEN_BADLY = {*OPERATORS, "mean"}
"""Calls that are written with operators, at which a line is not broken well between two terms."""


@dataclass(frozen=True, slots=True)
class Line:
    """`targets = value`, or `return value` where there are no targets."""

    targets: tuple[str, ...]
    value: Expr
    training_only: bool = False


@dataclass(slots=True)
class _Pending:
    """An expression that may still be nested into the line that takes it; the names in it."""

    expr: Expr
    depth: int
    names: frozenset[str]


@dataclass
class Forward:
    """Writes the forward of one class; `access` gives the attribute of a member by its key.

    `assigned` are the names that values have in the file, `taken` those of the source itself;
    `numbers` are the attributes that hold settings of calls, by field.
    """

    outline: Outline
    access: dict[ModuleKey, Expr]
    assigned: dict[Value, str]
    taken: Collection[str]
    numbers: dict[Node, dict[str, Expr]] = field(default_factory=dict)
    training_only: set[Member] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)
    names: dict[Value, str] = field(default_factory=dict)
    pending: dict[Value, _Pending] = field(default_factory=dict)
    remaining: dict[Value, int] = field(default_factory=dict)
    inputs: list[At] = field(default_factory=list)
    together: dict[Node, Node] = field(default_factory=dict)
    _waiting: Counter[str] = field(default_factory=Counter)
    _flows: dict[Value, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _numbers: dict[str, int] = field(default_factory=dict)
    _now_training: bool = False
    _used_depth: int = 0
    _keep_inputs: bool = False

    def run(
        self,
        parts: Sequence[Member],
        arguments: Sequence[tuple[str, Value]],
        results: Sequence[Value],
    ) -> list[Expr]:
        """Write the lines; what comes back are the results as expressions."""
        self.inputs = list(arguments)
        parts = self._needed(parts, results)
        for name, value in arguments:
            self._hold(value, name)
        self._keep_inputs = any(isinstance(p, Node) and sizes_in(recipe_of(p)) for p in parts)
        for part in parts:
            for value in inputs_of(part):
                self.remaining[value] = self.remaining.get(value, 0) + 1
        for value in results:
            self.remaining[value] = self.remaining.get(value, 0) + 1
        self._find_together(parts)
        for part in parts:
            self._now_training = part in self.training_only
            self._step(part)
        self._now_training = False
        if len(results) > 1:
            self._settle(results)
        exprs = [self._use(value) for value in results]
        last = self.lines[-1] if self.lines else None
        if last and len(exprs) == 1 and last.targets == (exprs[0],) and not last.training_only:
            return [self.lines.pop().value]
        return exprs

    def _needed(self, parts: Sequence[Member], results: Sequence[Value]) -> list[Member]:
        """The parts that the results depend on; others are there for their weights alone."""
        wanted = set(results)
        needed: list[Member] = []
        for part in reversed(parts):
            if not wanted.isdisjoint(outputs_of(part, self.outline)):
                needed.append(part)
                wanted.update(inputs_of(part))
        return needed[::-1]

    def _find_together(self, parts: Sequence[Member]) -> None:
        """Calls whose results, if they are many, go all to one call that takes a list."""
        for part in parts:
            if not isinstance(part, Node) or len(part.inputs) <= FEW:
                continue
            maker = part.inputs[0].producer
            if maker is None or maker not in parts or part.inputs != maker.outputs:
                continue
            once = all(self.remaining[v] == 1 and not self._own_name(v) for v in part.inputs)
            if once and takes_list(recipe_of(part), len(part.inputs)):
                self.together[maker] = part

    def _step(self, part: Member) -> None:
        taken, results = inputs_of(part), outputs_of(part, self.outline)
        if part in self.together:
            results = results[:1]
        self._used_depth = 0
        if isinstance(part, Scope):
            recipe: object = None
            module = self.access[key_of(part)]
            args = tuple(self._use(value) for value in taken)
            expr: Expr = Bracket(module, args)
        else:
            recipe = recipe_of(part)
            expr = self._node(part, recipe)
        if self._is_inline(results):
            self._keep(results[0], expr)
            return
        named = [v for v in results if self.remaining.get(v)]
        if not named and isinstance(recipe, TorchWeight):
            return
        targets = tuple(
            self._name(value, taken) if self.remaining.get(value) else "_" for value in results
        )
        self._write(targets, expr)

    def _node(self, node: Node, recipe: object) -> Expr:
        if isinstance(recipe, TorchWeight):
            return self.access[key_of(node)]
        named, is_long = needs_names(node, recipe), self._is_long(node, recipe)
        if meets_samples(node):
            named = set(range(len(node.inputs)))
        self._settle([v for i, v in enumerate(node.inputs) if i in named or is_long])
        maker = node.inputs[0].producer if node.inputs else None
        if maker is not None and self.together.get(maker) is node:
            assert isinstance(recipe, TorchCall)
            return Speaker(
                node,
                ["x"] * len(node.inputs),
                (),
                together=self._use(node.inputs[0]),
                numbers=self.numbers.get(node, {}),
            ).function(recipe)
        args = [self._use(v) for v in node.inputs]
        here: list[At] = [
            (arg, value)
            for arg, value in zip(args, node.inputs, strict=True)
            if isinstance(arg, str) and arg.isidentifier()
        ]
        held = [(name, v) for name, v in self.inputs if self.names.get(v) == name]
        numbers = self.numbers.get(node, {})
        speaker = Speaker(node, with_batch(node, args), [*here, *held], numbers=numbers)
        try:
            return without_batch(node, self._call(node, recipe, speaker))
        except NotAtHand as size:
            raise DiagnosticError([_not_at_hand(node, size)]) from None

    def _call(self, node: Node, recipe: object, speaker: Speaker) -> Expr:
        """A module, or the function that is written in its place."""
        if isinstance(recipe, TorchModule):
            module = self.access.get(key_of(node))
            if module is not None:
                return speaker.invocation(module, recipe)
            assert recipe.call is not None
            recipe = recipe.call
        assert isinstance(recipe, TorchCall)
        return speaker.function(recipe)

    def _is_inline(self, results: tuple[Value, ...]) -> bool:
        """Whether the result is used once and has no name from an assignment."""
        if len(results) != 1 or self._now_training:
            return False
        (value,) = results
        return self.remaining.get(value) == 1 and not self._own_name(value)

    def _own_name(self, value: Value) -> str:
        """The name it was assigned in this block of the file."""
        return self.assigned.get(value, "")

    def _keep(self, value: Value, expr: Expr) -> None:
        depth = 1 + self._used_depth
        expr = fill(expr, lambda hole: literal(hole.value))
        if depth >= NESTED or len(flat(expr)) > LONGEST:
            self._write((self._flow_name(value),), expr)
            return
        names = frozenset(re.findall(r"[A-Za-z_]\w*", flat(expr)))
        self.pending[value] = _Pending(expr, depth, names)
        self._waiting.update(names)

    def _take_pending(self, value: Value) -> _Pending | None:
        waiting = self.pending.pop(value, None)
        if waiting is not None:
            self._waiting.subtract(waiting.names)
        return waiting

    def _settle(self, values: Sequence[Value]) -> None:
        """Give these values variables, before any of them is taken and its variable is free."""
        for value in values:
            waiting = self._take_pending(value)
            if waiting is not None:
                self._write((self._flow_name(value),), waiting.expr)

    def _is_long(self, node: Node, recipe: object) -> bool:
        """Whether a sum of two, or a mean, would not fit on a line with its terms written in it."""
        if not isinstance(recipe, TorchCall) or recipe.target not in BROKEN_BADLY:
            return False
        if len(node.inputs) > (MOST_TERMS if recipe.target == "mean" else 2):
            return False
        waiting = [self.pending.get(value) for value in node.inputs]
        terms = sum(len(flat(p.expr)) + 3 if p else 5 for p in waiting)
        name = max(len("return "), len(self._own_name(node.outputs[0])) + len(" = "))
        return terms - 3 > WIDTH - 8 - name

    def _use(self, value: Value) -> Expr:
        """The value where it is taken: its variable, or the expression that makes it."""
        self.remaining[value] -= 1
        waiting = self._take_pending(value)
        if waiting is None:
            return self.names[value]
        self._used_depth = max(self._used_depth, waiting.depth)
        return waiting.expr

    def _write(self, targets: tuple[str, ...], expr: Expr) -> None:
        expr = fill(expr, lambda hole: literal(hole.value))
        if len(targets) == 1 and expr == targets[0]:
            return
        self.lines.append(Line(targets, expr, self._now_training))

    def _name(self, value: Value, taken: Sequence[Value]) -> str:
        own = self._own_name(value)
        return self._fresh(value, own) if own else self._flow_name(value)

    def _flow_name(self, value: Value) -> str:
        """A variable for a step in a flow: one whose value is used up, else a new one."""
        if self._own_name(value):
            return self._fresh(value, self._own_name(value))
        for dead, name in reversed(list(self._flows.items())):
            if not self.remaining.get(dead) and not self._is_busy(name):
                del self._flows[dead], self.names[dead]
                return self._hold(value, name)
        free = (name for name in FLOW_NAMES if name not in self._taken)
        return self._fresh(value, next(free, "x"))

    def _is_busy(self, name: str) -> bool:
        """Whether it must keep what it holds: an expression still waits to be written."""
        is_input = self._keep_inputs and any(name == own for own, _ in self.inputs)
        return is_input or self._waiting[name] > 0

    def _fresh(self, value: Value, wanted: str) -> str:
        base = variable(wanted, self.taken)
        name, number = base, self._numbers.get(base, 1)
        while name in self._taken:
            number += 1
            name = f"{base}{number}"
        self._numbers[base] = max(number - 1, 1)
        return self._hold(value, name)

    def _hold(self, value: Value, name: str) -> str:
        """From here on the variable holds the value."""
        self.names[value] = name
        self._taken.add(name)
        if name in FLOW_NAMES:
            self._flows[value] = name
        return name


def _not_at_hand(node: Node, size: NotAtHand) -> Diagnostic:
    return Diagnostic(
        "size-not-at-hand",
        f"the size that `{node.op.name}` is given can't be read off a value in this block: {size}",
        node.span,
        help=("hand the value whose size it is to the block: `(x, other) -> Block(...)`",),
    )
