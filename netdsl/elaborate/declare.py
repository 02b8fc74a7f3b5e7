"""Names that a definition makes: labels with their numbers, values, numbers; none hides another."""

from __future__ import annotations

from netdsl.diagnostics import Label as Remark
from netdsl.elaborate.environment import (
    POISON,
    Binding,
    Broken,
    Environment,
    Family,
    Flow,
    MaybeFlow,
)
from netdsl.elaborate.state import Place, State
from netdsl.ops import registry
from netdsl.syntax import ast

BROKEN_LABEL = "?"
LONGEST_LABEL = 1000


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
    if part.index is None:
        if not part.text or part.text.strip(".") != part.text or ".." in part.text:
            state.error(place, "bad-label", f'`"{part.text}"` can\'t be a label', part.span)
            return BROKEN_LABEL
        if not part.text.isprintable():
            shown = next(f"U+{ord(c):04X}" for c in part.text if not c.isprintable())
            state.error(
                place,
                "bad-label",
                f"a label holds what can be read, and {shown} can't",
                part.span,
                help="take the character out of the string",
            )
            return BROKEN_LABEL
        return part.text
    index = label_index(state, part, place)
    return BROKEN_LABEL if index is None else f"{part.text}{index}"


def label_index(state: State, part: ast.LabelPart, place: Place) -> int | None:
    """The number in the brackets of a label; None if it is none (reported)."""
    assert part.index is not None
    try:
        index = state.evaluator.plain(part.index, place.environment)
    except Broken:
        return None
    if isinstance(index, bool) or not isinstance(index, int) or index < 0:
        state.error(
            place, "bad-label", "the number in a label is a whole number from 0 on", part.span
        )
        return None
    return index


def declare_label(state: State, label: ast.Label, flow: MaybeFlow, place: Place) -> None:
    """Let later lines use the value of a labelled stage, by its name or as `name[index]`.

    Labels of several parts name layers only.
    """
    if len(label.parts) != 1:
        return
    (part,) = label.parts
    if not part.text.isidentifier():
        return
    if isinstance(flow, Flow) and len(flow.values) == 1 and not flow.values[0].name:
        flow.values[0].name = label_text(state, label, place)
    keeper = place.environment.label_scope()
    if part.index is None:
        earlier = keeper.bindings.get(part.text)
        if earlier is not None and earlier.is_label:
            return  # the path is taken too, which is the better message
        name = ast.Name(part.text, part.span)
        declare(state, name, Binding(flow, part.span, is_label=True), keeper, label=True)
        return
    index = label_index(state, part, place)
    if index is None:
        return
    family = keeper.bindings.get(part.text)
    if family is None or not isinstance(family.value, Family):
        family = Binding(Family(), part.span, is_label=True)
        declare(state, ast.Name(part.text, part.span), family, keeper, label=True)
    assert isinstance(family.value, Family)
    family.value.members.setdefault(index, flow)


def declare(
    state: State,
    name: ast.Name,
    binding: Binding,
    environment: Environment,
    *,
    number: bool = False,
    label: bool = False,
) -> None:
    """Bind a name; reports one that hides another. Numbers and labels may be called as an op."""
    before = environment.lookup(name.text)
    unit = environment.unit
    if before is not None:
        where = before.span
    elif name.text in unit.visible:
        where = unit.visible[name.text].definition.name.span
    elif name.text in registry() and not number and not label:
        where = None
    else:
        environment.bindings[name.text] = binding
        return
    if before is not None and before.is_label and before.value is binding.value:
        return
    what = "a built-in layer" if where is None else "already the name of something here"
    if where != name.span:
        state.sink.error(
            "name-taken",
            f"`{name.text}` is {what}",
            name.span,
            secondary=[Remark(where, "this one")] if where else (),
            help="choose another name; no name hides another",
        )
    environment.bindings[name.text] = Binding(POISON, name.span)
