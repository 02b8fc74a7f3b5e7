"""Parts of a program as text of the language: labels, numbers, settings, layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping

from netdsl.importers.program import Axis, Call, Computed, Input, Path, Setting, Table, Value
from netdsl.ops import registry
from netdsl.ops.op_parameters import OpParameter, parameters
from netdsl.ops.params import Same
from netdsl.syntax.lexing import WORDS

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|0|[1-9][0-9]*")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
RESERVED = frozenset(word.lower() for word in WORDS if word not in ("NAME", "WEIGHT"))
"""Words of the language that no value can be called by."""
AXES = {
    1: ("channels",),
    2: ("channels", "length"),
    3: ("channels", "height", "width"),
    4: ("channels", "depth", "height", "width"),
}
"""What the axes of a value are called, by their number."""
TIGHT = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2}

Names = Callable[[Value], str]
"""What a value is called where a setting speaks of it."""


def label(path: Path, names: Container[str] = ()) -> str:
    """A label of these parts, in quotes where a part is no word: `features.0."block-1"`.

    One that is the name of a value stands in quotes as well, so that it names the layer only.
    """
    if len(path) == 1 and path[0] in names:
        return f'"{path[0]}"'
    return ".".join(part if WORD.fullmatch(part) else f'"{part}"' for part in path)


def is_name(path: Path) -> bool:
    """Whether a label of these parts can be written where a value is meant: `wte.weight`.

    One of a name and a number, too: `factors.0` is called `factors[0]`.
    """
    if len(path) == 2 and NUMBER.fullmatch(path[1]):
        path = path[:1]
    return all(NAME.fullmatch(part) and part not in RESERVED for part in path)


def called(path: Path) -> str:
    """What a weight with a label of these parts is called."""
    if len(path) == 2 and NUMBER.fullmatch(path[1]):
        return f"{path[0]}[{path[1]}]"
    return label(path)


def callable_from(path: Path) -> int:
    """Where the part of a path begins that a value can be called by: behind `0` or `net`."""
    return next(start for start in range(len(path) + 1) if is_name(path[start:]))


def number(value: float) -> str:
    """A number, the shortest that reads back as the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return int.__repr__(value) if isinstance(value, int) else repr(value)


def setting(value: Setting, names: Names, *, least: int = 0) -> str:
    """A setting; computed sizes in parentheses where they bind less tightly than `least`."""
    match value:
        case bool() | int() | float():
            return number(value)
        case str():
            return value
        case Value():
            return names(value)
        case Axis(of, axis):
            return axis_size(of, axis, names)
        case Computed(operator, operands) if operator in TIGHT:
            level = TIGHT[operator]
            left, right = operands
            text = (
                f"{setting(left, names, least=level)} {operator} "
                f"{setting(right, names, least=level + 1)}"
            )
            return f"({text})" if level < least else text
        case Computed(function, operands):
            return f"{function}({', '.join(setting(one, names) for one in operands)})"
        case tuple():
            texts = [setting(one, names) for one in value]
            are_plain = all(type(one) is int and one > 0 for one in value) and len(value) > 1
            return "x".join(texts) if are_plain else f"({', '.join(texts)})"
        case list():
            return f"[{', '.join(setting(one, names) for one in value)}]"


def axis_size(value: Value, axis: int, names: Names) -> str:
    """`x.height`, or `x.shape[2]` where nobody knows how many axes there are."""
    rank = len(value.shape) if value.shape is not None else value.rank
    words = AXES.get(rank or 0, ())
    if words:
        return f"{names(value)}.{words[axis]}"
    return f"{names(value)}.shape[{axis}]"


def layer(call: Call, names: Names) -> str:
    """A layer with its settings, without those that are as they are where nothing is written."""
    texts = arguments(call.layer, call.settings, names)
    return f"{call.layer}({', '.join(texts)})" if texts else call.layer


def arguments(name: str, settings: Mapping[str, Setting], names: Names) -> list[str]:
    """The arguments of a call of a layer: those it must have by place, then others by name."""
    texts: list[str] = []
    for one in parameters(registry()[name]):
        if one.name in settings and not is_default(one, settings):
            text = setting(settings[one.name], names)
            texts.append(text if one.required and not one.named else f"{one.name}={text}")
    return texts


def is_default(one: OpParameter, settings: Mapping[str, Setting]) -> bool:
    """Whether a parameter is given what it would be anyway."""
    if one.required:
        return False
    default = one.default
    if isinstance(default, Same):
        return settings[one.name] == settings.get(default.parameter)
    value = settings[one.name]
    return type(value) is type(default) and value == default


def declared_input(one: Input) -> str:
    """`input ids: int64 [T] where T >= 4`."""
    dtype = "" if one.value.dtype == "float32" else f"{one.value.dtype} "
    where = f" where {', '.join(one.where)}" if one.where else ""
    return f"input {one.name}: {dtype}[{', '.join(map(str, one.shape))}]{where}"


def declared_table(table: Table, text: str) -> str:
    """`weight scale: frozen [64, 1, 1] = 1`; `text` is its label."""
    kind = f"{table.kind} " if table.kind else ""
    dtype = "" if table.value.dtype == "float32" else f"{table.value.dtype} "
    fill = "" if table.fill == 0.0 and table.kind != "constant" else f" = {filled(table)}"
    return f"weight {text}: {kind}{dtype}[{', '.join(map(str, table.shape))}]{fill}"


def filled(table: Table) -> str:
    """What a table begins with."""
    if isinstance(table.fill, str):
        return table.fill
    if isinstance(table.fill, list):
        return f"[{', '.join(map(number, table.fill))}]"
    return number(table.fill)
