"""Makes calls of layers of the language, and knows what traced values and sizes are in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from netdsl.diagnostics import Span
from netdsl.importers.program import (
    Axis,
    Call,
    Computed,
    Number,
    Path,
    Region,
    Setting,
    Table,
    Value,
)
from netdsl.importers.torch.agreeing import Agreed
from netdsl.importers.torch.events import (
    Constant,
    Frame,
    Line,
    Modes,
    Op,
    Ref,
    Stored,
    Varies,
    leaves,
)
from netdsl.importers.torch.lines import Lines
from netdsl.importers.torch.lows import BATCH, Low, Refusal, Weight, ungrouped
from netdsl.importers.torch.made import Made
from netdsl.importers.torch.sized import Arith, Expression, Of
from netdsl.importers.torch.tables import (
    FEW,
    LONGEST,
    MOST,
    Labels,
    fill_of,
    is_written,
    labels_of,
    summands_of,
    without_copies,
)

LOWEST = -3.4028234663852886e38
"""The least number of 32 bits."""
ENDS_OF_MASKS = frozenset({"softmax", "scaled_dot_product_attention"})
WAYS_OF_MASKS = frozenset(
    [
        "__add__",
        "__getitem__",
        "__iadd__",
        "__radd__",
        "add",
        "add_",
        "clone",
        "contiguous",
        "expand",
        "float",
        "masked_fill",
        "masked_fill_",
        "permute",
        "reshape",
        "squeeze",
        "to",
        "transpose",
        "unsqueeze",
        "view",
        "where",
    ]
)
"""Functions that a mask of scores goes through."""
MOST_STEPS = 50
"""Functions that are looked at on its way."""


class Builder:
    """What the rules work with: operands, sizes, and calls in the region that is being filled."""

    def __init__(self, made: Made, agreed: Agreed, lines: Lines, root: Region) -> None:
        self.made, self.agreed, self.lines = made, agreed, lines
        self.runs = len(agreed.shapes)
        self.lows: dict[int, Low] = {}
        self.tables: dict[str, Low] = {}
        self.used: set[str] = set()
        self.line: Line = agreed.frame.line
        self.op: Op | None = None
        self.root = root
        self.here: list[Region] = [self.root]
        self.ways = _ways(agreed.frame)
        self.taken = _taken(agreed.frame)
        self.folded: dict[int, Any] = {}
        self.known: dict[object, Low] = {}
        self.declared = 0
        self.rows: dict[Value, list[int]] = {}
        first = next(iter(agreed.inputs.values()))
        self.batches = tuple(shapes[first][0] for shapes in agreed.shapes)

    def is_used(self, number: int) -> bool:
        """Whether a traced value is taken by an op, or returned."""
        return number in self.taken

    def takers(self, number: int) -> list[Op]:
        """The ops that take a traced value; none where the network returns it."""
        if Ref(number) in leaves(self.agreed.frame.results):
            return []
        ops = self.agreed.frame.ops()
        return [op for op in ops if Ref(number) in leaves((op.arguments, op.keywords))]

    def masks_softmax(self) -> bool:
        """Whether what the op gives goes into a softmax only: there -inf is the least number."""
        ops = [self.op] if self.op is not None and self.op.outputs else []
        for op in ops:
            takers = [] if op.name in ENDS_OF_MASKS else self.takers(op.outputs[0])
            if op.name not in (WAYS_OF_MASKS | ENDS_OF_MASKS) or len(ops) > MOST_STEPS:
                return False
            if op.name in WAYS_OF_MASKS and not takers:
                return False
            ops += [one for one in takers if one not in ops]
        return bool(ops)

    def weight(self, key: str) -> Weight:
        """A parameter or buffer."""
        shape, dtype = self.made.stored[key]
        return Weight(key, shape, dtype)

    def argument(self, one: Any) -> Any:
        """An argument as the rules take it."""
        if isinstance(one, Ref):
            if one.number in self.folded:
                return self.spread(one.number)
            if one.number not in self.lows:
                raise Refusal("this takes what the import could not follow")
            return self.lows[one.number]
        if isinstance(one, Stored):
            return self.weight(one.key)
        return one

    def low(self, one: Any) -> Low:
        """An operand: a value, or a weight as a table. Raises `Refusal` for all else."""
        if isinstance(one, Weight):
            return self.table(one)
        if isinstance(one, Constant):
            return self.constant(one.tensor)
        if isinstance(one, Low):
            if one.is_empty:
                raise Refusal("it takes a tensor without numbers", "only a joint passes over it")
            return one
        raise Refusal(f"a tensor is needed here, not {one!r}")

    def plain(self, one: Any) -> Low:
        """An operand whose value has just its axes: spread, and none in front for the batch."""
        low = self.spread_out(self.low(one))
        if low.leads:
            shape: list[Setting] = [self.size(low, place) for place in range(len(low.sizes))]
            value = self.call("reshape", [low.value], shape=shape)
            low = Low(value, low.layout, low.sizes, is_table=True)
        return low

    def spread_out(self, low: Low) -> Low:
        """A value whose axes are as wide as they are meant to be."""
        if low.narrow is None:
            return low
        value, open_ones = low.value, dict[int, Number]()
        for axis, width in low.widths:
            if isinstance(width, int):
                ones = self.ones(low.value.dtype, width, len(low.sizes) - axis - 1)
                value = self.call("mul", [value, ones])
            else:
                open_ones[axis] = width
        if open_ones:
            value = self.enlarged(low, value, open_ones)
        value.dtype = low.value.dtype
        return replace(low, value=value, narrow=None, widths=())

    def enlarged(self, low: Low, value: Value, widths: dict[int, Number]) -> Value:
        """Axes of space that are made wider by an open size: their one cell is copied."""
        count = len(low.sizes)
        if low.leads or not 2 <= count <= 4 or 0 in widths or low.value.dtype != "float32":
            raise Refusal("it copies a value along an axis as often as an open size says")
        sides = tuple(widths.get(axis) or self.size(low, axis) for axis in range(1, count))
        return self.call("upsample", [value], size=sides)

    def ones(self, dtype: str, count: int, behind: int) -> Value:
        """A table of ones, with so many axes of size 1 behind."""
        shape = (count, *([1] * behind))
        return self.numbers(torch.ones(shape, dtype=getattr(torch, dtype))).value

    def table(self, weight: Weight) -> Low:
        """A weight that is no layer's own."""
        if weight.key not in self.tables and weight.key not in self.made.keys:
            self.tables[weight.key] = self.numbers(self.made.tensor(weight.key))
        if weight.key not in self.tables:
            kind, fill = self.made.begins(weight.key)
            value = Value(shape=weight.shape, dtype=weight.dtype)
            path = tuple(weight.key.split("."))
            self.declare(Table(value, path, weight.shape, self.span(), kind, fill))
            self.used.add(weight.key)
            self.tables[weight.key] = self.as_table(value, weight.shape)
        return self.tables[weight.key]

    def declare(self, table: Table) -> None:
        """Tables stand in front, in the order in which they are taken."""
        self.root.items.insert(self.declared, table)
        self.declared += 1

    def as_table(self, value: Value, shape: Sequence[int]) -> Low:
        """A table of a known shape."""
        sizes = tuple((size,) * self.runs for size in shape)
        return Low(value, ungrouped(len(shape), None), sizes, is_table=True)

    def constant(self, tensor: Any) -> Low:
        """A tensor that was made outside `forward`, as a table of numbers."""
        if tensor.is_meta:
            raise Refusal(
                "this takes a tensor that is neither a parameter nor a buffer",
                "make it a buffer: `self.register_buffer(...)`",
            )
        return self.numbers(tensor)

    def numbers(self, tensor: Any) -> Low:
        """A table of known numbers."""
        dtype = str(tensor.dtype).removeprefix("torch.")
        if dtype not in ("float32", "int64", "bool"):
            raise Refusal(f"a table of {dtype}", "the language has float32, int64 and bool")
        shape = tuple(tensor.shape)
        if dtype == "float32" and self.masks_softmax():
            tensor = tensor.masked_fill(tensor == -math.inf, LOWEST)
        key = (dtype, shape, tensor.cpu().contiguous().numpy().tobytes())
        if key not in self.known:
            low = self.written(tensor, shape)
            low.value.dtype = dtype
            if dtype == "int64" and len(shape) == 1:
                self.rows[low.value] = tensor.tolist()
            self.known[key] = low
        return self.known[key]

    def known_places(self, one: Any) -> Any:
        """An index, as a list where it is a row of whole numbers that are known."""
        if isinstance(one, Weight) and one.key not in self.made.keys:
            one = self.table(one)
        if isinstance(one, Constant) and not one.tensor.is_meta:
            one = self.numbers(one.tensor)
        if isinstance(one, Low) and one.rank == 1 and one.narrow is None:
            return self.rows.get(one.value, one)
        return one

    def written(self, tensor: torch.Tensor, shape: tuple[int, ...]) -> Low:
        """A table of known numbers: a line, or what makes it of smaller ones."""
        is_short = is_written(tensor)
        labels = None if is_short else labels_of(tensor)
        summands = None if is_short or labels else summands_of(tensor)
        if labels is not None:
            return self.labelled(labels, shape)
        if not is_short and labels is None and summands is None and shape[-1] <= FEW:
            columns = [one.unsqueeze(-1) for one in tensor.unbind(-1)]
            if all(is_written(one) or summands_of(one) for one in columns):
                parts = [self.numbers(one).value for one in columns]
                return self.as_table(self.call("concat", parts, axis=-1), shape)
        if summands is not None:
            both = (summands.rows, summands.columns)
            value = self.call("add", [self.numbers(one).value for one in both])
            value = self.call("reshape", [value], shape=list[Setting](shape))
            return self.as_table(value, shape)
        if LONGEST < without_copies(tensor).numel() <= MOST:
            parts = [self.numbers(one).value for one in tensor.flatten().split(LONGEST)]
            value = self.call("concat", parts, axis=0)
            value = self.call("reshape", [value], shape=list[Setting](shape))
            return self.as_table(value, shape)
        value = Value(shape=shape, dtype=str(tensor.dtype).removeprefix("torch."))
        label = (f"numbers{len(self.known)}",)
        fill = fill_of(tensor)
        self.declare(Table(value, label, shape, self.span(), "constant", fill))
        return self.as_table(value, shape)

    def labelled(self, labels: Labels, shape: Sequence[int]) -> Low:
        """A table of numbers by labels: `same` where those of row and column are equal."""
        rows = self.numbers(labels.labels.unsqueeze(-1)).value
        columns = self.call("reshape", [rows], shape=[*shape[:-2], 1, shape[-1]])
        value = self.call("equal", [rows, columns])
        value = self.call("mul", [value], number=labels.same - labels.other)
        if labels.other:
            value = self.call("add", [value], number=labels.other)
        return self.as_table(value, shape)

    def spread(self, number: int) -> Low:
        """Known numbers as a table: they are the same for all samples, or it is refused."""
        one, other = self.folded[number]
        if one.shape == other.shape:
            if not bool((one == other).all()):
                raise Refusal("known numbers depend on the size of the batch")
            return self.numbers(one)
        axis = self.agreed.batch_axis(number)
        count = len(one) // self.batches[0] if one.ndim else 0
        block, rest = one[:count], one.shape[1:]
        if axis == 0 and count > 1 and len(other) == count * self.batches[-1]:
            copies = [part.reshape(-1, *block.shape) for part in (one, other)]
            if all(bool((part == block).all()) for part in copies):
                low = self.plain(self.numbers(block))
                layout = ((BATCH, 0), *((axis,) for axis in range(1, len(rest) + 1)))
                return replace(low, layout=layout)
        if axis != 0 or not bool((other == one[:1]).all()):
            raise Refusal("known numbers depend on the size of the batch")
        low = self.numbers(one[:1])
        return Low(low.value, ungrouped(one.ndim - 1), low.sizes[1:], is_table=True, leads=True)

    def number(self, one: Any) -> Number:
        """A number as a setting."""
        if isinstance(one, Axis | Computed):
            return one
        one = self.steady(one)
        if isinstance(one, Varies):
            if one.source is None:
                raise Refusal(
                    f"a number is {one.numbers[0]} here, {one.numbers[1]} at another size, and "
                    "how it is computed from the sizes can't be told",
                    "`int(...)` loses where a size comes from: use `//`",
                )
            return self.setting(one.source)
        if isinstance(one, Modes):
            raise Refusal(f"a number is {one.training} in training and else {one.inference}")
        if one == -math.inf and self.masks_softmax():
            return LOWEST
        if isinstance(one, float) and not math.isfinite(one):
            help = "`torch.finfo(x.dtype).min` masks as well before softmax"
            raise Refusal(f"the language has no {one}", help if one == -math.inf else "")
        if isinstance(one, int | float):
            return one
        raise Refusal(f"a number is needed here, not {one!r}")

    def steady(self, one: Any) -> Any:
        """A number of a module that is read at one size, if it does not follow the batch."""
        is_steady = isinstance(one, Varies) and self.runs == 2 and len(set(one.numbers)) == 1
        return one.numbers[0] if is_steady else one

    def whole(self, one: Any) -> int:
        """A number that is the same in all runs."""
        one = self.steady(one)
        if isinstance(one, int):
            return one
        raise Refusal(f"a known whole number is needed here, not {_shown(one)}")

    def setting(self, source: Expression) -> Number:
        """Arithmetic on sizes in terms of values of the language."""
        if isinstance(source, Of):
            low = self.lows.get(source.value)
            if low is None:
                raise Refusal("this takes the size of what the import could not follow")
            if low.batch == source.axis:
                raise Refusal("this computes with the size of the batch")
            return self.size_of(low, source.axis)
        if isinstance(source, Arith):
            operands = tuple(self.setting(one) for one in source.operands)
            return Computed(source.operator, operands)
        return source

    def size_of(self, low: Low, traced: int) -> Number:
        """The size of a traced axis."""
        product: Number | None = None
        for axis in low.layout[traced]:
            if axis != BATCH:
                size = self.size(low, axis)
                product = size if product is None else Computed("*", (product, size))
        return 1 if product is None else product

    def size(self, low: Low, axis: int) -> Number:
        """The size of an axis of a value; a number where it is the same in all runs."""
        sizes = low.sizes[axis]
        if all(size == sizes[0] for size in sizes):
            return sizes[0]
        width = dict(low.widths).get(axis)
        return Axis(low.value, axis + low.leads) if width is None else width

    def without_batch(self, source: Expression) -> Number | None:
        """A product with the batch in it, without the batch; None where that can't be told."""
        if isinstance(source, Of):
            low = self.lows.get(source.value)
            if low is None or low.batch != source.axis:
                return None
            return self.size_of(low, source.axis)
        if isinstance(source, Arith) and source.operator == "*":
            left, right = source.operands
            for one, other in (left, right), (right, left):
                rest = self.without_batch(one)
                if rest is not None:
                    factor = self.setting(other)
                    return factor if rest == 1 else Computed("*", (rest, factor))
        return None

    def span(self) -> Span:
        """The place of what is lowered now."""
        return self.lines.span(self.line)

    def call(
        self, layer: str, inputs: Sequence[Value], path: Path = (), /, **settings: Setting
    ) -> Value:
        """A call with one result."""
        return self.calls(layer, inputs, 1, path, **settings)[0]

    def calls(
        self,
        layer: str,
        inputs: Sequence[Value],
        count: int,
        path: Path = (),
        /,
        **settings: Setting,
    ) -> list[Value]:
        """A call with several results."""
        outputs = [Value() for _ in range(count)]
        for name, one in settings.items():
            if isinstance(one, float | Varies | Modes):
                settings[name] = self.number(one)
        call = Call(layer, settings, list(inputs), outputs, self.span(), path)
        self.here[-1].items.append(call)
        return outputs

    def same(self, layer: str, low: Low, path: Path = (), /, **settings: Setting) -> Low:
        """A call that changes no size."""
        return low.with_value(self.call(layer, [low.value], path, **settings))

    def result(self, value: Value, like: Low, number: int = 0) -> Low:
        """A map that the op gives, of the shape that it was traced with, behind the batch.

        `like` is what came in; the traced shape of a table has an axis more, in front.
        """
        assert self.op is not None
        traced = self.op.outputs[number]
        shapes = [shapes[traced][1:] for shapes in self.agreed.shapes]
        layout = ungrouped(len(shapes[0]), None if like.batch is None else 0)
        return Low(value, layout, tuple(zip(*shapes, strict=True)), like.is_table)


def _ways(frame: Frame) -> dict[str, set[str]]:
    """By the keys of weights the ways in which they are used: a layer has one only."""
    ways: dict[str, set[str]] = {}
    for op in frame.ops():
        plain = [one for one in leaves((op.arguments, op.keywords)) if not isinstance(one, Ref)]
        for one in plain:
            if isinstance(one, Stored):
                rest = [other for other in plain if not isinstance(other, Constant)]
                ways.setdefault(one.key, set()).add(f"{op.name} {rest}")
    return ways


def _taken(frame: Frame) -> set[int]:
    """The numbers of the values that are used."""
    things = [frame.results, *((op.arguments, op.keywords) for op in frame.ops())]
    return {one.number for thing in things for one in leaves(thing) if isinstance(one, Ref)}


def _shown(one: Any) -> str:
    return "one that varies with the size" if isinstance(one, Varies) else repr(one)
