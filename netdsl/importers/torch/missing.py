"""Declares compiled operators of torchvision that a torch without them lacks.

They are declared for shapes alone: nothing can run them, and the networks that are imported here
do not call them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import torch

T = TypeVar("T")
ABSENT = re.compile(r"operator (torchvision::\w+) does not exist")
SIGNATURES = {
    "torchvision::nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_LIBRARIES: list[Any] = []


def with_declared(load: Callable[[], T]) -> T:
    """What `load` gives, with what it misses of torchvision declared."""
    for _ in range(len(SIGNATURES) + 1):
        try:
            return load()
        except RuntimeError as error:
            match = ABSENT.search(str(error))
            if match is None or match[1] not in SIGNATURES:
                raise
            _declare(match[1])
    return load()


def _declare(name: str) -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define(SIGNATURES[name])
    _LIBRARIES.append(library)
    for loaded in [one for one in sys.modules if one.partition(".")[0] == "torchvision"]:
        del sys.modules[loaded]
