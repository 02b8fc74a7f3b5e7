"""Stages of a network: boxes in a row whose maps have the same size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netdsl.backends.diagram.layout.line_sheet import LineSheet
from netdsl.backends.diagram.units import Unit

LONGEST_STEM = 8
"""Boxes before the first block that may stand in one stage."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Places of boxes in their sequence, and what stands above them.

    In the stem, sizes change from box to box, so that shapes stand on its wires.
    """

    places: range
    caption: str
    more: str = ""
    is_stem: bool = False


def stages_of(sheet: LineSheet, items: Sequence[str | Unit]) -> list[Stage]:
    """The stages of a sequence: a pool ends one, a strided block begins one."""
    keys = _keys(sheet, items)
    stem = _stem(sheet, items, keys)
    starts = [
        n for n in range(len(items)) if n in (0, stem) or (n > stem and keys[n] != keys[n - 1])
    ]
    stages: list[Stage] = []
    for start, stop in zip(starts, [*starts[1:], len(items)], strict=True):
        is_stem = start < stem
        last = sheet.size_told(items[stop - 1]) if is_stem else keys[start]
        caption = _span(keys[start], last)
        more = "" if is_stem else _told(sheet, items[start:stop])
        stages.append(Stage(range(start, stop), caption, more, is_stem))
    return stages


def part_of(sheet: LineSheet, stage: Stage, places: Sequence[int]) -> Stage:
    """The part of a stage that stands in one line; a part of the stem has sizes of its own."""
    if not stage.is_stem or len(places) == len(stage.places):
        return stage
    first = _keys(sheet, sheet.items[: places[0] + 1])[-1]
    last = sheet.size_told(sheet.items[places[-1]])
    return replace(stage, caption=_span(first, last))


def _span(first: str, last: str) -> str:
    return f"{first} → {last}" if first != last else first


def _keys(sheet: LineSheet, items: Sequence[str | Unit]) -> list[str]:
    """The size that each box belongs to: what it gives, or for what ends a stage, what it takes."""
    keys: list[str] = []
    for item in items:
        ends = sheet.piece(item).ends
        keys.append(keys[-1] if ends and keys else sheet.size_told(item))
    return keys


def _stem(sheet: LineSheet, items: Sequence[str | Unit], keys: Sequence[str]) -> int:
    """How many boxes before the first block stand in one stage: those of several sizes."""
    first = next((n for n, i in enumerate(items) if isinstance(i, Unit) and i.is_block), 0)
    several = len({sheet.size_told(item) for item in items[:first]}) > 1
    return first if several and first <= LONGEST_STEM else 0


def _told(sheet: LineSheet, items: Sequence[str | Unit]) -> str:
    """What was dropped from the names of the blocks of a stage."""
    kinds = [i.scope.definition for i in items if isinstance(i, Unit) and i.is_block and i.scope]
    return ", ".join(dict.fromkeys(sheet.dropped[kind] for kind in kinds if kind in sheet.dropped))
