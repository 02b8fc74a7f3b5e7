"""What every op is: a frozen class with typed fields, one shape rule, weights, cost, recipes."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import ClassVar, cast

from netdsl.ir.dim import Size
from netdsl.ir.graph import Node, WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops.cells import Product, Reads
from netdsl.ops.facts import (
    FAMILIES,
    Bins,
    Doubt,
    Index,
    Products,
    Saved,
    Scores,
    Shares,
    SizeRule,
    SizeText,
    Sliding,
    Storage,
    Tiling,
    Work,
    by,
    kernel_words,
    stride_words,
)
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.op_parameters import OpParameter, parameters, value_parameters
from netdsl.ops.params import FromValue, Same
from netdsl.ops.recipe import TorchRecipe
from netdsl.ops.refusal import Rules

Tensors = tuple[Tensor, ...]


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
    keyword: ClassVar[str] = ""
    """The word of the language behind an op that is no layer by itself: `weight`."""
    changes_items: ClassVar[bool] = False
    """Whether it gives items of what comes in, or joins items."""
    takes_weights: ClassVar[bool] = False
    """Whether it takes tables (weights, and what is computed from them: there is no batch axis)
    itself; else they run as a batch of one, or spread over the samples they meet."""
    over_batch: ClassVar[bool] = False
    """Whether it computes with all samples together, so that a table can't enter."""
    gives_several: ClassVar[bool] = False
    """Whether its settings decide how many results it has."""
    wrong_names: ClassVar[str] = ""
    """What to write where another number of names is given to its results."""
    elsewhere: ClassVar[str] = ""
    """What the very same is called in other frameworks: small letters, without `_`, `1d`, `2d`."""
    stands_for: ClassVar[str] = ""
    """The class of PyTorch whose modules an import reads as this layer: `package.module:Class`."""

    work: ClassVar[Work] = Work.COMPUTES
    zoom: ClassVar[int] = 0
    """1 for a layer that enlarges maps, -1 for one that shrinks them."""
    channels_at: ClassVar[int | None] = None
    """The axis where it looks for channels: 0, of maps; -1, of tokens; None: it asks for none."""
    is_associative: ClassVar[bool] = False
    """Whether a call on the result of another with the same settings is one call on all."""
    is_commutative: ClassVar[bool] = False
    """Whether its first two inputs may change places, and the numbers stay the very same."""
    joins_axes: ClassVar[bool] = False
    """Whether one index of a result decides places along several axes of what comes in."""
    matrix: ClassVar[bool] = False
    """Whether it is a full matrix on the last axis."""
    takes_mean: ClassVar[bool] = False
    """Whether what is added to a whole channel has no effect on the result."""
    keeps: ClassVar[str] = ""
    """What PyTorch keeps of a call until gradients are computed, weights aside: `nothing`,
    `inputs`, `result`; empty where it is not known, or where `saved` tells."""

    centres: ClassVar[bool] = False
    """Whether it takes a mean off that the file gives, and divides by a deviation."""

    is_built: ClassVar[bool] = True
    """Whether its result is known; not so of what stands in a draft for what is wrong."""
    title: ClassVar[str] = ""
    """Its name in pictures, in plain words; `name` with spaces unless stated."""
    gives: ClassVar[str] = ""
    """What a window gives, in a word: `max`."""
    sign: ClassVar[str] = ""
    """The sign that stands for it in pictures: `+`."""
    in_place: ClassVar[bool] = False
    """Whether pictures show it as a change of the value that comes in, where shapes agree."""
    leads: ClassVar[bool] = False
    """Whether a norm and an activation behind it are drawn with it."""

    drawn_as: ClassVar[str] = ""
    """What a policy of initialisation takes it for: `conv`, `conv_transpose`, `linear`; or none."""
    matrices: ClassVar[tuple[str, ...]] = ("weight",)
    """Keys of the weights that such a policy draws, and of those that it begins like biases."""
    biases: ClassVar[tuple[str, ...]] = ("bias",)
    holds: ClassVar[tuple[str, ...]] = ()
    """Modules of torch with weights that its own module is made of."""

    def __init_subclass__(cls) -> None:
        """A class that states a family has its facts, where it states none of its own."""
        builtin_layers.cache_clear()
        stated = vars(cls)
        for fact, value in FAMILIES.get(cls.family, {}).items() if "family" in stated else ():
            if fact not in stated:
                setattr(cls, fact, value)
        if "name" in stated and "title" not in stated:
            cls.title = cls.name.replace("_", " ")

    def inputs_taken(self) -> tuple[int, int | None]:
        """Fewest and most inputs with these settings."""
        return self.arity

    def passes(self, count: int) -> bool:
        """Whether it gives the one value that comes in as it is, if its type stays."""
        return count == 1 and (self.work is Work.PASSES or self.is_associative)

    def miscounted(self, count: int) -> tuple[str, str] | None:
        """Where another number of values comes in: what to say, and what to do, if it knows."""
        return None

    def alone(self) -> tuple[str, str] | None:
        """Why one value can't come in that was not written as a list of values, and what to do."""
        return None

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

    def windows_into(self, inputs: Tensors, outputs: Tensors, index: int) -> Windows | None:
        """The same of input number `index`, where not all are seen alike."""
        return self.windows(inputs, outputs)

    def reads(
        self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0
    ) -> Reads | None:
        """Which elements of its inputs some elements of a result depend on, at inference.

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

    def settings(self) -> Iterator[tuple[OpParameter, object]]:
        """Its parameters, each with its value."""
        return ((part, getattr(self, part.name)) for part in parameters(type(self)))

    # --- facts that settings and shapes decide ---------------------------------------------

    def storage(self, inputs: Tensors, outputs: Tensors) -> Storage:
        """Where PyTorch keeps the results at inference."""
        return Storage.VIEW if self.work in (Work.PASSES, Work.DROPS) else Storage.OWN

    def axis_origins(self, inputs: Tensors, outputs: Tensors) -> tuple[int | None, ...]:
        """For each axis of a result the axis that it was in the first input with a batch.

        None: it is another one, or several in one.
        """
        rank = outputs[0].rank
        flows = [x for x in inputs if x.batched]
        return tuple(range(rank)) if flows and flows[0].rank == rank else (None,) * rank

    def shuffles(self) -> int:
        """1 where channels become cells of a larger map, -1 where cells become channels."""
        return self.zoom if self.work is Work.MOVES else 0

    def sliding(self) -> Sliding | None:
        """The windows that it slides over a map, read off the fields that are called so."""
        own = {parameter.name: value for parameter, value in self.settings()}
        if "kernel" not in own:
            return None
        return Sliding(**{at: own[at] for at in Sliding.__dataclass_fields__ if at in own})  # type: ignore[arg-type]

    def shown_stride(self) -> object:
        """The stride of these windows: one for all axes, or one each."""
        sliding = self.sliding()
        return 1 if sliding is None else sliding.stride

    def shown_sign(self) -> str:
        """The sign that stands for this call by itself."""
        return self.sign

    def size_inputs(self) -> frozenset[int]:
        """Numbers of the inputs of which the size alone is read."""
        return frozenset(
            value.index
            for name, kind in value_parameters(type(self))
            if isinstance(value := getattr(self, name), FromValue) and not kind.reads_value
        )

    def table_inputs(self) -> frozenset[int]:
        """Numbers of the inputs that are tables in place of weights of its own."""
        return frozenset(
            value.index
            for name, kind in value_parameters(type(self))
            if isinstance(value := getattr(self, name), FromValue) and kind.is_table
        )

    def takes_table(self, index: int) -> bool:
        """Whether it takes a table itself as input number `index`, also beside samples."""
        return self.takes_weights or index in self.table_inputs()

    def named_inputs(self) -> int:
        """How many inputs are given by name: the last ones."""
        names = (name for name, _ in value_parameters(type(self)))
        return sum(isinstance(getattr(self, name), FromValue) for name in names)

    def joined_axis(self, rank: int) -> int | None:
        """The axis along which it puts values one after the other, counted from 0."""
        return None

    def cut_axis(self, rank: int) -> int | None:
        """The axis of which it gives a part, counted from 0."""
        return None

    def reads_all_channels(self) -> bool:
        """Whether each channel of a map that it gives reads all channels that come in."""
        return False

    def bins_of(self, inputs: Tensors, outputs: Tensors) -> Bins | None:
        """Which cells each bin takes, where it pools into bins; all sizes are numbers."""
        return None

    def tiling(self, inputs: Tensors, outputs: Tensors) -> Tiling | None:
        """The windows within which the cells of a map see each other, where there are such."""
        return None

    def size_rules(self, inputs: Tensors, outputs: Tensors) -> tuple[SizeRule, ...]:
        """How the sizes of its result are worked out, where that takes a formula."""
        return ()

    def products(self, inputs: Tensors, outputs: Tensors, index: Index) -> Products | None:
        """What an element of its result adds up: elements of input 0, each with its weight.

        Padding of zeros is left out, and so is a bias. All sizes are numbers. None: it is no sum
        of products with `weight`.
        """
        return None

    def shares(self, inputs: Tensors, outputs: Tensors, index: Index) -> Shares | None:
        """What an element of its result adds up where nothing is learned: elements of input 0.

        Those with a share of zero are left out. All sizes are numbers. None: it is no such sum.
        """
        return None

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved | None:
        """What PyTorch keeps of it for the gradients, in training. None: not known."""
        if not self.keeps and self.work is not Work.PASSES:
            return None
        every = tuple(range(len(inputs))) if self.keeps == "inputs" else ()
        return Saved(every, outputs=self.keeps == "result")

    def bias_axis(self, rank: int) -> int | None:
        """The axis along which it adds a bias to its result."""
        return None

    def scores(self, inputs: Tensors, outputs: Tensors) -> Scores | None:
        """What the numbers of its result are as scores of classes; None: not said."""
        return None

    def share_dropped(self) -> float:
        """The share of the elements that it drops in training."""
        return 0.0

    def doubt(self, inputs: Tensors) -> Doubt | None:
        """What its settings look as if they were meant for, where they are legal by chance."""
        return None

    def larger_by(self, cells: int) -> str:
        """The setting that would make each axis of the result so many cells larger, if any."""
        return ""

    # --- words for pictures ----------------------------------------------------------------

    def headline(self, inputs: Tensors) -> str:
        """Its title, and what it can't be told without: `max pool 3×3 /2`."""
        windows = self.sliding()
        if windows is None:
            return self.title
        kernel = kernel_words(windows.kernel, len(inputs[0].spatial))
        return f"{self.title} {kernel}{stride_words(windows.stride)}"

    def told(self, inputs: Tensors, outputs: Tensors, size: SizeText = str) -> tuple[str, ...]:
        """Its other settings that are not the usual, each in a few words: `3 heads`, `window 7`.

        `size` says how a size is written.
        """
        windows = self.sliding()
        of_windows = Sliding.__dataclass_fields__ if windows is not None else ()
        own = (p.told_of(value) for p, value in stated(self) if p.name not in of_windows)
        first = () if windows is None else self._window_words(windows)
        return tuple(words for words in (*first, *own) if words)

    def _window_words(self, windows: Sliding) -> tuple[str, ...]:
        """`64 filters`, `pad 1`, `dilation 2`, `32 groups`."""
        count = windows.channels
        return (
            "" if count is None else f"{count} filter{'s' * (count != 1)}",
            windows.padding_words,
            windows.padding_mode * (windows.padding_mode != "zeros"),
            f"dilation {by(windows.dilation)}" * (windows.dilation != 1),
            f"{windows.groups} groups" * (windows.groups != 1),
            "ceil" * windows.ceil_mode,
            f"out pad {by(windows.output_padding)}" * bool(windows.output_padding),
        )

    def brief(self, inputs: Tensors, outputs: Tensors) -> str:
        """What it is called among other layers of a block: `max pool /2`."""
        return self.title + stride_words(self.shown_stride())

    def says(self, inputs: Tensors, outputs: Tensors) -> str:
        """How it makes its result, in one short line: `max 3×3 /2 pad 1`."""
        windows = self.sliding()
        if windows is None:
            return " · ".join((self.title, *self.told(inputs, outputs)))
        kernel = kernel_words(windows.kernel, len(inputs[0].spatial))
        apart = windows.is_depthwise(inputs[0].channels)
        words = (
            self.gives or self.title * (self.family != "convolution"),
            kernel + stride_words(windows.stride),
            "transposed" * (self.zoom > 0),
            windows.padding_words,
            f"dilation {by(windows.dilation)}" * (windows.dilation != 1),
            "depthwise" if apart else f"groups {windows.groups}" * (windows.groups > 1),
            "ceil" * windows.ceil_mode,
        )
        return " ".join(word for word in words if word)


def op_of(node: Node) -> Op:
    """The layer that a node calls, with all its facts."""
    return cast(Op, node.op)


def elements(tensors: Tensors) -> Size:
    """How many elements they hold."""
    total: Size = 0
    for tensor in tensors:
        count: Size = 1
        for size in tensor.shape:
            count = count * size
        total = total + count
    return total


@cache
def builtin_layers() -> dict[str, type[Op]]:
    """The ops of this package by name, computed from the subclasses that have been imported."""
    home = __name__.rpartition(".")[0]
    return {
        op.name: op
        for op in _subclasses(Op)
        if vars(op).get("name") and op.__module__.startswith(home)
    }


PLUGGED: ContextVar[dict[str, type[Op]] | None] = ContextVar("layers", default=None)
"""All layers, where plug-ins are in force (see ops/plugins.py)."""


def registry() -> dict[str, type[Op]]:
    """All ops of the language by name, plug-ins in force included."""
    return PLUGGED.get() or builtin_layers()


def _subclasses(base: type[Op]) -> Iterator[type[Op]]:
    for child in base.__subclasses__():
        yield child
        yield from _subclasses(child)


def stated(op: Op) -> Iterator[tuple[OpParameter, object]]:
    """The settings that must be given, or are not what they are by default."""
    for parameter, value in op.settings():
        default = parameter.default
        same = getattr(op, default.parameter) if isinstance(default, Same) else default
        if parameter.required or value != same:
            yield parameter, value
