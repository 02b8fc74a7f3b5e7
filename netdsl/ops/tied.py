"""Layers whose weight or bias is a table of the file: tied, standardised, blurring weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from netdsl.ir.tensor import Tensor, format_shape
from netdsl.ops.base import Rules, Tensors
from netdsl.ops.initial import PYTORCH
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.params import BOOL_OR_TABLE, TABLE, FromValue, optional, param
from netdsl.ops.recipe import In


class Tied(Protocol):
    """What such a layer has."""

    @property
    def init(self) -> str: ...
    @property
    def weight(self) -> FromValue | None: ...


def weight_param() -> Any:
    """The parameter `weight` of a layer."""
    return param(optional(TABLE), "a table in place of its own", None, named=True, told=None)


def bias_param(doc: str) -> Any:
    """The parameter `bias` of a layer: whether it has one of its own, or a table."""
    return param(BOOL_OR_TABLE, f"{doc}; or a table of them", True, told=None)


def check_tables(
    op: Tied, bias: object, inputs: Tensors, shape: Sequence[int], count: int, rules: Rules
) -> None:
    """Refuses tables that its own weight, of this shape, and `count` biases could not be."""
    if op.weight is None:
        if isinstance(bias, FromValue):
            rules.refuse(
                "bias",
                "a table of biases goes with a table of weights: the layer has a module of its own",
                code="bad-argument",
                help="give both, `weight=w, bias=b`, or add the table: `(..., b) -> add`",
            )
        return
    if op.init != PYTORCH:
        rules.refuse(
            "init", "what `weight=` gives begins as its own line says", code="bad-argument"
        )
    if bias is True:
        rules.refuse(
            "weight",
            "with `weight=` the layer has no weights of its own, and so no bias",
            code="bad-argument",
            help="write `bias=false`, or give a table of them: `bias=b`",
        )
    _check("weight", inputs[op.weight.index], tuple(shape), rules)
    if isinstance(bias, FromValue):
        _check("bias", inputs[bias.index], (count,), rules)


def _check(at: str, table: Tensor, shape: tuple[int, ...], rules: Rules) -> None:
    if table.batched:
        rules.refuse(
            at,
            f"the value differs from sample to sample, and `{at}=` takes a table",
            code="bad-argument",
            help="scale what goes into the layer, and what comes out of it, in place of its weight",
        )
    if table.dtype != "float32":
        rules.refuse(at, f"`{at}` is float32 here, and the table is {table}", code="wrong-dtype")
    if table.shape != shape:
        rules.refuse(
            at,
            f"`{at}` is {format_shape(shape)} here, and the table is {table}",
            help=f"a table of this shape is `weight w: {format_shape(shape)}`; `permute` and "
            "`reshape` bring another one to it",
        )


def tables(op: Tied, bias: object = False) -> tuple[In, ...]:
    """The tables among the inputs: the weight, and the bias if there is one."""
    return tuple(In(table.index) for table in (op.weight, bias) if isinstance(table, FromValue))


def own_or_tables(op: Tied, bias: object, to: Lowering) -> list[OnnxValue]:
    """The weight, and the bias if there is one: of the layer, or tables among the inputs."""
    if op.weight is None:
        return [to.weight("weight"), *([to.weight("bias")] if bias else [])]
    return [to.inputs[table.index] for table in tables(op, bias)]
