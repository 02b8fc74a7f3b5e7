"""What PyTorch itself gives by a factor: the oracle of all tests of `upsample`."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F


def promised(size: int, factor: Fraction) -> int:
    """The size of the language, in whole numbers."""
    return size * factor.numerator // factor.denominator


def by_factor(x: Any, factors: tuple[Fraction, ...], mode: str, corners: bool = False) -> Any:
    """`F.interpolate(scale_factor=...)` of `x`.

    Where PyTorch would make another size than the language promises, it is the operator below it,
    which takes size and factor.
    """
    words = {} if mode == "nearest" else {"align_corners": corners}
    sizes = [promised(n, f) for n, f in zip(x.shape[2:], factors, strict=True)]
    scales = list(map(float, factors))
    if [int(n * s) for n, s in zip(x.shape[2:], scales, strict=True)] == sizes:
        return F.interpolate(x, scale_factor=tuple(scales), mode=mode, **words)
    operator = getattr(torch.ops.aten, f"upsample_{mode}{len(sizes)}d")
    return operator(x, sizes, *words.values(), *scales)


def oracle(op: Any, x: Any) -> Any:
    """What PyTorch gives for an `upsample` with a factor; None for all other layers."""
    if op.name != "upsample" or op.scale is None:
        return None
    rank = x.ndim - 2
    factors = op.scale if isinstance(op.scale, tuple) else (op.scale,) * rank
    return by_factor(x, factors, op.mode, op.align_corners)
