"""Arguments in the order of another framework that happen to be legal here."""

from __future__ import annotations

from netdsl.diagnostics import Sink
from netdsl.ir.graph import Node
from netdsl.lints.subject import Subject
from netdsl.ops.base import op_of
from netdsl.ops.tables import types_of
from netdsl.syntax import ast


def odd_argument(subject: Subject, sink: Sink) -> None:
    """Warn of `conv(3, 64, 3)` on 3 channels and of `batchnorm(64)`, `groupnorm(8, 64)`."""
    for node in subject.nodes():
        doubt = op_of(node).doubt(types_of(node)[0])
        if doubt is not None and (not doubt.by_place or _is_by_place(subject, node)):
            sink.warn("odd-argument", doubt.problem, node.span, help=doubt.help)


def _is_by_place(subject: Subject, node: Node) -> bool:
    """Whether channels, kernel and stride stand without names, and the channels as a number.

    Who names the stride, or works the channels out, knows what they are. Arguments that came
    through a parameter are not seen here, and count as such.
    """
    stage = subject.stages.get((node.span.start, node.span.end))
    if stage is None or stage.callee[-1].text != node.op.name:
        return True
    arguments = stage.arguments or ()
    by_place = [argument.value for argument in arguments if argument.name is None]
    return len(by_place) >= 3 and isinstance(by_place[0], ast.Number)
