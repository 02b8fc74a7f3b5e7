"""Networks that take any size: images whose channels come last, levels, small images in the middle."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.ir.fitting import FitError

torch = pytest.importorskip("torch")

LAST = """
net Last {
    input photo: uint8 [H, W, 3]
    x = photo -> permute([2, 0, 1]) -> to_float
    y = x -> conv(4, 8, stride=8) -> relu -> upsample(8)
    output mask = add { y -> conv(3, 1) ; x } -> permute([1, 2, 0])
}
"""
VALID = """
net Valid {
    input image: [3, H, W]
    output y = image -> pixel_unshuffle(2) -> conv(12, 3) -> pixel_shuffle(2)
}
"""


def test_channels_last() -> None:
    """The mask is cut along the axes that were the image's, wherever the channels stand."""
    network = netdsl.loads(LAST)
    fitted = network.padded()
    assert [str(size) for size in fitted.outputs[0].shape] == ["H", "W", "3"]
    module, original = fitted.torch(seed=0).eval(), network.torch(seed=0).eval()
    for height, width in [(1, 1), (9, 16), (8, 23)]:
        photo = torch.randint(0, 256, (2, height, width, 3), dtype=torch.uint8)
        padded = torch.zeros(2, height + -height % 8, width + -width % 8, 3, dtype=torch.uint8)
        padded[:, :height, :width] = photo
        with torch.no_grad():
            wanted = original(padded)[:, :height, :width]
            torch.testing.assert_close(module(photo), wanted)


def test_levels_are_not_resized() -> None:
    with pytest.raises(FitError, match="photo holds levels, uint8, and `resize` works on floats"):
        netdsl.loads(LAST).padded("resize")


def test_small_images_in_the_middle() -> None:
    """Where the network's map is smaller than its image, the part that is kept lies within it."""
    network = netdsl.loads(VALID)
    fitted = network.padded(align="center")
    assert str(fitted.sizes) == "any H, any W"
    module, original = fitted.torch(seed=0).eval(), network.torch(seed=0).eval()
    for size in range(1, 12):
        image = torch.randn(1, 3, size, size)
        added = max(6, size + size % 2) - size
        before, kept = added // 2, max(1, size - 4)
        sides = (before, added - before)
        with torch.no_grad():
            whole = original(torch.nn.functional.pad(image, sides * 2))
            at = min(before, whole.shape[-1] - kept)
            part = whole[:, :, at : at + kept, at : at + kept]
            torch.testing.assert_close(module(image), part)
