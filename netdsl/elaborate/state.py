"""What is shared while one network is built: messages, bounds, requirements, uses of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from netdsl.diagnostics import Diagnostic, Label, Sink, Span
from netdsl.elaborate.environment import (
    NOTHING,
    Environment,
    Flow,
    Halted,
    MaybeFlow,
    Poison,
    values_of,
)
from netdsl.elaborate.evaluate import Evaluator
from netdsl.elaborate.hints import argument_hint, layout_hint
from netdsl.elaborate.size_of_body import BodySizes
from netdsl.elaborate.stumps import Stumps
from netdsl.ir.builder import Builder, Site
from netdsl.ir.graph import Kind, Scope, Value
from netdsl.ir.history import histories
from netdsl.ops.base import Op
from netdsl.ops.refusal import Refusal
from netdsl.syntax import ast

MAX_NODES = 200_000
MAX_DEPTH = 300
STEPS_PER_TURN = 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is built: its names, its scope, and how deep.

    `trail` are the uses of blocks that lead here, the innermost last.
    """

    environment: Environment
    site: Site
    depth: int = 0
    trail: tuple[Label, ...] = ()

    @property
    def scope(self) -> Scope:
        return self.site.scope

    def inside(self, environment: Environment, site: Site) -> Place:
        """One body further in."""
        return replace(self, environment=environment, site=site, depth=self.depth + 1)


@dataclass
class State:
    """Held by all functions that build one network, `graph`.

    `unused` are the results that something has to use by the end; `let_go` those that are named
    as what nothing uses, beside others. `stumps` stand in a draft for what could not be built.
    """

    graph: Builder
    max_nodes: int = MAX_NODES
    node_count: int = 0
    unused: list[tuple[ast.Statement, Flow]] = field(
        default_factory=list[tuple[ast.Statement, Flow]]
    )
    let_go: set[Value] = field(default_factory=set[Value])
    body_sizes: BodySizes = field(default_factory=BodySizes)
    stumps: Stumps | None = None
    evaluator: Evaluator = field(init=False)

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(self.graph)

    @property
    def sink(self) -> Sink:
        return self.graph.sink

    def labelled(
        self,
        kind: Kind,
        span: Span,
        flow: MaybeFlow,
        label: str,
        place: Place,
        *,
        numbered: bool = True,
    ) -> Place:
        """The place in a new scope: with names of its own where it has a label."""
        site = self.graph.scope(
            place.site, kind, span, values_of(flow), label=label, numbered=numbered
        )
        incoming = None if flow is NOTHING else flow
        return place.inside(place.environment.child(incoming, labels=bool(label)), site)

    def end(self, place: Place, result: MaybeFlow) -> MaybeFlow:
        """The end of a scope, out of which `result` flows."""
        self.graph.end(place.site, values_of(result))
        return result

    def mark(self) -> int:
        """Now, as a place among the errors of a draft."""
        return self.stumps.mark() if self.stumps is not None else 0

    def drafted(
        self, result: MaybeFlow, written: Span, flow: MaybeFlow | None, place: Place, since: int,
        label: str = "",
    ) -> MaybeFlow:  # fmt: skip
        """The result; in a draft a stump behind `flow` for poison of which nothing is drawn yet."""
        if self.stumps is None or not isinstance(result, Poison) or result.traces:
            return result
        return self.stumps.grow(self.graph, place.site, written, flow, since, label)

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
        self, place: Place, op: Op, refusal: Refusal, span: Span, inputs: Sequence[Value]
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
