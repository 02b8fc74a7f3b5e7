"""Images with what is to be learned of them, from files or from memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from netdsl.images import ImageError, read_image, read_numbers
from netdsl.training.faults import TrainingError

Target: TypeAlias = "int | Tensor"
BACKGROUND = "white"
"""What transparent pixels stand on."""
FEW = 10
"""How many broken files are named."""


class Images(Protocol):
    """Images by number: bytes [channels, height, width], and a class or a mask of classes."""

    def __len__(self) -> int: ...

    def read(self, number: int) -> tuple[Tensor, Target]: ...


@dataclass(frozen=True, slots=True)
class Data:
    """The images to learn from and those to judge by, and the names of their classes.

    `classes` is None where masks have the classes. `summary` describes the files.
    """

    kind: str
    train: Images
    val: Images
    classes: tuple[str, ...] | None
    where: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class ArrayImages:
    """Images in memory, [count, channels, height, width], and their classes."""

    images: Tensor
    labels: Sequence[int]

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, number: int) -> tuple[Tensor, Target]:
        return self.images[number], self.labels[number]


@dataclass(frozen=True, slots=True)
class FileImages:
    """Images in files; beside each its class, or the file of its mask."""

    items: Sequence[tuple[Path, int | Path]]
    channels: int

    def __len__(self) -> int:
        return len(self.items)

    def read(self, number: int) -> tuple[Tensor, Target]:
        """Raises `TrainingError` if a file is broken."""
        path, target = self.items[number]
        try:
            image = read_image(path, self.channels, BACKGROUND)
            pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)
            if isinstance(target, int):
                return pixels.contiguous(), target
            mask = read_numbers(target)
        except ImageError as error:
            raise TrainingError(str(error)) from None
        if mask.shape != image.shape[:2]:
            raise TrainingError(f"{target} is not as large as its image {path}")
        return pixels.contiguous(), torch.from_numpy(mask.astype(np.int64))


def sound(
    items: Sequence[tuple[Path, int | Path]], classes: int, broken: str
) -> tuple[list[tuple[Path, int | Path]], list[str]]:
    """The items whose files can be decoded, and what is wrong with the others.

    `classes` bounds the numbers of masks. Raises `TrainingError` for broken files, unless these
    are to be skipped, and for masks of other classes.
    """
    with ThreadPoolExecutor() as pool:
        faults = list(pool.map(lambda item: _fault(item[0], item[1], classes), items))
    wrong = [fault for fault in faults if fault]
    if wrong and broken == "stop":
        count = f"{len(wrong)} of {len(items)} images can't be used"
        raise TrainingError(f"{count} (--broken skip leaves them out):\n{few(wrong)}")
    return [item for item, fault in zip(items, faults, strict=True) if not fault], wrong


def few(texts: Iterable[str]) -> str:
    """The first of many texts, a line each."""
    every = list(texts)
    more = [f"... and {len(every) - FEW} more"] if len(every) > FEW else []
    return "\n".join(f"  {text}" for text in [*every[:FEW], *more])


def _fault(path: Path, target: int | Path, classes: int) -> str:
    """What is wrong with an image or its mask; empty if nothing is."""
    try:
        image = read_image(path, background=BACKGROUND)
        if isinstance(target, int):
            return ""
        mask = read_numbers(target)
    except ImageError as error:
        return str(error)
    if mask.shape != image.shape[:2]:
        return f"{target}: it is not as large as its image {path}"
    beyond = mask[(mask >= classes) & (mask != 255)]
    if beyond.size:
        return f"{target}: its class {int(beyond.max())} is not one of 0 to {classes - 1}, or 255"
    return ""
