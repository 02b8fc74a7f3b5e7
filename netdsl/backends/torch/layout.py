"""Python expressions with holes, laid out as ruff and black do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from netdsl.backends.torch.texts import quoted
from netdsl.ir.formula import Formula

WIDTH = 88
SIGNS = (" + ", " - ", " * ")


@dataclass(frozen=True, slots=True)
class Hole:
    """A literal that may differ between instances of a class.

    `formula` says it over the block's parameters (unchecked), `name` is what a constructor
    argument for it would be called.
    """

    value: object
    formula: Formula | None
    name: str


@dataclass(frozen=True, slots=True)
class Bracket:
    """`head(items)tail`, with any brackets; `keys` are the items' keywords or empty strings.

    `broken` puts every item on a line of its own whatever the length.
    """

    head: Expr
    items: tuple[Expr, ...]
    keys: tuple[str, ...] = ()
    brackets: str = "()"
    tail: str = ""
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """Pieces written one after the other."""

    pieces: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """The constructor call of an instance of a class, whose parameters are not known yet.

    Both by number: the class among those of the source, the instance among those of the class.
    """

    module_class: int
    instance: int


Expr: TypeAlias = str | Hole | Bracket | Joined | Built


def call(head: Expr, *items: Expr, **keywords: Expr) -> Bracket:
    """`head(items, key=value)`."""
    keys = ("",) * len(items) + tuple(keywords)
    return Bracket(head, (*items, *keywords.values()), keys)


def holes(expr: Expr) -> Iterator[Hole]:
    """All holes, in the order written."""
    match expr:
        case Hole():
            yield expr
        case Bracket(head, items):
            for part in (head, *items):
                yield from holes(part)
        case Joined(pieces):
            for part in pieces:
                yield from holes(part)
        case _:
            return


def built(expr: Expr, spell: Callable[[Built], Expr]) -> Expr:
    """The expression with constructor calls spelt out."""
    match expr:
        case Built():
            return spell(expr)
        case Bracket(head, items, keys, brackets, tail, broken):
            spelt = tuple(built(item, spell) for item in items)
            return Bracket(built(head, spell), spelt, keys, brackets, tail, broken)
        case Joined(pieces):
            return Joined(tuple(built(piece, spell) for piece in pieces))
        case _:
            return expr


def fill(expr: Expr, text_of: Callable[[Hole], str]) -> Expr:
    """The expression with its holes replaced by texts."""
    match expr:
        case Hole():
            return text_of(expr)
        case Bracket(head, items, keys, brackets, tail, broken):
            head = fill(head, text_of)  # the order in which `holes` has them
            filled = tuple(fill(item, text_of) for item in items)
            return Bracket(head, filled, keys, brackets, tail, broken)
        case Joined(pieces):
            return Joined(tuple(fill(piece, text_of) for piece in pieces))
        case _:
            return expr


def flat(expr: Expr) -> str:
    """On one line; holes are `<>`."""
    match expr:
        case str():
            return expr
        case Hole():
            return "<>"
        case Built(module_class):
            return f"<{module_class}>"
        case Joined(pieces):
            return "".join(map(flat, pieces))
        case Bracket(head, items, _, brackets, tail):
            inside = ", ".join(_items(expr))
            comma = "," if brackets == "()" and len(items) == 1 and not head else ""
            return f"{flat(head)}{brackets[0]}{inside}{comma}{brackets[1]}{tail}"


def lines(
    expr: Expr, indent: int, before: str = "", after: str = "", *, within: bool = False
) -> list[str]:
    """`before expr after` at an indentation, broken where it is too long for a line.

    What stands `within` brackets needs none of its own to be broken.
    """
    margin = " " * indent
    one = f"{margin}{before}{flat(expr)}{after}"
    if not _breaks(expr) and len(one) <= WIDTH:
        return [one]
    if isinstance(expr, Joined) and len(one) > WIDTH and _terms(expr):
        return _sum(expr, indent, before, after)
    if not isinstance(expr, Bracket) or not expr.items:
        return [one]
    head = f"{margin}{before}{flat(expr.head)}{expr.brackets[0]}"
    first, calls = _chain(expr)
    if len(calls) > 1 and not within:
        inner = lines(expr, indent + 4, within=True)
        return [f"{margin}{before}(", *inner, f"{margin}){after}"]
    if len(calls) > 1:
        return [*lines(first, indent, before), *_below(calls, margin, after)]
    if calls and len(head) > WIDTH:
        return lines(first, indent, before, f"{calls[0]}{after}")
    close = f"{margin}{expr.brackets[1]}{expr.tail}{after}"
    inside = ", ".join(_items(expr))
    on_one_line = not _breaks(expr) and indent + 4 + len(inside) <= WIDTH
    if on_one_line and not _sole_tuple(expr) and not expr.tail.startswith("."):
        return [head, f"{margin}    {inside}", close]
    result = [head]
    for key, item in zip(_keys(expr), expr.items, strict=True):
        result += lines(item, indent + 4, f"{key}=" if key else "", ",", within=True)
    return [*result, close]


def _chain(expr: Bracket) -> tuple[Bracket, list[str]]:
    """`f(x).g(y).h(z)`: the first call, and the texts of those that follow."""
    calls: list[str] = []
    while isinstance(expr.head, Joined):
        first, *names = expr.head.pieces
        if not isinstance(first, Bracket):
            break
        calls.append(flat(Bracket(Joined(tuple(names)), expr.items, expr.keys, expr.brackets)))
        expr = first
    return expr, calls[::-1]


def _below(calls: Sequence[str], margin: str, after: str) -> list[str]:
    """A call a line."""
    return [f"{margin}{text}{after if text is calls[-1] else ''}" for text in calls]


def _terms(expr: Joined) -> list[tuple[str, Expr]]:
    """The operator before each term of `a + b - c`; none for fewer than three terms."""
    signs, terms = expr.pieces[1::2], expr.pieces[::2]
    if not 3 <= len(terms) == len(signs) + 1 or any(sign not in SIGNS for sign in signs):
        return []
    return list(zip(("", *(str(sign).lstrip() for sign in signs)), terms, strict=True))


def _sum(expr: Joined, indent: int, before: str, after: str) -> list[str]:
    """A term a line; in parentheses, except where brackets are around it already."""
    if after == ",":
        terms = _terms(expr)
        parts = [lines(term, indent, sign or before, within=True) for sign, term in terms]
        parts[-1][-1] += after
        return [line for part in parts for line in part]
    terms = [
        line for sign, term in _terms(expr) for line in lines(term, indent + 4, sign, within=True)
    ]
    return [f"{' ' * indent}{before}(", *terms, f"{' ' * indent}){after}"]


def _sole_tuple(expr: Bracket) -> bool:
    return expr.brackets == "()" and len(expr.items) == 1 and not expr.head


def _breaks(expr: Expr) -> bool:
    if not isinstance(expr, Bracket):
        return False
    return expr.broken or any(_breaks(item) for item in expr.items)


def _keys(expr: Bracket) -> tuple[str, ...]:
    return expr.keys or ("",) * len(expr.items)


def _items(expr: Bracket) -> list[str]:
    pairs = zip(_keys(expr), expr.items, strict=True)
    return [f"{key}={flat(item)}" if key else flat(item) for key, item in pairs]


def literal(value: object) -> str:
    """A constant as ruff writes it: double quotes, tuples with spaces."""
    match value:
        case str():
            return quoted(value)
        case tuple():
            inside = ", ".join(map(literal, value))
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        case list():
            return f"[{', '.join(map(literal, value))}]"
        case _:
            return repr(value)
