"""YOLOv3-SPP against darknet: the size of its weight file, and the wiring of its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import pytest

import netdsl
from tests.examples import example, norm_constants

torch = pytest.importorskip("torch")
F = torch.nn.functional


def test_the_weight_file_has_the_size_of_darknets() -> None:
    """yolov3-spp.weights has 252,209,544 bytes: a header of 20, then floats."""
    graph = netdsl.load(example("yolov3_spp")).graph
    numbers = sum(
        prod(weight.shape)
        for layer in graph.layers()
        for weight in layer.weights
        if weight.key != "num_batches_tracked"
    )
    assert 4 * numbers + 20 == 252_209_544


def test_multiply_adds() -> None:
    """darknet counts 2 operations each, with pools and sums: 141.5 billion at 608x608."""
    summary = netdsl.load(example("yolov3_spp"), sizes={"H": 608, "W": 608}).summary()
    assert summary.macs == 70_724_486_144


class Darknet:
    """The layers of yolov3-spp.cfg, which take their weights from the file in order."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.tensors: Iterator[Any] = iter([v for k, v in state.items() if "num_batches" not in k])

    def conv(self, x: Any, stride: int = 1) -> Any:
        kernel, scale, shift, mean, var = (next(self.tensors) for _ in range(5))
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        return F.leaky_relu(F.batch_norm(x, mean, var, scale, shift), 0.1)

    def down(self, x: Any, blocks: int) -> Any:
        x = self.conv(x, stride=2)
        for _ in range(blocks):
            x = x + self.conv(self.conv(x))
        return x

    def neck(self, x: Any) -> tuple[Any, Any]:
        """Six convolutions; the fifth goes on to the next scale, the last one detects."""
        for _ in range(5):
            x = self.conv(x)
        return x, F.conv2d(self.conv(x), next(self.tensors), next(self.tensors))

    def up(self, x: Any, route: Any) -> Any:
        return torch.cat([F.interpolate(self.conv(x), scale_factor=2.0), route], 1)

    def forward(self, x: Any) -> tuple[Any, ...]:
        x = self.down(self.down(self.conv(x), 1), 2)
        layer36 = self.down(x, 8)
        layer61 = self.down(layer36, 8)
        x = self.down(layer61, 4)
        for _ in range(3):
            x = self.conv(x)
        x = torch.cat([*(F.max_pool2d(x, k, 1, k // 2) for k in (13, 9, 5)), x], 1)
        for _ in range(3):
            x = self.conv(x)
        large = F.conv2d(self.conv(x), next(self.tensors), next(self.tensors))
        x, medium = self.neck(self.up(x, layer61))
        _, small = self.neck(self.up(x, layer36))
        assert next(self.tensors, None) is None
        return large, medium, small


def test_norms_have_the_constants_of_darknet() -> None:
    """Those of src/batchnorm_layer.c where it trains on a GPU: .00001, and .01 of each batch."""
    module = netdsl.load(example("yolov3_spp"), params={"classes": 1}).torch()
    assert set(norm_constants(module).values()) == {(1e-5, 0.01)}


def test_wired_as_in_darknet() -> None:
    model = netdsl.load(example("yolov3_spp"), params={"classes": 3}).torch(seed=0).eval()
    for key, value in model.state_dict().items():
        if "running_var" in key:
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point() and value.ndim == 1:
            value.normal_(0, 0.5)
    x = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        found, expected = model(x), Darknet(model.state_dict()).forward(x)
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))
