"""Published models: imported, and compared with themselves. The long run is `make import-full`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.importers.torch_models import compare, import_of
from tests.torchvision_models import torchvision_models

SIZES = ((97, 131), (80, 118), (113, 65))


@pytest.mark.parametrize(
    "name",
    ["squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small", "mnasnet0_5", "resnet18"],
)
def test_a_model_of_torchvision_is_itself(name: str) -> None:
    make = getattr(torchvision_models(), name)
    one = compare(make, name, sizes=SIZES, pairs=12)
    assert one.is_open


@pytest.mark.parametrize("name", ["googlenet", "swin_t", "densenet121"])
def test_a_large_model_of_torchvision_is_read(name: str) -> None:
    keywords = {"init_weights": False} if name == "googlenet" else {}
    one = import_of(lambda: getattr(torchvision_models(), name)(**keywords), name)
    assert one.answer.program.inputs[0].shape == (3, "H", "W")
    outputs = [(one.name, one.when_training) for one in one.answer.program.outputs]
    if name == "googlenet":
        assert [when for _, when in outputs] == [False, True, True]
        assert [name for name, _ in outputs[1:]] == ["aux_logits2", "aux_logits1"]


@pytest.mark.parametrize(
    "name", ["test_byobnet", "test_vit", "test_convnext", "lcnet_035", "levit_128s"]
)
def test_a_model_of_timm_is_itself(name: str) -> None:
    torchvision_models()
    timm = pytest.importorskip("timm")
    compare(lambda: timm.create_model(name), name, sizes=SIZES, pairs=6)


def test_torchvision_without_its_compiled_operators_is_read() -> None:
    """Beside a CPU torch they may be absent; a fresh process has nobody who declares them."""
    code = (
        "from netdsl.importers.frontend import Question\n"
        "from netdsl.importers.imported import read\n"
        "print(read(Question('torchvision.models:squeezenet1_1(num_classes=7)')).text)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "input x: [3, H, W]" in done.stdout
    assert "Fire(" in done.stdout
    assert "classes: int = 7" in done.stdout
    assert "conv(classes, 1)" in done.stdout
