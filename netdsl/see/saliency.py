"""On which pixels a number of the network depends for one image, and on which it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdsl.analyses.links import UnknownLinks, field, hull
from netdsl.ops.axes import is_fixed
from netdsl.see.classes import Classes
from netdsl.see.errors import SeeError
from netdsl.see.inside import Inside
from netdsl.see.places import Place
from netdsl.see.seen import Seen, as_bytes, grey
from netdsl.see.sheet import Sheet, Tile

if TYPE_CHECKING:
    from torch import Tensor

GRADIENT = (
    "Brightness is the size of the gradient: how fast the number moves when a pixel moves a "
    "little. It says what this number depends on at this image, not why."
)


def saliency_of_class(inside: Inside, pixels: Tensor, classes: Classes, number: int | None) -> Seen:
    """For a class, the one with the largest score if none is chosen."""
    output = inside.scores()
    x = pixels.detach().clone().requires_grad_()
    scores = inside.values(x, {"scores": output.value})["scores"][0]
    chosen = classes.best(scores) if number is None else number
    scores[chosen].backward()
    name = f"{output.name}[{chosen}], {classes.name(chosen)}"
    return _seen(inside, pixels, x, name, scores[chosen].item(), None)


def saliency_of(inside: Inside, pixels: Tensor, place: Place) -> Seen:
    """For a channel (its mean) or one neuron, whose exact field is framed at known sizes."""
    x = pixels.detach().clone().requires_grad_()
    value = inside.values(x, {"value": place.value})["value"][0]
    shape = tuple(value.shape)
    if any(i >= n for i, n in zip(place.index, shape, strict=False)):
        raise SeeError(f"`{place}` is not in {place.name}, which is {list(shape)} for this image")
    number = value[place.index].mean()
    number.backward()
    box = None
    if len(place.index) == len(shape):
        box = _field(inside, place)
    return _seen(inside, pixels, x, str(place), number.item(), box)


def _field(inside: Inside, place: Place) -> tuple[int, int, int, int] | None:
    """First and last row and column that a neuron can depend on; None where it is not known."""
    if not (is_fixed(place.value.type.shape) and inside.fixed):
        return None
    try:
        read = field(inside.graph, place.value, place.index, (inside.entry,)).get(inside.entry, [])
    except UnknownLinks:
        return None
    if not read:
        return None
    _, rows, columns = hull(read)
    return rows[0], columns[0], rows[1], columns[1]


def _seen(
    inside: Inside,
    pixels: Tensor,
    x: Tensor,
    name: str,
    number: float,
    box: tuple[int, int, int, int] | None,
) -> Seen:
    assert x.grad is not None
    strength = x.grad[0].abs().amax(dim=0)
    most = float(strength.max())
    touched = (strength > 0).nonzero()
    share = float((strength > 0).float().mean())
    shown = strength.sqrt()  # a few pixels are far stronger than all others
    heat = pixels.mean(dim=1, keepdim=True) * 0.35
    overlay = (heat + 0.65 * shown / (float(shown.max()) or 1.0)).clamp(0, 1)
    tiles = (
        Tile(as_bytes(pixels), "the image", box),
        Tile(grey(shown, 0.0, float(shown.max())), "what the number depends on", box),
        Tile(as_bytes(overlay.expand(-1, 3, -1, -1)), "both", box),
    )
    lines = [
        f"{name} is {number:.4g}; {share:.1%} of the pixels have a gradient, at most {most:.3g}"
    ]
    if len(touched):
        first, last = touched.amin(dim=0).tolist(), touched.amax(dim=0).tolist()
        lines.append(f"rows {first[0]} to {last[0]}, columns {first[1]} to {last[1]} have one")
    if box is not None:
        lines.append(
            f"it can depend on rows {box[0]} to {box[2]}, columns {box[1]} to {box[3]} (framed): "
            f"{box[2] - box[0] + 1}x{box[3] - box[1] + 1} pixels, for any weights"
        )
    title = f"{inside.graph.name}: what {name} depends on"
    numbers = {"value": number, "share": share, "field": box}
    return Seen(Sheet(title, tiles, 3, 224, (GRADIENT,)), tuple(lines), numbers)
