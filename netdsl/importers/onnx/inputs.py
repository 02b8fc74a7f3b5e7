"""What flows into a graph: which axis is the batch, and which sizes are open."""

from __future__ import annotations

import enum
import re
from typing import cast

from netdsl.importers.frontend import Question, refused
from netdsl.importers.onnx.model import Model, Port, shown
from netdsl.importers.onnx.names import RESERVED
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import B, Data, numbered, our_dtype
from netdsl.importers.program import Input, Value
from netdsl.ir.dim import Size, symbol
from netdsl.ir.tensor import Tensor

SYMBOLS = {1: ("F",), 2: ("C", "T"), 3: ("C", "H", "W"), 4: ("C", "D", "H", "W")}
"""What open sizes are called, by the number of axes."""
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,20}")
COUNTED = re.compile(
    r"s\d+|unk.*|dim_?\d*|dyn.*|\w*dynamic_axes\w*|.*_dim_\d+|u\d+|n|N|batch\w*", re.IGNORECASE
)
RECURRENT = ("LSTM", "GRU", "RNN")


class Opening(enum.Enum):
    """Which sizes are open: those of the file, or all behind the channels."""

    AS_STATED = enum.auto()
    WIDE = enum.auto()


def open_inputs(model: Model, question: Question, opening: Opening, to: Reader) -> list[Input]:
    """The inputs of the program; also tells the reader what the batch is."""
    if not model.inputs:
        raise refused("nothing flows into the graph", model.origin, code="no-input")
    _check_asked(model, question)
    shapes = {port.name: _shape(port, question, model) for port in model.inputs}
    places = _batch_axes(model, shapes)
    batches = {shapes[port.name][places[port.name]] for port in model.inputs}
    fixed = {size for size in batches if isinstance(size, int)}
    if len(fixed) > 1:
        first, second = sorted(fixed)[:2]
        other = next(p for p in model.inputs if shapes[p.name][places[p.name]] == second)
        raise refused(
            f"axis 0 of inputs is the batch, and it is {first} in one and {second} in "
            f"`{shown(other.name)}`",
            other.origin,
            code="shape-mismatch",
        )
    to.batch = fixed.pop() if fixed else None
    names = _Symbols()
    return [
        _input(port, shapes[port.name], places[port.name], opening, names, to)
        for port in model.inputs
    ]


def _check_asked(model: Model, question: Question) -> None:
    known = {port.name for port in model.inputs}
    for name in question.inputs:
        if name not in known and (name or len(known) > 1):
            listed = ", ".join(f"`{shown(one)}`" for one in sorted(known)[:6])
            raise refused(f"there is no input `{name}`, only {listed}", model.origin)


def _shape(port: Port, question: Question, model: Model) -> list[int | str | None]:
    """The shape of an input, the batch included."""
    given = question.inputs.get(port.name)
    if given is None and len(model.inputs) == 1:
        given = question.inputs.get("")
    if port.shape is None and given is None:
        raise refused(
            f"the file does not say which shape `{shown(port.name)}` has",
            port.origin,
            code="needs-fixed-size",
            help=f"give it, without the batch: `--input '{shown(port.name)}: [3, H, W]'`, say",
        )
    if given is not None:
        first = port.shape[0] if port.shape else None
        return [first, *given]
    shape = list(port.shape or ())
    if not shape:
        raise refused(
            f"`{shown(port.name)}` is a single number, and axis 0 of inputs is the batch",
            port.origin,
            code="wrong-rank",
        )
    return shape


def _batch_axes(model: Model, shapes: dict[str, list[int | str | None]]) -> dict[str, int]:
    """The axis of the batch in each input: the first, or the second of what a recurrent layer takes
    along its first."""
    second: set[str] = set()
    for node in model.nodes:
        if node.operator in RECURRENT and node.attributes.get("layout", 0) == 0:
            second |= {node.inputs[n] for n in (0, 5, 6) if n < len(node.inputs)}
    named = {shapes[p.name][0] for p in model.inputs if p.name not in second}
    places: dict[str, int] = {}
    for port in model.inputs:
        shape = shapes[port.name]
        places[port.name] = int(port.name in second and len(shape) == 3)
        common = [n for n, one in enumerate(shape) if isinstance(one, str) and one in named]
        if isinstance(shape[0], int) and len(common) == 1 and len(named) == 1:
            places[port.name] = common[0]
    return places


class _Symbols:
    """Names of open sizes: one for each name of the file, none twice."""

    def __init__(self) -> None:
        self.by_name: dict[str, str] = {}

    def of(self, name: str | None, usual: str) -> str:
        if name and name in self.by_name:
            return self.by_name[name]
        wanted = name if name and WORD.fullmatch(name) and not COUNTED.fullmatch(name) else usual
        wanted = usual if len(wanted) > 1 and wanted.lower() in USUAL else wanted
        taken = set(self.by_name.values())
        symbol_name, number = wanted, 1
        while symbol_name in taken or symbol_name in RESERVED:
            number += 1
            symbol_name = f"{wanted}{number}"
        self.by_name[name or f"?{len(self.by_name)}"] = symbol_name
        return symbol_name


USUAL = ("height", "width", "h", "w", "length", "channels", "sequence", "seq", "seq_len")


def _input(
    port: Port,
    shape: list[int | str | None],
    place: int,
    opening: Opening,
    names: _Symbols,
    to: Reader,
) -> Input:
    dtype = our_dtype(port.dtype)
    if not dtype:
        message = f"`{shown(port.name)}` is of type {port.dtype}, which has no counterpart"
        raise refused(message, port.origin, code="wrong-dtype")
    if dtype != port.dtype:
        to.remarks.setdefault(
            f"input `{shown(port.name)}` is {dtype} here, and {port.dtype} in the file"
        )
    own = [size for n, size in enumerate(shape) if n != place]
    usual = SYMBOLS.get(len(own), tuple(f"S{n}" for n in range(len(own))))
    usual = ("T",) if dtype == "int64" and len(own) == 1 else usual
    usual = ("T", "F") if len(own) == 2 and not isinstance(own[0], int) else usual
    is_wide = opening is Opening.WIDE
    stated: list[int | str] = []
    for axis, size in enumerate(own):
        if isinstance(size, int) and not (is_wide and axis > 0 and len(own) > 2):
            stated.append(size)
        else:
            name = size if isinstance(size, str) else f"{port.name}.{axis}"
            stated.append(names.of(name, usual[axis]))
    fixed = [size for size in own if isinstance(size, int)]
    at_file = cast("tuple[int, ...]", tuple(own)) if len(fixed) == len(own) else None
    value = Value(word_of(port.name), at_file, dtype, len(own))
    sizes: tuple[Size, ...] = tuple(symbol(s) if isinstance(s, str) else s for s in stated)
    tensor = Tensor(sizes, dtype)
    to.know(value, tensor)
    groups = [[0] for _ in own]
    groups.insert(place, [B])
    to.things[port.name] = Data(value, tensor, numbered(groups), port.dtype)
    return Input(value.name, value, tuple(stated), port.origin)


def word_of(name: str) -> str:
    """The name of an input as a word of the language."""
    word = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:40]
    if not word or not word[0].isalpha():
        word = f"x{word}" if word else "x"
    return f"{word}_" if word in RESERVED else word
