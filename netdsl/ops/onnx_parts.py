"""Parts of ONNX lowerings that several ops share: padding, bands of cells, rolled axes, numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from netdsl.ir.dim import Dim, Size, ceil_div, floor_div
from netdsl.ir.tensor import Shape
from netdsl.ops.lowering import UNKNOWN, Lowering, OnnxConstant, OnnxValue

PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


def padded(
    to: Lowering,
    x: OnnxValue,
    amounts: Sequence[tuple[Size, Size]],
    mode: str = "constant",
    value: float = 0.0,
) -> OnnxValue:
    """Cells added before and after each of the last axes; modes as PyTorch calls them."""
    if all(isinstance(n, int) and n == 0 for pair in amounts for n in pair):
        return x
    if mode == "circular":
        return _wrapped(to, x, amounts)
    first = len(x.shape) - len(amounts)
    shape = tuple(
        size if i < first else size + sum(amounts[i - first]) for i, size in enumerate(x.shape)
    )
    whole = [(0, 0)] * first + list(amounts)
    flat = [before for before, _ in whole] + [after for _, after in whole]
    inputs: list[OnnxValue | None] = [x, to.sizes(flat)]
    if mode == "constant":
        inputs.append(to.number(value, x.dtype))
    return to.node("Pad", inputs, shape, mode=PAD_MODES[mode])


def _wrapped(to: Lowering, x: OnnxValue, amounts: Sequence[tuple[Size, Size]]) -> OnnxValue:
    """Circular padding, an axis after the other: the far cells in front, the near ones behind."""
    first = len(x.shape) - len(amounts)
    for number, (before, after) in enumerate(amounts):
        axis = first + number
        size = x.shape[axis]
        parts = [x]
        if before != 0:
            parts.insert(0, part(to, x, axis, size - before, size))
        if after != 0:
            parts.append(part(to, x, axis, 0, after))
        if len(parts) > 1:
            shape = replaced(x.shape, axis, size + before + after)
            x = to.node("Concat", parts, shape, axis=axis)
    return x


def counted(to: Lowering, size: Size) -> OnnxValue:
    """The whole numbers from 0 up to a size, which is left out."""
    end = to.node("Squeeze", [to.size_of(size), to.ints(0)], ())
    ends = [to.number(0, "int64"), end, to.number(1, "int64")]
    return to.node("Range", ends, (size,), "int64")


def part(to: Lowering, x: OnnxValue, axis: int, start: Size, end: Size) -> OnnxValue:
    """The cells from `start` up to `end` of one axis."""
    shape = replaced(x.shape, axis, end - start)
    return to.cut(x, [axis], to.sizes([start]), to.sizes([end]), shape)


def replaced(shape: Shape, axis: int, size: Size) -> Shape:
    """The shape with another size at an axis."""
    return (*shape[:axis], size, *shape[axis + 1 :])


def bands(
    to: Lowering,
    x: OnnxValue,
    axis: int,
    count: int,
    kind: str,
    edges: Sequence[tuple[Size, Size]] | None = None,
) -> OnnxValue:
    """One axis pooled into `count` windows: bin i is `[i*n // count, ceil((i + 1)*n / count))`.

    `edges` gives other windows. `kind` is `max` or `avg`.
    """
    reduce = "ReduceMax" if kind == "max" else "ReduceMean"
    shape = replaced(x.shape, axis, 1)
    if count == 1 and edges is None:
        return to.node(reduce, [x, to.ints(axis)], shape, keepdims=1)
    size = x.shape[axis]
    if edges is None and not isinstance(size, int):
        cuts = _symbolic_cuts(to, size, count)
    else:
        pairs = edges or [
            (floor_div(i * size, count), ceil_div((i + 1) * size, count)) for i in range(count)
        ]
        cuts = [(to.sizes([start]), to.sizes([end])) for start, end in pairs]
    pooled: list[OnnxValue] = []
    for start, end in cuts:
        band = to.cut(x, [axis], start, end, replaced(x.shape, axis, UNKNOWN))
        pooled.append(to.node(reduce, [band, to.ints(axis)], shape, keepdims=1))
    return to.node("Concat", pooled, replaced(x.shape, axis, count), axis=axis)


def _symbolic_cuts(to: Lowering, size: Size, count: int) -> list[tuple[OnnxValue, OnnxValue]]:
    """Starts and ends of all bands, each worked out at once; nothing below 0 is divided."""
    at = to.size_of(size)
    numbers = tuple(range(count))
    first = to.node("Mul", [at, to.ints(*numbers)], (count,), "int64")
    starts = to.node("Div", [first, to.ints(count)], (count,), "int64")
    last = to.node("Mul", [at, to.ints(*(i + 1 for i in numbers))], (count,), "int64")
    last = to.node("Add", [last, to.ints(count - 1)], (count,), "int64")
    ends = to.node("Div", [last, to.ints(count)], (count,), "int64")
    parts = [
        to.split("Split", [v], [(1,)] * count, axis=0, num_outputs=count) for v in (starts, ends)
    ]
    return list(zip(*parts, strict=True))


def rolled(to: Lowering, x: OnnxValue, axis: int, start: OnnxValue) -> OnnxValue:
    """The cells from `start` (a value) on, then those before it."""
    far = to.constant(OnnxConstant((1,), (2**31 - 1,), "int64"))
    shape = replaced(x.shape, axis, UNKNOWN)
    behind = to.cut(x, [axis], start, far, shape)
    before = to.cut(x, [axis], to.ints(0), start, shape)
    return to.node("Concat", [behind, before], x.shape, axis=axis)


def number_value(to: Lowering, number: object, dtype: str) -> OnnxValue:
    """A number of the file as a value: one for all, or one a channel of the first result."""
    result = to.results[0]
    if isinstance(number, tuple):
        numbers = cast("tuple[float, ...]", number)
        return to.floats(numbers, (len(numbers), *(1 for _ in result.spatial)), dtype)
    if isinstance(number, Dim):
        size = to.cast(to.size_of(number), dtype)
        return size if to.result() else to.node("Squeeze", [size], ())
    assert isinstance(number, int | float)
    return to.number(number, dtype)
