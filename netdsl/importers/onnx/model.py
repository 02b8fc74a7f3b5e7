"""An ONNX model as plain data: nodes with attributes that know whether they were read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, NoReturn

from netdsl.diagnostics import Source, Span
from netdsl.importers.frontend import refused

if TYPE_CHECKING:
    import numpy

Sizes = tuple["int | str | None", ...]
"""A shape as the file states it: numbers, names of open sizes, None for what has no name."""


@dataclass(frozen=True, slots=True)
class Weight:
    """Numbers of the file, read when they are asked for."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], numpy.ndarray]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of the graph; `shape` is None where the file states none."""

    name: str
    dtype: str
    shape: Sizes | None
    origin: Span


@dataclass(eq=False, slots=True)
class Node:
    """An operator of the graph: its attributes by name, and where it stands in the listing."""

    operator: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, object]
    metadata: Mapping[str, str]
    origin: Span
    opset: int
    asked: set[str] = field(default_factory=set[str])

    @property
    def title(self) -> str:
        """What messages call it: `Conv "/conv1/Conv"`."""
        return f'`{self.operator}` "{shown(self.name)}"' if self.name else f"`{self.operator}`"

    def refuse(self, message: str, *, code: str = "not-importable", help: str = "") -> NoReturn:
        """End the import here."""
        raise refused(f"{self.title}: {message}", self.origin, code=code, help=help)

    def has(self, name: str) -> bool:
        """Whether an attribute is given; counts as reading it."""
        self.asked.add(name)
        return name in self.attributes

    def int(self, name: str, default: int | None = None) -> int:
        """An attribute that is a whole number."""
        value = self._given(name, default)
        if type(value) is not int:
            self.refuse(f"`{name}` is a whole number, not {brief(value)}")
        return value

    def float(self, name: str, default: float | None = None) -> float:
        """An attribute that is a number."""
        value = self._given(name, default)
        if not isinstance(value, int | float) or not isfinite(value):
            self.refuse(f"`{name}` is a finite number, not {brief(value)}")
        return float(value)

    def text(self, name: str, default: str | None = None) -> str:
        """An attribute that is a word."""
        value = self._given(name, default)
        if not isinstance(value, str):
            self.refuse(f"`{name}` is a text, not {brief(value)}")
        return value

    def ints(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """An attribute that is a list of whole numbers."""
        value = self._given(name, default)
        if not isinstance(value, tuple | list) or any(type(one) is not int for one in value):
            self.refuse(f"`{name}` is a list of whole numbers, not {brief(value)}")
        return tuple(value)

    def word(self, name: str, default: str, words: Iterable[str]) -> str:
        """An attribute that is one of these words."""
        value = self.text(name, default)
        if value not in words:
            known = ", ".join(one or '""' for one in words)
            self.refuse(f"`{name}` is {brief(value)}, and only {known} can be read")
        return value

    def only(self, name: str, value: object, why: str = "") -> None:
        """Refuse an attribute that is given another value than this one."""
        self.asked.add(name)
        other = self.attributes.get(name, value)
        if other != value:
            wanted = brief(value) if value not in ("", ()) else "its default"
            self.refuse(why or f"`{name}={brief(other)}` has no counterpart, only {wanted} has")

    def _given(self, name: str, default: object) -> object:
        self.asked.add(name)
        value = self.attributes.get(name, default)
        if value is None:
            self.refuse(f"the attribute `{name}` is missing")
        return value

    def check_all_read(self) -> None:
        """Refuse attributes that nobody has asked for."""
        unknown = sorted(self.attributes.keys() - self.asked)
        if unknown:
            self.refuse(
                f"the attribute `{shown(unknown[0])}` is unknown for opset {self.opset}",
                help="it could change what is computed, so the file is not read without it",
            )


@dataclass(frozen=True, slots=True)
class Model:
    """A graph: what flows in and out, its numbers, its nodes in the order they run."""

    name: str
    opset: int
    producer: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    weights: Mapping[str, Weight]
    nodes: tuple[Node, ...]
    source: Source
    origin: Span


def text_of(text: str | bytes) -> str:
    """A text of the file, which may be no UTF-8."""
    return text if isinstance(text, str) else text.decode("utf-8", "replace")


def shown(text: str | bytes, most: int = 60) -> str:
    """A name of the file on one line, cut short, with nothing that a terminal would obey."""
    text = text_of(text)
    plain = "".join(c if c.isprintable() else "?" for c in text[: most + 1])
    return plain if len(text) <= most else plain[:most] + "..."


def brief(value: object) -> str:
    """A value of the file in a few characters."""
    return shown(repr(value), 40)
