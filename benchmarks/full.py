"""The full tests in parts that each end within half an hour on two cores, and that resume.

    python benchmarks/full.py                  all parts that did not yet pass for this very tree
    python benchmarks/full.py --seconds 1500   begins no part after that time; the next call goes on
    python benchmarks/full.py --list           the parts, and what came of each
    python benchmarks/full.py --only ir ops-1   these parts alone

What came of each part is in benchmarks/results/test_full.json as soon as it ended. A part counts
for the tree that it ran in: all files as they are, committed or not, and the versions of Python,
PyTorch and ONNX Runtime. The exit code is 0 if every part passed, 1 if one failed, was stopped at
its limit or ran no test, and 3 if some are still to be run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from netdsl.files import write_whole  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
OURS = ("test_full.json", "test_full.txt", "fuzz.json", "fuzz.txt")
"""Results that the parts themselves write: they are no part of the tree."""
FULL = {"NETDSL_FULL": "1", "NETDSL_RANDOM_NETWORKS": "2000", "NETDSL_PROPERTIES": "6000"}
WORKERS = 2
LIMIT = 1800.0
LEFT = 3
GUARD = """
import os, signal, subprocess, sys, threading
def end():
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=end, daemon=True).start()
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.exit(subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL))
"""
"""Runs a command in a session of its own, and ends it all when whoever started it is gone.

A run in the background ignores interrupts, and what it starts would inherit that: tests that
interrupt themselves need the default."""


@dataclass(frozen=True, slots=True)
class Part:
    """Tests of some paths, one of several shards of them, or random cases up to a count."""

    name: str
    paths: tuple[str, ...] = ()
    shard: str = ""
    fuzz: str = ""
    first: int = 0
    count: int = 0

    def command(self, key: str, report: Path) -> list[str]:
        if self.fuzz:
            script = str(ROOT / "benchmarks" / "fuzz.py")
            given = ["--count", str(self.count), "--tree", key, "--processes", "2"]
            return [sys.executable, script, self.fuzz, *given]
        shard = ["--shard", self.shard] if self.shard else []
        given = ["-n", str(WORKERS), "--dist", "loadgroup", f"--junitxml={report}", *shard]
        return [sys.executable, "-m", "pytest", *self.paths, *given]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a part; `status` is `passed`, `failed`, `stopped` or `nothing`."""

    status: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


def shards(name: str, count: int, *paths: str) -> list[Part]:
    """A part for each shard of the tests in some paths."""
    if count == 1:
        return [Part(name, paths)]
    return [Part(f"{name}-{i + 1}", paths, f"{i}/{count}") for i in range(count)]


def slices(kind: str, count: int, total: int) -> list[Part]:
    """Parts that each take random cases further, the last to the total."""
    ends = [total * i // count for i in range(count + 1)]
    return [
        Part(f"fuzz-{kind}-{i + 1}", fuzz=kind, first=ends[i], count=ends[i + 1])
        for i in range(count)
    ]


PARTS = (
    *shards("top", 4, *(f"tests/test_{name}.py" for name in (
        "any_size_docs", "architecture", "coverage", "diagrams_docs", "docs_commands", "graph_builder",
        "graph_builder_mistakes", "hostile", "hostile_names", "howto", "images", "images_docs", "import_docs",
        "language_docs", "legal_networks", "photographs_docs",
        "mistakes", "odd_texts", "packaging", "plugin_answers", "plugin_facts", "plugin_faults",
        "plugin_packages", "plugins", "python_pages", "readme", "sampling", "tiers", "tutorial",
    ))),
    *shards("front", 1, "tests/syntax", "tests/elaborate", "tests/lints",
            "tests/diagnostics"),
    *shards("passes", 4, "tests/passes"),
    *shards("cli", 1, "tests/cli"),
    *shards("analyses", 1, "tests/analyses"),
    *shards("explain", 2, "tests/explain"),
    *shards("see", 1, "tests/see", "tests/learn"),
    *shards("ir", 1, "tests/ir"),
    *shards("ops", 4, "tests/ops"),
    *shards("examples", 8, "tests/examples"),
    *shards("torch", 4, "tests/backends/torch"),
    *shards("weights", 1, "tests/backends/weights"),
    *shards("serving", 1, "tests/backends/serving"),
    *shards("programs", 2, "tests/backends/program"),
    *shards("importers", 2, "tests/importers"),
    *shards("onnx", 6, "tests/backends/onnx"),
    *shards("diagram", 6, "tests/backends/diagram"),
    *shards("benchmarks", 1, "tests/benchmarks"),
    *shards("training", 1, "tests/training"),
    *slices("settings", 1, 100_000),
    *slices("networks", 3, 10_000),
    *slices("files", 4, 100_000),
    *slices("guards", 1, 1_000),
    *slices("targets", 1, 10_000),
    *slices("labels", 1, 10_000),
    *slices("names", 1, 20_000),
)  # fmt: skip


# --- which tree this is ---------------------------------------------------------------------------


def tree(root: Path = ROOT) -> str:
    """The hash that git gives all files as they are now, but for what the parts write."""
    with tempfile.TemporaryDirectory(prefix="netdsl-full") as folder:
        kept = dict(os.environ, GIT_INDEX_FILE=str(Path(folder) / "index"))

        def git(*command: str) -> str:
            done = subprocess.run(
                ["git", *command], cwd=root, env=kept, capture_output=True, text=True
            )
            if done.returncode:
                sys.exit(f"git {command[0]}: {done.stderr.strip()}")
            return done.stdout.strip()

        git("add", "--all", ".")
        ours = [f"benchmarks/results/{name}" for name in OURS]
        git("rm", "--quiet", "--cached", "--ignore-unmatch", *ours)
        return git("write-tree")


def key_of(tree: str) -> dict[str, str]:
    """All that a part's outcome holds for."""
    key = {"tree": tree, "python": platform.python_version()}
    for package in ("torch", "onnxruntime"):
        with suppress(PackageNotFoundError):
            key[package] = version(package)
    return key


# --- the state -----------------------------------------------------------------------------------


class State:
    """What came of the parts for one key, written whole after each."""

    def __init__(self, folder: Path, key: dict[str, str], parts: Sequence[Part]) -> None:
        self.json, self.text = folder / "test_full.json", folder / "test_full.txt"
        self.key, self.parts = key, parts
        self.found: dict[str, Outcome] = {}
        if self.json.exists():
            data = json.loads(self.json.read_text(encoding="utf-8"))
            if data["key"] == key:
                names = {part.name for part in parts}
                kept = {n: Outcome(**o) for n, o in data["parts"].items() if n in names}
                self.found = kept

    def keep(self, name: str, outcome: Outcome) -> None:
        self.found[name] = outcome
        parts = {name: asdict(outcome) for name, outcome in self.found.items()}
        data = {"key": self.key, "complete": not self.left(), "parts": parts}
        self.json.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.json, json.dumps(data, indent=1) + "\n")
        write_whole(self.text, self.table() + "\n")

    def left(self) -> list[Part]:
        """The parts that did not pass yet, first those that were never run."""
        none = Outcome("left")
        left = [p for p in self.parts if self.found.get(p.name, none).status != "passed"]
        return sorted(left, key=lambda part: part.name in self.found)

    def table(self) -> str:
        rows = [(p.name, self.found.get(p.name, Outcome("left"))) for p in self.parts]
        lines = [
            f"{name:16} {o.status:8} {o.passed:7,} passed {o.failed:4,} failed "
            f"{o.skipped:4,} skipped {o.seconds:7,.0f} s"
            for name, o in rows
        ]
        found = [o for _, o in rows if o.status != "left"]
        passed, failed = sum(o.passed for o in found), sum(o.failed for o in found)
        skipped, seconds = sum(o.skipped for o in found), sum(o.seconds for o in found)
        lines.append(
            f"{len(self.parts) - len(self.left())} of {len(self.parts)} parts passed: {passed:,} "
            f"passed, {failed:,} failed, {skipped:,} skipped, {seconds:,.0f} s"
        )
        return "\n".join([*lines, ", ".join(f"{k} {v}" for k, v in self.key.items())])


# --- running -------------------------------------------------------------------------------------


def run(part: Part, key: str, limit: float) -> Outcome:
    """Run a part to its end or its limit."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="netdsl-full") as folder:
        report = Path(folder) / "report.xml"
        code = call(part.command(key, report), limit)
        seconds = round(time.monotonic() - start, 1)
        passed, failed, skipped = _fuzzed(part) if part.fuzz else _counts(report)
    if code is None:
        return Outcome("stopped", passed, failed, skipped, seconds)
    if code == 5 or (code == 0 and passed == 0):  # pytest's word for no tests
        return Outcome("nothing", passed, failed, skipped, seconds)
    status = "passed" if code == 0 and failed == 0 else "failed"
    return Outcome(status, passed, failed, skipped, seconds)


def call(command: list[str], limit: float) -> int | None:
    """The exit code of a command, None where it outlasts the limit; it leaves no process."""
    process = subprocess.Popen(
        [sys.executable, "-c", GUARD, *command],
        cwd=ROOT,
        env=os.environ | FULL,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _counts(report: Path) -> tuple[int, int, int]:
    """Tests that passed, failed and were skipped, as pytest's report has them."""
    if not report.exists():
        return 0, 0, 0
    total = failed = skipped = 0
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total - failed - skipped, failed, skipped


def _fuzzed(part: Part) -> tuple[int, int, int]:
    """Random cases of a slice that went well up to now, and all faults of their kind."""
    state = RESULTS / "fuzz.json"
    kinds: dict[str, Any] = json.loads(state.read_text()) if state.exists() else {}
    mine = kinds.get(part.fuzz, {})
    failed = mine.get("found", {}).get("FAULT", 0)
    done = min(mine.get("done", 0), part.count) - part.first
    return max(0, done - failed), failed, 0


def main(
    parts: Sequence[Part] = PARTS,
    results: Path = RESULTS,
    given: Sequence[str] | None = None,
    key: str = "",
) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--list", action="store_true", help="the parts, and what came of each")
    parser.add_argument("--only", nargs="+", metavar="PART", choices=[p.name for p in parts])
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin none after that")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for each part")
    options = parser.parse_args(given)
    start = time.monotonic()
    key = key or tree()
    state = State(results, key_of(key), parts)
    if not options.list:
        for part in state.left():
            if options.only and part.name not in options.only:
                continue
            if time.monotonic() - start > options.seconds:
                break
            print(f"--- {part.name}", flush=True)
            state.keep(part.name, run(part, " ".join(state.key.values()), options.limit))
    print(state.table())
    if any(outcome.status != "passed" for outcome in state.found.values()):
        return 1
    return LEFT if state.left() else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
