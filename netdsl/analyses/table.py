"""A summary as text: a table, or two lines a layer where that is narrower; open sizes by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netdsl.ir.dim import Atom, Dim, Size, symbol, symbols
from netdsl.ir.factors import composed, renamed, shown

TITLES = ("path", "layer", "output", "neurons", "connections", "parameters", "multiply-adds",
          "receptive field")  # fmt: skip
NUMBERS = range(3, 7)
"""Columns that are numbers."""
LAYER = TITLES.index("layer")
WIDTH = 112
"""Letters of a line of a summary of open sizes, where no terminal says another width."""
MAX_FORMULA = 40
"""Longer formulas are cut in tables for people."""
SHORT = 8
"""Letters of a formula that stands for itself."""


class SizeNames:
    """Names for the floors and maxima in the sizes of a summary: `H1` for `floor((H + 1)/2)`.

    The same formula of another symbol has the same number: `W1`.
    """

    def __init__(self, sizes: Iterable[Size], counts: Iterable[Size] = ()) -> None:
        """Of `counts`, what is needed to write them in a table at all has names, too."""
        shown_sizes = list(sizes)
        self._names: dict[Atom, Dim] = {}
        self._lines: dict[str, list[str]] = {}
        used = {name for size in shown_sizes for name in symbols(size)}
        for size in shown_sizes:
            self._add_all(size, used)
        for count in counts:
            atoms = [atom for atom in composed(count) if atom not in self._names]
            short = self._names | {atom: symbol(f"_{n}") for n, atom in enumerate(atoms)}
            if isinstance(count, Dim) and len(self.text(count)) > MAX_FORMULA >= len(
                shown(count, short)
            ):
                self._add_all(count, used)

    def text(self, size: Size) -> str:
        """A formula by these names, as a product where that is shorter."""
        return shown(size, self._names) if isinstance(size, Dim) else str(size)

    def _add_all(self, size: Size, used: set[str]) -> None:
        for atom in sorted(composed(size), key=lambda atom: atom.key):
            if atom not in self._names and len(atom.key) > SHORT:
                self._add(atom, used)

    def __call__(self, size: Size) -> Size:
        """The size with names in place of formulas."""
        return renamed(size, self._names)

    def _add(self, atom: Atom, used: set[str]) -> None:
        size = Dim(0, (((atom,), 1),))
        own, text = sorted(set(symbols(size))), str(size)
        pattern = _pattern(text, own[0]) if len(own) == 1 else text
        number = list(self._lines).index(pattern) + 1 if pattern in self._lines else 0
        number = number or len(self._lines) + 1
        name = f"{own[0] if len(own) == 1 else 'n'}{number}"
        while name in used:
            name += "_"
        used.add(name)
        line = self._lines.setdefault(pattern, [])
        line.append(name if line else f"{name} = {text}")
        self._names[atom] = symbol(name)

    def legend(self) -> str:
        """`H1 = floor((H + 1)/2), W1 likewise; ...`."""
        return "; ".join(
            first + (f", {' and '.join(rest)} likewise" if rest else "")
            for first, *rest in self._lines.values()
        )


def _pattern(text: str, own: str) -> str:
    """A formula without the name of its one symbol."""
    parts: list[str] = []
    word = ""
    for letter in [*text, ""]:
        if letter and (letter.isalnum() or letter == "_"):
            word += letter
            continue
        parts.append("#" if word == own else word)
        parts.append(letter)
        word = ""
    return "".join(parts)


def one_line_each(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each row, in columns."""
    table = [TITLES, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(
            f"{cell:>{width}}" if index in NUMBERS else f"{cell:<{width}}"
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()


def two_lines_each(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Path, layer and output, and the other columns below."""
    columns = range(NUMBERS[0], len(TITLES))
    table = [TITLES, *rows]
    widths = {i: max(len(cells[i]) for cells in table) for i in columns}
    for cells in table:
        yield "  ".join(filter(None, cells[: NUMBERS[0]]))
        below = (
            f"{cells[i]:>{widths[i]}}" if i in NUMBERS else f"{cells[i]:<{widths[i]}}"
            for i in columns
        )
        yield "  ".join(["", *below]).rstrip()
