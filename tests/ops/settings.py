"""Random settings and inputs for any op, read off its parameters; about half of them are bad."""

from __future__ import annotations

import re
from fractions import Fraction
from random import Random

from netdsl.ir.tensor import Tensor
from netdsl.ops import registry
from netdsl.ops.base import Op
from netdsl.ops.comparison import Where
from netdsl.ops.elementwise import Elementwise
from netdsl.ops.merge import Concat
from netdsl.ops.op_parameters import OpParameter, parameters, value_parameters
from netdsl.ops.params import FromValue, Same
from netdsl.ops.pointwise import Pointwise
from netdsl.ops.reduce import CumSum, Reduction
from tests.ops.related import RELATED, flowing_types, named_type

COUNTS = [1, 1, 2, 2, 3, 4, 6, 8, 0, -1, 5]
SMALL = [1, 1, 1, 2, 2, 3, 0, -1, 4]
RANKS = [2, 3, 3, 3, 4, 1]
PROMOTING = (Concat, CumSum, Elementwise, Pointwise, Reduction)
"""Layers that take all element types, and make one of several."""
MIXED = ["float32"] * 7 + ["int64", "bool", "int32", "uint8", "float64", "float16"]
OF_TABLES = {"spectral_norm"}
"""Layers that take tables alone, and refuse every value: test_spectral_norm.py."""
OF_VALUES = sorted(set(registry()) - OF_TABLES)
OWN: dict[str, list[object]] = {
    "p": [0.0, 0.3, 0.5, 1.0, 1.5, -0.1],
    "padding": [0, 0, 1, 1, 2, 3, "same", "valid", (1, 0), (0, 1, 2), -1, "same_upper",
                "same_lower"],
    "stride": [1, 1, 2, 2, 3, (2, 1), (1, 2, 3), 0],
    "kernel": [1, 2, 3, 3, 5, (3, 2), (3, 1, 2), 0, 9],
    "dilation": [1, 1, 1, 2, 3, (1, 2), 0],
    "output_padding": [0, 0, 1, 2, (0, 1), -1],
    "groups": [1, 1, 2, 2, 3, 4, 0],
    "heads": [1, 2, 3, 4, 0],
    "axis": ["channels", 0, 1, 2, -1, -2, 3, -4],
    "axes": [(0,), (1, 0), (0, 2, 1), (2, 0, 1), (0, 0), (0, 1, 2, 3), (-1, 0), (1, 2, 3)],
    "shape": [(-1,), (2, -1), (4, 2), (8, 1, 1), (3, 3), (-1, -1), (0, 2), (6,)],
    "parts": [1, 2, 3, 4, (1, 2), (2, 2), (4, 4), 0, (0, 3)],
    "size": [1, 2, 3, 7, (2, 3), (3, 2, 1), 0, FromValue(1)],
    "scale": [None, None, Fraction(2), Fraction(3, 2), Fraction(1, 2), (Fraction(2), Fraction(3)),
              Fraction("2.3"), Fraction("0.7"), Fraction("1.25"), (Fraction("2.3"), Fraction(2)),
              (Fraction("0.29"), Fraction("1.5")), Fraction("2.1"),
              Fraction(0), Fraction(11, 10), Fraction(1, 9)],
    "levels": [(1, 2, 4), (1,), (3, 2, 1), (6,), (), (0,)],
    "start": [0, 0, 1, 2, -1, -3],
    "stop": [1, 2, 3, 5, -1, 9, 0, "end"],
    "step": [1, 1, 2, 0],
    "features": [1, 4, 8, 0],
    "channels": [1, 2, 4, 6, 8, 12, 0],
    "window": [1, 2, 3, 0],
    "shift": [0, 0, 1, 2, -1],
    "factor": [1, 2, 2, 3, 0],
    "mean": [(0.1, 0.2, 0.3, 0.4), (0.1, 0.2, 0.3, 0.4), (0.5,)],
    "std": [(0.1, 0.2, 0.3, 0.4), (0.1, 0.2, 0.3, 0.4), (0.1, 0.0, 0.3, 0.4), (0.5,)],
    "amount": [0, 0, 1, 2, (1, 0), (1, 2, 3), -1],
    "offset": [0, 0, 1, (1, 0), -1],
    "count": [1, 1, 2, 4, 8, 0],
    "crop": [Fraction(1), Fraction("0.875"), Fraction("0.4"), Fraction(0), Fraction(2)],
    "fill": [0.0, 7.0, -1.0],
    "ratio": [(0.75, 1.25), (1.0, 1.0), (2.0, 1.0), (0.5,)],
    "hidden": [1, 2, 2, 3, 4, 0],
    "layers": [1, 1, 2, 2, 3, 0],
    "dropout": [0.0, 0.0, 0.3, 1.0, 1.5, -0.1],
}  # fmt: skip


def random_case(op: type[Op], random: Random) -> tuple[Op, tuple[Tensor, ...]]:
    """An op with random settings, and the types of random inputs for it."""
    values: dict[str, object] = {}
    for parameter in parameters(op):
        values[parameter.name] = _setting(op, parameter, values, random)
    may_lack = any(p.name == "size" and not p.required for p in parameters(op))
    if may_lack and values.get("scale") is not None and random.random() < 0.9:
        values["size"] = None  # a factor or a size
    if values.get("size") is not None and "output_padding" in values and random.random() < 0.9:
        values["output_padding"] = 0
    made = op(**values)
    flowing = flowing_types(made, random) if op.name in RELATED else _inputs(made, random)
    named = [part for part in value_parameters(op) if isinstance(values[part[0]], FromValue)]
    given = [
        named_type(made, name, flowing, random)
        if kind.reads_value
        else _sizing(made, flowing[0], random)
        for name, kind in named
    ]
    if op.name == "fold" and random.random() < 0.9:
        flowing, given = _columns(made, random)
    for number, (name, _) in enumerate(named, len(flowing)):  # they come last, in their order
        values[name] = FromValue(number)
    return op(**values), (*flowing, *given)


def _setting(
    op: type[Op], parameter: OpParameter, before: dict[str, object], random: Random
) -> object:
    default = parameter.default
    if parameter.name == "start_cell" and random.random() < 0.85:
        return before["start"]  # both are given, or none
    if not parameter.required and random.random() < 0.55:
        return before[default.parameter] if isinstance(default, Same) else default
    if parameter.tries:
        return random.choice(parameter.tries)
    if parameter.kind.is_table:  # which are given elsewhere (test_weights.py)
        return random.random() < 0.5 if parameter.kind.name.startswith("bool") else default
    if parameter.kind.reads_value:
        return FromValue(0)  # which input it is, the number of the others decides
    choices = OWN.get(parameter.name)
    if parameter.kind.words and parameter.name not in OWN:
        return random.choice(parameter.kind.words)
    if choices is None:
        match parameter.kind.name:
            case "bool":
                return random.random() < 0.5
            case "float":
                return random.choice([0.5, 1.0, 0.1, 2.0, 0.0, -1.0])
            case _:
                return random.choice(SMALL)
    if not parameter.kind.takes_value:
        choices = [c for c in choices if not isinstance(c, FromValue)]
    if parameter.kind.name == "int":
        choices = [c for c in choices if not isinstance(c, tuple)]
    choices = [c for c in choices if not isinstance(c, str) or c in parameter.kind.words]
    return random.choice(choices)


def _inputs(op: Op, random: Random) -> tuple[Tensor, ...]:
    least, most = op.inputs_taken()
    count = least if most == least else random.choice([1, 2, 2, 3])
    row = re.search(r": (\w+ )?\[([^\]]*)\]", type(op).__doc__ or "")  # the first example's input
    counts = row is not None and row[1] is not None
    dtypes = _dtypes(op, count, row[1].strip() if counts else "", random)
    rank = random.choice(RANKS)
    tokens = op.channels_at == -1 and not op.matrix and not counts
    if row is not None and tokens and random.random() < 0.8:
        rank = row[2].count(",") + 1
    first = _shape(rank, random)
    shapes = [first]
    for _ in range(count - 1):
        other = list(first)
        for axis in range(rank):
            if random.random() < 0.2:
                other[axis] = random.choice([1, other[axis] + 1])
        shapes.append(
            tuple(other) if random.random() < 0.95 else _shape(random.choice(RANKS), random)
        )
    return tuple(map(Tensor, shapes, dtypes))


def _sizing(op: Op, first: Tensor, random: Random) -> Tensor:
    """A value whose size is asked."""
    same = random.random() < 0.8
    aimed = _aimed(op, first.shape, random) if random.random() < 0.8 else None
    shape = aimed or _shape(first.rank if same else random.choice(RANKS), random)
    return Tensor(shape, first.dtype)


def _dtypes(op: Op, count: int, usual: str, random: Random) -> list[str]:
    """An element type for each input; where types are mixed by the layer, any, and floats often."""
    if isinstance(op, Where) and random.random() < 0.9:
        return ["bool", *(random.choice(MIXED) for _ in range(count - 1))]
    if isinstance(op, PROMOTING):
        return [random.choice(MIXED) for _ in range(count)]
    return [usual if usual and random.random() < 0.8 else "float32"] * count


def _columns(op: Op, random: Random) -> tuple[tuple[Tensor], list[Tensor]]:
    """Columns of a map as `fold` may well take them, and the map where its size is a value's."""
    size = op.size  # type: ignore[attr-defined]
    named = isinstance(size, FromValue)
    spatial = [random.randint(1, 7) for _ in range(2)] if named else _each(size, 2)
    cells = count = 1
    for axis, n in enumerate(spatial):
        kernel, stride, padding, dilation = (
            _each(getattr(op, at), 2)[axis] for at in ("kernel", "stride", "padding", "dilation")
        )
        cells *= kernel
        count *= max((n + 2 * padding - dilation * (kernel - 1) - 1) // max(stride, 1) + 1, 1)
    channels = random.choice([1, 2, 3]) * max(cells, 1) + (random.random() < 0.1)
    columns = Tensor((channels, count + (random.random() < 0.1)))
    return (columns,), [Tensor((2, *spatial))] if named else []


def _each(setting: object, rank: int) -> list[int]:
    """A part for each axis, however many are given."""
    parts = setting if isinstance(setting, tuple) else (setting,)
    return [parts[axis % len(parts)] for axis in range(rank)]


def _aimed(op: Op, shape: tuple[int, ...], random: Random) -> tuple[int, ...] | None:
    """The shape of a value whose size a layer that enlarges by a stride may well give."""
    if op.zoom < 1 or not hasattr(op, "stride"):
        return None
    sizes: list[int] = []
    for axis, size in enumerate(shape[1:]):
        kernel, stride, padding, dilation = (
            _each(getattr(op, at, 1), axis + 1)[axis]
            for at in ("kernel", "stride", "padding", "dilation")
        )
        least = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
        sizes.append(max(least + random.randrange(max(stride, 1)), 1))
    return (random.choice([1, 4]), *sizes)


def _shape(rank: int, random: Random) -> tuple[int, ...]:
    channels = random.choice([1, 2, 3, 4, 4, 6, 8, 8, 12])
    return (channels, *(random.choice([1, 2, 3, 4, 5, 6, 7, 8, 9]) for _ in range(rank - 1)))
