"""Recurrent layers: one step after the other along [T, F]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.condition import equal
from netdsl.ir.dim import Dim, Size
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops.axes import at_least, changed, check_weight, need_float
from netdsl.ops.base import Op, Rules, Tensors
from netdsl.ops.cells import Product, Reads, whole
from netdsl.ops.facts import Doubt
from netdsl.ops.lowering import Lowering, OnnxAttribute, OnnxValue
from netdsl.ops.params import BOOL, FLOAT, INT, VALUE, FromValue, choice, optional, param
from netdsl.ops.recipe import From, In, Keywords, TorchModule, TorchRecipe, keywords
from netdsl.ops.recurrent_links import Course
from netdsl.ops.recurrent_onnx import Stack

START = optional(VALUE)
MANY_LAYERS = 1000
WAYS = {
    1: "`reshape([1, F])` makes one step of a vector",
    3: "`max(axis=1) -> permute([1, 0])` makes steps of the columns of a map; so do `mean`, or "
    "`reshape`",
}
"""How other ranks become [T, F]."""


@dataclass(frozen=True)
class _Recurrent(Op):
    """What recurrent layers share."""

    family: ClassVar[str] = "recurrent"
    channels_at: ClassVar[int | None] = -1
    joins_axes: ClassVar[bool] = True
    leads: ClassVar[bool] = True
    wrong_names: ClassVar[str] = "one value: `states=true` gives the states too"
    module: ClassVar[str] = ""
    """PyTorch's name, and that of ONNX's operator."""
    gates: ClassVar[tuple[int, ...]] = (0,)
    """The gates of ONNX's operator, by their numbers in PyTorch's matrices."""

    hidden: int = param(INT, "features that each direction gives", told="{} features")
    layers: int = param(INT, "how many lie one upon the other", 1, told="{} layers")
    bidirectional: bool = param(BOOL, "whether a second one runs from the end to the start", False)
    bias: bool = param(BOOL, "whether the matrices have biases", True)
    dropout: float = param(FLOAT, "share dropped between the layers in training", 0.0)
    states: bool = param(
        BOOL, "whether the last states are results too: [layers * directions, hidden]", False
    )
    start: FromValue | None = param(
        START, "the states it begins with, in place of zeros", None, named=True,
        told="with a start state",
    )  # fmt: skip

    # --- shapes and weights

    def miscounted(self, count: int) -> tuple[str, str]:
        message = f"`{self.name}` takes one value, and {count} flow here"
        return message, "a start state is given by name: `start=h`"

    @property
    def directions(self) -> int:
        """2 where it runs both ways."""
        return 2 if self.bidirectional else 1

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        x = inputs[0]
        need_float(x, rules, self.name)
        features = self._features(x, rules)
        at_least((self.hidden,), 1, rules, "hidden")
        at_least((self.layers,), 1, rules, "layers")
        if self.layers > MANY_LAYERS:
            rules.refuse("layers", f"at most {MANY_LAYERS:,} layers", code="too-large")
        if not 0 <= self.dropout <= 1:
            rules.refuse("dropout", "a share lies between 0 and 1", code="bad-argument")
        wide = max(features, self.hidden * self.directions)
        check_weight((len(self.gates) * self.hidden, wide), rules, "hidden")
        state = Tensor((self.layers * self.directions, self.hidden), x.dtype)
        for name, start in self._starts().items():
            if start is not None:
                self._check_start(name, inputs[start.index], state, rules)
        y = x.with_shape(x.shape[0], self.hidden * self.directions)
        return (y, *[state] * (len(self._starts()) if self.states else 0))

    def _features(self, x: Tensor, rules: Rules) -> int:
        if x.rank != 2:
            rules.refuse(
                "in",
                f"`{self.name}` goes along [T, F], and {x} comes in",
                code="wrong-rank",
                help=WAYS.get(x.rank, ""),
            )
        if isinstance(x.shape[1], Dim):
            rules.refuse(
                "in",
                f"`{self.name}` goes along [T, F] and needs a known F, and {x} comes in",
                code="needs-fixed-size",
                help="`permute([1, 0])` turns [F, T] to [T, F]",
            )
        return x.shape[1]

    def _starts(self) -> dict[str, FromValue | None]:
        """The parameters for states that it begins with."""
        return {"start": self.start}

    def _check_start(self, name: str, given: Tensor, state: Tensor, rules: Rules) -> None:
        form = f"`{name}` is [layers * directions, hidden], here {state}"
        if given.dtype != state.dtype:
            rules.refuse(
                name, f"`{name}` is {state.dtype}, and {given} comes in", code="wrong-dtype"
            )
        if given.rank != 2:
            rules.refuse(
                name,
                f"{form}, and {given} comes in",
                code="wrong-rank",
                help=f"`reshape([1, {self.hidden}])` makes a state of a vector",
            )
        for size, wanted in zip(given.shape, state.shape, strict=True):
            rules.require(equal(size, wanted), name, f"{form}, and {given} comes in")

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        rows, features = len(self.gates) * self.hidden, self._features(inputs[0], Rules())
        specs: list[WeightSpec] = []
        for layer, ending in self._ways():
            wide = self.hidden * self.directions if layer else features
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (rows, wide),
                "weight_hh": (rows, self.hidden),
            }
            if self.bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            specs += [
                WeightSpec(f"{key}_l{layer}{ending}", shape, "uniform", fan_in=self.hidden)
                for key, shape in shapes.items()
            ]
        return tuple(specs)

    def _ways(self) -> Iterator[tuple[int, str]]:
        """Each layer and direction, as they are called in keys."""
        for layer in range(self.layers):
            yield from ((layer, ending) for ending in ("", "_reverse")[: self.directions])

    def doubt(self, inputs: Tensors) -> Doubt | None:
        if not self.dropout or self.layers > 1:
            return None
        return Doubt(
            f"`dropout` of `{self.name}` acts between layers, and there is one",
            f"more layers, `layers=2`, or a stage behind: `dropout({self.dropout})`",
        )

    # --- cost and links

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        steps, features = inputs[0].shape[0], self._features(inputs[0], Rules())
        wide = self.hidden * self.directions
        inside = features + (self.layers - 1) * wide + self.layers * self.hidden
        return steps * (len(self.gates) * wide * inside)

    def _course(self, inputs: Tensors) -> Course:
        return Course(inputs[0].shape[0], self.layers, self.directions, self.hidden)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        x, course, states = inputs[0], self._course(inputs), len(outputs) - 1
        links: Size = 0
        if x.batched:
            links = course.input_links(self._features(x, Rules()), states)
        for name, start in self._starts().items():
            if start is not None and inputs[start.index].batched:
                links = links + course.start_links(states, is_cell=name == "start_cell")
        return links

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        course = self._course(inputs)
        parts = course.parts_of_states(wanted) if result else course.parts_of_steps(wanted)
        pieces = course.input_reads(parts, whole(inputs[0].shape[1:])[0])
        for name, start in self._starts().items():
            if start is not None:
                pieces += course.start_reads(start.index, parts, is_cell=name == "start_cell")
        return pieces

    # --- PyTorch and ONNX

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        features = self._features(inputs[0], Rules())
        args = (From(features, "in.features"), From(self.hidden, "hidden"))
        settings = (
            *changed(num_layers=(From(self.layers, "layers"), 1)),
            *self._settings(),
            *changed(bias=(From(self.bias, "bias"), True)),
            *keywords(batch_first=True),
            *changed(
                dropout=(From(self.dropout, "dropout"), 0.0),
                bidirectional=(From(self.bidirectional, "bidirectional"), False),
            ),
        )
        starts = [In(start.index) for start in self._starts().values() if start is not None]
        item = None if self.states else 0
        if not starts and not self.states:
            return TorchModule(f"nn.{self.module}", args, settings, item=item)
        return TorchModule(
            f"Stateful{self.module}",
            args,
            settings,
            inputs=(In(0), *starts),
            item=item,
            helper="recurrent",
        )

    def _settings(self) -> Keywords:
        """Further settings of PyTorch's module."""
        return ()

    def onnx(self, to: Lowering) -> tuple[OnnxValue, ...]:
        stack = Stack(
            self.module,
            self.gates,
            len(self._starts()),
            self.layers,
            self.directions,
            self.hidden,
            self.bias,
        )
        starts = [to.inputs[s.index] for s in self._starts().values() if s is not None]
        results = stack.write(to, starts, **self._onnx_settings())
        return results[: len(to.results)]

    def _onnx_settings(self) -> dict[str, OnnxAttribute]:
        """Further settings of ONNX's operator."""
        return {}


@dataclass(frozen=True)
class Lstm(_Recurrent):
    """Long short-term memory along [T, F] (Hochreiter and Schmidhuber 1997), as `nn.LSTM`.

    With `states=true` there are three results: all steps, the last states, and the last cells.

        lstm(256, layers=2, bidirectional=true): [T, 512] -> [T, 512]
        lstm(128, states=true): [20, 64] -> [20, 128], [1, 128], [1, 128]
    """

    name: ClassVar[str] = "lstm"
    title: ClassVar[str] = "LSTM"
    module: ClassVar[str] = "LSTM"
    gates: ClassVar[tuple[int, ...]] = (0, 3, 1, 2)
    elsewhere: ClassVar[str] = "lstm"

    start_cell: FromValue | None = param(
        START, "the cells it begins with, beside `start`", None, named=True, told=None
    )

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        if (self.start is None) != (self.start_cell is None):
            given, missing = ("start_cell", "start")[:: -1 if self.start_cell is None else 1]
            rules.refuse(
                given,
                f"`lstm` begins with states and cells, and `{missing}` is not given",
                code="bad-argument",
                help="give both or none: `lstm(128, start=h, start_cell=c)`",
            )
        return super().infer(inputs, rules)

    def _starts(self) -> dict[str, FromValue | None]:
        return {"start": self.start, "start_cell": self.start_cell}


class Gru(_Recurrent):
    """Gated recurrent units along [T, F] (Cho et al. 2014), as `nn.GRU`.

    With `states=true` there are two results: all steps, and the last states.

        gru(64, bidirectional=true): [T, 40] -> [T, 128]
        gru(64, layers=2, states=true): [9, 40] -> [9, 64], [2, 64]
    """

    name: ClassVar[str] = "gru"
    title: ClassVar[str] = "GRU"
    module: ClassVar[str] = "GRU"
    gates: ClassVar[tuple[int, ...]] = (1, 0, 2)
    elsewhere: ClassVar[str] = "gru"

    def _onnx_settings(self) -> dict[str, OnnxAttribute]:
        return {"linear_before_reset": 1}


@dataclass(frozen=True)
class Rnn(_Recurrent):
    """Plain recurrence along [T, F] (Elman 1990), as `nn.RNN`.

    With `states=true` there are two results: all steps, and the last states.

        rnn(32): [T, 16] -> [T, 32]
        rnn(32, mode=relu, states=true): [9, 16] -> [9, 32], [1, 32]
    """

    name: ClassVar[str] = "rnn"
    title: ClassVar[str] = "RNN"
    module: ClassVar[str] = "RNN"
    elsewhere: ClassVar[str] = "rnn simplernn"

    mode: str = param(choice("tanh", "relu"), "the activation of each step", "tanh")

    def _settings(self) -> Keywords:
        return changed(nonlinearity=(From(self.mode, "mode"), "tanh"))

    def _onnx_settings(self) -> dict[str, OnnxAttribute]:
        return {"activations": [self.mode.title()] * self.directions}
