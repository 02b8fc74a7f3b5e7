"""Modules of YOLO in plain PyTorch, written from the papers, with the names of checkpoints."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Conv(nn.Module):
    def __init__(self, c, out, k=1, s=1, p=None, g=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(c, out, k, s, k // 2 if p is None else p, groups=g, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU() if act else nn.Identity()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, c, out, shortcut=True, k=(3, 3), e=0.5):
        super().__init__()
        self.cv1 = Conv(c, int(out * e), k[0])
        self.cv2 = Conv(int(out * e), out, k[1])
        self.shortcut = shortcut and c == out

    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C3(nn.Module):
    """`first` is the first kernel of the bottlenecks: 1, or 3 in `C3k`."""

    def __init__(self, c, out, n=1, shortcut=True, first=1):
        super().__init__()
        half = out // 2
        self.cv1, self.cv2, self.cv3 = Conv(c, half), Conv(c, half), Conv(2 * half, out)
        units = (Bottleneck(half, half, shortcut, (first, 3), 1.0) for _ in range(n))
        self.m = nn.Sequential(*units)

    def forward(self, x):
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class Split(nn.Module):
    """The frame of `C2f`, `C3k2` and `C2fCIB`; `unit(width)` makes what it holds."""

    def __init__(self, c, out, n, unit, e=0.5):
        super().__init__()
        self.width = int(out * e)
        self.cv1 = Conv(c, 2 * self.width)
        self.cv2 = Conv((2 + n) * self.width, out)
        self.m = nn.ModuleList(unit(self.width) for _ in range(n))

    def forward(self, x):
        parts = list(torch.split(self.cv1(x), self.width, 1))
        for unit in self.m:
            parts.append(unit(parts[-1]))
        return self.cv2(torch.cat(parts, 1))


class Attention(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.heads, self.head, self.key = heads, c // heads, c // heads // 2
        self.qkv = Conv(c, c + 2 * self.key * heads, act=False)
        self.proj = Conv(c, c, act=False)
        self.pe = Conv(c, c, 3, g=c, act=False)

    def forward(self, x):
        b, c, h, w = x.shape
        y = self.qkv(x).reshape(b, self.heads, 2 * self.key + self.head, h * w)
        q, k, v = y[:, :, : self.key], y[:, :, self.key : 2 * self.key], y[:, :, 2 * self.key :]
        scores = torch.einsum("bhki,bhkj->bhij", q, k) / self.key**0.5
        looked = torch.einsum("bhij,bhcj->bhci", scores.softmax(-1), v)
        return self.proj(looked.reshape(b, c, h, w) + self.pe(v.reshape(b, c, h, w)))


class PSABlock(nn.Module):
    def __init__(self, c, heads):
        super().__init__()
        self.attn = Attention(c, heads)
        self.ffn = nn.Sequential(Conv(c, 2 * c), Conv(2 * c, c, act=False))

    def forward(self, x):
        x = x + self.attn(x)
        return x + self.ffn(x)


class C2PSA(nn.Module):
    def __init__(self, c, n=1):
        super().__init__()
        self.half = c // 2
        self.cv1, self.cv2 = Conv(c, c), Conv(c, c)
        self.m = nn.Sequential(*(PSABlock(self.half, max(self.half // 64, 1)) for _ in range(n)))

    def forward(self, x):
        y = self.cv1(x)
        return self.cv2(torch.cat((y[:, : self.half], self.m(y[:, self.half :])), 1))


class AreaAttention(nn.Module):
    def __init__(self, c, area):
        super().__init__()
        self.heads, self.area = c // 32, area
        self.qkv = Conv(c, 3 * c, act=False)
        self.proj = Conv(c, c, act=False)
        self.pe = Conv(c, c, 7, g=c, act=False)

    def forward(self, x):
        """Places row by row, in `area` runs; of a head its q, k and v lie together."""
        b, c, h, w = x.shape
        y = self.qkv(x).flatten(2).reshape(b, self.heads, 96, h * w)
        runs = [one.chunk(self.area, 3) for one in (y[:, :, :32], y[:, :, 32:64], y[:, :, 64:])]
        results = []
        for q, k, v in zip(*runs, strict=True):
            shares = (torch.einsum("bhci,bhcj->bhij", q, k) * 32**-0.5).softmax(-1)
            results.append(torch.einsum("bhij,bhcj->bhci", shares, v))
        looked = torch.cat(results, 3).reshape(b, c, h, w)
        return self.proj(looked + self.pe(y[:, :, 64:].reshape(b, c, h, w)))


class ABlock(nn.Module):
    def __init__(self, c, ratio, area):
        super().__init__()
        self.attn = AreaAttention(c, area)
        self.mlp = nn.Sequential(Conv(c, int(c * ratio)), Conv(int(c * ratio), c, act=False))

    def forward(self, x):
        x = x + self.attn(x)
        return x + self.mlp(x)


class A2C2f(nn.Module):
    def __init__(self, c, out, n, area, residual=False, ratio=2.0):
        super().__init__()
        half = out // 2
        self.cv1, self.cv2 = Conv(c, half), Conv((1 + n) * half, out)
        self.gamma = nn.Parameter(0.01 * torch.ones(out)) if residual else None
        rows = (nn.Sequential(*(ABlock(half, ratio, area) for _ in range(2))) for _ in range(n))
        self.m = nn.ModuleList(rows)

    def forward(self, x):
        parts = [self.cv1(x)]
        for row in self.m:
            parts.append(row(parts[-1]))
        y = self.cv2(torch.cat(parts, 1))
        return y if self.gamma is None else x + self.gamma[:, None, None] * y


class SPPF(nn.Module):
    def __init__(self, c, out, count=3, act=True, shortcut=False):
        super().__init__()
        self.cv1, self.cv2 = Conv(c, c // 2, act=act), Conv(c // 2 * (count + 1), out)
        self.count, self.shortcut = count, shortcut

    def forward(self, x):
        parts = [self.cv1(x)]
        for _ in range(self.count):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        y = self.cv2(torch.cat(parts, 1))
        return x + y if self.shortcut else y


class RepConv(nn.Module):
    def __init__(self, c, out):
        super().__init__()
        self.conv1, self.conv2 = Conv(c, out, 3, act=False), Conv(c, out, 1, act=False)

    def forward(self, x):
        return F.silu(self.conv1(x) + self.conv2(x))


class RepBottleneck(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.cv1, self.cv2 = RepConv(c, c), Conv(c, c, 3)

    def forward(self, x):
        return x + self.cv2(self.cv1(x))


class RepCSP(nn.Module):
    def __init__(self, c, out, n):
        super().__init__()
        half = out // 2
        self.cv1, self.cv2, self.cv3 = Conv(c, half), Conv(c, half), Conv(2 * half, out)
        self.m = nn.Sequential(*(RepBottleneck(half) for _ in range(n)))

    def forward(self, x):
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class Elan(nn.Module):
    def __init__(self, c, out, width, hidden, n):
        super().__init__()
        self.cv1 = Conv(c, width)
        self.cv2 = nn.Sequential(RepCSP(width // 2, hidden, n), Conv(hidden, hidden, 3))
        self.cv3 = nn.Sequential(RepCSP(hidden, hidden, n), Conv(hidden, hidden, 3))
        self.cv4 = Conv(width + 2 * hidden, out)

    def forward(self, x):
        one, two = self.cv1(x).chunk(2, 1)
        three = self.cv2(two)
        return self.cv4(torch.cat((one, two, three, self.cv3(three)), 1))


class ADown(nn.Module):
    def __init__(self, c, out):
        super().__init__()
        self.cv1 = Conv(c // 2, out // 2, 3, 2, 1)
        self.cv2 = Conv(c // 2, out // 2)

    def forward(self, x):
        one, two = F.avg_pool2d(x, 2, 1).chunk(2, 1)
        return torch.cat((self.cv1(one), self.cv2(F.max_pool2d(two, 3, 2, 1))), 1)


class GhostConv(nn.Module):
    def __init__(self, c, out, k=1, s=1, act=True):
        super().__init__()
        self.cv1 = Conv(c, out // 2, k, s, act=act)
        self.cv2 = Conv(out // 2, out // 2, 5, g=out // 2, act=act)

    def forward(self, x):
        y = self.cv1(x)
        return torch.cat((y, self.cv2(y)), 1)


class CIB(nn.Module):
    def __init__(self, c, shortcut):
        super().__init__()
        self.cv1 = nn.Sequential(
            Conv(c, c, 3, g=c), Conv(c, 2 * c), Conv(2 * c, 2 * c, 3, g=2 * c), Conv(2 * c, c),
            Conv(c, c, 3, g=c),
        )  # fmt: skip
        self.shortcut = shortcut

    def forward(self, x):
        return x + self.cv1(x) if self.shortcut else self.cv1(x)


class TransformerLayer(nn.Module):
    """`AIFI`: places are added to queries and keys, as sines and cosines of column and row."""

    def __init__(self, c, hidden, heads):
        super().__init__()
        self.ma = nn.MultiheadAttention(c, heads, batch_first=True)
        self.fc1, self.fc2 = nn.Linear(c, hidden), nn.Linear(hidden, c)
        self.norm1, self.norm2 = nn.LayerNorm(c), nn.LayerNorm(c)

    def forward(self, x):
        b, c, h, w = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        rates = 10_000.0 ** -(torch.arange(c // 4, dtype=torch.float32) / (c // 4))
        columns = torch.arange(w, dtype=torch.float32).repeat_interleave(h)[:, None] * rates
        rows = torch.arange(h, dtype=torch.float32).repeat(w)[:, None] * rates
        place = torch.cat((columns.sin(), columns.cos(), rows.sin(), rows.cos()), 1)
        q = tokens + place
        tokens = self.norm1(tokens + self.ma(q, q, tokens, need_weights=False)[0])
        tokens = self.norm2(tokens + self.fc2(F.gelu(self.fc1(tokens))))
        return tokens.transpose(1, 2).reshape(b, c, h, w)
