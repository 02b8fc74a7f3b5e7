"""std.depth against ONNX's operators and a plain count of Darknet's, at open sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import session  # noqa: E402
from tests.ops.open_sizes import agree  # noqa: E402

POINTS = [{"H": h, "W": w} for h in range(1, 8) for w in (1, 2, 6, 9, 12)]


def text(stage: str, channels: int) -> str:
    return f"use std.depth\nnet A {{ input x: [{channels}, H, W]\n output y = x -> {stage} }}"


def operator(name: str, factor: int) -> Any:
    """An operator as ONNX Runtime has it, of maps whose sides the factor divides."""
    helper = onnx.helper
    node = helper.make_node(name, ["x"], ["y"], blocksize=factor)
    kinds = [helper.make_tensor_value_info(n, 1, [None] * 4) for n in "xy"]
    graph = helper.make_graph([node], "g", kinds[:1], kinds[1:])
    opsets = [helper.make_opsetid("", 18)]
    running = session(helper.make_model(graph, opset_imports=opsets).SerializeToString())

    def oracle(x: Any) -> Any:
        if name == "SpaceToDepth" and any(n % factor for n in x.shape[2:]):
            return None
        return torch.from_numpy(running.run(None, {"x": x.numpy()})[0])

    return oracle


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_orders_of_onnx(factor: int) -> None:
    shown = "" if factor == 2 else f"({factor})"
    wanted = sum(p["H"] % factor == p["W"] % factor == 0 for p in POINTS)
    taken, _ = agree(text(f"SpaceToDepth{shown}", 5), POINTS, operator("SpaceToDepth", factor))
    assert taken == wanted
    channels = 3 * factor * factor
    taken, _ = agree(
        text(f"DepthToSpace{shown}", channels), POINTS, operator("DepthToSpace", factor)
    )
    assert taken == len(POINTS)


def reorganised(x: Any, stride: int) -> Any:
    """Darknet's: the input is read as if it were [C / s**2, s*H, s*W], and written as [C, H, W]."""
    batch, c, h, w = x.shape
    if h % stride or w % stride:
        return None
    few = c // stride**2
    flat = x.numpy().reshape(batch, -1)
    made = np.empty_like(flat)
    for k in range(c):
        row, column = divmod(k // few, stride)
        for j in range(h):
            for i in range(w):
                place = (k % few * h * stride + j * stride + row) * w * stride + i * stride + column
                made[:, (k * h + j) * w + i] = flat[:, place]
    return torch.from_numpy(made).reshape(batch, c * stride**2, h // stride, w // stride)


@pytest.mark.parametrize("stride", [2, 3])
def test_the_order_of_darknet(stride: int) -> None:
    stage = "Reorg" if stride == 2 else f"Reorg({stride})"
    points = [{"H": h, "W": w} for h in (1, 2, 3, 6) for w in (2, 4, 6, 9)]
    taken, refused = agree(text(stage, 2 * stride**2), points, lambda x: reorganised(x, stride))
    assert taken >= 4
    assert refused >= 4


def test_back_and_forth() -> None:
    """One undoes the other; Darknet's is another order."""
    body = text("SpaceToDepth(3) -> DepthToSpace(3)", 4)
    assert agree(body, [{"H": 6, "W": 9}, {"H": 3, "W": 3}], lambda x: x) == (2, 0)
