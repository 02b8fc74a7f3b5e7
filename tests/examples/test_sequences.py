"""Examples with attention between values and with recurrence, against PyTorch modules written here.

These have the keys of the published networks: weights load strictly, outputs and gradients are equal.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

import netdsl
from tests.examples import example, network, random_inputs, restless
from tests.torchvision_models import torchvision_models

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import check_file, session  # noqa: E402

nn, F = torch.nn, torch.nn.functional


def close(found: Any, expected: Any) -> None:
    assert found.shape == expected.shape
    scale = float(expected.detach().abs().max())
    assert float((found - expected).detach().abs().max()) <= 2e-5 * scale


def loaded(net: netdsl.Network, theirs: Any) -> Any:
    """Our module with the weights of another, loaded strictly."""
    ours = net.torch(seed=1)
    ours.load_state_dict(restless(theirs).state_dict(), strict=True)
    return ours.eval()


def assert_equal(net: netdsl.Network, ours: Any, theirs: Any, *xs: Any) -> None:
    """The same outputs and gradients of all weights, and the same in ONNX Runtime."""
    found, wanted = (list_of(module(*xs)) for module in (ours, theirs))
    for mine, other in zip(found, wanted, strict=True):
        close(mine, other)
    gradients = [
        torch.autograd.grad(
            sum(y.square().mean() for y in results), list(module.parameters()), allow_unused=True
        )
        for results, module in ((found, ours), (wanted, theirs))
    ]
    by_key = [
        {
            key: g
            for (key, _), g in zip(module.named_parameters(), own, strict=True)
            if g is not None
        }
        for module, own in zip((ours, theirs), gradients, strict=True)
    ]
    assert by_key[0].keys() == by_key[1].keys()
    for key, gradient in by_key[0].items():
        torch.testing.assert_close(gradient, by_key[1][key], rtol=2e-3, atol=2e-6, msg=key)
    model = net.onnx(ours)
    check_file(model)
    given = {item.name: x.numpy() for item, x in zip(net.inputs, xs, strict=True)}
    for result, other in zip(
        session(model.SerializeToString()).run(None, given), wanted, strict=True
    ):
        close(torch.from_numpy(result), other)


def list_of(results: Any) -> list[Any]:
    return [results] if torch.is_tensor(results) else list(results)


# --- CRNN ----------------------------------------------------------------------------------------


class BothWays(nn.Module):
    def __init__(self, features: int, hidden: int, results: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(features, hidden, bidirectional=True)
        self.embedding = nn.Linear(2 * hidden, results)

    def forward(self, x: Any) -> Any:
        return self.embedding(self.rnn(x)[0])


class Crnn(nn.Module):
    """Time first, as the port has it."""

    def __init__(self, classes: int, hidden: int) -> None:
        super().__init__()
        widths, before = (64, 128, 256, 256, 512, 512, 512), 1
        pools = {0: nn.MaxPool2d(2, 2), 1: nn.MaxPool2d(2, 2)}
        pools |= {i: nn.MaxPool2d((2, 2), (2, 1), (0, 1)) for i in (3, 5)}
        self.cnn = nn.Sequential()
        for i, width in enumerate(widths):
            last = i == 6
            conv = nn.Conv2d(before, width, 2 if last else 3, padding=0 if last else 1)
            self.cnn.add_module(f"conv{i}", conv)
            if i in (2, 4, 6):
                self.cnn.add_module(f"batchnorm{i}", nn.BatchNorm2d(width))
            self.cnn.add_module(f"relu{i}", nn.ReLU())
            if i in pools:
                self.cnn.add_module(f"pooling{i}", pools[i])
            before = width
        self.rnn = nn.Sequential(BothWays(512, hidden, hidden), BothWays(hidden, hidden, classes))

    def forward(self, image: Any) -> Any:
        columns = self.cnn(image).squeeze(2).permute(2, 0, 1)
        return F.log_softmax(self.rnn(columns), 2).transpose(0, 1)


def test_crnn() -> None:
    torch.manual_seed(0)
    net = netdsl.load(example("crnn"), params={"classes": 11, "hidden": 24})
    theirs = Crnn(11, 24)
    ours = loaded(net, theirs)
    for width in (4, 37, 100):
        image = torch.randn(2, 1, 32, width)
        assert theirs(image).shape == (2, width // 4 + 1, 11)
        assert_equal(net, ours, theirs, image)
    assert network("crnn").parameters == sum(p.numel() for p in Crnn(37, 256).parameters())


# --- DETR ----------------------------------------------------------------------------------------


class Detr(nn.Module):
    """The network that the paper prints."""

    def __init__(self, classes: int, width: int, heads: int, depth: int, blocks: list[int]) -> None:
        super().__init__()
        models = torchvision_models()
        self.backbone = models.ResNet(models.resnet.Bottleneck, blocks)
        del self.backbone.fc
        self.conv = nn.Conv2d(2048, width, 1)
        self.transformer = nn.Transformer(width, heads, depth, depth)
        self.linear_class = nn.Linear(width, classes + 1)
        self.linear_bbox = nn.Linear(width, 4)
        self.query_pos = nn.Parameter(torch.rand(7, width))
        self.row_embed = nn.Parameter(torch.rand(50, width // 2))
        self.col_embed = nn.Parameter(torch.rand(50, width // 2))

    def forward(self, image: Any) -> Any:
        body = self.backbone
        x = body.maxpool(body.relu(body.bn1(body.conv1(image))))
        h = self.conv(body.layer4(body.layer3(body.layer2(body.layer1(x)))))
        rows, columns = h.shape[-2:]
        places = torch.cat(
            [
                self.col_embed[:columns].unsqueeze(0).repeat(rows, 1, 1),
                self.row_embed[:rows].unsqueeze(1).repeat(1, columns, 1),
            ],
            dim=-1,
        ).flatten(0, 1).unsqueeze(1)  # fmt: skip
        tokens = places + 0.1 * h.flatten(2).permute(2, 0, 1)
        queries = self.query_pos.unsqueeze(1).repeat(1, len(image), 1)
        found = self.transformer(tokens, queries).transpose(0, 1)
        return self.linear_class(found), self.linear_bbox(found).sigmoid()


def test_detr() -> None:
    torch.manual_seed(0)
    sizes = {"classes": 5, "width": 32, "heads": 4, "depth": 2, "blocks": [1, 1, 1, 1]}
    net = netdsl.load(example("detr"), params={**sizes, "queries": 7})
    theirs = Detr(**sizes)
    for key, value in theirs.named_parameters():
        if "norm" not in key and "bn" not in key:
            value.data.mul_(0.7)  # ReLUs of deep random stages else decide by rounding
    ours = loaded(net, theirs)
    for size in ((64, 97), (33, 40)):
        assert_equal(net, ours, theirs, torch.randn(2, 3, *size))
    assert str(net.sizes) == "H from 1 to 1600, W from 1 to 1600"


def test_the_whole_of_detr() -> None:
    """As many parameters as the published weights of the printed network have."""
    with torch.device("meta"):
        theirs = Detr(91, 256, 8, 6, [3, 4, 6, 3])
    count = sum(p.numel() for p in theirs.parameters()) + (100 - 7) * 256
    assert network("detr").parameters == count


# --- BERT ----------------------------------------------------------------------------------------


def tree(**parts: Any) -> Any:
    """Modules under names, which themselves compute nothing."""
    holder = nn.Module()
    for name, part in parts.items():
        holder.add_module(name, part)
    return holder


class BertLayer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        own = tree(**{name: nn.Linear(width, width) for name in ("query", "key", "value")})
        out = tree(dense=nn.Linear(width, width), LayerNorm=nn.LayerNorm(width, eps=1e-12))
        self.attention = tree(self=own, output=out)
        self.intermediate = tree(dense=nn.Linear(width, 4 * width))
        self.output = tree(
            dense=nn.Linear(4 * width, width), LayerNorm=nn.LayerNorm(width, eps=1e-12)
        )

    def forward(self, x: Any, mask: Any) -> Any:
        own, out = self.attention.self, self.attention.output
        n, t, f = x.shape
        q, k, v = (
            part(x).view(n, t, self.heads, -1).transpose(1, 2)
            for part in (own.query, own.key, own.value)
        )
        scores = q @ k.transpose(-1, -2) / (f // self.heads) ** 0.5
        scores = scores + torch.where(mask, 0.0, torch.finfo(x.dtype).min)[:, None, None]
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, f)
        x = out.LayerNorm(x + out.dense(mixed))
        y = self.output.dense(F.gelu(self.intermediate.dense(x)))
        return self.output.LayerNorm(x + y)


class Bert(nn.Module):
    def __init__(self, words: int, width: int, depth: int, heads: int, context: int) -> None:
        super().__init__()
        self.embeddings = tree(
            word_embeddings=nn.Embedding(words, width),
            position_embeddings=nn.Embedding(context, width),
            token_type_embeddings=nn.Embedding(2, width),
            LayerNorm=nn.LayerNorm(width, eps=1e-12),
        )
        self.encoder = tree(layer=nn.ModuleList(BertLayer(width, heads) for _ in range(depth)))
        self.pooler = tree(dense=nn.Linear(width, width))

    def forward(self, ids: Any, mask: Any, parts: Any) -> Any:
        own = self.embeddings
        x = own.word_embeddings(ids) + own.token_type_embeddings(parts)
        x = own.LayerNorm(x + own.position_embeddings(torch.arange(ids.shape[1])))
        for layer in self.encoder.layer:
            x = layer(x, mask)
        return x, torch.tanh(self.pooler.dense(x[:, 0]))


def test_bert() -> None:
    torch.manual_seed(0)
    sizes = {"words": 30, "width": 24, "depth": 2, "heads": 3, "context": 12}
    net, theirs = netdsl.load(example("bert"), params=sizes), Bert(**sizes)
    ours = loaded(net, theirs)
    for count in (1, 5, 12):
        ids, mask, parts = random_inputs(net, {"T": count}, 3)
        mask = torch.arange(count) < torch.tensor([[count], [max(1, count - 3)], [1]])
        assert_equal(net, ours, theirs, ids + 3, mask, parts)
    assert str(net.sizes) == "T from 1 to 12"
    assert network("bert").parameters == 109_482_240, "as published"


# --- LLaMA ---------------------------------------------------------------------------------------


class LlamaBlock(nn.Module):
    def __init__(self, width: int, heads: int, groups: int, hidden: int) -> None:
        super().__init__()
        self.heads, self.groups, self.size = heads, groups, width // heads
        self.attention = tree(
            wq=nn.Linear(width, width, bias=False),
            wk=nn.Linear(width, groups * self.size, bias=False),
            wv=nn.Linear(width, groups * self.size, bias=False),
            wo=nn.Linear(width, width, bias=False),
        )
        self.feed_forward = tree(
            w1=nn.Linear(width, hidden, bias=False),
            w2=nn.Linear(hidden, width, bias=False),
            w3=nn.Linear(width, hidden, bias=False),
        )
        self.attention_norm = nn.RMSNorm(width, eps=1e-5)
        self.ffn_norm = nn.RMSNorm(width, eps=1e-5)

    def turned(self, x: Any) -> Any:
        """Pairs of features as complex numbers, times others of length 1."""
        speeds = 1.0 / 10000 ** (torch.arange(0, self.size, 2).float() / self.size)
        angles = torch.outer(torch.arange(x.shape[1]).float(), speeds)
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        turned = pairs * torch.polar(torch.ones_like(angles), angles)[:, None]
        return torch.view_as_real(turned).flatten(3)

    def forward(self, x: Any) -> Any:
        n, t, f = x.shape
        own, y = self.attention, self.attention_norm(x)
        q = self.turned(own.wq(y).view(n, t, self.heads, self.size))
        k = self.turned(own.wk(y).view(n, t, self.groups, self.size))
        v = own.wv(y).view(n, t, self.groups, self.size)
        k, v = (z.repeat_interleave(self.heads // self.groups, 2) for z in (k, v))
        q, k, v = (z.transpose(1, 2) for z in (q, k, v))
        scores = q @ k.transpose(-1, -2) / self.size**0.5
        scores = scores + torch.full((t, t), float("-inf")).triu(1)
        x = x + own.wo((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, f))
        own, y = self.feed_forward, self.ffn_norm(x)
        return x + own.w2(F.silu(own.w1(y)) * own.w3(y))


class Llama(nn.Module):
    def __init__(
        self, words: int, width: int, depth: int, heads: int, groups: int, hidden: int
    ) -> None:
        super().__init__()
        self.tok_embeddings = nn.Embedding(words, width)
        self.layers = nn.ModuleList(LlamaBlock(width, heads, groups, hidden) for _ in range(depth))
        self.norm = nn.RMSNorm(width, eps=1e-5)

    def forward(self, ids: Any) -> Any:
        x = self.tok_embeddings(ids)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x) @ self.tok_embeddings.weight.T


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_llama(groups: int) -> None:
    torch.manual_seed(0)
    sizes = {"words": 20, "width": 32, "depth": 2, "heads": 4, "groups": groups, "hidden": 40}
    net, theirs = netdsl.load(example("llama"), params=sizes), Llama(**sizes)
    ours = loaded(net, theirs)
    for count in (1, 7, 30):
        ids = torch.randint(0, 20, (2, count))
        assert_equal(net, ours, theirs, ids)
    early = torch.randint(0, 20, (1, 9))
    late = torch.cat([early[:, :6], early[:, 6:].roll(1)], 1)
    torch.testing.assert_close(ours(early)[:, :6], ours(late)[:, :6]), "no word sees those behind"


def test_the_whole_of_llama() -> None:
    net = network("llama")
    assert str(net.sizes) == "T from 1 to 512"
    assert net.parameters == sum(p.numel() for p in Llama(512, 64, 5, 8, 4, 172).parameters())


def test_keys_of_the_examples() -> None:
    """In the order of the parts, each once."""
    for name, theirs in (("crnn", Crnn(37, 256)), ("llama", Llama(512, 64, 5, 8, 4, 172))):
        ours = OrderedDict(network(name).torch().state_dict())
        assert ours.keys() == theirs.state_dict().keys()
