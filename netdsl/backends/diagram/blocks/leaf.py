"""A unit as a box: how large it is, and how it looks; a shape of its own for each family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.blocks.labels import (
    Label,
    amount,
    block_lines,
    channels_joined,
    concat_parts,
    expected_tail,
    layer_label,
    varied,
)
from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.options import Options
from netdsl.backends.diagram.roles import role_of
from netdsl.backends.diagram.scene import Box, Ellipse, Item, Polygon, Text
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.backends.diagram.tails import Tails
from netdsl.backends.diagram.theme import letters_on, series
from netdsl.backends.diagram.units import Unit
from netdsl.ops.base import Op, op_of

TITLE, LINE = 11.0, 9.0
STEP = 12.0
PAD = 11.0
CARD = 4.0
STRIPE = 4.0
"""From one stripe to the next."""
LEAN = 9.0
"""How far the sides of a box that narrows downwards lean."""
BAR = 8.0
STAIR = 3.6
"""Width of a bar of a staircase."""
STRIP_WIDTH = 22.0
CHANNEL_STEP = 0.35
SHORTEST_STRIP, LONGEST_STRIP = 84.0, 190.0

CHANGES = ("added", "gone", "changed")
"""Colour roles of boxes that tell two networks apart."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A box that is not yet at its place: `kind` is a colour role, `parts` the cut of its bar.

    `direction` is where edges lead: a box narrows or widens that way. `skips` are
    the parts of a bar that are skips. `data` and `tip` say more of it
    to programs and in its tooltip.
    """

    unit: Unit | None
    kind: str
    label: Label
    width: float
    height: float
    parts: tuple[int, ...] = ()
    form: str = "box"
    dash: str = ""
    direction: str = "right"
    title_size: float = TITLE
    """A smaller one is that of a small box, which has no room for a mark."""
    steps: tuple[float, ...] = ()
    """Heights of bars: what comes in, and what there is behind each layer that adds to it."""
    skips: frozenset[int] = frozenset()
    data: tuple[tuple[str, str], ...] = ()
    tip: str = ""

    @property
    def cards(self) -> int:
        """Cards that lie behind it: up to two for repeats."""
        return min(self.unit.count - 1, 2) if self.unit is not None else 0


def leaf_of(
    unit: Unit, usual: Tails, names: ShapeNames, options: Options,
    axes: ChannelAxes, inside: str = "",
) -> Leaf:  # fmt: skip
    """The box of a unit; `inside` is the path of the open block around it."""
    if unit.is_block:
        return _closed_block(unit, options, axes, inside)
    op = op_of(unit.node)
    kind = role_of(op)
    joined = channels_joined(unit.node) if len(unit.layers) == 1 else []
    if joined:
        long = min(max(SHORTEST_STRIP, CHANNEL_STEP * sum(joined)), LONGEST_STRIP)
        is_flat = options.runs_down
        width, height = (long, STRIP_WIDTH) if is_flat else (STRIP_WIDTH, long)
        strip = Leaf(unit, kind, Label("concat"), width, height, tuple(joined), "strip")
        return turned(strip, options)
    if op.shown_sign() and len(unit.layers) == 1:
        return Leaf(unit, kind, Label(op.shown_sign()), 22, 22, form="circle")
    label = layer_label(unit, expected_tail(unit, usual), names)
    lines = [*_named(unit, inside, options), *label.lines]
    if unit.count > 1:
        label = Label(f"{label.title} {TIMES} {unit.count}", label.lines)
    if "params" in options.written and kind == "dense":
        lines.append(_params(unit))
    shown = Label(label.title, tuple(x for x in lines if x))
    return turned(sized(unit, kind, shown, form=_form(op)), options)


def turned(leaf: Leaf, options: Options) -> Leaf:
    """The box for the direction in which edges come in and go out."""
    return replace(leaf, direction=options.direction)


def end_leaf(title: str, line: str, pad: float = PAD) -> Leaf:
    """The box of an input or output of the network."""
    return sized(None, "io", Label(title, (line,) if line else ()), form="end", pad=pad)


def _form(op: Op) -> str:
    if op.zoom:
        return "grow" if op.zoom > 0 else "shrink"
    forms = {"act": "pill", "dense": "sharp", "norm": "sharp", "move": "sharp", "other": "sharp"}
    return forms.get(role_of(op), "box")


def _named(unit: Unit, inside: str, options: Options) -> list[str]:
    """The name of a layer that has weights: the key of its numbers in a checkpoint."""
    if "names" not in options.written or not unit.node.layer.weights:
        return []
    return [relative(unit.path, inside)]


def relative(path: str, inside: str) -> str:
    """A path as it is called in the block around it."""
    return path[len(inside) + 1 :] if inside and path.startswith(inside + ".") else path


def _closed_block(unit: Unit, options: Options, axes: ChannelAxes, inside: str) -> Leaf:
    times = f" {TIMES} {unit.count}" if unit.count > 1 else ""
    name = relative(unit.path, inside) if "names" in options.written else unit.kind
    title = f"{name}{times}"
    lines = [] if name == unit.kind else [unit.kind]
    lines += [*block_lines(unit, axes), varied(unit)]
    lines.append(" · ".join(filter(None, (_params(unit, options), _macs(unit, options)))))
    return sized(unit, "block", Label(title, tuple(x for x in lines if x)),
                  tuple(concat_parts(unit)), "block")  # fmt: skip


def _params(unit: Unit, options: Options | None = None) -> str:
    if options is not None and "params" not in options.written:
        return ""
    return times(unit.count, amount(unit.parameters, "params"))


def _macs(unit: Unit, options: Options) -> str:
    if "macs" not in options.written:
        return ""
    return times(unit.count, amount(unit.macs, "MACs"))


def times(count: int, text: str) -> str:
    """`3 × 280 k params`."""
    return f"{count} {TIMES} {text}" if text and count > 1 else text


def sized(
    unit: Unit | None, kind: str, label: Label, parts: tuple[int, ...] = (), form: str = "box",
    pad: float = PAD,
) -> Leaf:  # fmt: skip
    """A box as large as its texts need, with `pad` on both sides of them."""
    extra = 14 if form == "block" else 0
    widths = [text_width(label.title, TITLE, True) + extra]
    widths += [text_width(line, LINE) for line in label.lines]
    slant = 10 if form in ("shrink", "grow") else 0
    width = max(22.0 + 2 * pad, max(widths) + 2 * pad + slant)
    height = 16 + STEP * len(label.lines) + (8 if label.lines else 12)
    if parts:
        height += BAR + 4
    return Leaf(unit, kind, label, round(width), round(height), parts, form)


def draw_leaf(leaf: Leaf, x: float, y: float, *, at_top: bool = False) -> list[Item]:
    """The items of a box whose middle is at a place; its texts in the middle, or `at_top`."""
    left, top = x - leaf.width / 2, y - leaf.height / 2
    fill, line = f"{leaf.kind}.fill", f"{leaf.kind}.line"
    items: list[Item] = []
    for card in range(leaf.cards, 0, -1):
        shift = card * CARD
        items.append(Box(left + shift, top - shift, leaf.width, leaf.height, fill, line, 1.0, 9))
    if leaf.form == "strip":
        return [*items, *_strip(leaf, left, top), *_outline(leaf, left, top)]
    if leaf.form == "circle":
        sign = Text(x, y + 4.5, leaf.label.title, 14, "ink", True)
        return [Ellipse(x, y, 11, 11, fill, line, 1.3, leaf.dash), sign]
    if leaf.form in ("shrink", "grow"):
        items.append(_slanted(leaf, left, top, fill, line))
    else:
        radius = {"pill": leaf.height / 2, "sharp": 1.5, "end": 12, "block": 9}.get(leaf.form, 7)
        stroke = 2.4 if leaf.kind == "wrong" else 1.3
        box = Box(left, top, leaf.width, leaf.height, fill, line, stroke, radius, leaf.dash)
        items.append(box)
        if leaf.form == "block":
            size = leaf.width - 6, leaf.height - 6
            items.append(Box(left + 3, top + 3, *size, "", line, 0.8, 6.5, leaf.dash))
    return [*items, *_texts(leaf, x, top, at_top)]


def _texts(leaf: Leaf, x: float, top: float, at_top: bool) -> list[Item]:
    height = TITLE + STEP * len(leaf.label.lines) + (BAR + 4 if leaf.parts else 0)
    height += max(leaf.steps) + 4 if leaf.steps else 0
    y = top + (5.0 if at_top else (leaf.height - height) / 2) + TITLE * 0.8
    items: list[Item] = []
    if leaf.title_size < TITLE:
        items.append(Text(x, y, leaf.label.title, leaf.title_size, "ink", True))
    elif leaf.form == "block":
        start = x + 5 - text_width(leaf.label.title, TITLE, True) / 2 - 8
        items.append(closed_mark(start, y - 4))
        items.append(Text(x + 5, y, leaf.label.title, TITLE, "ink", True))
    else:
        items.append(Text(x, y, leaf.label.title, TITLE, "ink", True))
    if leaf.parts:
        items += _bar(leaf, x, y + 5)
        y += BAR + 4
    if leaf.steps:
        y += max(leaf.steps) + 4
        items += _stairs(leaf.steps, x, y)
    for line in leaf.label.lines:
        y += STEP
        items.append(Text(x, y, line, LINE, "soft"))
    return items


def _stairs(steps: tuple[float, ...], x: float, bottom: float) -> list[Item]:
    """A bar behind each layer: below what came in, above it what was added since."""
    came, *totals = steps
    left = x - STAIR * len(totals) / 2
    items: list[Item] = []
    for number, total in enumerate(totals):
        at = left + number * STAIR
        items.append(Box(at, bottom - came, STAIR - 0.6, came, "wire"))
        items.append(Box(at, bottom - total, STAIR - 0.6, total - came, series(0)))
    return items


def closed_mark(x: float, y: float) -> Polygon:
    """A triangle that points right: there is more inside."""
    return Polygon(((x - 3, y - 3.5), (x + 3, y), (x - 3, y + 3.5)), "block.line")


def open_mark(x: float, y: float) -> Polygon:
    """A triangle that points down: the inside is shown."""
    return Polygon(((x - 3.5, y - 3), (x + 3.5, y - 3), (x, y + 3)), "block.line")


def _slanted(leaf: Leaf, left: float, top: float, fill: str, line: str) -> Polygon:
    """Sides that come together where a map shrinks, and go apart where it grows."""
    right, bottom = left + leaf.width, top + leaf.height
    if leaf.direction != "right":
        is_wide_first = (leaf.form == "shrink") == (leaf.direction == "down")
        near, far = (0.0, LEAN) if is_wide_first else (LEAN, 0.0)
        ends = (left + near, top), (right - near, top), (right - far, bottom), (left + far, bottom)
        return Polygon(ends, fill, line, 1.3, leaf.dash)
    cut = min(7.0, leaf.height / 5)
    near, far = (0.0, cut) if leaf.form == "shrink" else (cut, 0.0)
    corners = ((left, top + near), (right, top + far), (right, bottom - far), (left, bottom - near))
    return Polygon(corners, fill, line, 1.3, leaf.dash)


def _bar(leaf: Leaf, x: float, y: float) -> list[Item]:
    """The channels of each branch, in proportion."""
    width = leaf.width - 2 * (PAD if leaf.title_size == TITLE else PAD / 2)
    left, total = x - width / 2, sum(leaf.parts)
    items: list[Item] = []
    for index, part in enumerate(leaf.parts):
        share = width * part / total
        items.append(Box(left, y, max(share - 1, 0.5), BAR, series(index)))
        left += share
    return items


def _outline(leaf: Leaf, left: float, top: float) -> list[Item]:
    """A frame around a strip that differs between two networks; its colours are those of parts."""
    if leaf.kind not in CHANGES:
        return []
    around = left - 3, top - 3, leaf.width + 6, leaf.height + 6
    return [Box(*around, "", f"{leaf.kind}.line", 2, 3, leaf.dash)]


def strip_places(leaf: Leaf, start: float) -> list[tuple[float, float]]:
    """Where each part of a concat starts along the bar, and how long it is."""
    total, at = sum(leaf.parts), start
    places: list[tuple[float, float]] = []
    for part in leaf.parts:
        length = max(leaf.width, leaf.height) * part / total
        places.append((at, length))
        at += length
    return places


def _stripes(box: Box, text: Text) -> Iterator[Item]:
    """Light lines across the part of a bar that is a skip, beside its number."""
    _, top, _, bottom = text.bounds()
    y = box.y + STRIPE
    while y < box.y + box.height - STRIPE / 2:
        if not top - 2 < y < bottom + 1 or text.width > box.width or box.height < 10:
            yield Box(box.x, y, box.width, 1, "amber.fill")
        y += STRIPE


def _strip(leaf: Leaf, left: float, top: float) -> list[Item]:
    """The bar: upright where drawings run to the right, else flat."""
    is_flat = leaf.width > leaf.height
    word = Text(left + leaf.width / 2, top - 5, "concat", LINE, "soft")
    if is_flat and leaf.direction == "up":
        word = Text(left, top - 5, "concat", LINE, "soft", False, "start")
    elif is_flat:  # edges come in from above
        word = Text(left, top + leaf.height + 9, "concat", LINE, "soft", False, "start")
    items: list[Item] = [word]
    for index, (at, length) in enumerate(strip_places(leaf, left if is_flat else top)):
        box = Box(at, top, length, leaf.height) if is_flat else Box(left, at, leaf.width, length)
        box = replace(box, fill="amber" if index in leaf.skips else series(index))
        items.append(box)
        x, y = box.x + box.width / 2, box.y + box.height / 2 + 3
        text = Text(x, y, str(leaf.parts[index]), LINE, letters_on(box.fill), True)
        if index in leaf.skips:
            items += _stripes(box, text)
        if text.width <= box.width and box.height >= 10:
            items.append(text)
    return items
