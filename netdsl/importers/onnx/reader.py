"""Makes the program: calls of layers with the types of their results, tables, numbers, paths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from netdsl.importers.onnx import scopes
from netdsl.importers.onnx.meanings import meaning
from netdsl.importers.onnx.model import Model, Node, shown
from netdsl.importers.onnx.names import Names, as_name, split_key, tells, trimmed
from netdsl.importers.onnx.quantity import BATCH, Plain, Quantity, of_axis
from netdsl.importers.onnx.values import (
    B,
    Data,
    Group,
    Known,
    Odd,
    Ramp,
    Share,
    Table,
    Thing,
    our_dtype,
    plain_groups,
)
from netdsl.importers.program import Axis, Call, Path, Setting, Value
from netdsl.importers.program import Table as WeightTable
from netdsl.ir.dim import Dim
from netdsl.ir.tensor import Tensor
from netdsl.ops import registry
from netdsl.ops.op_parameters import parameters
from netdsl.ops.params import FromValue, Mismatch, Same
from netdsl.ops.refusal import Refusal
from netdsl.ops.rule import Rulebook

if TYPE_CHECKING:
    import numpy

MOST_WRITTEN = 8
"""Numbers of a constant that are written out in the text."""


class Reader:
    """What handlers of operators read from, and write to."""

    def __init__(self, model: Model, batch: int | None) -> None:
        self.model, self.batch = model, batch
        self.things: dict[str, Thing] = {}
        self.odd: dict[str, Odd] = {}
        self.enlarged: dict[Value, tuple[Value, list[int | Quantity]]] = {}
        self.types: dict[Value, Tensor] = {}
        self.items: list[tuple[Node | None, Call | WeightTable]] = []
        self.numbers: dict[str, Callable[[], numpy.ndarray]] = {}
        self.remarks: dict[str, None] = {}
        self.names = Names()
        self.wanted = {name for node in model.nodes for name in node.inputs}
        self.wanted |= {port.name for port in model.outputs}
        self._uses = Counter(name for node in model.nodes for name in node.inputs)
        self._uses.update(port.name for port in model.outputs)
        self._makers: dict[Value, Call] = {}
        self._names_of: dict[Value, list[str]] = {}
        self._axes: dict[Dim, Axis] = {}
        self._rule = Rulebook()
        self._tables: dict[object, Table] = {}
        self._layers: dict[object, Path] = {}
        self._keep: list[object] = []  # what is told apart by its identity

    # --- what flows in ---------------------------------------------------------------------

    def thing(self, node: Node, index: int) -> Thing:
        """Input number `index` of a node."""
        name = node.inputs[index] if index < len(node.inputs) else ""
        if not name:
            node.refuse(f"input {index} is missing")
        if name in self.odd:
            return self._plain(node, self.odd[name])
        if name not in self.things:
            node.refuse(f"`{shown(name)}` is used before it is computed", code="unknown-name")
        return self.things[name]

    def optional(self, node: Node, index: int) -> Thing | None:
        """The same, or None where it is left out."""
        has = index < len(node.inputs) and bool(node.inputs[index])
        return self.thing(node, index) if has else None

    def _plain(self, node: Node, odd: Odd) -> Table:
        """A row of positions as a table: those of the cells of a value with such an axis."""
        is_compared = node.operator in ("Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal")
        if isinstance(odd, Share) or odd.share is not None:
            node.refuse("it computes places from open sizes in a way that has no word")
        if not (is_compared or odd.dtype == "float32"):
            node.refuse("whole numbers as many as an open size have no word here")
        return self.row(node, odd)

    def row(self, node: Node, ramp: Ramp) -> Table:
        """The numbers from 0 on below the size of an axis, as a table."""
        axis = self.named(ramp.size).number
        if not isinstance(axis, Axis):
            node.refuse(f"no value has an axis of {ramp.size}, whose cells could be counted")
        value = axis.value
        for other in range(self.types[value].rank):
            if other != axis.axis:
                value = self.one(node, "slice", value, axis=other, start=0, stop=1)
        value = self.one(node, "reshape", value, shape=[1, -1])
        value = self.one(node, "positions", value)
        if (ramp.front, ramp.behind) != (1, 0):
            shape: list[Setting] = [*[1] * ramp.front, -1, *[1] * ramp.behind]
            value = self.one(node, "reshape", value, shape=shape)
        return Table(value, self.types[value], "float32")

    def data(self, node: Node, index: int = 0) -> Data:
        """An input that flows, its batch first and alone."""
        thing = self.thing(node, index)
        if isinstance(thing, Data) and thing.is_plain:
            return thing
        name = shown(node.inputs[index])
        if not isinstance(thing, Data):
            node.refuse(f"`{name}` is the same for all samples, and takes no part in the batch")
        place = thing.batch
        node.refuse(
            f"the batch lies in axis {place} of `{name}`, and the operator works on samples "
            f"that lie along axis 0"
        )

    def known(self, node: Node, index: int) -> Known:
        """An input whose numbers the file has."""
        thing = self.thing(node, index)
        if not isinstance(thing, Known):
            node.refuse(f"`{shown(node.inputs[index])}` is computed, and the layer needs numbers")
        return thing

    def numbers_of(self, node: Node, index: int) -> list[Plain]:
        """The entries of an input that says sizes, axes, amounts: each a number or a size."""
        one = self.known(node, index)
        if one.count > 1000:
            node.refuse(f"`{shown(node.inputs[index])}` has {one.count} numbers")
        return cast("list[Plain]", one.array.reshape(-1).tolist())

    def ints_of(self, node: Node, index: int) -> tuple[int, ...]:
        """The same where all are known whole numbers."""
        numbers = self.numbers_of(node, index)
        for one in numbers:
            if isinstance(one, Quantity) or int(one) != one:
                node.refuse(
                    f"`{shown(node.inputs[index])}` holds {one}, and a known number is needed",
                    code="needs-fixed-size",
                )
        return tuple(int(cast(int, one)) for one in numbers)

    def is_used(self, node: Node, index: int) -> bool:
        """Whether something takes an output."""
        return index < len(node.outputs) and node.outputs[index] in self.wanted

    def know(self, value: Value, tensor: Tensor) -> None:
        """Keep the type of a value, and which sizes its axes have."""
        self.types[value] = tensor
        for axis, size in enumerate(tensor.shape):
            if isinstance(size, Dim):
                self._axes.setdefault(size, Axis(value, axis))

    def named(self, size: Quantity) -> Quantity:
        """A size as that of an axis of the first value that has such an axis."""
        axis = self._axes.get(size.dim) if size.over == 1 else None
        return size if axis is None else Quantity(size.dim, axis)

    def is_taken_once(self, value: Value) -> bool:
        """Whether one input or output of the graph takes a value, by any of its names."""
        return sum(self._uses[name] for name in self._names_of.get(value, ())) == 1

    def give_changed(self, node: Node, data: Data) -> None:
        """Let an output stand for a value that the node has changed, which nothing else takes."""
        self._names_of[data.value] = []
        changed = self._makers[data.value].path  # other calls with its weights have their own now
        self._layers = {key: path for key, path in self._layers.items() if path != changed}
        self.give(node, data)

    def maker(self, value: Value) -> Call | None:
        """The call that a value is a result of."""
        return self._makers.get(value)

    def times_called(self, path: Path) -> int:
        """How many calls share the weights of a path."""
        return sum(isinstance(item, Call) and item.path == path for _, item in self.items)

    # --- sizes -----------------------------------------------------------------------------

    def sizes(self, thing: Thing) -> list[Plain]:
        """The size of each of ONNX's axes."""
        if isinstance(thing, Known):
            return [self.batch_size if n == thing.batch else s for n, s in enumerate(thing.shape)]
        if isinstance(thing, Table):
            return [self.axis_size(thing, axis) for axis in range(thing.rank)]
        result: list[Plain] = []
        for group in thing.groups:
            total: Plain = 1
            for axis in group:
                size = self.batch_size if axis == B else self.axis_size(thing, axis)
                total = total * size
            result.append(total)
        return result

    @property
    def batch_size(self) -> int | Quantity:
        """The size of the batch axis in the file."""
        return self.batch if self.batch is not None else Quantity(BATCH, None)

    def axis_size(self, thing: Data | Table, axis: int) -> int | Quantity:
        """The size of one of our axes."""
        return of_axis(thing.type.shape[axis], Axis(thing.value, axis))

    def axis(self, node: Node, thing: Thing, axis: int) -> int:
        """One of ONNX's axes as one of ours."""
        rank = thing.rank
        if not -rank <= axis < rank:
            node.refuse(f"there is no axis {axis}, as the value has {rank}")
        axis %= rank
        if not isinstance(thing, Data):
            return axis
        group = thing.groups[axis]
        if len(group) != 1 or group == (B,):
            node.refuse(f"it works along axis {axis}, where the batch lies: samples stay apart")
        return group[0]

    # --- what comes out --------------------------------------------------------------------

    def give(self, node: Node, thing: Thing, index: int = 0) -> None:
        """Let an output stand for this."""
        name = node.outputs[index] if index < len(node.outputs) else ""
        if not name:
            return
        if name in self.things:
            node.refuse(f"`{shown(name)}` is computed twice", code="name-taken")
        self.things[name] = thing
        if not isinstance(thing, Known):
            self._names_of.setdefault(thing.value, []).append(name)

    def give_result(
        self, node: Node, value: Value, groups: tuple[Group, ...] | None = None, dtype: str = "",
        index: int = 0,
    ) -> None:  # fmt: skip
        """Let an output stand for a result of a call."""
        self.give(node, self.result(node, value, groups, dtype), index)

    def result(
        self, node: Node, value: Value, groups: tuple[Group, ...] | None = None, dtype: str = ""
    ) -> Data | Table:
        """A result of a call as a value of ONNX; its element type is that of the first input."""
        tensor = self.types[value]
        dtype = dtype or self._dtype(node, tensor)
        if not tensor.batched:
            return Table(value, tensor, dtype)
        return Data(value, tensor, groups or plain_groups(tensor.rank), dtype)

    def _dtype(self, node: Node, tensor: Tensor) -> str:
        for name in node.inputs:
            thing = self.things.get(name)
            if isinstance(thing, Data | Table) and our_dtype(thing.dtype) == tensor.dtype:
                return thing.dtype
        return tensor.dtype

    # --- calls -----------------------------------------------------------------------------

    def call(
        self,
        node: Node,
        layer: str,
        inputs: Sequence[Value],
        settings: Mapping[str, Setting] | None = None,
        *,
        path: Path = (),
        results: int = 1,
    ) -> list[Value]:
        """Call a layer; gives its results, whose types are then known."""
        settings = dict(settings or {})
        for value in inputs:
            assert value in self.types
        types = self._types(node, layer, inputs, settings)
        outputs = [Value(rank=len(one.shape), dtype=one.dtype) for one in types]
        if len(outputs) < results:
            node.refuse(f"`{layer}` gives {len(outputs)} values")
        for value, tensor in zip(outputs, types, strict=True):
            self.know(value, tensor)
        call = Call(layer, settings, list(inputs), outputs, node.origin, path)
        self.items.append((node, call))
        self._makers.update(dict.fromkeys(outputs, call))
        return outputs

    def one(
        self,
        node: Node,
        layer: str,
        inputs: Sequence[Value] | Value,
        path: Path = (),
        **settings: Setting,
    ) -> Value:
        """Call a layer with one result."""
        flow = [inputs] if isinstance(inputs, Value) else inputs
        return self.call(node, layer, flow, settings, path=path)[0]

    def _types(
        self, node: Node, layer: str, inputs: Sequence[Value], settings: Mapping[str, Setting]
    ) -> tuple[Tensor, ...]:
        op, flow = registry()[layer], [self.types[value] for value in inputs]
        bound: dict[str, object] = {}
        for one in parameters(op):
            if one.name not in settings:
                if isinstance(one.default, Same):
                    bound[one.name] = bound[one.default.parameter]
                continue
            setting = settings[one.name]
            if isinstance(setting, Value):
                bound[one.name] = FromValue(len(flow))
                flow.append(self.types[setting])
                continue
            try:
                bound[one.name] = one.kind.convert(meaning(setting, self.types))
            except Mismatch as mismatch:
                node.refuse(f"`{one.name}` of `{layer}`: {mismatch}", code="bad-argument")
        try:
            return self._rule(op(**bound), tuple(flow)).types
        except Refusal as refusal:
            node.refuse(refusal.message, code=refusal.code, help=refusal.help)

    # --- weights ---------------------------------------------------------------------------

    def layer(
        self,
        node: Node,
        layer: str,
        inputs: Sequence[Value],
        settings: Mapping[str, Setting],
        weights: Mapping[str, tuple[Known, Callable[[numpy.ndarray], numpy.ndarray]]],
        *,
        results: int = 1,
    ) -> list[Value]:
        """Call a layer with weights of its own: by key the numbers, and how they are turned."""
        names = tuple((key, weights[key][0].identity) for key in sorted(weights))
        rank = self.types[inputs[0]].rank
        identity = (layer, repr(sorted(settings.items())), names, rank)
        path = self._layers.get(identity)
        if path is None:
            path = self._layers[identity] = self.names.claim(self._path(node, layer, weights))
            self._keep.append(weights)
            for key, (one, turn) in weights.items():
                self.numbers[".".join((*path, key))] = _turned(one, turn)
        for one, _ in weights.values():
            self.note_precision(node, one.dtype)
        return self.call(node, layer, inputs, settings, path=path, results=results)

    def own_weight(
        self, node: Node, call: Call, key: str, one: Known, shape: tuple[int, ...]
    ) -> None:
        """Give a call one more weight of its own."""
        if not call.path:
            named = {key: (one, None)}
            call.path = self.names.claim(self._path(node, call.layer, named))
        self.numbers[".".join((*call.path, key))] = _turned(one, lambda a: a.reshape(shape))

    def _path(self, node: Node, layer: str, weights: Mapping[str, tuple[Known, object]]) -> Path:
        """Where the weights of a layer lie: as their names say, else as the node's scope does."""
        for key, (one, _) in weights.items():
            path, last = split_key(one.name)
            if tells(one.name) and path and last == key.split(".")[-1]:
                return path
        scope = scopes.path_of(node)
        if scope:
            return scope
        for one, _ in weights.values():
            if tells(one.name):
                path, last = split_key(one.name)
                short = trimmed(last)
                return (*path, short) if short else path or (last,)
        return (f"{layer}{len(self._layers) + 1}",)

    def table(self, node: Node, one: Known, shape: Sequence[int] | None = None) -> Table:
        """Numbers of the file as a table of the language, in a shape of as many numbers."""
        shape = tuple(one.shape if shape is None else shape)
        key = (one.identity, shape)
        if key in self._tables:
            return self._tables[key]
        dtype = our_dtype(one.dtype)
        if not dtype:
            node.refuse(f"numbers of type {one.dtype} have no counterpart", code="wrong-dtype")
        self.note_precision(node, one.dtype)
        if one.count == 0:
            node.refuse("a constant without any numbers has no counterpart")
        array = one.array if not one.is_stored or one.count <= MOST_WRITTEN else None
        if array is not None and array.dtype == object:
            node.refuse("a table whose numbers depend on open sizes has no word")
        path = self.names.claim(as_name(self._table_path(node, one)))
        value = Value(rank=len(shape), dtype=dtype)
        kind, fill = "" if one.is_stored and dtype == "float32" else "frozen", 0.0
        if array is not None and kind and (same := _written(array, dtype)) is not None:
            kind, fill = "constant", same
        else:
            self.numbers[".".join(path)] = _turned(one, lambda a: _as(a.reshape(shape), dtype))
        item = WeightTable(value, path, shape, node.origin, kind, fill)
        self.items.append((node, item))
        self.types[value] = Tensor(shape, dtype, batched=False)
        table = self._tables[key] = Table(value, self.types[value], one.dtype)
        self._keep.append(one)
        return table

    def _table_path(self, node: Node, one: Known) -> Path:
        if tells(one.name):
            path, last = split_key(one.name)
            return (*path, last)
        return (*scopes.path_of(node), "constant")

    def note_precision(self, node: Node, dtype: str) -> None:
        """Remark on numbers that are kept in another precision than the file's."""
        if dtype in ("float16", "bfloat16", "float64"):
            text = f"the file computes in {dtype}, what is read from it in float32"
            self.remarks.setdefault(text)


def _turned(
    one: Known, turn: Callable[[numpy.ndarray], numpy.ndarray]
) -> Callable[[], numpy.ndarray]:
    def read() -> numpy.ndarray:
        import numpy

        array = one.array
        if array.dtype.name in ("float16", "bfloat16", "float64"):
            array = array.astype(numpy.float32)
        return numpy.ascontiguousarray(turn(array))

    return read


def _as(array: numpy.ndarray, dtype: str) -> numpy.ndarray:
    return array.astype(dtype)


def _written(array: numpy.ndarray, dtype: str) -> float | list[float] | None:
    """The fill that a constant has in the text; None where its numbers are too many to write."""
    import numpy

    from netdsl.importers.onnx.load import decimal

    flat = array.reshape(-1)
    if not numpy.isfinite(flat.astype(numpy.float64)).all():
        return None
    convert = decimal if dtype == "float32" else int
    if (flat == flat[0]).all():
        return convert(flat[0])
    return [convert(one) for one in flat] if flat.size <= MOST_WRITTEN else None
