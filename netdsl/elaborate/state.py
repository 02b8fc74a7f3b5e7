"""What is shared while one network is built: messages, bounds, requirements, uses of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from netdsl.diagnostics import Diagnostic, Label, Sink, Span
from netdsl.elaborate.bind import Binder, bind_function
from netdsl.elaborate.evaluate import Evaluator
from netdsl.elaborate.hints import argument_hint, layout_hint
from netdsl.elaborate.layers import layer_value
from netdsl.elaborate.names import Broken, Environment, Flow, Halted, MaybeFlow
from netdsl.elaborate.naming import Naming
from netdsl.elaborate.size_of_body import BodySizes
from netdsl.ir.condition import Truth, decide, negate
from netdsl.ir.graph import Node, OpLike, Requirement, Scope, Value
from netdsl.ir.history import histories
from netdsl.ir.simplify import conjunction
from netdsl.ir.solver import Domain, Verdict
from netdsl.ops.base import Refusal
from netdsl.syntax import ast

MAX_NODES = 200_000
MAX_DEPTH = 300
STEPS_PER_TURN = 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is built: its names, its scope, its naming, and how deep.

    `trail` are the uses of blocks that lead here, the innermost last.
    """

    environment: Environment
    scope: Scope
    naming: Naming
    depth: int = 0
    trail: tuple[Label, ...] = ()

    def inside(self, environment: Environment, scope: Scope, naming: Naming) -> Place:
        """One body further in."""
        return replace(
            self, environment=environment, scope=scope, naming=naming, depth=self.depth + 1
        )


RunBody = Callable[["State", ast.Body, Place], MaybeFlow]
RunStatement = Callable[["State", ast.Statement, Place], None]


@dataclass
class State:
    """Held by all functions that build one network.

    `run_body` and `run_statement` are those of bodies.py, which stages (a floor below) call for
    the bodies in them.
    """

    sink: Sink
    run_body: RunBody
    run_statement: RunStatement
    max_nodes: int = MAX_NODES
    node_count: int = 0
    symbols: list[str] = field(default_factory=list)
    where: Truth = True
    requirements: list[Requirement] = field(default_factory=list)
    used: set[Value] = field(default_factory=set)
    unused: list[tuple[ast.Statement, Flow]] = field(default_factory=list)
    body_sizes: BodySizes = field(default_factory=BodySizes)
    evaluator: Evaluator = field(init=False)
    binder: Binder = field(init=False)

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(self.sink, self, lambda *a: bind_function(self.binder)(*a))
        self.binder = Binder(
            self.sink, self.evaluator, lambda expr, env: layer_value(expr, env, self.sink)
        )

    def error(
        self,
        place: Place,
        code: str,
        message: str,
        span: Span,
        *,
        help: str = "",
        label: str = "",
        secondary: Sequence[Label] = (),
        notes: Sequence[str] = (),
    ) -> None:
        """Record an error, with the uses of blocks that lead to the place."""
        self.sink.error(
            code,
            message,
            span,
            help=help or (),
            label=label,
            secondary=(*secondary, *reversed(place.trail)),
            notes=notes,
        )

    def refused(
        self, place: Place, op: OpLike, refusal: Refusal, span: Span, inputs: Sequence[Value]
    ) -> None:
        """Record what a shape rule refused, with the inputs and where they come from."""
        labels = [
            Label(v.span, f"{v.name or 'this'} is {v.type}") for v in inputs if v.span != span
        ]
        meant = argument_hint(op, inputs) if inputs else ""
        helps = (meant or refusal.help, layout_hint(inputs))
        self.sink.emit(
            Diagnostic(
                refusal.code,
                refusal.message,
                span,
                secondary=(*labels, *reversed(place.trail)),
                notes=(*refusal.notes, *histories(inputs, place.scope)),
                help=tuple(text for text in helps if text),
            )
        )

    def need(
        self,
        condition: Truth,
        span: Span,
        message: str,
        *,
        code: str = "shape-mismatch",
        node: Node | None = None,
        training_only: bool = False,
        unless_batch: int = 0,
        scope: Scope | None = None,
        help: str = "",
    ) -> None:
        """Keep a condition that holds for some sizes only."""
        self.requirements.append(
            Requirement(
                condition, code, message, span, node, training_only, unless_batch, scope, help
            )
        )

    def decide(self, condition: Truth, span: Span) -> bool:
        """Whether it holds for every allowed size; an error where it holds for some only."""
        answer = decide(condition, {})
        if answer is not None:
            return answer
        answer = self._ask_solver(condition)
        if answer is None:
            self.sink.error(
                "undecided-condition",
                f"whether {condition} holds depends on the size of the input",
                span,
                help="restrict the sizes so that it always or never does: "
                f"`input ...: [...] where {condition}`",
            )
            raise Broken
        # what settled it may be needed in training alone, so it becomes part of the contract
        held = condition if answer else negate(condition)
        if not isinstance(held, bool):
            self.need(held, span, f"the network was built for sizes where {held}")
        return answer

    def _ask_solver(self, condition: Truth) -> bool | None:
        needed = [r.condition for r in self.requirements if not r.training_only]
        domain = Domain(tuple(self.symbols), conjunction([self.where, *needed]))
        verdict = domain.decide(condition)
        if verdict is Verdict.PROVED:
            return True
        return False if verdict is Verdict.REFUTED else None

    def count_nodes(self, more: int, span: Span) -> None:
        """Take `more` nodes from the bound of the graph."""
        self.node_count += more
        if self.node_count > self.max_nodes:
            self.too_many_nodes(self.node_count, span)

    def expect_nodes(self, more: int, span: Span) -> None:
        """Stop before a loop that would exceed the bound."""
        if self.node_count + more > self.max_nodes:
            self.too_many_nodes(self.node_count + more, span)

    def too_many_nodes(self, count: int, span: Span) -> None:
        self.sink.error(
            "too-many-layers",
            f"the network would have {count:,} layers or more, and the bound is {self.max_nodes:,}",
            span,
            help="if that is meant, raise the bound: `--max-layers`",
        )
        raise Halted

    def expect_turns(
        self, count: int, body: ast.Body, environment: Environment, span: Span
    ) -> None:
        """Stop before a loop that would exceed a bound, be it of layers or of steps."""
        self.expect_nodes(count * self.body_sizes.of_body(body, environment), span)
        self.evaluator.expect(count * STEPS_PER_TURN, span)

    def turn(self, span: Span) -> None:
        """One turn of a loop: bounded together with the steps of evaluation."""
        self.evaluator.spend(STEPS_PER_TURN, span)

    def enter(self, place: Place, span: Span) -> None:
        """Refuses bodies nested too deep (a block that calls itself without end)."""
        if place.depth < MAX_DEPTH:
            return
        self.sink.error(
            "too-deep",
            f"blocks and bodies are nested more than {MAX_DEPTH} deep here",
            span,
            help="a block that uses itself needs an `if` that ends it",
        )
        raise Halted

    def use(self, *values: Value) -> None:
        """Note that something takes these values."""
        self.used.update(values)
