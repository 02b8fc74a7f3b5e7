"""Which sizes train with which batch, against PyTorch in training mode."""

from __future__ import annotations

from itertools import product

import pytest

import netdsl

torch = pytest.importorskip("torch")

SHAPES = {"[2, L]": ("L",), "[2, H, W]": ("H", "W"), "[2, D, H, W]": ("D", "H", "W")}
NORMS = [
    *(f"batchnorm(track={t}, affine={a})" for t, a in product(("true", "false"), repeat=2)),
    *(f"instancenorm(affine={a})" for a in ("true", "false")),
    *(f"groupnorm({g}, affine={a})" for g, a in product((1, 2), ("true", "false"))),
    "layernorm(axis=channels)",
    "lrn(3)",
]
OTHERS = ["dropout(0.3)", "channel_dropout(0.3)", "drop_path(0.3)"]
BATCHES = (1, 2, 3)


def runs(network: netdsl.Network, batch: int, sizes: tuple[int, ...], *, training: bool) -> bool:
    """Whether PyTorch takes this batch, with gradients where it trains."""
    module = network.torch(seed=0).train(training)
    try:
        made = module(torch.randn(batch, 2, *sizes))
    except (RuntimeError, ValueError):
        return False
    if training and made.requires_grad:
        made.sum().backward()
    return True


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layer", NORMS + OTHERS)
def test_a_layer_trains_where_pytorch_does(layer: str, shape: str) -> None:
    symbols = SHAPES[shape]
    ones = ", ".join("1" for _ in symbols)
    kernel = f"({ones})" if len(symbols) > 1 else "1"
    text = f"net A {{ input x: {shape}\n output y = x -> conv(2, {kernel}) -> {layer} -> relu }}"
    network = netdsl.loads(text, allow=["bias-before-norm"])
    answers = set()
    for sizes in product((1, 2, 3), repeat=len(symbols)):
        point = dict(zip(symbols, sizes, strict=True))
        assert network.sizes.accepts(**point) == runs(network, 1, sizes, training=False), point
        for batch in BATCHES:
            trained = network.sizes.training(batch)
            answer = trained.accepts(**point)
            assert answer == runs(network, batch, sizes, training=True), (batch, point)
            assert answer == (trained.explain(**point) == [])
            answers.add(answer)
    assert True in answers


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("layer", ["batchnorm", "groupnorm(1)", "layernorm", "dropout(0.1)"])
def test_features_train_where_pytorch_does(layer: str, batch: int) -> None:
    network = netdsl.loads(f"net A {{ input x: [2]; output y = x -> linear(2) -> {layer} }}")
    assert network.sizes.training(batch).accepts() == runs(network, batch, (), training=True)


@pytest.mark.parametrize("batch", BATCHES)
def test_a_small_map_without_statistics(batch: int) -> None:
    """A batch of two trains what a single sample can't, at 3x3 where one value a map is left."""
    text = "net A { input x: [3, H, W]; output y = x -> conv(2, 3) -> batchnorm(track=false) }"
    network = netdsl.loads(text, allow=["bias-before-norm"])
    for height, width in product((3, 4, 5), repeat=2):
        answer = network.sizes.training(batch).accepts(H=height, W=width)
        assert answer == (batch > 1 or height * width > 9)
        module = network.torch(seed=0).train()
        try:
            module(torch.randn(batch, 3, height, width))
        except ValueError:
            assert not answer
        else:
            assert answer
