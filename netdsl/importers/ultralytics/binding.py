"""The arguments of a row, by place, for the parameters of what builds its module."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from netdsl.importers.frontend import refused
from netdsl.importers.ultralytics.rows import Model, Row

Build = Callable[..., Any]
WORDS = {"None": None, "True": True, "False": False}
LEAST, MOST = -1, 1_000_000


def values(model: Model, row: Row) -> list[object]:
    """The arguments as Python has them: words of the file stand for what it says of them."""
    known = {**WORDS, "nc": model.classes, "kpt_shape": model.points}
    result: list[object] = []
    for item in row.arguments:
        value = item.plain()
        result.append(known.get(value, value) if isinstance(value, str) else value)
    return result


@cache
def parameters(build: Build) -> tuple[inspect.Parameter, ...]:
    """What a module is told behind the network, its path and what flows in."""
    formals = tuple(inspect.signature(build).parameters.values())[3:]
    return tuple(one for one in formals if one.kind is one.POSITIONAL_OR_KEYWORD)


def bound(row: Row, build: Build, arguments: list[object], first: int = 0) -> list[Any]:
    """The arguments in the kinds that the module takes.

    `first` is the number of arguments before those of the row.
    """
    formals = parameters(build)
    if len(arguments) > len(formals):
        most = len(formals) - first
        message = f"{row.module} takes at most {most} arguments, not {len(arguments) - first}"
        raise refused(message, row.span)
    least = sum(one.default is inspect.Parameter.empty for one in formals)
    if len(arguments) < least:
        name = formals[len(arguments)].name
        raise refused(f"{row.module} needs one argument more, `{name}`", row.span)
    pairs = zip(arguments, formals, strict=False)
    return [_converted(row, value, one, place) for place, (value, one) in enumerate(pairs)]


def _converted(row: Row, value: object, one: inspect.Parameter, place: int) -> Any:
    kinds = str(one.annotation).split(" | ")
    for kind in kinds:
        read = _READERS.get(kind)
        if read is not None and (answer := read(value)) is not None:
            return answer[0]
    words = " or ".join(WORDS_OF[kind] for kind in kinds if kind in WORDS_OF)
    text = str(value)[:40]
    raise refused(f"{row.module} takes {words} for `{one.name}`, not `{text}`", row.span)


def _whole(value: object) -> tuple[int] | None:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return (value,) if is_int and LEAST <= value <= MOST else None  # type: ignore[operator]


def _real(value: object) -> tuple[float] | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return (float(cast(float, value)),) if is_number and 0 < cast(float, value) <= 1000 else None


def _truth(value: object) -> tuple[bool] | None:
    return (value,) if isinstance(value, bool) else None


def _size(value: object) -> tuple[int | tuple[int, int]] | None:
    if isinstance(value, list) and len(cast("list[object]", value)) == 2 and _wholes(value):
        high, wide = cast("list[int]", value)
        return ((high, wide),)
    return _whole(value)


def _wholes(value: object) -> tuple[list[int]] | None:
    if not isinstance(value, list) or not 1 <= len(cast("list[object]", value)) <= 64:
        return None
    items = cast("list[object]", value)
    return (cast("list[int]", items),) if all(_whole(one) is not None for one in items) else None


def _text(value: object) -> tuple[str] | None:
    return (value,) if isinstance(value, str) else None


def _nothing(value: object) -> tuple[None] | None:
    return (None,) if value is None else None


_READERS: dict[str, Callable[[object], tuple[Any] | None]] = {
    "int": _whole,
    "float": _real,
    "bool": _truth,
    "Size": _size,
    "list[int]": _wholes,
    "str": _text,
    "None": _nothing,
}
WORDS_OF = {
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "Size": "a whole number or two",
    "list[int]": "a list of whole numbers",
    "str": "a word",
    "None": "None",
}
