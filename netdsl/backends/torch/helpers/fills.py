"""Tables with certain numbers: kernels of interpolation, rows of relative positions."""

from __future__ import annotations

import torch
from torch import Tensor


def bilinear(shape: tuple[int, ...]) -> Tensor:
    """The kernel that enlarges by interpolation (Long et al. 2015), each channel by itself."""
    kernel = torch.ones(())
    for size in shape[2:]:
        half = (size + 1) // 2
        middle = half - 1 if size % 2 else half - 0.5
        hat = 1 - (torch.arange(size) - middle).abs() / half
        kernel = kernel[..., None] * hat
    weight = torch.zeros(shape)
    diagonal = torch.arange(shape[0])
    weight[diagonal, diagonal if shape[1] > 1 else 0] = kernel
    return weight


def relative_position(tokens: int) -> Tensor:
    """Which row of a table of biases each pair of cells of a window has (Liu et al. 2021).

    A class token in front has three rows of its own behind the others (Bao et al. 2022).
    """
    window = int(tokens**0.5)
    span = 2 * window - 1
    at = torch.stack(
        torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    ).flatten(1)
    apart = at[:, :, None] - at[:, None, :] + window - 1
    index = apart[0] * span + apart[1]
    if window * window == tokens:
        return index
    whole = torch.full((tokens, tokens), span * span, dtype=torch.int64)
    whole[1:, 1:] = index
    whole[1:, 0] = span * span + 1
    whole[0, 0] = span * span + 2
    return whole
