"""Plants old faults into a copy of the compiler, one by one, and sees the tests' generators find them.

    python benchmarks/planted.py            all of them
    python benchmarks/planted.py guard      these alone

Each fault was in the compiler once. The tests named beside it draw their cases at random; they run
as they do in `make test`, on the copy. A fault that none of them finds is an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("netdsl", "grammar", "tests", "examples", "benchmarks", "docs", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Fault:
    """An old fault: in which file, what stands there now, what stood there, who must find it."""

    file: str
    now: str
    then: str
    tests: tuple[str, ...]


FAULTS = {
    "one module for all ranks": Fault(
        "netdsl/elaborate/sharing.py",
        'return "" if alike else _other_module(pattern, other)',
        'return ""',
        ("tests/test_legal_networks.py",),
    ),
    "a factor becomes a size": Fault(
        "netdsl/ops/resample.py",
        "if any(f is not None and f.denominator > 1 for f in self._steps(rank)):",
        "if False:",
        ("tests/test_legal_networks.py", "tests/ops/test_differential.py"),
    ),
    "a comment ends its docstring": Fault(
        "netdsl/backends/torch/texts.py",
        '        after = " " if re.search(r\'(^|[^\\\\])(\\\\\\\\)*"$\', first) else ""  # not for an escaped one',
        '        after = ""',
        ("tests/test_legal_networks.py",),
    ),
    "the first input alone is guarded": Fault(
        "netdsl/backends/onnx/guard.py",
        "return [_looked_at(holds, x, index) for x in inputs]",
        "return [_looked_at(holds, inputs[0], index), *inputs[1:]]",
        ("tests/backends/onnx/test_guard.py",),
    ),
    "merges as nests of calls": Fault(
        "netdsl/backends/torch/calls.py",
        "return call(target, *self.inputs) if count == 2 else self._stacked(FOLDED[target])",
        'return __import__("functools").reduce(lambda a, b: call(target, a, b), self.inputs)',
        ("tests/test_legal_networks.py", "tests/backends/torch/test_random_networks.py"),
    ),
}


def copied(folder: Path) -> None:
    """The compiler and its tests."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)


def plant(fault: Fault, folder: Path) -> None:
    path = folder / fault.file
    text = path.read_text()
    assert text.count(fault.now) == 1, f"{fault.file} has changed: renew the fault"
    path.write_text(text.replace(fault.now, fault.then))


def outcome(tests: Sequence[str], fault: Fault | None = None) -> tuple[int, str]:
    """The exit code of the tests in a copy, and the first that fails or the last line."""
    with tempfile.TemporaryDirectory(prefix="planted") as place:
        copied(Path(place))
        if fault is not None:
            plant(fault, Path(place))
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", *tests],
            cwd=place,
            env={**os.environ, "PYTHONPATH": place, "NETDSL_FULL": ""},
            capture_output=True,
            text=True,
        )
    lines = ran.stdout.splitlines()
    failed = [line for line in lines if line.startswith("FAILED")]
    return ran.returncode, (failed or lines or [ran.stderr])[-1 if not failed else 0]


def main(names: list[str]) -> int:
    wanted = {n: f for n, f in FAULTS.items() if not names or any(part in n for part in names)}
    tests = sorted({test for fault in wanted.values() for test in fault.tests})
    control, said = outcome(tests)
    print(f"without a fault: {'pass' if control == 0 else said}", flush=True)
    found = 0
    for name, fault in wanted.items():
        code, said = outcome(fault.tests, fault)
        is_found = code == 1 and said.startswith("FAILED")
        found += is_found
        print(f"{'found ' if is_found else 'MISSED'}  {name}: {said}", flush=True)
    print(f"{found} of {len(wanted)} planted faults found")
    return 0 if control == 0 and found == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
