"""Texts of a file as Python strings and docstrings that say just that."""

from __future__ import annotations

import re


def quoted(text: str) -> str:
    """A string as ruff writes it: double quotes, except where single ones need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    body = "".join(_in_string(c, quote) for c in text)
    return f"{quote}{body}{quote}"


def docstring(text: str, indent: int) -> list[str]:
    """A comment as a docstring that says just that; empty comments give none."""
    if not text.strip():
        return []
    margin = " " * indent
    clean = "".join(c if c in '\n\t"' else _in_string(c, "") for c in text.strip())
    clean = re.sub(r'"{3,}', lambda quotes: '\\"' * len(quotes[0]), clean)
    first, *rest = (line.rstrip() for line in clean.split("\n"))
    before = " " if first.startswith('"') else ""
    if not rest:
        after = " " if re.search(r'(^|[^\\])(\\\\)*"$', first) else ""  # not for an escaped one
        return [f'{margin}"""{before}{first}{after}"""']
    body = [f"{margin}{line}" if line else "" for line in rest]
    return [f'{margin}"""{before}{first}', *body, f'{margin}"""']


def _in_string(character: str, quote: str) -> str:
    if character == quote:
        return f"\\{quote}"
    return repr(character)[1:-1] if character == "\\" or not character.isprintable() else character
