"""Folders to write in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.targets import PART, TEXT, WRITERS

PLUGIN = '''
"""A layer."""
from pathlib import Path
from netdsl.ops import *


class Mine(Op):
    """Does it."""

    name = "mine"
    family = "own"

    def infer(self, inputs, rules):
        return inputs

    def torch(self, inputs, outputs):
        return TorchModule("Mine", helper=str(Path(__file__).with_name("helper.py")))

    def onnx(self, to):
        return to.node("Relu", to.inputs)
'''
HELPER = '"""Help."""\nfrom torch import nn\n\n\nclass Mine(nn.ReLU):\n    """Does it."""\n'


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder with a network, what it uses, and weights for it."""
    np = pytest.importorskip("numpy")
    save = pytest.importorskip("safetensors.numpy").save_file
    (tmp_path / "a.net").write_text(TEXT)
    (tmp_path / "part.net").write_text(PART)
    save(
        {"fc.weight": np.ones((2, 3, 1, 1), np.float32), "fc.bias": np.zeros(2, np.float32)},
        tmp_path / "w.safetensors",
    )
    return tmp_path


@pytest.fixture(params=WRITERS)
def writer(request: pytest.FixtureRequest) -> str:
    if request.param == "verify":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("torch")
    return request.param


@pytest.fixture
def workshop(room: Path) -> Path:
    """The same with a plug-in and its helper."""
    (room / "mine.py").write_text(PLUGIN)
    (room / "helper.py").write_text(HELPER)
    (room / "a.net").write_text(TEXT.replace("-> Part", "-> Part -> mine"))
    (room / "b.net").write_text((room / "a.net").read_text().replace("conv(2, 1)", "conv(3, 1)"))
    return room
