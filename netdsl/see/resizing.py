"""An image file at a size that the network takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdsl.see.inside import Inside

if TYPE_CHECKING:
    from torch import Tensor


def fitted(inside: Inside, image: Tensor, side: int) -> tuple[Tensor, str]:
    """Pixels of an image `uint8 [C, H, W]`, and what was done to it, empty if nothing.

    A network of one size gets it squashed to that; one that takes any size gets its shorter side
    at `side`, or less where it is smaller. A network that takes bytes prepares it itself.
    Raises `SeeError` for a size that the network does not take.
    """
    import torch.nn.functional as F

    height, width = image.shape[-2:]
    if inside.entry is not inside.image.value:
        return inside.entered(image), ""
    if inside.fixed is not None:
        size = inside.fixed
    else:
        shorter = min(height, width)
        size = (height * side // shorter, width * side // shorter) if shorter > side else None
    pixels = inside.entered(image)
    told = ""
    if size is not None and size != (height, width):
        pixels = F.interpolate(pixels, size, mode="bilinear", antialias=True)
        told = f"the image of {height}x{width} is looked at as {size[0]}x{size[1]}"
    inside.check(*pixels.shape[-2:])
    return pixels, told
