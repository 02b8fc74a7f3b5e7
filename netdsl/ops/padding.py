"""Padding in words: how many cells `same` and its kin add before and after an axis."""

from __future__ import annotations

from typing import TypeAlias

from netdsl.ir.dim import Size, ceil_div, floor_div, maximum
from netdsl.ops.params import SIZE, either

Cells: TypeAlias = tuple[Size, Size]
"""Cells added before and after an axis."""
SAME, UPPER, LOWER = "same", "same_upper", "same_lower"
ROUNDED = (UPPER, LOWER)
"""The words that go with any stride."""
WORDS = (SAME, *ROUNDED)
PADDING = either(SIZE, *WORDS)
OF_PADDING = (
    "cells added on each side; `same` keeps the size, `same_upper` and `same_lower` make it "
    "`ceil(in / stride)`"
)


def same_cells(size: Size, kernel: int, stride: int, dilation: int, word: str) -> Cells:
    """What lets ceil(size / stride) windows fit, in halves: ONNX's SAME_UPPER and SAME_LOWER.

    An odd cell comes after, or before for `same_lower`.
    """
    span = dilation * (kernel - 1) + 1
    added = maximum((ceil_div(size, stride) - 1) * stride + span - size, 0)
    half, more = floor_div(added, 2), ceil_div(added, 2)
    cells = (more, half) if word == LOWER else (half, more)
    if isinstance(size, int):
        return cells
    ends = zip(*(same_cells(n, kernel, stride, dilation, word) for n in (1, stride)), strict=True)
    before, after = (
        most if most == fewest else own for own, (most, fewest) in zip(cells, ends, strict=True)
    )
    return before, after


def steady_cells(kernel: int, stride: int, dilation: int, word: str) -> tuple[int, int] | None:
    """The same where it does not depend on the size of the axis."""
    first, last = (_numbers(n, kernel, stride, dilation, word) for n in (1, stride))
    return first if first == last else None


def extent(kernel: int, stride: int, dilation: int, word: str) -> tuple[int, int]:
    """The fewest and the most cells before an axis, of all sizes that it can have."""
    fewest, most = (_numbers(n, kernel, stride, dilation, word)[0] for n in (stride, 1))
    return fewest, most


def _numbers(size: int, kernel: int, stride: int, dilation: int, word: str) -> tuple[int, int]:
    before, after = same_cells(size, kernel, stride, dilation, word)
    assert isinstance(before, int)
    assert isinstance(after, int)
    return before, after


def two_rules(kernel: int, dilation: int) -> str:
    """What `same` may be meant as where there is a stride."""
    half = (dilation * (kernel - 1) + 1) // 2
    return (
        "with a stride there are two rules: TensorFlow's and Keras's is `padding=same_upper`, "
        f"PyTorch's habit `padding={half}`"
    )
