"""Small modules that do what modules of users do, each for one thing that can go wrong."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Scores = namedtuple("Scores", ["scores", "aux"])


class Unit(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride, 1, groups=groups, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
        self.act = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1))
        self.skip = nn.Identity() if stride == 1 else nn.Conv2d(channels, channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.act(self.bn1(self.conv1(x))))
        y += self.skip(x)
        return self.act(y)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.units = nn.Sequential(Unit(8), Unit(8, stride=2), Unit(8, groups=2))
        self.fc = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> Tensor:
        x = self.units(self.stem(image))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.fc(x.view(x.size(0), -1))


class UNet(nn.Module):
    """Skips that decide the size of what comes up: odd sizes work."""

    def __init__(self) -> None:
        super().__init__()
        self.downs = nn.ModuleList(nn.Conv2d(c, d, 3, padding=1) for c, d in ((3, 4), (4, 8)))
        self.middle = nn.Conv2d(8, 8, 3, padding=1)
        self.ups = nn.ModuleList(nn.Conv2d(c, d, 3, padding=1) for c, d in ((16, 4), (8, 2)))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        skips = []
        for down in self.downs:
            x = F.relu(down(x))
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.middle(x)
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = F.relu(up(torch.cat([x, skip], dim=1)))
        return {"mask": x, "edges": x[:, 1:] - x[:, :1]}


class Aux(nn.Module):
    """A second output in training alone, dropouts by function and by module."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 6, 3)
        self.aux = nn.Linear(6, 2)
        self.drop = nn.Dropout(0.4)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Any:
        x = F.dropout(F.relu(self.a(x)), 0.2, self.training)
        if self.training:
            x = F.dropout2d(x, 0.1)
        x = x.mean((2, 3))
        scores = self.fc(self.drop(x))
        return Scores(scores, self.aux(x)) if self.training else scores


class Shuffle(nn.Module):
    """Channels mixed by a view, a size computed from another, a head for two maps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3, padding=1)
        self.head = nn.Conv2d(6, 2, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.conv(x)
        b, c, h, w = x.shape
        x = x.view(b, 3, c // 3, h, w).transpose(1, 2).reshape(b, c, h, w)
        left, right = x.chunk(2, dim=1)
        return [self.head(left), self.head(F.pad(right, (1, 1, 0, -h % 4)))]


class Attend(nn.Module):
    def __init__(self, width: int = 16, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        qkv = self.qkv(self.norm(x)).reshape(b, n, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = (q * (c // self.heads) ** -0.5) @ k.transpose(-2, -1)
        y = (y.softmax(dim=-1) @ v).transpose(1, 2).reshape(b, n, c)
        return x + self.scale * self.proj(y)


class Tokens(nn.Module):
    """A class token, learned positions, attention by hand and by function; one size."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.places = nn.Parameter(torch.randn(1, 17, 16))
        self.blocks = nn.Sequential(Attend(), Attend())
        self.mixer = nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), dim=1) + self.places
        x = self.blocks(x)
        x = x + self.mixer(x, x, x, need_weights=False)[0]
        x = x + F.scaled_dot_product_attention(x, x, x)
        return self.head(x[:, 0])


class Tied(nn.Module):
    """Words in, scores of words out, by one table; steps of a recurrent layer between."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 8)
        self.steps = nn.LSTM(8, 4, batch_first=True, bidirectional=True)

    def forward(self, ids: Tensor) -> Tensor:
        y, _ = self.steps(self.words(ids))
        return F.linear(y, self.words.weight)


class Windows(nn.Module):
    """Windows beside the batch: the sizes must divide by 4."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 1)
        self.mix = nn.Linear(8, 8)
        self.rows = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).permute(0, 2, 3, 1)
        b, h, w, c = x.shape
        x = x.view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, c)
        x = self.rows(self.mix(x).transpose(1, 2)).transpose(1, 2)
        x = x.view(b, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return x.permute(0, 3, 1, 2)


class Pair(nn.Module):
    """Two inputs, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 4), nn.Linear(3, 4)
        self.register_buffer("factor", torch.tensor([1.0, 2.0, 3.0, 4.0]))
        self.unused = nn.Linear(2, 2)

    def forward(self, left: Tensor, right: Tensor) -> dict[str, Tensor]:
        both = self.a(left) * self.factor + self.b(right)
        return {"sum": both, "gate": torch.sigmoid(1 - both / 3)}


class Aliased(nn.Module):
    """In evaluation a Dropout returns what it gets: then an activation in place changes both."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        y = F.relu_(self.drop(x))
        return x + y


class Same(nn.Module):
    """An Identity and an activation in place: both names hold what it made, in both modes."""

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Identity()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x + F.relu_(self.same(x))


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if x.shape[-1] > 100:
            x = F.avg_pool2d(x, 2)
        return x


class Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft2(x).real


class ByNumbers(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x
        return -x


class Assigned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x * 2
        y[x > 0] = 0
        return y


class Words(nn.Module):
    """Numbers below words of the language, and below a number."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(Scaled(3), nn.Conv2d(3, 4, 3), Scaled(4))
        self.block = Scaled(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(self.net(x))


class Scaled(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Projected(nn.Module):
    """A gated unit, and a vector times a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.proj = nn.Parameter(torch.rand(4, 5))

    def forward(self, x: Tensor) -> Tensor:
        return F.glu(self.conv(x), dim=1).mean((-1, -2)) @ self.proj


class Reserved(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.rand(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.input


def make(channels: int, *, stride: int = 1) -> nn.Module:
    """A factory with arguments."""
    return Unit(channels, stride)
