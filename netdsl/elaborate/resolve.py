"""From the name of a stage to the layer it means: an op, a block, a parameter, a shared layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from netdsl.diagnostics import Edit, Fix, Sink, Span
from netdsl.elaborate.environment import (
    POISON,
    Environment,
    LayerValue,
    Poison,
    SharedLayer,
)
from netdsl.elaborate.foreign_meaning import other_meaning
from netdsl.elaborate.program import Block, std_names
from netdsl.elaborate.suggest import asked, leave_out, near, nearest
from netdsl.elaborate.unknown import Guess, guess_layer, is_framework
from netdsl.ops import registry
from netdsl.ops.base import Op
from netdsl.ops.op_parameters import parameters
from netdsl.ops.plugins import installed, installed_names
from netdsl.syntax import ast

Callee: TypeAlias = type[Op] | Block | LayerValue | SharedLayer


def resolve_layer(
    names: tuple[ast.Name, ...],
    environment: Environment,
    sink: Sink,
    arguments: Sequence[ast.Argument] = (),
    label: ast.Label | None = None,
) -> Callee | Poison:
    """The layer that a (dotted) name means here; reports an unknown one.

    `arguments` are those it is called with, which help to guess what was meant; `label` stands
    before it.
    """
    name = names[0]
    if len(names) > 1:
        return _from_alias(names, environment, sink, arguments)
    binding = environment.lookup("layers", name.text)
    if binding is not None:
        assert isinstance(binding.value, LayerValue | SharedLayer | Poison)
        return binding.value
    defined = environment.unit.visible.get(name.text)
    if isinstance(defined, Block):
        return defined
    op = registry().get(name.text)
    if op is not None and defined is None:
        return op
    net = environment.unit.called.get(name.text)
    if net is not None and defined is None:
        return net
    value = environment.lookup("values", name.text)
    if defined is None and value is None and name.text not in std_names():
        op = installed(name.text)
        if op is not None:
            return op
    is_value = value is not None and not isinstance(value.value, Poison)
    if value is not None and not is_value:
        return POISON
    if value is None and defined is None and environment.lookup("numbers", name.text):
        _number(name, sink)
    elif is_value or defined is not None:
        _not_a_layer(name, sink, label, is_value=is_value)
    elif not environment.unit.is_lacking:
        _unknown(name, environment, sink, arguments)
    return POISON


def layer_named(name: str, environment: Environment) -> Callee | None:
    """The layer of a name, if there is one."""
    binding = environment.lookup("layers", name)
    if binding is not None:
        return None if isinstance(binding.value, Poison) else binding.value  # type: ignore[return-value]
    defined = environment.unit.visible.get(name)
    if isinstance(defined, Block):
        return defined
    return registry().get(name) or environment.unit.called.get(name)


def is_whole_layer(name: str, environment: Environment) -> bool:
    """Whether a name is that of a layer that needs no arguments."""
    layer = layer_named(name, environment)
    if isinstance(layer, Block):
        return all(p.default is not None for p in layer.definition.parameters)
    if isinstance(layer, type):
        return not any(p.required for p in parameters(layer))
    return layer is not None


def layer_value(expr: ast.Expr, environment: Environment, sink: Sink) -> LayerValue | Poison:
    """The layer given for a `layer` parameter: `relu`, `leaky_relu(0.1)`, `blocks.Unit`."""
    callee = expr.callee if isinstance(expr, ast.CallExpr) else expr
    arguments = expr.arguments if isinstance(expr, ast.CallExpr) else ()
    names = dotted_names(callee)
    if names is None:
        sink.error(
            "bad-argument",
            "a layer is needed here",
            expr.span,
            help="write its name, with arguments if it needs some: `relu`, `leaky_relu(0.1)`",
        )
        return POISON
    target = resolve_layer(names, environment, sink, arguments)
    if isinstance(target, Poison):
        return POISON
    if isinstance(target, SharedLayer):
        sink.error(
            "bad-argument",
            f"`{names[-1].text}` is one layer with its weights, and a kind of layer is needed",
            expr.span,
        )
        return POISON
    if isinstance(target, LayerValue) and not arguments:
        return target
    return LayerValue(target, arguments, environment, expr.span.text)


def dotted_names(expr: ast.Expr) -> tuple[ast.Name, ...] | None:
    """The names of `a.b.c`; None for anything else."""
    match expr:
        case ast.NameExpr(name, span):
            return (ast.Name(name, span),)
        case ast.Attribute(base, name):
            before = dotted_names(base)
            return None if before is None else (*before, name)
        case _:
            return None


def _from_alias(
    names: tuple[ast.Name, ...],
    environment: Environment,
    sink: Sink,
    arguments: Sequence[ast.Argument],
) -> Callee | Poison:
    alias, name = names[0], names[-1]
    unit = environment.unit.aliases.get(alias.text)
    there = {} if unit is None else unit.called | unit.own
    if environment.unit.is_lacking and name.text not in there:
        return POISON
    if unit is None or len(names) > 2:
        if unit is None and is_framework(alias.text):
            _without_module(names, environment, sink, arguments)
            return POISON
        sink.error(
            "unknown-layer",
            f"there is no file under the name `{alias.text}`",
            alias.span,
            help=f'name one: `use "./{alias.text}.net" as {alias.text}`',
        )
        return POISON
    definition = there.get(name.text)
    if isinstance(definition, Block):
        return definition
    blocks = [n for n, d in there.items() if isinstance(d, Block)]
    sink.error(
        "unknown-layer",
        f"`{alias.text}` has no block `{name.text}`",
        name.span,
        help=asked(near(name.text, blocks)) or f"it has {', '.join(sorted(blocks)) or 'none'}",
    )
    return POISON


def _number(name: ast.Name, sink: Sink) -> None:
    sink.error(
        "unknown-layer",
        f"`{name.text}` is a number, and a number is no value: it goes in parentheses, "
        f"`mul({name.text})`",
        name.span,
        help=f"{name.text} - x is `x -> mul(-1) -> add({name.text})`",
    )


def _not_a_layer(name: ast.Name, sink: Sink, label: ast.Label | None, *, is_value: bool) -> None:
    if is_value and label is not None:
        before = label.span.text.rstrip(": ")
        sink.error(
            "unknown-layer",
            f"a label stands before a layer, and `{name.text}` is a value",
            label.span.to(name.span),
            help=f"begin with the value: `{name.text} -> {before}: relu`",
        )
        return
    if is_value:
        sink.error(
            "unknown-layer",
            f"`{name.text}` is a value, and a layer is needed here",
            name.span,
            help="a value can only begin a chain; to join two values write "
            f"`(a, {name.text}) -> concat`",
        )
        return
    sink.error(
        "unknown-layer",
        f"`{name.text}` is a function of numbers, and a layer is needed here",
        name.span,
    )


def _unknown(
    name: ast.Name, environment: Environment, sink: Sink, arguments: Sequence[ast.Argument]
) -> None:
    file = std_names().get(name.text)
    if file is not None:
        sink.error(
            "unknown-layer",
            f"there is no layer `{name.text}` here",
            name.span,
            help=f"it is in {file}: add `use {file}`",
            fix=_insert_use(environment, file, name.span),
        )
        return
    guess = guess_layer(name.text, *_known(environment))
    layer = guess.layer
    there = registry().get(layer) is not None or layer not in std_names()
    differences = _differences(guess, arguments)
    sink.error(
        "unknown-layer",
        f"there is no layer or value `{name.text}`",
        name.span,
        notes=[*differences, *_other_names(guess, arguments)],
        help=(*guess.help(_usage(layer)), *(() if there else (_from_library(layer),)))
        or "`netdsl layers` lists all",
        fix=Fix(f"write `{layer}`", (Edit(name.span, layer),), safe=guess.is_certain)
        if layer and there and not differences
        else None,
    )


def _known(environment: Environment) -> tuple[set[str], set[str]]:
    """Layers by name: those of the file, and those that every file has or may `use`."""
    blocks = {n for n, d in environment.unit.visible.items() if isinstance(d, Block)}
    layers = environment.visible("layers")
    library = {n for n in std_names() if n[0].isupper()}
    return blocks | layers, {*registry(), *installed_names(), *library}


def _from_library(name: str) -> str:
    file = std_names()[name]
    return f"it is in {file}: add `use {file} ({name})`"


def _without_module(
    names: tuple[ast.Name, ...],
    environment: Environment,
    sink: Sink,
    arguments: Sequence[ast.Argument],
) -> None:
    """`nn.Conv2d`, `tf.keras.layers.Dense`: what the last name is here, by itself."""
    name, whole = names[-1], names[0].span.to(names[-1].span)
    layers = _known(environment)
    is_ours = name.text in layers[0] | layers[1]
    ours = Guess((name.text,), called="" if name.text in layers[0] else name.text)
    guess = ours if is_ours else guess_layer(name.text, *layers)
    differences = _differences(guess, arguments)
    sink.error(
        "unknown-layer",
        f"`{whole.text}` is a layer of another framework",
        whole,
        notes=[*differences, *_other_names(guess, arguments)],
        help=guess.help(_usage(guess.layer)) or "`netdsl layers` lists all that are here",
        fix=Fix(f"write `{guess.layer}`", (Edit(whole, guess.layer),), safe=False)
        if guess.layer in registry() and not differences
        else None,
    )


def _differences(guess: Guess, arguments: Sequence[ast.Argument]) -> list[str]:
    """Which of the arguments given would mean something else in the layer that was meant."""
    parameters = _parameters(guess.layer)
    differences: list[str] = []
    for number, argument in enumerate(arguments):
        name = argument.name.text if argument.name is not None else ""
        text = other_meaning(guess.called, name or str(number), parameters)
        if text:
            differences.append(f"`{name}`: {text}" if name else text)
    return differences


def _other_names(guess: Guess, arguments: Sequence[ast.Argument]) -> list[str]:
    """What the arguments given are called in the built-in layer that was meant."""
    parameters = _parameters(guess.layer)
    notes: list[str] = []
    for argument in arguments:
        name = argument.name.text if argument.name is not None else ""
        told = other_meaning(guess.called, name, parameters)
        if not parameters or not name or name in parameters or told:
            continue
        other = nearest(name, parameters)
        reason = leave_out(name)
        if reason or other:
            notes.append(f"`{name}`: {reason}" if reason else f"`{name}` is called `{other}`")
    return notes


def _parameters(name: str) -> list[str]:
    """The parameters of a built-in layer, by name."""
    op = registry().get(name)
    return [p.name for p in parameters(op)] if op else []


def _usage(name: str) -> str:
    """What a built-in layer needs: `(channels, kernel)`."""
    op = registry().get(name)
    needed = [p.name for p in parameters(op) if p.required] if op else []
    return f"({', '.join(needed)})" if needed else ""


def _insert_use(environment: Environment, file: str, span: Span) -> Fix | None:
    if environment.unit.source is not span.source:
        return None
    start = Span(span.source, 0, 0)
    return Fix(f"add `use {file}`", (Edit(start, f"use {file}\n"),))
