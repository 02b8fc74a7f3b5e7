"""An image that is optimised, as waves: all frequencies move at alike speed, and stay colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

COLOURS = ((0.56, 0.39, 0.27), (0.56, 0.0, -0.35), (0.56, -0.39, 0.08))
"""How red, green and blue go together in photographs: brightness, then two contrasts of colour."""
LOUDNESS = 4.0


class Canvas:
    """Coefficients of waves, and the picture that they make: `[1, C, H, W]`, from 0 to 1.

    A canvas begins as weak noise about grey, by a seed; low frequencies are strong in it, as in
    photographs (Olah et al. 2017 explain why this gives clearer pictures than moving pixels).
    """

    def __init__(
        self, channels: int, height: int, width: int, seed: int, device: str = "cpu",
        noise: float = 0.01,
    ) -> None:  # fmt: skip
        import torch

        generator = torch.Generator().manual_seed(seed)
        self.size = height, width
        rows, columns = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
        frequency = (rows[:, None] ** 2 + columns[None] ** 2).sqrt()
        scale = (height * width) ** 0.5 / frequency.clamp(min=1 / max(height, width))
        self.scale = (scale / scale.mean() * LOUDNESS * (height * width) ** 0.5 / 4).to(device)
        shape = (1, channels, height, len(columns), 2)
        start = torch.randn(shape, generator=generator) * noise
        self.waves = start.to(device).requires_grad_()
        self.colours = torch.tensor(COLOURS, device=device) if channels == 3 else None

    def picture(self) -> Tensor:
        import torch

        spectrum = torch.view_as_complex(self.waves) * self.scale
        plane = torch.fft.irfft2(spectrum, s=self.size, norm="backward")
        if self.colours is not None:
            plane = torch.einsum("nchw,dc->ndhw", plane, self.colours)
        return plane.sigmoid()


def shifted(picture: Tensor, most: int, steps: Tensor) -> Tensor:
    """The picture moved by up to so many cells along each axis, its border repeated.

    `steps` are two whole numbers from 0 to `2 * most`.
    """
    import torch.nn.functional as F

    if most == 0:
        return picture
    height, width = picture.shape[-2:]
    down, right = (int(step) for step in steps)
    wide = F.pad(picture, (most, most, most, most), mode="replicate")
    return wide[..., down : down + height, right : right + width]


def variation(picture: Tensor) -> Tensor:
    """The mean difference of neighbouring cells: total variation for a cell."""
    down = (picture[..., 1:, :] - picture[..., :-1, :]).abs().mean()
    right = (picture[..., :, 1:] - picture[..., :, :-1]).abs().mean()
    return down + right
