"""Losses and hits of single samples, from the numbers for each class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = 255
"""The class of pixels that do not count, as in PASCAL VOC."""
ENOUGH = 4
"""Of so many sums, all are 1 by no chance."""


def losses(scores: Tensor, targets: Tensor) -> Tensor:
    """The cross entropy of each sample; of a map, the mean over the pixels that count."""
    if scores.ndim == 2:
        return F.cross_entropy(scores.float(), targets, reduction="none")
    scores = _as_large(scores.float(), targets)
    each = F.cross_entropy(scores, targets, ignore_index=IGNORED, reduction="none")
    return each.sum(dim=(1, 2)) / _counting(targets)


def hits(scores: Tensor, targets: Tensor) -> Tensor:
    """1 for a sample whose class has the greatest number, else 0; of a map, the part of pixels."""
    if scores.ndim == 2:
        return (scores.argmax(dim=1) == targets).double()
    right = _as_large(scores.float(), targets).argmax(dim=1) == targets
    return (right & (targets != IGNORED)).sum(dim=(1, 2)).double() / _counting(targets)


def are_shares(scores: Tensor) -> bool:
    """Whether the numbers are what a softmax gives, of which the cross entropy would be wrong."""
    sums = scores.float().sum(dim=1)
    is_chance = sums.numel() < ENOUGH
    is_one = torch.allclose(sums, torch.ones_like(sums), atol=1e-2)
    return not is_chance and bool((scores >= 0).all()) and is_one


def counted(weights: Tensor, targets: Tensor) -> Tensor:
    """The weights of samples where these are counted: 0 for a mask of which no pixel counts."""
    return weights if targets.ndim == 1 else weights * (targets != IGNORED).any(-1).any(-1)


def _counting(targets: Tensor) -> Tensor:
    return (targets != IGNORED).sum(dim=(1, 2)).clamp(min=1)


def _as_large(scores: Tensor, targets: Tensor) -> Tensor:
    """Maps of scores at the size of the masks."""
    if scores.shape[-2:] == targets.shape[-2:]:
        return scores
    return F.interpolate(scores, size=targets.shape[-2:], mode="bilinear", align_corners=False)
