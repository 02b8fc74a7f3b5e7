"""Goldens: texts in tests/goldens that are compared whole; `pytest --bless` rewrites them."""

from __future__ import annotations

from collections.abc import Callable
from difflib import unified_diff
from itertools import islice
from pathlib import Path

import pytest

GOLDENS = Path(__file__).parent / "goldens"
SHOWN_LINES = 80


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="rewrite the texts in tests/goldens")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)` fails, with a diff, where tests/goldens/name does not hold the text."""
    bless = request.config.getoption("--bless")

    def check(name: str, text: str) -> None:
        path = GOLDENS / name
        if bless:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        if not path.exists():
            pytest.fail(f"there is no {path.name} yet; `pytest --bless` writes it", pytrace=False)
        kept = path.read_text(encoding="utf-8")
        if kept != text:
            lines = unified_diff(
                kept.splitlines(), text.splitlines(), "golden", "now", lineterm="", n=2
            )
            diff = "\n".join(islice(lines, SHOWN_LINES))
            pytest.fail(f"{path.name} differs (`pytest --bless` accepts):\n{diff}", pytrace=False)

    return check
