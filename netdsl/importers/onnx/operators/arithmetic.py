"""Values that meet place by place: sums, products, comparisons, choices."""

from __future__ import annotations

from typing import cast

import numpy as np

from netdsl.importers.onnx.layouts import spelled, together, value_of
from netdsl.importers.onnx.load import decimal
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.biases import taken_as_bias, taken_into_norm
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.patterns import (
    halved_layer,
    normalised,
    product_layer,
    taken_into_layernorm,
)
from netdsl.importers.onnx.quantity import Quantity
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Data, Known, Thing, our_dtype
from netdsl.importers.program import Setting, Value

NARROW = ("int8", "uint8", "int16", "uint16")
MOST_CHANNELS = 4
"""Channels whose numbers are written out, a number each."""


def meeting(node: Node, to: Reader) -> tuple[list[Thing], Data | None]:
    """All inputs, in common axes, and the one whose axes these are."""
    things = [to.thing(node, n) for n in range(len(node.inputs))]
    if any(thing.dtype in NARROW for thing in things) and node.operator in ("Add", "Sub", "Mul"):
        node.refuse(
            f"{things[0].dtype} wraps around, and the language has int64", code="wrong-dtype"
        )
    if all(isinstance(thing, Known) for thing in things):  # numbers, and sizes that are open
        things = [one if _is_open(one) else to.table(node, cast(Known, one)) for one in things]
    aligned, first = together(to, node, things)
    return aligned, None if first is None else cast(Data, aligned[first])


def _is_open(thing: Thing) -> bool:
    return isinstance(thing, Known) and thing.array.dtype == object


def finish(node: Node, to: Reader, value: Value, base: Data | None, dtype: str = "") -> None:
    """Give the result of values that have met."""
    to.give_result(node, value, None if base is None else base.groups, dtype)


def number_of(node: Node, thing: Thing, against: Thing) -> Setting | None:
    """Numbers as they stand in parentheses: one, an open size, or a few channels; else None."""
    if not isinstance(thing, Known):
        return None
    if thing.rank > against.type.rank if not isinstance(against, Known) else False:
        return None
    if thing.count == 1:
        return _number(node, thing.array.reshape(-1)[0], against.dtype)
    rank = 0 if isinstance(against, Known) else against.type.rank
    is_channels = thing.rank == rank and all(size == 1 for size in thing.shape[1:])
    if not is_channels or thing.count > MOST_CHANNELS or thing.array.dtype == object:
        return None
    if thing.is_stored and "." in thing.name:
        return None
    if isinstance(against, Known) or against.type.shape[0] != thing.count:
        return None
    numbers = [_number(node, one, against.dtype) for one in thing.array.reshape(-1)]
    return None if any(one is None for one in numbers) else cast("list[Setting]", numbers)


def _number(node: Node, one: object, dtype: str) -> Setting | None:
    if isinstance(one, Quantity):
        if one.number is None or one.over != 1:
            node.refuse("a number that depends on the batch has no word")
        return cast(Setting, spelled(node, one))
    number = np.asarray(one)
    if number.dtype == bool:
        return None
    if our_dtype(dtype) == "float32":
        value = decimal(float(number))
        if not np.isfinite(value):
            return None
        return int(value) if value == int(value) and abs(value) < 2**24 else value
    return int(number)


# --- sums and products -----------------------------------------------------------------------


@reads("Add", "Mul", "Sum")
def commuting(node: Node, to: Reader) -> None:
    """The sum or product; numbers stand behind what flows."""
    if node.operator == "Add" and taken_as_bias(node, to):
        return
    if node.operator != "Sum" and (taken_into_norm(node, to) or taken_into_layernorm(node, to)):
        return
    things, base = meeting(node, to)
    if node.operator == "Mul":
        layer = product_layer(to, things)
        if layer is not None:
            finish(node, to, to.one(node, *layer), base)
            return
    word = "mul" if node.operator == "Mul" else "add"
    flowing = [n for n, thing in enumerate(things) if not isinstance(thing, Known)]
    if len(things) == 2 and len(flowing) == 1:
        number = number_of(node, things[1 - flowing[0]], things[flowing[0]])
        if number is not None:
            value = cast(Data, things[flowing[0]]).value
            halved = halved_layer(to, value, number) if word == "mul" else None
            if halved is not None:
                finish(node, to, to.one(node, "gelu", halved), base)
                return
            finish(node, to, to.one(node, word, value, number=number), base)
            return
    values = [value_of(to, node, thing) for thing in things]
    finish(node, to, to.one(node, word, values), base)


@reads("Sub", "Div", "Pow")
def ordered(node: Node, to: Reader) -> None:
    """The first value less, over, or to the power of the second."""
    things, base = meeting(node, to)
    x, y = things
    word = node.operator.lower()
    if word == "div" and our_dtype(x.dtype) != "float32":
        node.refuse("whole numbers are divided towards 0, which has no word", code="wrong-dtype")
    if word == "pow" and our_dtype(x.dtype) != our_dtype(y.dtype) and not isinstance(y, Known):
        node.refuse(f"{x.dtype} to the power of {y.dtype}", code="wrong-dtype")
    if word == "div" and isinstance(x, Data) and isinstance(y, Data):
        norm = normalised(to, x.value, y.value)
        if norm is not None:
            finish(node, to, to.call(node, "layernorm", [norm[0]], norm[1])[0], base)
            return
    number = number_of(node, y, x)
    if number is not None and not isinstance(x, Known):
        finish(node, to, to.one(node, word, x.value, number=number), base, x.dtype)
        return
    if isinstance(x, Known) and word != "pow" and not isinstance(y, Known):
        first = number_of(node, x, y)
        if first is not None and not isinstance(first, list):
            finish(node, to, _turned_round(node, to, word, first, y.value), base)
            return
    values = [value_of(to, node, thing) for thing in things]
    finish(node, to, to.one(node, word, values), base)


def _turned_round(node: Node, to: Reader, word: str, number: Setting, value: Value) -> Value:
    """A number less a value, or over it."""
    if word == "sub":
        value = to.one(node, "mul", value, number=-1)
        return value if number == 0 else to.one(node, "add", value, number=number)
    value = to.one(node, "reciprocal", value)
    return value if number == 1 else to.one(node, "mul", value, number=number)


@reads("Min", "Max", "Mean")
def several(node: Node, to: Reader) -> None:
    """The least, the largest, the mean of values."""
    if len(node.inputs) == 1:
        to.give(node, to.thing(node, 0))
        return
    things, base = meeting(node, to)
    word = node.operator.lower()
    flowing = [n for n, thing in enumerate(things) if not isinstance(thing, Known)]
    if word != "mean" and len(things) == 2 and len(flowing) == 1:
        number = number_of(node, things[1 - flowing[0]], things[flowing[0]])
        if number is not None and not isinstance(number, list):
            bound: dict[str, Setting] = {"low" if word == "max" else "high": number}
            x = cast(Data, things[flowing[0]]).value
            value = to.call(node, "clamp", [x], bound)[0]
            finish(node, to, value, base)
            return
    finish(node, to, to.one(node, word, [value_of(to, node, t) for t in things]), base)


# --- comparisons and choices -----------------------------------------------------------------


@reads("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual")
def comparison(node: Node, to: Reader) -> None:
    """Where one value is less than, equal to, greater than another."""
    things, base = meeting(node, to)
    x, y = things
    turns = {"LessOrEqual": "Greater", "GreaterOrEqual": "Less"}
    word = turns.get(node.operator, node.operator).lower()
    if isinstance(x, Known) and not isinstance(y, Known):
        word = {"less": "greater", "greater": "less"}.get(word, word)
        x, y = y, x
    number = number_of(node, y, x)
    if number is not None and not isinstance(x, Known):
        value = to.one(node, word, x.value, number=number)
    else:
        value = to.one(node, word, [value_of(to, node, x), value_of(to, node, y)])
    if node.operator in turns:
        value = to.one(node, "equal", value, number=0)
    finish(node, to, value, base, "bool")


@reads("Not")
def negation(node: Node, to: Reader) -> None:
    """Where something is false."""
    _logic(node, to, "equal", number=0)


@reads("And")
def conjunction(node: Node, to: Reader) -> None:
    """Where both are true."""
    _logic(node, to, "min")


@reads("Or")
def disjunction(node: Node, to: Reader) -> None:
    """Where one is true."""
    _logic(node, to, "max")


def _logic(node: Node, to: Reader, word: str, **settings: Setting) -> None:
    things, base = meeting(node, to)
    values = [value_of(to, node, thing) for thing in things]
    finish(node, to, to.call(node, word, values, settings)[0], base, "bool")


@reads("Where")
def choice(node: Node, to: Reader) -> None:
    """One value where something is true, another one elsewhere."""
    things, base = meeting(node, to)
    where, x, y = things
    dtype = x.dtype
    number = None if isinstance(x, Known) else number_of(node, y, x)
    if number is not None and not isinstance(number, list) and not isinstance(where, Known):
        value = to.one(node, "where", [where.value, cast(Data, x).value], number=_as(number, dtype))
        finish(node, to, value, base, dtype)
        return
    number = None if isinstance(y, Known) else number_of(node, x, y)
    if number is not None and not isinstance(number, list) and not isinstance(where, Known):
        other = to.one(node, "equal", where.value, number=0)
        value = to.one(node, "where", [other, cast(Data, y).value], number=_as(number, dtype))
        finish(node, to, value, base, dtype)
        return
    values = [value_of(to, node, thing) for thing in things]
    finish(node, to, to.one(node, "where", values), base, dtype)


def _as(number: Setting, dtype: str) -> Setting:
    is_float = our_dtype(dtype) == "float32"
    return float(number) if is_float and isinstance(number, int) else number
