"""The graph as it is exported: an operator a box, without blocks or folding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdsl.backends.diagram.blocks.labels import Label
from netdsl.backends.diagram.blocks.leaf import Leaf, end_leaf, sized, turned
from netdsl.backends.diagram.blocks.legend import legend_of
from netdsl.backends.diagram.blocks.marks import marked
from netdsl.backends.diagram.blocks.rows import Piece
from netdsl.backends.diagram.blocks.sheet import Sheet
from netdsl.backends.diagram.blocks.wiring import INPUT, OUTPUT, Wire
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.scene import Item, Picture
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.backends.diagram.units import Unit
from netdsl.ir.graph import Value

_KINDS = {
    "Conv": "conv", "ConvTranspose": "conv", "MaxPool": "pool", "AveragePool": "pool",
    "GlobalAveragePool": "pool", "GlobalMaxPool": "pool", "LpPool": "pool", "ReduceMean": "pool",
    "ReduceMax": "pool", "Gemm": "dense", "MatMul": "dense", "Add": "merge", "Sum": "merge",
    "Concat": "merge", "Mul": "merge", "Sub": "merge", "Resize": "up", "DepthToSpace": "up",
    "BatchNormalization": "norm", "LRN": "norm", "LayerNormalization": "norm",
    "InstanceNormalization": "norm", "GroupNormalization": "norm", "Relu": "act",
    "LeakyRelu": "act", "Clip": "act", "Sigmoid": "act", "Tanh": "act", "Softmax": "act",
    "HardSwish": "act", "HardSigmoid": "act", "Elu": "act", "Selu": "act", "Gelu": "act",
}  # fmt: skip
_FORMS = {"pool": "shrink", "up": "grow", "act": "pill"}


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of the exported graph; `value` is what it gives, where that is known."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: str = ""


@dataclass(frozen=True, slots=True)
class Exported:
    """The exported graph: names of inputs and outputs, operators, shapes by name of tensor."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    operators: tuple[Operator, ...]
    shapes: dict[str, str]


def ops_picture(exported: Exported, options: Options) -> Picture:
    """Operators in rows. Raises `EngineError`."""
    return _OpsSheet(exported, options).picture()


class _OpsSheet(Sheet):
    def __init__(self, exported: Exported, options: Options) -> None:
        self.exported, self.options, self.title = exported, options, exported.name
        self.keys, self.training = {}, set()
        self.boxes = {
            f"{INPUT}{n}": end_leaf(name, "input") for n, name in enumerate(exported.inputs)
        }
        for number, operator in enumerate(exported.operators):
            self.boxes[f"u{number}"] = turned(_box(operator), options)
        for number, name in enumerate(exported.outputs):
            self.boxes[f"{OUTPUT}{number}"] = end_leaf(name, "output")
        self.items: list[str | Unit] = list(self.boxes)
        self.first_late = len(self.items)
        self.names: dict[Value, str] = {}
        self.wires = marked(*self._wired(), self.boxes)

    def _wired(self) -> tuple[list[Wire], dict[str, int]]:
        makers = {name: f"{INPUT}{n}" for n, name in enumerate(self.exported.inputs)}
        tensors: dict[str, Value] = {}
        wires: list[Wire] = []
        depths: dict[str, int] = {}

        def connect(name: str, head: str, port: int) -> None:
            value = tensors.setdefault(name, _Named(name))  # type: ignore[arg-type]
            self.names[value] = name
            wires.append(Wire(makers[name], head, value, port))
            depths[head] = max(depths.get(head, 0), depths.get(makers[name], 0) + 1)

        for number, operator in enumerate(self.exported.operators):
            for port, name in enumerate(operator.inputs):
                if name in makers:  # weights and constants are no boxes
                    connect(name, f"u{number}", port)
            makers.update((name, f"u{number}") for name in operator.outputs)
        for number, name in enumerate(self.exported.outputs):
            connect(name, f"{OUTPUT}{number}", 0)
        return wires, depths

    def piece(self, item: str | Unit) -> Piece:
        assert isinstance(item, str)
        box = self.boxes[item]
        return Piece(box.width + 60, box.height, "")

    def caption(self, row: Sequence[str | Unit]) -> tuple[str, str]:
        first = next((key for key in row if isinstance(key, str) and key[0] == "u"), "")
        return (f"from {int(first[1:]) + 1}" if first else "", "")

    def shown_shape(self, wire: Wire) -> str:
        if "shapes" not in self.options.written:
            return ""
        return self.exported.shapes.get(self.names[wire.value], "")

    def legend(self, room: float | None) -> list[Item]:
        return legend_of(self.boxes.values(), None, ShapeNames(()), False, room)

    def lines(self, room: float | None = None) -> list[str]:
        return [f"{len(self.exported.operators):,} operators, as exported; shapes with the batch"]


class _Named:
    """A tensor of the exported graph, which wires tell apart by identity."""

    def __init__(self, name: str) -> None:
        self.name = name


def _box(operator: Operator) -> Leaf:
    kind = _KINDS.get(operator.kind, "move")
    name = operator.outputs[0] if operator.outputs else ""
    lines = tuple(line for line in (name, operator.settings) if line)
    return sized(None, kind, Label(operator.kind, lines), form=_FORMS.get(kind, "sharp"))


def short(settings: dict[str, object]) -> str:
    """The settings that say most, in one line: `3×3 /2 pad 1`."""
    parts: list[str] = []
    for name, sign in (("kernel_shape", ""), ("strides", "/"), ("dilations", "dilation ")):
        numbers = settings.get(name)
        if isinstance(numbers, list | tuple) and (not sign or set(numbers) != {1}):
            parts.append(sign + TIMES.join(map(str, numbers)))
    pads = settings.get("pads")
    if isinstance(pads, list | tuple) and any(pads):
        parts.append("pad " + ",".join(map(str, pads)))
    for name in ("group", "axis"):
        if settings.get(name, 1) != 1:
            parts.append(f"{name} {settings[name]}")
    return " ".join(parts)
