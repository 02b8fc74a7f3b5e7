"""Images that give the same values inside as a given one: what a layer still knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from netdsl.see.canvas import Canvas, variation
from netdsl.see.classes import Classes
from netdsl.see.errors import SeeError
from netdsl.see.inside import Inside
from netdsl.see.places import Place
from netdsl.see.seen import Seen, Tick, ahead, as_bytes, quiet
from netdsl.see.sheet import Sheet, Tile

if TYPE_CHECKING:
    from torch import Tensor

LEVELS = 255


@dataclass(frozen=True, slots=True)
class Inverting:
    """How long, and at the start how fast and how much differences of neighbours cost.

    Both fall to nothing.
    """

    steps: int = 400
    rate: float = 0.1
    smooth: float = 0.02


@dataclass(frozen=True, slots=True)
class Inverted:
    """One image found for one place.

    `distance` is that of the values from the original's, in parts of their norm; `pixels` the root
    of the mean squared difference in levels from 0 to 255; `is_same` whether the network gives it
    the same class, None where it gives none.
    """

    place: Place
    picture: Tensor
    distance: float
    pixels: float
    is_same: bool | None
    best: int | None


def invert(
    inside: Inside,
    pixels: Tensor,
    places: Sequence[Place],
    how: Inverting = Inverting(),
    classes: Classes | None = None,
    tick: Tick = quiet,
) -> Seen:
    """An image for each place, from noise, that gives the values of the image there.

    What is not in a layer's values is made up: smooth where nothing says otherwise (Mahendran,
    Vedaldi 2015). Many images give the same point; this is one of them.
    """
    total = how.steps * len(places)
    found = [
        inverted(inside, pixels, place, how, partial(ahead, tick, n, total))
        for n, place in enumerate(places)
    ]
    tiles = [Tile(as_bytes(pixels), "the image")]
    tiles += [Tile(as_bytes(one.picture), _caption(one, classes)) for one in found]
    title = f"{inside.graph.name}: images that give the same values inside"
    lines = [_line(one, classes) for one in found]
    numbers = {
        str(one.place): {"distance": one.distance, "pixels": one.pixels, "same": one.is_same}
        for one in found
    }
    sheet = Sheet(title, tuple(tiles), min(5, len(tiles)), 160)
    return Seen(sheet, tuple(lines), numbers)


def inverted(
    inside: Inside, pixels: Tensor, place: Place, how: Inverting = Inverting(), tick: Tick = quiet
) -> Inverted:
    """An image that gives the values of the original at one place."""
    import torch

    wanted = {"value": place.value}
    target = inside.values(pixels, wanted)["value"].detach()
    norm = target.norm()
    if float(norm) == 0:
        raise SeeError(f"`{place}` is zero everywhere for this image: it knows nothing of it")
    height, width = pixels.shape[-2:]
    canvas = Canvas(inside.channels, height, width, inside.seed, inside.device)
    climber = torch.optim.Adam([canvas.waves], how.rate)
    least, best = float("inf"), canvas.picture().detach()
    for step in range(how.steps):
        left = 1 - step / how.steps
        for group in climber.param_groups:
            group["lr"] = how.rate * left
        climber.zero_grad()
        picture = canvas.picture()
        distance = (inside.values(picture, wanted)["value"] - target).norm() / norm
        if distance.item() < least:
            least, best = distance.item(), picture.detach()
        (distance + how.smooth * left**2 * variation(picture)).backward()
        climber.step()
        tick(step + 1, how.steps)
    moved = float((best - pixels).square().mean().sqrt()) * LEVELS
    is_same, number = _class(inside, pixels, best)
    return Inverted(place, best, least, moved, is_same, number)


def _class(inside: Inside, pixels: Tensor, picture: Tensor) -> tuple[bool | None, int | None]:
    try:
        output = inside.scores()
    except SeeError:
        return None, None
    before, after = (
        int(inside.values(x, {"scores": output.value})["scores"][0].argmax())
        for x in (pixels, picture)
    )
    return before == after, after


def _caption(one: Inverted, classes: Classes | None) -> str:
    return f"from {one.place}: {one.distance:.1%} off there, {one.pixels:.0f} levels off"


def _line(one: Inverted, classes: Classes | None) -> str:
    same = ""
    if one.is_same is not None and one.best is not None:
        name = classes.name(one.best) if classes is not None else f"class {one.best}"
        same = f"; the same class, {name}" if one.is_same else f"; another class, {name}"
    return (
        f"{one.place}: {one.distance:.2%} away in the layer, "
        f"{one.pixels:.1f} of 255 levels away in the pixels{same}"
    )
