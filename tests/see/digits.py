"""A digit network trained in a few seconds, as the script of the examples trains it."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from tests.examples import FOLDER, example

EPOCHS = 8


@cache
def trained(seed: int) -> dict[str, Any]:
    """Its weights, as PyTorch's tensors."""
    return script("train_digits").train(seed, EPOCHS)[1]


def script(name: str) -> Any:
    """A script of the examples as a module."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return __import__(name)


@cache
def held_out() -> tuple[Any, Any]:
    """Images and classes that were not trained with."""
    return script("train_digits").digits()[2:]


NET = str(example("digits"))
