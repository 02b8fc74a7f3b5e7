"""What a file computes of numbers and sizes alone, computed while it is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from netdsl.importers.onnx.model import Node, Weight, brief
from netdsl.importers.onnx.quantity import (
    Plain,
    Quantity,
    Undecided,
    ceiled,
    compared,
    divided,
    floored,
    least,
    most,
    truncated,
)
from netdsl.importers.onnx.values import INTEGERS, Known, known

if TYPE_CHECKING:
    import numpy as np

MOST_NUMBERS = 2**26
"""Numbers that a computed constant may have."""
Fold = Callable[[Node, "list[np.ndarray | None]"], "list[Any]"]
FOLDS: dict[str, Fold] = {}
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


def fold(*operators: str) -> Callable[[Fold], Fold]:
    """Register what computes these operators on numbers."""

    def register(function: Fold) -> Fold:
        FOLDS.update(dict.fromkeys(operators, function))
        return function

    return register


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


def checked_count(node: Node, shape: Sequence[object]) -> tuple[int, ...]:
    """A shape of known sizes that memory holds."""
    sizes: list[int] = []
    for size in shape:
        if isinstance(size, Quantity):
            raise Undecided(f"a constant has the size {size}")
        sizes.append(int(cast(int, size)))
    if any(size < 0 for size in sizes) or math.prod(sizes) > MOST_NUMBERS:
        node.refuse(f"a constant of shape {brief(sizes)} is too large", code="too-large")
    return tuple(sizes)


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


# --- the numbers of shape arithmetic ---------------------------------------------------------


def _first(arrays: list[np.ndarray | None], index: int = 0) -> np.ndarray:
    one = arrays[index] if index < len(arrays) else None
    if one is None:
        raise Undecided(f"input {index} is missing")
    return one


def elementwise(function: Callable[..., object]) -> Callable[..., Any]:
    """A function of numbers and sizes, entry by entry."""

    def apply(*arrays: np.ndarray) -> Any:
        import numpy

        return numpy.frompyfunc(function, len(arrays), 1)(*arrays)

    return apply


def _is_whole(array: np.ndarray) -> bool:
    """Whether numbers are whole ones, sizes among them."""
    if array.dtype == object:
        return all(not isinstance(one, float) for one in array.reshape(-1).tolist())
    return str(array.dtype) in INTEGERS or array.dtype == bool


@fold("Add", "Sub", "Mul", "Div", "Min", "Max", "Pow", "Mod")
def _arithmetic(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    values = [_first(arrays, n) for n in range(len(arrays))]
    if node.operator == "Mod":
        node.only("fmod", 0)
    symbolic = any(value.dtype == object for value in values)
    result = values[0]
    for other in values[1:]:
        is_whole = _is_whole(result) and _is_whole(other)
        if symbolic:
            result = numpy.asarray(_symbolic(node.operator, is_whole)(result, other))
        else:
            result = _plain(node.operator, result, other, is_whole)
    return [result]


def _symbolic(operator: str, is_whole: bool) -> Callable[..., Any]:
    def quotient(a: Plain, b: Plain) -> Plain:
        if not isinstance(a, Quantity) and not isinstance(b, Quantity):
            if b == 0:
                raise Undecided("a size is divided by 0")
            return int(a / b) if is_whole else a / b
        exact = divided(a, b)
        return truncated(exact) if is_whole else exact

    functions: dict[str, Callable[..., object]] = {
        "Add": lambda a, b: a + b,
        "Sub": lambda a, b: a - b,
        "Mul": lambda a, b: a * b,
        "Div": quotient,
        "Min": least,
        "Max": most,
        "Mod": lambda a, b: a % b,
    }
    if operator not in functions:
        raise Undecided(f"`{operator}` of a size has no exact word")
    return elementwise(functions[operator])


def _plain(operator: str, a: np.ndarray, b: np.ndarray, is_whole: bool) -> np.ndarray:
    import numpy

    if operator == "Div" and is_whole:
        if (b == 0).any():
            raise Undecided("a whole number is divided by 0")
        quotient = numpy.abs(a) // numpy.abs(b)
        return (quotient * numpy.sign(a) * numpy.sign(b)).astype(a.dtype)
    functions: dict[str, Any] = {
        "Add": numpy.add,
        "Sub": numpy.subtract,
        "Mul": numpy.multiply,
        "Div": numpy.divide,
        "Min": numpy.minimum,
        "Max": numpy.maximum,
        "Pow": numpy.power,
        "Mod": numpy.mod,
    }
    return functions[operator](a, b)


@fold("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual")
def _comparison(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    signs = {"Equal": "==", "Less": "<", "Greater": ">", "LessOrEqual": "<=",
             "GreaterOrEqual": ">="}  # fmt: skip
    a, b = _first(arrays), _first(arrays, 1)
    sign = signs[node.operator]
    if a.dtype != object and b.dtype != object:
        plain = {"==": numpy.equal, "<": numpy.less, ">": numpy.greater, "<=": numpy.less_equal,
                 ">=": numpy.greater_equal}  # fmt: skip
        return [plain[sign](a, b)]
    return [numpy.asarray(elementwise(lambda x, y: compared(sign, x, y))(a, b)).astype(bool)]


@fold("Where")
def _where(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    condition = _first(arrays)
    if condition.dtype == object:
        raise Undecided("a choice depends on the sizes")
    return [numpy.where(condition, _first(arrays, 1), _first(arrays, 2))]


@fold("Floor", "Ceil", "Neg", "Abs")
def _rounding(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one = _first(arrays)
    if one.dtype != object:
        plain = {"Floor": numpy.floor, "Ceil": numpy.ceil, "Neg": numpy.negative, "Abs": numpy.abs}
        return [plain[node.operator](one)]
    rounds: dict[str, Callable[[Plain], object]] = {
        "Floor": floored,
        "Ceil": ceiled,
        "Neg": lambda a: -a,
        "Abs": lambda a: most(a, -a),
    }
    return [elementwise(rounds[node.operator])(one)]


DTYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
          9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
          16: "bfloat16"}  # fmt: skip
"""ONNX's numbers for element types."""


@fold("Cast", "CastLike")
def _cast(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one = _first(arrays)
    for ignored in ("saturate", "round_mode"):  # these are for types of 8 bits
        node.has(ignored)
    if node.operator == "CastLike":
        dtype = str(_first(arrays, 1).dtype)
    else:
        dtype = DTYPES.get(node.int("to"), "")
    if not dtype or dtype == "object":
        node.refuse("numbers are cast to a type that is not read", code="wrong-dtype")
    if one.dtype != object:
        return [one.astype("float32" if dtype == "bfloat16" else dtype)]
    if dtype == "bool":
        return [numpy.asarray(elementwise(lambda a: not compared("==", a, 0))(one)).astype(bool)]
    if dtype in INTEGERS:
        return [elementwise(truncated)(one)]
    return [elementwise(lambda a: a if isinstance(a, Quantity) else float(a))(one)]


@fold("Concat")
def _concat(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    values = [_first(arrays, n) for n in range(len(arrays))]
    return [numpy.concatenate(values, axis=node.int("axis"))]


@fold("Gather")
def _gather(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one, indices = _first(arrays), _first(arrays, 1)
    if indices.dtype == object:
        raise Undecided("an index depends on the sizes")
    if one.size and indices.size * (one.size // max(1, one.shape[0])) > MOST_NUMBERS:
        node.refuse("a constant is too large", code="too-large")
    return [numpy.take(one, indices.astype(int), axis=node.int("axis", 0))]


@fold("Unsqueeze", "Squeeze")
def _axes(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one = _first(arrays)
    if node.has("axes"):
        axes: Sequence[int] | None = node.ints("axes")
    elif len(arrays) > 1 and arrays[1] is not None:
        axes = [int(a) for a in cast(Any, arrays[1]).reshape(-1)]
    else:
        axes = None
    if len(axes or ()) > 16:
        node.refuse(f"{len(axes or ())} axes")
    if node.operator == "Unsqueeze":
        return [numpy.expand_dims(one, tuple(axes or ()))]
    return [numpy.squeeze(one, axis=None if axes is None else tuple(axes))]


@fold("Reshape")
def _reshape(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    one, target = _first(arrays), _first(arrays, 1)
    allow = node.int("allowzero", 0)
    if target.dtype == object:
        raise Undecided("a constant is given a shape that depends on sizes")
    shape = [int(s) for s in target.reshape(-1)]
    if not allow:
        shape = [one.shape[n] if s == 0 else s for n, s in enumerate(shape)]
    return [one.reshape(shape)]


@fold("Transpose")
def _transpose(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    one = _first(arrays)
    order = node.ints("perm", tuple(reversed(range(one.ndim))))
    return [one.transpose(order)]


@fold("Identity")
def _identity(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    return [_first(arrays)]


@fold("Slice")
def _slice(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    one = _first(arrays)
    starts, stops, axes, steps = slice_settings(node, arrays, one.ndim)
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        if any(isinstance(part, Quantity) for part in (start, stop)):
            raise Undecided("a constant is cut at a place that depends on sizes")
        end = int(cast(int, stop))
        end = None if step < 0 and end < -one.shape[axis] else end
        cut = slice(int(cast(int, start)), end, step)
        one = one[(*(slice(None),) * (axis % max(1, one.ndim)), cut)]
    return [one]


def slice_settings(
    node: Node, arrays: Sequence[np.ndarray | None], rank: int
) -> tuple[list[Plain], list[Plain], list[int], list[int]]:
    """Starts, ends, axes and steps: attributes up to opset 9, inputs from 10 on."""

    def listed(index: int) -> list[Plain] | None:
        one = arrays[index] if index < len(arrays) else None
        return None if one is None else cast("list[Plain]", one.reshape(-1).tolist())

    if node.opset < 10:
        starts: list[Plain] | None = list(node.ints("starts"))
        stops: list[Plain] | None = list(node.ints("ends"))
        axes = list(node.ints("axes", tuple(range(len(starts)))))
        steps = [1] * len(starts)
    else:
        starts, stops = listed(1), listed(2)
        if starts is None or stops is None:
            node.refuse("its starts or ends are missing")
        axes = [int(cast(int, a)) for a in listed(3) or range(len(starts))]
        steps = [int(cast(int, s)) for s in listed(4) or [1] * len(starts)]
    if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
        node.refuse("its starts, ends, axes and steps do not go together")
    if any(not -rank <= axis < rank for axis in axes):
        node.refuse(f"there is no axis {axes}, as the value has {rank}")
    return starts, stops, axes, steps


@fold("Split")
def _split(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one, axis = _first(arrays), node.int("axis", 0)
    if node.has("split"):
        sizes = list(node.ints("split"))
    elif len(arrays) > 1 and arrays[1] is not None:
        sizes = [int(s) for s in cast(Any, arrays[1]).reshape(-1)]
    else:
        count = node.int("num_outputs", len(node.outputs))
        share = -(-one.shape[axis] // max(1, count))
        sizes = [share] * (count - 1)
        sizes.append(one.shape[axis] - sum(sizes))
    if sum(sizes) != one.shape[axis] or len(sizes) > 1000:
        node.refuse(f"parts of {brief(sizes)} of {one.shape[axis]}")
    ends = numpy.cumsum(sizes)[:-1]
    return list(numpy.split(one, ends, axis=axis))


@fold("Range")
def _range(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    start, limit, step = (_first(arrays, n).reshape(-1)[0] for n in range(3))
    if any(isinstance(one, Quantity) for one in (start, limit, step)):
        raise Undecided("a range is as long as an open size")
    if not step or abs((limit - start) / step) > MOST_NUMBERS:
        node.refuse("a range is too long", code="too-large")
    return [numpy.arange(start, limit, step, dtype=_first(arrays).dtype)]


@fold("Expand")
def _expand(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    one, target = _first(arrays), _first(arrays, 1)
    sizes = checked_count(node, target.reshape(-1).tolist())
    return [numpy.broadcast_to(one, numpy.broadcast_shapes(one.shape, sizes))]


@fold("ConstantOfShape")
def _constant_of_shape(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    shape = checked_count(node, _first(arrays).reshape(-1).tolist())
    value = node.attributes.get("value")
    node.asked.add("value")
    if value is None:
        return [numpy.broadcast_to(numpy.float32(0), shape)]
    if not isinstance(value, Weight) or value.shape not in ((), (1,)):
        node.refuse("`value` is a tensor of one number")
    return [numpy.broadcast_to(value.read().reshape(()), shape)]


@fold("ReduceProd", "ReduceSum")
def _reduced(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    """Of sizes: the product or sum of a row of them."""
    import numpy

    one = _first(arrays)
    keep = node.int("keepdims", 1)
    if node.has("axes"):
        node.ints("axes")
    if one.ndim > 1:
        raise Undecided("sizes in several rows")
    entries = cast("list[Plain]", one.reshape(-1).tolist())
    total: Plain = 1 if node.operator == "ReduceProd" else 0
    for entry in entries:
        total = total * entry if node.operator == "ReduceProd" else total + entry
    result = numpy.empty((1,) if keep and one.ndim else (), dtype=object)
    result[...] = total
    return [result]


@fold("Size")
def _size(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    import numpy

    return [numpy.asarray(_first(arrays).size)]


@fold("And", "Or", "Not")
def _logic(node: Node, arrays: list[np.ndarray | None]) -> list[Any]:
    raise Undecided("a choice depends on the sizes")
