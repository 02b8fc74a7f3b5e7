"""Unparsing: the same tree and comments again, in one layout that stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdsl.diagnostics import Sink, Source
from netdsl.syntax import ast, parse
from netdsl.syntax.unparse import unparse
from netdsl.syntax.walk import are_equal
from tests.sampling import FULL
from tests.syntax.random_trees import Trees, laid_out_anew

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "examples").glob("*.net"), *(ROOT / "netdsl/std").glob("*.net")])
ROUNDS = 40 if FULL else 4
TREES = 10_000 if FULL else 300


def tree(text: str) -> ast.File:
    sink = Sink()
    file = parse(Source("t.net", text), sink)
    assert file is not None, [str(d) for d in sink.diagnostics] + [text]
    return file


def check(text: str) -> str:
    """The canonical text of a text; the same tree, the same comments, and stable."""
    before = tree(text)
    written = unparse(before)
    after = tree(written)
    assert are_equal(before.definitions, after.definitions), written
    said = [c.text for c in before.comments]
    assert said == [c.text for c in after.comments], written
    assert unparse(after) == written
    return written


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_library_and_examples_are_formatted(path: Path) -> None:
    text = path.read_text()
    assert check(text) == text


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_odd_layouts(path: Path) -> None:
    """Spaces, lines and comments anywhere change the layout of the source, never what it says."""
    text = path.read_text()
    for seed in range(ROUNDS):
        check(laid_out_anew(text, seed))


@pytest.mark.parametrize(
    "before",
    [
        "use std.regnet (\nRegNetUnit)  # c",
        "use std.regnet (\nRegNetUnit\n)  # c",
        "use std.regnet  # c",
        "fn f(a: float) = (a +\n2\n)  # c",
        "fn f(a: float) = (a +  # b\n2\n)  # c",
        "net M { input x: [3]\noutput y = x\n}  # c",
    ],
)
@pytest.mark.parametrize("doc", ["", "# doc\n", "\n# doc\n", "# no doc\n\n"])
def test_a_comment_behind_a_definition_is_never_the_next_one_s(before: str, doc: str) -> None:
    text = check(f"{before}\n{doc}net N {{ input x: [3]\noutput y = x }}\n")
    assert tree(text).definitions[1].doc == ("doc" if doc.endswith("# doc\n") else "")  # type: ignore[union-attr]


def test_random_trees() -> None:
    """Trees made by a program, without places in a text."""
    for seed in range(TREES):
        made = Trees(seed).file()
        written = unparse(made)
        assert are_equal(made.definitions, tree(written).definitions), f"seed {seed}\n{written}"
        assert check(written) == written, f"seed {seed}"
