"""Arithmetic with a number for each channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PerChannel(nn.Module):
    """A function of values, and of a number for each channel behind them."""

    def __init__(
        self, function, numbers: list[float], rank: int, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.function = function
        numbers = torch.tensor(numbers, dtype=dtype).view(-1, *(1,) * (rank - 1))
        self.register_buffer("numbers", numbers, persistent=False)

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        for other in (*others, self.numbers):
            x = self.function(x, other)
        return x


class ElsePerChannel(PerChannel):
    """`x` where a condition holds, else a number for each channel."""

    def forward(self, condition: Tensor, x: Tensor) -> Tensor:
        return self.function(condition, x, self.numbers)
