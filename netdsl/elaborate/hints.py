"""Guesses at a mistake far from where it shows: axes of the input in another framework's order."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.ir.dim import Size
from netdsl.ir.graph import OpLike, Value
from netdsl.ir.tensor import Shape, format_shape

LARGE_KERNEL = 12
"""From here on a kernel may well be meant as a number of channels."""

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


def is_channels_first(op: OpLike, inputs: Sequence[Value]) -> bool:
    """Whether a convolution looks as if it had PyTorch's arguments: those that come in, then those
    that go out, which is a large kernel here, and the kernel, which is a stride here.

    Large kernels that are meant are depthwise, cut the map into patches, or enlarge it.
    """
    if op.name not in ("conv", "conv_transpose") or not inputs:
        return False
    kernel, stride = getattr(op, "kernel", 0), getattr(op, "stride", 0)
    if inputs[0].type.shape[:1] != (getattr(op, "channels", None),):
        return False
    if not isinstance(kernel, int) or not isinstance(stride, int) or kernel < LARGE_KERNEL:
        return False
    enlarges = op.name == "conv_transpose" and kernel <= 2 * stride
    return getattr(op, "groups", 1) == 1 and kernel != stride and not enlarges


def argument_hint(op: OpLike, inputs: Sequence[Value]) -> str:
    """Whether a convolution was given the channels that come in, as PyTorch wants them."""
    if not is_channels_first(op, inputs):
        return ""
    kernel, stride = getattr(op, "kernel", 0), getattr(op, "stride", 0)
    return (
        "the channels that come in are worked out, and the order is "
        f"`{op.name}(channels, kernel, stride)`: did you mean `{op.name}({kernel}, {stride})`?"
    )


def claim_hint(value: Value, wanted: Sequence[Size]) -> str:
    """How a transposed convolution reaches the sizes that are claimed of its result."""
    node = value.producer
    if node is None or node.op.name != "conv_transpose" or len(wanted) != value.type.rank:
        return ""
    short = {a - b for a, b in zip(wanted[1:], value.type.shape[1:], strict=True)}
    stride = getattr(node.op, "stride", 1)
    (by,) = short if len(short) == 1 else (0,)
    if not isinstance(by, int) or not isinstance(stride, int) or not 0 < by < stride:
        return ""
    return f"`output_padding={by}` makes it {by} larger"


def has_batch_axis(shape: Shape) -> bool:
    """Whether this looks like `[1, 3, 224, 224]`."""
    return len(shape) == 4 and shape[1] in COLOURS and not is_small(shape[2])


def is_channels_last(shape: Shape) -> bool:
    """Whether this looks like `[224, 224, 3]`."""
    return len(shape) == 3 and shape[-1] in COLOURS and not is_small(shape[0])


def is_small(size: object) -> bool:
    """Whether it can't be the side of an image."""
    return isinstance(size, int) and size < 8
