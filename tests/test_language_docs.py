"""The table of layers in docs/language.md says what the layers' classes say."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdsl.ops import registry
from netdsl.reference import FAMILIES, signature

PAGE = Path(__file__).resolve().parents[1] / "docs" / "language.md"
BEGIN, END = "<!-- layers -->\n", "<!-- end of layers -->"


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
