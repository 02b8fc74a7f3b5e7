"""Arguments meet parameters: by position and name, each value converted to its parameter's kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from netdsl.diagnostics import Edit, Fix, Label, Sink, Span
from netdsl.elaborate import otherwise
from netdsl.elaborate.environment import (
    POISON,
    Binding,
    Environment,
    Flow,
    LayerValue,
    Poison,
    describe,
)
from netdsl.elaborate.foreign_meaning import other_meaning
from netdsl.elaborate.suggest import (
    SAME_PARAMETER,
    asked,
    did_you_mean,
    is_same,
    leave_out,
    nearest,
)
from netdsl.ir.dim import Dim
from netdsl.ir.formula import Formula, Name
from netdsl.ir.graph import Argument, Value
from netdsl.ir.sequences import is_list, is_sequence
from netdsl.ops import registry
from netdsl.ops.params import BOOL, FLOAT, INT, SCALE, SIZE, TEXT, Kind, Mismatch
from netdsl.syntax import ast

DECLARED = {"int": INT, "float": FLOAT, "bool": BOOL, "string": TEXT, "size": SIZE, "scale": SCALE}
"""Kinds of the types that a block's parameters are declared with (`layer` is apart)."""

Given = tuple[ast.Argument, Environment]
"""An argument, and the environment it is evaluated in."""


@dataclass(slots=True)
class Formal:
    """A parameter to be bound, of an op or of a definition. `kind` None: a layer.

    `usage` says how the op is called, for what does not fit; `named` ones are given by name only;
    `owner` is the op.
    """

    name: str
    kind: Kind | None
    required: bool
    default: object = None
    usage: str = ""
    named: bool = False
    owner: str = ""


@dataclass(slots=True)
class Bound:
    """Values by parameter, with how they were written, where, and what flows in besides."""

    values: dict[str, object] = field(default_factory=dict[str, object])
    formulas: dict[str, Formula | None] = field(default_factory=dict[str, Formula | None])
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    references: list[Value] = field(default_factory=list[Value])

    @property
    def is_poison(self) -> bool:
        return any(isinstance(v, Poison) for v in self.values.values())

    def arguments(self) -> dict[str, Argument]:
        """For the graph: each value with its formula."""
        return {name: Argument(v, self.formulas.get(name)) for name, v in self.values.items()}


def formal_of(parameter: ast.Parameter, sink: Sink) -> Formal | None:
    """A parameter as it is declared; None if there is no such type (reported)."""
    declared, required = parameter.type, parameter.default is None
    if declared.name == "layer" and declared.depth == 0:
        return Formal(parameter.name.text, None, required)
    kind = DECLARED.get(declared.name)
    if kind is None:
        sink.error(
            "unknown-type",
            f"there is no type `{declared.span.text}`",
            declared.span,
            help=did_you_mean(declared.name, [*DECLARED, "layer"])
            or "types are int, float, bool, string, size, scale, layer and lists such as [int]",
        )
        return None
    for _ in range(declared.depth):
        kind = _listed(kind)
    return Formal(parameter.name.text, kind, required)


def match(
    name: str,
    formals: Sequence[Formal],
    arguments: Sequence[Given],
    call: Span,
    sink: Sink,
    meant: str = "",
) -> dict[str, Given] | None:
    """Each argument beside its parameter; reports what does not fit and what is missing.

    `meant` says what else an argument that fits no parameter may be meant as.
    """
    names = [f.name for f in formals]
    order = [f.name for f in formals if not f.named]
    matched: dict[str, Given] = {}
    wrong = False
    position = 0
    for argument, environment in arguments:
        if argument.name is None:
            target = order[position] if position < len(order) else None
            position += 1
        else:
            target = argument.name.text if argument.name.text in names else None
        if target is None:
            wrong = True
            if argument.name is None:
                _without_place(name, formals, argument, meant, sink)
            else:
                already = _already(arguments, argument, order)
                _unknown(name, names, argument.name, meant, already, sink)
        elif target in matched:
            sink.error(
                "argument-twice",
                f"`{target}` of `{name}` is given twice",
                argument.span,
                help=f"arguments without a name fill {', '.join(order)} in this order",
            )
            wrong = True
        else:
            matched[target] = (argument, environment)
    for formal in formals:
        if formal.required and formal.name not in matched and not wrong:
            sink.error(
                "missing-argument",
                f"`{name}` needs `{formal.name}`",
                call,
                help=f"write `{name}({_usage(formals)})`",
            )
            wrong = True
    return None if wrong else matched


def _without_place(
    name: str, formals: Sequence[Formal], argument: ast.Argument, meant: str, sink: Sink
) -> None:
    """An argument without a name that is one too many."""
    order = [f.name for f in formals if not f.named]
    message = f"`{name}` takes {_count(len(order))}"
    help = meant or (f"they are {', '.join(order)}" if order else "")
    if not order and any(f.name == "axis" for f in formals):
        message, help = otherwise.without_name(name, argument.value)
    sink.error("too-many-arguments", message, argument.span, help=help)


def _unknown(
    name: str, names: list[str], argument: ast.Name, meant: str, already: set[str], sink: Sink
) -> None:
    """A named argument that fits no parameter; `already` are those that others fill."""
    text, span = argument.text, argument.span
    other = other_meaning(name if name in registry() else "", text, names)
    written = meant or ("" if other else leave_out(text))
    guess = "" if written else nearest(text, names)
    if guess in already:
        written = f"`{guess}` is given already" if is_same(text, guess) else ""
        guess = ""
    fix = Fix(f"write `{guess}`", (Edit(span, guess),), safe=is_same(text, guess))
    sink.error(
        "unknown-argument",
        f"`{name}` has no parameter `{text}`",
        span,
        help=written
        or " ".join(filter(None, (asked([guess] if guess else ()), other)))
        or (f"it has {', '.join(names)}" if names else "it takes no arguments"),
        fix=fix if guess and not other else None,
    )


def converted(formal: Formal, value: object, span: Span, sink: Sink) -> object:
    assert formal.kind is not None
    if isinstance(value, Poison):
        return value
    if isinstance(value, Flow):
        sink.error(
            "bad-argument",
            f"`{formal.name}` takes {formal.kind.name}, not {describe(value)}",
            span,
            help=otherwise.value_for(formal.owner, formal.name)
            or "a size of the value is a number: `x.channels`, `x.height`",
        )
        return POISON
    try:
        return formal.kind.convert(value)
    except Mismatch as mismatch:
        sink.error(
            "bad-argument",
            f"`{formal.name}` takes {formal.kind.name}: {_mismatch(mismatch, value)}",
            span,
            help=otherwise.open_size(formal.owner, formal.name, value)
            if _is_open(value)
            else formal.usage,
        )
        return POISON


def declare_parameter(
    inner: Environment, parameter: ast.Parameter, value: object, sink: Sink
) -> None:
    """Give a parameter its value in the environment of its definition."""
    name = parameter.name
    before = inner.layers.get(name.text) or inner.numbers.get(name.text)
    if before is not None:
        sink.error(
            "name-taken",
            f"two parameters are called `{name.text}`",
            name.span,
            secondary=[Label(before.span, "the first one")],
        )
        return
    if parameter.type.name == "layer":
        inner.layers[name.text] = Binding(value, name.span)
    else:
        inner.numbers[name.text] = Binding(value, name.span, Name(name.text))


def _listed(kind: Kind) -> Kind:
    def convert(value: object) -> object:
        if not is_list(value):
            raise Mismatch(f"{describe(value)} is not a list")
        return [kind.convert(item) for item in value]

    return Kind(f"[{kind.name}]", convert)


def untyped(inputs: Sequence[ast.BlockInput]) -> str:
    """What to write where inputs of a block were most likely meant as parameters."""
    named = [i.name.text for i in inputs if i.name is not None and i.shape is None]
    if not named:
        return ""
    shown = ", ".join(f"{name}: int" for name in named)
    return f"without types these are inputs, not parameters: write `({shown})`"


def _already(arguments: Sequence[Given], but: ast.Argument, order: list[str]) -> set[str]:
    """The parameters that the other arguments fill, by whatever name they go."""
    others = [argument for argument, _ in arguments if argument is not but]
    unnamed = sum(argument.name is None for argument in others)
    named = {argument.name.text for argument in others if argument.name is not None}
    return {*order[:unnamed], *named, *(SAME_PARAMETER.get(name.lower(), "") for name in named)}


def _is_open(value: object) -> bool:
    """Whether a size of the input is in it."""
    parts = value if is_sequence(value) else [value]
    return any(isinstance(part, Dim) for part in parts)


def _count(most: int) -> str:
    return f"{most} argument{'s' * (most > 1)} at the most" if most else "no arguments"


def _usage(formals: Sequence[Formal]) -> str:
    return ", ".join(f"{f.name}=..." if f.named else f.name for f in formals if f.required)


def _mismatch(mismatch: Mismatch, value: object) -> str:
    return str(mismatch) if not isinstance(value, LayerValue) else f"{describe(value)} is a layer"
