"""Modules that do with masks, sizes and shares of samples what models for pictures do."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class OurDropPath(nn.Module):
    """Drops samples, under a name of one's own."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), device=x.device)
        return x.div(1 - self.drop_prob) * torch.floor(kept + 1 - self.drop_prob)


class ScaledDropPath(OurDropPath):
    """Is called like one that drops samples, and does more."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 0.5


class NamelessDropPath(nn.Module):
    """Does not say what it drops where others say it."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2


class Dropping(nn.Module):
    """A residual that is dropped."""

    def __init__(self, kind: Any = OurDropPath, share: Any = (0.25,)) -> None:
        super().__init__()
        self.conv, self.drop = nn.Conv2d(3, 3, 1), kind(*share)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.drop(self.conv(x))


class WindowMask(nn.Module):
    """Windows beside the batch, with a known mask for each that is copied for all samples."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(4, 12)
        self.bias = nn.Parameter(torch.randn(1, 2, 4, 4))

    def forward(self, x: Tensor) -> Tensor:
        b, c, t = x.shape
        y = x.transpose(1, 2).reshape(b * (t // 4), 4, c)
        q, k, v = self.qkv(y).view(-1, 4, 3, 2, 2).permute(2, 0, 3, 1, 4)
        part = torch.arange(t, device=x.device).view(t // 4, 4) >= 6
        mask = (part.unsqueeze(1) != part.unsqueeze(2)).float() * -100.0
        mask = mask.unsqueeze(1).unsqueeze(0).expand(b, -1, -1, -1, -1).reshape(-1, 1, 4, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias + mask)
        return y.transpose(1, 2).reshape(b, t, c)


class Queries(nn.Module):
    """Learned queries that look at each other, then at what comes in; they begin at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 8)
        self.k, self.v, self.q = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        places = self.table.weight.unsqueeze(0).repeat(x.shape[0], 1, 1)
        y = torch.zeros_like(places)
        y = y + torch.ones_like(y) * torch.full_like(y, 0.5)
        y = y + self.attend(y + places, y, self.v(y))
        return y + self.attend(self.q(y + places), x, self.v(x))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        heads = (one.view(*one.shape[:2], 2, 4).transpose(1, 2) for one in (q, self.k(k), v))
        a, b, c = heads
        return F.scaled_dot_product_attention(a, b, c).transpose(1, 2).flatten(2)


class Asking(nn.Module):
    """Makes a mask where its input is, and asks for its numbers; in training for infinity."""

    def __init__(self, limit: int = 0) -> None:
        super().__init__()
        self.conv, self.limit = nn.Conv2d(3, 4, 3), limit

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        mask = torch.ones((x.shape[0], y.shape[2]), device=x.device, dtype=torch.long)
        if self.training and (not torch.isfinite(y).all() or y.isnan().any()):
            y = y.clamp(-10, 10)
        if not mask.bool().all() or mask[0].sum() < self.limit:
            return y * 2
        return y * mask.cumsum(1)[:, None, :, None]


class Unbounded(nn.Module):
    """Bounds at infinity are none."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).clamp(-math.inf, 0.5).clamp_min(-math.inf)
        return F.hardtanh(y, -0.25, math.inf).clamp(max=math.inf)


class Without(nn.Module):
    """Numbers that the language has not."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.conv, self.kind = nn.Conv2d(3, 4, 3), kind

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.kind == "softplus":
            return F.softplus(y, threshold=math.inf)
        if self.kind == "elu":
            return F.elu(y, alpha=math.nan)
        if self.kind == "pad":
            return F.pad(y, (1, 1), value=math.nan)
        if self.kind == "isfinite":
            return y * y.isfinite()
        return y + math.inf
