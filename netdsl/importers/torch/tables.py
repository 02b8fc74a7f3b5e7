"""Numbers that are known as what a `weight` line begins with: a number, a word, a list."""

from __future__ import annotations

from typing import Any

import torch

from netdsl.importers.torch.lows import Refusal
from netdsl.ops.fills import COMPUTED, Word, _why_not, numbers_of

LONGEST = 20_000
"""Numbers of a list that is written out."""


def fill_of(tensor: torch.Tensor, longest: int = LONGEST) -> Any:
    """What gives these numbers: the shortest that does. Raises `Refusal` for too many."""
    flat = tensor.flatten()
    if not flat.numel():
        return _number(tensor, 0)
    if bool((flat == flat[0]).all()):
        return _number(tensor, flat[0].item())
    for word in COMPUTED:
        if _is(word, tensor):
            return word
    while tensor.ndim > 1 and bool((tensor == tensor[:1]).all()):
        tensor = tensor[0]
    if tensor.numel() > longest:
        raise Refusal(
            f"it takes a table of {tensor.numel():,} known numbers",
            "make it a buffer that the checkpoint has: `register_buffer(..., persistent=True)`",
        )
    return [_number(tensor, one) for one in tensor.flatten().tolist()]


def _number(tensor: torch.Tensor, one: float) -> float:
    return one if tensor.is_floating_point() else int(one)


def _is(word: str, tensor: torch.Tensor) -> bool:
    """Whether a word of the language stands for these numbers."""
    wants_whole = word == "relative_position"
    shape = tuple(tensor.shape)
    if (tensor.dtype == torch.int64) != wants_whole or tensor.dtype == torch.bool:
        return False
    if _why_not(word, shape):
        return False
    return numbers_of(Word(word), shape) == tuple(map(float, tensor.flatten().tolist()))
