"""docs/walkthrough.md: every block runs, in order, and prints what follows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "walkthrough.md"
PICTURE = ROOT / "docs" / "walkthrough.svg"
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```(?:text|python generated)\n.*?```\n)?", re.DOTALL)


def printed(code: str, names: dict[str, Any]) -> str:
    """What a block prints, in the names that the blocks before it left."""
    out = StringIO()
    with redirect_stdout(out):
        exec(compile(code, PAGE.name, "exec"), names)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    return "\n".join(lines).rstrip("\n") + "\n"


def parts(page: str, names: dict[str, Any]) -> Iterator[str]:
    """The page with its outputs made anew."""
    end = 0
    for block in BLOCK.finditer(page):
        yield page[end : block.start()]
        yield f"```python\n{block[1]}```\n"
        end = block.end()
        output = printed(block[1], names)
        kind = "python generated" if "import torch\n" in output else "text"
        if output.strip():
            yield f"\n```{kind}\n{output}```\n"
    yield page[end:]


def test_every_block_prints_what_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    kept = PAGE.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    made = "".join(parts(kept, names))
    picture = (tmp_path / "docs" / PICTURE.name).read_bytes()
    if request.config.getoption("--bless"):
        PAGE.write_text(made, encoding="utf-8")
        PICTURE.write_bytes(picture)
        return
    assert kept == made, "run pytest --bless"
    assert PICTURE.read_bytes() == picture


def test_the_phases_are_those_of_the_driver() -> None:
    """The blocks one by one give what `loads` gives, and call what it calls."""
    import netdsl
    from netdsl.ir.printer import graph_text

    names: dict[str, Any] = {}
    page = PAGE.read_text(encoding="utf-8")
    (text,) = re.findall(r'^text = """\\\n(.*?)"""$', page, re.DOTALL | re.MULTILINE)
    whole = netdsl.loads(text, name="tiny.net")
    for block in BLOCK.findall(page.partition("## 7.")[0]):
        printed(block, names)
    assert graph_text(names["graph"]) == graph_text(whole.graph)
    assert tuple(names["sink"].diagnostics) == whole.warnings == ()
    driver = (ROOT / "netdsl" / "driver.py").read_text(encoding="utf-8")
    for phase in ("load_program(", "elaborate(", "check_contract(", "lint(Subject("):
        assert phase in driver, phase
        assert phase in page, phase
