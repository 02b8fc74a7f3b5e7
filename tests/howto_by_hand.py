"""The networks of docs/howto.md in plain PyTorch: a function for each, with the module's weights.

A function has the name of its net (`TwoViews` is `two_views`) and takes the module, then the inputs.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# --- numbers and norms ---------------------------------------------------------------------


def numbers(m: Any, x: Tensor) -> tuple[Tensor, ...]:
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]
    return x * 0.5 + 1, 1 - x, 2 / x.exp(), (x - mean) / std


def bounds(m: Any, x: Tensor) -> tuple[Tensor, ...]:
    return x.clamp(-1, 0.5), torch.maximum(x, torch.tensor(0.1))


def choice(m: Any, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    minus = torch.tensor(-1.0)
    return (
        torch.where(x > y, x, y),
        torch.where((x > y) & (y > 0), x, minus),
        (~(y > 0)).float(),
    )


def unit(m: Any, x: Tensor) -> tuple[Tensor, ...]:
    return x.square().sum(1).sqrt(), F.normalize(x)


def cosine(m: Any, a: Tensor, b: Tensor) -> Tensor:
    return F.cosine_similarity(a, b)


def gem(m: Any, x: Tensor) -> Tensor:
    return F.avg_pool2d(x.clamp(min=1e-6) ** m.p, x.shape[2:]).flatten(1) ** (1 / m.p.flatten())


def deviation(m: Any, x: Tensor) -> Tensor:
    return x.std((2, 3), unbiased=False)


def norms(m: Any, x: Tensor) -> tuple[Tensor, ...]:
    last = x.permute(0, 2, 3, 1)
    first = F.layer_norm(last, (16,), m.first.weight, m.first.bias, 1e-6)
    second = F.rms_norm(last, (16,), m.second.weight)
    third = F.layer_norm(x, (7, 7), m.third.weight, m.third.bias)
    return first.permute(0, 3, 1, 2), second.permute(0, 3, 1, 2), third


# --- gates ---------------------------------------------------------------------------------


def gated(m: Any, x: Tensor) -> Tensor:
    return x * m.fc2(m.fc1(F.adaptive_avg_pool2d(x, 1)).relu()).sigmoid()


def places(m: Any, x: Tensor) -> Tensor:
    both = torch.stack([x.mean(1), x.amax(1)], 1)
    return x * m.conv(both).sigmoid()


def scaled(m: Any, x: Tensor) -> Tensor:
    y = x + 0.1 * m.first(x)
    return y + m.gamma * m.second(y)


def highway(m: Any, x: Tensor) -> Tensor:
    gate = m.choose(x).sigmoid()
    return m.transform(x).relu() * gate + x * (1 - gate)


def glu(m: Any, x: Tensor) -> Tensor:
    y = m.out(F.glu(m.fc(x)))
    return m.w2(F.silu(m.w1(y)) * m.w3(y))


def activations(m: Any, x: Tensor) -> tuple[Tensor, ...]:
    return (
        F.hardshrink(x), F.softshrink(x), F.tanhshrink(x), F.logsigmoid(x), x.relu() ** 2,
        x * (1.702 * x).sigmoid(), F.softmin(x, 1),
    )  # fmt: skip


# --- weights and tables ---------------------------------------------------------------------


def constants(m: Any, image: Tensor) -> Tensor:
    assert list(m.state_dict()) == ["mean"]
    grey = torch.tensor([0.299, 0.587, 0.114])
    return torch.einsum("nchw,c->nhw", image - m.mean, grey)[:, None]


def tied(m: Any, ids: Tensor) -> Tensor:
    table = m.wte.weight
    return F.gelu(m.mix(table[ids])) @ table.t()


def weight_norm(m: Any, x: Tensor) -> Tensor:
    conv = torch.nn.Conv2d(4, 8, 3, padding=1, bias=False)
    normed = torch.nn.utils.parametrizations.weight_norm(conv)
    state = {"original0": m.g, "original1": m.v}
    normed.load_state_dict({f"parametrizations.weight.{k}": v for k, v in state.items()})
    return normed(x)


def spectral_norm(m: Any, x: Tensor) -> Tensor:
    conv = torch.nn.Conv2d(4, 8, 3, padding=1)
    normed = torch.nn.utils.parametrizations.spectral_norm(conv).eval()
    normed.load_state_dict(m.state_dict())
    return normed(x)


def standardised(m: Any, x: Tensor) -> Tensor:
    rows = F.batch_norm(m.weight.reshape(1, 8, -1), None, None, training=True, eps=1e-5)
    return F.conv2d(x, rows.reshape(m.weight.shape), m.bias, padding=1)


def blurred(m: Any, x: Tensor) -> Tensor:
    row = torch.tensor([1.0, 2, 1]) / 4
    kernel = (row[:, None] * row).expand(8, 1, 3, 3)
    assert torch.equal(m.filt, kernel)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, stride=2, groups=8)


def frozen(m: Any, x: Tensor) -> Tensor:
    from torchvision.ops import FrozenBatchNorm2d

    theirs = FrozenBatchNorm2d(8)
    theirs.load_state_dict(m.bn.state_dict())
    assert not list(m.parameters())
    return theirs(x)


def conditional(m: Any, x: Tensor) -> Tensor:
    shares = m.routing(x.mean((2, 3))).sigmoid()
    kernels = torch.stack([m.kernel0.weight, m.kernel1.weight, m.kernel2.weight])
    mixed = torch.einsum("ne,eoikl->noikl", shares, kernels)
    return torch.cat([F.conv2d(x[i : i + 1], mixed[i], padding=1) for i in range(len(x))])


def modulated(m: Any, x: Tensor, style: Tensor) -> Tensor:
    weight = m.weight[None] * m.affine(style)[:, None, :, None, None]
    weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    return torch.cat([F.conv2d(x[i : i + 1], weight[i], padding=1) for i in range(len(x))])


def fcn(m: Any, x: Tensor) -> Tensor:
    return F.conv_transpose2d(x, m.up.weight, stride=2, padding=1)


# --- inputs and outputs ---------------------------------------------------------------------


def two_views(m: Any, image: Tensor, depth: Tensor) -> Tensor:
    return m.c(torch.cat([m.a(image), m.b(depth)], 1).relu())


def two_tasks(m: Any, image: Tensor) -> tuple[Tensor, ...]:
    trunk = m.conv(image).relu()
    return m.segment(trunk).sigmoid(), m.classify(trunk.mean((2, 3)))


def auxiliary(m: Any, image: Tensor) -> Tensor | tuple[Tensor, ...]:
    middle = m.conv1(image).relu()
    logits = m.fc(m.conv2(middle).relu().mean((2, 3)))
    return (m.aux_fc(middle.mean((2, 3))), logits) if m.training else logits


def masked(m: Any, image: Tensor, mask: Tensor) -> Tensor:
    total = (m.conv(image).relu() * mask).sum((2, 3))
    return total / mask.sum((2, 3)).clamp(min=1)


def noisy(m: Any, x: Tensor, noise: Tensor) -> Tensor:
    return F.leaky_relu(x + noise * m.strength, 0.2)


def types(m: Any, ids: Tensor, visible: Tensor) -> tuple[Tensor, ...]:
    return m.embed(ids) * visible[..., None], ids + 1


def one_hot(m: Any, ids: Tensor) -> tuple[Tensor, ...]:
    return F.one_hot(ids, 10).float(), m.embed(ids)


def generator(m: Any, z: Tensor, label: Tensor) -> Tensor:
    y = m.fc(torch.cat([z, m.embed(label)], 1)).reshape(-1, 32, 4, 4)
    return m.up(y.relu()).tanh()


# --- sharing and repeating --------------------------------------------------------------------


def siamese(m: Any, first: Tensor, second: Tensor) -> Tensor:
    conv0, conv2 = m.get_submodule("conv.0"), m.get_submodule("conv.2")
    a, b = (conv2(conv0(x).relu()).mean((2, 3)) for x in (first, second))
    return m.out((a - b).abs())


def shared_head(m: Any, image: Tensor) -> Tensor:
    fine = m.conv1(image).relu()
    head = m.get_submodule("head.0")
    return torch.cat([head(x).flatten(1) for x in (fine, m.conv2(fine).relu())], 1)


def video(m: Any, frames: Tensor) -> Tensor:
    conv, norm = m.get_submodule("trunk.0"), m.get_submodule("trunk.1")
    rows = [norm(conv(x)).relu().mean((2, 3)) for x in frames.unbind(1)]
    return m.fc(torch.stack(rows, 1).mean(1))


def crnn(m: Any, image: Tensor) -> Tensor:
    y = F.max_pool2d(m.cnn(image).relu(), 2)
    return m.fc(m.rnn(y.amax(2).transpose(1, 2))[0])


def translation(m: Any, source: Tensor, target: Tensor) -> Tensor:
    encoder, decoder = (torch.nn.LSTM(6, 8, batch_first=True) for _ in range(2))
    encoder.load_state_dict(m.encoder.state_dict())
    decoder.load_state_dict(m.decoder.state_dict())
    return m.fc(decoder(target, encoder(source)[1])[0])


def pairs(m: Any, frames: Tensor, masks: Tensor) -> Tensor:
    both = zip(frames.unbind(1), masks.unbind(1), strict=True)
    return torch.stack([m.conv(frame * mask).mean((2, 3)) for frame, mask in both], 1)


def ensemble(m: Any, image: Tensor) -> Tensor:
    scores = [
        part.fc(part.conv(image).relu().mean((2, 3))).softmax(1) for part in m.models.values()
    ]
    return torch.stack(scores).mean(0)


def deep(m: Any, x: Tensor) -> Tensor:
    for conv in m.conv1, m.conv2:
        x = F.max_pool2d(conv(x).relu(), 2)
    for conv in m.conv3, m.conv4:
        x = x + conv(x).relu()
    return x


def flat(m: Any, x: Tensor) -> Tensor:
    return m.fc(m.bn(m.conv(x)).relu())


def recurrent(m: Any, state: Tensor, flow: Tensor, image: Tensor) -> Tensor:
    step = m.update
    for _ in range(3):
        both = torch.cat([state, flow, image], 1)
        z, r = step.z(both).sigmoid(), step.r(both).sigmoid()
        q = step.q(torch.cat([r * state, flow, image], 1)).tanh()
        state = torch.lerp(state, q, z)
        flow = flow + step.head(state)
    return flow


def leftovers(m: Any, x: Tensor) -> Tensor:
    assert set(m.state_dict()) == {"fc.weight", "fc.bias", "old_fc.weight", "old_fc.bias"}
    return m.fc(x)


# --- branches and stages ------------------------------------------------------------------------


def residuals(m: Any, x: Tensor) -> Tensor:
    y = (m.a.conv2(m.a.conv1(x).relu()) + x).relu()
    return (m.b.conv2(m.b.conv1(y).relu()) + m.b.proj(y)).relu()


def pre_activation(m: Any, x: Tensor) -> Tensor:
    return x + m.c2(m.n2(m.c1(m.n1(x).relu())).relu())


def stochastic_depth(m: Any, x: Tensor) -> Tensor:
    rates = [part.p for part in m.modules() if type(part).__name__ == "DropPath"]
    assert rates == [0, 0.1, 0.2]
    for block in m.blocks.values():
        x = x + block.conv(x).relu()
    return x


def joined(m: Any, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    return torch.cat([a, b], 1), torch.cat([a, b], 2), torch.cat([a, b], 3)


def unet(m: Any, image: Tensor) -> Tensor:
    def double(part: Any, x: Tensor) -> Tensor:
        return part.conv2(part.conv1(x).relu()).relu()

    def up(part: Any, x: Tensor, skip: Tensor) -> Tensor:
        larger = F.interpolate(x, skip.shape[2:])
        return double(part.double1, torch.cat([larger, skip], 1))

    down0 = double(m.enc0, image)
    down1 = double(m.enc1, F.max_pool2d(down0, 2))
    bottom = double(m.enc2, F.max_pool2d(down1, 2))
    return m.out(up(m.dec0, up(m.dec1, bottom, down1), down0))


def pyramid(m: Any, image: Tensor) -> tuple[Tensor, ...]:
    from torchvision.ops import FeaturePyramidNetwork

    maps = {}
    for i, conv in enumerate([m.body.conv1, m.body.conv2, m.body.conv3]):
        image = maps[str(i)] = conv(image).relu()
    theirs = FeaturePyramidNetwork([8, 16, 32], 8)
    theirs.load_state_dict(m.fpn.state_dict())
    return tuple(theirs(maps).values())


def dense(m: Any, x: Tensor) -> Tensor:
    for conv in m.conv1, m.conv2, m.conv3:
        x = torch.cat([x, conv(x).relu()], 1)
    return x


def dilated(m: Any, x: Tensor) -> Tensor:
    for d in 1, 2, 4:
        layer = m.get_submodule(f"layers.{d}")
        x = F.conv2d(x, layer.weight, layer.bias, padding=d, dilation=d).relu()
    return x


def separable(m: Any, x: Tensor) -> Tensor:
    y = F.conv2d(x, m.grouped.weight, m.grouped.bias, padding=1, groups=4)
    return m.pointwise(F.conv2d(y, m.depthwise.weight, padding=1, groups=16))


def shuffled(m: Any, x: Tensor) -> Tensor:
    a, b = x.chunk(2, 1)
    return torch.stack([a, m.conv(b)], 2).flatten(1, 2)


# --- sizes, padding, pooling ------------------------------------------------------------------


def same_padded(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """TensorFlow's rule, axis by axis."""
    for axis in 3, 2:
        size = x.shape[axis]
        more = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        x = F.pad(x, [0, 0] * (3 - axis) + [more // 2, more - more // 2], value=value)
    return x


def same(m: Any, x: Tensor) -> Tensor:
    y = F.conv2d(same_padded(x, 3, 2), m.conv.weight, m.conv.bias, stride=2)
    return F.max_pool2d(same_padded(y, 3, 2, float("-inf")), 3, 2)


def asymmetric(m: Any, x: Tensor) -> Tensor:
    return F.conv2d(F.pad(x, (0, 1, 0, 1)), m.conv.weight, m.conv.bias, stride=2)


def pools(m: Any, x: Tensor) -> tuple[Tensor, ...]:
    cell = F.adaptive_avg_pool2d(x, 1)
    largest = F.adaptive_max_pool2d(x, 1).flatten(1)
    return cell.flatten(1), cell, F.adaptive_avg_pool2d(x, 3), x.mean(3), largest


def upsampled(m: Any, x: Tensor, other: Tensor) -> tuple[Tensor, ...]:
    height, width = x.shape[2:]
    return (
        F.interpolate(x, scale_factor=2),
        F.interpolate(x, (height + 3, 2 * width), mode="bilinear"),
        F.interpolate(x, other.shape[2:], mode="bilinear"),
    )


def back(m: Any, x: Tensor) -> Tensor:
    up = torch.nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1)
    up.load_state_dict(m.up.state_dict())
    return up(m.down(x), output_size=x.shape[2:])


def unpooled(m: Any, x: Tensor) -> Tensor:
    small, places = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(m.conv(small), places, [2, 2], output_size=x.shape[2:])


def columns(m: Any, x: Tensor) -> tuple[Tensor, ...]:
    even = x[..., : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]
    more = [0, x.shape[3] % 2, 0, x.shape[2] % 2]
    return F.unfold(x, 3, padding=1), F.pad(even, more)


def super_resolution(m: Any, x: Tensor) -> Tensor:
    return F.pixel_shuffle(m.conv(x), 2)


def space_to_depth(m: Any, x: Tensor) -> Tensor:
    return torch.cat([x[..., i::2, j::2] for i in range(2) for j in range(2)], 1)


def parts(m: Any, x: Tensor) -> tuple[Tensor, ...]:
    from torchvision.transforms.functional import crop

    top, left = ((size - 5) // 2 for size in x.shape[2:])
    middle = crop(x, top, left, 5, 5)
    return x[:, :3], x[:, 3:], x[..., ::2], middle, x[:, :, -2:], x[:, :, :-2]


# --- boxes --------------------------------------------------------------------------------------


def rows(m: Any, fine: Tensor, coarse: Tensor) -> Tensor:
    """As torchvision's detectors lay them out."""
    from torchvision.models.detection.rpn import permute_and_flatten

    maps = [(x, m.head(x)) for x in (fine, coarse)]
    return torch.cat([permute_and_flatten(y, len(x), 3, 5, *x.shape[2:]) for x, y in maps], 1)


def distances(m: Any, map: Tensor) -> Tensor:
    before, after = m.reg(map).exp().chunk(2, 1)
    rows, columns = (torch.arange(size) * 8 + 4.0 for size in map.shape[2:])
    centre = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
    return torch.cat([centre - before, centre + after], 1).flatten(2).transpose(1, 2)


def decode(m: Any, deltas: Tensor, anchors: Tensor) -> Tensor:
    from torchvision.models.detection._utils import BoxCoder

    coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
    boxes = coder.decode_single(deltas.flatten(0, 1), anchors.flatten(0, 1))
    return boxes.reshape(anchors.shape)
