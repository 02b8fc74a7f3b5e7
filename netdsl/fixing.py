"""`netdsl check --fix`: applies the safe fixes of diagnostics until none is left."""

from __future__ import annotations

import codecs
import errno
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from netdsl.diagnostics import Diagnostic, Edit, Source
from netdsl.driver import Loading, diagnosed
from netdsl.files import write_whole
from netdsl.importers.others import read_net

MAX_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file after its fixes: its text, how many were applied, and what is still to be said."""

    text: str
    fixes: int
    diagnostics: tuple[Diagnostic, ...]


def fix_file(path: str, **options: Unpack[Loading]) -> Fixed:
    """Apply the safe fixes to a file, which is rewritten if there are any.

    Raises `DiagnosticError` if it can't be read, `OSError` if it can't be written.
    """
    if Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir():
        raise OSError(errno.EINVAL, "it is no plain file")  # what was read off a pipe is gone
    source = read_net(path)
    fixed = fix_source(source, Path(path), **options)
    if fixed.text != source.text:
        with open(path, "rb") as file:
            mark = "\ufeff" if file.read(3) == codecs.BOM_UTF8 else ""
        write_whole(path, mark + fixed.text)
    return fixed


def fix_source(source: Source, path: Path | None, **options: Unpack[Loading]) -> Fixed:
    """Apply the safe fixes that lie in this text."""
    seen = {source.text}
    fixes = 0
    for _ in range(MAX_ROUNDS):
        diagnostics = diagnosed(source, path, **options)
        text, applied = apply_fixes(source, diagnostics)
        if not applied or text in seen:
            break
        seen.add(text)
        fixes += applied
        source = Source(source.name, text)
    else:
        diagnostics = diagnosed(source, path, **options)
    return Fixed(source.text, fixes, diagnostics)


def apply_fixes(source: Source, diagnostics: Iterable[Diagnostic]) -> tuple[str, int]:
    """The text with all safe fixes that do not touch each other, and how many these are."""
    taken: list[Edit] = []
    fixes = 0
    for diagnostic in diagnostics:
        fix = diagnostic.fix
        if fix is None or not fix.safe or any(e.span.source is not source for e in fix.edits):
            continue
        if any(_touch(edit, other) for edit in fix.edits for other in taken):
            continue
        taken += fix.edits
        fixes += 1
    text = source.text
    for edit in sorted(taken, key=lambda e: e.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text, fixes


def _touch(a: Edit, b: Edit) -> bool:
    return a.span.start <= b.span.end and b.span.start <= a.span.end
