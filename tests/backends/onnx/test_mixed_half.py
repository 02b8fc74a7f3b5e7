"""Half precision where whole numbers and sizes are cast to floats on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from netdsl.cli import main

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

TEXT = """
net Mixed {
    input x: [3, H, W]
    input m: int64 [3, H, W]
    weight w: [3, 1, 1] = 0.5
    scaled = x -> div(x.width)
    product = (scaled, m) -> mul -> add(1)
    power = m -> exp
    output chosen = (x -> greater(0.5), product, power) -> where -> sum(axis=0)
    output single = power
    output bounded = m -> mul(0.5) -> clamp(high=H)
    output weighed = (power, w) -> mul -> mean(axis=[1, 2])
    output norms = (x, m -> div(H)) -> add -> norm(axis=[1, 2])
}
"""


def test_casts_meet_half_precision(tmp_path: Path) -> None:
    (tmp_path / "mixed.net").write_text(TEXT)
    made = tmp_path / "mixed.onnx"
    call = ["export", str(tmp_path / "mixed.net"), "-o", str(made), "--fp16", "--verify"]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 0, result.output
    assert made.exists()
