"""The lines of an unparsed file: indentation, blank lines, and comments where they stood."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from netdsl.diagnostics import Span
from netdsl.syntax import ast


class Lines:
    """Lines under work; the last is open. `comments` are written as what follows them is begun."""

    def __init__(self, comments: Sequence[ast.Comment], width: int) -> None:
        self._comments, self._width = comments, width
        self._starts = [comment.span.start for comment in comments]
        self._next = 0
        self._lines: list[str] = []
        self._line = ""
        self._row = 0  # the line of the source that was written last
        self._is_opened = True  # nothing stands yet behind the last bracket, or in the file
        self._ends_in_comment = False
        self._is_moved = False  # the last line is a comment that stood behind something else

    @property
    def indent(self) -> int:
        """Of the line under work."""
        return len(self._line) - len(self._line.lstrip(" "))

    @property
    def column(self) -> int:
        """Where the line under work ends."""
        return len(self._line)

    @property
    def has_text(self) -> bool:
        """Whether something stands on the line under work that a space must follow."""
        return bool(self._line.strip()) and not self._line.endswith((" ", "("))

    def fits(self, text: str) -> bool:
        return len(self._line) + len(text) <= self._width

    def put(self, text: str) -> None:
        """Write on in the same line."""
        if text:
            self._line += text
            self._is_opened = False

    def at(self, span: Span) -> None:
        """What stands at `span` has been written."""
        if _is_placed(span):
            self._row = max(self._row, span.source.position(span.end - 1)[0])

    def new(self, indent: int) -> None:
        """End the line under work and begin one."""
        if self._line.strip():
            self._lines.append(self._line.rstrip())
        self._line, self._ends_in_comment = " " * indent, False

    def open(self, sign: str, span: Span) -> None:
        """Write the bracket at `span`, behind which a new line begins."""
        self.put(sign)
        self.at(span)
        self._is_opened = True

    def close(self, sign: str, span: Span | None, indent: int) -> None:
        """Write the bracket that closes, on a line of its own; `span` ends with it."""
        if span is not None and _is_placed(span):
            self._flush(span.end - 1, indent + 4)
        self.new(indent)
        self.put(sign)
        if span is not None:
            self.at(span)

    def begin(self, span: Span, indent: int, apart: bool | None = None) -> None:
        """Begin a line for what stands at `span`, below the comments before it.

        A blank line comes first if the source has one, always if `apart`, never if it is False.
        """
        if _is_placed(span):
            apart = self._flush(span.start, indent, apart)
        row = span.source.position(span.start)[0] if _is_placed(span) else 0
        self._begin(row, indent, apart)

    def needs_line(self, span: Span) -> bool:
        """Whether what stands at `span` can't go on in the same line, for a comment before it."""
        return _is_placed(span) and self._next < bisect_left(self._starts, span.start)

    def has_comment(self, start: int, end: int) -> bool:
        return bisect_left(self._starts, start) < bisect_left(self._starts, end)

    def finish(self) -> str:
        """The text, with the comments that are left."""
        self._flush(None, 0)
        self.new(0)
        return "".join(f"{line}\n" for line in self._lines)

    def _begin(self, row: int, indent: int, apart: bool | None) -> None:
        is_blank = row - self._row > 1 if apart is None else apart
        opened = self._is_opened
        self.new(indent)
        if (is_blank or (self._is_moved and not indent)) and not opened and self._lines:
            self._lines.append("")  # what was moved above a definition is not its documentation
        self._is_moved = False

    def _flush(self, before: int | None, indent: int, apart: bool | None = None) -> bool | None:
        """Write the comments before an offset (None: all); `apart` is left if none took a line."""
        last = len(self._comments) if before is None else bisect_left(self._starts, before)
        for comment in self._comments[self._next : last]:
            row = comment.span.source.position(comment.span.start)[0]
            if row == self._row and self._line.strip() and not self._ends_in_comment:
                self._line = f"{self._line.rstrip()}  {_spelled(comment)}"
            else:
                self._begin(row, indent, apart)
                self.put(_spelled(comment))
                apart, self._is_moved = None, not _is_alone(comment.span)
            self._ends_in_comment, self._row = True, row
        self._next = max(self._next, last)
        return apart


def _is_placed(span: Span) -> bool:
    """Whether a part of the tree was read from a text."""
    return span.end > span.start


def _is_alone(span: Span) -> bool:
    """Whether nothing stands before a comment on its line of the source."""
    return not span.source.line(span.line)[: span.column - 1].strip()


def _spelled(comment: ast.Comment) -> str:
    """A comment as it was written, with a space behind its `#` where a word follows."""
    written = comment.span.text.rstrip() or f"# {comment.text}".rstrip()
    return f"# {written[1:]}" if written[1:2].isalnum() else written
