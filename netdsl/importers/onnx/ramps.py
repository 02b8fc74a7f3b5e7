"""Rows of numbers 0, 1, 2, ... as long as an open size: positions, and places in a map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.quantity import BATCH, Plain, Quantity, compared
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Known, Odd, Ramp, Share

DTYPES = {1: "float32", 6: "int32", 7: "int64", 11: "float64"}
"""Element types by ONNX's numbers."""


def odd_result(node: Node, to: Reader) -> Odd | None:
    """What a node makes of such a row, or to begin one; None where it is none of both."""
    rule = RULES.get(node.operator)
    return rule(node, to) if rule is not None and not node.domain else None


def _one(node: Node, to: Reader, index: int) -> object:
    """An input as it is, rows among them."""
    name = node.inputs[index] if index < len(node.inputs) else ""
    return to.odd.get(name) or to.things.get(name)


def _number(thing: object) -> Plain | None:
    """The one number of a constant."""
    if not isinstance(thing, Known) or thing.count != 1:
        return None
    return cast(Plain, thing.array.reshape(-1).tolist()[0])


def _range(node: Node, to: Reader) -> Odd | None:
    start, limit, step = (_number(_one(node, to, n)) for n in range(3))
    if not isinstance(limit, Quantity) or limit.over != 1 or start != 0 or step != 1:
        return None
    if isinstance(start, Quantity) or isinstance(step, Quantity) or limit.dim == BATCH:
        return None
    first = cast(Known, _one(node, to, 0))
    return Ramp(limit, first.dtype)


def _quotient(node: Node, to: Reader) -> Odd | None:
    things = [_one(node, to, n) for n in range(2)]
    part, whole = (_number(thing) for thing in things)
    if part is None or not isinstance(whole, Quantity) or whole.over != 1:
        return None
    if not cast(Known, things[1]).dtype.startswith("float"):
        return None
    return Share(part, whole)


def _product(node: Node, to: Reader) -> Odd | None:
    pair = [_one(node, to, n) for n in range(2)]
    for one, other in (pair, pair[::-1]):
        if isinstance(one, Ramp) and isinstance(other, Share) and one.share is None:
            return replace(one, share=other)
    return None


def _floor(node: Node, to: Reader) -> Odd | None:
    one = _one(node, to, 0)
    return replace(one, is_floor=True) if isinstance(one, Ramp) and one.share else None


def _cast(node: Node, to: Reader) -> Odd | None:
    one = _one(node, to, 0)
    if not isinstance(one, Ramp):
        return None
    other = _one(node, to, 1)
    dtype = (
        DTYPES.get(node.int("to"), "") if node.operator == "Cast" else getattr(other, "dtype", "")
    )
    if dtype.startswith("int") and one.share is not None:
        one = replace(one, is_floor=True)
    return replace(one, dtype=dtype) if dtype else None


def _capped(node: Node, to: Reader) -> Odd | None:
    """The least of places and the last one, which changes nothing but what rounding may do."""
    one, last = _one(node, to, 0), _number(_one(node, to, 1))
    if not isinstance(one, Ramp) or one.share is None or last is None:
        return None
    return one if compared("==", last + 1, one.share.part) else None


def _in_front(node: Node, to: Reader) -> Odd | None:
    """More axes of size 1 before it, or the same ones."""
    one = _one(node, to, 0)
    if not isinstance(one, Ramp):
        return None
    if node.operator == "Unsqueeze":
        axes = node.ints("axes") if node.opset < 13 else to.ints_of(node, 1)
        if len(axes) != 1 or abs(axes[0]) > 8:
            return None
        rank = one.front + one.behind + 2
        if axes[0] % rank <= one.front:
            return replace(one, front=one.front + 1)
        return replace(one, behind=one.behind + 1)
    if one.behind:
        return None
    sizes = to.numbers_of(node, 1)
    if node.operator == "Reshape" and len(sizes) > 0 and _is_end(sizes[-1], one):
        node.int("allowzero", 0)
        is_flat = all(not isinstance(size, Quantity) and size == 1 for size in sizes[:-1])
        return replace(one, front=len(sizes) - 1) if is_flat else None
    if node.operator == "Expand" and len(sizes) <= one.front + 1 and _is_end(sizes[-1], one):
        is_one = all(_is_one(size, to) for size in sizes[:-1])
        return one if is_one else None
    return None


def _is_end(size: Plain, ramp: Ramp) -> bool:
    if isinstance(size, Quantity):
        return size.over == 1 and size.dim == ramp.size.dim
    return size == -1


def _is_one(size: Plain, to: Reader) -> bool:
    if isinstance(size, Quantity):
        return size.dim == BATCH and size.over == 1
    return size == 1


def _alone(node: Node, to: Reader) -> Odd | None:
    one = _one(node, to, 0)
    if len(node.inputs) != 1 or not isinstance(one, Ramp):
        return None
    node.has("axis")
    return one


RULES: dict[str, Callable[[Node, Reader], Odd | None]] = {
    "Range": _range, "Div": _quotient, "Mul": _product, "Floor": _floor, "Cast": _cast,
    "CastLike": _cast, "Min": _capped, "Unsqueeze": _in_front, "Reshape": _in_front,
    "Expand": _in_front, "Concat": _alone, "Identity": _alone,
}  # fmt: skip
