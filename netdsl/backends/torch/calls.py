"""Recipes as expressions: modules as `__init__` makes them, calls as `forward` writes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import isqrt, prod
from typing import cast

from netdsl.backends.torch.formulas import python_text
from netdsl.backends.torch.layout import Bracket, Expr, Hole, Joined, call, flat, literal
from netdsl.backends.torch.sizes import At, size_text
from netdsl.ir.dim import Dim
from netdsl.ir.formula import Formula
from netdsl.ir.graph import Node
from netdsl.ir.sequences import is_sequence
from netdsl.ops.recipe import (
    Code,
    From,
    In,
    Ins,
    Keywords,
    Setting,
    SizeOf,
    TorchCall,
    TorchModule,
    TorchValue,
    TorchWeight,
)

LEVELS = {"**": 3, "*": 2, "/": 2, "+": 1, "-": 1, ">": 0, "<": 0, "==": 0}
"""How tight each operator binds."""
FOLDED = {"torch.maximum": "amax", "torch.minimum": "amin"}
OPERATORS = {
    "+": "torch.add", "-": "torch.sub", "*": "torch.mul", "/": "torch.div", "**": "torch.pow",
    ">": "torch.gt", "<": "torch.lt", "==": "torch.eq",
}  # fmt: skip
MERGES = {*FOLDED, *OPERATORS, "mean"}
WHOLE: Mapping[str, Callable[[float], float]] = {"int64": int, "uint8": int, "bool": bool}
MOST_TERMS = 16
"""How many values an operator is written between at most."""
LONGEST_SUM = 66
"""How long a sum is at most that is divided on its line."""
SIMPLE = re.compile(r"[\w.]+(\[-?\d+\])?")
"""A size that is a number, an axis of a tensor, or an attribute."""
ARGUMENT_NAMES = {"in.channels": "in_channels", "in.features": "in_features"}


class Speaker:
    """Writes the recipes of one node, whose inputs are the variables given.

    `together` is an expression that has all of them, in order; `numbers` are those for fields.
    """

    def __init__(
        self,
        node: Node,
        inputs: Sequence[Expr],
        at_hand: Sequence[At],
        channels: Formula | None = None,
        together: Expr | None = None,
        numbers: Mapping[str, Expr] | None = None,
    ) -> None:
        self.node, self.inputs, self.at_hand = node, list(inputs), at_hand
        self.channels = channels
        self.together, self.numbers = together, numbers or {}

    def constructor(self, recipe: TorchModule | TorchWeight) -> Expr:
        """`nn.Conv2d(3, 64, kernel_size=7)`, `nn.Parameter(torch.zeros(1, 64))`."""
        if isinstance(recipe, TorchWeight):
            tensor = self._table(recipe)
            return call("nn.Parameter", tensor) if recipe.is_learned else tensor
        args = [self._value(arg) for arg in recipe.args]
        keys, values = self._keywords(recipe.kwargs)
        return Bracket(recipe.target, (*args, *values), ("",) * len(args) + keys)

    def invocation(self, module: Expr, recipe: TorchModule) -> Expr:
        """`self.conv1(x)`."""
        args = self.inputs if recipe.inputs is None else [self._value(arg) for arg in recipe.inputs]
        keys, values = self._keywords(recipe.input_kwargs)
        return Bracket(module, (*args, *values), ("",) * len(args) + keys, tail=_picked(recipe))

    def function(self, recipe: TorchCall) -> Expr:
        """`F.relu(x)`, `x + y`, `torch.cat([x, y], dim=1)`, `x.flatten(1)`."""
        if recipe.target in MERGES:
            numbers = [self._number(arg) for arg in recipe.args if not isinstance(arg, In)]
            return self._merge(recipe.target, numbers)
        if recipe.target == "":
            return self.inputs[0]
        if recipe.target == "[]":
            return self._cut(recipe)
        args = [self._value(arg) for arg in recipe.args]
        keys, values = self._keywords(recipe.kwargs)
        head: Expr = recipe.target
        if recipe.target.startswith("."):
            head = Joined((operand(args.pop(0)), recipe.target))
        return Bracket(head, (*args, *values), ("",) * len(args) + keys, tail=_picked(recipe))

    def _merge(self, target: str, numbers: Sequence[Expr]) -> Expr:
        """Two values by a function or operator, many by one call on a list of them."""
        count = len(self.inputs)
        if count == 1 and not numbers:
            return self.inputs[0]
        if target in FOLDED:
            return self._folded(target)
        if target != "mean":
            return self._operator(target, numbers)
        if count > MOST_TERMS or len(flat(total := self._operator("+"))) > LONGEST_SUM:
            return self._stacked("mean")
        return Joined(("(", total, f") / {count}"))

    def _folded(self, target: str) -> Expr:
        """`torch.maximum(a, b)`; of many that are of one type, `torch.stack([a, b, c]).amax(0)`."""
        if len(self.inputs) == 2:
            return call(target, *self.inputs)
        if len({value.type.dtype for value in self.node.inputs}) > 1:
            return call("functools.reduce", target, self.listed())
        return self._stacked(FOLDED[target])

    def _stacked(self, method: str) -> Expr:
        """`torch.stack([a, b, c]).amax(0)`; what spreads is spread before.

        At a tie `amax` gives all that are equal the same share of the gradient, as `maximum` does
        for two; one `maximum` after the other would favour the last.
        """
        types = [value.type for value in self.node.inputs]
        ones = [[size == 1 for size in tensor.shape] for tensor in types]
        tensors = self.listed()
        if not all(t.batched for t in types) or ones != ones[:1] * len(ones):
            each = (Joined(("*", self.together)),) if self.together else self.inputs
            tensors = call("torch.broadcast_tensors", *each)
        return Bracket("torch.stack", (tensors,), tail=f".{method}(0)")

    def listed(self) -> Expr:
        """All inputs as one list or tuple."""
        return self.together or Bracket("", tuple(self.inputs), brackets="[]")

    def _operator(self, sign: str, numbers: Sequence[Expr] = ()) -> Expr:
        """`a + b`; of many, `functools.reduce(torch.add, [a, b])`: in the same order."""
        values = [_term(value, sign) for value in self.inputs]
        if len(self.inputs) > MOST_TERMS:
            values = [call("functools.reduce", OPERATORS[sign], self.listed())]
        first, *others = (*values, *numbers)
        is_tight = sign == "**" and all(map(_is_simple, (first, *others)))
        between = sign if is_tight else f" {sign} "
        pieces = (piece for other in others for piece in (between, other))
        return Joined((first, *pieces)) if others else first

    def _number(self, number: TorchValue) -> Expr:
        """A number as something an operator may stand before."""
        value = self._value(number)
        is_formula = isinstance(value, str) and not SIMPLE.fullmatch(value)
        return Joined(("(", value, ")")) if is_formula else value

    def _cut(self, recipe: TorchCall) -> Expr:
        """`x[:, :, 1:5]`: each None is a whole axis."""
        cuts = [":" if cut is None else self._slice(cut) for cut in recipe.args[1:]]
        while len(cuts) > 1 and cuts[-1] == ":":
            cuts.pop()
        return Joined((operand(self.inputs[0]), f"[{', '.join(cuts)}]"))

    def _slice(self, cut: object) -> str:
        assert isinstance(cut, tuple)
        texts = ["" if n is None else size_text(n, self.at_hand) for n in cut]  # type: ignore[arg-type]
        texts[0] = "" if texts[0] == "0" else texts[0]
        plain = all(t.lstrip("-").isdigit() or not t for t in texts)
        return ":".join(texts) if plain else " : ".join(texts).strip()

    def _table(self, recipe: TorchWeight) -> Expr:
        """`torch.zeros(shape)`, `torch.tensor([1.0, 2.0]).repeat(8).reshape(shape)`."""
        shape, fill = self._value(recipe.shape), recipe.fill
        kind = {} if recipe.dtype == "float32" else {"dtype": f"torch.{recipe.dtype}"}
        sizes = recipe.shape.value
        assert isinstance(sizes, tuple)
        if isinstance(fill, str):
            return self._worded(fill, shape, len(sizes), prod(sizes))
        if fill.value in (0.0, 1.0):
            return call("torch.zeros" if fill.value == 0 else "torch.ones", shape, **kind)
        number = WHOLE.get(recipe.dtype, float)
        if not isinstance(fill.value, list):
            whole = number(cast(float, fill.value))
            return call("torch.full", shape, self._value(From(whole, fill.field)), **kind)
        numbers: list[TorchValue] = [number(one) for one in cast("list[float]", fill.value)]
        count = prod(sizes) // len(numbers)
        tensor = call("torch.tensor", self._value(numbers), **kind)
        if count > 1:
            tensor = call(Joined((tensor, ".repeat")), Hole(count, None, "times"))
        return call(Joined((tensor, ".reshape")), shape)

    def _worded(self, fill: str, shape: Expr, rank: int, count: int) -> Expr:
        if fill == "identity":
            return call("torch.eye", Hole(isqrt(count), None, "size"))
        if fill == "bilinear":
            return call("bilinear", shape)
        if fill != "relative_position":
            return call("torch.empty", shape)
        tokens = isqrt(count)
        index = call("relative_position", Hole(tokens, None, "tokens"))
        return index if rank == 2 else Joined((index, ".flatten()"))

    def _keywords(self, pairs: Keywords) -> tuple[tuple[str, ...], tuple[Expr, ...]]:
        written = [(k, v) for k, v in pairs if not self._is_left_out(v)]
        return tuple(k for k, _ in written), tuple(self._value(v) for _, v in written)

    def _is_left_out(self, value: TorchValue) -> bool:
        if not isinstance(value, Setting):
            return False
        inner = value.value
        plain = inner.value if isinstance(inner, From) else inner
        parts = plain if isinstance(plain, tuple) and plain != value.default else (plain,)
        if any(part != value.default for part in parts):
            return False
        argument = self.node.layer.arguments.get(inner.field) if isinstance(inner, From) else None
        text = python_text(argument.formula) if argument else None
        return text is None or not re.search(
            r"[A-Za-z_]", text.replace("True", "").replace("False", "")
        )

    def _value(self, value: TorchValue) -> Expr:
        match value:
            case In(index):
                return self.inputs[index]
            case Ins():
                return self.listed()
            case From(inner, field):
                return self._from(inner, field)
            case Setting(inner):
                return self._value(inner)
            case SizeOf(index, axis, times, over, plus):
                return self._size_of(index, axis, times, over, plus)
            case Code(text):
                return self._code(text)
            case Dim():
                return size_text(value, self.at_hand)
            case list():
                return Bracket("", tuple(map(self._value, value)), brackets="[]")
            case tuple():
                return Bracket("", tuple(map(self._value, value)))
            case _:
                return literal(value)

    def _from(self, value: object, field: str) -> Expr:
        parts = value if is_sequence(value) else (value,)
        if any(isinstance(part, Dim) for part in parts):
            return self._value(value)  # type: ignore[arg-type]
        if field in self.numbers:
            return self.numbers[field]
        argument = self.node.layer.arguments.get(field)
        formula = argument.formula if argument else None
        formula = self.channels if field in ARGUMENT_NAMES else formula
        return Hole(value, formula, ARGUMENT_NAMES.get(field, field))

    def _size_of(self, index: int, axis: int, times: int, over: int, plus: int) -> Expr:
        pieces: list[Expr] = [operand(self.inputs[index]), f".shape[{axis}]"]
        pieces += [f" * {times}"] if times != 1 else []
        pieces += [f" // {over}"] if over != 1 else []
        pieces += [f" + {plus}"] if plus else []
        return Joined(tuple(pieces))

    def _code(self, text: str) -> Expr:
        """The text, each `{0}` replaced by the input of that number."""
        parts = re.split(r"\{(\d+)\}", text)
        parts[1::2] = (operand(self.inputs[int(number)]) for number in parts[1::2])
        return Joined(tuple(parts))


def _term(expr: Expr, sign: str) -> Expr:
    """The expression as a term of an operator: in brackets unless it binds tighter."""
    if isinstance(expr, Joined):
        signs = {str(piece).strip() for piece in expr.pieces[1::2]}
        inner = signs.pop() if len(signs) == 1 else ""
        if inner in LEVELS and LEVELS[inner] > LEVELS[sign]:
            return expr
    return operand(expr)


def _picked(recipe: TorchModule | TorchCall) -> str:
    """The part of the result that is taken, behind the call."""
    return "" if recipe.item is None else f"[{recipe.item}]"


def operand(expr: Expr) -> Expr:
    """The expression as something a dot or bracket may follow."""
    return Joined(("(", expr, ")")) if isinstance(expr, Joined) and not _is_access(expr) else expr


def _is_simple(expr: Expr) -> bool:
    """Whether it is a name or a number, around which ruff writes `**` without blanks."""
    names = expr.split(".") if isinstance(expr, str) else []
    return isinstance(expr, Hole) or (bool(names) and all(map(str.isidentifier, names)))


def _is_access(expr: Joined) -> bool:
    """Whether it ends in a subscript, which binds tighter than any operator."""
    last = expr.pieces[-1]
    return isinstance(last, str) and last.startswith("[") and last.endswith("]")


def takes_list(recipe: object, count: int) -> bool:
    """Whether a call is written with a list of all of its `count` inputs."""
    if not isinstance(recipe, TorchCall):
        return False
    if recipe.target in MERGES:
        return count > (2 if recipe.target in FOLDED else MOST_TERMS)
    return any(isinstance(arg, Ins) for arg in recipe.args)


def needs_names(node: Node, recipe: object) -> set[int]:
    """Inputs that are written more than once, so that each needs a name of its own."""
    indices = {v.index for v in _walk(recipe) if isinstance(v, SizeOf)}
    for part in _walk(recipe):
        if isinstance(part, Code):
            indices |= {i for i in range(len(node.inputs)) if f"{{{i}}}" in part.text}
        if isinstance(part, Dim):
            indices |= set(range(len(node.inputs)))
    if isinstance(recipe, TorchModule):
        taken = Counter(v.index for v in recipe.inputs or () if isinstance(v, In))
        indices |= {index for index, times in taken.items() if times > 1}
    return indices


def sizes_in(recipe: object) -> list[Dim]:
    """The symbolic sizes in a recipe, which are read off the tensors at hand."""
    return [part for part in _walk(recipe) if isinstance(part, Dim)]


def _walk(recipe: object) -> list[object]:
    parts: list[object] = []
    stack: list[object] = []
    if isinstance(recipe, TorchModule | TorchCall):
        stack = [*recipe.args, *(v for _, v in recipe.kwargs)]
    if isinstance(recipe, TorchModule):
        stack += [*(recipe.inputs or ()), *(v for _, v in recipe.input_kwargs)]
    while stack:
        part = stack.pop()
        parts.append(part)
        if isinstance(part, From | Setting):
            stack.append(part.value)
        elif isinstance(part, tuple | list):
            stack.extend(part)
    return parts
