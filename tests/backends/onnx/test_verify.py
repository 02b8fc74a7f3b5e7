"""What `--verify` takes for equal, above all where numbers are not finite."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.cli import main

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from netdsl.backends.onnx.verify import difference  # noqa: E402

LEAST = torch.finfo(torch.float32).min


@pytest.mark.parametrize(
    ("wanted", "found", "apart"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([1.0, 2.0], [1.0, 1.0], 0.5),
        ([nan, 2.0], [nan, 2.0], 0),
        ([nan, 2.0], [1.0, 2.0], inf),
        ([1.0, 2.0], [nan, 2.0], inf),
        ([inf, 2.0], [inf, 1.0], 0.5),
        ([nan, 2.0], [nan, 1.0], 0.5),
        ([inf, 2.0], [5.0, 2.0], inf),
        ([-inf, 2.0], [LEAST, 2.0], 0),
        ([-inf, 2.0], [-65504.0, 1.0], 0.5),
        ([nan], [nan], 0),
        ([0.0], [0.0], 0),
        ([], [], 0),
    ],
)
def test_differences(wanted: list[float], found: list[float], apart: float) -> None:
    assert difference(torch.tensor(wanted), torch.tensor(found)) == apart


def test_weights_that_are_no_numbers_are_not_called_verified(tmp_path: Path) -> None:
    net, weights = tmp_path / "a.net", tmp_path / "a.pt"
    net.write_text("net A { input x: [3, H, W]\n output y = x -> fc: conv(2, 1) }")
    state = {k: v * nan for k, v in netdsl.load(net).torch().state_dict().items()}
    torch.save(state, weights)
    arguments = ["export", net, "-o", tmp_path / "a.onnx", "--weights", weights, "--verify"]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0
    assert "no finite number comes out" in result.output
    assert "nothing could be compared" in result.output
    assert "worst difference" not in result.output
