"""Lines of Python files as places of diagnostics."""

from __future__ import annotations

import linecache
from functools import cache
from pathlib import Path

from netdsl.diagnostics import Source, Span
from netdsl.importers.torch.events import Line


class Lines:
    """Gives the places of lines; what has no file is at the question itself."""

    def __init__(self, question: str) -> None:
        self.question = Source(question, question)
        self.sources: dict[str, Source | None] = {}

    def source(self, file: str) -> Source | None:
        """A file as it is read; None where there is none."""
        if file not in self.sources:
            text = "".join(linecache.getlines(file))
            self.sources[file] = Source(_short(file), text) if text else None
        return self.sources[file]

    def span(self, line: Line) -> Span:
        """The text of a line without its indentation."""
        file, number = line
        source = self.source(file) if file else None
        if source is None or not 0 < number <= len(source.line_starts):
            return Span(self.question, 0, len(self.question.text))
        start, text = source.line_starts[number - 1], source.line(number)
        indent = len(text) - len(text.lstrip())
        return Span(source, start + indent, start + len(text.rstrip()))

    def files(self) -> tuple[Path, ...]:
        """The files that were looked at."""
        return tuple(Path(file) for file, source in self.sources.items() if source)


@cache
def _short(file: str) -> str:
    """A path as messages show it: below the working folder, or below `site-packages`."""
    path = Path(file)
    parts = path.parts
    if "site-packages" in parts:
        return "/".join(parts[parts.index("site-packages") + 1 :])
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return file
