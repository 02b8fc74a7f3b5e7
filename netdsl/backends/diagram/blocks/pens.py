"""How a tensor's wire looks: its colour, its width, its dashes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netdsl.backends.diagram.blocks.leaf import Leaf
from netdsl.backends.diagram.blocks.wiring import SIZE_ONLY, SKIP, Wire
from netdsl.backends.diagram.theme import series


@dataclass(frozen=True, slots=True)
class Pen:
    """What a wire is drawn with; `colour` is a role, `dash` is empty, `dashed` or `dotted`."""

    colour: str = "wire"
    width: float = 1.2
    dash: str = ""


PLAIN = Pen()


def pen_of(wire: Wire, head: Leaf, trains: bool) -> Pen:
    """The pen of the wire to `head`, which `trains` if it runs in training only."""
    if wire.mark == SIZE_ONLY:
        return Pen(dash="dotted")
    dash = "dashed" if trains or wire.mark == "gone" else ""
    if wire.mark == SKIP:
        return Pen("amber", 2.2, dash)
    if wire.mark:
        return Pen(f"{wire.mark}.line", 1.8, dash)
    if head.form in ("strip", "column") and wire.port >= 0:
        return Pen(series(wire.port), 1.6, dash)
    return Pen(dash=dash)


def shared(pens: Iterable[Pen]) -> Pen:
    """The pen of a stretch that several wires share: theirs, if they agree.

    A wire on which only the size is read counts where there is no other.
    """
    distinct = set(pens)
    told = {pen for pen in distinct if pen.dash != "dotted"} or distinct
    return told.pop() if len(told) == 1 else PLAIN
