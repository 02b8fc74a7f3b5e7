"""An image file as bytes, in as many colours as a network takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdsl.see.errors import SeeError

if TYPE_CHECKING:
    from torch import Tensor

MOST_PIXELS = 100_000_000


def read_image(path: str, channels: int) -> Tensor:
    """`uint8 [channels, H, W]`, turned as its file says. Raises `SeeError`."""
    import numpy as np
    import torch
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            if file.width * file.height > MOST_PIXELS:
                raise SeeError(f"{path} has {file.width}x{file.height} pixels: too many")
            image = ImageOps.exif_transpose(file).convert("RGB" if channels == 3 else "L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SeeError(f"can't read {path} as an image: {error}") from None
    array = np.array(image)
    return torch.from_numpy(array if channels == 3 else array[..., None]).permute(2, 0, 1)
