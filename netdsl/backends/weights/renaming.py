"""Other names for the keys of a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from netdsl.diagnostics import Diagnostic, DiagnosticError

Rename = Mapping[str, str]
"""What keys begin with, and what stands in its place; a key takes the first rule that it fits.

Both are whole parts of a key, and may be none; a dot behind them changes nothing. `*` stands for a
part, or for what is left of one, on both sides for the same. Keys that fit no rule are not read.
"""


def rule_text(old: str, new: str) -> str:
    """A rule as it is written on the command line."""
    return f"--rename {old}={new}"


def refusal(old: str, new: str) -> str:
    """What is wrong with a rule; empty if nothing is."""
    if "**" in old or "**" in new:
        return "`*` stands for one part of a key, and `**` for nothing"
    there, here = old.count("*"), new.count("*")
    if there != here:
        return f"`*` stands {there} times in `{old:.80}`, and {here} times in `{new:.80}`"
    return ""


def new_names(keys: Iterable[str], rules: Rename) -> dict[str, str]:
    """The keys that are read, by their new names.

    Raises `DiagnosticError` for a rule that is none, and where two keys would get one name.
    """
    for old, new in rules.items():
        if wrong := refusal(old, new):
            raise DiagnosticError([Diagnostic("renamed-weights", wrong, None)])
    patterns = [(_pattern(old), new.removesuffix(".").split("*")) for old, new in rules.items()]
    names: dict[str, str] = {}
    for key in keys:
        name = _renamed(key, patterns)
        if name is None:
            continue
        if name in names:
            both = f"`{names[name]:.80}` and `{key:.80}` would both be called `{name:.80}`"
            raise DiagnosticError([Diagnostic("renamed-weights", both, None)])
        names[name] = key
    return names


def is_fitted(old: str, keys: Iterable[str]) -> bool:
    """Whether any key begins so."""
    pattern = _pattern(old)
    return any(pattern.match(key) for key in keys)


def _renamed(key: str, patterns: Iterable[tuple[re.Pattern[str], list[str]]]) -> str | None:
    for pattern, (head, *pieces) in patterns:
        begin = pattern.match(key)
        if begin:
            stars = zip(begin.groups(), pieces, strict=True)
            new = head + "".join(star + piece for star, piece in stars)
            return ".".join(filter(None, [new, key[begin.end() :].removeprefix(".")]))
    return None


def _pattern(old: str) -> re.Pattern[str]:
    """Up to the end of a part."""
    parts = (re.escape(piece) for piece in old.removesuffix(".").split("*"))
    return re.compile(r"([^.]+)".join(parts) + (r"(?=\.|\Z)" if old else ""))
