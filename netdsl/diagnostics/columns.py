"""How text lies in the columns of a terminal, and what of it is safe to send there."""

from __future__ import annotations

import unicodedata

TAB = 4
REPLACEMENT = "\ufffd"
HIDDEN = frozenset(["Cc", "Cf", "Cs", "Co", "Zl", "Zp"])


def clean(text: str, *, tabs: bool = False) -> str:
    """The text without control characters, which a hostile file could send to a terminal.

    A tab becomes one blank, or with `tabs` as many as reach the next stop.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    column = 0
    for character in text:
        if character == "\t":
            character = " " * (TAB - column % TAB) if tabs else " "
        elif unicodedata.category(character) in HIDDEN:
            character = REPLACEMENT
        shown.append(character)
        column += columns(character)
    return "".join(shown)


def columns(text: str) -> int:
    """How many columns a text takes: wide characters two, those drawn onto another one none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def start_of(text: str, room: int) -> str:
    """As much of the start of a text as fits into some columns."""
    used = 0
    for index, character in enumerate(text):
        used += _width(character)
        if used > room:
            return text[:index]
    return text


def end_of(text: str, room: int) -> str:
    """As much of the end of a text as fits into some columns."""
    used = 0
    for index in range(len(text) - 1, -1, -1):
        used += _width(text[index])
        if used > room:
            return text[index + 1 :]
    return text


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
