"""Inputs whose axes seem to be in the order of another framework."""

from __future__ import annotations

from netdsl.diagnostics import Sink
from netdsl.elaborate.hints import layout_hint
from netdsl.lints.subject import Subject

SLIDING = ("convolution", "pooling")


def channels_last(subject: Subject, sink: Sink) -> None:
    """Warn of `[224, 224, 3]` or `[1, 3, 224, 224]` that enters a convolution or a pool."""
    for item in subject.graph.inputs:
        readers = subject.graph.data_uses.readers(item.value)
        slides = any(node.op.family in SLIDING for node in readers)
        hint = layout_hint([item.value]) if slides else ""
        if hint:
            sink.warn("channels-last", hint, item.value.span)
