"""The pages for contributors: tables made from the test of tiers; files and terms that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_tiers import TIERS, VIEWS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
RECIPES = ROOT / "CONTRIBUTING.md"
TO_BE_MADE = {"netdsl/importers/", "netdsl/lints/even_kernel.py", "even-kernel.md"}
"""Files that the recipes tell to create."""
PACKAGE = ROOT / "netdsl"
WIDTH = 100
FILE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|lark|md)|(?:[\w-]+/)+)`")
DEFINED = re.compile(r"`(\w+)` in `([\w/]+\.py)`")


def job(path: Path) -> str:
    """The first line of a module's docstring."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.partition("\n")[0].removesuffix(".")


def rows(folder: Path, names: dict[str, object]) -> Iterator[tuple[str, str, object]]:
    """The packages and modules of a folder that a table names, with their jobs."""
    for name, fact in names.items():
        for shown, path in ((f"{name}/", f"{name}/__init__.py"), (f"{name}.py", f"{name}.py")):
            if (folder / path).exists():
                yield shown, job(folder / path), fact


def tiers() -> str:
    ranked = sorted(rows(PACKAGE, {**TIERS}), key=lambda row: (row[2], row[0]))
    lines = [f"| {tier} | `{name}` | {does} |" for name, does, tier in ranked]
    return "\n".join(["| tier | package | job |", "|---|---|---|", *lines]) + "\n"


def views() -> str:
    lines = [
        f"| `{name}` | {does} | {', '.join(f'`{other}/`' for other in uses)} |"
        for name, does, uses in rows(PACKAGE / "backends" / "diagram", {**VIEWS})
        if isinstance(uses, tuple)
    ]
    return "\n".join(["| view | job | may use |", "|---|---|---|", *lines]) + "\n"


def with_tables(page: str) -> str:
    """The page with its tables made anew."""
    for name, table in (("tiers", tiers()), ("views", views())):
        marked = re.compile(f"(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->\n)", re.DOTALL)
        page, count = marked.subn(lambda _, table=table: table, page)
        assert count == 1, name
    return page


def test_the_tables_are_current(request: pytest.FixtureRequest) -> None:
    page = PAGE.read_text(encoding="utf-8")
    if request.config.getoption("--bless"):
        PAGE.write_text(with_tables(page), encoding="utf-8")
        return
    assert page == with_tables(page), "run pytest --bless"


def test_every_package_has_a_tier_and_a_job() -> None:
    entries = {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists()}
    entries |= {p.stem for p in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert entries <= TIERS.keys()
    assert all(does for _, does, _ in rows(PACKAGE, {**TIERS}))


@pytest.mark.parametrize("page", [PAGE, RECIPES], ids=lambda page: page.name)
def test_lines_fit_a_screen(page: Path) -> None:
    assert [line for line in page.read_text().splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("page", [PAGE, RECIPES], ids=lambda page: page.name)
def test_every_file_and_folder_named_exists(page: Path) -> None:
    """Below the root, netdsl/ or the package that the line or the section is about."""
    known = [p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*") if ".venv" not in p.parts]
    ends = {"/" + path + ("/" if (ROOT / path).is_dir() else "") for path in known}
    named = set(FILE.findall(page.read_text(encoding="utf-8"))) - TO_BE_MADE
    assert len(named) > 40
    assert [name for name in sorted(named) if not any(e.endswith("/" + name) for e in ends)] == []


def test_terms_are_defined_where_the_glossary_says() -> None:
    found = DEFINED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(found) > 20
    for name, file in found:
        tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
        names = {n.name for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)}
        targets = [n.target for n in tree.body if isinstance(n, ast.AnnAssign)]
        assert name in names | {t.id for t in targets if isinstance(t, ast.Name)}, (name, file)
