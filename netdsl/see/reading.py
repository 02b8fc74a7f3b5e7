"""An image file as bytes, in as many colours as a network takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdsl.images import ImageError, read_image
from netdsl.see.errors import SeeError

if TYPE_CHECKING:
    from torch import Tensor


def levels(path: str, channels: int) -> Tensor:
    """`uint8 [channels, H, W]`, turned as its camera says. Raises `SeeError`."""
    import torch

    try:
        image = read_image(path, channels)
    except ImageError as error:
        raise SeeError(str(error)) from None
    return torch.from_numpy(image.copy()).permute(2, 0, 1)
