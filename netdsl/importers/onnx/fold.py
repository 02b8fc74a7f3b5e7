"""What a file computes of numbers and sizes alone, computed while it is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from netdsl.importers.onnx import fold_numbers, fold_shapes
from netdsl.importers.onnx.folding import FOLDS, MOST_NUMBERS, elementwise
from netdsl.importers.onnx.model import Node, Weight, brief
from netdsl.importers.onnx.quantity import Quantity
from netdsl.importers.onnx.values import Known, known

if TYPE_CHECKING:
    import numpy as np

RULES = (fold_numbers, fold_shapes)
"""What registers the operators that are computed here."""
BY_REFERENCE = frozenset((
    "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BatchNormalization", "BitShift", "Celu",
    "Clip", "Compress", "Conv", "Cos", "Cosh", "CumSum", "DepthToSpace", "Einsum", "Elu", "Erf",
    "EyeLike", "Exp", "Flatten", "GatherElements", "GatherND", "Gemm", "GlobalAveragePool",
    "HardSigmoid", "Hardmax", "IsInf", "IsNaN", "LayerNormalization", "LeakyRelu", "Log",
    "LogSoftmax", "LRN", "MatMul", "Mod", "NonZero", "OneHot", "PRelu", "Pad", "Reciprocal",
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Round",
    "ScatterElements", "ScatterND", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softmax",
    "Softplus", "Softsign", "SpaceToDepth", "Sqrt", "Tan", "Tanh", "Tile", "TopK", "Trilu",
    "Xor", "Gelu", "Swish", "HardSwish", "Mish", "Resize", "ArgMax", "ArgMin", "Mean", "Sum",
    "Slice", "Split", "Expand", "Range", "Pow", "And", "Or", "Not",
))  # fmt: skip
"""Operators whose numbers are left to ONNX's own reference: none draws numbers or runs a graph."""


def folded(
    node: Node, inputs: Sequence[Known | None], named: Callable[[Quantity], Quantity]
) -> list[Known] | None:
    """The results of a node whose inputs are all known; None where nobody computes it.

    `named` says a size as that of an axis where it is one.
    """
    import numpy

    arrays = [None if one is None else one.array for one in inputs]
    is_symbolic = any(a is not None and a.dtype == object for a in arrays)
    rule = FOLDS.get(node.operator)
    if rule is None or (not is_symbolic and node.operator in BY_REFERENCE):
        if is_symbolic or node.operator not in BY_REFERENCE:
            return None
        return _by_reference(node, arrays)
    with numpy.errstate(all="ignore"):
        results = rule(node, arrays)
    return [_tidy(one, node, inputs, named) for one in results]


def _tidy(
    array: Any,
    node: Node,
    inputs: Sequence[Known | None],
    named: Callable[[Quantity], Quantity],
) -> Known:
    """A result; of plain numbers where none depends on sizes any more."""
    import numpy

    array = numpy.asarray(array)
    if array.size > MOST_NUMBERS:
        node.refuse("a constant is too large", code="too-large")
    if array.dtype != object:
        return known(array)
    entries = array.reshape(-1).tolist()
    if any(isinstance(one, Quantity) for one in entries):
        array = elementwise(lambda a: named(a) if isinstance(a, Quantity) else a)(array)
        array = numpy.asarray(array, object)
        is_float = any(isinstance(one, float) for one in entries) or _casts_to_float(node, inputs)
        return known(array, "float32" if is_float else "int64")
    kinds = {type(one) for one in entries}
    dtype = "bool" if kinds == {bool} else "int64" if float not in kinds else "float32"
    if dtype == "int64" and _casts_to_float(node, inputs):
        dtype = "float32"
    return known(array.astype(dtype))


def _casts_to_float(node: Node, inputs: Sequence[Known | None]) -> bool:
    if node.operator == "Cast":
        return node.attributes.get("to") in (1, 10, 11, 16)
    first = inputs[0] if inputs else None
    return first is not None and first.dtype.startswith(("float", "bfloat"))


def _by_reference(node: Node, arrays: list[np.ndarray | None]) -> list[Known]:
    """The results by ONNX's reference implementation."""
    import numpy
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    _check_growth(node, arrays)
    attributes: dict[str, Any] = {}
    for name, value in node.attributes.items():
        node.asked.add(name)
        if isinstance(value, Weight):
            value = numpy_helper.from_array(value.read())
        elif not isinstance(value, int | float | str | tuple):
            node.refuse(f"`{name}` is a graph")
        attributes[name] = list(value) if isinstance(value, tuple) else value
    names = ["" if a is None else f"i{n}" for n, a in enumerate(arrays)]
    outputs = [f"o{n}" if name else "" for n, name in enumerate(node.outputs)]
    given = [n for n, array in zip(names, arrays, strict=True) if array is not None]
    inputs = [helper.make_tensor_value_info(name, 0, None) for name in given]
    results = [helper.make_tensor_value_info(name, 0, None) for name in outputs if name]
    try:
        proto = helper.make_node(node.operator, names, outputs, **attributes)
        graph = helper.make_graph([proto], "g", inputs, results)
        opsets = [helper.make_opsetid("", node.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        feeds = {n: a for n, a in zip(names, arrays, strict=True) if a is not None}
        with numpy.errstate(all="ignore"):
            computed = ReferenceEvaluator(model).run(None, feeds)
    except Exception as error:
        node.refuse(f"its numbers can't be computed: {brief(error)}")
    results_of = iter(cast("list[Any]", computed))
    return [known(numpy.asarray(next(results_of))) if o else known(numpy.zeros(0)) for o in outputs]


def _check_growth(node: Node, arrays: list[np.ndarray | None]) -> None:
    """Refuse what would make much of little."""
    import numpy

    if sum(a.size for a in arrays if a is not None) > MOST_NUMBERS:
        node.refuse("a constant is too large to be computed", code="too-large")
    if node.operator == "Range":
        start, limit, step = (float(cast(Any, a).reshape(-1)[0]) for a in arrays)
        if step == 0 or not (abs((limit - start) / step) < MOST_NUMBERS):
            node.refuse("a range is too long", code="too-large")
    elif node.operator in ("Expand", "Tile", "Pad", "OneHot", "Resize", "Einsum", "Conv"):
        sizes = [abs(float(one)) for a in arrays[1:] if a is not None and a.size <= 64
                 for one in numpy.asarray(a).reshape(-1).astype(float)]  # fmt: skip
        grown = math.prod(max(1.0, size) for size in sizes if size == size)
        if node.operator in ("Expand", "Tile") and grown > MOST_NUMBERS:
            node.refuse("a constant is too large to be computed", code="too-large")
        if node.operator not in ("Expand", "Tile") and max(sizes, default=0) > 10_000:
            node.refuse("a constant is too large to be computed", code="too-large")
