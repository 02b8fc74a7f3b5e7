"""From the calls of functions of torch to calls of layers of the language."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from netdsl.importers.frontend import refused
from netdsl.importers.program import (
    Call,
    Path,
    Region,
    Value,
)
from netdsl.importers.torch.agreeing import Agreed, Differ
from netdsl.importers.torch.builder import Builder
from netdsl.importers.torch.events import (
    Constant,
    Frame,
    Modes,
    Op,
    Ref,
    Stored,
    Varies,
    leaves,
    mapped,
)
from netdsl.importers.torch.lines import Lines
from netdsl.importers.torch.lows import BATCH, Absent, Low, Refusal, Unsaid, Weight
from netdsl.importers.torch.made import Made
from netdsl.importers.torch.rules import RULES, modules

RANDOM = ("rand", "bernoulli", "multinomial", "normal", "poisson")
"""How the names of functions begin that draw numbers."""

UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, RuntimeError, Differ)
"""What a rule raises that is given what its function of torch never was before."""


class Lowering(Builder):
    """Builds the regions of a program from the frames of runs that agree."""

    def __init__(self, made: Made, agreed: Agreed, lines: Lines) -> None:
        self.made, self.lines = made, lines
        super().__init__(made, agreed, lines, self.region(agreed.frame))
        self.frames: dict[int, Frame] = {id(self.root): agreed.frame}
        self.named: list[Call] = []

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
        if "device" in keywords:
            keywords["device"] = "cpu"
        with torch.device("cpu"):
            result = op.function(*arguments, **keywords)
        if op.name == "__setitem__":
            result = arguments[0]
        return [one for one in leaves(result) if isinstance(one, torch.Tensor)]

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
        except UNREADABLE as error:
            reason = f"{type(error).__name__}: {error}"
            raise self.refused(f"how it is called can't be read: {reason}", "") from error

    def refused(self, message: str, help: str) -> Exception:
        """The error that ends the import at the op."""
        assert self.op is not None
        inside = f" (in `{self.op.module}`)" if self.op.module else ""
        if self.op.name not in message:
            message = f"`{self.op.name}`: {message}"
        error = refused(f"{message}{inside}", self.span(), help=help)
        return Unsaid(error, self.made.kinds(self.op.module))

    def uses(self, op: Op) -> str:
        """How often an op is called, and where."""
        others = [one for one in self.agreed.frame.ops() if one.name == op.name]
        places = sorted({one.module or "forward" for one in others})
        shown = ", ".join(f"`{one}`" for one in places[:3])
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        return (
            f"it is called {len(others)} time{'s' * (len(others) > 1)}, in {shown}{more}; "
            "write what it does with other functions, do it before or behind the network, or let "
            "`netdsl import --plugins-out layers.py` make a layer of the module"
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
            low = one if isinstance(one, Low) else self.low(one)
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


def _holds_its_own_layer(region: Region) -> bool:
    return any(isinstance(one, Call) and one.path == region.path for one in region.items)


def _path(path: str) -> Path:
    return tuple(path.split(".")) if path else ()


def _sizes(low: Low) -> list[int | str]:
    """The traced shape that a value stands for, in the first run."""
    sizes = [low.size(place) for place in range(low.rank)]
    return ["batch" if size is None else size[0] for size in sizes]
