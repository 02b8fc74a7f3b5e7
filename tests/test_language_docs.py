"""docs/language.md: its table of layers is what the layers' classes say, and its networks compile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netdsl
from netdsl.ops import registry
from netdsl.reference import FAMILIES, signature

PAGE = Path(__file__).resolve().parents[1] / "docs" / "language.md"
BEGIN, END = "<!-- layers -->\n", "<!-- end of layers -->"
BLOCK = re.compile(r"^```net([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def table() -> str:
    rows = ["| family | layers |", "|---|---|"]
    for family in FAMILIES:
        ops = [op for _, op in sorted(registry().items()) if op.family == family]
        rows.append(f"| {family} | {', '.join(f'`{signature(op)}`' for op in ops)} |")
    return "\n".join(rows) + "\n"


def test_the_table_of_layers_is_current(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if request.config.getoption("--bless"):
        PAGE.write_text(before + BEGIN + table() + END + after, encoding="utf-8")
        return
    assert text == before + BEGIN + table() + END + after, "run pytest --bless"


def test_every_layer_has_a_family_of_the_table() -> None:
    assert {op.family for op in registry().values()} == set(FAMILIES)


def test_its_networks_compile() -> None:
    """Whole files as they stand; stages one by one, behind a map."""
    files = {"": 0, " stages": 0}
    for kind, block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        files[kind] += 1
        stages = block.splitlines() if kind else [""]
        for stage in stages:
            text = block
            if stage:
                text = f"net A {{\n    input x: [64, H, W]\n    output y = x -> {stage}\n}}"
            elif "net " not in block:
                text = f"{block}\nnet A {{\n    input x: [64, H, W]\n    output y = x -> {USE}\n}}"
            assert netdsl.loads(text).warnings == (), text
    assert files == {"": 3, " stages": 1}


USE = "{ a = Basic(64) -> Basic(make_divisible(100)) ; (a -> maxpool(2), a) -> Up(8) }"
"""All that the definitions of the page define, in use."""


def test_it_is_read_in_a_quarter_of_an_hour() -> None:
    """Its table of layers, of which there may be more, is to look things up in."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    words = [word for word in (before + rest.partition(END)[2]).split() if re.search(r"\w", word)]
    assert len(words) < 3160
