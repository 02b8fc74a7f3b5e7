"""A network as its source has it: regions, calls of layers, and the values between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from netdsl.diagnostics import Span

Path: TypeAlias = tuple[str, ...]
"""The names from the network down to a module or layer: `("features", "0", "conv")`."""


@dataclass(eq=False, slots=True, repr=False)
class Value:
    """A tensor that flows, or a table; each is itself, whatever it is called.

    `name` is a name that the source has for it and that is worth keeping. `shape` is without the
    batch axis, at the sizes that the source was read at; None where nobody knows. `rank` is the
    number of its axes where that alone is known.
    """

    name: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str = "float32"
    rank: int | None = None

    def __repr__(self) -> str:
        return f"<Value {self.name or 'unnamed'} {self.shape}>"


@dataclass(frozen=True, slots=True)
class Axis:
    """The size of one axis of a value, the batch excluded."""

    value: Value
    axis: int


@dataclass(frozen=True, slots=True)
class Computed:
    """Arithmetic on sizes: `+ - * / // %` of two, or a function of the language (`min`, `ceil`)."""

    operator: str
    operands: tuple[Number, ...]


Number: TypeAlias = int | float | Axis | Computed
Setting: TypeAlias = (
    "int | float | bool | str | Value | Axis | Computed | tuple[Number, ...] | list[Setting]"
)
"""What a parameter of a layer is given: a number, an option word, a value (`size=`, `mask=`,
`weight=`), a size (a tuple) or a list; sizes may be computed from those of values."""


@dataclass(eq=False, slots=True)
class Call:
    """One call of a layer of the language.

    `settings` go by the names of the layer's parameters; those left out have their defaults.
    `path` is where its weights lie, or a name that the source has for it; calls of one path with
    weights share them. `origin` is its place in the source.
    """

    layer: str
    settings: dict[str, Setting]
    inputs: list[Value]
    outputs: list[Value]
    origin: Span
    path: Path = ()

    @property
    def output(self) -> Value:
        """The only result."""
        (value,) = self.outputs
        return value

    def sized_by(self) -> Iterator[Value]:
        """The values that its settings speak of."""
        return values_in(list(self.settings.values()))


@dataclass(eq=False, slots=True)
class Table:
    """A weight that is no layer's own: its key is its path. `kind` is empty for a learned one."""

    value: Value
    path: Path
    shape: tuple[int, ...]
    origin: Span
    kind: str = ""
    fill: float | list[float] | str = 0.0


@dataclass(eq=False, slots=True)
class Region:
    """What the source holds together: the network, a module, a scope of names.

    `kind` is its class: regions of one kind may become one block, and those of none (`""`) are
    parts of what is around. `settings` are what its constructor was given, as names for what
    varies. `is_sequence` is True where its items are numbered by their places.
    """

    path: Path
    kind: str
    origin: Span
    items: list[Item] = field(default_factory=list["Item"])
    inputs: list[Value] = field(default_factory=list[Value])
    outputs: list[Value] = field(default_factory=list[Value])
    input_names: list[str] = field(default_factory=list[str])
    settings: dict[str, object] = field(default_factory=dict[str, object])
    is_sequence: bool = False
    doc: str = ""

    def calls(self) -> Iterator[Call]:
        """All calls in it and below, in the order they run."""
        for item in self.items:
            if isinstance(item, Call):
                yield item
            elif isinstance(item, Region):
                yield from item.calls()

    def tables(self) -> Iterator[Table]:
        """All tables in it and below."""
        for item in self.items:
            if isinstance(item, Table):
                yield item
            elif isinstance(item, Region):
                yield from item.tables()


Item: TypeAlias = Call | Region | Table


@dataclass(eq=False, slots=True)
class Input:
    """An input; `shape` is without the batch axis, a name for each size that is open."""

    name: str
    value: Value
    shape: tuple[int | str, ...]
    origin: Span
    where: list[str] = field(default_factory=list[str])


@dataclass(eq=False, slots=True)
class Output:
    """An output, in training mode only where `when_training`."""

    name: str
    value: Value
    origin: Span
    when_training: bool = False


@dataclass(eq=False, slots=True)
class Program:
    """A network as its source has it.

    `classes` is the number of classes where the net takes it as a parameter, else 0.
    """

    name: str
    root: Region
    inputs: list[Input]
    outputs: list[Output]
    doc: str = ""
    classes: int = 0

    def uses(self) -> dict[Value, int]:
        """How often each value is taken: by calls, for its size, as an output."""
        count: dict[Value, int] = {}
        for call in self.root.calls():
            for value in (*call.inputs, *call.sized_by()):
                count[value] = count.get(value, 0) + 1
        for output in self.outputs:
            count[output.value] = count.get(output.value, 0) + 1
        return count


def values_in(setting: object) -> Iterator[Value]:
    """The values that a setting speaks of."""
    for one in _parts(setting):
        if isinstance(one, Value):
            yield one
        elif isinstance(one, Axis):
            yield one.value


def numbers_in(setting: object) -> Iterator[int | float]:
    """The numbers that stand in a setting."""
    return (one for one in _parts(setting) if isinstance(one, int | float))


def _parts(setting: object) -> Iterator[object]:
    """A setting without its lists, tuples and arithmetic."""
    stack: list[object] = [setting]
    while stack:
        one = stack.pop()
        if isinstance(one, Computed):
            stack += reversed(one.operands)
        elif isinstance(one, tuple | list):
            parts: Sequence[object] = one
            stack += reversed(parts)
        else:
            yield one
