"""How an image is brought to a size: squashed, cropped, padded, or several crops of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdsl.see.seen import Seen, as_bytes
from netdsl.see.sheet import Sheet, Tile

if TYPE_CHECKING:
    from torch import Tensor


def fit(pixels: Tensor, height: int, width: int) -> Seen:
    """An image `[1, C, H, W]` at one size in four ways, and what each loses."""
    before_height, before_width = pixels.shape[-2:]
    squashed = _resized(pixels, height, width)
    ways = [Tile(as_bytes(pixels), f"the image, {before_height}x{before_width}")]
    aspect = (width / before_width) / (height / before_height)
    lines = [f"squash: all is kept, and widths are {aspect:.2f} times heights"]
    ways.append(Tile(as_bytes(squashed), f"squashed: widths are {aspect:.2f} times heights"))
    cropped, share = _cropped(pixels, height, width)
    lines.append(f"crop: shapes are kept, and {1 - share:.0%} of the image is lost")
    ways.append(Tile(as_bytes(cropped), f"cropped: {1 - share:.0%} lost"))
    padded, filled = _padded(pixels, height, width)
    lines.append(
        f"pad: shapes and all of the image are kept, and {filled:.0%} of the cells are empty"
    )
    ways.append(Tile(as_bytes(padded), f"padded: {filled:.0%} empty"))
    crops, covered = _crops(pixels, height, width)
    lines.append(
        f"five crops: shapes are kept, {1 - covered:.0%} of the image is lost, and the network "
        "runs five times"
    )
    names = "top left", "top right", "bottom left", "bottom right", "centre"
    ways += [Tile(as_bytes(one), name) for one, name in zip(crops, names, strict=True)]
    title = f"{before_height}x{before_width} as {height}x{width}"
    numbers = {"aspect": aspect, "cropped": 1 - share, "empty": filled, "uncovered": 1 - covered}
    return Seen(Sheet(title, tuple(ways), 4, 160), tuple(lines), numbers)


def _resized(pixels: Tensor, height: int, width: int) -> Tensor:
    import torch.nn.functional as F

    return F.interpolate(pixels, (height, width), mode="bilinear", antialias=True)


def _filling(pixels: Tensor, height: int, width: int) -> Tensor:
    """Enlarged or shrunk, shapes kept, so that it covers the size."""
    before_height, before_width = pixels.shape[-2:]
    if height * before_width >= width * before_height:
        return _resized(pixels, height, max(width, before_width * height // before_height))
    return _resized(pixels, max(height, before_height * width // before_width), width)


def _cropped(pixels: Tensor, height: int, width: int) -> tuple[Tensor, float]:
    """The centre, and its share of the image."""
    image = _filling(pixels, height, width)
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    share = height * width / (image.shape[-2] * image.shape[-1])
    return image[..., top : top + height, left : left + width], share


def _padded(pixels: Tensor, height: int, width: int) -> tuple[Tensor, float]:
    """The whole image within the size, and the share of the cells around it."""
    before_height, before_width = pixels.shape[-2:]
    if height * before_width >= width * before_height:
        inner = max(1, before_height * width // before_width), width
    else:
        inner = height, max(1, before_width * height // before_height)
    image = _resized(pixels, *inner)
    page = pixels.new_full((*pixels.shape[:2], height, width), 114 / 255)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    page[..., top : top + inner[0], left : left + inner[1]] = image
    return page, 1 - inner[0] * inner[1] / (height * width)


def _crops(pixels: Tensor, height: int, width: int) -> tuple[list[Tensor], float]:
    """Four corners and the centre of the image at 8/7 of the size, and the share that they show."""
    import torch

    image = _filling(pixels, height * 8 // 7, width * 8 // 7)
    rows, columns = image.shape[-2:]
    middle = (rows - height) // 2, (columns - width) // 2
    corners = [(0, 0), (0, columns - width), (rows - height, 0), (rows - height, columns - width)]
    seen = torch.zeros(rows, columns, dtype=torch.bool)
    crops: list[Tensor] = []
    for top, left in (*corners, middle):
        seen[top : top + height, left : left + width] = True
        crops.append(image[..., top : top + height, left : left + width])
    return crops, float(seen.float().mean())
