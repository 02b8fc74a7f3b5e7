"""What the names of an ONNX graph stand for while it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from netdsl.importers.onnx.quantity import Plain, Quantity
from netdsl.importers.program import Value
from netdsl.ir.tensor import Tensor

if TYPE_CHECKING:
    import numpy

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
B = -1
"""Stands for the batch axis among the axes of a value."""
Group: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Data:
    """A value that differs from sample to sample.

    The axes of ONNX are groups of ours, in order, `B` among them: `((B,), (0,), (1,))` has the
    batch first, `((0,), (B,), (1,))` second, and `((B, 0), (1,))` has another axis merged into it.
    """

    value: Value
    type: Tensor
    groups: tuple[Group, ...]
    dtype: str

    @property
    def rank(self) -> int:
        """The number of ONNX's axes."""
        return len(self.groups)

    @property
    def is_plain(self) -> bool:
        """Whether the batch is the first axis, and alone."""
        return self.groups == plain_groups(self.type.rank)

    @property
    def batch(self) -> int:
        """The number of ONNX's axis that the batch is in."""
        return next(n for n, group in enumerate(self.groups) if B in group)


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """A value of the language that is the same for all samples; its axes are ONNX's."""

    value: Value
    type: Tensor
    dtype: str

    @property
    def rank(self) -> int:
        """The number of axes."""
        return self.type.rank


@dataclass(frozen=True, eq=False, slots=True)
class Known:
    """Numbers that are the same for all samples, some of which may depend on open sizes.

    `batch` is the axis of size 1 that stands for the batch, where the file spreads it so.
    `name` is that of the initializer which holds these numbers, in another order or with other axes
    if they are turned.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], numpy.ndarray]
    name: str = ""
    batch: int | None = None
    is_stored: bool = False
    is_turned: bool = False

    @property
    def identity(self) -> object:
        """What is the same for the same numbers of the file, in the same order."""
        return self.name if self.name and not self.is_turned else id(self)

    @property
    def array(self) -> numpy.ndarray:
        """The numbers; of type object where some of them depend on sizes."""
        return self.read()

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def count(self) -> int:
        """How many numbers there are."""
        total = 1
        for size in self.shape:
            total *= size
        return total


Thing: TypeAlias = Data | Table | Known


@dataclass(frozen=True, eq=False, slots=True)
class Share:
    """One size over another."""

    part: Plain
    whole: Plain


@dataclass(frozen=True, eq=False, slots=True)
class Ramp:
    """`i` for i from 0 on below a size, or `floor(i * share)`; with axes of size 1 around it."""

    size: Quantity
    dtype: str
    front: int = 0
    behind: int = 0
    share: Share | None = None
    is_floor: bool = False


Odd = Ramp | Share


def plain_groups(rank: int) -> tuple[Group, ...]:
    """The batch first, then all axes as they are."""
    return ((B,), *((axis,) for axis in range(rank)))


def numbered(groups: Sequence[Sequence[int]]) -> tuple[Group, ...]:
    """Groups with the axes numbered in the order in which they stand."""
    count = 0
    result: list[Group] = []
    for group in groups:
        axes: list[int] = []
        for axis in group:
            axes.append(B if axis == B else count)
            count += axis != B
        result.append(tuple(axes))
    return tuple(result)


def known(array: numpy.ndarray, dtype: str = "", *, batch: int | None = None) -> Known:
    """Numbers that were computed."""
    return Known(array.shape, dtype or str(array.dtype), lambda: array, batch=batch)


def our_dtype(dtype: str) -> str:
    """The element type of the language that takes the place of one of ONNX; empty for none."""
    if dtype in FLOATS:
        return "float32"
    return "int64" if dtype in INTEGERS else "bool" if dtype == "bool" else ""
