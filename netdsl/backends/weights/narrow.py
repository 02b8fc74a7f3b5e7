"""Numbers in a narrower type: none may become infinite, and what gets lost is reported."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from netdsl.diagnostics import Diagnostic, DiagnosticError, Severity, Span

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_LOST = 0.01
"""Of the sum of a tensor's magnitudes; more is a warning."""
PART = 2**20
HALF_HELP = "export without half precision, or scale the weight and what follows it"
FULL_HELP = "a number of this size is most often a mistake of training: clip or replace it"


def narrowed(
    array: Array, dtype: str, key: str, span: Span | None
) -> tuple[Array, list[Diagnostic]]:
    """The numbers in another type, and warnings of what got lost.

    Raises `DiagnosticError` where a number that is finite would not be so any more, or a whole
    number would be another one.
    """
    import numpy as np

    with np.errstate(all="ignore"):
        cast = np.ascontiguousarray(array, dtype=dtype)
        if array.dtype == cast.dtype or not array.size:
            return cast, []
        if cast.dtype.kind == "f":
            wrong = ~np.isfinite(cast) & np.isfinite(array)
        else:
            wrong = cast.astype(array.dtype) != array
        if wrong.any():
            raise DiagnosticError([_beyond(array, cast, wrong, key, span)])
        return cast, _lost(array, cast, key, span)


def warn(diagnostics: Iterable[Diagnostic]) -> None:
    """Issue them as Python warnings to the caller."""
    for diagnostic in diagnostics:
        warnings.warn(str(diagnostic), stacklevel=4)


def _beyond(array: Array, cast: Array, wrong: Array, key: str, span: Span | None) -> Diagnostic:
    import numpy as np

    is_float = cast.dtype.kind == "f"
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = f"[{', '.join(map(str, place))}]" if place else ""
    ends = f"{float(np.finfo(cast.dtype).max):.6g}" if is_float else f"{np.iinfo(cast.dtype).max}"
    text = f"`{key}{where}` is {float(array[place]):.6g}, and {cast.dtype} ends at {ends}"
    count = int(wrong.sum())
    more = (f"{count:,} of its {array.size:,} numbers are beyond that",) if count > 1 else ()
    help = HALF_HELP if cast.dtype == np.float16 else FULL_HELP
    return Diagnostic("number-range", text, span, notes=more, help=(help,))


def _lost(array: Array, cast: Array, key: str, span: Span | None) -> list[Diagnostic]:
    """A warning where small numbers became 0, or lost their last digits, and they count."""
    if cast.dtype.kind != "f" or cast.dtype.itemsize >= array.dtype.itemsize:
        return []
    lost = _share_lost(array.reshape(-1), cast.reshape(-1))
    if lost <= MOST_LOST:
        return []
    text = f"`{key}` loses {lost:.0%} of its magnitude in {cast.dtype}: its numbers are too small"
    if not cast.any():
        text = f"`{key}` is 0 throughout in {cast.dtype}: its numbers are too small"
    help = "scale it and what follows it, or keep the wider type"
    return [Diagnostic("number-range", text, span, Severity.WARNING, help=(help,))]


def _share_lost(array: Array, cast: Array) -> float:
    """The sum of what is lost, of the sum of magnitudes; part by part, as weights are large."""
    import numpy as np

    lost = whole = 0.0
    for start in range(0, array.size, PART):
        before, after = (part[start : start + PART].astype(np.float64) for part in (array, cast))
        finite = np.isfinite(before)
        lost += float(np.abs(before - after)[finite].sum())
        whole += float(np.abs(before[finite]).sum())
    return lost / whole if whole else 0.0
