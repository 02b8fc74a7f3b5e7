"""Guesses at a mistake far from where it shows: axes of the input in another framework's order."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.ir.dim import Size
from netdsl.ir.graph import Value
from netdsl.ir.tensor import Shape, format_shape
from netdsl.ops.base import Op, op_of

COLOURS = (1, 3, 4)
"""Channels an image usually has."""


def layout_hint(inputs: Sequence[Value]) -> str:
    """Whether an input that these values come from has a batch axis, or its channels last."""
    for value in inputs:
        while value.producer is not None and value.producer.inputs:
            value = value.producer.inputs[0]
        shape = value.type.shape
        if value.producer is not None:
            continue
        if has_batch_axis(shape):
            return (
                f"`{value.name}` is {value.type}, and shapes leave out the batch axis: "
                f"did you mean `{format_shape(shape[1:])}`?"
            )
        if is_channels_last(shape):
            return (
                f"`{value.name}` is {value.type}, and shapes begin with the channels: "
                f"did you mean `{format_shape((shape[-1], *shape[:-1]))}`?"
            )
    return ""


def argument_hint(op: Op, inputs: Sequence[Value]) -> str:
    """What the settings of a layer look as if they were meant for."""
    doubt = op.doubt(tuple(value.type for value in inputs)) if inputs else None
    return doubt.hint if doubt is not None else ""


def claim_hint(value: Value, wanted: Sequence[Size]) -> str:
    """How the layer that made a value reaches the sizes that are claimed of it."""
    if value.producer is None or len(wanted) != value.type.rank:
        return ""
    short = {a - b for a, b in zip(wanted[1:], value.type.shape[1:], strict=True)}
    (by,) = short if len(short) == 1 else (0,)
    setting = op_of(value.producer).larger_by(by) if isinstance(by, int) else ""
    return f"`{setting}` makes it {by} larger" if setting else ""


def has_batch_axis(shape: Shape) -> bool:
    """Whether this looks like `[1, 3, 224, 224]`."""
    return len(shape) == 4 and shape[1] in COLOURS and not is_small(shape[2])


def is_channels_last(shape: Shape) -> bool:
    """Whether this looks like `[224, 224, 3]`."""
    return len(shape) == 3 and shape[-1] in COLOURS and not is_small(shape[0])


def is_small(size: object) -> bool:
    """Whether it can't be the side of an image."""
    return isinstance(size, int) and size < 8
