"""The table of docs/serving.md: which examples PyTorch exports at all sizes of their contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from netdsl.backends.onnx.options import ExportError
from netdsl.backends.program.tracing import RefusedSizes
from tests.examples import NAMES, network, slim

torch = pytest.importorskip("torch")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "serving.md"
BEGIN, END = "<!-- programs -->\n", "<!-- end of programs -->"
HEAD = "| example | sizes | `.pt2` |\n|---|---|---|\n"
LONGEST = 90
ALL = "all"


def outcomes(name: str, folder: Path) -> list[str]:
    """`all` where every size of the contract goes through, else what PyTorch says, line by line.

    The order in which it says it is not fixed, so the page may have any of these.
    """
    path = folder / f"{name}.pt2"
    try:
        slim(name).export_program(path)
    except ExportError as error:
        assert not list(folder.iterdir())
        return [f"refused: `{shortly(line)}`" for line in reasons(error)]
    needs_nothing_of_ours(path)
    return [ALL]


def reasons(error: ExportError) -> Sequence[str]:
    """The conditions that some sizes do not meet; else where it fails first, or why."""
    if isinstance(error, RefusedSizes):
        return error.guards
    first, *rest = str(error).splitlines()
    return [rest[0].strip() if first.endswith(":") else first.partition(": ")[2]]


def shortly(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def needs_nothing_of_ours(path: Path) -> None:
    """What is loaded has no part of the generated source."""
    program = torch.export.load(path)
    assert all("netdsl" not in str(node.target) for node in program.graph.nodes)


def row(name: str, result: str) -> str:
    return f"| `{name}` | {network(name).sizes} | {result} |\n"


def rows() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].removeprefix(HEAD).splitlines(keepends=True)


def bless(name: str, line: str) -> None:
    """Put a row into the page."""
    kept = {one.split("`")[1]: one for one in rows()}
    table = "".join(line for _, line in sorted({**kept, name: line}.items()))
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{HEAD}{table}{END}{rest.partition(END)[2]}", encoding="utf-8")


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_the_table_is_current(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    lines = [row(name, result) for result in outcomes(name, tmp_path)]
    if request.config.getoption("--bless") and not set(lines) & set(rows()):
        bless(name, lines[0])
    assert len(set(lines) & set(rows())) == 1, "run pytest --bless"


def test_every_example_has_a_row() -> None:
    assert [line.split("`")[1] for line in rows()] == NAMES
