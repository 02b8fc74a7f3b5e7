"""docs/mistakes.md shows what the compiler says of each of its texts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netdsl
from netdsl.diagnostics.render import render_text

PAGE = Path(__file__).resolve().parents[1] / "docs" / "mistakes.md"
ENTRY = re.compile(r"```net\n(.*?)```\n\n```text\n(.*?)```\n", re.DOTALL)
ENTRIES = [(m[1], m[2]) for m in ENTRY.finditer(PAGE.read_text(encoding="utf-8"))]


def said(text: str) -> str:
    """What the compiler says of a text, as a terminal of 100 columns shows it."""
    try:
        found = netdsl.loads(text, name="a.net").warnings
    except netdsl.DiagnosticError as error:
        found = error.diagnostics
    return render_text(found, width=100) + "\n"


def test_there_are_thirty_three() -> None:
    assert len(ENTRIES) == 33


@pytest.mark.parametrize("number", range(1, 34))
def test_the_message_is_current(number: int, request: pytest.FixtureRequest) -> None:
    text, shown = ENTRIES[number - 1]
    message = said(text)
    assert message.strip(), "the mistake must not pass in silence"
    if request.config.getoption("--bless"):
        page = PAGE.read_text(encoding="utf-8")
        before, after = (f"```net\n{text}```\n\n```text\n{m}```\n" for m in (shown, message))
        assert page.count(before) == 1
        PAGE.write_text(page.replace(before, after), encoding="utf-8")
        return
    assert shown == message
