"""Numbers and sizes on the command line: plain digits, within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

from netdsl.elaborate.nets import MAX_SIZE

MOST_COLUMNS = 10_000
DIGITS = re.compile(r"[0-9]{1,12}")
WHOLE = re.compile(r"-?[0-9]{1,40}")
RANGE = re.compile(r"([0-9]{1,12})\.\.([0-9]{1,12})(?::([0-9]{1,12}))?")

T = TypeVar("T")


class Whole(click.IntRange):
    """A whole number in plain digits: `1_000`, ` 5`, `+5` and digits of other scripts are none."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not WHOLE.fullmatch(str(value)):
            self.fail(f"`{value}` is not a whole number in plain digits", param, ctx)
        return super().convert(value, param, ctx)


def once(pairs: Iterable[tuple[str, T]], option: str) -> dict[str, T]:
    """Pairs by name; a name given twice leaves open which one was meant."""
    values: dict[str, T] = {}
    for name, value in pairs:
        if name in values:
            raise click.BadParameter(f"{name} is given twice", param_hint=option)
        values[name] = value
    return values


def sizes_given(texts: Sequence[str], option: str) -> dict[str, int]:
    """`H=224,W=224` as numbers by symbol."""
    pairs = [pair for text in texts for pair in text.split(",")]
    return {name: _size(name, text, option) for name, text in _named(pairs, option).items()}


def pair_given(text: str | None, option: str) -> tuple[int, int] | None:
    """`224x160` as height and width."""
    if text is None:
        return None
    height, mark, width = text.partition("x")
    if not mark or not DIGITS.fullmatch(height) or not DIGITS.fullmatch(width):
        raise _bad(f"`{text}` is not HEIGHTxWIDTH, in plain digits", option)
    return _size("the height", height, option), _size("the width", width, option)


def two_sizes_given(
    texts: Sequence[str], option: str
) -> tuple[dict[str, int], dict[str, int] | None]:
    """The sizes of an option that may be given for two sets: a name that comes again begins one."""
    sets: list[dict[str, int]] = [{}]
    for text in texts:
        sizes = sizes_given([text], option)
        if sizes.keys() & sets[-1].keys():
            sets.append({})
        sets[-1] |= sizes
    if len(sets) > 2:
        raise _bad("two sizes are compared, not more", option)
    return sets[0], sets[1] if len(sets) == 2 else None


def batches_given(text: str | None, option: str) -> list[int]:
    """`1,3` as numbers of samples; none where nothing is given."""
    return [] if text is None else [_batch(n.strip(), option) for n in text.split(",")]


def _batch(number: str, option: str) -> int:
    if not DIGITS.fullmatch(number) or not 1 <= int(number) <= MAX_SIZE:
        raise _bad(f"`{number}` is no batch size, which lies between 1 and 2**31", option)
    return int(number)


def range_given(text: str, symbols: Sequence[str], option: str) -> list[dict[str, int]]:
    """The sizes that `H=64..129:16,W=64` goes through; a symbol left out moves with the first.

    As in the language, the end of a range is not in it.
    """
    fixed: dict[str, int] = {}
    ranges: dict[str, range] = {}
    for name, number in _named(text.split(","), option).items():
        if name not in symbols:
            names = ", ".join(symbols)
            raise _bad(f"there is no size symbol {name}; there are: {names}", option)
        match = RANGE.fullmatch(number)
        if match is None:
            fixed[name] = _size(name, number, option)
        else:
            ranges[name] = _range(name, match, option)
    if len(ranges) != 1:
        raise _bad("one symbol has a range: `H=64..129:16,W=64`", option)
    (numbers,) = ranges.values()
    return [{name: fixed.get(name, number) for name in symbols} for number in numbers]


def _range(name: str, match: re.Match[str], option: str) -> range:
    start, stop = (_size(name, part, option) for part in match.groups()[:2])
    step = int(match[3] or 1)
    if step < 1:
        raise _bad("the step of a range is at least 1", option)
    numbers = range(start, stop, step)
    if not 0 < len(numbers) <= MOST_COLUMNS:
        raise _bad(
            f"`{name}={match[0]}` has {len(numbers):,} sizes, and a table has 1 to "
            f"{MOST_COLUMNS:,}; the end of a range is not in it",
            option,
        )
    return numbers


def _named(pairs: Iterable[str], option: str) -> Mapping[str, str]:
    return once((_pair(pair, option) for pair in pairs), option)


def _pair(pair: str, option: str) -> tuple[str, str]:
    name, _, value = (part.strip() for part in pair.partition("="))
    if not name.isidentifier():
        raise _bad(f"`{pair}` is not SYMBOL=NUMBER", option)
    return name, value


def _size(name: str, number: str, option: str) -> int:
    if not DIGITS.fullmatch(number):
        raise _bad(f"`{name}={number}` is not SYMBOL=NUMBER, in plain digits", option)
    if not 1 <= int(number) <= MAX_SIZE:
        raise _bad(f"a size lies between 1 and 2**31, and {name} is {number}", option)
    return int(number)


def _bad(message: str, option: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint=option)
