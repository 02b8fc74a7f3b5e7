"""Where a long sequence of units is cut into rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    An output `stays` in the row of what gives it. `readers` are the places of the pieces that it
    leads to; what they have in common stands side by side, the rest below each other.
    """

    width: float
    height: float
    resolution: str
    ends: bool = False
    stays: bool = False
    readers: tuple[int, ...] = ()


def lengths(pieces: Sequence[Piece], span: range) -> Iterator[float]:
    """How long the rows are that begin further and further before the end of `span`."""
    reach: dict[int, float] = {}
    length = 0.0
    for place in reversed(span):
        behind = (reach[reader] for reader in pieces[place].readers if reader in reach)
        reach[place] = pieces[place].width + max(behind, default=0.0)
        length = max(length, reach[place])
        yield length


def length_of(pieces: Sequence[Piece], span: range) -> float:
    """The longest path through a row."""
    return max(lengths(pieces, span), default=0.0)


def cut(
    pieces: Sequence[Piece], span: range, width: float, within: float = CUT_WITHIN
) -> list[range]:
    """Rows of about `width` of the pieces in `span`, cut between stages where that costs little
    room."""
    best: dict[int, tuple[float, int]] = {span.start: (0.0, span.start)}
    odd = {start: start > span.start and not changes(pieces, start) for start in span}
    for end in range(span.start + 1, span.stop + 1):
        choices: list[tuple[float, int]] = []
        row = range(span.start, end)
        for start, length in zip(reversed(row), lengths(pieces, row), strict=True):
            if length > width and start < end - 1:
                break
            slack = max(0.0, 1 - length / width)
            cost = slack**2 * (0.35 if end == span.stop else 1.0)
            if odd[start]:
                cost += CUT_BEFORE_OUTPUT if pieces[start].stays else within
            choices.append((best[start][0] + cost, start))
        best[end] = min(choices)
    rows: list[range] = []
    end = span.stop
    while end > span.start:
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
    total = length_of(pieces, range(len(pieces)))
    widest = max(length_of(pieces, range(n, _end_with(pieces, n))) for n in range(len(pieces)))
    usual = sum(p.height for p in pieces) / len(pieces) + ROW_EXTRA
    likely = sqrt(ratio * total * usual)
    if len(pieces) > MANY:
        return [max(widest, likely)]
    widths: list[float] = []
    for rows in range(1, len(pieces) + 1):
        width = max(widest, total / rows * 1.04)
        if not widths or (width < widths[-1] * 0.96 and likely * 0.5 < width < likely * 2):
            widths.append(width)
        if width <= max(widest, likely * 0.5):
            break
    return widths


def _end_with(pieces: Sequence[Piece], number: int) -> int:
    """Where a row may end that begins with a piece: behind what stays with it."""
    end = number + 1
    while end < len(pieces) and pieces[end].stays:
        end += 1
    return end


def estimated_ratio(pieces: Sequence[Piece], rows: Sequence[range], margin: float) -> float:
    """Width by height of a picture with these rows."""
    long = [length_of(pieces, row) for row in rows]
    high = [_height(pieces, row, length) for row, length in zip(rows, long, strict=True)]
    return (max(long) + margin) / (sum(high) + ROW_EXTRA * len(rows) + 110)


def _height(pieces: Sequence[Piece], row: range, length: float) -> float:
    """That of the highest piece, or what all need where some stand below others."""
    area = sum(pieces[i].width * pieces[i].height for i in row)
    return max(max(pieces[i].height for i in row), area / length)
