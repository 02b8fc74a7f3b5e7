"""Which input of a network takes a photograph, in which layout, and of which sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdsl.analyses.sizes import Sizes
from netdsl.ir.dim import Dim, Size, evaluate, symbol, symbols
from netdsl.ir.graph import Graph, Input

CHANNELS = (1, 3)
"""Of a grey image and of one in colour."""


class PhotographError(ValueError):
    """A network does not take this photograph, or none at all; the text says why, in lines."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The input that takes a photograph: with its channels first, `[3, H, W]`, or last."""

    item: Input
    is_last: bool

    @property
    def channels(self) -> int:
        """1 or 3."""
        count = self.item.shape[2 if self.is_last else 0]
        assert isinstance(count, int)
        return count

    @property
    def is_raw(self) -> bool:
        """Whether it takes the levels of a file, 0 to 255."""
        return self.item.dtype == "uint8"

    @property
    def height_and_width(self) -> tuple[Size, Size]:
        height, width = self.item.shape[:2] if self.is_last else self.item.shape[1:]
        return height, width


def frame_of(graph: Graph) -> Frame:
    """The frame of a network's only input. Raises `PhotographError` where it has none."""
    shown = ", ".join(f"{item.name} {item.value.type}" for item in graph.inputs)
    if len(graph.inputs) != 1:
        raise PhotographError(
            f"{graph.name} has {len(graph.inputs)} inputs, {shown}, and a photograph is one"
        )
    (item,) = graph.inputs
    if len(item.shape) == 3:
        first, last = item.shape[0], item.shape[-1]
        if first in CHANNELS or last in CHANNELS:
            return Frame(item, first not in CHANNELS)
    raise PhotographError(
        f"{graph.name} takes {shown}, which is no image: that is [3, H, W] or [H, W, 3], and "
        "[1, H, W] for grey"
    )


def check_size(frame: Frame, sizes: Sizes, height: int, width: int) -> None:
    """Whether a photograph has a size that the network takes.

    Raises `PhotographError`, which names the place in the file and the nearest sizes that work.
    """
    wanted = frame.height_and_width
    values = _solved(frame, wanted, (height, width))
    refusals = sizes.explain(**values)
    if not refusals:
        return
    near = sizes.nearest(**values)
    lines = [f"a photograph of {height} x {width} is refused", *refusals]
    lines += [f"{word} to {_at(wanted, point)}" for word, point in
              (("crop", near.down), ("pad", near.up)) if point]  # fmt: skip
    raise PhotographError("\n".join(lines))


def _solved(frame: Frame, wanted: Sequence[Size], actual: Sequence[int]) -> dict[str, int]:
    """The size symbols for which the input has the photograph's height and width."""
    values: dict[str, int] = {}
    for size, number in zip(wanted, actual, strict=True):
        for name in symbols(size):
            if size == symbol(name):
                values.setdefault(name, number)
    for size in wanted:
        if isinstance(size, Dim) and not symbols(size) <= values.keys():
            raise PhotographError(
                f"{frame.item.name} {frame.item.value.type} does not name its height and width, so "
                "what they are for a photograph is not worked out: give sizes, `--size H=224,W=224`"
            )
    shape = tuple(evaluate(size, values) for size in wanted)
    if shape != tuple(actual):
        takes = f"{frame.item.name} {frame.item.value.type}"
        raise PhotographError(
            f"a photograph of {actual[0]} x {actual[1]} does not fit: {takes} takes "
            f"{shape[0]} x {shape[1]} (height x width); "
            f"`resize({shape[0]}x{shape[1]})` or `crop_or_pad({shape[0]}x{shape[1]})` in front "
            "takes any"
        )
    return values


def _at(wanted: Sequence[Size], point: dict[str, int]) -> str:
    return " x ".join(str(evaluate(size, point)) for size in wanted)
