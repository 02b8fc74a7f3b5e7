"""How a layer with its settings is written in a file."""

from __future__ import annotations

from collections.abc import Callable

from netdsl.ir.sequences import is_tuple
from netdsl.ops.base import Op, stated
from netdsl.ops.op_parameters import OpParameter
from netdsl.ops.params import NUMBERS, SHAPE, show


def written(op: Op, text: Callable[[object], str] = show) -> str:
    """An op as it is written, without what is so by default; `text` writes a value."""
    parts = [
        _setting(parameter, text(_listed(parameter, value))) for parameter, value in stated(op)
    ]
    name = op.name or op.keyword
    return f"{name}({', '.join(parts)})" if parts else name


def _setting(parameter: OpParameter, text: str) -> str:
    """What must be given stands by its place, and so does the number of `mul(0.1)`."""
    by_place = parameter.required or parameter.kind.name == NUMBERS.name
    return text if by_place and not parameter.named else f"{parameter.name}={text}"


def _listed(parameter: OpParameter, value: object) -> object:
    """A list as such: ops keep it as a tuple, which else is a size."""
    is_list = "[" in parameter.kind.name or parameter.kind.name == SHAPE.name
    return list(value) if is_list and is_tuple(value) else value
