"""Who knows the sizes: settles conditions, and keeps what the network needs of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from netdsl.diagnostics import Sink, Span
from netdsl.elaborate.environment import Broken
from netdsl.ir.condition import Truth, decide, negate
from netdsl.ir.graph import Node, Requirement, Scope
from netdsl.ir.simplify import conjunction
from netdsl.ir.solver import Domain, Verdict


@dataclass
class Judge:
    """The size symbols, what the inputs' `where` says of them, and the requirements so far."""

    sink: Sink
    symbols: list[str] = field(default_factory=list)
    where: Truth = True
    requirements: list[Requirement] = field(default_factory=list)

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
