"""The static type of a value: shape without the batch axis, element type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from netdsl.ir.dim import Size, substitute

Shape: TypeAlias = tuple[Size, ...]

BYTES = {
    "float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2,
    "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip
"""Of an element of each type."""
DTYPES = tuple(BYTES)
"""Element types an `input` may have, by PyTorch's names."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """What the compiler knows of a value.

    `shape` is channels-first and leaves out the batch axis: `(64, H, W)`; the channel count
    (axis 0) of a map is a known number. `batched` is False only for a learned `weight` and what
    is computed from weights alone: its shape is as stored, with no batch axis in front.
    `items` are the axes that `each` has taken it out of, outer first: they are in the batch.
    `numbered` are, of places, the axes of the map whose cells they number.
    """

    shape: Shape
    dtype: str = "float32"
    batched: bool = True
    items: Shape = ()
    numbered: Shape = ()

    @property
    def rank(self) -> int:
        """Number of axes without the batch."""
        return len(self.shape)

    @property
    def channels(self) -> Size:
        return self.shape[0]

    @property
    def spatial(self) -> Shape:
        """The axes after the channels: `(H, W)`."""
        return self.shape[1:]

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith(("float", "bfloat"))

    def with_shape(self, *shape: Size) -> Tensor:
        """The same element type with another shape, of the same items."""
        return Tensor(shape, self.dtype, self.batched, self.items)

    def substituted(self, sizes: Mapping[str, Size]) -> Tensor:
        """The same with other sizes in place of some symbols."""
        shape, items, numbered = (
            tuple(substitute(size, sizes) for size in part)
            for part in (self.shape, self.items, self.numbered)
        )
        return Tensor(shape, self.dtype, self.batched, items, numbered)

    def __str__(self) -> str:
        kind = "" if self.dtype == "float32" else f"{self.dtype} "
        return f"{kind}{format_shape(self.shape)}"


def format_shape(shape: Shape) -> str:
    """`[64, H, floor(W/2)]`."""
    return f"[{', '.join(map(str, shape))}]"
