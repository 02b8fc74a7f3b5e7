"""The maps that a layer makes of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdsl.analyses.explain.document import plural
from netdsl.see.errors import SeeError
from netdsl.see.inside import Inside
from netdsl.see.places import Place
from netdsl.see.seen import Seen, as_bytes, grey
from netdsl.see.sheet import Sheet, Tile

if TYPE_CHECKING:
    from torch import Tensor

NO_COLOUR = (
    "A map has one number for each cell, so it has no colour: white is its largest number, black "
    "its smallest. Colours in pictures of maps are chosen by whoever draws them."
)


def maps(inside: Inside, pixels: Tensor, place: Place, count: int = 16) -> Seen:
    """The maps of a layer with the largest means, strongest first, beside the image."""
    value = inside.values(pixels, {"maps": place.value})["maps"][0]
    if value.dim() != 3:
        raise SeeError(f"`{place}` is {place.value.type}: no maps, [C, H, W]")
    means = value.mean(dim=(1, 2))
    order = means.argsort(descending=True, stable=True)[:count].tolist()
    height, width = value.shape[1:]
    tiles = [Tile(as_bytes(pixels), f"the image, {pixels.shape[-2]}x{pixels.shape[-1]}")]
    for number in order:
        plane = value[number]
        low, high = float(plane.min()), float(plane.max())
        zeros = float((plane == 0).float().mean())
        told = f", {zeros:.0%} zeros" if zeros else ""
        tiles.append(Tile(grey(plane, low, high), f"map {number}: {low:.2g} to {high:.2g}{told}"))
    dead = int((value.abs().amax(dim=(1, 2)) == 0).sum())
    share = float((value == 0).float().mean())
    largest = (
        f"the {len(order)} with the largest means"
        if len(order) > 1
        else "shown is that with the largest mean"
    )
    if len(value) == 1:
        largest = "it is shown"
    empty = "1 map is" if dead == 1 else f"{dead} maps are"
    lines = (
        f"{place}: {plural(len(value), 'map')} of {height}x{width}; {largest}",
        f"{share:.1%} of all numbers are zero; {empty} zero everywhere",
    )
    title = f"{inside.graph.name}: {place}, {len(order)} of {plural(len(value), 'map')}"
    numbers = {"maps": order, "means": [float(means[n]) for n in order], "zeros": share}
    return Seen(Sheet(title, tuple(tiles), 6, 112, (NO_COLOUR,)), lines, numbers)
