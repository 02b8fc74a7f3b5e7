"""Restrictions of sizes that the network does not need."""

from __future__ import annotations

from dataclasses import replace

from netdsl.analyses.sizes import sizes_of
from netdsl.diagnostics import Sink
from netdsl.ir.solver import Domain, Verdict
from netdsl.lints.subject import Subject


def tight_where(subject: Subject, sink: Sink) -> None:
    """Warn of a `where` that shuts out sizes that every stage could take."""
    graph = subject.graph
    if graph.where is True or graph.where_span is None:
        return
    needed = replace(sizes_of(graph), where=True)
    shut_out = Domain(graph.symbols, needed.condition).decide(graph.where)
    if shut_out not in (Verdict.MIXED, Verdict.REFUTED):
        return
    sink.warn(
        "tight-where",
        f"this shuts out sizes that the network could take: {needed}",
        graph.where_span,
        help="leave the `where` out, or keep it if the sizes are restricted on purpose",
    )
