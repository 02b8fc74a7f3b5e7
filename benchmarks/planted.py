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


def planted(fault: Fault, folder: Path) -> None:
    """A copy of the compiler and its tests with the fault in it."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    path = folder / fault.file
    text = path.read_text()
    assert text.count(fault.now) == 1, f"{fault.file} has changed: renew the fault"
    path.write_text(text.replace(fault.now, fault.then))


def main(names: list[str]) -> int:
    wanted = {n: f for n, f in FAULTS.items() if not names or any(part in n for part in names)}
    missed = 0
    for name, fault in wanted.items():
        with tempfile.TemporaryDirectory(prefix="planted") as place:
            folder = Path(place)
            planted(fault, folder)
            command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", *fault.tests]
            found = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": place, "NETDSL_FULL": ""},
                capture_output=True,
                text=True,
            )
        said = [line for line in found.stdout.splitlines() if line.startswith("FAILED")]
        is_found = found.returncode == 1 and bool(said)
        missed += not is_found
        print(
            f"{'found ' if is_found else 'MISSED'}  {name}: {said[0] if said else found.stdout[-300:]}"
        )
    print(f"{len(wanted) - missed} of {len(wanted)} planted faults found")
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
