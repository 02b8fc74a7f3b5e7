"""torchvision's models, also where its compiled operators do not load beside a CPU build of torch."""

from __future__ import annotations

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
        try:
            library.define(signature)
        except RuntimeError:
            pass  # the compiled operators are there
    import torchvision.models

    _KEPT.append(library)
    return torchvision.models


_KEPT: list[Any] = []
