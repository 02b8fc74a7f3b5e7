"""torchvision's models and transforms, also where its compiled operators do not load beside a CPU torch."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import torch


@cache
def torchvision_models() -> Any:
    """The module `torchvision.models`; declares the operators it registers shapes for."""
    library = torch.library.Library("torchvision", "DEF")
    for signature in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        with suppress(RuntimeError):  # raised where the compiled operators are there
            library.define(signature)
    import torchvision.models

    _KEPT.append(library)
    return torchvision.models


def torchvision_transforms() -> Any:
    """The module `torchvision.transforms.v2.functional`."""
    torchvision_models()
    from torchvision.transforms.v2 import functional

    return functional


def torchvision_v2() -> Any:
    """The module `torchvision.transforms.v2`."""
    torchvision_models()
    from torchvision.transforms import v2

    return v2


_KEPT: list[Any] = []
