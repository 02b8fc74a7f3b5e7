"""The networks of docs/howto.md that work on tokens in plain PyTorch, as in `howto_by_hand.py`."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def patches(m: Any, image: Tensor) -> Tensor:
    return m.proj(image).flatten(2).transpose(1, 2)


def class_token(m: Any, tokens: Tensor) -> tuple[Tensor, ...]:
    y = m.norm(torch.cat([m.cls_token.expand(len(tokens), -1, -1), tokens], 1))
    return y[:, 0], y[:, 1:]


def positions(m: Any, tokens: Tensor) -> Tensor:
    return tokens + m.pos[: tokens.shape[1]]


def resampled(m: Any, x: Tensor) -> Tensor:
    grid = m.pos_embed.reshape(1, 7, 7, 16).permute(0, 3, 1, 2)
    return x + F.interpolate(grid, x.shape[2:], mode="bicubic")


def map(m: Any, image: Tensor) -> Tensor:
    cells = m.proj(image)
    return m.norm(cells.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def waves(steps: int, width: int) -> Tensor:
    """The angle of each position and each pair of features."""
    numbers = torch.arange(width // 2, dtype=torch.float64)
    return (torch.arange(steps)[:, None] / 10000 ** (2 * numbers / width)).float()


def sinusoidal(m: Any, tokens: Tensor) -> Tensor:
    angle = waves(tokens.shape[1], 8)
    assert not m.state_dict()
    return tokens + torch.cat([angle.sin(), angle.cos()], -1)


def rope(m: Any, x: Tensor) -> Tensor:
    """By complex numbers: each pair is turned by its angle."""

    def turned(y: Tensor) -> Tensor:
        pairs = torch.complex(*y.chunk(2, -1)) * torch.polar(torch.ones(()), waves(y.shape[1], 8))
        return torch.cat([pairs.real, pairs.imag], -1)

    q, k, v = m.qkv(x).chunk(3, -1)
    return F.scaled_dot_product_attention(turned(q), turned(k), v)


def coordinates(m: Any, x: Tensor) -> Tensor:
    rows, columns = (torch.arange(size) / 100 for size in x.shape[2:])
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).expand(len(x), -1, -1, -1)
    return m.conv(torch.cat([x, grid], 1))


def crossed(m: Any, x: Tensor, memory: Tensor) -> Tensor:
    return x + m.attn(x, memory, memory)[0]


def own_projections(m: Any, x: Tensor) -> Tensor:
    q, k, v = m.attn.qkv(x).unflatten(-1, (3, 4, 4)).permute(2, 0, 3, 1, 4)
    return m.attn.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def causal(m: Any, x: Tensor, visible: Tensor) -> Tensor:
    first, second = (torch.nn.MultiheadAttention(16, 4, batch_first=True) for _ in range(2))
    first.load_state_dict(m.first.state_dict())
    second.load_state_dict(m.second.state_dict())
    later = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
    y = first(x, x, x, attn_mask=later)[0]
    return second(y, y, y, key_padding_mask=~visible)[0]


def relative_bias(m: Any, scores: Tensor) -> Tensor:
    cells = [(i, j) for i in range(4) for j in range(4)]
    rows = [[(a - c + 3) * 7 + b - d + 3 for c, d in cells] for a, b in cells]
    return (scores + m.table[torch.tensor(rows)].permute(2, 0, 1)).softmax(-1)


def transformer(m: Any, x: Tensor) -> Tensor:
    theirs = torch.nn.TransformerEncoderLayer(
        16, 4, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    names = {
        "norm1": "ln1",
        "norm2": "ln2",
        "linear1": "fc1",
        "linear2": "fc2",
        "self_attn": "attn",
    }
    for name, ours in names.items():
        getattr(theirs, name).load_state_dict(getattr(m, ours).state_dict())
    return theirs(x)
