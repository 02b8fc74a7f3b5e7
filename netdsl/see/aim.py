"""An image made for one number of a network: a class, a map, a neuron."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from netdsl.analyses.scores import scores_of
from netdsl.see.canvas import Canvas, shifted, variation
from netdsl.see.classes import SHARES, Classes, shares_of
from netdsl.see.inside import Inside
from netdsl.see.places import Place
from netdsl.see.seen import Seen, Tick, ahead, as_bytes, quiet
from netdsl.see.sheet import Sheet, Tile

if TYPE_CHECKING:
    from torch import Tensor

Size = tuple[int, int]
LEAST = 1e-12
SMALL = 32


@dataclass(frozen=True, slots=True)
class Aiming:
    """How an image is made for a number.

    `steps` at a `rate`; the image is moved about by up to `jitter` cells (None: a sixteenth of its
    side); `smooth` is what differences of neighbours cost; of several `starts` (None: 4 for images
    of up to 32 cells a side, else 1) the best is taken.
    """

    steps: int = 128
    rate: float = 0.05
    jitter: int | None = None
    smooth: float = 2.0
    starts: int | None = None

    def starts_of(self, size: Size) -> int:
        return self.starts or (4 if max(size) <= SMALL else 1)


def class_image(
    inside: Inside,
    size: Size,
    classes: Classes,
    number: int,
    how: Aiming = Aiming(),
    tick: Tick = quiet,
) -> Seen:
    """The image with a large score for a class, and a larger one than for all others.

    Of probabilities, where the network gives these, it is their logarithms.
    """
    import torch

    output = inside.scores()
    kind = scores_of(output.value)

    def score(picture: Tensor) -> Tensor:
        scores = inside.values(picture, {"scores": output.value})["scores"][0]
        numbers = scores.clamp(min=LEAST).log() if kind in SHARES else scores
        others = torch.cat([numbers[:number], numbers[number + 1 :]])
        return 2 * numbers[number] - (others.logsumexp(0) if len(others) else 0)

    picture = climbed(inside, size, score, how, tick)
    scores = inside.values(picture, {"scores": output.value})["scores"][0]
    shares = shares_of(scores, kind)
    best = classes.best(scores)
    name = classes.name(number)
    taken = "which is the largest" if best == number else f"and {classes.name(best)} has more"
    lines = (
        f"the score of {name} is {float(scores[number]):.4g}, its probability "
        f"{float(shares[number]):.1%}, {taken}",
    )
    title = f"{inside.graph.name}: an image for {name}"
    tile = Tile(as_bytes(picture), f"{name}: {float(shares[number]):.1%}")
    numbers = {"score": float(scores[number]), "share": float(shares[number]), "best": best}
    return Seen(Sheet(title, (tile,), 1, 224), lines, numbers)


def place_image(
    inside: Inside, size: Size, place: Place, how: Aiming = Aiming(), tick: Tick = quiet
) -> Seen:
    """The image with a large mean of a map, or a large value of one neuron."""

    def score(picture: Tensor) -> Tensor:
        return inside.values(picture, {"value": place.value})["value"][0][place.index].mean()

    noise = Canvas(inside.channels, *size, inside.seed, inside.device).picture().detach()
    before = float(score(noise))
    picture = climbed(inside, size, score, how, tick)
    after = float(score(picture))
    lines = (f"{place} is {after:.4g} for this image, and {before:.4g} for noise",)
    title = f"{inside.graph.name}: an image for {place}"
    tile = Tile(as_bytes(picture), f"{place}: {after:.4g}")
    return Seen(Sheet(title, (tile,), 1, 224), lines, {"before": before, "after": after})


def climbed(
    inside: Inside, size: Size, score: Callable[[Tensor], Tensor], how: Aiming, tick: Tick = quiet
) -> Tensor:
    """A picture whose score was climbed, the best of several starts."""
    starts = how.starts_of(size)
    total = how.steps * starts
    pictures = [
        _climbed(inside, size, score, how, inside.seed + n, partial(ahead, tick, n, total))
        for n in range(starts)
    ]
    return max(pictures, key=lambda picture: score(picture).item())


def _climbed(
    inside: Inside,
    size: Size,
    score: Callable[[Tensor], Tensor],
    how: Aiming,
    seed: int,
    tick: Tick,
) -> Tensor:
    """From one start, moved about so that no pattern clings to a pixel."""
    import torch

    canvas = Canvas(inside.channels, *size, seed, inside.device)
    generator = torch.Generator().manual_seed(seed)
    jitter = min(size) // 16 if how.jitter is None else how.jitter
    climber = torch.optim.Adam([canvas.waves], how.rate)
    for step in range(how.steps):
        climber.zero_grad()
        picture = canvas.picture()
        moves = torch.randint(0, 2 * jitter + 1, (2,), generator=generator)
        loss = how.smooth * variation(picture) - score(shifted(picture, jitter, moves))
        loss.backward()
        climber.step()
        tick(step + 1, how.steps)
    return canvas.picture().detach()
