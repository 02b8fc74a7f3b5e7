"""Drafts: where a stage can't be built, a stump takes its place, which says why."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from netdsl.diagnostics import Diagnostic, Sink, Span
from netdsl.elaborate.environment import MaybeFlow, Poison, traces
from netdsl.ir.builder import Builder, Site
from netdsl.ir.graph import Node
from netdsl.ops.unbuilt import Unbuilt

LONGEST_TITLE = 32
_NOT_OF_A_NAME = re.compile(r"\W+")


@dataclass
class HeardSink(Sink):
    """A sink that also keeps all errors in the order they are told, repeated ones too."""

    heard: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def emit(self, diagnostic: Diagnostic) -> None:
        if diagnostic.is_error:
            self.heard.append(diagnostic)
        super().emit(diagnostic)


@dataclass(eq=False, slots=True)
class Stumps:
    """The stumps of one draft, each with the errors that it stands for: none behind another.

    An error belongs to the innermost stage during which it was told.
    """

    sink: HeardSink
    errors: dict[Node, tuple[Diagnostic, ...]] = field(
        default_factory=dict[Node, tuple[Diagnostic, ...]]
    )
    taken: set[int] = field(default_factory=set[int])

    def mark(self) -> int:
        """Now, as a place among the errors."""
        return len(self.sink.heard)

    def grow(
        self, graph: Builder, site: Site, written: Span, flow: MaybeFlow | None, since: int,
        label: str = "",
    ) -> Poison:  # fmt: skip
        """Put a stump behind what flows in; errors told since a mark are its, if nobody's yet."""
        numbers = [n for n in range(since, self.mark()) if n not in self.taken]
        self.taken.update(numbers)
        title = title_of(written.text)
        inputs = tuple(dict.fromkeys(traces(flow)))
        aside = "" if label else _NOT_OF_A_NAME.sub("_", title).strip("_").lower() or "stage"
        values = graph.layer(site, Unbuilt(title), inputs, written, label=label, aside=aside)
        (node,) = {value.producer for value in values}
        assert node is not None
        self.errors[node] = distinct(self.sink.heard[n] for n in numbers)
        return Poison(values)


def title_of(text: str) -> str:
    """A stage in a few words: its first line, without its body."""
    line = " ".join(text.split("{")[0].split()) or "{ ... }"
    return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1].rstrip() + "…"


def distinct(errors: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Errors without those of the same code at the same place."""
    return tuple({(d.code, d.span): d for d in errors}.values())
