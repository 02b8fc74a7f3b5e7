"""Where a long sequence of units is cut into rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

CUT_WITHIN, CUT_WITHIN_NARROW = 0.4, 0.1
"""What it costs to cut a row within a stage, in squared shares of a row; on narrow paper, less."""
CUT_BEFORE_OUTPUT = 2.0
"""What it costs to cut an output off from the layer that gives it."""

MANY = 200
"""Units from which on one width only is tried."""
ROW_EXTRA = 66.0
"""Height of a row beside that of its units: margins, and the gap to the next one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A top-level unit: how much room it takes, and the size of the maps that it gives.

    Where that changes, the unit begins a stage, as a strided block does, or `ends` one: a pool.
    An output `stays` in the row of what gives it.
    """

    width: float
    height: float
    resolution: str
    ends: bool = False
    stays: bool = False


def stacked(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces, where outputs of one layer stand below each other."""
    found: list[Piece] = []
    first = 0
    for piece in pieces:
        if piece.stays and found and found[-1].stays:
            found[first] = replace(found[first], height=found[first].height + piece.height + 16)
            found.append(replace(piece, width=0.0))
            continue
        first = len(found)
        found.append(piece)
    return found


def cut(pieces: Sequence[Piece], width: float, within: float = CUT_WITHIN) -> list[range]:
    """Rows of about `width`, cut between stages where that costs little room."""
    count = len(pieces)
    best: list[tuple[float, int]] = [(0.0, 0)]
    odd = [start > 0 and not changes(pieces, start) for start in range(count)]
    for end in range(1, count + 1):
        choices: list[tuple[float, int]] = []
        room = 0.0
        for start in range(end - 1, -1, -1):
            room += pieces[start].width
            if room > width and start < end - 1:
                break
            slack = max(0.0, 1 - room / width)
            cost = slack**2 * (0.35 if end == count else 1.0)
            if odd[start]:
                cost += CUT_BEFORE_OUTPUT if pieces[start].stays else within
            choices.append((best[start][0] + cost, start))
        best.append(min(choices))
    rows: list[range] = []
    end = count
    while end:
        start = best[end][1]
        rows.append(range(start, end))
        end = start
    return rows[::-1]


def changes(pieces: Sequence[Piece], index: int) -> bool:
    """Whether a stage ends or begins at a cut before `index`."""
    behind = pieces[index - 2].resolution if index > 1 else ""
    last, first = pieces[index - 1], pieces[index]
    if last.ends and last.resolution != behind and not first.stays:
        return True
    return first.resolution != last.resolution and not (first.ends or first.stays)


def widths_to_try(pieces: Sequence[Piece], ratio: float) -> list[float]:
    """Widths of rows worth a look: those that give about the ratio of width to height."""
    total, widest = sum(p.width for p in pieces), max(p.width for p in pieces)
    usual = sum(p.height for p in pieces) / len(pieces) + ROW_EXTRA
    likely = sqrt(ratio * total * usual)
    if len(pieces) > MANY:
        return [max(widest, likely)]
    found: list[float] = []
    for rows in range(1, len(pieces) + 1):
        width = max(widest, total / rows * 1.04)
        if not found or (width < found[-1] * 0.96 and likely * 0.5 < width < likely * 2):
            found.append(width)
        if width <= max(widest, likely * 0.5):
            break
    return found


def estimated_ratio(pieces: Sequence[Piece], rows: Sequence[range], margin: float) -> float:
    """Width by height of a picture with these rows."""
    width = max(sum(pieces[i].width for i in row) for row in rows) + margin
    height = sum(max(pieces[i].height for i in row) + ROW_EXTRA for row in rows) + 110
    return width / height
