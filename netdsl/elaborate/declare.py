"""Names that a definition makes: labels with their numbers, values, numbers, layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeGuard

from netdsl.diagnostics import Label as Remark
from netdsl.elaborate.environment import (
    POISON,
    Binding,
    Broken,
    Environment,
    Family,
    Flow,
    MaybeFlow,
    Sort,
    describe,
)
from netdsl.elaborate.program import Block
from netdsl.elaborate.state import Place, State
from netdsl.syntax import ast

BROKEN_LABEL = "?"
LONGEST_LABEL = 1000
KINDS: Mapping[Sort, str] = {"numbers": "a number", "values": "a value", "layers": "a layer"}


def label_text(state: State, label: ast.Label | None, place: Place) -> str:
    """The label with its numbers written in: `denselayer[i + 1]` is `denselayer1`."""
    if label is None:
        return ""
    text = ".".join(_part(state, part, place) for part in label.parts)
    if len(text) > LONGEST_LABEL:
        message = f"a label has at most {LONGEST_LABEL:,} characters, not {len(text):,}"
        state.error(place, "bad-label", message, label.span)
        return BROKEN_LABEL
    return text


def _part(state: State, part: ast.LabelPart, place: Place) -> str:
    index = "" if part.index is None else label_index(state, part, place)
    if index is None:
        return BROKEN_LABEL
    text = f"{part.text}{index}"
    if not text or text.strip(".") != text or ".." in text:
        state.error(place, "bad-label", f'`"{text}"` can\'t be a label', part.span)
        return BROKEN_LABEL
    if not text.isprintable():
        shown = next(f"U+{ord(c):04X}" for c in text if not c.isprintable())
        state.error(
            place,
            "bad-label",
            f"a label holds what can be read, and {shown} can't",
            part.span,
            help="take the character out of the string",
        )
        return BROKEN_LABEL
    return text


def label_index(state: State, part: ast.LabelPart, place: Place) -> int | None:
    """The number in the brackets of a label; None if it is none (reported)."""
    assert part.index is not None
    try:
        index = state.evaluator.plain(part.index, place.environment)
    except Broken:
        return None
    if isinstance(index, bool) or not isinstance(index, int) or index < 0:
        state.error(
            place,
            "bad-label",
            f"the number in a label is a whole number from 0 on, not {describe(index)}",
            part.span,
            help="words of a label are written where it stands; `if` chooses between stages",
        )
        return None
    return index


def declare_label(state: State, label: ast.Label, flow: MaybeFlow, place: Place) -> None:
    """Let later lines use the value of a labelled stage, by its name or as `name[index]`.

    Labels of several parts, and those in quotes, name layers only.
    """
    (part, *others) = label.parts
    if others or part.is_quoted or not part.text.isidentifier():
        return
    if isinstance(flow, Flow) and len(flow.values) == 1 and not flow.values[0].name:
        flow.values[0].name = label_text(state, label, place)
    if part.index is None:
        earlier = place.environment.label_scope().values.get(part.text)
        if earlier is None or not earlier.is_label:  # else the path is taken too: a better message
            _bind_label(part, flow, place.environment)
        return
    index = label_index(state, part, place)
    if index is not None:
        _join_family(part, index, flow, place)


def _join_family(part: ast.LabelPart, index: int, flow: MaybeFlow, place: Place) -> None:
    """Let later lines use a value as `name[index]`."""
    earlier = place.environment.label_scope().values.get(part.text)
    if earlier is None or not isinstance(earlier.value, Family):
        earlier = _bind_label(part, Family(), place.environment)
    if isinstance(earlier.value, Family):
        earlier.value.members.setdefault(index, flow)


def declare_weight(state: State, label: ast.Label, flow: MaybeFlow, place: Place) -> None:
    """Let later lines use a weight by its label as written, dots included; `a.0` as `a[0]`."""
    (first, *others) = label.parts
    if not others:
        declare_label(state, label, flow, place)
    elif len(others) == 1 and _is_numbered(first, others[0]):
        number = others[0]
        index = int(number.text) if number.text else label_index(state, number, place)
        if index is not None:
            _join_family(first, index, flow, place)
    elif all(part.index is None and not part.is_quoted for part in label.parts):
        text = ".".join(part.text for part in label.parts)
        _bind_label(ast.LabelPart(text, None, label.span), flow, place.environment)


def _is_numbered(name: ast.LabelPart, number: ast.LabelPart) -> bool:
    """Whether a label is a name and a number, such as `factors.0` or `factors.[i]`."""
    is_name = name.text.isidentifier() and name.index is None and not name.is_quoted
    is_number = number.text.isdecimal() if number.index is None else not number.text
    return is_name and is_number and not number.is_quoted


def _bind_label(part: ast.LabelPart, value: object, environment: Environment) -> Binding:
    """Bind the name of a label; one that a value of the same body has, too, is neither's."""
    rival = None
    for inner in environment.outward():
        binding = inner.values.get(part.text)
        if binding is not None and (not binding.is_label or binding.rival is not None):
            rival = rival or binding.span
            inner.values[part.text] = replace(binding, rival=part.span)
        if inner.labels:
            binding = Binding(value, part.span, is_label=True, rival=rival)
            inner.values[part.text] = binding
            return binding
    raise AssertionError("a label outside of all that keeps labels")


def _is_label_of(label: Binding, value: object) -> bool:
    """Whether a name is the label of a value, be it one of several that came together."""
    return label.is_label and label.value == value


def is_new(size: ast.Expr, environment: Environment) -> TypeGuard[ast.NameExpr]:
    """Whether an axis of a shape is a name that is no number yet: it takes the size found there."""
    return isinstance(size, ast.NameExpr) and environment.lookup("numbers", size.name) is None


def declare(
    state: State, sort: Sort, name: ast.Name, binding: Binding, environment: Environment
) -> None:
    """Bind a name; reports one that hides another of its kind.

    A value may be called by the label that it has already.
    """
    before = environment.lookup(sort, name.text)
    block = environment.unit.visible.get(name.text) if sort == "layers" else None
    if before is not None:
        where = before.rival or before.span
    elif isinstance(block, Block):
        where = block.definition.name.span
    else:
        environment.names(sort)[name.text] = binding
        return
    if before is not None and before.rival is None and _is_label_of(before, binding.value):
        return
    if where != name.span:
        state.sink.error(
            "name-taken",
            f"`{name.text}` is already the name of {KINDS[sort]} here",
            name.span,
            secondary=[Remark(where, "this one")],
            help="choose another name, or write the label in quotes, which make it the layer's "
            f'alone: `"{name.text}": ...`'
            if before is not None and before.is_label
            else f"choose another name; no {sort[:-1]} hides another",
        )
    environment.names(sort)[name.text] = Binding(POISON, name.span)
