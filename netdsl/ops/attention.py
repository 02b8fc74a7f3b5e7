"""Attention with projections of its own, as PyTorch's module has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.ir.condition import equal
from netdsl.ir.dim import Size
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops.attend import (
    CAUSAL,
    check_dropout,
    heads_apart,
    known_features,
    mean_of,
    scores_of,
)
from netdsl.ops.axes import changed, check_divides, need_float
from netdsl.ops.base import Op, Rules, Tensors
from netdsl.ops.cells import Product, Reads, whole
from netdsl.ops.dense import matmul
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
from netdsl.ops.params import BOOL, FLOAT, INT, FromValue, param
from netdsl.ops.recipe import From, In, TorchModule, TorchRecipe, keywords

KEYS = ("q_proj_weight", "k_proj_weight", "v_proj_weight")


@dataclass(frozen=True)
class Attention(Op):
    """Multi-head attention with projections (Vaswani et al. 2017), as `nn.MultiheadAttention`.

    One value looks at itself, `(q, kv)` at another one, `(q, k, v)` has keys and values apart.
    Weights are named as in PyTorch. A query that a mask lets look at nothing gets the bias alone.

        attention(12): [197, 768] -> [197, 768]
        attention(8): [100, 256], [T, 256] -> [100, 256]
        attention(4): [T, 64], [9, 32], [9, 16] -> [T, 64]
    """

    name: ClassVar[str] = "attention"
    family: ClassVar[str] = "dense"
    arity: ClassVar[tuple[int, int | None]] = (1, 3)
    channels_at: ClassVar[int | None] = -1
    holds: ClassVar[tuple[str, ...]] = ("nn.Linear",)
    elsewhere: ClassVar[str] = "multiheadattention mha"

    heads: int = param(INT, "number of heads, which divide the features", told="{} heads")
    mask: FromValue | None = mask_param()
    causal: bool = param(BOOL, CAUSAL, False)
    dropout: float = param(FLOAT, "share of the attention dropped in training", 0.0)
    bias: bool = param(BOOL, "whether the projections have biases", True)

    def miscounted(self, count: int) -> tuple[str, str]:
        message = f"`attention` takes `x`, `(q, kv)` or `(q, k, v)`, and {count} values flow here"
        return message, "a mask is given by name: `attention(8, mask=m)`"

    def infer(self, inputs: Tensors, rules: Rules) -> Tensors:
        flowing = self._flowing(inputs)
        for x in flowing:
            need_float(x, rules, "attention")
            if x.rank != 2:
                rules.refuse(
                    "in", f"`attention` works on [T, F], and {x} comes in", code="wrong-rank"
                )
            known_features(x, "attention", rules)
        q, k, v = self._parts(inputs)
        rules.require(
            equal(k.shape[0], v.shape[0]),
            "in",
            "`attention` takes a value for each key, and there are "
            f"{k.shape[0]} keys and {v.shape[0]} values",
        )
        features = known_features(q, "attention", rules)
        check_divides(self.heads, "heads", features, "features", rules)
        check_dropout(self.dropout, rules)
        if self.mask is not None:
            scores = (self.heads, q.shape[0], k.shape[0])
            check_mask(inputs[self.mask.index], scores, q.dtype, rules)
        return (q,)

    def takes_table(self, index: int) -> bool:
        """A mask spreads over all samples by itself."""
        return self.mask is not None and index == self.mask.index

    def _flowing(self, inputs: Tensors) -> Tensors:
        return inputs[: self.mask.index] if self.mask is not None else inputs

    def _places(self, count: int) -> tuple[int, int, int]:
        """Which of so many values that flow in are queries, keys and values."""
        return 0, min(1, count - 1), count - 1

    def _parts(self, inputs: Tensors) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self._places(len(self._flowing(inputs)))
        return inputs[q], inputs[k], inputs[v]

    def _widths(self, inputs: Tensors) -> tuple[int, int, int]:
        """Features of queries, keys and values."""
        q, k, v = (known_features(x, "attention", Rules()) for x in self._parts(inputs))
        return q, k, v

    def weights(self, inputs: Tensors) -> tuple[WeightSpec, ...]:
        size, *others = self._widths(inputs)
        matrices = (WeightSpec("in_proj_weight", (3 * size, size), "xavier_uniform"),)
        if any(width != size for width in others):
            matrices = tuple(
                WeightSpec(key, (size, width), "xavier_uniform")
                for key, width in zip(KEYS, (size, *others), strict=True)
            )
        out = WeightSpec("out_proj.weight", (size, size), "uniform", fan_in=size)
        if not self.bias:
            return (*matrices, out)
        return (
            *matrices,
            WeightSpec("in_proj_bias", (3 * size,), "zeros"),
            out,
            WeightSpec("out_proj.bias", (size,), "zeros"),
        )

    def macs(self, inputs: Tensors, outputs: Tensors) -> Size:
        parts, (size, key_size, value_size) = self._parts(inputs), self._widths(inputs)
        queries, keys = parts[0].shape[0], parts[1].shape[0]
        own = queries * (2 * size * size) + queries * keys * (2 * size)
        return own + keys * (size * (key_size + value_size))

    def _sight(self, inputs: Tensors) -> Sight:
        q, k, _ = self._parts(inputs)
        return Sight(q.shape[0], k.shape[0], self.causal)

    def connections(self, inputs: Tensors, outputs: Tensors) -> Size:
        """Each result depends on all of its query, and on all of the tokens that this sees."""
        flowing, sight = self._flowing(inputs), self._sight(inputs)
        seen = {1: (sight.pairs,), 2: (sight.weighing, sight.pairs)}
        counts = seen.get(len(flowing), (sight.weighing, sight.weighed, sight.pairs))
        links: Size = 0
        for x, count in zip(flowing, counts, strict=True):
            links = links + (count * x.shape[1] if x.batched else 0)
        if self.mask is not None:
            links = links + mask_links(inputs[self.mask.index], sight, self.heads)
        return links * outputs[0].shape[1]

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None

    def reads(self, inputs: Tensors, outputs: Tensors, wanted: Product, result: int = 0) -> Reads:
        rows, sight = wanted[0], self._sight(inputs)
        several = sight.several(rows)
        seen = several, sight.seen(several), sight.seen(rows)
        places = self._places(len(self._flowing(inputs)))
        pieces: Reads = [
            (place, (tokens, *whole(inputs[place].shape[1:])))
            for place, tokens in zip(places, seen, strict=True)
        ]
        if self.mask is not None:
            mask, heads = inputs[self.mask.index], frozenset(range(self.heads))
            pieces += mask_reads(mask, self.mask.index, (), heads, rows, sight)
        return pieces

    def torch(self, inputs: Tensors, outputs: Tensors) -> TorchRecipe:
        size, key_size, value_size = self._widths(inputs)
        args = (From(size, "in.features"), From(self.heads, "heads"))
        settings = changed(
            kdim=(From(key_size, "kdim"), size),
            vdim=(From(value_size, "vdim"), size),
            causal=(From(self.causal, "causal"), False),
            dropout=(From(self.dropout, "dropout"), 0.0),
            bias=(From(self.bias, "bias"), True),
        )
        taken = tuple(In(place) for place in self._places(len(self._flowing(inputs))))
        if self.mask is not None:
            mask = placed(inputs[self.mask.index], self.mask.index, 3)
            return TorchModule(
                "MaskedAttention", args, settings, inputs=(*taken, mask), helper="attention"
            )
        if self.causal:
            return TorchModule("MaskedAttention", args, settings, inputs=taken, helper="attention")
        return TorchModule(
            "nn.MultiheadAttention",
            args,
            (*(s for s in settings if s[0] != "causal"), *keywords(batch_first=True)),
            inputs=taken,
            input_kwargs=keywords(need_weights=False),
            item=0,
        )

    def onnx(self, to: Lowering) -> OnnxValue:
        q, k, v = (heads_apart(to, x, self.heads) for x in self._projected(to))
        mask = None if self.mask is None else in_onnx(to, self.mask.index, 3)
        size, *_ = self._widths(to.tensors)
        scores = scores_of(to, q, k, (size // self.heads) ** -0.5)
        mixed = mean_of(to, shares(to, scores, mask, self.causal), v, to.result())
        bias = to.weight("out_proj.bias") if self.bias else None
        return matmul(to, mixed, to.weight("out_proj.weight"), bias)

    def _projected(self, to: Lowering) -> tuple[OnnxValue, ...]:
        """Queries, keys and values; of one value all by one product."""
        size, *others = self._widths(to.tensors)
        places = self._places(len(self._flowing(to.tensors)))
        bias = to.weight("in_proj_bias") if self.bias else None
        sizes = to.ints(size, size, size)
        if set(places) == {0}:
            x = to.inputs[0]
            together = matmul(to, x, to.weight("in_proj_weight"), bias)
            return to.split("Split", [together, sizes], [(*x.shape[:-1], size)] * 3, axis=-1)
        biases: tuple[OnnxValue | None, ...] = (None,) * 3
        if bias is not None:
            biases = to.split("Split", [bias, sizes], [(size,)] * 3, axis=0)
        if any(width != size for width in others):
            matrices = tuple(to.weight(key) for key in KEYS)
        else:
            whole_matrix = to.weight("in_proj_weight")
            matrices = to.split("Split", [whole_matrix, sizes], [(size, size)] * 3, axis=0)
        taken = (to.inputs[place] for place in places)
        parts = zip(taken, matrices, biases, strict=True)
        return tuple(matmul(to, x, matrix, part) for x, matrix, part in parts)
