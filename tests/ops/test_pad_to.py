"""`pad_to` beside `F.pad`, with amounts that are counted here."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import netdsl

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import outputs, session  # noqa: E402


def framed(x: Any, size: tuple[int, int], fill: float, is_corner: bool) -> Any:
    """The image in a frame, cell by cell."""
    height, width = size
    frame = torch.full((*x.shape[:2], height, width), fill, dtype=x.dtype)
    h, w = x.shape[-2:]
    top, left = (0, 0) if is_corner else ((height - h) // 2, (width - w) // 2)
    frame[:, :, top : top + h, left : left + w] = x
    return frame


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("align", ["center", "corner"])
@pytest.mark.parametrize("size", ["square", "40x37", "multiple=16", "multiple=(8, 3)"])
def test_open_sizes(size: str, align: str, dtype: str) -> None:
    draw = Random(f"{size} {align} {dtype}")
    network = netdsl.loads(
        f"net A {{\n    input x: {dtype} [3, H, W]\n"
        f"    output y = x -> pad_to({size}, fill=114, align={align})\n}}"
    )
    module = network.torch(seed=0).eval()
    run = session(network.onnx(module).SerializeToString())
    for _ in range(12):
        h, w = draw.randint(1, 40), draw.randint(1, 37)
        x = torch.randint(0, 256, (2, 3, h, w), dtype=torch.uint8).to(getattr(torch, dtype))
        wanted = {
            "square": (max(h, w), max(h, w)),
            "40x37": (40, 37),
            "multiple=16": ((h + 15) // 16 * 16, (w + 15) // 16 * 16),
            "multiple=(8, 3)": ((h + 7) // 8 * 8, (w + 2) // 3 * 3),
        }[size]
        (found,) = outputs(module, [x])
        (ours,) = run.run(None, {"x": x.numpy()})
        exact = framed(x, wanted, 114, align == "corner")
        assert torch.equal(torch.from_numpy(found), exact), (h, w)
        assert torch.equal(torch.from_numpy(ours), exact), (h, w)


def test_what_it_makes_of_sizes() -> None:
    """A frame that is too small is a condition; multiples are known, also of a ratio of sizes."""
    text = "net A {{\n input x: uint8 [3, H, W]\n output y = x -> {}\n}}"
    assert str(netdsl.loads(text.format("pad_to(64x48)")).sizes) == "H from 1 to 64, W from 1 to 48"
    network = netdsl.loads(text.format("pad_to(square) -> to_float -> conv(8, 3, padding=1)"))
    assert str(network.sizes) == "any H, any W"
    stages = "resize(64) -> pad_to(multiple=32) -> to_float -> add { identity ; { maxpool(32) -> upsample(32) } }"
    assert str(netdsl.loads(text.format(stages)).sizes) == "any H, any W"


@pytest.mark.parametrize(
    ("stage", "why"),
    [("pad_to()", "a size or a multiple"), ("pad_to(8x8, multiple=4)", "a size or a multiple"),
     ("pad_to(multiple=0)", "at least 1"), ("pad_to(0x4)", "at least 1"),
     ("pad_to(square, fill=300)", "from 0 to 255, not 300"), ("pad_to(square, fill=0.5)", "not 0.5"),
     ("slice(1, 0, 9) -> pad_to(8x99)", "does not fit"), ("flatten -> pad_to(8x8)", "works on maps"),
     ("pad_to(round)", "round")],
)  # fmt: skip
def test_refusals(stage: str, why: str) -> None:
    with pytest.raises(netdsl.DiagnosticError, match=why):
        netdsl.loads(f"net A {{\n input x: uint8 [3, H, 7]\n output y = x -> {stage}\n}}")
