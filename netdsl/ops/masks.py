"""Masks of attention: what they may be, what is read of them, and how they change the scores.

A mask aligns from the right with the scores, [.., heads, T, S]. Truth values say what may be looked
at, floats are added. A query that may look at nothing gets zeros.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from netdsl.ir.condition import equal
from netdsl.ir.dim import Size, floor_div, minimum
from netdsl.ir.tensor import Shape, Tensor, format_shape
from netdsl.ops.base import Rules
from netdsl.ops.cells import Indices, Product, Reads, below, fixed, spread
from netdsl.ops.elementwise import spread_shape
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import counted
from netdsl.ops.params import VALUE, optional, param
from netdsl.ops.recipe import Code, In, TorchValue


def mask_param() -> Any:
    """The parameter `mask` of a layer that attends."""
    doc = "what may be looked at (bool), or is added to the scores (float): [.., heads, T, S]"
    return param(optional(VALUE), doc, None, named=True, told="masked")


def check_mask(mask: Tensor, scores: Shape, dtype: str, rules: Rules) -> None:
    """Refuses a mask that does not spread over the scores, or that neither hides nor adds."""
    if mask.dtype not in ("bool", dtype):
        is_number = not mask.is_float
        rules.refuse(
            "mask",
            f"`mask` is bool or {'float' if is_number else dtype}, and {mask} comes in",
            code="wrong-dtype",
            help="`m -> greater(0)` is true where a number is above 0" if is_number else "",
        )
    aligned = _aligned(mask, len(scores))
    whole = format_shape(scores)
    if len(aligned) > len(scores):
        rules.refuse(
            "mask",
            f"`mask` spreads over the scores, {whole}, and {mask} has more axes",
            code="wrong-rank",
        )
    first = len(scores) - len(aligned)
    for axis, size in enumerate(aligned, first):
        if not (isinstance(size, int) and size == 1):
            rules.require(
                equal(size, scores[axis]),
                "mask",
                f"`mask` aligns from the right with the scores, {whole}, and {mask} has {size} "
                f"where they have {scores[axis]}",
                help="[S] hides keys; what each query may see is [T, S]",
            )


def _aligned(mask: Tensor, rank: int) -> Shape:
    """Its shape; of a table one axis more, which is 1, stands for the batch."""
    is_table = not mask.batched and len(mask.shape) == rank + 1 and mask.shape[0] == 1
    return mask.shape[1:] if is_table else mask.shape


def placed(mask: Tensor, index: int, rank: int) -> TorchValue:
    """Input `index` as PyTorch takes it, where scores have this rank without the batch.

    The batch is the first axis there, and a mask has two axes at least.
    """
    missing = rank - mask.rank if mask.batched else 0
    if missing:
        return Code(f"{{{index}}}[:{', None' * missing}]")
    return Code(f"{{{index}}}[None]") if mask.rank == 1 else In(index)


# --- what is seen ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sight:
    """Which of `keys` keys each of `queries` queries sees: with `causal` query i only 0 to i.

    Where it sees one alone, that one has all the weight, whatever the scores: those do not count.
    """

    queries: Size
    keys: Size
    causal: bool

    @property
    def pairs(self) -> Size:
        """How many pairs of a query and a key that it sees there are."""
        if not self.causal:
            return self.queries * self.keys
        short = minimum(self.queries, self.keys)
        return floor_div(short * (short + 1), 2) + (self.queries - short) * self.keys

    @property
    def weighing(self) -> Size:
        """How many queries see several keys."""
        several = minimum(1, self.keys - 1)
        return (self.queries - 1 if self.causal else self.queries) * several

    @property
    def weighed(self) -> Size:
        """How many pairs have a score that counts."""
        return self.pairs - (self.queries - self.weighing)

    def seen(self, rows: Iterable[int]) -> Indices:
        """The keys that some queries see."""
        queries = frozenset(rows)
        (keys,) = fixed((self.keys,))
        most = min(max(queries, default=-1) + 1, keys) if self.causal else keys
        return below(most if queries else 0)

    def several(self, rows: Iterable[int]) -> Indices:
        """Those of some queries that see several keys."""
        (keys,) = fixed((self.keys,))
        return frozenset(t for t in rows if keys > 1 and (t or not self.causal))


def mask_links(mask: Tensor, sight: Sight, mixed: Size) -> Size:
    """How many elements of a mask are read for one result of every query, in so many heads."""
    if not _counts(mask):
        return 0
    heads = minimum(mask.shape[-3], mixed) if mask.rank > 2 else 1
    if mask.dtype != "bool":
        return heads * sight.weighed
    return heads * (sight.queries if _is_for_all_keys(mask) else sight.pairs)


def mask_reads(
    mask: Tensor, index: int, front: Product, heads: Indices, rows: Indices, sight: Sight
) -> Reads:
    """What is read of a mask, where queries `rows` of some heads are wanted."""
    if not _counts(mask):
        return []
    shape = mask.shape
    is_one_piece = not sight.causal or len(shape) < 2 or shape[-2] == 1
    groups = [rows] if is_one_piece else [frozenset((t,)) for t in sorted(rows)]
    pieces: Reads = []
    for group in groups:
        weighed = group if mask.dtype == "bool" else sight.several(group)
        cells = (*front, heads, weighed, sight.seen(weighed))
        pieces.append((index, spread(cells[len(cells) - len(shape) :], shape)))
    return pieces


def _counts(mask: Tensor) -> bool:
    """Whether it changes results: what is added to all scores of a query does not."""
    return mask.batched and (mask.dtype == "bool" or not _is_for_all_keys(mask))


def _is_for_all_keys(mask: Tensor) -> bool:
    return not mask.rank or mask.shape[-1] == 1


# --- ONNX ----------------------------------------------------------------------------------


def in_onnx(to: Lowering, index: int, rank: int) -> OnnxValue:
    """A mask as it aligns with the scores: behind a batch axis come axes of 1."""
    value, mask = to.inputs[index], to.tensors[index]
    missing = rank - mask.rank
    if not mask.batched or not missing:
        return value
    shape = (value.shape[0], *(1 for _ in range(missing)), *mask.shape)
    return to.node("Unsqueeze", [value, to.ints(*range(1, missing + 1))], shape)


def shares(to: Lowering, scores: OnnxValue, mask: OnnxValue | None, causal: bool) -> OnnxValue:
    """What each key has of each query: the softmax of the scores that a mask leaves."""
    sees = _causal(to, scores.shape) if causal else None
    if mask is not None and mask.dtype != "bool":
        scores = to.node("Add", [scores, mask])
    elif mask is not None:
        sees = (
            mask
            if sees is None
            else to.node("And", [sees, mask], spread_shape(sees.shape, mask.shape))
        )
    if sees is not None:
        scores = to.node("Where", [sees, scores, to.number(-inf)], scores.shape, scores.dtype)
    weights = to.node("Softmax", [scores], axis=-1)
    if mask is None:
        return weights
    hidden = to.node("Equal", [scores, to.number(-inf)], dtype="bool")
    return to.node("Where", [hidden, to.number(0.0), weights], scores.shape, scores.dtype)


def _causal(to: Lowering, scores: Shape) -> OnnxValue:
    """True where a key is not behind its query: [T, S]."""
    queries, keys = scores[-2:]
    rows = to.node("Unsqueeze", [counted(to, queries), to.ints(1)], (queries, 1))
    columns = counted(to, keys)
    return to.node("GreaterOrEqual", [rows, columns], (queries, keys), "bool")
