"""How wide a text is: the advances of Helvetica, which Arial and others share; and of Times."""

from __future__ import annotations

from functools import lru_cache
from unicodedata import normalize

FAMILY = "Helvetica,Arial,sans-serif"
SERIF = "Times New Roman,Times,serif"
_SANS = (
    "arial", "arimo", "helvetica", "helvetica neue", "liberation sans", "nimbus sans",
    "sans-serif", "tex gyre heros",
)  # fmt: skip
"""Families with the widths of Helvetica."""
_SERIF = (
    "liberation serif", "nimbus roman", "serif", "stix two text", "tex gyre termes", "times",
    "times new roman", "times-roman", "tinos",
)  # fmt: skip
"""Families with the widths of Times, in which texts are shorter than in Helvetica."""

# thousandths of the font size, from the space (32) to the tilde (126)
_REGULAR = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
_BOLD = (
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611,
    975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556,
    333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
    611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
)  # fmt: skip
_SERIF_REGULAR = (
    250, 333, 408, 500, 500, 833, 778, 180, 333, 333, 500, 564, 250, 333, 250, 278,
    500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 278, 278, 564, 564, 564, 444,
    921, 722, 667, 667, 722, 611, 556, 722, 722, 333, 389, 722, 611, 889, 722, 722,
    556, 722, 667, 556, 611, 722, 722, 944, 722, 722, 611, 333, 278, 333, 469, 500,
    333, 444, 500, 444, 500, 444, 333, 500, 500, 278, 278, 500, 278, 778, 500, 500,
    500, 500, 333, 389, 278, 500, 500, 722, 500, 500, 444, 480, 200, 480, 541,
)  # fmt: skip
_SERIF_BOLD = (
    250, 333, 555, 500, 500, 1000, 833, 278, 333, 333, 500, 570, 250, 333, 250, 278,
    500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 333, 333, 570, 570, 570, 500,
    930, 722, 667, 722, 722, 667, 611, 778, 778, 389, 500, 778, 667, 944, 722, 778,
    611, 778, 722, 556, 667, 722, 722, 1000, 722, 722, 667, 333, 278, 333, 581, 500,
    333, 500, 556, 444, 556, 444, 333, 500, 556, 278, 333, 556, 278, 833, 556, 500,
    556, 556, 444, 389, 333, 556, 500, 722, 500, 500, 444, 394, 220, 394, 520,
)  # fmt: skip
_ALIKE = (
    (222, 278, "‚‘’"), (260, 280, "¦"), (278, 278, "\xa0·ıìíîï"), (333, 333, "ˆ˜‹›¡¨\xad¯´¸¹²³"),
    (333, 500, "„“”"), (350, 350, "•"), (365, 365, "º"), (370, 370, "ª"), (400, 400, "°"),
    (537, 556, "¶"), (556, 556, "€ƒ†‡–¢£¤¥§«»"), (556, 611, "µðþ"), (584, 584, "×÷±¬\u2212"),
    (611, 611, "¿ßø"), (667, 667, "Þ"), (722, 722, "Ð"), (737, 737, "©®"), (778, 778, "Ø"),
    (834, 834, "¼½¾"), (889, 889, "æ"), (944, 944, "œ"), (1000, 1000, "—…‰™ÆŒ→←"),
)  # fmt: skip
_OTHERS = {letter: (regular, bold) for regular, bold, same in _ALIKE for letter in same}
"""Regular and bold; letters with an accent have the width of those without, but for `i`."""


def is_alike(font: str) -> bool:
    """Whether a family has the widths of Helvetica."""
    return font.lower() in _SANS


def is_serif(font: str) -> bool:
    """Whether a family has the widths of Times."""
    return font.lower() in _SERIF


def is_rare(letter: str) -> bool:
    """Whether a letter is of none of the scripts that fonts like Helvetica have."""
    code = ord(letter)
    return 0x590 <= code < 0x1D00 or code >= 0x2E80


def families(font: str) -> str:
    """A family with those that stand in for it, as CSS has them."""
    if not font:
        return FAMILY
    rest = (SERIF if is_serif(font) else FAMILY).split(",")
    return ",".join((font, *(name for name in rest if name.lower() != font.lower())))


@lru_cache(maxsize=20_000)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width in points of one line."""
    return sum(advance(character, bold) for character in text) * size / 1000


def own_width(text: str, size: float, bold: bool, font: str) -> float:
    """How wide a text is in a family: as laid out, but for Times, in which it is shorter."""
    if not is_serif(font):
        return text_width(text, size, bold)
    table = _SERIF_BOLD if bold else _SERIF_REGULAR
    known = (table[ord(c) - 32] if 32 <= ord(c) < 127 else advance(c, bold) for c in text)
    return sum(known) * size / 1000


def shorten(text: str, size: float, width: float, bold: bool = False) -> str:
    """The text, or as much of it as fits, with dots for the rest."""
    if text_width(text, size, bold) <= width:
        return text
    while text and text_width(text + "...", size, bold) > width:
        text = text[:-1]
    return text.rstrip() + "..."


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Lines of whole words that fit; a word that is wider stands alone."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@lru_cache(maxsize=2_000)
def advance(character: str, bold: bool = False) -> int:
    """Thousandths of the font size; letters out of the tables count as wide ones."""
    code = ord(character)
    if 32 <= code < 127:
        return (_BOLD if bold else _REGULAR)[code - 32]
    if character in _OTHERS:
        return _OTHERS[character][bold]
    plain = normalize("NFD", character)[0]
    return advance(plain, bold) if plain.isascii() and plain.isalpha() else _unknown(code)


def _unknown(code: int) -> int:
    return 667 if code < 0x250 else 1000
