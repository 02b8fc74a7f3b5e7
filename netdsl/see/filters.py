"""The filters of a convolution, as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdsl.analyses.explain.document import plural
from netdsl.ir.graph import Layer
from netdsl.ops.base import op_of
from netdsl.see.errors import SeeError
from netdsl.see.inside import Inside
from netdsl.see.places import place
from netdsl.see.seen import Seen, as_bytes, grey
from netdsl.see.sheet import Sheet, Tile

if TYPE_CHECKING:
    from torch import Tensor

    from netdsl.see.sheet import Pixels

MOST_SLICES = 8
HONEST = (
    "Each picture is scaled by itself: grey is 0, lighter is positive, darker negative. A filter "
    "that reads {maps} maps has {maps} planes and no colours; the planes are shown one by one."
)


def filters(inside: Inside, layer: str | None = None, count: int = 64) -> Seen:
    """The filters of a layer, the first convolution if none is named.

    Those that read a photograph have a plane for each of red, green and blue, and are shown in
    colour; those that read a grey image in grey; deeper ones plane by plane.
    """
    import torch

    chosen = _layer(inside, layer)
    (key,) = (chosen.key(spec) for spec in chosen.weights if len(spec.shape) == 4)
    weight = torch.from_numpy(inside.weights[key]).float()
    number, planes, height, width = weight.shape
    shown = min(count, number)
    if planes in (1, 3):
        tiles = [Tile(_coloured(weight[n]), f"filter {n}") for n in range(shown)]
        notes = [
            "Each filter is scaled by itself: grey is 0, lighter is positive, darker negative."
        ]
        columns = 8
    else:
        columns = min(MOST_SLICES, planes)
        rows = max(1, shown // columns)
        tiles = [
            Tile(_plane(weight[n, m], weight[n]), f"filter {n}, map {m}")
            for n in range(min(rows, number))
            for m in range(columns)
        ]
        notes = [HONEST.format(maps=planes)]
    shape = f"{planes}x{height}x{width}"
    title = f"{inside.graph.name}: {chosen.path}, {plural(number, 'filter')} of {shape}"
    most = f"the first {shown} of {number}" if shown < number else f"all {number}"
    filters = f"{plural(number, 'filter')}, each" if number != 1 else "1 filter,"
    lines = (
        f"{chosen.path}: {filters} {shape}; shown: {most}",
        f"weights from {weight.min():.4g} to {weight.max():.4g}",
    )
    numbers = {"layer": chosen.path, "shape": list(weight.shape)}
    return Seen(Sheet(title, tuple(tiles), columns, 64, tuple(notes)), lines, numbers)


def _layer(inside: Inside, name: str | None) -> Layer:
    """The layer whose filters are asked for. Raises `SeeError`."""
    convolutions = [layer for layer in inside.graph.layers() if _has_filters(layer)]
    if not convolutions:
        raise SeeError(f"{inside.graph.name} has no convolution over maps")
    if name is None:
        return convolutions[0]
    by_path = {layer.path: layer for layer in convolutions}
    if name in by_path:
        return by_path[name]
    below = [path for path in by_path if path.startswith(f"{name}.")]
    if len(below) == 1:
        return by_path[below[0]]
    if below:
        raise SeeError(f"`{name}` has several convolutions: {', '.join(below[:6])}")
    where = place(inside.graph, name).name
    raise SeeError(
        f"`{where}` is no convolution; there are, for example: {', '.join([*by_path][:6])}"
    )


def _has_filters(layer: Layer) -> bool:
    """Whether it slides filters of its own over a map."""
    slides = op_of(layer.calls[0]).sliding() is not None
    return slides and sum(len(spec.shape) == 4 for spec in layer.weights) == 1


def _coloured(kernel: Tensor) -> Pixels:
    most = float(kernel.abs().max()) or 1.0
    return as_bytes(kernel / (2 * most) + 0.5)


def _plane(plane: Tensor, kernel: Tensor) -> Pixels:
    most = float(kernel.abs().max()) or 1.0
    return grey(plane, -most, most)
