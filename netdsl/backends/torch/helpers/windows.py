"""Attention within shifted windows (Liu et al. 2021, Swin Transformer)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WindowAttention(nn.Module):
    """Self-attention inside `window` x `window` tiles of a channels-last map, shifted by `shift`.

    The map is padded to whole windows; along an axis that one window covers nothing is shifted.
    """

    def __init__(self, features: int, heads: int, window: int, shift: int = 0) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.shift = shift
        self.qkv = nn.Linear(features, features * 3)
        self.proj = nn.Linear(features, features)
        self.add_bias(window, heads)
        at = torch.stack(
            torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
        ).flatten(1)
        apart = at[:, :, None] - at[:, None, :] + window - 1
        index = (apart[0] * (2 * window - 1) + apart[1]).flatten()
        self.register_buffer("relative_position_index", index)

    def add_bias(self, window: int, heads: int) -> None:
        """A learned bias for each relative position and head."""
        table = torch.zeros((2 * window - 1) ** 2, heads)
        self.relative_position_bias_table = nn.Parameter(
            nn.init.trunc_normal_(table, std=0.02)
        )

    def bias(self) -> Tensor:
        """The bias of each pair of cells of a window, [heads, cells, cells]."""
        table = self.relative_position_bias_table
        cells = self.window**2
        bias = table[self.relative_position_index].view(cells, cells, -1)
        return bias.permute(2, 0, 1)

    def project(self, tiles: Tensor) -> Tensor:
        return self.qkv(tiles)

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        return (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, features = x.shape
        w = self.window
        x = F.pad(x, (0, 0, 0, -width % w, 0, -height % w))
        rows, columns = x.shape[1], x.shape[2]
        shift = (0 if w >= rows else self.shift, 0 if w >= columns else self.shift)
        if sum(shift):
            x = torch.roll(x, (-shift[0], -shift[1]), (1, 2))
        tiles = self.tiles(x)
        mask = self.mask(x, rows, columns, shift) if sum(shift) else None
        tiles = self.attend(tiles, mask)
        x = tiles.view(batch, rows // w, columns // w, w, w, features)
        x = x.transpose(2, 3).reshape(batch, rows, columns, features)
        if sum(shift):
            x = torch.roll(x, shift, (1, 2))
        return x[:, :height, :width].clone()

    def tiles(self, x: Tensor) -> Tensor:
        """[N, H, W, C] to [N * windows, window * window, C]."""
        batch, height, width, features = x.shape
        w = self.window
        x = x.view(batch, height // w, w, width // w, w, features).transpose(2, 3)
        return x.reshape(-1, w * w, features)

    def mask(
        self, x: Tensor, rows: int, columns: int, shift: tuple[int, int]
    ) -> Tensor:
        """Minus 100 between cells that the shift brought together from afar."""
        region = x.new_zeros((1, rows, columns, 1))
        count = 0
        for top in (
            slice(0, -self.window),
            slice(-self.window, -shift[0] or None),
            slice(-shift[0] or rows, None),
        ):
            for left in (
                slice(0, -self.window),
                slice(-self.window, -shift[1] or None),
                slice(-shift[1] or columns, None),
            ):
                region[:, top, left] = count
                count += 1
        tiles = self.tiles(region).squeeze(-1)
        apart = tiles.unsqueeze(1) - tiles.unsqueeze(2)
        return torch.where(apart != 0, -100.0, 0.0).to(x.dtype)

    def attend(self, tiles: Tensor, mask: Tensor | None) -> Tensor:
        count, cells, features = tiles.shape
        qkv = self.project(tiles)
        qkv = qkv.view(count, cells, 3, self.heads, features // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = self.scores(q, k) + self.bias()
        if mask is not None:
            windows = mask.shape[0]
            scores = scores.view(-1, windows, self.heads, cells, cells)
            scores = (scores + mask.unsqueeze(1)).view(count, self.heads, cells, cells)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(count, cells, features)
        return self.proj(mixed)


class CosineWindowAttention(WindowAttention):
    """The same by cosines, its bias made from places on a logarithmic scale (Swin v2)."""

    def add_bias(self, window: int, heads: int) -> None:
        """A factor for each head, and two layers that make the bias."""
        self.logit_scale = nn.Parameter(torch.log(10 * torch.ones(heads, 1, 1)))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, 512), nn.ReLU(), nn.Linear(512, heads, bias=False)
        )
        steps = torch.arange(1 - window, window, dtype=torch.float32)
        steps = steps / (window - 1) * 8
        steps = steps.sign() * torch.log2(steps.abs() + 1.0) / 3.0
        table = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1)
        self.register_buffer("relative_coords_table", table[None])

    def bias(self) -> Tensor:
        cells = self.window**2
        table = self.cpb_mlp(self.relative_coords_table).view(-1, self.heads)
        bias = table[self.relative_position_index].view(cells, cells, -1)
        return 16 * bias.permute(2, 0, 1).sigmoid()

    def project(self, tiles: Tensor) -> Tensor:
        """Keys have no bias."""
        q, k, v = self.qkv.bias.chunk(3)
        bias = torch.cat((q, torch.zeros_like(k), v))
        return F.linear(tiles, self.qkv.weight, bias)

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        cosines = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        return cosines * self.logit_scale.clamp(max=4.605170185988092).exp()
