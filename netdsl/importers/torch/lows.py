"""Traced tensors as values of the language: where the batch is, and which axes lie together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

from netdsl.diagnostics import DiagnosticError
from netdsl.importers.program import Number, Path, Value

BATCH = -1
Layout: TypeAlias = tuple[tuple[int, ...], ...]
"""For each traced axis the axes of the value that lie in it, `BATCH` among them."""


class Refusal(Exception):
    """What the language has no word for; `help` says what would help."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


class Unsaid(DiagnosticError):
    """An import ends here; `kinds` are the classes of the modules around, the network first."""

    def __init__(self, cause: DiagnosticError, kinds: tuple[type, ...]) -> None:
        super().__init__(cause.diagnostics)
        self.kinds = kinds


@dataclass(frozen=True, slots=True)
class Low:
    """A traced tensor as a value of the language.

    One that is spread has `narrow`, what it was before: the value still has axes of size 1, which
    merges spread by themselves, and `widths` says how wide they are meant to be.

    The axes of the value keep their order in the layout. `sizes` are those of its axes, each in
    all runs. A table that leads has an axis of size 1 in front, which the layout leaves out: the
    batch.
    """

    value: Value
    layout: Layout
    sizes: tuple[tuple[int, ...], ...]
    is_table: bool = False
    leads: bool = False
    narrow: Low | None = None
    widths: tuple[tuple[int, Number], ...] = ()

    @property
    def rank(self) -> int:
        return len(self.layout)

    @property
    def is_empty(self) -> bool:
        """Whether it has no numbers at all."""
        return any(not any(sizes) for sizes in self.sizes)

    @property
    def is_plain(self) -> bool:
        """Whether the traced axes are the batch and then those of the value."""
        return self.layout == ((BATCH,), *((axis,) for axis in range(len(self.sizes))))

    @property
    def batch(self) -> int | None:
        """The traced axis that the batch is in."""
        for place, axes in enumerate(self.layout):
            if BATCH in axes:
                return place
        return None

    def axis(self, traced: int) -> int:
        """The axis of the value that a traced axis is. Raises `Refusal` if it is no single one."""
        axes = self.layout[traced]
        if len(axes) != 1 or axes[0] == BATCH:
            raise Refusal("this goes along the batch", "the language has no word for that")
        return axes[0]

    def place(self, dim: int) -> int:
        """A traced axis that may be counted from behind."""
        return dim + self.rank if dim < 0 else dim

    def size(self, traced: int) -> tuple[int, ...] | None:
        """The size of a traced axis in all runs; None where the batch is in it."""
        axes = self.layout[traced]
        if BATCH in axes:
            return None
        return tuple(prod(one) for one in zip(*(self.sizes[axis] for axis in axes), strict=True))

    def with_value(self, value: Value) -> Low:
        """The same of another value."""
        narrow = self.narrow and replace(self.narrow, value=value)
        return replace(self, value=value, narrow=narrow)

    def resized(self, value: Value, axis: int, sizes: tuple[int, ...]) -> Low:
        """The same with another size of one axis."""
        changed = (*self.sizes[:axis], sizes, *self.sizes[axis + 1 :])
        return replace(self, value=value, sizes=changed)


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter or buffer of the module."""

    key: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def owner(self) -> Path:
        """The path of the module that has it."""
        return tuple(self.key.split(".")[:-1])

    @property
    def name(self) -> str:
        return self.key.rpartition(".")[2]

    def is_of(self, other: Weight, name: str) -> bool:
        """Whether it lies beside another, under a name."""
        return self.owner == other.owner and self.name == name


class Absent:
    """Stands for a result that the language can't give, and that nothing may use."""


ABSENT = Absent()


def ungrouped(count: int, batch: int | None = 0) -> Layout:
    """The layout of a value with one traced axis for each of its axes, and one for the batch."""
    axes: list[tuple[int, ...]] = [(axis,) for axis in range(count)]
    if batch is not None:
        axes.insert(batch, (BATCH,))
    return tuple(axes)
