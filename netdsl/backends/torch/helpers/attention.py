"""Attention with masks that say what may be looked at, as `F.scaled_dot_product_attention` does."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    heads: int,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Attention by heads that lie one behind the other in the features."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(-3, -2) for x in (q, k, v))
    if causal and mask is not None:
        shape = q.shape[-2], k.shape[-2]
        sees = torch.ones(shape, dtype=torch.bool, device=q.device).tril()
        if mask.dtype == torch.bool:
            mask = mask & sees
        else:
            mask = mask.masked_fill(~sees, float("-inf"))
        causal = False
    x = F.scaled_dot_product_attention(q, k, v, mask, dropout, causal, scale=scale)
    return x.transpose(-3, -2).flatten(-2)


class Attend(nn.Module):
    """Attention without weights of its own."""

    def __init__(
        self,
        heads: int,
        causal: bool = False,
        scale: float | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.scale = scale
        self.dropout = dropout

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        return attend(q, k, v, self.heads, mask, self.causal, self.scale, dropout)


class MaskedAttention(nn.MultiheadAttention):
    """`nn.MultiheadAttention` with such masks; a query that sees nothing gets zeros."""

    def __init__(
        self,
        features: int,
        heads: int,
        kdim: int | None = None,
        vdim: int | None = None,
        causal: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__(
            features, heads, dropout, bias, kdim=kdim, vdim=vdim, batch_first=True
        )
        self.causal = causal

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        if self.in_proj_weight is None:
            weights = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        else:
            weights = self.in_proj_weight.chunk(3)
        biases = (
            (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        )
        q, k, v = map(F.linear, (q, k, v), weights, biases)
        dropout = self.dropout if self.training else 0.0
        x = attend(q, k, v, self.num_heads, mask, self.causal, dropout=dropout)
        return self.out_proj(x)
