"""Trains examples/digits.net on scikit-learn's 1,797 images of digits, 8x8, in a few seconds.

    python examples/train_digits.py -o digits.safetensors [--seed 0] [--epochs 15] [--image a.png]

The last 397 images of a shuffle by seed 0 are held out; the share of them that is right is printed.
`--image` writes the first of them as a picture, which needs Pillow.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor

import netdsl

HELD_OUT = 397
BATCH = 50


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images and classes to train with, then those held out; pixels from 0 to 1."""
    data = load_digits()
    images = torch.tensor(data.images / 16, dtype=torch.float32)[:, None]
    classes = torch.tensor(data.target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    train, held = order[:-HELD_OUT], order[-HELD_OUT:]
    return images[train], classes[train], images[held], classes[held]


def train(seed: int, epochs: int) -> tuple[netdsl.Network, dict[str, Tensor], float]:
    """The network, its weights, and the share of the held-out digits that it gets right."""
    images, classes, held, held_classes = digits()
    network = netdsl.load(Path(__file__).with_name("digits.net"))
    module = network.torch(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    steps = epochs * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(module.parameters(), weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=generator).split(BATCH):
            optimiser.zero_grad()
            F.cross_entropy(module(images[batch]), classes[batch]).backward()
            optimiser.step()
            rate.step()
    module.eval()
    with torch.no_grad():
        right = (module(held).argmax(1) == held_classes).float().mean().item()
    return network, module.state_dict(), right


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", required=True, help="a .safetensors file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--image", help="a .png file")
    options = parser.parse_args()
    network, weights, right = train(options.seed, options.epochs)
    network.save_weights(options.output, weights)
    if options.image:
        from PIL import Image

        first = digits()[2][0, 0].mul(255).round().byte()
        Image.fromarray(first.numpy()).save(options.image)
    print(f"{options.output}: {right:.1%} of {HELD_OUT} held-out digits are right")
