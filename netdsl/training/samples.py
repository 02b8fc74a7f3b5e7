"""Samples as the network takes them: read, changed at random where asked, and brought to a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as image_functions

from netdsl.training.faults import TrainingError
from netdsl.training.image_input import ImageInput
from netdsl.training.images import Images
from netdsl.training.pixels import Pixels


class Wanted(NamedTuple):
    """A sample to be loaded: its number, its size, its luck, and what it weighs in its batch.

    `total` are the samples of the batch on all devices together.
    """

    number: int
    size: Pixels
    seed: int
    weight: float
    total: int


class Loaded(NamedTuple):
    """A batch on one device."""

    images: Tensor
    targets: Tensor
    weights: Tensor
    total: int
    size: Pixels


@dataclass(frozen=True, slots=True)
class Fault:
    """Stands for a batch that could not be loaded; raised where it is used."""

    text: str


Sample = tuple[Tensor, Tensor, Wanted]


@dataclass(frozen=True, slots=True)
class Samples(Dataset["Sample | Fault"]):
    """A dataset for PyTorch's loader: samples by what is wanted of them."""

    images: Images
    target: ImageInput
    fit: str
    augment: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, wanted: Wanted) -> Sample | Fault:
        try:
            pixels, target = self.images.read(wanted.number)
        except TrainingError as error:
            return Fault(str(error))
        parts: list[Tensor] = [tv_tensors.Image(pixels)]
        if isinstance(target, Tensor):
            parts.append(tv_tensors.Mask(target))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(wanted.seed)
            parts = self._changed(parts, wanted.size)
        image = parts[0].as_subclass(Tensor)
        if self.target.dtype == "float32":
            image = image_functions.to_dtype(image, torch.float32, scale=True)
        if self.target.is_last:
            image = image.permute(1, 2, 0)
        mask = parts[1].as_subclass(Tensor).long() if len(parts) > 1 else torch.tensor(target)
        return image, mask, wanted

    def _changed(self, parts: list[Tensor], size: Pixels) -> list[Tensor]:
        """The image, and its mask alike, at a size."""
        if "flip" in self.augment:
            parts = list(v2.RandomHorizontalFlip()(*parts, None)[:-1])
        if "crop" in self.augment:
            return list(v2.RandomResizedCrop(size, antialias=True)(*parts, None)[:-1])
        if self.fit == "squash":
            return [image_functions.resize(part, list(size), antialias=True) for part in parts]
        return [_cropped(part, size) for part in parts]


def _cropped(image: Tensor, size: Pixels) -> Tensor:
    """As small as covers the size, and of that the middle."""
    height, width = image.shape[-2:]
    if (height, width) != size:
        ratio = max(size[0] / height, size[1] / width)
        covering = [max(n, round(m * ratio)) for n, m in zip(size, (height, width), strict=True)]
        image = image_functions.resize(image, covering, antialias=True)
    return image_functions.center_crop(image, list(size))


def together(samples: Sequence[Sample | Fault]) -> Loaded | Fault:
    """Samples of one size as a batch."""
    sound: list[Sample] = []
    for sample in samples:
        if isinstance(sample, Fault):
            return sample
        sound.append(sample)
    images, targets, wanted = zip(*sound, strict=True)
    weights = torch.tensor([one.weight for one in wanted])
    return Loaded(
        torch.stack(images), torch.stack(targets), weights, wanted[0].total, wanted[0].size
    )
