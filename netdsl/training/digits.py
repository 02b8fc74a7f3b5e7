"""The handwritten digits that scikit-learn brings with it: 1,797 images of 8x8."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits

from netdsl.training.faults import TrainingError
from netdsl.training.images import ArrayImages, Data
from netdsl.training.settings import Settings
from netdsl.training.splits import split
from netdsl.training.task import Task

DARKEST = 16
"""The greatest number in these images."""


def digits_data(task: Task, channels: int, settings: Settings, name: str) -> Data:
    """The digits, split by the seed. Raises `TrainingError`."""
    if task.kind != "classification":
        raise TrainingError(f"{name} has classes, and `{task.name}` has one for each pixel")
    images, labels = load_digits(return_X_y=True)
    numbers = torch.from_numpy(images).reshape(-1, 1, 8, 8)
    pixels = (numbers * (255 / DARKEST)).round().byte().expand(-1, channels, -1, -1)
    classes = tuple(map(str, sorted(set(labels.tolist()))))
    task.check_classes(classes, name)
    parts = split(labels.tolist(), settings.val, settings.seed)
    train, val = (ArrayImages(pixels[part], labels[part].tolist()) for part in parts)
    return Data("classification", train, val, classes, name)
