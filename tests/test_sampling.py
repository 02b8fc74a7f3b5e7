"""What the short run leaves out: never all cases of a test, always the same, nothing in the full run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sampling import sample, turn

ROOT = Path(__file__).resolve().parents[1]
CASES = [f"case {n}" for n in range(200)]
TESTS = """
import pytest

@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", [f"case{n}" for n in range(40)])
def test_some(name): pass

@pytest.mark.in_turn("level")
@pytest.mark.parametrize("level", ["low", "middle", "high"])
@pytest.mark.parametrize("name", [f"case{n}" for n in range(40)])
def test_turns(name, level): pass

@pytest.mark.full
def test_long(): pass

@pytest.mark.parametrize("name", ["a", "b"])
def test_all(name): pass
"""


def test_a_sample_is_about_every_nth_and_never_none() -> None:
    for every in (2, 3, 7):
        assert 0.6 < len(sample("f.py", CASES, every)) * every / len(CASES) < 1.5
    assert len(sample("f.py", CASES, 10**12)) == 1
    assert sample("f.py", CASES, 3) == sample("f.py", CASES[::-1], 3) != sample("g.py", CASES, 3)


def test_a_new_case_changes_no_other() -> None:
    before = sample("f.py", CASES, 4)
    assert sample("f.py", ["new", *CASES], 4) - {"new"} == before


def test_all_values_have_their_turn() -> None:
    assert {turn("f.py", case, 4) for case in CASES} == {0, 1, 2, 3}


def test_the_sample_is_the_same_on_every_machine() -> None:
    """Worked out by another program: `python3 -c "import zlib; print(zlib.crc32(b'f.py case 3'))"`."""
    assert turn("f.py", "case 3", 1000) == 266


@pytest.mark.parametrize("full", ["", "1"])
def test_what_runs(full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETDSL_FULL", full)
    (tmp_path / "test_it.py").write_text(TESTS)
    asked = [
        sys.executable,
        "-m",
        "pytest",
        str(tmp_path),
        "--collect-only",
        "-q",
        "-p",
        "tests.sampling",
    ]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    found = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    of = {
        name: [f for f in found if f.startswith(f"test_{name}")]
        for name in ("some", "turns", "long", "all")
    }
    assert len(of["all"]) == 2
    if full:
        assert [len(of[name]) for name in ("some", "turns", "long")] == [40, 120, 1]
        return
    assert of["long"] == []
    assert 2 < len(of["some"]) < 20
    assert len(of["turns"]) == 40
    names = [name.partition("[")[2].split("-") for name in of["turns"]]
    assert len({case for case, _ in names}) == 40
    assert {level.strip("]") for _, level in names} == {"low", "middle", "high"}
