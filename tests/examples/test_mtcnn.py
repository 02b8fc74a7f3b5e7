"""MTCNN's three networks: against plain PyTorch, and with the weights published in facenet-pytorch.

Its wheel holds the weights, so that this is a checkpoint of others, loaded by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.cli import main
from tests.examples import example
from tests.examples.test_public_units import public

torch = pytest.importorskip("torch")
nn = torch.nn

SIZES = {
    "mtcnn_pnet": [(11, 11), (12, 12), (13, 18), (64, 97), (151, 224)],
    "mtcnn_rnet": [(24, 24)],
    "mtcnn_onet": [(48, 48)],
}
CLASSES = {"mtcnn_pnet": "PNet", "mtcnn_rnet": "RNet", "mtcnn_onet": "ONet"}


class Columns(nn.Module):
    """A map as a vector, column by column."""

    def forward(self, x: Any) -> Any:
        return x.permute(0, 3, 2, 1).flatten(1)


def conv(number: int, given: int, made: int, kernel: int) -> dict[str, Any]:
    return {f"conv{number}": nn.Conv2d(given, made, kernel), f"prelu{number}": nn.PReLU(made)}


def pool(number: int, kernel: int) -> dict[str, Any]:
    return {f"pool{number}": nn.MaxPool2d(kernel, 2, ceil_mode=True)}


def plain(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The stages in a row, and the heads in the order of the outputs; keys as published."""
    if name == "mtcnn_pnet":
        trunk = conv(1, 3, 10, 3) | pool(1, 2) | conv(2, 10, 16, 3) | conv(3, 16, 32, 3)
        return trunk, {"conv4_2": nn.Conv2d(32, 4, 1), "conv4_1": nn.Conv2d(32, 2, 1)}
    if name == "mtcnn_rnet":
        trunk = conv(1, 3, 28, 3) | pool(1, 3) | conv(2, 28, 48, 3) | pool(2, 3)
        trunk |= conv(3, 48, 64, 2) | {"columns": Columns()}
        trunk |= {"dense4": nn.Linear(576, 128), "prelu4": nn.PReLU(128)}
        return trunk, {"dense5_2": nn.Linear(128, 4), "dense5_1": nn.Linear(128, 2)}
    trunk = conv(1, 3, 32, 3) | pool(1, 3) | conv(2, 32, 64, 3) | pool(2, 3)
    trunk |= conv(3, 64, 64, 3) | pool(3, 2) | conv(4, 64, 128, 2) | {"columns": Columns()}
    trunk |= {"dense5": nn.Linear(1152, 256), "prelu5": nn.PReLU(256)}
    heads = {"dense6_2": 4, "dense6_3": 10, "dense6_1": 2}
    return trunk, {key: nn.Linear(256, count) for key, count in heads.items()}


@pytest.mark.parametrize("name", SIZES)
def test_against_plain_pytorch(name: str) -> None:
    torch.manual_seed(0)
    trunk, heads = plain(name)
    state = nn.ModuleDict(trunk | heads).state_dict()
    ours = netdsl.load(example(name)).torch(weights=state)
    assert ours.state_dict().keys() == state.keys()
    for height, width in SIZES[name]:
        x = torch.randn(2, 3, height, width)
        with torch.no_grad():
            seen = nn.Sequential(*trunk.values())(x)
            *expected, scores = (head(seen) for head in heads.values())
            expected.append(scores.softmax(1))
            for found, wanted in zip(ours(x), expected, strict=True):
                assert torch.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("name", SIZES)
def test_the_published_weights(name: str) -> None:
    """They load by name, strictly, and give what the package's own modules give."""
    facenet = public("facenet_pytorch")
    file = Path(facenet.__file__).parent / "data" / f"{name.removeprefix('mtcnn_')}.pt"
    checked = CliRunner().invoke(main, ["check", str(example(name)), "--weights", str(file)])
    assert checked.output == "1 file checked, nothing found\n"
    ours = netdsl.load(example(name)).torch(weights=file).eval()
    theirs = getattr(facenet, CLASSES[name])().eval()
    ours.load_state_dict(theirs.state_dict())
    for height, width in SIZES[name]:
        x = torch.rand(3, 3, height, width) * 2 - 1  # as the package scales pictures
        with torch.no_grad():
            for found, wanted in zip(ours(x), theirs(x), strict=True):
                assert torch.allclose(found, wanted, atol=1e-6)


def test_windows_of_the_paper() -> None:
    """A place of P-Net's results sees 12x12 pixels, 2 apart."""
    network = netdsl.load(example("mtcnn_pnet"))
    for output in network.outputs:
        (axes,) = network.receptive_fields.of(output.value).values()
        assert [(axis.size, axis.stride) for axis in axes if axis] == [(12, 2), (12, 2)]
