"""Numbers that are known as what a `weight` line begins with: a number, a word, a list."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import isqrt
from typing import Any

import numpy
import torch

from netdsl.importers.torch.lows import Refusal
from netdsl.ops.fills import COMPUTED, Word, _why_not, numbers_of

MANY = 2_000
"""Numbers from which on labels are sought that say them."""
FEW = 8
"""Columns that are looked at one by one."""
LONGEST = 100_000
"""Numbers of a list that is written out."""
MOST = 400_000
"""Numbers of a table that is put together from several lists."""


def fill_of(tensor: torch.Tensor, longest: int = LONGEST) -> Any:
    """What gives these numbers: the shortest that does. Raises `Refusal` for too many."""
    flat = tensor.flatten()
    if not bool(flat.isfinite().all()):
        raise Refusal("the language has no infinity", "`torch.finfo(x.dtype).min` masks as well")
    if not flat.numel():
        return _number(tensor, 0)
    if bool((flat == flat[0]).all()):
        return _number(tensor, flat[0].item())
    for word in COMPUTED:
        if _is(word, tensor):
            return word
    tensor = without_copies(tensor)
    if tensor.numel() > longest:
        raise Refusal(
            f"it takes a table of {tensor.numel():,} known numbers",
            "make it a buffer that the checkpoint has: `register_buffer(..., persistent=True)`",
        )
    return [_number(tensor, one) for one in tensor.flatten().tolist()]


def without_copies(tensor: torch.Tensor) -> torch.Tensor:
    """A table less the axes in front along which it is the same everywhere."""
    while tensor.ndim > 1 and bool((tensor == tensor[:1]).all()):
        tensor = tensor[0]
    return tensor


def is_written(tensor: torch.Tensor) -> bool:
    """Whether a table is so small, or so simple, that one line says it."""
    if tensor.numel() < MANY or bool((tensor == tensor.flatten()[0]).all()):
        return True
    return any(_is(word, tensor) for word in COMPUTED)


@dataclass(frozen=True, slots=True)
class Labels:
    """Numbers that say which rows and columns have one label: `same` there, `other` elsewhere."""

    labels: torch.Tensor
    same: float
    other: float


def labels_of(tensor: torch.Tensor) -> Labels | None:
    """The masks of shifted windows, for instance: a label for each cell says all of a mask."""
    is_square = tensor.ndim >= 2 and tensor.shape[-1] == tensor.shape[-2]
    if not is_square or not tensor.is_floating_point() or tensor.numel() < MANY:
        return None
    values = tensor.unique().tolist()
    same = tensor.flatten()[0].item()
    if len(values) != 2 or values[0] + (values[1] - values[0]) != values[1]:
        return None
    alike = tensor == same
    labels = alike.to(torch.int64).argmax(-1)
    if not bool((alike == (labels.unsqueeze(-1) == labels.unsqueeze(-2))).all()):
        return None
    return Labels(labels, same, next(one for one in values if one != same))


@dataclass(frozen=True, slots=True)
class Summands:
    """Two small tables whose sum, with axes of size 1 spread, has the numbers of a large one."""

    rows: torch.Tensor
    columns: torch.Tensor


def summands_of(tensor: torch.Tensor) -> Summands | None:
    """The places of cells of windows to each other, for instance: rows and columns add up."""
    if tensor.dtype == torch.bool or tensor.numel() < MANY:
        return None
    count = tensor.numel()
    tensor = tensor.squeeze()
    flat = [(isqrt(count), isqrt(count))] if isqrt(count) ** 2 == count else []
    for height, width in [tuple(tensor.shape)] if tensor.ndim == 2 else flat:
        for rows, columns in product(_divisors(height), _divisors(width)):
            cells = tensor.reshape(rows, height // rows, columns, width // columns)
            one = cells[:, :1, :, :1]
            other = cells[:1, :, :1, :] - cells[:1, :1, :1, :1]
            is_smaller = 4 * (one.numel() + other.numel()) < count
            if is_smaller and bool((cells == one + other).all()):
                return Summands(one, other)
    return None


def _divisors(size: int) -> list[int]:
    return [one for one in range(1, size + 1) if size % one == 0]


def _number(tensor: torch.Tensor, one: float) -> float:
    """A number as it is written: of 32 bits the shortest decimal that stands for it."""
    if not tensor.is_floating_point():
        return int(one)
    return float(str(numpy.float32(one))) if tensor.dtype == torch.float32 else one


def _is(word: str, tensor: torch.Tensor) -> bool:
    """Whether a word of the language stands for these numbers."""
    wants_whole = word == "relative_position"
    shape = tuple(tensor.shape)
    if (tensor.dtype == torch.int64) != wants_whole or tensor.dtype == torch.bool:
        return False
    if _why_not(word, shape):
        return False
    return numbers_of(Word(word), shape) == tuple(map(float, tensor.flatten().tolist()))
