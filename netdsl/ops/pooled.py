"""How many windows of a pool fit along an axis: PyTorch's rule, ceil mode as one floor."""

from __future__ import annotations

from netdsl.ir.dim import Size
from netdsl.ops.facts import SLID_SIZE


def pooled(size: Size, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> Size:
    """Size of a pooled axis (PyTorch's `pooling_output_shape`), ceil mode as one floor.

    A last window that would begin in the far padding is left out in ceil mode, which is the
    smaller of the two bounds.
    """
    return (size + room(kernel, stride, padding, dilation, ceil)) // stride + 1


def room(kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> int:
    """By how much a map is longer than what the last window begins at or before."""
    most = 2 * padding - dilation * (kernel - 1) - 1
    return min(most + stride - 1, padding - 1) if ceil else most


def _ends_in_map(kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> bool:
    """Whether a last partial window counts only where it begins before the far padding."""
    return ceil and padding - 1 < 2 * padding - dilation * (kernel - 1) - 1 + stride - 1


def pooled_in_words(kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> str:
    """The rule for the size of an axis."""
    if _ends_in_map(kernel, stride, padding, dilation, ceil):
        return "floor((in + padding - 1)/stride) + 1: no window begins behind the map"
    return SLID_SIZE.replace("floor", "ceil") if ceil else SLID_SIZE


def pooled_formula(
    size: Size, kernel: int, stride: int, padding: int, dilation: int, ceil: bool, result: Size
) -> str:
    """How the size is worked out, with the numbers in it."""
    if _ends_in_map(kernel, stride, padding, dilation, ceil):
        return f"floor(({size} + {padding} - 1)/{stride}) + 1 = {result}"
    span = f"{kernel}" if dilation == 1 else f"({dilation}*({kernel} - 1) + 1)"
    way = "ceil" if ceil else "floor"
    return f"{way}(({size} + 2*{padding} - {span})/{stride}) + 1 = {result}"
