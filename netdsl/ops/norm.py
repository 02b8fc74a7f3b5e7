"""Normalisations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.dim import Size
from netdsl.ir.graph import WeightSpec
from netdsl.ops.axes import (
    MAX_KERNEL,
    at_least,
    changed,
    check_divides,
    known_channels,
    links,
    need_float,
    several,
    spatial_rank,
    total,
    way_to_floats,
)
from netdsl.ops.base import Op, Rules, Tensors, Windows, elements
from netdsl.ops.cells import Product, Reads, fixed, grouped, replaced, slid, whole
from netdsl.ops.facts import Doubt, Saved, Work
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import padded
from netdsl.ops.params import BOOL, FLOAT, FLOATS, INT, param
from netdsl.ops.recipe import Code, From, TorchModule, TorchRecipe, keywords


def affine(size: int) -> tuple[WeightSpec, WeightSpec]:
    """A factor and an offset, as every norm of PyTorch stores them."""
    return WeightSpec("weight", (size,), "ones"), WeightSpec("bias", (size,), "zeros")


def affine_values(to: Lowering, channels: int, learned: bool) -> tuple[OnnxValue, OnnxValue]:
    """The learned factor and offset, or ones and zeros."""
    if learned:
        return to.weight("weight"), to.weight("bias")
    return to.floats([1.0] * channels), to.floats([0.0] * channels)


def scaled(to: Lowering, x: OnnxValue, learned: bool) -> OnnxValue:
    """`x` times a learned factor plus an offset, for each channel."""
    if not learned:
        return x
    shape = (x.shape[1], *(1 for _ in x.shape[2:]))
    factor, offset = (to.reshape(to.weight(key), shape) for key in ("weight", "bias"))
    return to.node("Add", [to.node("Mul", [x, factor]), offset])


class _Norm(Op):
    """What norms share: they keep the shape."""

    family: ClassVar[str] = "norms"

    def _check(self, inputs: Tensors, rules: Rules, least: int, most: int) -> int:
        (x,) = inputs
        need_float(x, rules, self.name)
        if not least <= x.rank <= most:
            rules.refuse(
                "in",
                f"`{self.name}` works on shapes with {least} to {most} axes, and {x} comes in",
                code="wrong-rank",
            )
        return known_channels(x, rules, self.name)

    def _doubtful(self, eps: float, enough: str) -> Doubt | None:
        """Whether the input channels were given first, as in PyTorch."""
        if eps < 1:
            return None
        return Doubt(
            f"eps = {eps} drowns what it is added to",
            f"the input channels are not written: `{enough}` alone is enough",
        )


@dataclass(frozen=True)
class BatchNorm(_Norm):
    """Normalises each channel over the batch and space; running statistics at inference.

    Training needs more than one value a channel.

        batchnorm: [64, 112, 112] -> [64, 112, 112]
        batchnorm(eps=0.001): [10] -> [10]
    """

    name: ClassVar[str] = "batchnorm"
    over_batch: ClassVar[bool] = True
    title: ClassVar[str] = "BN"
    channels_at: ClassVar[int | None] = 0
    takes_mean: ClassVar[bool] = True
    elsewhere: ClassVar[str] = "batchnorm batchnormalization bn syncbatchnorm"

    eps: float = param(FLOAT, "added to the variance", 1e-5)
    momentum: float = param(FLOAT, "weight of a new batch in the running statistics", 0.1)
    affine: bool = param(BOOL, "whether a factor and an offset are learned", True)
    track: bool = param(
        BOOL, "whether running statistics are kept", True, told="running statistics"
    )

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        self._check(inputs, rules, 1, 4)
        at_least((self.eps,), 0, rules, "eps")
        if self.eps == 0 and not self.track:
            rules.refuse("eps", "without running statistics eps is above 0", code="bad-argument")
        rules.require(
            several(x.spatial),
            "in",
            f"with one sample, batchnorm {'in training' if self.track else 'without statistics'} "
            f"needs more than one value a channel, and {x} comes in",
            training_only=self.track,
            unless_batch=2,
        )
        return inputs

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        channels = inputs[0].channels
        assert isinstance(channels, int)
        statistics = (
            WeightSpec("running_mean", (channels,), "zeros", trained=False),
            WeightSpec("running_var", (channels,), "ones", trained=False),
            WeightSpec("num_batches_tracked", (), "zeros", trained=False, dtype="int64"),
        )
        return (affine(channels) if self.affine else ()) + (statistics if self.track else ())

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved:
        """Also the mean and the deviation of each channel, over the whole batch."""
        channels = inputs[0].channels
        assert isinstance(channels, int)
        return Saved((0,), once=2 * 4 * channels)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        (x,) = inputs
        return elements(inputs) * (1 if self.track else total(x.spatial))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Windows | None:
        """Without running statistics, inference takes those of the map, too."""
        return super().windows(inputs, outputs) if self.track else None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        """Without running statistics, also the same channel in the other samples of the batch."""
        if self.track:
            return [(0, wanted)]
        return [(0, (wanted[0], *whole(inputs[0].spatial)))]

    def doubt(self, inputs: Tensors) -> Doubt | None:
        return self._doubtful(self.eps, "batchnorm")

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        (x,) = inputs
        return TorchModule(
            f"nn.BatchNorm{max(x.rank - 1, 1)}d",
            (From(x.channels, "in.channels"),),
            changed(
                eps=(From(self.eps, "eps"), 1e-5),
                momentum=(From(self.momentum, "momentum"), 0.1),
                affine=(From(self.affine, "affine"), True),
                track_running_stats=(From(self.track, "track"), True),
            ),
        )

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        channels = to.tensors[0].channels
        assert isinstance(channels, int)
        factor, offset = affine_values(to, channels, self.affine)
        if self.track:
            statistics = [to.weight("running_mean"), to.weight("running_var")]
            return to.node("BatchNormalization", [x, factor, offset, *statistics], epsilon=self.eps)
        axes = to.ints(0, *range(2, len(x.shape)))
        shape = (1, channels, *(1 for _ in x.shape[2:]))
        apart = to.node("Sub", [x, to.node("ReduceMean", [x, axes], shape, keepdims=1)])
        spread = to.node("ReduceMean", [to.node("Mul", [apart, apart]), axes], shape, keepdims=1)
        spread = to.node("Sqrt", [to.node("Add", [spread, to.number(self.eps)])])
        return scaled(to, to.node("Div", [apart, spread]), self.affine)


@dataclass(frozen=True)
class GroupNorm(_Norm):
    """Normalises groups of channels, each sample apart.

    groupnorm(8): [64, 14, 14] -> [64, 14, 14]
    """

    name: ClassVar[str] = "groupnorm"
    title: ClassVar[str] = "group norm"
    channels_at: ClassVar[int | None] = 0
    elsewhere: ClassVar[str] = "groupnormalization groupnorm gn"

    groups: int = param(INT, "number of groups", told="{} groups")
    eps: float = param(FLOAT, "added to the variance", 1e-5)
    affine: bool = param(BOOL, "whether a factor and an offset are learned", True)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        channels = self._check(inputs, rules, 1, 4)
        check_divides(self.groups, "groups", channels, "channels", rules)
        rules.require(
            several((channels // self.groups, *x.spatial)),
            "groups",
            f"with one sample, a group must hold more than one value, and {x} in {self.groups} "
            "groups gives one",
            unless_batch=2,
        )
        return inputs

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        assert isinstance(inputs[0].channels, int)
        return affine(inputs[0].channels) if self.affine else ()

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved:
        """Also the mean and the deviation of each group."""
        return Saved((0,), more=2 * 4 * self.groups)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(inputs) * (elements(inputs) // self.groups)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        channels, *space = whole(inputs[0].shape)
        count = len(channels)
        return [(0, (grouped(wanted[0], count, count, self.groups), *space))]

    def doubt(self, inputs: Tensors) -> Doubt | None:
        return self._doubtful(self.eps, "groupnorm(groups)")

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = (From(self.groups, "groups"), From(inputs[0].channels, "in.channels"))
        settings = changed(
            eps=(From(self.eps, "eps"), 1e-5), affine=(From(self.affine, "affine"), True)
        )
        return TorchModule("nn.GroupNorm", args, settings)

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        grouped = (x.shape[0], self.groups, total(x.shape[1:]) // self.groups)
        apart = to.node("Reshape", [x, to.ints(0, self.groups, -1)], grouped)
        ones, zeros = (to.floats([n] * self.groups) for n in (1.0, 0.0))
        apart = to.node("InstanceNormalization", [apart, ones, zeros], epsilon=self.eps)
        whole = to.node("Shape", [x], (len(x.shape),), "int64")
        return scaled(to, to.node("Reshape", [apart, whole], x.shape), self.affine)


@dataclass(frozen=True)
class InstanceNorm(_Norm):
    """Normalises each channel of each sample over space.

    instancenorm: [64, 14, 14] -> [64, 14, 14]
    """

    name: ClassVar[str] = "instancenorm"
    title: ClassVar[str] = "instance norm"
    channels_at: ClassVar[int | None] = 0
    takes_mean: ClassVar[bool] = True
    elsewhere: ClassVar[str] = "instancenormalization instancenorm"

    eps: float = param(FLOAT, "added to the variance", 1e-5)
    affine: bool = param(BOOL, "whether a factor and an offset are learned", False)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        (x,) = inputs
        spatial_rank(x, rules, self.name)
        self._check(inputs, rules, 2, 4)
        rules.require(
            several(x.spatial),
            "in",
            f"`instancenorm` needs more than one cell in a map, and {x} comes in",
        )
        return inputs

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        assert isinstance(inputs[0].channels, int)
        return affine(inputs[0].channels) if self.affine else ()

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved:
        """Also the mean and the deviation of each channel."""
        return Saved((0,), more=2 * 4 * inputs[0].channels)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        return elements(inputs) * total(inputs[0].spatial)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, (wanted[0], *whole(inputs[0].spatial)))]

    def doubt(self, inputs: Tensors) -> Doubt | None:
        return self._doubtful(self.eps, "instancenorm")

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        (x,) = inputs
        return TorchModule(
            f"nn.InstanceNorm{x.rank - 1}d",
            (From(x.channels, "in.channels"),),
            changed(eps=(From(self.eps, "eps"), 1e-5), affine=(From(self.affine, "affine"), False)),
        )

    def onnx(self, to: Lowering) -> OnnxValue:
        channels = to.tensors[0].channels
        assert isinstance(channels, int)
        weights = affine_values(to, channels, self.affine)
        return to.node("InstanceNormalization", [*to.inputs, *weights], epsilon=self.eps)


@dataclass(frozen=True)
class Lrn(_Norm):
    """Local response normalisation across channels (Krizhevsky et al. 2012).

    lrn(5): [96, 55, 55] -> [96, 55, 55]
    """

    name: ClassVar[str] = "lrn"
    title: ClassVar[str] = "LRN"
    channels_at: ClassVar[int | None] = 0
    elsewhere: ClassVar[str] = "localresponsenorm"

    size: int = param(INT, "channels that are summed", told="{} channels")
    alpha: float = param(FLOAT, "factor of the sum, divided by the size", 1e-4)
    beta: float = param(FLOAT, "the exponent", 0.75)
    k: float = param(FLOAT, "the constant added", 1.0)

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        self._check(inputs, rules, 2, 4)
        at_least((self.size,), 1, rules, "size")
        return inputs

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved | None:
        """Also the squares with the channels around them, and two maps on the way."""
        x = inputs[0]
        padded = total(x.spatial) * (x.channels + self.size - 1)
        return Saved((0,), more=4 * (padded + 2 * elements(inputs))) if x.rank == 3 else None

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size | None:
        """The channels near each one that there are."""
        if self.size > MAX_KERNEL:
            return None
        (x,) = inputs
        return links(x.channels, -1, self.size, 1, self.size // 2, 1) * total(x.spatial)

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        """The channels whose squares are summed; only itself where the sum has no effect."""
        if not self.alpha * self.beta:
            return [(0, wanted)]
        (size,) = fixed(inputs[0].shape[:1])
        near = slid(wanted[0], size, self.size, 1, self.size // 2, 1)
        return [(0, replaced(wanted, 0, near | wanted[0]))]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        settings = changed(
            alpha=(From(self.alpha, "alpha"), 1e-4),
            beta=(From(self.beta, "beta"), 0.75),
            k=(From(self.k, "k"), 1.0),
        )
        # of maps with three axes PyTorch takes a view, which transposed ones do not have
        whole = (Code("{0}.contiguous()"),) if len(inputs[0].spatial) == 3 else None
        sizes = (From(self.size, "size"),)
        return TorchModule("nn.LocalResponseNorm", sizes, settings, inputs=whole)

    def onnx(self, to: Lowering) -> OnnxValue:
        """ONNX's own operator where it is the same: maps of two axes, an odd window."""
        (x,) = to.inputs
        if len(x.shape) == 4 and self.size % 2 and self.alpha > 0 and self.beta > 0:
            return to.node(
                "LRN", [x], alpha=self.alpha, beta=self.beta, bias=self.k, size=self.size
            )
        channels = x.shape[1]
        flat = (x.shape[0], 1, channels, total(x.shape[2:]))
        squares = to.node("Reshape", [to.node("Mul", [x, x]), to.sizes((0, 1, channels, -1))], flat)
        near = self.size // 2, (self.size - 1) // 2
        mean = to.node(
            "AveragePool",
            [padded(to, squares, [near, (0, 0)])],
            flat,
            kernel_shape=[self.size, 1],
        )
        below = to.node("Add", [to.node("Mul", [mean, to.number(self.alpha)]), to.number(self.k)])
        below = to.node("Pow", [below, to.number(self.beta)])
        whole = to.node("Shape", [x], (len(x.shape),), "int64")
        return to.node("Div", [x, to.node("Reshape", [below, whole], x.shape)])


@dataclass(frozen=True)
class Normalize(_Norm):
    """`(x - mean) / std` for each channel, with numbers that are not learned.

    normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]): [3, 8, 8] -> [3, 8, 8]
    """

    name: ClassVar[str] = "normalize"
    keeps: ClassVar[str] = "nothing"
    family: ClassVar[str] = "plumbing"
    centres: ClassVar[bool] = True
    work: ClassVar[Work] = Work.COMPUTES
    in_place: ClassVar[bool] = True

    mean: tuple[float, ...] = param(FLOATS, "subtracted from each channel")
    std: tuple[float, ...] = param(FLOATS, "each channel is divided by it")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        channels = self._check(inputs, rules, 1, 4)
        if inputs[0].dtype != "float32":
            rules.refuse(
                "in",
                f"`normalize` computes in float32, and {inputs[0]} comes in",
                code="wrong-dtype",
                help=way_to_floats(inputs[0].dtype),
            )
        for at in "mean", "std":
            count = len(getattr(self, at))
            if count != channels:
                rules.refuse(
                    at,
                    f"{count} numbers for {channels} channels",
                    code="bad-argument",
                    help="give one for each channel",
                )
        if 0.0 in self.std:
            rules.refuse("std", "division by zero", code="bad-argument")
        return inputs

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, wanted)]

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        args = (From(self.mean, "mean"), From(self.std, "std"))
        return TorchModule("Normalize", args, keywords(rank=inputs[0].rank), helper="norms")

    def onnx(self, to: Lowering) -> OnnxValue:
        (x,) = to.inputs
        shape = (len(self.mean), *(1 for _ in x.shape[2:]))
        apart = to.node("Sub", [x, to.floats(self.mean, shape)])
        return to.node("Div", [apart, to.floats(self.std, shape)])
