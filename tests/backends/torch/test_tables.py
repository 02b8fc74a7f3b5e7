"""Tables in the source: laid out as ruff does, whatever their length, and filled as written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import netdsl

torch = pytest.importorskip("torch")


def text(count: int, times: int, kind: str, number: str) -> str:
    shape = f"[{times}, {count}]" if times > 1 else f"[{count}]"
    numbers = ", ".join([number] * count)
    return (
        f"net N {{\n input x: [4, {count}]\n weight t: {kind} {shape} = [{numbers}]\n"
        f" output y = (x, t -> reshape([{times}, {count}]) -> sum(axis=0)) -> add\n}}"
    )


def test_sources_with_tables_are_formatted(tmp_path: Path) -> None:
    """Ruff wraps a list, then breaks it into lines, and puts each call of a chain on one."""
    kinds = ["frozen", "constant", "int64", "constant int64"]
    for count in range(1, 26):
        for times in 1, 3:
            for kind in kinds:
                number = "1000003" if "int" in kind else "0.30000000000000004"
                source = netdsl.loads(text(count, times, kind, number)).torch_source()
                (tmp_path / f"{kind.split()[-1]}{count}x{times}{len(kind)}.py").write_text(source)
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[:3000] + done.stderr[:1000]


@pytest.mark.parametrize(
    ("fill", "wanted"),
    [("[3, 4]", [3, 4]), ("7..9", [7, 8]), ("5", [5, 5]), ("[2.0, 1]", [2, 1])],
)
def test_whole_numbers_of_a_table(fill: str, wanted: list[int]) -> None:
    module = netdsl.loads(
        f"net N {{ input x: int64 [2]\n weight t: int64 [2] = {fill}\noutput y = (x, t) -> add }}"
    ).torch()
    assert torch.equal(module.t, torch.tensor(wanted))
    assert torch.equal(module(torch.zeros(1, 2, dtype=torch.int64)), torch.tensor([wanted]))
