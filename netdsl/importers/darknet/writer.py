"""Where layers put their calls, and what flows between them: as a map, or as a vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from netdsl.diagnostics import Span
from netdsl.importers.darknet.cfg import WHOLE, Section, plain
from netdsl.importers.frontend import refused
from netdsl.importers.program import Call, Region, Setting, Table, Value
from netdsl.importers.scribe import Scribe, Shape


@dataclass(frozen=True, slots=True)
class Stored:
    """A weight as a `.weights` file has it; `turned` where that is the matrix of a dense layer."""

    key: str
    shape: Shape
    turned: str = ""


@dataclass(slots=True)
class Writer(Scribe):
    """The calls of a network in the order they run, and its weights in the order of their file."""

    root: Region
    stored: list[Stored] = field(default_factory=list[Stored])
    span: Span | None = None
    _open: list[Region] = field(default_factory=list[Region])

    @property
    def origin(self) -> Span:
        return self.span or self.root.origin

    def add(self, item: Call | Table | Region) -> None:
        (self._open[-1] if self._open else self.root).items.append(item)

    @contextmanager
    def region(self, section: Section, kind: str, inputs: Sequence[Value]) -> Iterator[Region]:
        """What one section makes, as one unit under the number of its layer; one call is none."""
        region = Region((str(section.number),), kind, section.span, inputs=list(inputs))
        for key, option in section.options.items():
            text = plain(option.value)
            name = "features" if key == "output" else key  # a word of the language
            region.settings[name] = int(text) if WHOLE.fullmatch(text) else option.value
        self._open.append(region)
        yield region
        self._open.pop()
        self.add(region if len(region.items) > 1 else cast(Call, region.items[0]))


class Flow:
    """What a layer gives: a map with one cell may be taken as a vector as well, and back.

    It is made in the form that is asked for first. `shape` is that of the map, or `(n,)` where
    Darknet has no map (behind a softmax).
    """

    def __init__(
        self,
        writer: Writer,
        section: Section,
        shape: Shape,
        *,
        map: Value | None = None,
        vector: Value | None = None,
        make: Callable[[bool], Value] | None = None,
        head: str = "",
    ) -> None:
        self.writer, self.section, self.shape, self.head = writer, section, shape, head
        self._map, self._vector, self._make = map, vector, make

    @property
    def count(self) -> int:
        """How many numbers flow."""
        total = 1
        for size in self.shape:
            total *= size
        return total

    def map(self, taker: Section) -> Value:
        """As a map, for a layer that takes one."""
        self.check(taker)
        if len(self.shape) != 3:
            raise refused(
                f"{taker.title} takes a map, and {self.section.title} gives a vector", taker.span
            )
        if self._map is None and self._vector is None and self._make is not None:
            self._map = self._make(True)
        if self._map is None:
            vector = self.vector(taker)
            settings: dict[str, Setting] = {"shape": list(self.shape)}
            self._map = self.writer.call("reshape", settings, [vector], self.shape)
        return self._map

    def vector(self, taker: Section | None = None) -> Value:
        """As a vector."""
        if taker is not None:
            self.check(taker)
        if self._map is None and self._vector is None and self._make is not None:
            self._vector = self._make(False)
        if self._vector is None:
            assert self._map is not None
            self._vector = self.writer.call("flatten", {}, [self._map], (self.count,))
        return self._vector

    def value(self) -> Value:
        """In the form that it is there in; a vector where it is in none."""
        return self._map or self.vector()

    def check(self, taker: Section) -> None:
        """Refuse to take what a head gives."""
        if self.head:
            raise refused(
                f"{taker.title} takes what {self.section.title} gives, and the network ends there: "
                "the language has no word for boxes and costs",
                taker.span,
            )
