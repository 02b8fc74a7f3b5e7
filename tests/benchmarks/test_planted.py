"""The faults that `benchmarks/planted.py` plants: what they change stands where they look for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.planted import FAULTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_can_be_planted(name: str) -> None:
    fault = FAULTS[name]
    assert fault.now != fault.then
    assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.now) == 1
    assert all((ROOT / path).exists() for path in fault.tests)
