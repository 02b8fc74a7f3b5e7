"""How many lines the pictures may take: a number that only falls."""

from __future__ import annotations

from pathlib import Path

import netdsl.backends.diagram

MOST = 20_430
"""Lines of Python. A change that needs more makes room elsewhere; one that needs less lowers it."""
SLACK = 250
"""How far below the number the code may be before the number has to follow."""


def lines(folder: Path) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob("*.py"))


def test_the_pictures_take_no_more_lines_than_before() -> None:
    (folder,) = map(Path, netdsl.backends.diagram.__path__)
    found = lines(folder)
    assert found <= MOST, f"{found - MOST:,} lines too many: make room before adding more"
    assert found > MOST - SLACK, f"lower the number to {found:,}"


def test_lines_are_counted_in_all_folders(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.py").write_text("a = 1\n\nb = 2\n")
    (tmp_path / "inner" / "b.py").write_text("c = 3\n")
    (tmp_path / "inner" / "c.js").write_text("not counted\n")
    assert lines(tmp_path) == 4
