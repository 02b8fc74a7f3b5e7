"""`netdsl layers`: the reference of every layer and block, and docs/layers.md made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netdsl.cli import main
from netdsl.diagnostics import DiagnosticError
from netdsl.elaborate.program import std_names
from netdsl.ops import registry
from netdsl.reference import FAMILIES, Example, pages

pytestmark = pytest.mark.xdist_group("reference")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def notes() -> Iterator[None]:
    """What a row costs is worked out once for all pages of all widths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Example, "note", cache(Example.note))
        yield


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["layers", *arguments])


def test_there_is_a_page_for_every_layer_and_every_definition_of_the_library() -> None:
    assert set(pages()) == set(registry()) | set(std_names())
    assert all(page.summary for page in pages().values())


def test_every_summary_stands_alone() -> None:
    """`netdsl layers NAME` shows one page: none says what it is by the page before it."""
    leaning = re.compile(
        r"(The same\b(?! numbers)|Figure|It |This |These |Also |About|As above|Another )"
    )
    assert [p.name for p in pages().values() if leaning.match(p.summary)] == []


OF_TABLES = ("BoxesOfShares", "RotaryPlaces")
"""Blocks that take or give tables, which no row has; networks that use them are tested."""


@pytest.mark.parametrize("name", sorted(set(std_names())))
def test_the_examples_of_the_library_hold(name: str) -> None:
    page = pages()[name]
    is_block = page.signature.startswith("block")
    assert bool(page.examples) == (is_block and name not in OF_TABLES)
    for example in page.examples:
        network = example.network()
        assert ", ".join(str(o.value.type) for o in network.outputs) == example.outputs
        assert not network.warnings


def test_the_page_of_a_layer() -> None:
    result = run("conv")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith("conv(channels, kernel, stride=1, padding=0, dilation=1, groups=1")
    assert "  stride        size = 1" in result.output
    row = "conv(64, 7, stride=2, padding=3): [3, 224, 224] -> [64, 112, 112]"
    # 64 * 3 * 7 * 7 + 64 learned numbers; each of 64 * 112 * 112 results takes 3 * 7 * 7 products
    cost = "9,472 parameters, 118,013,952 multiply-adds"
    assert f"{row}    # {cost}" in pages()["conv"].markdown()
    assert f"  {row}\n    # {cost}\n" in result.output


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_pages_fit_the_terminal(width: int) -> None:
    """All but example rows, which are code, and words that are longer than a line."""
    for page in pages().values():
        head, _, examples = page.text(width).partition("Examples:\n")
        for line in head.splitlines() + [x for x in examples.splitlines() if "#" in x]:
            assert len(line) <= width or len(line.strip(" |").split()) == 1, (page.name, line)


def test_a_narrow_page_has_all_that_the_wide_one_has() -> None:
    wide, narrow = (
        sorted(word for word in pages()["conv"].text(width).split() if word not in "#|")
        for width in (400, 44)
    )
    assert wide == narrow


def test_rows_that_do_not_hold_are_marked() -> None:
    assert Example("conv(8, 3)", ("[3, 8, 8]",), "[8, 6, 5]").note() == "wrong: it gives [8, 6, 6]"
    said = Example("conv(8, 3)", ("[3, 2, 8]",), "[8, 0, 6]").note()
    assert said == "wrong: the window spans 3 cells, and the padded height is 2"


def test_the_page_of_a_block_says_how_to_have_it() -> None:
    output = run("Bottleneck").output
    assert "`use std.resnet (Bottleneck)`" in output
    line = int(output.partition("line ")[2].partition(".")[0])
    text = (ROOT / "netdsl" / "std" / "resnet.net").read_text().splitlines()
    assert text[line - 1].startswith("block Bottleneck(")


def test_the_list_has_families_in_order_and_fits() -> None:
    output = run().output
    heads = [line for line in output.splitlines() if line and not line.startswith(" ")]
    assert heads[: len(FAMILIES)] == list(FAMILIES)
    assert max(map(len, output.splitlines())) <= 100


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cnov", "did you mean `conv`?"),
        ("Conv2d", "did you mean `conv`?"),
        ("mamba", "there is no layer for this yet"),
        ("Square", "write `pow(2)`"),
        ("space_to_depth", "`use std.depth (SpaceToDepth)`"),
        ("botleneck", "did you mean `Bottleneck`"),
        ("qqqqqq", "`netdsl layers` lists all"),
    ],
)
def test_an_unknown_name(name: str, said: str) -> None:
    result = run(name)
    assert result.exit_code == 2
    assert said in result.output


def test_a_wrong_row_is_found() -> None:
    with pytest.raises(DiagnosticError):
        Example("conv(8, 9)", ("[3, 8, 8]",), "[8, 0, 0]").network()


def test_the_page_in_the_docs_is_current(request: pytest.FixtureRequest) -> None:
    result = run("--all")
    assert result.exit_code == 0, result.output
    made = result.output
    path = ROOT / "docs" / "layers.md"
    if request.config.getoption("--bless"):
        path.write_text(made, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == made
