"""The body of a `forward`: one line a step, short chains nested, values named as in the file."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from netdsl.backends.torch.calls import OPERATORS, Speaker, needs_names, uses_sizes
from netdsl.backends.torch.layout import WIDTH, Bracket, Expr, fill, flat, literal
from netdsl.backends.torch.sizes import At, NotAtHand
from netdsl.backends.torch.tree import Member, Uses, inputs_of, key_of, outputs_of, recipe
from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.ir.graph import Node, Scope, Value
from netdsl.ops.recipe import TorchCall, TorchModule, TorchWeight

NESTED = 3
LONGEST = 64
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
    """An expression that may still be nested into the line that takes it."""

    expr: Expr
    depth: int


@dataclass
class Forward:
    """Writes the forward of one class; `access` gives the attribute of a member by its key."""

    uses: Uses
    access: dict[int, Expr]
    assigned: dict[int, str]
    training_only: set[int] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    pending: dict[int, _Pending] = field(default_factory=dict)
    remaining: dict[int, int] = field(default_factory=dict)
    inputs: list[At] = field(default_factory=list)
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
        for name, value in arguments:
            self.names[id(value)] = name
        self._keep_inputs = any(isinstance(p, Node) and uses_sizes(recipe(p)) for p in parts)
        for part in parts:
            for value in inputs_of(part):
                self.remaining[id(value)] = self.remaining.get(id(value), 0) + 1
        for value in results:
            self.remaining[id(value)] = self.remaining.get(id(value), 0) + 1
        for part in parts:
            self._now_training = id(part) in self.training_only
            self._step(part)
        self._now_training = False
        if len(results) > 1:
            self._settle(results)
        said = [self._use(value) for value in results]
        last = self.lines[-1] if self.lines else None
        if last and len(said) == 1 and last.targets == (said[0],) and not last.training_only:
            return [self.lines.pop().value]
        return said

    def _step(self, part: Member) -> None:
        taken, given = inputs_of(part), outputs_of(part, self.uses)
        self._used_depth = 0
        if isinstance(part, Scope):
            said: object = None
            module = self.access[key_of(part)]
            args = tuple(self._use(value) for value in taken)
            expr: Expr = Bracket(module, args)
        else:
            said = recipe(part)
            expr = self._node(part, said)
        if self._is_inline(given):
            self._keep(given[0], expr)
            return
        named = [v for v in given if self.remaining.get(id(v))]
        if not named and isinstance(said, TorchWeight):
            return
        targets = tuple(
            self._name(value, taken) if self.remaining.get(id(value)) else "_" for value in given
        )
        self._write(targets, expr)

    def _node(self, node: Node, said: object) -> Expr:
        if isinstance(said, TorchWeight):
            return self.access[key_of(node)]
        named = needs_names(node, said)
        self._settle([v for i, v in enumerate(node.inputs) if i in named or self._is_long(node)])
        args = [self._use(v) for v in node.inputs]
        here: list[At] = [
            (arg, value)
            for arg, value in zip(args, node.inputs, strict=True)
            if isinstance(arg, str) and arg.isidentifier()
        ]
        held = [(name, v) for name, v in self.inputs if self.names.get(id(v)) == name]
        speaker = Speaker(node, args, [*here, *held])
        try:
            if isinstance(said, TorchModule):
                module = self.access.get(key_of(node))
                if module is not None:
                    return speaker.invocation(module, said)
                assert said.call is not None
                said = said.call
            assert isinstance(said, TorchCall)
            return speaker.function(said)
        except NotAtHand as size:
            raise DiagnosticError([_not_at_hand(node, size)]) from None

    def _is_inline(self, given: tuple[Value, ...]) -> bool:
        """Whether the result is used once and has no name from an assignment."""
        if len(given) != 1 or self._now_training:
            return False
        (value,) = given
        return self.remaining.get(id(value)) == 1 and not self._own_name(value)

    def _own_name(self, value: Value) -> str:
        """The name it was assigned in this block of the file."""
        return self.assigned.get(id(value), "")

    def _keep(self, value: Value, expr: Expr) -> None:
        depth = 1 + self._used_depth
        expr = fill(expr, lambda hole: literal(hole.value))
        if depth >= NESTED or len(flat(expr)) > LONGEST:
            self._write((self._flow_name(value),), expr)
            return
        self.pending[id(value)] = _Pending(expr, depth)

    def _settle(self, values: Sequence[Value]) -> None:
        """Give these values variables, before any of them is taken and its variable is free."""
        for value in values:
            waiting = self.pending.pop(id(value), None)
            if waiting is not None:
                self._write((self._flow_name(value),), waiting.expr)

    def _is_long(self, node: Node) -> bool:
        """Whether a sum of two, or a mean, would not fit on a line with its terms written in it."""
        if not isinstance(said := recipe(node), TorchCall) or said.target not in BROKEN_BADLY:
            return False
        if len(node.inputs) > 2 and said.target != "mean":
            return False
        waiting = [self.pending.get(id(value)) for value in node.inputs]
        terms = sum(len(flat(p.expr)) + 3 if p else 5 for p in waiting)
        name = max(len("return "), len(self._own_name(node.outputs[0])) + len(" = "))
        return terms - 3 > WIDTH - 8 - name

    def _use(self, value: Value) -> Expr:
        """The value where it is taken: its variable, or the expression that makes it."""
        self.remaining[id(value)] -= 1
        waiting = self.pending.pop(id(value), None)
        if waiting is None:
            return self.names[id(value)]
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
        busy = self._busy()
        for dead, name in reversed(list(self.names.items())):
            if not self.remaining.get(dead) and name in ("x", "y", "z") and name not in busy:
                del self.names[dead]
                self.names[id(value)] = name
                return name
        for name in "x", "y", "z":
            if name not in self.names.values():
                return self._fresh(value, name)
        return self._fresh(value, "x")

    def _busy(self) -> set[str]:
        """Variables that must keep what they hold: an expression still waits to be written."""
        waiting = " ".join(flat(p.expr) for p in self.pending.values())
        kept = [name for name, _ in self.inputs] if self._keep_inputs else []
        return {*re.findall(r"[A-Za-z_]\w*", waiting), *kept}

    def _fresh(self, value: Value, wanted: str) -> str:
        name = identifier(wanted)
        number = 1
        while name in self.names.values():
            number += 1
            name = f"{identifier(wanted)}{number}"
        self.names[id(value)] = name
        return name


def _not_at_hand(node: Node, size: NotAtHand) -> Diagnostic:
    return Diagnostic(
        "size-not-at-hand",
        f"the size that `{node.op.name}` is given can't be read off a value in this block: {size}",
        node.span,
        help=("hand the value whose size it is to the block: `(x, other) -> Block(...)`",),
    )


def identifier(name: str) -> str:
    """The name as Python takes it for a variable."""
    clean = "".join(c if c.isalnum() or c == "_" else "_" for c in name)
    if not clean or clean[0].isdigit():
        clean = f"v{clean}"
    return (
        f"{clean}_" if keyword.iskeyword(clean) or clean in ("self", "F", "nn", "torch") else clean
    )
