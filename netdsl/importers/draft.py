"""A program in the making: each call is judged by the layer's own rule at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from netdsl.diagnostics import Span
from netdsl.elaborate.arithmetic import binary
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
from netdsl.importers.settings import complete
from netdsl.ir.dim import Size, symbol
from netdsl.ir.tensor import Tensor
from netdsl.ops import registry
from netdsl.ops.base import Op
from netdsl.ops.op_parameters import OpParameter, parameters
from netdsl.ops.params import FromValue, Mismatch
from netdsl.ops.refusal import Refusal
from netdsl.ops.rule import Rulebook

MAX_CALLS = 20_000


@dataclass(eq=False, slots=True)
class Draft:
    """Calls and regions in the order they run, with the type of every value, at open sizes.

    `origin` is the place in the source that is being read. What a layer does not take ends the
    import there.
    """

    root: Region
    origin: Span
    types: dict[Value, Tensor] = field(default_factory=dict[Value, Tensor])
    open: list[Region] = field(default_factory=list[Region])
    count: int = 0
    rule: Rulebook = field(default_factory=Rulebook)

    @property
    def region(self) -> Region:
        """Where calls are put."""
        return self.open[-1] if self.open else self.root

    def input(self, shape: Sequence[int | str], dtype: str = "float32", name: str = "") -> Value:
        """A value that flows in from outside."""
        value = Value(name, dtype=dtype)
        sizes = tuple(symbol(size) if isinstance(size, str) else size for size in shape)
        self.types[value] = Tensor(sizes, dtype)
        return value

    def shape(self, value: Value) -> tuple[Size, ...]:
        """The shape of a value, the batch excluded."""
        return self.types[value].shape

    def channels(self, value: Value) -> int:
        """The channels of a map, which are always known."""
        size = self.types[value].shape[0] if self.types[value].shape else 0
        if not isinstance(size, int):
            raise refused(
                f"the number of channels is {size}, and a known one is needed", self.origin
            )
        return size

    def call(self, layer: str, *inputs: Value, path: Path = (), **settings: Any) -> Value:
        """The first result of a call; `path` is relative to the region."""
        return self.calls(layer, *inputs, path=path, **settings)[0]

    def calls(self, layer: str, *inputs: Value, path: Path = (), **settings: Any) -> list[Value]:
        """All results of a call; `path` is relative to the region."""
        self.count += 1
        if self.count > MAX_CALLS:
            message = f"the network has more than {MAX_CALLS:,} calls of layers"
            raise refused(message, self.origin, code="too-many-layers")
        whole = (*self.region.path, *path) if path else ()
        call = Call(layer, settings, list(inputs), [], self.origin, whole)
        types = self._judged(call)
        call.outputs = [Value(dtype=one.dtype) for one in types]
        self.types.update(zip(call.outputs, types, strict=True))
        self.region.items.append(call)
        return list(call.outputs)

    def table(
        self,
        path: Path,
        shape: tuple[int, ...],
        fill: float | list[float] | str = 0.0,
        kind: str = "",
        dtype: str = "float32",
    ) -> Value:
        """A weight that is no layer's own; `path` is relative to the region."""
        value = Value(dtype=dtype)
        self.types[value] = Tensor(shape, dtype, batched=False)
        whole = (*self.region.path, *path)
        self.region.items.append(Table(value, whole, shape, self.origin, kind, fill))
        return value

    @contextmanager
    def within(self, path: Path, kind: str, *inputs: Value, **settings: object) -> Iterator[Region]:
        """What the source holds together; `result` says what it gives."""
        own = (*self.region.path, *path)
        with self._opened(Region(own, kind, self.origin, inputs=[*inputs], settings=settings)) as r:
            yield r

    @contextmanager
    def in_row(self, path: Path, *inputs: Value, kind: str = "Sequential") -> Iterator[Region]:
        """What lies in a sequence, numbered by places."""
        own = (*self.region.path, *path)
        row = Region(own, kind, self.origin, inputs=[*inputs], is_sequence=True)
        with self._opened(row):
            yield row

    @contextmanager
    def _opened(self, region: Region) -> Iterator[Region]:
        self.region.items.append(region)
        self.open.append(region)
        try:
            yield region
        finally:
            self.open.pop()

    def result(self, *values: Value) -> Value:
        """What the region gives; the first of it."""
        self.region.outputs = list(values)
        return values[0]

    def _judged(self, call: Call) -> tuple[Tensor, ...]:
        """The types of the results, by the rule of the layer."""
        op, values = self._op(call)
        inputs = tuple(self.types[value] for value in (*call.inputs, *values))
        least, most = op.inputs_taken()
        if not least <= len(call.inputs) <= (most if most is not None else len(call.inputs)):
            message = f"`{op.name}` does not take {len(call.inputs)} values"
            raise refused(message, self.origin, code="wrong-inputs")
        try:
            return self.rule(op, inputs).types
        except Refusal as refusal:
            raise refused(
                refusal.message, self.origin, code=refusal.code, help=refusal.help
            ) from None

    def _op(self, call: Call) -> tuple[Op, list[Value]]:
        """The layer with its settings, and the values that these name."""
        kind = cast("type[Op]", registry()[call.layer])
        settled = complete(call)
        values: list[Value] = []
        fields: dict[str, object] = {}
        for one in parameters(kind):
            if one.name in settled:
                fields[one.name] = self._field(one, settled[one.name], len(call.inputs), values)
            elif not one.required:
                fields[one.name] = one.default
        return kind(**fields), values

    def _field(
        self, one: OpParameter, setting: Setting, before: int, values: list[Value]
    ) -> object:
        if isinstance(setting, Value):
            values.append(setting)
            return FromValue(before + len(values) - 1)
        try:
            plain = setting if isinstance(setting, str | bool) else self.number(setting)
            return setting if plain is None else one.kind.convert(plain)
        except Mismatch as mismatch:
            message = f"`{one.name}`: {mismatch}"
            raise refused(message, self.origin, code="bad-argument") from None

    def number(self, setting: object) -> object:
        """A setting with sizes in the place of what computes them."""
        if isinstance(setting, Axis):
            return self.types[setting.value].shape[setting.axis]
        if isinstance(setting, Computed):
            left, right = map(self.number, setting.operands)
            if setting.operator == "/":  # exact, which the text requires where it is checked
                return binary("//", left, right)
            return binary(setting.operator, left, right)
        if isinstance(setting, tuple):
            return tuple(self.number(one) for one in cast("tuple[Number, ...]", setting))
        if isinstance(setting, list):
            return [self.number(one) for one in cast("list[Setting]", setting)]
        return setting
