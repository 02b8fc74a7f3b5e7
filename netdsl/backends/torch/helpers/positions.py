"""The places of the cells of a map."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Positions(nn.Module):
    """The numbers of each cell along the last axes, from 0; the same for every sample.

    They are float32, or in a network that was turned to half precision as a whole of its type;
    with `single` always float32.
    """

    def __init__(self, axes: int, single: bool = False) -> None:
        super().__init__()
        self.axes, self.single = axes, single

    def forward(self, x: Tensor) -> Tensor:
        is_half = x.is_floating_point() and x.element_size() < 4
        dtype = x.dtype if is_half and not self.single else torch.float32
        sizes = x.shape[-self.axes :]
        lines = [torch.arange(n, dtype=dtype, device=x.device) for n in sizes]
        return torch.stack(torch.meshgrid(*lines, indexing="ij"))
