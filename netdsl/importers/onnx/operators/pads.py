"""Cells added around maps and other values."""

from __future__ import annotations

from typing import cast

from netdsl.importers.onnx.layouts import reshaped, spelled
from netdsl.importers.onnx.load import decimal
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.quantity import Plain, Quantity
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import B, Data, Known
from netdsl.importers.program import Setting, Value

SIDES = {
    1: (("left", "right"),),
    2: (("top", "bottom"), ("left", "right")),
    3: (("front", "back"), ("top", "bottom"), ("left", "right")),
}
MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
Parts = tuple[Plain, ...]


def pad_in_front(
    node: Node, to: Reader, value: Value, before: Parts, after: Parts, fill: float = 0.0,
    mode: str = "constant",
) -> Value:  # fmt: skip
    """A map with more cells on some sides, channels not counted."""
    settings: dict[str, Setting] = {}
    if before == after:
        parts = tuple(spelled(node, n) for n in before)
        settings["amount"] = parts[0] if len(set(parts)) == 1 else parts
    else:
        for (first, last), p, q in zip(SIDES[len(before)], before, after, strict=True):
            sides = (first, p), (last, q)
            settings |= {name: cast(Setting, spelled(node, n)) for name, n in sides if n != 0}
    if mode != "constant":
        settings["mode"] = mode
    elif fill:
        settings["value"] = fill
    return to.call(node, "pad", [value], settings)[0]


@reads("Pad")
def pad(node: Node, to: Reader) -> None:
    """Amounts by axis: attributes up to opset 10, inputs from 11 on."""
    x = to.thing(node, 0)
    if not isinstance(x, Data):
        node.refuse("a table is padded, which has no word")
    modes = tuple(MODES)[: 4 if node.opset >= 19 else 3]
    mode = MODES[node.word("mode", "constant", modes)]
    fill = _fill(node, to)
    before, after = _amounts(node, to, x)
    cut_before, cut_after = ([_below(n) for n in row] for row in (before, after))
    value = x.value
    for axis, (first, last) in enumerate(zip(cut_before, cut_after, strict=True)):
        if first or last:
            stop: Setting = last if last else "end"
            value = to.one(node, "slice", value, axis=axis, start=-first, stop=stop)
    before, after = (tuple(n if _below(n) == 0 else 0 for n in row) for row in (before, after))
    if any(n != 0 for n in (*before, *after)):
        value = _padded(node, to, value, before, after, fill, mode)
    to.give_result(node, value, x.groups)


def _is_far(amount: Plain) -> bool:
    """Whether an amount is beyond what anybody means."""
    return not isinstance(amount, Quantity) and abs(amount) > 2**20


def _below(amount: Plain) -> int:
    """What is cut off; a size counts as none, and `pad` requires that it is none."""
    return 0 if isinstance(amount, Quantity) else min(0, int(amount))


def _fill(node: Node, to: Reader) -> float:
    if node.opset < 11:
        return node.float("value", 0.0)
    one = to.optional(node, 2)
    if one is None:
        return 0.0
    if not isinstance(one, Known) or one.count != 1 or one.array.dtype == object:
        node.refuse("what it pads with is not one known number")
    number = decimal(float(one.array.reshape(-1)[0]))
    if number != number:
        node.refuse("it pads with nan", code="number-range")
    return max(-3.4028234663852886e38, min(3.4028234663852886e38, number))


def _amounts(node: Node, to: Reader, x: Data) -> tuple[Parts, Parts]:
    """Cells before and after each of our axes."""
    amounts = node.ints("pads") if node.opset < 11 else tuple(to.numbers_of(node, 1))
    axes = to.ints_of(node, 3) if to.optional(node, 3) is not None else range(x.rank)
    axes = [axis % x.rank for axis in axes] if x.rank else []
    if len(amounts) != 2 * len(axes) or any(_is_far(n) for n in amounts):
        node.refuse(f"{list(amounts)[:10]} are no amounts for {len(axes)} axes")
    rows: list[list[Plain]] = [[0] * x.type.rank, [0] * x.type.rank]
    for n, axis in enumerate(axes):
        pair = amounts[n], amounts[len(axes) + n]
        if pair == (0, 0):
            continue
        if B in x.groups[axis]:
            node.refuse("it adds samples to the batch")
        own = to.axis(node, x, axis)
        rows[0][own], rows[1][own] = pair
    return tuple(rows[0]), tuple(rows[1])


def _padded(
    node: Node, to: Reader, value: Value, before: Parts, after: Parts, fill: float, mode: str
) -> Value:
    tensor = to.types[value]
    if tensor.dtype != "float32":
        node.refuse(f"{tensor} is padded, and `pad` takes floats", code="wrong-dtype")
    if before[0] == 0 and after[0] == 0 and 2 <= tensor.rank <= 4:
        return pad_in_front(node, to, value, before[1:], after[1:], fill, mode)
    if tensor.rank > 3:
        node.refuse("it pads an axis that `pad` does not reach", code="wrong-rank")
    whole = to.result(node, value)
    sizes = [to.axis_size(whole, axis) for axis in range(tensor.rank)]
    value = reshaped(to, node, value, [1, *sizes])
    value = pad_in_front(node, to, value, before, after, fill, mode)
    grown = [size + p + q for size, p, q in zip(sizes, before, after, strict=True)]
    return reshaped(to, node, value, cast("list[int]", grown))
