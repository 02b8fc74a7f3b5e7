"""Kinds of parameters: which values an op's field takes, and in what form it keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import isfinite
from typing import Any, TypeAlias

from netdsl.ir.decimals import decimal
from netdsl.ir.dim import Dim
from netdsl.ir.sequences import is_list, is_tuple

# What an expression evaluates to: int, float, bool, str, Dim (a symbolic number), tuple (a size
# with its parts), list; layers and tensors are the elaborator's and never reach an op, except
# that a tensor given for a size arrives as a `FromValue`.


class Mismatch(Exception):
    """A value is not of the kind; the text says why: `2.5 is not a whole number`."""


@dataclass(frozen=True, slots=True)
class FromValue:
    """Stands for another value: the node's input number `index`, or its size."""

    index: int


@dataclass(frozen=True, slots=True)
class Same:
    """Default of a parameter that is another parameter's value: `stride=kernel`."""

    parameter: str

    def __str__(self) -> str:
        return self.parameter


@dataclass(frozen=True, slots=True)
class Kind:
    """`name` is shown in messages and docs; `convert` gives the form kept or raises `Mismatch`.

    `words` are the bare option words it takes; `takes_value` lets a value of the network stand for
    it: with its size, or where `reads_value` is True with its data. `is_table`: it can be a table
    only, which has no batch axis.
    """

    name: str
    convert: Callable[[object], object]
    words: tuple[str, ...] = ()
    takes_value: bool = False
    reads_value: bool = False
    is_table: bool = False


REQUIRED = object()


def param(
    kind: Kind, doc: str, default: object = REQUIRED, *, named: bool = False,
    told: str | None = "", tries: Sequence[object] = (),
) -> Any:  # fmt: skip
    """A parameter of an op, as a dataclass field; without `default` it must be given.

    With `named` it is given by its name only. `told` is how pictures say it, `{}` standing for
    the value (`{} heads`): by its name if left out, not at all if None. `tries` are values for
    random tests, where the usual ones of its kind tell too little.
    """
    metadata = {"kind": kind, "doc": doc, "named": named, "told": told, "tries": tuple(tries)}
    if default is REQUIRED:
        return field(metadata=metadata)
    if is_list(default):
        items = tuple(default)
        return field(default_factory=lambda: items, metadata=metadata)
    return field(default=default, metadata=metadata)


def _whole(value: object) -> int:
    if isinstance(value, Dim):
        raise Mismatch(f"{value} depends on the size of the input, a known number is needed")
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        raise Mismatch(f"{show(value)} is not a whole number")
    if isinstance(value, float) and not value.is_integer():
        raise Mismatch(f"{value} is not a whole number")
    return int(value)


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Mismatch(f"{show(value)} is not a number")
    if not isfinite(value):
        raise Mismatch(f"{value} is not a finite number")
    return float(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise Mismatch(f"{show(value)} is neither true nor false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Mismatch(f"{show(value)} is not a string")
    return value


def _size(value: object) -> int | tuple[int, ...]:
    if is_tuple(value):
        return tuple(_whole(part) for part in value)
    return _whole(value)


def _symbolic(value: object) -> object:
    return value if isinstance(value, Dim) else _whole(value)


def _symbolic_size(value: object) -> object:
    if isinstance(value, FromValue):
        return value
    if is_tuple(value):
        return tuple(_symbolic(part) for part in value)
    return _symbolic(value)


def _value(value: object) -> FromValue:
    if not isinstance(value, FromValue):
        raise Mismatch(f"{show(value)} is no value of the network")
    return value


def _truth_or_value(value: object) -> object:
    return value if isinstance(value, FromValue) else _truth(value)


def _fraction(value: object) -> Fraction:
    """The exact decimal as written: 1.1 is 11/10, not the nearest binary number."""
    if isinstance(value, Fraction):
        return value
    return Fraction(repr(_real(value))) if isinstance(value, float) else Fraction(_whole(value))


Number: TypeAlias = "int | float | Dim"


def _number(value: object) -> Number:
    """A number as it is: whole, with a point, or an open size."""
    if isinstance(value, Dim):
        return value
    if isinstance(value, Fraction):
        value = int(value) if value.denominator == 1 else float(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else _real(value)


def _number_or_list(value: object) -> object:
    if not is_list(value):
        return _number(value)
    numbers = tuple(_number(item) for item in value)
    if any(isinstance(number, Dim) for number in numbers):
        raise Mismatch("a list holds known numbers, and one of these depends on the input's size")
    return numbers


def _scale(value: object) -> Fraction | tuple[Fraction, ...]:
    if is_tuple(value):
        return tuple(_fraction(part) for part in value)
    return _fraction(value)


def _list_of(convert: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    def convert_list(value: object) -> tuple[Any, ...]:
        if not is_list(value):
            raise Mismatch(f"{show(value)} is not a list")
        return tuple(convert(item) for item in value)

    return convert_list


INT = Kind("int", _whole)
FLOAT = Kind("float", _real)
BOOL = Kind("bool", _truth)
TEXT = Kind("string", _text)
SIZE = Kind("size", _size)
SCALE = Kind("scale", _scale)
NUMBER = Kind("number", _number)
NUMBERS = Kind("number | [number]", _number_or_list)
INTS = Kind("[int]", _list_of(_whole))
FLOATS = Kind("[float]", _list_of(_real))
SHAPE = Kind("shape", _list_of(_symbolic))
SYMBOLIC = Kind("int", _symbolic)
"""A whole number, or a size of the input."""
SYMBOLIC_SIZE = Kind("size", _symbolic_size)
SIZE_OR_VALUE = Kind("size or value", _symbolic_size, takes_value=True)
VALUE = Kind("value", _value, takes_value=True, reads_value=True)
TABLE = replace(VALUE, is_table=True)
BOOL_OR_TABLE = replace(TABLE, name="bool or value", convert=_truth_or_value)


def choice(*words: str) -> Kind:
    """One of some option words."""

    def convert(value: object) -> str:
        if value not in words:
            raise Mismatch(f"{show(value)} is none of {', '.join(words)}")
        return str(value)

    return Kind(" | ".join(words), convert, words)


def either(kind: Kind, *words: str) -> Kind:
    """An option word, or a value of another kind: `padding=same`, `padding=1`."""

    def convert(value: object) -> object:
        return value if isinstance(value, str) and value in words else kind.convert(value)

    return replace(
        kind,
        name=" | ".join((kind.name, *words)),
        convert=convert,
        words=(*kind.words, *words),
    )


def optional(kind: Kind) -> Kind:
    """A kind whose parameter may be left out, with None as its default."""

    def convert(value: object) -> object:
        return None if value is None else kind.convert(value)

    return replace(kind, convert=convert)


SHOWN_ITEMS = 8


def show(value: object, depth: int = 0) -> str:
    """A compile-time value as it would be written, long ones cut short."""
    if is_tuple(value):
        parts = tuple(map(_whole_part, value))
        if len(parts) > 1 and all(isinstance(p, int) and p > 0 for p in parts):
            return "x".join(map(str, parts))
        return _show_items(parts, depth)
    if is_list(value):
        return _show_items(value, depth)
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "none"
        case Fraction():
            return decimal(value)
        case str():
            return f'"{value}"' if len(value) <= 60 else f'"{value[:60]}..."'
        case _:
            return str(value)


def _whole_part(part: object) -> object:
    is_whole = isinstance(part, Fraction) and part.denominator == 1
    return int(part) if is_whole else part  # type: ignore[arg-type]


def _show_items(items: tuple[object, ...] | list[object], depth: int) -> str:
    opening, closing = "()" if isinstance(items, tuple) else "[]"
    if depth > 3:
        return f"{opening}...{closing}"
    shown = [show(item, depth + 1) for item in items[:SHOWN_ITEMS]]
    if len(items) > SHOWN_ITEMS:
        shown.append(f"... ({len(items)} items)")
    return f"{opening}{', '.join(shown)}{closing}"
