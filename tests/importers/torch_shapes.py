"""Small modules that copy, cut and put together values in the ways that models do."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Expanded(nn.Module):
    """A pooled map spread over the map again, and joined with it: only a joint needs copies."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Conv2d(8, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        mean = x.mean((2, 3), keepdim=True)
        both = torch.cat([x, mean.expand(-1, -1, x.shape[2], x.shape[3])], dim=1)
        both = both + F.pad(both, (-1, 1, 1, -1))
        return self.head(both) - self.conv(x[:, :3]).amax((2, 3), keepdim=True)[:, :2]


class Copied(nn.Module):
    """Copies along known axes: by `expand`, `repeat`, `tile`, each sample and each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 6, 1)
        self.table = nn.Parameter(torch.randn(1, 1, 4, 4))
        self.rows = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.mix(x)
        tiled = torch.tile(self.table, (1, 6, 2, 2)) + y
        wide = y.mean(1, keepdim=True).expand(-1, 6, -1, -1).reshape(x.shape[0], 3, 2, 8, 8)
        each = y.repeat_interleave(2, dim=1)[:, ::2] * y.repeat(1, 2, 1, 1)[:, 6:]
        samples = y.repeat_interleave(3, dim=0).view(-1, 3, 6, 8, 8)[:, 1]
        return self.rows(tiled + wide.sum(2).repeat(1, 2, 1, 1) + each + samples)


class Outer(nn.Module):
    """Two rows, each spread over the other: neither operand of the sum has all cells."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True)
        a = rows.expand(-1, -1, -1, x.shape[3])
        b = (rows * 2).expand_as(x)
        return (a + b).softmax(3) * columns


class Assigned(nn.Module):
    """Parts assigned in place: rows, every other column, a part by itself, of zeros too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 1)
        self.other = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y, z = self.conv(x), self.other(x)
        y[:, :3] = z * 2
        y[:, 4, 1:3] = z[:, 0, 1:3]
        y[..., ::2] = y[..., 1::2] + 1
        y[:, 5] += z[:, 1]
        y[:, 0, -1] = 0.5
        blank = torch.zeros(x.shape[0], 6, 8, 8)
        blank[:, 2:5] = z
        return y * y + blank


class Blanked(nn.Module):
    """A channel that becomes a number, at any size."""

    def forward(self, x: Tensor) -> Tensor:
        y = x * 2
        y[:, 1] = -1.5
        y[:, :1] = y[:, 2:].mean((2, 3), keepdim=True)
        return y


class Windowed(nn.Module):
    """Windows along two axes, padding of tokens, maps beside the batch, parts in another order."""

    order: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("order", torch.tensor([3, 0, 1]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        b = x.shape[0]
        wide = F.pad(x, (1, 1, 1, 1)).unfold(2, 4, 2).unfold(3, 6, 2)
        maps = wide.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, 4, 6)
        maps = F.max_pool2d(self.norm(self.conv(maps)), 2)
        tokens = maps.reshape(b, 20, 4, 6)
        tokens = F.pad(tokens, (-1, 2, 2, -1), value=0.25)[:, :, self.order]
        return tokens[:, [0, 1, 5, 4]]


class Masked(nn.Module):
    """Scores masked with -inf, a largest pool behind padding with -inf, sums that begin at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        mask = torch.triu(torch.full((6, 6), float("-inf")), 1)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) + self.mask
        late = torch.ones(6, 6).tril(-3).bool()
        y = scores.masked_fill(late, float("-inf")).softmax(-1) @ v
        tops = F.max_pool1d(F.pad(y, (0, 1), value=float("-inf")), 3, 2)
        return sum([tops * 2, x[..., :4]], start=0 + tops)


class Rounded(nn.Module):
    """Sizes that go through `int(...)`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = int(x.shape[2]), int(x.shape[3] / 2)
        assert isinstance(height, int)
        y = F.interpolate(self.conv(x), size=(2 * height, width), mode="nearest")
        return y.view(int(x.shape[0]), 4, int(2 * height) * width)


class Placed(nn.Module):
    """A large table of places that is the sum of rows and columns, as windows have it."""

    places: Tensor

    def __init__(self, side: int = 12) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(side * side, 2))
        cells = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"))
        flat = cells.flatten(1)
        apart = (flat[:, :, None] - flat[:, None, :]).abs()
        places = apart[0] * side + apart[1]
        self.register_buffer("places", places, persistent=False)
        apart = (flat[:, :, None] - flat[:, None, :]).float()
        squares = torch.stack([apart[0], apart[1], apart[0] ** 2 + apart[1] ** 2], -1)
        self.register_buffer("apart", squares, persistent=False)
        self.near = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2)
        scores = self.bias[self.places] + self.near(self.apart)
        return tokens @ scores.permute(2, 0, 1).softmax(-1)[0]


class Kept(nn.Module):
    """A buffer that `forward` replaces, a tied parameter, and slices without numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.register_buffer("grid", torch.zeros(3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.grid = torch.arange(x.shape[1], dtype=torch.float32) / 4
        y = torch.cat([x[:, :0], self.first(x)[:, 0:], x[:, 6:6]], dim=1)
        return self.second(y) + self.grid[:, None]


class Factors(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.factors = nn.ParameterList([torch.rand(3, 1, 1) for _ in range(count)])

    def forward(self, x: Tensor) -> Tensor:
        for one in self.factors:
            x = x * one + one
        return x


class Listed(nn.Module):
    """Lists of parameters, at the top and in modules that are numbered themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.ParameterList([torch.rand(3, 1, 1), torch.rand(3, 1, 1)])
        self.parts = nn.ModuleList([Factors(2), Factors(2), Factors(1)])
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.factors[0] - self.factors[1]
        for part in self.parts:
            x = self.conv(part(x))
        return x
