"""The diffusion U-Net against a PyTorch module written here, with the keys of diffusers.

Its numbers were compared once with diffusers' own `UNet2DConditionModel` (0.42.1), whose keys and shapes
are kept here as a digest: equal bit for bit, at multiples of 8 and other sizes.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest

import netdsl
from tests.examples import SLIM, example, network

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.examples.test_sequences import assert_equal, close, loaded, tree  # noqa: E402

nn, F = torch.nn, torch.nn.functional

KEYS_OF_DIFFUSERS = "06ab0a594a10b99fc9b3d3c034559b191a587c22cb887c343b18421a3fbb5748"
"""SHA-256 of its sorted keys and shapes, a line each, for `cross_attention_dim=768`."""


class Residual(nn.Module):
    def __init__(self, given: int, channels: int, time: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, given, eps=1e-5)
        self.conv1 = nn.Conv2d(given, channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(time, channels)
        self.norm2 = nn.GroupNorm(groups, channels, eps=1e-5)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        if given != channels:
            self.conv_shortcut = nn.Conv2d(given, channels, 1)

    def forward(self, x: Any, time: Any) -> Any:
        y = self.conv1(F.silu(self.norm1(x)))
        y = y + self.time_emb_proj(F.silu(time))[:, :, None, None]
        y = self.conv2(F.silu(self.norm2(y)))
        return y + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, width: int, others: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(others, width, bias=False)
        self.to_v = nn.Linear(others, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Any, others: Any) -> Any:
        n, t, f = x.shape
        q, k, v = (
            y.view(n, -1, self.heads, f // self.heads).transpose(1, 2)
            for y in (self.to_q(x), self.to_k(others), self.to_v(others))
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(f // self.heads)
        return self.to_out[0]((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, f))


class Transformer(nn.Module):
    def __init__(self, width: int, features: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1 = Attention(width, width, heads)
        self.attn2 = Attention(width, features, heads)
        gated = tree(proj=nn.Linear(width, 8 * width))
        self.ff = tree(net=nn.ModuleList([gated, nn.Identity(), nn.Linear(4 * width, width)]))

    def forward(self, x: Any, text: Any) -> Any:
        y = self.norm1(x)
        x = x + self.attn1(y, y)
        x = x + self.attn2(self.norm2(x), text)
        value, gate = self.ff.net[0].proj(self.norm3(x)).chunk(2, dim=-1)
        return x + self.ff.net[2](value * F.gelu(gate))


class OnMap(nn.Module):
    def __init__(self, width: int, features: int, heads: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.proj_in = nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([Transformer(width, features, heads)])
        self.proj_out = nn.Conv2d(width, width, 1)

    def forward(self, x: Any, text: Any) -> Any:
        y = self.proj_in(self.norm(x))
        y = self.transformer_blocks[0](y.flatten(2).transpose(1, 2), text)
        return x + self.proj_out(y.transpose(1, 2).reshape(x.shape))


class Level(nn.Module):
    """Residual blocks of maps with these channels, transformers behind some, a convolution at the end."""

    def __init__(
        self, given: list[int], width: int, attending: int, sampler: str, settings: dict[str, int]
    ) -> None:
        super().__init__()
        groups, time = settings["groups"], settings["time"]
        self.resnets = nn.ModuleList(Residual(c, width, time, groups) for c in given)
        text = settings["features"], settings["heads"], groups
        self.attentions = nn.ModuleList(OnMap(width, *text) for _ in range(attending))
        stride = 2 if sampler == "downsamplers" else 1
        self.sampler = sampler
        if sampler:
            conv = tree(conv=nn.Conv2d(width, width, 3, stride, 1))
            self.add_module(sampler, nn.ModuleList([conv]))

    def unit(self, i: int, x: Any, time: Any, text: Any) -> Any:
        x = self.resnets[i](x, time)
        return self.attentions[i](x, text) if i < len(self.attentions) else x

    def sampled(self, x: Any) -> Any:
        return self.get_submodule(self.sampler)[0].conv(x)


class UNet(nn.Module):
    """What comes down is laid on a stack and taken off it on the way up."""

    def __init__(self, widths: list[int], heads: int, features: int, groups: int) -> None:
        super().__init__()
        time = 4 * widths[0]
        settings = {"heads": heads, "features": features, "groups": groups, "time": time}
        self.conv_in = nn.Conv2d(4, widths[0], 3, padding=1)
        self.time_embedding = tree(
            linear_1=nn.Linear(widths[0], time), linear_2=nn.Linear(time, time)
        )
        self.down_blocks, stack, x = nn.ModuleList(), [widths[0]], widths[0]
        for i, width in enumerate(widths):
            last = i == len(widths) - 1
            sampler = "" if last else "downsamplers"
            level = Level([x, width], width, 0 if last else 2, sampler, settings)
            self.down_blocks.append(level)
            stack += [width] * (2 if last else 3)
            x = width
        self.mid_block = Level([x, x], x, 1, "", settings)
        self.up_blocks = nn.ModuleList()
        for i, width in enumerate(reversed(widths)):
            given = [x + stack.pop(), width + stack.pop(), width + stack.pop()]
            sampler = "upsamplers" if stack else ""
            self.up_blocks.append(Level(given, width, 3 if i else 0, sampler, settings))
            x = width
        self.conv_norm_out = nn.GroupNorm(groups, x)
        self.conv_out = nn.Conv2d(x, 4, 3, padding=1)

    def moment(self, time: Any) -> Any:
        half = self.conv_in.out_channels // 2
        angles = time * torch.exp(-math.log(10000) * torch.arange(half) / half)
        features = torch.cat([angles.cos(), angles.sin()], 1)
        own = self.time_embedding
        return own.linear_2(F.silu(own.linear_1(features)))

    def forward(self, latent: Any, time: Any, text: Any) -> Any:
        time = self.moment(time)
        x = self.conv_in(latent)
        stack = [x]
        for level in self.down_blocks:
            for i in range(2):
                x = level.unit(i, x, time, text)
                stack.append(x)
            if level.sampler:
                x = level.sampled(x)
                stack.append(x)
        middle = self.mid_block
        x = middle.resnets[1](middle.unit(0, x, time, text), time)
        for level in self.up_blocks:
            for i in range(3):
                x = level.unit(i, torch.cat([x, stack.pop()], 1), time, text)
            if level.sampler:
                x = level.sampled(F.interpolate(x, size=stack[-1].shape[2:]))
        return self.conv_out(F.silu(self.conv_norm_out(x)))


def test_small() -> None:
    torch.manual_seed(0)
    sizes = {"widths": [8, 16, 24, 32], "heads": 2, "features": 6, "groups": 4}
    net, theirs = netdsl.load(example("diffusion_unet"), params=sizes), UNet(**sizes)
    ours = loaded(net, theirs)
    for height, width, words in ((16, 8, 5), (13, 9, 1), (1, 1, 3)):
        time = torch.tensor([[3.0], [981.0]])
        inputs = torch.randn(2, 4, height, width), time, torch.randn(2, words, 6)
        assert_equal(net, ours, theirs, *inputs)
    assert str(net.sizes) == str(network("diffusion_unet").sizes) == "any H, any W, any T"


def test_features_of_times() -> None:
    """As with doubles; and each wave is slower than the one before."""
    net = netdsl.loads(
        "use std.diffusion (Timesteps)\n"
        "net A { input t: [1] ; output y = t -> Timesteps(8) }"
    )  # fmt: skip
    times = [0.0, 1.0, 37.5, 999.0]
    speeds = [1.0, 0.1, 0.01, 0.001]
    wanted = [[f(t * s) for f in (math.cos, math.sin) for s in speeds] for t in times]
    found = net.torch()(torch.tensor(times)[:, None])
    torch.testing.assert_close(found, torch.tensor(wanted), rtol=0, atol=1e-4)
    close(found[:2], torch.tensor(wanted[:2]))


def test_the_whole() -> None:
    """Keys and shapes are those of diffusers, and as many parameters as Stable Diffusion 1 has."""
    net = network("diffusion_unet")
    with torch.device("meta"):
        ours = net.torch().state_dict()
        theirs = UNet([320, 640, 1280, 1280], 8, 768, 32).state_dict()
    lines = sorted(f"{key} {list(value.shape)}" for key, value in ours.items())
    assert lines == sorted(f"{key} {list(value.shape)}" for key, value in theirs.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == KEYS_OF_DIFFUSERS
    assert net.parameters == 859_520_964


def test_other_settings_are_refused() -> None:
    """Groups and heads that do not divide the channels."""
    for wrong, message in (({"groups": 7}, "groups"), ({"heads": 7}, "heads")):
        with pytest.raises(netdsl.DiagnosticError, match=message):
            netdsl.load(example("diffusion_unet"), params=SLIM["diffusion_unet"] | wrong)
