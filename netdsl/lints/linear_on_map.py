"""Full matrices on the width of a map, where a `flatten` was most likely forgotten."""

from __future__ import annotations

from netdsl.diagnostics import Sink
from netdsl.lints.subject import Subject, source_of
from netdsl.ops.base import op_of

PASSING = frozenset(["activations", "norms", "merging", "regularising"])
SLIDING = ("convolution", "pooling", "resampling")


def linear_on_map(subject: Subject, sink: Sink) -> None:
    """Warn of a `linear` whose last axis is the width of what a convolution or pool gave."""
    for node in subject.nodes():
        (value, *_) = node.inputs or (None,)
        if not op_of(node).matrix or value is None or value.type.rank < 3:
            continue
        source = source_of(value, PASSING)
        if source is not None and source.op.family in SLIDING:
            sink.warn(
                "linear-on-map",
                f"`{node.op.name}` works on the last axis, the width of {value.type}: it mixes the "
                f"{value.type.shape[-1]} columns, not the channels",
                node.span,
                help="to take the whole map put `flatten` before it; to mix channels at each "
                "place use `conv(features, 1)`",
            )
