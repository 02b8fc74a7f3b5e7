"""Along axes: sums, means, maxima, softmax, running sums."""

from __future__ import annotations

from typing import cast

from netdsl.importers.onnx.layouts import regrouped
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.norms import flowing
from netdsl.importers.onnx.operators.registry import axes_of, reads
from netdsl.importers.onnx.operators.shaping import groups_of
from netdsl.importers.onnx.quantity import Plain
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import B, Data, numbered
from netdsl.importers.program import Setting, Value

LAYERS = {
    "ReduceMean": "mean", "ReduceMax": "max", "ReduceMin": "min", "ReduceSum": "sum",
    "ReduceL1": "norm", "ReduceL2": "norm", "ReduceSumSquare": "sum", "ReduceLogSum": "sum",
    "ReduceLogSumExp": "sum",
}  # fmt: skip


@reads(*LAYERS)
def reduction(node: Node, to: Reader) -> None:
    """One number along some axes."""
    x = flowing(node, to)
    axes = axes_of(node, to, 13 if node.operator == "ReduceSum" else 18)
    keep = bool(node.int("keepdims", 1))
    if node.int("noop_with_empty_axes", 0) and axes is None:
        to.give(node, x)
        return
    places = _places(node, to, x, axes)
    ours = sorted(axis for n in places for axis in x.groups[n] if axis != B)
    value = _before(node, to, x.value)
    if ours:
        axis: Setting = list(ours) if len(ours) > 1 else ours[0]
        settings: dict[str, Setting] = {"axis": axis, "keep": keep}
        if node.operator in ("ReduceL1", "ReduceL2"):
            settings["p"] = 1.0 if node.operator == "ReduceL1" else 2.0
        value = to.call(node, LAYERS[node.operator], [value], settings)[0]
    if node.operator.startswith("ReduceLogSum"):
        value = to.one(node, "log", value)
    groups = x.groups
    if not keep:
        groups = numbered([group for n, group in enumerate(x.groups) if n not in places])
    to.give_result(node, value, groups, x.dtype)


def _before(node: Node, to: Reader, value: Value) -> Value:
    if node.operator == "ReduceSumSquare":
        return to.one(node, "pow", value, number=2)
    return to.one(node, "exp", value) if node.operator == "ReduceLogSumExp" else value


def _places(node: Node, to: Reader, x: Data, axes: tuple[int, ...] | None) -> set[int]:
    """The axes of ONNX that are reduced; those with a batch of one stay where they are kept."""
    listed = range(x.rank) if axes is None else axes
    if any(not -x.rank <= a < x.rank for a in listed):
        node.refuse(f"{list(listed)[:8]} are no axes of {x.rank}")
    places = {a % x.rank for a in listed}
    if x.batch in places:
        if to.batch != 1 or not node.int("keepdims", 1) or len(x.groups[x.batch]) > 1:
            node.refuse("it reduces along the axis of the batch, and samples stay apart")
        if node.operator in ("ReduceL1", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"):
            node.refuse("it reduces along the axis of the batch, and samples stay apart")
    return places


@reads("ArgMax")
def argmax(node: Node, to: Reader) -> None:
    """The index of the largest number along an axis."""
    x = flowing(node, to)
    node.only("select_last_index", 0, "the last of equal numbers has no word")
    at, keep = node.int("axis", 0), bool(node.int("keepdims", 1))
    axis = to.axis(node, x, at)
    value = to.one(node, "argmax", x.value, axis=axis, keep=keep)
    groups = [g for n, g in enumerate(x.groups) if keep or n != at % x.rank]
    to.give_result(node, value, numbered(groups), "int64")


@reads("CumSum")
def cumsum(node: Node, to: Reader) -> None:
    """Running sums along an axis."""
    x = flowing(node, to)
    node.only("exclusive", 0)
    node.only("reverse", 0)
    (at,) = to.ints_of(node, 1)
    to.give_result(
        node, to.one(node, "cumsum", x.value, axis=to.axis(node, x, at)), x.groups, x.dtype
    )


@reads("Softmax", "LogSoftmax")
def softmax(node: Node, to: Reader) -> None:
    """Along one axis; up to opset 12 along all axes from one on, together."""
    x = flowing(node, to)
    layer = "softmax" if node.operator == "Softmax" else "log_softmax"
    at = node.int("axis", -1 if node.opset >= 13 else 1)
    if not -x.rank <= at < x.rank:
        node.refuse(f"there is no axis {at}")
    at %= x.rank
    sizes = to.sizes(x)
    others = [n for n in range(at + 1, x.rank) if sizes[n] != 1]
    if node.opset >= 13 or not others:
        value = to.one(node, layer, x.value, axis=to.axis(node, x, at))
        to.give_result(node, value, x.groups)
        return
    if sizes[at] == 1 and len(others) == 1 and B not in x.groups[others[0]]:
        value = to.one(node, layer, x.value, axis=to.axis(node, x, others[0]))
        to.give_result(node, value, x.groups)
        return
    if any(B in x.groups[n] for n in range(at, x.rank)):
        node.refuse("it works along the axis of the batch, and samples stay apart")
    rows, total_size = groups_of(to, x), cast(Plain, 1)
    for n in range(at, x.rank):
        total_size = total_size * sizes[n]
    merged = regrouped(to, node, x, [*rows[:at], [total_size]])
    value = to.one(node, layer, merged.value, axis=merged.type.rank - 1)
    back = Data(value, to.types[value], merged.groups, x.dtype)
    to.give(node, regrouped(to, node, back, rows))
