"""From the calls of functions of torch to calls of layers of the language."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from netdsl.diagnostics import Span
from netdsl.importers.frontend import refused
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
    mapped,
)
from netdsl.importers.torch.lines import Lines
from netdsl.importers.torch.lows import BATCH, Absent, Layout, Low, Refusal, Weight, ungrouped
from netdsl.importers.torch.made import Made
from netdsl.importers.torch.rules import RULES, modules
from netdsl.importers.torch.sized import Arith, Expression, Of
from netdsl.importers.torch.tables import fill_of

RANDOM = ("rand", "bernoulli", "multinomial", "normal", "poisson")
"""How the names of functions begin that draw numbers."""


class Lowering:
    """Builds the regions of a program from the frames of runs that agree."""

    def __init__(self, made: Made, agreed: Agreed, lines: Lines) -> None:
        self.made, self.agreed, self.lines = made, agreed, lines
        self.runs = len(agreed.shapes)
        self.lows: dict[int, Low] = {}
        self.tables: dict[str, Low] = {}
        self.used: set[str] = set()
        self.line: Line = agreed.frame.line
        self.op: Op | None = None
        self.root = self.region(agreed.frame)
        self.here: list[Region] = [self.root]
        self.frames: dict[int, Frame] = {id(self.root): agreed.frame}
        self.ways = _ways(agreed.frame)
        self.taken = _taken(agreed.frame)
        self.named: list[Call] = []
        self.folded: dict[int, Any] = {}
        self.known: dict[object, Low] = {}
        first = next(iter(agreed.inputs.values()))
        self.batches = tuple(shapes[first][0] for shapes in agreed.shapes)

    def is_used(self, number: int) -> bool:
        """Whether a traced value is taken by an op, or returned."""
        return number in self.taken

    # what goes in

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
            return one
        raise Refusal(f"a tensor is needed here, not {one!r}")

    def plain(self, one: Any) -> Low:
        """An operand without an axis in front for the batch."""
        low = self.low(one)
        if low.narrow is not None:
            raise Refusal("it takes what was spread over an axis", "only merges spread a value")
        if low.leads:
            shape: list[Setting] = [self.size(low, place) for place in range(len(low.sizes))]
            value = self.call("reshape", [low.value], shape=shape)
            low = Low(value, low.layout, low.sizes, is_table=True)
        return low

    def table(self, weight: Weight) -> Low:
        """A weight that is no layer's own."""
        if weight.key not in self.tables:
            kind, fill = self.made.begins(weight.key)
            value = Value(shape=weight.shape, dtype=weight.dtype)
            path = tuple(weight.key.split("."))
            self.root.items.insert(0, Table(value, path, weight.shape, self.span(), kind, fill))
            self.used.add(weight.key)
            self.tables[weight.key] = self.as_table(value, weight.shape)
        return self.tables[weight.key]

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
        key = (dtype, shape, tensor.cpu().contiguous().numpy().tobytes())
        if key not in self.known:
            value = Value(shape=shape, dtype=dtype)
            label = (f"numbers{len(self.known)}",)
            fill = fill_of(tensor)
            self.root.items.insert(0, Table(value, label, shape, self.span(), "constant", fill))
            self.known[key] = self.as_table(value, shape)
        return self.known[key]

    def folds(self, op: Op) -> bool:
        """Works an op out whose operands are all known numbers; whether it was one."""
        if op.function is None or not op.outputs:
            return False
        for one in leaves((op.arguments, op.keywords)):
            is_open = isinstance(one, Ref) and one.number not in self.folded
            is_open = is_open or (isinstance(one, Varies) and self.runs > 2)
            if is_open or isinstance(one, Modes):
                return False
            if isinstance(one, Stored) and one.key in self.made.keys:
                return False
        if op.name.startswith(RANDOM):
            raise Refusal("random numbers have no word in the language")
        refs = [one.number for one in leaves(op.results) if isinstance(one, Ref)]
        results = [self.worked_out(op, run) for run in (0, -1)]
        self.folded.update(zip(refs, zip(*results, strict=True), strict=True))
        return True

    def worked_out(self, op: Op, run: int) -> list[Any]:
        """What an op of known numbers gives, in one run."""

        def real(one: Any) -> Any:
            return self.real(one, run)

        arguments, keywords = mapped((op.arguments, op.keywords), real)
        with torch.device("cpu"):
            result = op.function(*arguments, **keywords)
        if op.name == "__setitem__":
            result = arguments[0]
        return [one for one in leaves(result) if isinstance(one, torch.Tensor)]

    def spread(self, number: int) -> Low:
        """Known numbers as a table: they are the same for all samples, or it is refused."""
        one, other = self.folded[number]
        if one.shape == other.shape:
            if not bool((one == other).all()):
                raise Refusal("known numbers depend on the size of the batch")
            return self.numbers(one)
        axis = self.agreed.batch_axis(number)
        if axis != 0 or not bool((other == one[:1]).all()):
            raise Refusal("known numbers depend on the size of the batch")
        low = self.numbers(one[:1])
        return Low(low.value, ungrouped(one.ndim - 1), low.sizes[1:], is_table=True, leads=True)

    def real(self, one: Any, run: int) -> Any:
        """An argument whose numbers are known, on the CPU."""
        if isinstance(one, Ref):
            return self.folded[one.number][run].clone()
        if isinstance(one, Varies):
            return one.numbers[run]
        if isinstance(one, Stored):
            return self.made.tensor(one.key).clone()
        if isinstance(one, Constant):
            return one.tensor.cpu().clone()
        return torch.device("cpu") if isinstance(one, torch.device) else one

    # sizes

    def number(self, one: Any) -> Number:
        """A number as a setting."""
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
        if isinstance(one, int | float):
            return one
        raise Refusal(f"a number is needed here, not {one!r}")

    def whole(self, one: Any) -> int:
        """A number that is the same in all runs."""
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
        return Axis(low.value, axis + low.leads)

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

    # what comes out

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
        call = Call(layer, settings, list(inputs), outputs, self.span(), path)
        self.here[-1].items.append(call)
        return outputs

    def same(self, layer: str, low: Low, path: Path = (), /, **settings: Setting) -> Low:
        """A call that changes no size."""
        return low.with_value(self.call(layer, [low.value], path, **settings))

    def result(self, value: Value, layout: Layout | None = None, number: int = 0) -> Low:
        """A result of the op, of the shape that it was traced with, behind the batch."""
        assert self.op is not None
        traced = self.op.outputs[number]
        shapes = [shapes[traced] for shapes in self.agreed.shapes]
        rank = len(shapes[0])
        layout = layout or ungrouped(rank - 1, 0)
        batch = next((place for place, axes in enumerate(layout) if BATCH in axes), None)
        sizes = tuple(
            tuple(shape[place] for shape in shapes) for place in range(rank) if place != batch
        )
        return Low(value, layout, sizes)

    # the walk

    def region(self, frame: Frame) -> Region:
        """An empty region for a frame."""
        module = self.made.modules.get(frame.path)
        kind, is_sequence = modules.kind(module)
        region = Region(
            _path(frame.path),
            kind,
            self.lines.span(frame.line),
            settings=self.made.settings(frame.path),
            is_sequence=is_sequence,
            doc=modules.doc(module),
        )
        return region

    def frame(self, frame: Frame) -> None:
        """All that a frame called; modules of torch that hold no others are no regions."""
        for one in frame.items:
            if isinstance(one, Op):
                self.lower(one)
                continue
            is_one_layer = modules.is_layer(self.made.modules[one.path])
            if is_one_layer:
                start = len(self.here[-1].items)
                self.frame(one)
                self.name_alone(self.here[-1].items[start:], one.path)
                continue
            region = self.region(one)
            self.here.append(region)
            self.frame(one)
            self.here.pop()
            if _holds_its_own_layer(region) or not any(region.calls()):
                self.here[-1].items += region.items
            else:
                self.frames[id(region)] = one
                self.here[-1].items.append(region)

    def name_alone(self, items: Sequence[object], path: str) -> None:
        """The one call of a module without weights is named as the module."""
        if len(items) == 1 and isinstance(items[0], Call) and not items[0].path:
            items[0].path = _path(path)
            self.named.append(items[0])

    def lower(self, op: Op) -> None:
        """One op by its rule."""
        self.op, self.line = op, op.line
        name = op.name.partition(" ")[0]
        rule = RULES.get(name)
        try:
            if self.folds(op):
                return
            if rule is None:
                raise Refusal(f"the language has no word for `{op.name}`", self.uses(op))
            arguments, keywords = mapped((op.arguments, op.keywords), self.argument)
            if name == "module":
                arguments = (self.made.modules[op.module], *arguments)
            self.bind(op, rule(self, *arguments, **keywords))
        except Refusal as refusal:
            raise self.refused(str(refusal), refusal.help) from None
        except TypeError as error:
            if "argument" not in str(error):
                raise
            raise self.refused(
                f"an argument of `{op.name}` is not understood: {error}", ""
            ) from None

    def refused(self, message: str, help: str) -> Exception:
        """The error that ends the import at the op."""
        assert self.op is not None
        inside = f" (in `{self.op.module}`)" if self.op.module else ""
        if self.op.name not in message:
            message = f"`{self.op.name}`: {message}"
        return refused(f"{message}{inside}", self.span(), help=help)

    def uses(self, op: Op) -> str:
        """How often an op is called, and where."""
        others = [one for one in self.agreed.frame.ops() if one.name == op.name]
        places = sorted({one.module or "forward" for one in others})
        shown = ", ".join(f"`{one}`" for one in places[:3])
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        return (
            f"it is called {len(others)} time{'s' * (len(others) > 1)}, in {shown}{more}; "
            "write what it does with other functions, or leave it out and do it before or behind "
            "the network"
        )

    def bind(self, op: Op, result: Any) -> None:
        """The results of an op by their numbers."""
        refs = [one for one in leaves(op.results) if isinstance(one, Ref)]
        lows = [one for one in leaves(result) if isinstance(one, Low | Weight | Absent)]
        if len(refs) != len(lows):
            raise Refusal(f"it gives {len(refs)} results, and {len(lows)} are known")
        for ref, one in zip(refs, lows, strict=True):
            if isinstance(one, Absent):
                continue
            low = self.low(one)
            self.check(ref.number, low)
            self.lows[ref.number] = low
            if low.value.shape is None and not low.leads:
                low.value.shape = tuple(sizes[0] for sizes in low.sizes)
            low.value.dtype = self.agreed.dtypes[ref.number]

    def output(self, number: int) -> Value:
        """The value of a result of the network."""
        low = self.lows.get(number)
        if low is None:
            raise refused(
                "a result of the network is what the import could not follow", self.span()
            )
        if low.is_table:
            raise refused("a result of the network is the same for all samples", self.span())
        if not low.is_plain:
            raise refused("a result of the network has not the batch in front", self.span())
        return low.value

    def unname(self) -> None:
        """Names within layers that have weights are none in the language."""
        named = set(map(id, self.named))
        weighted = {call.path for call in self.root.calls() if call.path and id(call) not in named}
        for call in self.named:
            if any(call.path[:end] in weighted for end in range(1, len(call.path) + 1)):
                call.path = ()

    def unused(self) -> None:
        """Parameters and buffers that nothing uses are tables that nothing uses."""
        for key in sorted(self.made.keys - self.used):
            owner = self.weight(key)
            low = self.table(owner)
            self.calls("identity", [low.value], 1)

    def check(self, number: int, low: Low) -> None:
        """Whether a result has the shape that was traced, in all runs."""
        batch = self.agreed.batch_axis(number)
        if batch != low.batch:
            raise Refusal("it does more with the batch than to carry it along")
        for run, shapes in enumerate(self.agreed.shapes):
            shape = shapes[number]
            if len(shape) != low.rank:
                raise Refusal(f"its result was taken to be {_sizes(low)}, and is {list(shape)}")
            for place, size in enumerate(shape):
                axes = [axis for axis in low.layout[place] if axis != BATCH]
                ours = math.prod(low.sizes[axis][run] for axis in axes)
                if place != batch and ours != size:
                    raise Refusal(f"its result was taken to be {_sizes(low)}, and is {list(shape)}")


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


def _holds_its_own_layer(region: Region) -> bool:
    return any(isinstance(one, Call) and one.path == region.path for one in region.items)


def _path(path: str) -> Path:
    return tuple(path.split(".")) if path else ()


def _shown(one: Any) -> str:
    return "one that varies with the size" if isinstance(one, Varies) else repr(one)


def _sizes(low: Low) -> list[int | str]:
    """The traced shape that a value stands for, in the first run."""
    sizes = [low.size(place) for place in range(low.rank)]
    return ["batch" if size is None else size[0] for size in sizes]
