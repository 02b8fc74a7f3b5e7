"""Symbolic sizes in generated code: read off the tensors at hand, at sizes never printed."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.ir.dim import evaluate

torch = pytest.importorskip("torch")

BLOCKS = """
block Half { crop((in.height // 2, in.width // 2)) }
block ToFour { pad(right=(4 - in.width % 4) % 4, bottom=(4 - in.height % 4) % 4) }
block ToTwo { pad(right=in.width % 2, bottom=in.height % 2) }
block Most { crop((in.height // 2 + in.height // 3, in.width)) }
block ToSeven { pad(right=(7 - in.width % 7) % 7, bottom=(7 - in.height % 7) % 7) }
block Cells { a = identity ; a -> reshape([a.height // 7, 7, a.width // 7, 7 * a.channels]) }
block Inner { a = conv(2, 3) ; a -> crop((a.height // 3, a.width - 1)) -> Half }
"""


@pytest.mark.parametrize(
    "stages",
    [
        "Half",
        "maxpool(2) -> Half",
        "maxpool(2) -> conv(3, 3, stride=2) -> Half -> Half",
        "maxpool(2) -> Inner",
        "ToFour -> ToFour",
        "ToFour -> Half",
        "conv(3, 4, stride=4) -> ToTwo -> avgpool(2) -> ToTwo -> avgpool(2) -> ToTwo",
        "ToFour -> conv(8, 7, stride=4, padding=3) -> ToSeven",
        "ToFour -> conv(8, 7, stride=4, padding=3) -> ToSeven -> Cells",
        "upsample(1.5) -> ToTwo",
        "upsample(1.5) -> conv(2, 3, stride=2) -> ToTwo",
        "upsample(1.5) -> Half",
        "crop((H - W // 2, W // 2 + 1))",
        "crop((max(H, W) // 4 + 1, min(H, W) // 2))",
        "center_crop((H // 2, W - 3))",
        "conv(4, 3) -> reshape([4 * (H - 2), W - 2])",
        "upsample(size=(2 * x.height, W + 3))",
        "pad(left=H // 5)",
    ],
)
def test_at_other_sizes(stages: str) -> None:
    network = netdsl.loads(
        f"{BLOCKS}\nnet A {{\n input x: [3, H, W]\n output y = x -> {stages} -> relu\n}}"
    )
    module = network.torch(seed=0).eval()
    tried = 0
    for height, width in ((33, 31), (40, 29), (64, 64), (47, 58)):
        at = {"H": height, "W": width}
        if not network.sizes.accepts(**at):
            continue
        tried += 1
        expected = tuple(evaluate(d, at) for d in network.outputs[0].shape)
        assert tuple(module(torch.zeros(1, 3, height, width)).shape[1:]) == expected
    assert tried


def test_a_size_that_no_value_at_hand_has_is_an_error() -> None:
    network = netdsl.loads(
        f"{BLOCKS}\nnet A {{\n input x: [3, H, W]\n output y = x -> ToFour -> Most\n}}"
    )
    with pytest.raises(netdsl.DiagnosticError) as raised:
        network.torch_source()
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.code == "size-not-at-hand"
    assert diagnostic.span is not None


HANDED = """
# Only the sizes of the second and third value are read, here and in the block within.
block Shares (x, unused_one, other) { x -> mul(other.width) -> add(other.height * x.width) }
block Around (x, other) { (x, x, other) -> inner: Shares }
net A {
    input x: [3, H, W]
    input other: [5, P, Q]
    output y = FLOW
}
"""


@pytest.mark.parametrize("flow", ["(x, x, other) -> Shares", "(x, other) -> Around"])
def test_a_value_handed_to_a_block_for_its_size(flow: str) -> None:
    """What the message advises: the block takes it though nothing of it flows."""
    network = netdsl.loads(HANDED.replace("FLOW", flow), allow=["unused-name"])
    module = network.torch(seed=0).eval()
    for height, width, rows, columns in (4, 6, 7, 9), (1, 2, 3, 5):
        x = torch.randn(2, 3, height, width)
        wanted = x * columns + rows * width
        torch.testing.assert_close(module(x, torch.zeros(2, 5, rows, columns)), wanted)
    assert "unused_one" not in network.torch_source()
