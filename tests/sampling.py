"""Which of many cases that are alike `make test` takes, by a fixed rule; `make test-full` takes all.

    @pytest.mark.one_in(4)         of a test's cases, those whose number is a multiple of four
    @pytest.mark.in_turn("level")  for each case of the other parameters, one value of `level`
    @pytest.mark.full              none
    some(range(100), 3)            of numbers that a test walks through, every third

A case's number is the CRC-32 of its file and its name, so that it is the same on every machine and
on every day, and that the tests of one file take the same cases. One case stays at least.
Cases of one example run on one worker (`--dist loadgroup`), which makes its pictures and modules once.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar
from zlib import crc32

import pytest

Numbered = TypeVar("Numbered")
FULL = bool(os.environ.get("NETDSL_FULL"))
EXAMPLES = {path.stem for path in Path(__file__).parents[1].joinpath("examples").glob("*.net")}


def some(cases: Sequence[Numbered], every: int) -> Sequence[Numbered]:
    """Every n-th of cases that are alike, for tests that walk through them; all in the full run."""
    return cases if FULL else cases[::every]


def number(*words: str) -> int:
    """That of a case."""
    return crc32(" ".join(words).encode())


def sample(file: str, cases: Sequence[str], every: int) -> set[str]:
    """The cases whose number is a multiple of `every`, or the one with the least number."""
    return {case for case in cases if number(file, case) % every == 0} or set(
        sorted(cases, key=lambda case: number(file, case))[:1]
    )


def turn(file: str, case: str, count: int) -> int:
    """The place of the value that a case takes of `count` values."""
    return number(file, case) % count


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        example = example_of(item)
        if example and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(example))
    if FULL:
        return
    left_out = {id(item) for item in items if item.get_closest_marker("full")}
    for cases in families(items):
        left_out |= {id(item) for item in cases} - {id(item) for item in taken(cases)}
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
    items[:] = [item for item in items if id(item) not in left_out]


def families(items: Sequence[pytest.Item]) -> list[list[pytest.Function]]:
    """The cases of each test that has some."""
    found: dict[str, list[pytest.Function]] = defaultdict(list)
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            found[item.nodeid.partition("[")[0]].append(item)
    return list(found.values())


def taken(cases: list[pytest.Function]) -> list[pytest.Function]:
    """Those of a test's cases that run."""
    file = cases[0].path.name
    asked = cases[0].get_closest_marker("in_turn")
    if asked:
        cases = in_turn(file, cases, *asked.args)
    asked = cases[0].get_closest_marker("one_in")
    if asked:
        names = sample(file, [case.callspec.id for case in cases], *asked.args)
        cases = [case for case in cases if case.callspec.id in names]
    return cases


def in_turn(file: str, cases: list[pytest.Function], name: str) -> list[pytest.Function]:
    """For each case of the other parameters the one whose turn it is."""
    groups: dict[str, list[pytest.Function]] = defaultdict(list)
    for case in cases:
        others = (word(value) for key, value in case.callspec.params.items() if key != name)
        groups[" ".join(others)].append(case)
    return [group[turn(file, key, len(group))] for key, group in groups.items()]


def word(value: object) -> str:
    """A parameter's value by a name that is the same on every machine."""
    if isinstance(value, Path):
        return value.stem
    assert isinstance(value, str | int), (
        "a test whose cases take turns has parameters of plain names"
    )
    return str(value)


def example_of(item: pytest.Item) -> str | None:
    """The example that a case is about."""
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    names = (value.stem if isinstance(value, Path) else value for value in values)
    return next((name for name in names if isinstance(name, str) and name in EXAMPLES), None)
