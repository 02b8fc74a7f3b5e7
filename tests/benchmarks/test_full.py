"""The runner of the full tests: what passed is kept, what did not is not taken for passed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import full, fuzz

ROOT = Path(__file__).resolve().parents[2]
DRIVER = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from benchmarks import full
from benchmarks.full import Part, main
full.WORKERS = 1
folder, names, key, *given = sys.argv[1:]
parts = [Part(n, (f"{{folder}}/test_{{n}}.py",)) for n in names.split(",")]
sys.exit(main(parts, Path(folder) / "results", given, key))
"""
LOG = "from pathlib import Path\nimport os, time, pytest\nHERE = Path(__file__).parent\n"
FAKES = {
    "good": "def test_a(): (HERE / 'good.log').open('a').write('x')\n"
    "def test_b(): pass\n@pytest.mark.skip\ndef test_c(): pass\n",
    "bad": "def test_a(): pass\ndef test_b(): assert (HERE / 'mended').exists()\n",
    "empty": "",
    "skipped": "@pytest.mark.skip\ndef test_a(): pass\n",
    "slow": "def test_a():\n    (HERE / 'slow.pid').write_text(str(os.getpid()))\n"
    "    while not (HERE / 'go').exists(): time.sleep(0.1)\n",
    "broken": "raise ValueError\n",
    "crash": "def test_a(): os._exit(0)\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FAKES.items():
        (tmp_path / f"test_{name}.py").write_text(LOG + text)
    return tmp_path


def command(folder: Path, names: str, *given: str, key: str = "one") -> list[str]:
    return [sys.executable, "-c", DRIVER, str(folder), names, key, *given]


def run(folder: Path, names: str, *given: str, key: str = "one") -> tuple[int, dict[str, Any]]:
    done = subprocess.run(command(folder, names, *given, key=key), capture_output=True)
    return done.returncode, kept(folder)


def kept(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results" / "test_full.json").read_text())


def statuses(data: dict[str, Any]) -> dict[str, str]:
    return {name: part["status"] for name, part in data["parts"].items()}


def test_what_passed_is_kept_and_not_run_again(folder: Path) -> None:
    code, data = run(folder, "good,bad")
    assert code == 1
    assert statuses(data) == {"good": "passed", "bad": "failed"}
    good, bad = data["parts"]["good"], data["parts"]["bad"]
    assert (good["passed"], good["failed"], good["skipped"]) == (2, 0, 1)
    assert (bad["passed"], bad["failed"], bad["skipped"]) == (1, 1, 0)
    assert not data["complete"]
    (folder / "mended").touch()
    code, data = run(folder, "good,bad")
    assert code == 0
    assert data["complete"]
    assert statuses(data) == {"good": "passed", "bad": "passed"}
    assert (folder / "good.log").read_text() == "x"
    assert (
        "2 of 2 parts passed: 4 passed, 0 failed"
        in (folder / "results" / "test_full.txt").read_text()
    )
    code, data = run(folder, "good", key="another tree")
    assert (folder / "good.log").read_text() == "xx"


@pytest.mark.full
def test_no_test_is_no_success(folder: Path) -> None:
    code, data = run(folder, "empty,skipped,broken,crash")
    assert code == 1
    assert statuses(data) == {
        "empty": "nothing",
        "skipped": "nothing",
        "broken": "failed",
        "crash": "failed",
    }


@pytest.mark.full
def test_a_part_ends_at_its_limit(folder: Path) -> None:
    code, data = run(folder, "slow", "--limit", "8")
    assert code == 1
    assert statuses(data) == {"slow": "stopped"}
    assert 8 <= data["parts"]["slow"]["seconds"] < 20
    _wait(lambda: not _alive(int((folder / "slow.pid").read_text())))


def test_it_resumes_after_a_kill_and_leaves_no_process(folder: Path) -> None:
    process = subprocess.Popen(command(folder, "good,slow,bad"), stdout=subprocess.DEVNULL)
    _wait((folder / "slow.pid").exists)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert statuses(kept(folder)) == {"good": "passed"}
    _wait(lambda: not _alive(int((folder / "slow.pid").read_text())))
    (folder / "go").touch()
    (folder / "mended").touch()
    code, data = run(folder, "good,slow,bad")
    assert code == 0
    assert statuses(data) == {"good": "passed", "slow": "passed", "bad": "passed"}
    assert (folder / "good.log").read_text() == "x"


def test_time_that_is_up_is_no_success(folder: Path) -> None:
    asked = command(folder, "good,bad", "--seconds", "0")
    assert subprocess.run(asked, capture_output=True).returncode == full.LEFT
    code, data = run(folder, "good,bad", "--only", "good")
    assert code == full.LEFT
    assert statuses(data) == {"good": "passed"}


def _wait(until: Any) -> None:
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_every_test_is_in_one_part() -> None:
    found: dict[Path, set[str]] = {}
    for part in full.PARTS:
        for path in part.paths:
            here = ROOT / path
            assert here.exists(), path
            files = [here] if here.is_file() else sorted(here.rglob("test_*.py"))
            for file in files:
                found.setdefault(file, set()).add(part.name.rstrip("0123456789").rstrip("-"))
    assert found.keys() == set((ROOT / "tests").rglob("test_*.py"))
    assert not [file for file, names in found.items() if len(names) > 1]
    assert len({part.name for part in full.PARTS}) == len(full.PARTS)


def test_the_shards_of_a_part_are_all_tests() -> None:
    for name in {part.name.rsplit("-", 1)[0] for part in full.PARTS if part.shard}:
        mine = [part for part in full.PARTS if part.name.rsplit("-", 1)[0] == name]
        assert [part.shard for part in mine] == [f"{i}/{len(mine)}" for i in range(len(mine))]
    tests = ROOT / "tests" / "syntax" / "test_parser.py"
    whole = _collected(tests)
    shards = [_collected(tests, "--shard", f"{i}/3") for i in range(3)]
    assert len(whole) > 3
    assert all(shards)
    assert sorted(name for shard in shards for name in shard) == sorted(whole)


def _collected(path: Path, *more: str) -> list[str]:
    asked = [sys.executable, "-m", "pytest", str(path), "--collect-only", *more]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_slices_of_random_cases_are_all_cases() -> None:
    for kind, (_, total, _) in fuzz.KINDS.items():
        mine = [part for part in full.PARTS if part.fuzz == kind]
        assert [part.first for part in mine] == [0, *(part.count for part in mine[:-1])]
        assert mine[-1].count == total


def test_a_tree_is_its_files(tmp_path: Path) -> None:
    def git(*given: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *given], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("build\n")
    git("init")
    git("add", "-A")
    git("commit", "-m", "a")
    seen = [full.tree(tmp_path)]
    for name in ("benchmarks/results/test_full.json", "benchmarks/results/fuzz.txt", "build"):
        (tmp_path / name).write_text("x")
    assert full.tree(tmp_path) == seen[0]
    (tmp_path / "new").write_text("x")
    seen.append(full.tree(tmp_path))
    git("add", "-A")
    git("commit", "-m", "b")
    assert full.tree(tmp_path) == seen[1]
    (tmp_path / "new").write_text("y")
    seen.append(full.tree(tmp_path))
    (tmp_path / "new").unlink()
    assert len(set(seen)) == 3
    assert full.tree(tmp_path) == seen[0]


def test_random_cases_go_on_for_the_same_tree_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(fuzz, "STATE", tmp_path / "fuzz.json")

    def done(tree: str) -> int:
        fuzz._begin(["settings"], tree)
        return fuzz._state()["settings"]["done"]

    assert done("one") == 0
    fuzz.run("settings", 3, 1, float("inf"))
    assert done("one") == 3
    assert sum(fuzz._state()["settings"]["found"].values()) == 3
    fuzz.run("settings", 5, 1, float("inf"))
    assert sum(fuzz._state()["settings"]["found"].values()) == 5
    assert done("two") == 0
    assert done("one") == 0
