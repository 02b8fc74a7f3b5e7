"""Trains examples/inverse_digits.net against a trained examples/digits.net, in under a minute.

    python examples/train_inverse_digits.py digits.safetensors -o inverse.safetensors [--seed 0]

The digit network is frozen. The loss is how far the point that it gives for the image made lies
from the point that was given, plus a small part of how far the pixels are from those of an image
of that point.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn
from train_digits import BATCH, digits

import netdsl

FOLDER = Path(__file__).parent
PIXELS = 2.0
"""What a mean squared difference of pixels counts beside a relative one of points."""


def distance(points: Tensor, wanted: Tensor) -> Tensor:
    """How far each point lies from the one wanted, in parts of its length."""
    return (points - wanted).norm(dim=1) / wanted.norm(dim=1)


def train(weights: str, seed: int, epochs: int) -> tuple[netdsl.Network, nn.Module, nn.Module]:
    """The inverse network, its module, and the frozen module of the digits."""
    images, _, _, _ = digits()
    forward = netdsl.load(FOLDER / "digits.net").torch(weights=weights).eval().requires_grad_(False)
    network = netdsl.load(FOLDER / "inverse_digits.net")
    module = network.torch(seed=seed)
    points = forward(images)
    generator = torch.Generator().manual_seed(seed)
    steps = epochs * (len(images) // BATCH)
    optimiser = torch.optim.AdamW(module.parameters())
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.004, total_steps=steps)
    for _ in range(epochs):
        for batch in torch.randperm(len(images), generator=generator).split(BATCH):
            optimiser.zero_grad()
            made = module(points[batch])
            loss = distance(forward(made), points[batch]).mean()
            (loss + PIXELS * (made - images[batch]).square().mean()).backward()
            optimiser.step()
            rate.step()
    return network, module.eval(), forward


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("digits", help="weights of digits.net")
    parser.add_argument("-o", "--output", required=True, help="a .safetensors file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args()
    network, module, forward = train(options.digits, options.seed, options.epochs)
    network.save_weights(options.output, module.state_dict())
    with torch.no_grad():
        _, _, held, _ = digits()
        points = forward(held)
        made = module(points)
        again = forward(made)
        same = (again.argmax(1) == points.argmax(1)).float().mean().item()
        off = distance(again, points).mean().item()
        levels = 255 * (made - held).square().mean().sqrt().item()
    print(f"{options.output}: of {len(held)} held-out digits {same:.1%} keep their class;")
    print(f"the points are {off:.1%} off, the pixels {levels:.0f} of 255 levels")
