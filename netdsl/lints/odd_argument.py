"""Arguments in the order of another framework that happen to be legal here."""

from __future__ import annotations

from netdsl.diagnostics import Sink
from netdsl.elaborate.hints import is_channels_first
from netdsl.ir.graph import Node
from netdsl.lints.subject import Subject
from netdsl.syntax import ast

ENOUGH = {"batchnorm": "", "instancenorm": "", "groupnorm": "(groups)"}
"""What a norm needs, where PyTorch wants the channels as well."""


def odd_argument(subject: Subject, sink: Sink) -> None:
    """Warn of `conv(3, 64, 3)` on 3 channels and of `batchnorm(64)`, `groupnorm(8, 64)`."""
    for node in subject.nodes():
        op = node.op
        if is_channels_first(op, node.inputs) and _is_by_place(subject, node):
            made, kernel, stride = (getattr(op, at) for at in ("channels", "kernel", "stride"))
            sink.warn(
                "odd-argument",
                f"this is a {kernel}x{kernel} kernel with stride {stride} that makes "
                f"{made} channels of {made}",
                node.span,
                help="the channels that come in are not written: the order is "
                f"`{op.name}(channels, kernel, stride)`",
            )
        if op.name in ENOUGH and getattr(op, "eps", 0) >= 1:
            sink.warn(
                "odd-argument",
                f"eps = {getattr(op, 'eps', 0)} drowns what it is added to",
                node.span,
                help="the channels that come in are not written: "
                f"`{op.name}{ENOUGH[op.name]}` alone is enough",
            )


def _is_by_place(subject: Subject, node: Node) -> bool:
    """Whether channels, kernel and stride stand without names, and the channels as a number.

    Who names the stride, or works the channels out, knows what they are. Arguments that came
    through a parameter are not seen here, and count as such.
    """
    stage = subject.stages.get((node.span.start, node.span.end))
    if stage is None or stage.callee[-1].text != node.op.name:
        return True
    given = stage.arguments or ()
    by_place = [argument.value for argument in given if argument.name is None]
    return len(by_place) >= 3 and isinstance(by_place[0], ast.Number)
