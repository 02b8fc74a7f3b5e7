"""Shapes as texts that fit a drawing: long formulas of sizes get names, listed in a legend."""

from __future__ import annotations

from collections.abc import Iterable

from netdsl.ir.dim import Size
from netdsl.ir.tensor import Shape

LONGEST_FORMULA = 5
TIMES = "×"
MINUS = "\N{MINUS SIGN}"


class ShapeNames:
    """Names for the sizes of a network.

    A number and a short formula (`H/2`) stand for themselves; a longer one becomes `H1`, and the
    same formula of another symbol `W1`.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self._symbols = tuple(symbols)
        self._names: dict[str, str] = {}
        self._patterns: dict[str, int] = {}

    def size(self, size: Size) -> str:
        """A number, a formula or the name of one."""
        text = str(size)
        if isinstance(size, int) or len(text) <= LONGEST_FORMULA:
            return text
        if text not in self._names:
            self._names[text] = self._new_name(text)
        return self._names[text]

    def shape(self, shape: Shape) -> str:
        """`64×112×112`; a single number for a vector, `1` for a scalar."""
        return TIMES.join(factor(self.size(size)) for size in shape) or "1"

    def spatial(self, shape: Shape) -> str:
        """`112 × 112`: the axes after the channels; empty if there are none."""
        return self.listed(shape[1:])

    def listed(self, sizes: Iterable[Size]) -> str:
        """`112 × 112`."""
        return f" {TIMES} ".join(factor(self.size(size)) for size in sizes)

    def legend(self) -> list[str]:
        """`H1 = floor((H + 1)/2), W1 likewise`, one line a formula, in order of use.

        A formula that holds others is written with their names: `n2 = 9*H1*W1`.
        """
        lines: dict[int, list[str]] = {}
        for text, name in self._names.items():
            number = self._patterns[self._pattern(text)]
            if number in lines:
                lines[number].append(name)
            else:
                lines[number] = [f"{name} = {self._with_names(text)}"]
        return [
            first + (f", {' and '.join(rest)} likewise" if rest else "")
            for first, *rest in lines.values()
        ]

    def _with_names(self, formula: str) -> str:
        """A formula with the names of the roundings in it."""
        for text, name in sorted(self._names.items(), key=lambda entry: -len(entry[0])):
            if text != formula and _is_rounding(text):
                formula = formula.replace(text, name)
        return formula

    def _pattern(self, text: str) -> str:
        """The formula with its only symbol left out; itself where there are several."""
        symbols = [s for s in self._symbols if s in _words(text)]
        if len(symbols) != 1:
            return text
        return " ".join("?" if word == symbols[0] else word for word in _words(text))

    def _new_name(self, text: str) -> str:
        pattern = self._pattern(text)
        number = self._patterns.setdefault(pattern, len(self._patterns) + 1)
        symbols = [s for s in self._symbols if s in _words(text)]
        name = f"{symbols[0] if len(symbols) == 1 else 'n'}{number}"
        while name in self._symbols:
            name += "'"
        return name


def times(sizes: Iterable[int]) -> str:
    """`3 × 1,000 × 224`: sizes that are numbers."""
    return f" {TIMES} ".join(f"{size:,}" for size in sizes)


def plural(count: int, word: str) -> str:
    """`1 filter`, `3 filters`, `no biases`."""
    ending = "" if count == 1 else "es" if word.endswith("s") else "s"
    return f"{count:,} {word}{ending}" if count else f"no {word}{ending}"


def factor(text: str) -> str:
    """A size as it stands between others: a sum in parentheses."""
    depth = 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if not depth and at and character in "+-":
            return f"({text})"
    return text


def _is_rounding(text: str) -> bool:
    """Whether a formula is one `floor(...)`, which stands by itself wherever it is."""
    depth = 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if not depth and "(" in text[:at]:
            return text.startswith("floor(") and at == len(text) - 1
    return False


def _words(text: str) -> list[str]:
    """Names, numbers and signs of a formula."""
    words: list[str] = []
    for character in text:
        if words and character.isalnum() and words[-1][-1].isalnum():
            words[-1] += character
        elif not character.isspace():
            words.append(character)
    return words
