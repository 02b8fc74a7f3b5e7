"""Diagnostics as a person reads them in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netdsl.diagnostics.columns import clean, columns, end_of, start_of
from netdsl.diagnostics.diagnostic import Diagnostic, Edit, Fix
from netdsl.diagnostics.source import Source, Span

COLOURS = {"error": "31;1", "warning": "33;1", "rail": "34;1", "bold": "1", "help": "36;1"}
LONGEST_TEXT = 2000
LONGEST_FIX = 6
MIN_WIDTH = 40


def render_text(
    diagnostics: Iterable[Diagnostic], *, colour: bool = False, width: int = 100
) -> str:
    """All diagnostics for a terminal of a width, followed by a line that counts them."""
    listed = list(diagnostics)
    texts = [_Page(d, colour, max(width, MIN_WIDTH)).text() for d in listed]
    return "\n\n".join([*texts, count_line(listed)]) if listed else ""


def count_line(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`, and where to read on; empty where there are none."""
    errors = sum(d.is_error for d in diagnostics)
    warnings = len(diagnostics) - errors
    parts = [(errors, "error"), (warnings, "warning")]
    counted = ", ".join(f"{n} {word}{'s' * (n > 1)}" for n, word in parts if n)
    codes = {d.code for d in diagnostics}
    code = codes.pop() if len(codes) == 1 else "CODE"
    return f"{counted}; `netdsl explain {code}` tells more" if counted else ""


class _Page:
    """One diagnostic, as lines."""

    def __init__(self, diagnostic: Diagnostic, colour: bool, width: int) -> None:
        self.diagnostic, self.colour, self.width = diagnostic, colour, width
        spans = [s.span for s in diagnostic.secondary]
        spans += [diagnostic.span] if diagnostic.span else []
        lines = [s.source.position(s.end)[0] for s in spans]
        self.gutter = len(str(max(lines, default=1)))
        self.margin = " " * self.gutter

    def text(self) -> str:
        d = self.diagnostic
        kind = d.severity.value
        head = self._paint(f"{kind}[{d.code}]", kind)
        lines = [f"{head}: {self._paint(_short(d.message), 'bold')}"]
        lines += self._places()
        lines += [self._remark("note", note) for note in d.notes]
        lines += [self._remark("help", text) for text in d.help]
        if d.fix is not None:
            lines += self._fix(d.fix)
        return "\n".join(lines)

    def _remark(self, word: str, text: str) -> str:
        rail = self._paint("=", "rail")
        return f"{self.margin} {rail} {self._paint(word, 'help')}: {_short(text)}"

    def _places(self) -> list[str]:
        """The place, and the further ones; marks on one line stand below it one by one."""
        d = self.diagnostic
        places = [] if d.span is None else [(d.span, d.label, d.severity.value, "-->")]
        places += [(label.span, label.text, "rail", ":::") for label in d.secondary]
        lines: list[str] = []
        before: tuple[Source, list[str]] | None = None
        for span, text, kind, arrow in places:
            rows = self._place(span, text, kind, arrow)
            is_on_it = before is not None and before[0] is span.source and before[1] == rows[2:-1]
            lines += rows[-1:] if is_on_it else rows
            before = span.source, rows[2:-1]
        return lines

    def _place(self, span: Span, label: str, kind: str, arrow: str) -> list[str]:
        """Where it is, the text there, and a mark under it."""
        line, column = span.source.position(span.start)
        last, last_column = span.source.position(max(span.start, span.end - 1))
        place = f"{clean(span.source.name)}:{line}:{column}"
        head = [f"{self.margin}{self._paint(arrow, 'rail')} {place}", self._row("", "")]
        sign = "-" if kind == "rail" else "^"
        tail = " " + self._paint(_short(label), kind) if label else ""
        if last == line:
            raw = span.source.line(line)
            start = column - 1
            end = max(start + 1, min(start + span.end - span.start, len(raw)))
            before, marked, after = self._cut(raw, start, end)
            mark = self._paint(sign * max(1, columns(marked)), kind)
            return [
                *head,
                self._row(line, before + marked + after),
                self._row("", " " * columns(before) + mark + tail),
            ]
        body = self._many_lines(span.source, (line, column), (last, last_column), sign, kind)
        body[-1] += tail
        return head + body

    def _many_lines(
        self, source: Source, first: tuple[int, int], last: tuple[int, int], sign: str, kind: str
    ) -> list[str]:
        """The first and the last line of a long span, with a line along its left side."""
        side = self._paint("|", kind)
        before, marked, after = self._cut(source.line(first[0]), first[1] - 1, first[1], 2)
        rows = [
            self._row(first[0], f"  {before}{marked}{after}"),
            self._row("", " " + self._paint("_" * (columns(before) + 1) + sign, kind)),
        ]
        if last[0] - first[0] > 2:
            rows.append(f"{'...':<{self.gutter + 2}} {side}")
        elif last[0] - first[0] == 2:
            middle = clean(source.line(first[0] + 1), tabs=True)
            middle = start_of(middle, self.width - self.gutter - 5)
            rows.append(self._row(first[0] + 1, f"{side} {middle}"))
        before, marked, after = self._cut(source.line(last[0]), last[1] - 1, last[1], 2)
        rows.append(self._row(last[0], f"{side} {before}{marked}{after}"))
        line_to_end = self._paint("|" + "_" * (columns(before) + 1) + sign, kind)
        return [*rows, self._row("", line_to_end)]

    def _row(self, number: int | str, text: str) -> str:
        return f"{self._number(number)} {self._paint('|', 'rail')} {text}".rstrip()

    def _number(self, number: int | str) -> str:
        return self._paint(f"{number:>{self.gutter}}", "rail")

    def _cut(self, raw: str, start: int, end: int, taken: int = 0) -> tuple[str, str, str]:
        """The line before, in and after the mark, shortened around it where it is too long."""
        room = self.width - self.gutter - 3 - taken
        far = 4 * self.width
        is_left_out = start > far, len(raw) > end + far
        if any(is_left_out) or end - start > far:
            first, end = max(0, start - far), min(end, start + far)
            raw, start, end = raw[first : end + far], start - first, end - first
        until_start, until_end = clean(raw[:start], tabs=True), clean(raw[:end], tabs=True)
        before, marked = until_start, until_end[len(until_start) :]
        after = clean(raw, tabs=True)[len(until_end) :]
        if columns(before + marked + after) <= room and not any(is_left_out):
            return before, marked, after
        if columns(marked) > room - 9:
            marked, after = start_of(marked, room - 9) + "...", ""
            is_left_out = is_left_out[0], False
        left = max(0, (room - columns(marked)) // 2 - 3)
        if columns(before) > left + 3 or is_left_out[0]:
            before = "..." + end_of(before, left)
        rest = room - columns(before) - columns(marked)
        if columns(after) > rest or is_left_out[1]:
            after = start_of(after, max(0, rest - 3)) + "..."
        return before, marked, after

    def _fix(self, fix: Fix) -> list[str]:
        """The title, then the lines as they would be."""
        lines = [self._remark("fix", fix.title)]
        for number, text in _mended(fix.edits):
            shown = clean(text, tabs=True)
            if columns(shown) <= self.width - self.gutter - 3:
                lines.append(f"{self._number(number)} {self._paint('+', 'help')} {shown}")
        return lines

    def _paint(self, text: str, kind: str) -> str:
        return f"\x1b[{COLOURS[kind]}m{text}\x1b[0m" if self.colour else text


def _short(text: str) -> str:
    """A text of a message, fit for a terminal; a name in it may be as long as a file."""
    return clean(text) if len(text) <= LONGEST_TEXT else clean(text[:LONGEST_TEXT]) + "..."


def _mended(edits: Sequence[Edit]) -> Iterator[tuple[int, str]]:
    """The numbers and texts of the lines that edits change, the first few of each place."""
    for group in _neighbours(edits):
        source = group[0].span.source
        first = group[0].span.line
        last = source.position(group[-1].span.end)[0]
        cursor = source.line_starts[first - 1]
        text = ""
        for edit in group:
            text += source.text[cursor : edit.span.start] + edit.text
            cursor = edit.span.end
        text += source.text[cursor : source.line_starts[last - 1] + len(source.line(last))]
        for index, line in enumerate(text.split("\n")[:LONGEST_FIX]):
            yield first + index, line.removesuffix("\r")


def _neighbours(edits: Sequence[Edit]) -> list[list[Edit]]:
    """Edits in order, those that share a line together."""
    groups: list[list[Edit]] = []
    for edit in sorted(edits, key=lambda e: (e.span.source.name, e.span.start, e.span.end)):
        before = groups[-1][-1].span if groups else None
        shares = (
            before is not None
            and before.source is edit.span.source
            and before.source.position(before.end)[0] == edit.span.line
        )
        if shares:
            groups[-1].append(edit)
        else:
            groups.append([edit])
    return groups
