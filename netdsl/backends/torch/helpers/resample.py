"""Resampling by a factor to a size that is exact."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ExactUpsample(nn.Module):
    """`nn.Upsample` by exact factors, fractions: n cells become `n * times // over`.

    PyTorch multiplies in floating point, where 50 * 2.3 is a little less than 115. Its
    operators take the size beside the factor, which says where the cells lie.
    """

    def __init__(
        self, factors: tuple[tuple[int, int], ...], mode: str = "nearest"
    ) -> None:
        super().__init__()
        self.factors = factors
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        pairs = zip(x.shape[2:], self.factors, strict=True)
        size = [n * times // over for n, (times, over) in pairs]
        scales = [times / over for times, over in self.factors]
        corners = [] if self.mode == "nearest" else [False]
        resample = getattr(torch.ops.aten, f"upsample_{self.mode}{len(size)}d")
        return resample(x, size, *corners, *scales)
