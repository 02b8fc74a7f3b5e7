"""How functions say which operators they compute on numbers, and what several of them do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from netdsl.importers.onnx.model import Node, brief
from netdsl.importers.onnx.quantity import Quantity, Undecided

if TYPE_CHECKING:
    import numpy as np

MOST_NUMBERS = 2**26
"""Numbers that a computed constant may have."""
Fold = Callable[[Node, "list[np.ndarray | None]"], "list[Any]"]
FOLDS: dict[str, Fold] = {}


def fold(*operators: str) -> Callable[[Fold], Fold]:
    """Register what computes these operators on numbers."""

    def register(function: Fold) -> Fold:
        FOLDS.update(dict.fromkeys(operators, function))
        return function

    return register


def checked_count(node: Node, shape: Sequence[object]) -> tuple[int, ...]:
    """A shape of known sizes that memory holds."""
    sizes: list[int] = []
    for size in shape:
        if isinstance(size, Quantity):
            raise Undecided(f"a constant has the size {size}")
        sizes.append(int(cast(int, size)))
    if any(size < 0 for size in sizes) or math.prod(sizes) > MOST_NUMBERS:
        node.refuse(f"a constant of shape {brief(sizes)} is too large", code="too-large")
    return tuple(sizes)


def first(arrays: list[np.ndarray | None], index: int = 0) -> np.ndarray:
    one = arrays[index] if index < len(arrays) else None
    if one is None:
        raise Undecided(f"input {index} is missing")
    return one


def elementwise(function: Callable[..., object]) -> Callable[..., Any]:
    """A function of numbers and sizes, entry by entry."""

    def apply(*arrays: np.ndarray) -> Any:
        import numpy

        return numpy.frompyfunc(function, len(arrays), 1)(*arrays)

    return apply
