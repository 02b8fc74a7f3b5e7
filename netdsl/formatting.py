"""`netdsl fmt`: files in the canonical layout."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff

from netdsl.diagnostics import DiagnosticError, Sink, Source
from netdsl.files import write_whole
from netdsl.importers.others import read_net
from netdsl.syntax import parse
from netdsl.syntax.unparse import unparse
from netdsl.syntax.walk import are_equal


@dataclass(frozen=True, slots=True)
class Formatted:
    """A file as it is, and in the canonical layout."""

    source: Source
    text: str

    @property
    def is_changed(self) -> bool:
        return self.text != self.source.text

    def diff(self) -> str:
        """What changes, as a unified diff."""
        name = self.source.name
        lines = (text.splitlines(keepends=True) for text in (self.source.text, self.text))
        before, after = lines
        return "".join(unified_diff(before, after, name, f"{name} (formatted)"))

    def write(self) -> None:
        """Put the new text in the place of the file. Raises `OSError`."""
        write_whole(self.source.name, self.text)


def format_file(path: str) -> Formatted:
    """A file (`-`: standard input) formatted. Raises `DiagnosticError` if it can't be parsed."""
    return format_source(read_net(path))


def format_source(source: Source) -> Formatted:
    """A text formatted; it must say what it said before, or nothing is given back."""
    sink = Sink()
    tree = parse(source, sink)
    if tree is None:
        raise DiagnosticError(sink.diagnostics)
    text = unparse(tree)
    again = parse(Source(source.name, text), Sink())
    is_same = (
        again is not None
        and are_equal(tree.definitions, again.definitions)
        and [c.text for c in tree.comments] == [c.text for c in again.comments]
    )
    if not is_same:
        raise AssertionError(f"formatting {source.name} would change what it says")
    return Formatted(source, text)
