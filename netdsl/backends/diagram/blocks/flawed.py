"""Boxes of a network that is drawn although it is wrong: red at an error, grey behind it."""

from __future__ import annotations

import textwrap
from dataclasses import replace

from netdsl.backends.diagram.blocks.labels import Label
from netdsl.backends.diagram.blocks.leaf import Leaf, sized
from netdsl.backends.diagram.flaws import Errors, Flaws, is_known, place_of
from netdsl.backends.diagram.shape_names import ShapeNames
from netdsl.backends.diagram.units import Unit
from netdsl.diagnostics import Diagnostic
from netdsl.ops.base import op_of

WRONG, UNKNOWN = "wrong", "unknown"
COLUMNS, MOST_LINES = 46, 5
"""Letters of a line of a message, and its lines."""


def flawed(leaf: Leaf, unit: Unit, flaws: Flaws, names: ShapeNames) -> Leaf:
    """The box of a unit with what is wrong at it, or in it; itself where nothing is."""
    nodes = list(unit.covered())
    errors = flaws.of(nodes)
    if not errors:
        return leaf if all(op_of(node).is_built for node in nodes) else _unknown(leaf, unit)
    own = () if leaf.form in ("strip", "circle") else leaf.label.lines
    lines = [*own, *(line for error in errors[:2] for line in _told(error))]
    if not unit.is_block:
        lines.append(_comes_in(unit, names))
    shown = _resized(leaf, unit, WRONG, [line for line in lines if line])
    return replace(shown, data=_data(errors), tip="\n".join(_in_full(error) for error in errors))


def flawed_end(leaf: Leaf, errors: Errors) -> Leaf:
    """The box of an input with what is wrong at it."""
    if not errors:
        return leaf
    lines = [*leaf.label.lines, *(line for error in errors[:2] for line in _told(error))]
    return replace(
        sized(None, WRONG, Label(leaf.label.title, tuple(lines)), form="end"),
        data=_data(errors),
        tip="\n".join(_in_full(error) for error in errors),
    )


def _unknown(leaf: Leaf, unit: Unit) -> Leaf:
    """The box of what is not known, because of what is wrong before it."""
    what = "in part not known" if unit.is_block else "not known"
    shown = _resized(leaf, unit, UNKNOWN, [what])
    return replace(shown, dash="dashed", data=(("known", "no"),), tip=f"{unit.path}: {what}")


def _resized(leaf: Leaf, unit: Unit, kind: str, lines: list[str]) -> Leaf:
    title = leaf.label.title if unit.is_block or leaf.form != "strip" else "concat"
    form = leaf.form if unit.is_block else "box" if kind == WRONG else "sharp"
    parts = leaf.parts if unit.is_block else ()
    shown = sized(unit, kind, Label(title, tuple(lines)), parts, form)
    return replace(shown, direction=leaf.direction)


def _told(error: Diagnostic) -> list[str]:
    """Where, by which code, and why; the other side of a clash below."""
    lines = textwrap.wrap(error.message, COLUMNS)
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"{lines[MOST_LINES - 1]} …"]
    return [": ".join(filter(None, (place_of(error), error.code))), *lines]


def _comes_in(unit: Unit, names: ShapeNames) -> str:
    """`comes in: 64×8×8 and 64×4×4`."""
    shapes = [names.shape(v.type.shape) if is_known(v) else "?" for v in unit.read()]
    return f"comes in: {' and '.join(shapes)}" if shapes else ""


def _data(errors: Errors) -> tuple[tuple[str, str], ...]:
    lines = [str(error.span.line) for error in errors if error.span is not None]
    return ("error", " ".join(error.code for error in errors)), ("line", " ".join(lines))


def _in_full(error: Diagnostic) -> str:
    """The error as a tooltip has it: what clashes, and what to type instead."""
    others = [f"line {label.span.line}: {label.text}" for label in error.secondary]
    return "\n".join([f"{place_of(error)}: {error.code}: {error.message}", *others, *error.help])
