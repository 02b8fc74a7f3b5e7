"""Writes calls and tables down whose results have known shapes."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.diagnostics import Span
from netdsl.importers.program import Call, Path, Region, Setting, Table, Value

Shape = tuple[int, ...]


class Scribe:
    """What front ends of formats with fixed shapes write with; where it goes is theirs to say."""

    __slots__ = ()

    @property
    def origin(self) -> Span:
        """The place in the source that is being read."""
        raise NotImplementedError

    def add(self, item: Call | Table | Region) -> None:
        """Put down a part of the network."""
        raise NotImplementedError

    def call(
        self,
        layer: str,
        settings: dict[str, Setting],
        inputs: Sequence[Value],
        shape: Shape | None,
        path: Path = (),
    ) -> Value:
        """One call with one result of that shape."""
        return self.calls(layer, settings, inputs, [shape], path)[0]

    def calls(
        self,
        layer: str,
        settings: dict[str, Setting],
        inputs: Sequence[Value],
        shapes: Sequence[Shape | None],
        path: Path = (),
    ) -> list[Value]:
        """One call with several results."""
        outputs = [Value(shape=shape) for shape in shapes]
        self.add(Call(layer, settings, list(inputs), outputs, self.origin, path))
        return outputs

    def table(self, path: Path, shape: Shape, fill: float | str = 0.0) -> Value:
        """A weight that is no layer's own."""
        value = Value(shape=shape)
        self.add(Table(value, path, shape, self.origin, fill=fill))
        return value
