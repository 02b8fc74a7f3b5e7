"""Where a call stands in a Python file, as a place that diagnostics can point to."""

from __future__ import annotations

import linecache
import sys
from functools import lru_cache
from itertools import islice

from netdsl.diagnostics.source import Source, Span


def call_site(depth: int = 2) -> Span:
    """The call that has led here, `depth` frames out; its line alone where Python knows no more.

    A caller whose text is not at hand (typed at a prompt) is an empty line of the right number.
    """
    frame = sys._getframe(depth)  # pyright: ignore[reportPrivateUsage] (no public way so far out)
    code = frame.f_code
    text = "".join(linecache.getlines(code.co_filename, frame.f_globals))
    source = _source(code.co_filename, text or "\n" * frame.f_lineno)
    positions = islice(code.co_positions(), frame.f_lasti // 2, None)
    first, last, start, end = next(positions, (None,) * 4)
    if not text or first is None or last is None or start is None or end is None:
        begin = source.line_starts[frame.f_lineno - 1]
        return Span(source, begin, begin + len(source.line(frame.f_lineno)))
    return Span(source, _offset(source, first, start), _offset(source, last, end))


def alone(span: Span) -> Span:
    """The same place in a text without what stands around it."""
    start = span.line - 1
    text = "\n" * start + span.text
    return Span(Source(span.source.name, text), start, len(text))


@lru_cache(64)
def _source(name: str, text: str) -> Source:
    """One for each file, so that places in it can be compared."""
    return Source(name, text)


def _offset(source: Source, line: int, column: int) -> int:
    """Where a column lies, which Python counts in bytes."""
    before = source.line(line).encode()[:column].decode(errors="ignore")
    return source.line_starts[line - 1] + len(before)
