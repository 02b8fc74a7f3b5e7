"""An op judged over its inputs, by its own shape rule and by what holds for all layers."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from netdsl.ir.builder import Judged
from netdsl.ir.condition import any_of
from netdsl.ir.graph import Needed, OpLike, WeightSpec
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.answers import check_answers
from netdsl.ops.axes import total
from netdsl.ops.base import Op, Rules, Tensors
from netdsl.ops.plugins import check_types, is_ours
from netdsl.ops.tables import as_samples, as_tables, is_batch_of_one, needs_batch

MAX_SIZE = 2**40


def by_rule(op: OpLike, inputs: Tensors) -> Judged:
    """The types of the results, the weights, and what holds for some sizes only.

    Raises `Refusal` where the op does not take what comes in.
    """
    op, rules = cast(Op, op), Rules()
    items = () if op.changes_items else _common_items(op, inputs, rules)
    is_wrapped = needs_batch(op, inputs)
    gives_tables = is_wrapped and is_batch_of_one(op, inputs)
    inputs = as_samples(op, inputs) if is_wrapped else inputs
    results = op.infer(inputs, rules)
    check_types(op, results)
    weights = op.weights(inputs)
    check_answers(op, inputs, results, weights)
    _check_precision(op, inputs, weights, rules)
    _check_sizes(results, rules)
    if items:
        results = tuple(replace(r, items=items) if r.batched else r for r in results)
    needed = tuple(_of_items(condition, items) for condition in rules.needed)
    return Judged(as_tables(results) if gives_tables else results, weights, needed)


class Rulebook:
    """`by_rule`, which remembers its answers: deep networks ask the same of many layers.

    The key has the op as it is written, since 1, 1.0 and True are equal and mean different things.
    Ops of plug-ins are asked anew.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[str, type, Tensors], Judged] = {}

    def __call__(self, op: OpLike, inputs: Tensors) -> Judged:
        """What the rule says. Raises `Refusal`."""
        if not is_ours(type(op)):
            return by_rule(op, inputs)
        key = (repr(op), type(op), inputs)
        judged = self._answers.get(key)
        if judged is None:
            judged = self._answers[key] = by_rule(op, inputs)
        return judged


def _common_items(op: Op, inputs: Tensors, rules: Rules) -> Shape:
    """The axes that the inputs are items of: the same for all whose data it takes."""
    sizes = op.size_inputs()
    items = {x.items for n, x in enumerate(inputs) if x.batched and n not in sizes}
    if len(items) > 1:
        rules.refuse(
            "in",
            f"`{op.name}` takes values that are items of the same `each`, or all whole",
            code="outside-each",
        )
    return items.pop() if items else ()


def _of_items(needed: Needed, items: Shape) -> Needed:
    """What training needs of one sample, where a sample has many items in the batch."""
    if not items or not needed.unless_batch:
        return needed
    enough = total(items) >= needed.unless_batch
    return replace(needed, condition=any_of(needed.condition, enough))


def _check_precision(
    op: Op, inputs: tuple[Tensor, ...], weights: tuple[WeightSpec, ...], rules: Rules
) -> None:
    """Refuses floats of another precision than that of the weights, as PyTorch does."""
    if not any(spec.dtype == "float32" for spec in weights):
        return
    for tensor in inputs:
        if tensor.is_float and tensor.dtype != "float32":
            rules.refuse(
                "in",
                f"the weights of `{op.name}` are float32, and {tensor} comes in",
                code="wrong-dtype",
                help="make the input float32; a module is turned to another precision as a whole: "
                "`module.half()`, `netdsl export --fp16`",
            )


def _check_sizes(results: tuple[Tensor, ...], rules: Rules) -> None:
    """Refuses results that no machine holds."""
    for tensor in results:
        if any(isinstance(size, int) and size > MAX_SIZE for size in tensor.shape):
            rules.refuse("in", f"a value of shape {tensor} is beyond any memory", code="too-large")
