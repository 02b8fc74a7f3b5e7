"""Matrices: with weights, and of two values."""

from __future__ import annotations

from typing import cast

import numpy as np

from netdsl.importers.onnx.layouts import together, value_of
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import B, Data, Known
from netdsl.importers.program import Setting


@reads("Gemm")
def gemm(node: Node, to: Reader) -> None:
    """alpha * A B + beta * C: a linear layer, or a product of two values."""
    x, matrix = to.thing(node, 0), to.thing(node, 1)
    alpha, beta = node.float("alpha", 1.0), node.float("beta", 1.0)
    turns = node.int("transA", 0), node.int("transB", 0)
    if not isinstance(x, Data) or x.rank != 2:
        node.refuse("its first matrix is no value of two axes", code="wrong-rank")
    if turns[0]:
        from netdsl.importers.onnx.layouts import permuted

        x = permuted(to, node, x, (1, 0))
    if not isinstance(matrix, Known) or matrix.rank != 2:
        node.refuse("its second matrix is computed, which mixes samples of the batch")
    if x.groups[-1] != (x.type.rank - 1,) or B in x.groups[-1]:
        node.refuse("the batch lies in the axis that the matrix is multiplied along")
    offset = to.optional(node, 2)
    _linear(node, to, x, matrix, offset, (alpha, beta, bool(turns[1])))


def _linear(
    node: Node, to: Reader, x: Data, matrix: Known, offset: object, how: tuple[float, float, bool]
) -> None:
    alpha, beta, turned = how
    features, size = matrix.shape if turned else (matrix.shape[1], matrix.shape[0])
    _check_inner(node, x, size)

    def turn(array: np.ndarray) -> np.ndarray:
        array = array if turned else array.T
        return array if alpha == 1 else (array * np.float32(alpha)).astype(np.float32)

    weights = {"weight": (matrix, turn)}
    is_bias = isinstance(offset, Known) and _is_row(offset, features) and beta != 0
    if is_bias:
        weights["bias"] = (cast(Known, offset), _row(features, beta))
    settings: dict[str, Setting] = {"features": features, "bias": is_bias}
    (value,) = to.layer(node, "linear", [x.value], settings, weights)
    if offset is not None and not is_bias and beta != 0:
        result = to.result(node, value, x.groups)
        things, first = together(to, node, [result, cast(Data, offset)])
        if first is None or things[0] is not result:
            node.refuse("what it adds has more axes than its product")
        other = value_of(to, node, things[1])
        other = other if beta == 1 else to.one(node, "mul", other, number=beta)
        value = to.one(node, "add", [value, other])
    to.give_result(node, value, x.groups)


def _check_inner(node: Node, x: Data, size: int) -> None:
    if x.type.shape[-1] != size:
        node.refuse(
            f"a matrix for {size} numbers meets {x.type}",
            code="needs-fixed-size" if not isinstance(x.type.shape[-1], int) else "shape-mismatch",
        )


def _is_row(one: Known, features: int) -> bool:
    is_flat = one.rank <= 2 and all(size == 1 for size in one.shape[:-1])
    return is_flat and one.count in (1, features) and one.array.dtype != object


def _row(features: int, beta: float):
    def turn(array: np.ndarray) -> np.ndarray:
        whole = np.broadcast_to(array.reshape(-1), (features,))
        return whole if beta == 1 else (whole * np.float32(beta)).astype(np.float32)

    return turn


@reads("MatMul")
def matmul(node: Node, to: Reader) -> None:
    """The product of two matrices, axes in front of them taken together."""
    x, y = to.thing(node, 0), to.thing(node, 1)
    is_last_free = isinstance(x, Data) and x.groups[-1] == (x.type.rank - 1,)
    if isinstance(x, Data) and isinstance(y, Known) and y.rank == 2 and is_last_free:
        features, size = y.shape[1], y.shape[0]
        _check_inner(node, x, size)
        settings: dict[str, Setting] = {"features": features, "bias": False}
        weights = {"weight": (y, lambda array: array.T)}
        to.give_result(node, to.layer(node, "linear", [x.value], settings, weights)[0], x.groups)
        return
    if x.rank < 2 or y.rank < 2:
        node.refuse("a product with a vector has no word", code="wrong-rank")
    things, first = together(to, node, [x, y])
    if first is None:
        value = to.one(node, "matmul", [value_of(to, node, thing) for thing in things])
        to.give_result(node, value)
        return
    base = cast(Data, things[first])
    if base.batch >= base.rank - 2 or base.groups[-1] != (base.type.rank - 1,):
        node.refuse("it multiplies along the batch, which mixes samples")
    values = [value_of(to, node, thing) for thing in things]
    to.give_result(node, to.one(node, "matmul", values), base.groups)
