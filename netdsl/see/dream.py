"""An image that excites a layer more and more: gradient ascent on the norm of its values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdsl.see.canvas import shifted
from netdsl.see.errors import SeeError
from netdsl.see.inside import Inside
from netdsl.see.places import Place
from netdsl.see.seen import Seen, Tick, as_bytes, quiet
from netdsl.see.sheet import Sheet, Tile

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Dreaming:
    """How far it goes: sizes of the image, each smaller by `scale`; steps at each; cells of jitter;
    how far a pixel moves in a step on average, from 0 to 1."""

    octaves: int = 4
    scale: float = 1.4
    steps: int = 10
    jitter: int = 16
    rate: float = 1.5 / 255


def dream(
    inside: Inside, pixels: Tensor, place: Place, how: Dreaming = Dreaming(), tick: Tick = quiet
) -> Seen:
    """Change an image so that the L2 norm of a layer's values grows (Mordvintsev et al. 2015).

    The image is worked on at several sizes, the smallest first, so that patterns of all sizes
    arise; a network of one size is worked on at that size alone.
    """
    import torch
    import torch.nn.functional as F

    generator = torch.Generator().manual_seed(inside.seed)
    sizes = list(_sizes(inside, pixels, how))
    before = _norm(inside, pixels, place)
    if before == 0:
        raise SeeError(f"`{place}` is zero everywhere for this image: no pixel excites it further")
    steps = how.steps if len(sizes) > 1 else how.steps * how.octaves
    added, done = None, 0
    image = pixels
    for size in sizes:
        base = F.interpolate(pixels, size, mode="bilinear", antialias=True)
        if added is not None:
            added = F.interpolate(added, size, mode="bilinear")
        image = base if added is None else base + added
        for _ in range(steps):
            image = _step(inside, image, place, how, generator)
            done += 1
            tick(done, steps * len(sizes))
        added = image - base
    after = _norm(inside, image, place)
    moved = float((image - pixels).abs().mean()) * 255
    scales = ", ".join(f"{height}x{width}" for height, width in sizes)
    lines = (
        f"the L2 norm of {place} grew from {before:.4g} to {after:.4g} "
        f"({after / before:.2f} times)",
        f"a pixel moved by {moved:.1f} of 255 levels on average, in {done} steps at {scales}",
    )
    tiles = (
        Tile(as_bytes(pixels), f"the image: norm {before:.4g}"),
        Tile(as_bytes(image), f"the dream: norm {after:.4g}"),
    )
    title = f"{inside.graph.name}: what {place} would like to see more of"
    numbers = {"before": before, "after": after, "moved": moved, "steps": done}
    return Seen(Sheet(title, tiles, 2, 224), lines, numbers)


def _sizes(inside: Inside, pixels: Tensor, how: Dreaming) -> Iterator[tuple[int, int]]:
    """Sizes to work at that the network takes, the smallest first, that of the image last."""
    height, width = pixels.shape[-2:]
    for octave in range(how.octaves - 1, 0, -1):
        size = round(height / how.scale**octave), round(width / how.scale**octave)
        if min(size) > 0 and inside.takes(*size):
            yield size
    yield height, width


def _norm(inside: Inside, pixels: Tensor, place: Place) -> float:
    return float(inside.values(pixels, {"norm": place.value})["norm"].norm())


def _step(
    inside: Inside, image: Tensor, place: Place, how: Dreaming, generator: torch.Generator
) -> Tensor:
    """One step up the gradient of half the squared norm, scaled to its mean size."""
    import torch

    steps = torch.randint(0, 2 * how.jitter + 1, (2,), generator=generator)
    x = image.detach().clone().requires_grad_()
    value = inside.values(shifted(x, how.jitter, steps), {"norm": place.value})["norm"]
    (value.square().sum() / 2).backward()
    assert x.grad is not None
    size = float(x.grad.abs().mean())
    return (image + x.grad * (how.rate / size if size else 0.0)).clamp(0, 1).detach()
