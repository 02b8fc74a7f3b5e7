"""Plants faults into a copy of the compiler, one by one, and sees the short tests find them.

    python benchmarks/planted.py            all of them
    python benchmarks/planted.py guard      these alone

The first five were in the compiler once, and the tests named beside them draw their cases at random;
the others are of kinds that have a test of their own. All run as they do in `make test`, with its
sample of the cases, on the copy. A fault that none of them finds is an error.
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
        "return self._stacked(FOLDED[target])",
        'return __import__("functools").reduce(lambda a, b: call(target, a, b), self.inputs)',
        ("tests/test_legal_networks.py", "tests/backends/torch/test_random_networks.py"),
    ),
    "a number counts as much as a value": Fault(
        "netdsl/ops/promotion.py",
        "    if low.weight < high.weight and kind_of(low.dtype) <= kind_of(high.dtype):",
        "    if False:",
        ("tests/ops/test_arithmetic.py",),
    ),
    "whole numbers are floats before they meet": Fault(
        "netdsl/ops/elementwise.py",
        "        for other, dtype in zip(values[1:], dtypes[1:], strict=True):",
        "        for other, dtype in zip(values[1:], dtypes[-1:] * len(dtypes[1:]), strict=True):",
        ("tests/ops/test_arithmetic.py",),
    ),
    "a grouped layer is drawn as a depthwise one": Fault(
        "netdsl/ops/facts.py",
        "        return self.groups > 1 and self.groups == channels",
        "        return self.groups > 1",
        ("tests/backends/diagram/test_checklist.py",),
    ),
    "a text stays where a line runs": Fault(
        "netdsl/backends/diagram/blocks/sheet.py",
        "tuple(freed(paint_row(plan.graph, plan.pens, layout, self.boxes)))",
        "tuple(paint_row(plan.graph, plan.pens, layout, self.boxes))",
        ("tests/backends/diagram/test_every_level.py",),
    ),
    "a view takes memory": Fault(
        "netdsl/analyses/memory.py",
        "            base = None if copies or storage in OF_THEIR_OWN else node.inputs[0]",
        "            base = None",
        ("tests/analyses/test_memory.py",),
    ),
    "a dilated layer sees no further": Fault(
        "netdsl/ops/axes.py",
        "        span = d * (k - 1) + 1",
        "        span = k",
        ("tests/analyses/test_receptive_field.py",),
    ),
    "heads for training cost at inference": Fault(
        "netdsl/analyses/cost.py",
        "    return _sum(map(macs, graph.inference_nodes()))",
        "    return _sum(map(macs, graph.nodes()))",
        ("tests/examples/test_torchvision.py",),
    ),
    "one size too few is taken": Fault(
        "netdsl/ops/conv.py",
        "                padded >= span,",
        "                padded > span,",
        ("tests/examples/test_every_size.py", "tests/backends/torch/test_random_networks.py"),
    ),
    "no dilation in the ONNX file": Fault(
        "netdsl/ops/conv.py",
        "            dilations=list(dilation),",
        "            dilations=[1] * rank,",
        ("tests/backends/onnx/test_layers.py",),
    ),
    "parentheses are lost": Fault(
        "netdsl/syntax/unparse_inline.py",
        'LEVELS = {"or": 1, "and": 2,',
        'LEVELS = {"or": 2, "and": 2,',
        ("tests/syntax/test_unparse.py",),
    ),
    "a link to what is read is written over": Fault(
        "netdsl/files.py",
        "            if source_status is not None and os.path.samestat(source_status, status):",
        "            if source_status is not None and str(path) == str(source):",
        ("tests/cli/test_inputs.py",),
    ),
    "a signal leaves drafts behind": Fault(
        "netdsl/__main__.py",
        "        files.drop_drafts()",
        "        pass",
        ("tests/cli/test_signals.py",),
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
