"""What a run of a module leaves behind: the calls of modules, and of functions within them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from netdsl.importers.torch.sized import Expression

Line: TypeAlias = tuple[str, int]
"""A file and the number of a line in it."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A traced value, by its number in the order of making."""

    number: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A parameter or buffer of the module, by its key."""

    key: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that is neither traced nor stored: made outside `forward`."""

    tensor: Any


@dataclass(frozen=True, slots=True)
class Sized:
    """A number among the arguments that was computed from sizes."""

    number: int | float
    source: Expression


@dataclass(frozen=True, slots=True)
class Varies:
    """A number that differs between runs; `source` is None where nobody knows why."""

    numbers: tuple[Any, ...]
    source: Expression | None


@dataclass(frozen=True, slots=True)
class Modes:
    """An argument that is one thing in training and another in inference."""

    training: Any
    inference: Any


@dataclass(eq=False, slots=True)
class Op:
    """One call of a function of torch, or of a module that is taken as a whole.

    `module` is the module whose `forward` made the call, by its path.
    """

    name: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    results: Any
    line: Line
    module: str
    outputs: tuple[int, ...] = ()
    in_training_only: bool = False
    function: Any = None


@dataclass(eq=False, slots=True)
class Frame:
    """One call of a module."""

    path: str
    line: Line
    arguments: dict[str, Any]
    items: list[Op | Frame] = field(default_factory=list["Op | Frame"])
    results: Any = None
    number: int = 0

    def ops(self) -> Iterator[Op]:
        """All calls of functions in it and below, in the order they ran."""
        for one in self.items:
            if isinstance(one, Frame):
                yield from one.ops()
            else:
                yield one


@dataclass(eq=False, slots=True)
class Run:
    """One traced run; `shapes` and `dtypes` go by the numbers of values.

    `reads` are lines that look at numbers which follow from no input, but maybe from its size.
    `gradients` are functions of autograd, which have a backward pass of their own, where called.
    """

    frame: Frame
    inputs: dict[str, int]
    shapes: list[tuple[int, ...]] = field(default_factory=list[tuple[int, ...]])
    dtypes: list[str] = field(default_factory=list[str])
    comparisons: list[Any] = field(default_factory=list[Any])
    reads: list[Line] = field(default_factory=list[Line])
    gradients: dict[str, Line] = field(default_factory=dict[str, Line])


def mapped(thing: Any, change: Callable[[Any], Any]) -> Any:
    """A structure of arguments with its leaves changed."""
    if isinstance(thing, tuple):
        parts = [mapped(one, change) for one in cast("tuple[Any, ...]", thing)]
        return tuple(parts) if type(thing) is tuple else _as(thing, parts)
    if isinstance(thing, list):
        return [mapped(one, change) for one in cast("list[Any]", thing)]
    if isinstance(thing, dict):
        items = cast("dict[Any, Any]", thing).items()
        return {key: mapped(one, change) for key, one in items}
    if isinstance(thing, slice):
        ends = (mapped(one, change) for one in (thing.start, thing.stop, thing.step))
        return slice(*ends)
    return change(thing)


def _as(thing: Any, parts: list[Any]) -> Any:
    """Named tuples keep their names; other kinds of tuples become plain ones."""
    return type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)


def is_same(one: Any, other: Any) -> bool:
    """Whether two numbers or words are equal; NaN, which differs from itself, is."""
    return one == other or (one != one and other != other)


def leaves(thing: Any) -> list[Any]:
    """The leaves of a structure of arguments, in order."""
    parts: list[Any] = []
    mapped(thing, parts.append)
    return parts
