"""Stochastic pooling in torch, as it is printed into generated sources."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StochasticPool(nn.Module):
    """Stochastic pooling (Zeiler and Fergus 2013)."""

    def __init__(
        self,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        stride = self.kernel if stride is None else stride
        self.stride = stride if isinstance(stride, tuple) else (stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        if self.training:
            return self.draw(x)
        means = F.avg_pool2d(x, self.kernel, self.stride)
        squares = F.avg_pool2d(x * x, self.kernel, self.stride)
        return squares / means.clamp_min(1e-7)

    def draw(self, x: Tensor) -> Tensor:
        """A cell of each window, with a probability in proportion to its value."""
        windows = x.unfold(2, self.kernel[0], self.stride[0])
        windows = windows.unfold(3, self.kernel[1], self.stride[1]).flatten(4)
        flat = windows.reshape(-1, windows.shape[-1])
        shares = flat.detach() + (flat.detach().sum(1, True) == 0).to(x.dtype)
        cells = torch.multinomial(shares, 1)
        return flat.gather(1, cells).reshape(windows.shape[:-1])
