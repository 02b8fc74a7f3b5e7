"""The legend: only what is on the sheet."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from netdsl.backends.diagram.blocks.labels import Label
from netdsl.backends.diagram.blocks.leaf import Leaf, draw_leaf
from netdsl.backends.diagram.blocks.wiring import SIZE_ONLY, SKIP
from netdsl.backends.diagram.frame import MARGIN
from netdsl.backends.diagram.roles import families_of
from netdsl.backends.diagram.scene import Box, Ellipse, Item, Text, moved
from netdsl.backends.diagram.shape_names import MINUS, ShapeNames
from netdsl.backends.diagram.tails import Tails
from netdsl.ops.base import op_of

WIDTH = 720.0
SIZE = 9.5
STEP = 20.0
_KINDS = {
    "conv": ("convolution", "box"), "pool": ("pooling", "shrink"), "up": ("upsampling", "grow"),
    "dense": ("linear, attention", "sharp"), "norm": ("normalisation", "sharp"),
    "act": ("activation, dropout", "pill"), "merge": ("merging", "circle"),
    "move": ("moves values only", "sharp"), "other": ("", "sharp"),
    "block": ("block, closed", "block"), "added": ("+ added", "box"),
    "gone": (f"{MINUS} taken away", "box"),
    "wrong": ("wrong", "box"), "unknown": ("not known, behind what is wrong", "sharp"),
    "changed": ("~ changed, before → after", "box"), "same": ("as before", "box"),
}  # fmt: skip


def legend_of(
    boxes: Iterable[Leaf], usual: Tails, names: ShapeNames, trains: bool,
    room: float | None = None, also: Collection[str] = (), left_out: str = "",
) -> list[Item]:  # fmt: skip
    """Swatches and words, placed from the origin on, in lines.

    `room` is that of the picture, `also` are kinds of what is no box, `left_out` is what is not
    drawn.
    """
    leaves = list(boxes)
    kinds = {box.kind for box in leaves}.union(also)
    entries: list[tuple[list[Item], str]] = []
    for kind, (text, form) in _KINDS.items():
        if kind not in kinds:
            continue
        if kind == "other":
            text = families_of(op_of(box.unit.node) for box in leaves if box.unit is not None)
        if kind == "conv" and usual.get("convolution"):
            text = "conv = " + " + ".join(("convolution", *usual["convolution"]))
        if kind == "dense" and usual.get("dense"):
            units = [box.unit for box in leaves if box.kind == kind and box.unit is not None]
            others = "" if all(op_of(unit.node).leads for unit in units) else f"{text}; "
            text = f"{others}linear = " + " + ".join(("linear", *usual["dense"]))
        dash = "dashed" if kind in ("gone", "unknown") else ""
        leaf = Leaf(None, kind, Label(""), 20, 13, form=form, dash=dash)
        entries.append((_swatch(leaf), text))
    if SKIP in also:
        entries.append(([Box(0, -1.1, 20, 2.2, "amber", "", 0)], "skip: passes by layers"))
    if SIZE_ONLY in also:
        dots: list[Item] = [Box(x, -0.6, 2, 1.2, "wire", "", 0) for x in range(0, 20, 5)]
        entries.append((dots, "only the size is read"))
    if any(box.cards for box in leaves):
        entries.append(([], "stacked cards: equal in layers and shapes, repeated"))
    if any(box.steps for box in leaves):
        entries.append(([], "staircase: channels behind each layer; grey came in"))
    if any(box.form == "strip" or box.parts for box in leaves):
        entries.append(([], "bars: the share of each branch, to scale"))
    if trains:
        entries.append(([], "dashed: in training only"))
    entries += [([], text) for text in names.legend()]
    if left_out:
        entries.append(([], left_out))
    return _lines(entries, WIDTH if room is None else min(WIDTH, room - 2 * MARGIN))


def _swatch(leaf: Leaf) -> list[Item]:
    if leaf.form == "circle":
        return [Ellipse(10, 0, 7, 7, "merge.fill", "merge.line", 1.3)]
    return [item for item in draw_leaf(leaf, 10, 0) if not isinstance(item, Text)]


def _lines(entries: list[tuple[list[Item], str]], room: float) -> list[Item]:
    items: list[Item] = []
    x = y = 0.0
    for swatch, text in entries:
        label = Text(0, 0, text, SIZE, "soft", False, "start")
        width = (26 if swatch else 0) + label.width
        if x and x + width > room:
            x, y = 0.0, y + STEP
        items += [moved(item, x, y) for item in swatch]
        items.append(moved(label, x + (26 if swatch else 0), y + 3.3))
        x += width + 20
    return items
