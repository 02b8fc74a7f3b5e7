"""Biases that the normalisation right after them takes away again."""

from __future__ import annotations

from netdsl.diagnostics import Edit, Fix, Sink, Span
from netdsl.ir.graph import Node
from netdsl.lints.subject import Subject
from netdsl.ops.base import op_of


def bias_before_norm(subject: Subject, sink: Sink) -> None:
    """Warn of a bias that only a batch or instance norm reads, at every use of its line."""
    lines: dict[tuple[int, int], list[Node]] = {}
    for node in subject.nodes():
        if _bias_axis(node) is not None:
            lines.setdefault((node.span.start, node.span.end), []).append(node)
    for nodes in lines.values():
        if all(_is_wasted(subject, node) for node in nodes):
            _warn(nodes[0], _norm_after(subject, nodes[0]), sink)


def _is_wasted(subject: Subject, node: Node) -> bool:
    return _norm_after(subject, node) is not None


def _bias_axis(node: Node) -> int | None:
    return op_of(node).bias_axis(node.output.type.rank) if len(node.outputs) == 1 else None


def _norm_after(subject: Subject, node: Node) -> Node | None:
    reader = subject.graph.data_uses.only_reader(node.output)
    if reader is None:
        return None
    norm = op_of(reader)
    return reader if norm.takes_mean and norm.channels_at == _bias_axis(node) else None


def _warn(node: Node, norm: Node | None, sink: Sink) -> None:
    assert norm is not None
    sink.warn(
        "bias-before-norm",
        f"the bias of this `{node.op.name}` has no effect: `{norm.op.name}` takes the mean away "
        "right after it",
        node.span,
        help="`bias=false` saves its numbers; keep it only to load a checkpoint that has it",
        fix=_without_bias(node.span),
    )


def _without_bias(span: Span) -> Fix | None:
    """Other keys in `state_dict()`, so it is for a person to decide."""
    if "bias" in span.text or not span.text.endswith(")"):
        return None
    end = Span(span.source, span.end - 1, span.end - 1)
    return Fix("add `bias=false`", (Edit(end, ", bias=false"),), safe=False)
