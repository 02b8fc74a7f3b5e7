"""Attention without weights: how much of each key a query gets, and the mean of the values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.condition import equal
from netdsl.ir.dim import Dim, Size
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.axes import changed, check_divides, need_float, total
from netdsl.ops.base import POINTWISE, UNKNOWN, Op, Rules, Tensors, Window, Windows
from netdsl.ops.cells import Indices, Product, Reads, spread
from netdsl.ops.elementwise import spread_shape
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.masks import (
    Sight,
    check_mask,
    in_onnx,
    mask_links,
    mask_param,
    mask_reads,
    placed,
    shares,
)
from netdsl.ops.matmul import leading, one_dtype
from netdsl.ops.params import BOOL, FLOAT, INT, FromValue, optional, param
from netdsl.ops.recipe import From, In, TorchModule, TorchRecipe

CAUSAL = "whether query i sees keys 0 to i only"


def check_dropout(share: float, rules: Rules) -> None:
    """Refuses a share of the attention that is none."""
    if not 0 <= share <= 1:
        rules.refuse("dropout", "a share lies between 0 and 1", code="bad-argument")


def known_features(x: Tensor, what: str, rules: Rules) -> int:
    """The size of the last axis, which must be a number."""
    if not isinstance(x.shape[-1], Dim):
        return x.shape[-1]
    rules.refuse(
        "in",
        f"`{what}` needs a known number of features, and {x} comes in",
        code="needs-fixed-size",
    )


# --- ONNX ----------------------------------------------------------------------------------


def heads_apart(to: Lowering, x: OnnxValue, heads: int) -> OnnxValue:
    """[.., T, heads * d] to [.., heads, T, d]."""
    *front, count, features = x.shape
    assert isinstance(features, int)
    apart = to.reshape(x, (*front, count, heads, features // heads))
    return to.transpose(apart, *range(len(front)), len(front) + 1, len(front), len(front) + 2)


def turned(to: Lowering, x: OnnxValue) -> OnnxValue:
    """The last two axes in the other order."""
    rank = len(x.shape)
    return to.transpose(x, *range(rank - 2), rank - 1, rank - 2)


def scores_of(to: Lowering, q: OnnxValue, k: OnnxValue, scale: float) -> OnnxValue:
    """How well each key fits each query, of heads that are apart."""
    q = to.node("Mul", [q, to.number(scale)])
    shape = (*spread_shape(q.shape[:-2], k.shape[:-2]), q.shape[-2], k.shape[-2])
    return to.node("MatMul", [q, turned(to, k)], shape)


def mean_of(to: Lowering, weights: OnnxValue, v: OnnxValue, shape: Shape) -> OnnxValue:
    """The values of each head by these weights, the heads one behind the other again."""
    front = spread_shape(weights.shape[:-2], v.shape[:-2])
    mixed = to.node("MatMul", [weights, v], (*front, weights.shape[-2], v.shape[-1]))
    rank = len(mixed.shape)
    together = to.transpose(mixed, *range(rank - 3), rank - 2, rank - 3, rank - 1)
    return to.reshape(together, shape)


# --- the layer -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Attend(Op):
    """Scaled dot-product attention without weights of its own: softmax(q k / sqrt(d)) v by heads.

    Takes queries [.., T, E], keys [.., S, E] and values [.., S, G]; axes in front are equal, or 1.
    The heads lie one behind the other in the features. A query that a mask lets look at nothing
    gets zeros.

        attend(8): [T, 64], [T, 64], [T, 64] -> [T, 64]
        attend(2): [4, 49, 32], [4, 9, 32], [4, 9, 16] -> [4, 49, 16]
    """

    name: ClassVar[str] = "attend"
    family: ClassVar[str] = "dense"
    arity: ClassVar[tuple[int, int | None]] = (3, 3)
    channels_at: ClassVar[int | None] = -1
    elsewhere: ClassVar[str] = "scaleddotproductattention sdpa"

    heads: int = param(INT, "number of heads, which divide the features", told="{} heads")
    mask: FromValue | None = mask_param()
    causal: bool = param(BOOL, CAUSAL, False)
    scale: float | None = param(
        optional(FLOAT), "factor of the scores, (E / heads) ** -0.5 if left out", None,
        tries=(0.5, 0.1, 2.0, 0.0),
    )  # fmt: skip
    dropout: float = param(FLOAT, "share of the attention dropped in training", 0.0)

    def miscounted(self, count: int) -> tuple[str, str]:
        message = f"`attend` takes q, k, v, and {count} value{'s' * (count != 1)} flow here"
        return message, "`(q, k, v) -> attend(8)`, or `attention(8)` with its own projections"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        for x in inputs[:3]:
            need_float(x, rules, "attend")
            if x.rank < 2:
                rules.refuse(
                    "in", f"`attend` works on [.., T, F], and {x} comes in", code="wrong-rank"
                )
        dtype = one_dtype(inputs[:3], "attend", rules)
        q, k, v = (x.shape for x in inputs[:3])
        if not len(q) == len(k) == len(v):
            listed = ", ".join(map(str, inputs[:3]))
            rules.refuse(
                "in", f"`attend` takes values of one rank, and {listed} come in", code="wrong-rank"
            )
        front = leading((q, k, v), "attend", rules)
        widths = [known_features(x, "attend", rules) for x in inputs[:3]]
        if widths[0] != widths[1]:
            rules.refuse(
                "in",
                f"queries and keys have equally many features, and these are {widths[0]} and "
                f"{widths[1]}",
                help=f"a projection brings one to the other's: `linear({widths[0]})`",
            )
        rules.require(
            equal(k[-2], v[-2]),
            "in",
            f"`attend` takes a value for each key, and there are {k[-2]} keys and {v[-2]} values",
        )
        for width in widths[1:]:
            check_divides(self.heads, "heads", width, "features", rules)
        check_dropout(self.dropout, rules)
        if self.scale is not None and self.scale <= 0:
            rules.refuse("scale", f"a scale lies above 0, not at {self.scale}", code="bad-argument")
        if self.mask is not None:
            scores = (*front, self.heads, q[-2], k[-2])
            check_mask(inputs[self.mask.index], scores, dtype, rules)
        return (Tensor((*front, q[-2], v[-1]), dtype, inputs[0].batched),)

    def takes_table(self, index: int) -> bool:
        """A mask spreads over all samples by itself."""
        return self.mask is not None and index == self.mask.index

    def _sight(self, inputs: Tensors) -> Sight:
        return Sight(inputs[0].shape[-2], inputs[1].shape[-2], self.causal)

    def _widths(self, inputs: Tensors) -> tuple[int, int]:
        """Features of a head, of queries and of values."""
        width, depth = inputs[0].shape[-1], inputs[2].shape[-1]
        assert isinstance(width, int)
        assert isinstance(depth, int)
        return width // self.heads, depth // self.heads

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        keys, (width, depth) = inputs[1].shape[-2], self._widths(inputs)
        return total(outputs[0].shape[:-1]) * keys * ((width + depth) * self.heads)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        """Each result depends on its query, on the keys that it sees, and on their values."""
        q, k, v, *_ = inputs
        sight, (width, _) = self._sight(inputs), self._widths(inputs)
        links: Size = 0
        links = links + (sight.weighing * width if q.batched else 0)
        links = links + (sight.weighed * width if k.batched else 0)
        links = links + (sight.pairs if v.batched else 0)
        if self.mask is not None:
            links = links + mask_links(inputs[self.mask.index], sight, 1)
        return total(outputs[0].shape[:-2]) * outputs[0].shape[-1] * links

    def windows_into(self, inputs: Tensors, outputs: Tensors, index: int) -> Windows | None:
        """All keys and values, and one query; of the features those of a head."""
        if index > 2:
            return None
        place = POINTWISE if index == 0 else UNKNOWN if self.causal else None
        own: Window | None = POINTWISE if index == 2 else None if self.heads == 1 else UNKNOWN
        front: list[Window | None] = [POINTWISE for _ in outputs[0].shape[:-2]]
        return tuple([*front, place, own][1:])

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        *before, rows, features = wanted
        front, sight = tuple(before), self._sight(inputs)
        width, depth = self._widths(inputs)
        heads: Indices = frozenset(i // depth for i in features)
        own = frozenset(head * width + i for head in heads for i in range(width))
        several = sight.several(rows)
        fronts = [spread(front, x.shape[:-2]) for x in inputs[:3]]
        pieces: Reads = [
            (0, (*fronts[0], several, own)),
            (1, (*fronts[1], sight.seen(several), own)),
            (2, (*fronts[2], sight.seen(rows), features)),
        ]
        if self.mask is not None:
            mask = inputs[self.mask.index]
            pieces += mask_reads(mask, self.mask.index, front, heads, rows, sight)
        return pieces

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        settings = changed(
            causal=(From(self.causal, "causal"), False),
            scale=(From(self.scale, "scale"), None),
            dropout=(From(self.dropout, "dropout"), 0.0),
        )
        taken = None
        if self.mask is not None:
            mask = placed(inputs[self.mask.index], self.mask.index, outputs[0].rank + 1)
            taken = (In(0), In(1), In(2), mask)
        return TorchModule(
            "Attend", (From(self.heads, "heads"),), settings, inputs=taken, helper="attention"
        )

    def onnx(self, to: Lowering) -> OnnxValue:
        q, k, v = (heads_apart(to, x, self.heads) for x in to.inputs[:3])
        width, _ = self._widths(to.tensors)
        scale = width**-0.5 if self.scale is None else self.scale
        mask = None
        if self.mask is not None:
            mask = in_onnx(to, self.mask.index, to.results[0].rank + 1)
        weights = shares(to, scores_of(to, q, k, scale), mask, self.causal)
        return mean_of(to, weights, v, to.result())
