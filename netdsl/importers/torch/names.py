"""Names of Python as names of the language."""

from __future__ import annotations

import re
from collections.abc import Container

from netdsl.syntax.lexing import WORDS

RESERVED = frozenset(one.lower() for one in WORDS - {"NAME"})


def word(name: str) -> str:
    """A name that the language takes; empty if nothing is left of it."""
    name = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    if name[:1].isdigit():
        name = f"_{name}"
    return f"{name}_" if name in RESERVED else name


def free(name: str, taken: Container[str]) -> str:
    """A name, with a number behind it if it is taken."""
    if name not in taken:
        return name
    return next(one for n in range(2, 10**6) if (one := f"{name}{n}") not in taken)
