"""Where layers put their calls, which value each blob is, and which weights there are."""

from __future__ import annotations

from dataclasses import dataclass, field

from netdsl.diagnostics import Span
from netdsl.importers.caffe.names import RESERVED
from netdsl.importers.caffe.structure import Layer
from netdsl.importers.frontend import refused
from netdsl.importers.program import Call, Path, Region, Table, Value
from netdsl.importers.scribe import Scribe, Shape


@dataclass(frozen=True, slots=True)
class Stored:
    """A weight as a `.caffemodel` has it: the blob of a layer, of a shape, under a key.

    `divisor` is the blob that it is divided by; `is_turned` where it is stored the other way.
    """

    key: str
    layer: str
    blob: int
    shape: Shape
    divisor: int | None = None
    is_turned: bool = False


@dataclass(slots=True)
class Writer(Scribe):
    """The network so far; `values` are the blobs, in a map of the last value of each."""

    paths: dict[str, Path]
    items: list[tuple[str, Call | Table]] = field(default_factory=list[tuple[str, "Call | Table"]])
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    stored: list[Stored] = field(default_factory=list[Stored])
    owners: dict[str, Layer] = field(default_factory=dict[str, Layer])
    remarks: list[str] = field(default_factory=list[str])
    layer: Layer | None = None
    is_fixed: bool = False

    @property
    def origin(self) -> Span:
        assert self.layer is not None
        return self.layer.span

    def add(self, item: Call | Table | Region) -> None:
        assert self.layer is not None
        assert not isinstance(item, Region)  # its regions are found by names, behind
        self.items.append((self.layer.name, item))

    def table_of(self, layer: Layer, name: str, shape: Shape, fill: float) -> Value:
        """A weight that is no layer's own; the language calls it by its key."""
        parts = tuple(f"{part}_" if part in RESERVED else part for part in self.paths[layer.name])
        return self.table((*parts, name), shape, fill)

    def bottom(self, layer: Layer, number: int = 0) -> Value:
        """One of the values that a layer takes."""
        if number >= len(layer.bottoms):
            message = f"{layer.title} takes {number + 1} blobs, and has {len(layer.bottoms)}"
            raise refused(message, layer.span)
        name = layer.bottoms[number]
        if name not in self.values:
            raise refused(f"{layer.title} takes the blob `{name}`, which is not there", layer.span)
        return self.values[name]

    def only(self, layer: Layer) -> tuple[Value, Shape]:
        """The one value that a layer takes, and its shape."""
        if len(layer.bottoms) != 1 or len(layer.tops) != 1:
            counts = f"{len(layer.bottoms)} and {len(layer.tops)}"
            message = f"{layer.title} takes one blob and gives one, not {counts}"
            raise refused(message, layer.span)
        value = self.bottom(layer)
        return value, shape_of(value)

    def axis(self, layer: Layer, number: int, rank: int, name: str = "axis") -> int:
        """An axis without the batch, of one that counts the batch as 0."""
        axis = number + rank + 1 if number < 0 else number
        span = layer.span
        if axis == 0:
            message = f"{layer.title} works along the batch, and the language keeps samples apart"
            raise refused(message, span)
        if not 0 < axis <= rank:
            raise refused(f"{layer.title} has `{name}` {number}, and {rank + 1} axes", span)
        return axis - 1


def shape_of(value: Value) -> Shape:
    """The shape of a value without the batch."""
    assert value.shape is not None
    return value.shape
