"""Arguments in the order of another framework that happen to be legal here."""

from __future__ import annotations

from netdsl.diagnostics import Sink
from netdsl.elaborate.hints import LARGE_KERNEL
from netdsl.lints.subject import Subject


def odd_argument(subject: Subject, sink: Sink) -> None:
    """Warn of `conv(3, 64, 3)` on 3 channels and of `batchnorm(64)`."""
    for node in subject.nodes():
        op, channels = node.op, node.inputs[0].type.shape[:1] if node.inputs else ()
        if op.name in ("conv", "conv_transpose"):
            made, kernel, stride = (getattr(op, at) for at in ("channels", "kernel", "stride"))
            if (made,) == channels and isinstance(kernel, int) and kernel >= LARGE_KERNEL:
                sink.warn(
                    "odd-argument",
                    f"this is a {kernel}x{kernel} kernel with stride {stride} that makes "
                    f"{made} channels of {made}",
                    node.span,
                    help="the channels that come in are not written: the order is "
                    f"`{op.name}(channels, kernel, stride)`",
                )
        if op.name in ("batchnorm", "instancenorm") and getattr(op, "eps", 0) >= 1:
            sink.warn(
                "odd-argument",
                f"eps = {getattr(op, 'eps', 0)} drowns what it is added to",
                node.span,
                help=f"the channels that come in are not written: `{op.name}` alone is enough",
            )
