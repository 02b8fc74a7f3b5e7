"""Biases that the normalisation right after them takes away again."""

from __future__ import annotations

from netdsl.diagnostics import Edit, Fix, Sink, Span
from netdsl.ir.graph import Node
from netdsl.lints.subject import Subject

BIASED = ("conv", "conv_transpose", "linear")


def bias_before_norm(subject: Subject, sink: Sink) -> None:
    """Warn of a bias whose only reader is a batch or instance norm, at every use of its line."""
    lines: dict[tuple[int, int], list[Node]] = {}
    for node in subject.nodes():
        if node.op.name in BIASED:
            lines.setdefault((node.span.start, node.span.end), []).append(node)
    for nodes in lines.values():
        if all(_is_wasted(subject, node) for node in nodes):
            _warn(nodes[0], _norm_after(subject, nodes[0]), sink)


def _is_wasted(subject: Subject, node: Node) -> bool:
    return bool(getattr(node.op, "bias", False)) and _norm_after(subject, node) is not None


def _norm_after(subject: Subject, node: Node) -> Node | None:
    readers = subject.readers.get(node.output, [])
    if len(readers) != 1 or node.output in subject.results:
        return None
    (reader,) = readers
    over_channels = reader.op.name == "instancenorm" and node.op.name != "linear"
    return reader if reader.op.name == "batchnorm" or over_channels else None


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
