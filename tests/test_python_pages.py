"""Pages with Python: every block runs, in order, and prints what follows it."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "walkthrough.md"
API = ROOT / "docs" / "python.md"
ANY_SIZE = ROOT / "docs" / "any-size.md"
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```(?:text|python generated)\n.*?```\n)?", re.DOTALL)


def printed(code: str, names: dict[str, Any]) -> str:
    """What a block prints, run as a file, in the names that the blocks before it left."""
    Path("model.py").write_text(code, encoding="utf-8")
    linecache.checkcache()  # messages show the calls that they are about
    out = StringIO()
    with redirect_stdout(out):
        exec(compile(code, "model.py", "exec"), names)
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


@pytest.mark.parametrize("page", [PAGE, API, ANY_SIZE], ids=lambda page: page.stem)
def test_every_block_prints_what_follows_it(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    kept = page.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    made = "".join(parts(kept, names))
    if request.config.getoption("--bless"):
        page.write_text(made, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == made, "run pytest --bless"
    for picture in (tmp_path / "docs").iterdir():
        if request.config.getoption("--bless"):
            (ROOT / "docs" / picture.name).write_bytes(picture.read_bytes())
        assert (ROOT / "docs" / picture.name).read_bytes() == picture.read_bytes()


def test_the_phases_are_those_of_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks one by one give what `loads` gives, and call what it calls."""
    monkeypatch.chdir(tmp_path)
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
