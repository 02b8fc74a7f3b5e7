"""An image file at a size that the network takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdsl.see.inside import Inside

if TYPE_CHECKING:
    from torch import Tensor


def fitted(inside: Inside, image: Tensor, side: int) -> tuple[Tensor, str]:
    """Pixels of an image `uint8 [C, H, W]`, and what was done to it, empty if nothing.

    A network of one size gets it squashed to that; one that takes any size gets its shorter side
    at `side`, or less where it is smaller. A network that takes bytes prepares it itself; one of
    bytes of one size gets them squashed to that.
    Raises `SeeError` for a size that the network does not take.
    """
    import torch.nn.functional as F

    height, width = image.shape[-2:]
    if inside.prepares:
        return _bytes(inside, image)
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


def _bytes(inside: Inside, image: Tensor) -> tuple[Tensor, str]:
    """The pixels that a network makes of bytes, at a size that it takes."""
    import torch.nn.functional as F

    size, own = inside.fixed_bytes, (image.shape[-2], image.shape[-1])
    told = ""
    if size is not None and size != own:
        resized = F.interpolate(image[None].float(), size, mode="bilinear", antialias=True)[0]
        image = resized.round().clamp(0, 255).to(image.dtype)
        told = f"the image of {own[0]}x{own[1]} is looked at as {size[0]}x{size[1]}"
    inside.check_bytes(*image.shape[-2:])
    return inside.entered(image), told
