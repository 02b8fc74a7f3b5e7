"""A page of a report: sections with paragraphs and tables, as text of a width or as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from typing import TypeAlias

from netdsl.diagnostics.columns import clean

NARROWEST = 14
"""Letters that a column of text keeps at least."""
BAR = 20
"""Letters of the longest bar."""
GAP = "  "


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under titles; columns in `numbers` stand right, bars of `#` are the last column."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()

    def text(self, width: int) -> str:
        """Columns as wide as they need; the widest texts are cut where the line is too long."""
        cells = [tuple(map(clean, row)) for row in (self.titles, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        self._narrow(widths, width)
        lines = [
            GAP.join(self._cell(cell, i, widths[i]) for i, cell in enumerate(row)).rstrip()
            for row in cells
        ]
        return "\n".join(lines)

    def _narrow(self, widths: list[int], width: int) -> None:
        texts = [i for i, title in enumerate(self.titles) if title and i not in self.numbers]
        while sum(widths) + len(GAP) * (len(widths) - 1) > width and texts:
            widest = max(texts, key=lambda i: widths[i])
            if widths[widest] <= NARROWEST:
                return
            widths[widest] -= 1

    def _cell(self, text: str, column: int, width: int) -> str:
        if len(text) > width:
            text = text[: width - 3] + "..."
        return f"{text:>{width}}" if column in self.numbers else f"{text:<{width}}"

    def markdown(self) -> str:
        """The same as a table of Markdown."""
        marks = tuple("--:" if i in self.numbers else "---" for i in range(len(self.titles)))
        rows = [tuple(map(escaped, self.titles)), marks]
        rows += [tuple(map(escaped, row)) for row in self.rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@dataclass(frozen=True, slots=True)
class Code:
    """Lines that are shown as they are."""

    lines: str
    language: str = ""


Part: TypeAlias = "str | Table | Code"


@dataclass(frozen=True, slots=True)
class Section:
    """Paragraphs, tables and code under a title, which may be empty."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A page: a title, and sections; those without parts are left out."""

    title: str
    sections: Sequence[Section] = field(default_factory=tuple[Section, ...])

    def text(self, width: int = 100) -> str:
        """For a terminal of a width."""
        return "\n\n".join([clean(self.title), *self._texts(width)]) + "\n"

    def _texts(self, width: int) -> Iterator[str]:
        for section in self.sections:
            parts = [_text(part, width) for part in section.parts]
            if parts:
                yield "\n".join([section.title, *parts]) if section.title else "\n\n".join(parts)

    def markdown(self) -> str:
        """The same as Markdown."""
        blocks = [f"# {escaped(self.title)}"]
        for section in self.sections:
            if section.parts and section.title:
                blocks.append(f"## {escaped(section.title)}")
            blocks += map(_markdown, section.parts)
        return "\n\n".join(blocks) + "\n"


def _text(part: Part, width: int) -> str:
    if isinstance(part, Table):
        return part.text(width)
    if isinstance(part, Code):
        return "\n".join(f"    {clean(line)}".rstrip() for line in part.lines.splitlines())
    return fill(clean(part), width, subsequent_indent="  " * part.startswith("- "),
                break_on_hyphens=False, break_long_words=False)  # fmt: skip


def _markdown(part: Part) -> str:
    if isinstance(part, Table):
        return part.markdown()
    if isinstance(part, Code):
        return f"```{part.language}\n{part.lines.rstrip()}\n```"
    return escaped(part)


def escaped(text: str) -> str:
    """A text without the marks that Markdown reads, except within backquotes."""
    parts = clean(text).split("`")
    marks = re.compile(r"([\\*<|&~\[])")
    return "`".join(marks.sub(r"\\\1", p) if i % 2 == 0 else p for i, p in enumerate(parts))


def bar(share: float) -> str:
    """`#####` for a share of the largest, at least one for what is not nothing."""
    return "#" * max(round(share * BAR), share > 0)


def percent(share: float) -> str:
    """`8.1 %`; `0 %` for nothing, `< 0.1 %` for next to nothing."""
    if share == 0 or share >= 0.001:
        return "0 %" if share == 0 else f"{100 * share:.1f} %"
    return "< 0.1 %"


def shape(sizes: Sequence[int]) -> str:
    """`64x112x112`."""
    return "x".join(map(str, sizes)) or "one number"


def plural(number: int, one: str, several: str = "") -> str:
    """`1 neuron`, `2,187 links`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def amount(size: float) -> str:
    """Bytes: `3,888 bytes`, `48.4 MB`, with 1 MB of a million bytes."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e4)):
        if size >= least:
            return f"{size / (1e3 if unit == 'kB' else least):,.1f} {unit}"
    return f"{size:,.0f} bytes"


def millions(number: float) -> str:
    """A count as a person says it: `1.50 G`, `121.6 M`, `9,344`."""
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if number >= size:
            return f"{number / size:,.2f} {unit}" if unit == "G" else f"{number / size:,.1f} {unit}"
    return f"{number:,.0f}"


def at_sizes(sizes: Mapping[str, int], are_assumed: bool) -> tuple[str, ...]:
    """Which sizes the numbers are for; nothing where all are fixed."""
    listed = ", ".join(f"{name} = {size}" for name, size in sizes.items())
    if not sizes or not are_assumed:
        return (f"At {listed}.",) if sizes else ()
    asked = ",".join(f"{name}={size}" for name, size in sizes.items())
    return (f"The sizes are open. These numbers are for {listed}; `--size {asked}` sets others.",)
