"""A network of Keras in the making: which axis lies where, and where weights come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from netdsl.importers.draft import Draft
from netdsl.importers.frontend import refused
from netdsl.importers.keras.settings import Settings
from netdsl.importers.keras.structure import Layer
from netdsl.importers.program import Path, Value
from netdsl.ir.dim import Size

if TYPE_CHECKING:
    import numpy

Convert = Callable[["Sequence[numpy.ndarray]"], "numpy.ndarray"]
"""Our weight from the variables of a layer."""


@dataclass(frozen=True, slots=True)
class Held:
    """A value, and its axes: axis i here is axis `order[i]` in Keras, the batch left out."""

    value: Value
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Weight:
    """Where a weight comes from: a layer by its names, a part of it, and how it is turned."""

    owner: tuple[str, ...]
    part: tuple[str, ...]
    convert: Convert


@dataclass(eq=False, slots=True)
class KerasNet(Draft):
    """Calls, with the axes of each value. `is_first` models have their channels first."""

    is_first: bool = False
    weights: dict[str, Weight] = field(default_factory=dict[str, Weight])
    remarks: dict[str, None] = field(default_factory=dict[str, None])
    tables: dict[Path, Value] = field(default_factory=dict[Path, Value])
    owner: tuple[str, ...] = ()
    """The models around the layer that is read, by their names."""

    # --- axes

    def channels_first(self, rank: int) -> tuple[int, ...]:
        """The order of a map with its channels in front."""
        return tuple(range(rank)) if self.is_first else (rank - 1, *range(rank - 1))

    def usual(self, rank: int) -> tuple[int, ...]:
        """The order that values have outside: channels in front from three axes on."""
        return self.channels_first(rank) if rank >= 3 else tuple(range(rank))

    def ordered(self, held: Held, order: Sequence[int]) -> Value:
        """A value with its axes in some order."""
        axes = [held.order.index(axis) for axis in order]
        if axes == list(range(len(axes))):
            return held.value
        return self.call("permute", held.value, axes=axes)

    def as_map(self, held: Held) -> Value:
        """With the channels in front."""
        return self.ordered(held, self.channels_first(len(held.order)))

    def as_is(self, held: Held) -> Value:
        """With the axes as Keras has them."""
        return self.ordered(held, range(len(held.order)))

    def a_map(self, value: Value) -> Held:
        """What has its channels in front."""
        return Held(value, self.channels_first(len(self.shape(value))))

    def plain(self, value: Value) -> Held:
        """What has its axes as in Keras."""
        return Held(value, tuple(range(len(self.shape(value)))))

    def sizes(self, held: Held) -> list[Size]:
        """The shape that Keras has, the batch left out."""
        shape = self.shape(held.value)
        return [shape[held.order.index(axis)] for axis in range(len(shape))]

    def spatial(self, held: Held, at_least: int = 1) -> int:
        """How many axes a map has behind its channels."""
        rank = len(held.order) - 1
        if not at_least <= rank <= 3:
            self.fail(f"a map of {rank} axes and channels comes in, and 1 to 3 are read")
        return rank

    def axis(self, held: Held, axis: int) -> int | str:
        """Where an axis of Keras lies; the first is said in a word."""
        return held.order.index(axis) or "channels"

    # --- weights

    def keep(self, path: Path, convert: Convert, *, part: tuple[str, ...] = ()) -> None:
        """Say where the weight of this path, relative to the region, comes from."""
        key = ".".join((*self.region.path, *path))
        self.weights[key] = Weight(self.owner, part, convert)

    def own_table(
        self, path: Path, shape: tuple[int, ...], fill: float, convert: Convert, kind: str = ""
    ) -> Value:
        """A weight that is no layer's own, once for all calls of its layer."""
        whole = (*self.region.path, *path)
        if whole not in self.tables:
            self.tables[whole] = self.table(path, shape, fill, kind)
            self.keep(path, convert)
        return self.tables[whole]

    def remark(self, text: str) -> None:
        self.remarks[text] = None

    def fail(self, message: str, *, help: str = "") -> NoReturn:
        raise refused(message, self.origin, help=help)


@dataclass(slots=True)
class Use:
    """A call of a layer: its settings, what flows in, its other arguments, and its path."""

    net: KerasNet
    layer: Layer
    settings: Settings
    inputs: list[Held]
    args: list[Any]
    kwargs: dict[str, Any]
    path: Path

    @property
    def x(self) -> Held:
        """The only value that flows in."""
        if len(self.inputs) != 1:
            count = len(self.inputs)
            self.settings.fail(f"it takes one value, and {count} come{'s' * (count == 1)} in")
        return self.inputs[0]


Reader = Callable[[Use], "Held | list[Held]"]
