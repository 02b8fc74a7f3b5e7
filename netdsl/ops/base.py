"""What every op is: a frozen class with typed fields, one shape rule, weights, cost, recipes."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, field, fields
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, ClassVar, NoReturn

from netdsl.ir.condition import Truth
from netdsl.ir.dim import Size
from netdsl.ir.graph import Needed, WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops.cells import Product, Reads
from netdsl.ops.params import Kind, Same, show
from netdsl.ops.recipe import TorchRecipe

if TYPE_CHECKING:
    from netdsl.ops.lowering import Lowering, OnnxValue

Tensors = tuple[Tensor, ...]


class Refusal(Exception):
    """A stage that no size makes legal; `at` names the field or input at fault (`in`, `in[1]`)."""

    def __init__(
        self, at: str, message: str, *, code: str, notes: tuple[str, ...], help: str
    ) -> None:
        super().__init__(message)
        self.at, self.message, self.code, self.notes, self.help = at, message, code, notes, help


@dataclass(slots=True)
class Rules:
    """Handed to a shape rule: it states what it requires and refuses what can't be."""

    needed: list[Needed] = field(default_factory=list)

    def require(
        self,
        truth: Truth,
        at: str,
        message: str,
        *,
        code: str = "shape-mismatch",
        notes: tuple[str, ...] = (),
        help: str = "",
        training_only: bool = False,
        unless_batch: int = 0,
    ) -> None:
        """Proved: nothing. Refuted: a `Refusal`. True for some sizes: into the size contract.

        `message` says what is required and why, with the values (`kernel 7 is larger than the
        padded height H + 2`). What only training needs refuses no network; with `unless_batch`,
        batches of that many samples do not need it.
        """
        if truth is True:
            return
        if truth is False and not training_only:
            raise Refusal(at, message, code=code, notes=notes, help=help)
        self.needed.append(Needed(truth, at, message, code, training_only, unless_batch, help))

    def refuse(
        self,
        at: str,
        message: str,
        *,
        code: str = "shape-mismatch",
        notes: tuple[str, ...] = (),
        help: str = "",
    ) -> NoReturn:
        """This can't be, whatever the sizes."""
        raise Refusal(at, message, code=code, notes=notes, help=help)


@dataclass(frozen=True, slots=True)
class Window:
    """What output position i sees along one axis.

    These are the cells from `start + i*stride` to `size - 1` further on, both ends included. Where
    a layer enlarges, the ends are fractions, and the cells are the whole numbers between them.
    `dilation` is the distance between the cells that are seen. With `is_loose` only some of the
    cells are seen, and the sizes decide which. Beyond a border a window that `wraps` sees the
    cells at the other one, one that `mirrors` those before the border.
    """

    size: int | Fraction
    stride: Fraction = Fraction(1)
    start: Fraction = Fraction(0)
    dilation: int = 1
    is_loose: bool = False
    wraps: bool = False
    mirrors: bool = False


POINTWISE = Window(1)
UNKNOWN = Window(0)
"""A part of an axis that follows no rule, or not the same at all sizes."""
BINS = Window(0, dilation=0)
"""One of several parts of an axis that cover all of it together, and follow no rule."""
Windows = tuple[Window | None, ...]
"""A window for each spatial axis; None: all of that axis."""


@dataclass(frozen=True)
class Op:
    """A layer. A subclass with a `name` is a layer of the language; nothing else registers it.

    A subclass with parameters is a frozen dataclass; one without inherits all it needs.

    The class's docstring is its reference: first line what it does, then notes, then example
    rows such as `conv(8, 3): [3, 8, 8] -> [8, 6, 6]` (several shapes joined by `, `), each of
    which is run against the shape rule and against PyTorch.
    """

    name: ClassVar[str] = ""
    family: ClassVar[str] = ""
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """Fewest and most inputs (None: any number), without those a field refers to by `FromValue`."""
    takes_weights: ClassVar[bool] = False
    """Whether an input may be a learned `weight`, which has no batch axis."""
    is_view: ClassVar[bool] = False
    """Whether, at inference, PyTorch gives parts of input 0 itself and no numbers of their own."""

    def __init_subclass__(cls) -> None:
        builtin_layers.cache_clear()

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        """The results' types. Never called with a wrong number of inputs.

        Raises `Refusal` through `rules`.
        """
        raise NotImplementedError

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        """Learned tensors and buffers; called after `infer` accepted the inputs."""
        return ()

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        """Multiply-adds of convolutions and matrix products for one sample."""
        return 0

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        """How many input values each output value reads at inference, summed over output values.

        A value that is read twice counts once. Cells of padding that hold a constant are no
        values, nor are learned weights (inputs without a batch). None: not known.
        """
        windows = self.windows(inputs, outputs)
        if windows is None or any(window != POINTWISE for window in windows):
            return None
        return elements(outputs) * sum(x.batched for x in inputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows | None:
        """What one output position sees of each input, an axis each; None: all of it."""
        return tuple(POINTWISE for _ in inputs[0].spatial)

    def reads(
        self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0
    ) -> Reads | None:
        """Which numbers of its inputs some numbers of a result depend on, at inference.

        Exactly those that can change it: padding and cells of weight zero are none. `result` is
        the number of the result; all sizes are numbers; inputs without a batch may be left out.
        None: not known.
        """
        return None

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        """The recipe for PyTorch."""
        raise NotImplementedError

    def onnx(self, to: Lowering) -> OnnxValue | tuple[OnnxValue, ...]:
        """Writes what inference computes as ONNX nodes, right at every size of the contract.

        Returns the results; an input where nothing is computed. Raises `Refusal` (through
        `to.refuse`) where ONNX has no form that is right.
        """
        to.refuse(f"`{self.name}` has no form in ONNX yet")


def elements(tensors: Tensors) -> Size:
    """How many numbers they hold."""
    found: Size = 0
    for tensor in tensors:
        count: Size = 1
        for size in tensor.shape:
            count = count * size
        found = found + count
    return found


@cache
def builtin_layers() -> dict[str, type[Op]]:
    """The ops of this package by name, computed from the subclasses that have been imported."""
    home = __name__.rpartition(".")[0]
    return {op.name: op for op in _subclasses(Op) if op.name and op.__module__.startswith(home)}


PLUGGED: ContextVar[dict[str, type[Op]] | None] = ContextVar("layers", default=None)
"""All layers, where plug-ins are in force (see ops/plugins.py)."""


def registry() -> dict[str, type[Op]]:
    """All ops of the language by name, plug-ins in force included."""
    return PLUGGED.get() or builtin_layers()


def _subclasses(base: type[Op]) -> Iterator[type[Op]]:
    for child in base.__subclasses__():
        yield child
        yield from _subclasses(child)


@dataclass(frozen=True, slots=True)
class OpParameter:
    """A formal parameter of an op; `named` ones are given by name only."""

    name: str
    kind: Kind
    doc: str
    required: bool
    default: object
    named: bool = False


@cache
def parameters(op: type[Op]) -> tuple[OpParameter, ...]:
    """The parameters of an op in order, read from its fields."""
    found: list[OpParameter] = []
    for spec in fields(op):
        default = spec.default
        if spec.default_factory is not MISSING:
            default = spec.default_factory()
        required = default is MISSING
        found.append(
            OpParameter(
                spec.name,
                spec.metadata["kind"],
                spec.metadata["doc"],
                required,
                None if required else default,
                spec.metadata.get("named", False),
            )
        )
    return tuple(found)


def written(op: Op) -> str:
    """An op as it is written, without what is so by default."""
    parts: list[str] = []
    for spec in parameters(type(op)):
        value, default = getattr(op, spec.name), spec.default
        same = getattr(op, default.parameter) if isinstance(default, Same) else default
        if spec.required or value != same:
            parts.append(show(value) if spec.required else f"{spec.name}={show(value)}")
    return f"{op.name}({', '.join(parts)})" if parts else op.name
