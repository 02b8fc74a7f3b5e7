"""docs/howto.md: every network compiles without a warning and computes what plain PyTorch does."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import netdsl

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

from tests import howto_by_hand, howto_tokens_by_hand  # noqa: E402
from tests.torchvision_models import torchvision_models  # noqa: E402

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "howto.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```net\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TEXTS = {re.findall(r"^net (\w+)", block, re.MULTILINE)[0]: block for block in BLOCKS}
BY_HAND = vars(howto_by_hand) | vars(howto_tokens_by_hand)
SIZES: tuple[int, ...] = (5, 7, 8, 11, 14, 16, 21)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def sizes_of(network: netdsl.Network) -> list[dict[str, int]]:
    """Two choices of sizes that the network accepts, different ones for different symbols."""
    shapes = (axis for item in network.inputs for axis in item.shape)
    symbols = list(dict.fromkeys(str(axis) for axis in shapes if not isinstance(axis, int)))
    if not symbols:
        return [{}]
    choices = (
        dict(zip(symbols, sizes, strict=True)) for sizes in product(SIZES, repeat=len(symbols))
    )
    fit = [sizes for sizes in choices if network.sizes.accepts(**sizes)]
    differ = [sizes for sizes in fit if len(set(sizes.values())) == len(symbols)]
    return [differ[0], differ[-1]]


def value(item: Any, sizes: dict[str, int]) -> Any:
    shape = [2, *(axis if isinstance(axis, int) else sizes[str(axis)] for axis in item.shape)]
    if item.dtype == "int64":
        return torch.randint(0, 10, shape)
    if item.dtype == "bool":
        return (torch.rand(shape) > 0.5) | (torch.arange(shape[-1]) == 0)
    if item.name == "anchors":  # corners of boxes, the far ones behind
        return torch.cat([torch.rand(shape)[..., :2], 1 + torch.rand(shape)[..., 2:]], -1)
    return torch.randn(shape)


def filled(module: Any) -> Any:
    """Random weights and statistics; what is frozen or constant stays."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(0.1, 0.6)
        for name, buffer in module.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 1.5)
    return module.eval()


def as_tuple(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)


def test_every_network_has_a_function_and_a_name_of_its_own() -> None:
    assert len(TEXTS) == len(BLOCKS) > 60
    headings = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    assert all(heading.split("\n")[0].endswith("?") for heading in headings)
    assert sum("```net" in heading for heading in headings) == len(BLOCKS)


@pytest.mark.parametrize("name", TEXTS)
def test_a_network_is_what_plain_pytorch_computes(name: str) -> None:
    torchvision_models()
    torch.manual_seed(0)
    network = netdsl.loads(TEXTS[name])
    assert network.warnings == ()
    module = filled(network.torch(seed=0))
    session = onnxruntime.InferenceSession(network.onnx(module).SerializeToString())
    by_hand = BY_HAND[snake(name)]
    for sizes in sizes_of(network):
        inputs = [value(item, sizes) for item in network.inputs]
        feeds = {item.name: x.numpy() for item, x in zip(network.inputs, inputs, strict=True)}
        with torch.no_grad():
            results, wanted = as_tuple(module(*inputs)), as_tuple(by_hand(module, *inputs))
            theirs = [torch.from_numpy(y) for y in session.run(None, feeds)]
        torch.testing.assert_close(results, wanted, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(tuple(theirs), wanted, rtol=1e-4, atol=1e-4)


def test_the_auxiliary_head_is_there_in_training() -> None:
    module = netdsl.loads(TEXTS["Auxiliary"]).torch(seed=0).train()
    x = torch.randn(2, 3, 9, 8)
    torch.testing.assert_close(module(x), howto_by_hand.auxiliary(module, x))
