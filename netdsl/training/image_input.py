"""The input of a network as images enter it: channels, layout, and sizes as symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netdsl.ir.dim import Size, evaluate
from netdsl.ir.graph import Graph
from netdsl.training.faults import TrainingError
from netdsl.training.pixels import Pixels, shown

COLOURS = (3, 1)
"""How many channels an image file can be read with."""
TYPES = ("float32", "uint8")


@dataclass(frozen=True, slots=True)
class ImageInput:
    """An input that takes images of `channels` colours; `is_last` where these are the last axis."""

    name: str
    channels: int
    is_last: bool
    height: Size
    width: Size
    dtype: str

    def sizes(self, size: Pixels) -> dict[str, int]:
        """The size symbols for images of this size. Raises `TrainingError` if there are none."""
        symbols: dict[str, int] = {}
        for axis, number in zip((self.height, self.width), size, strict=True):
            if isinstance(axis, int):
                if axis != number:
                    fixed = f"{self.height}x{self.width}"
                    raise TrainingError(
                        f"`{self.name}` takes images of {fixed}, and not of {shown(size)}"
                    )
            elif symbols.setdefault(str(axis), number) != number:
                raise TrainingError(
                    f"`{self.name}` takes images as high as wide, and not of {shown(size)}"
                )
        return symbols

    def pixels(self, symbols: Mapping[str, int]) -> Pixels:
        """The size of images for these size symbols."""
        return evaluate(self.height, symbols), evaluate(self.width, symbols)


def image_input(graph: Graph) -> ImageInput:
    """The one input of a network that is to be trained on images. Raises `TrainingError`."""
    if len(graph.inputs) != 1:
        names = ", ".join(f"`{item.name}`" for item in graph.inputs)
        raise TrainingError(f"a network to train has one input, for images; this one has {names}")
    (item,) = graph.inputs
    written = f"`{item.name}`, which is {item.value.type}"
    if item.dtype not in TYPES:
        raise TrainingError(f"images are {' or '.join(TYPES)}, and not {item.dtype} as {written}")
    if len(item.shape) != 3:
        raise TrainingError(f"images are [channels, height, width], and not as {written}")
    first, middle, last = item.shape
    if first in COLOURS:
        axes, is_last = (first, middle, last), False
    elif last in COLOURS:
        axes, is_last = (last, first, middle), True
    else:
        raise TrainingError(f"images are read with 3 channels or 1, and not as {written}")
    channels, height, width = axes
    for axis in (height, width):
        if not isinstance(axis, int) and str(axis) not in graph.symbols:
            raise TrainingError(f"a size of images is a number or a symbol, and not `{axis}`")
    assert isinstance(channels, int)
    return ImageInput(item.name, channels, is_last, height, width, item.dtype)
