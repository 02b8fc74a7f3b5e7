"""Layers that act in training only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.dim import Size
from netdsl.ops.axes import need_float, spatial_rank
from netdsl.ops.base import Op, Rules, Tensors, elements
from netdsl.ops.cells import Product, Reads
from netdsl.ops.facts import Saved
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import FLOAT, param
from netdsl.ops.recipe import From, TorchModule, TorchRecipe


@dataclass(frozen=True)
class _Dropping(Op):
    """What they share: a share between 0 and 1, and a kept shape."""

    family: ClassVar[str] = "regularising"

    p: float = param(FLOAT, "share that is dropped", 0.5, told="{} dropped")

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        need_float(inputs[0], rules, self.name)
        if not 0 <= self.p <= 1:
            rules.refuse("p", f"a share lies between 0 and 1, not at {self.p}", code="bad-argument")
        return inputs

    def share_dropped(self) -> float:
        return self.p

    def saved(self, inputs: Tensors, outputs: Tensors) -> Saved | None:
        """A number for each part that is dropped as one; PyTorch does otherwise where all are."""
        if self.p in (0.0, 1.0):
            return Saved() if self.p == 0 else None
        return Saved(more=4 * self.parts(inputs))

    def parts(self, inputs: Tensors) -> Size:
        """How many parts of a sample are dropped, or kept, as one."""
        return 1

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        return [(0, wanted)]

    def onnx(self, to: Lowering) -> OnnxValue:
        return to.inputs[0]


class Dropout(_Dropping):
    """Sets single numbers to zero in training (Srivastava et al. 2014).

    dropout(0.2): [1024] -> [1024]
    """

    name: ClassVar[str] = "dropout"

    def parts(self, inputs: Tensors) -> Size:
        return elements(inputs)

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchModule("nn.Dropout", (From(self.p, "p"),))


class ChannelDropout(_Dropping):
    """Sets whole channels to zero in training.

    channel_dropout(0.2): [64, 14, 14] -> [64, 14, 14]
    """

    name: ClassVar[str] = "channel_dropout"
    channels_at: ClassVar[int | None] = 0
    elsewhere: ClassVar[str] = "dropout1d dropout2d dropout3d spatialdropout featuredropout"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        spatial_rank(inputs[0], rules, "channel_dropout")
        return super().infer(inputs, rules)

    def parts(self, inputs: Tensors) -> Size:
        return inputs[0].channels

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchModule(f"nn.Dropout{inputs[0].rank - 1}d", (From(self.p, "p"),))


class DropPath(_Dropping):
    """Drops the whole value of a sample in training: stochastic depth (Huang et al. 2016).

    drop_path(0.1): [96, 56, 56] -> [96, 56, 56]
    """

    name: ClassVar[str] = "drop_path"
    elsewhere: ClassVar[str] = "stochasticdepth droppath"

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        return TorchModule("DropPath", (From(self.p, "p"),), helper="regularise")
