"""`each { ... }`: its numbers against a loop in PyTorch, its sizes, costs and refusals."""

from __future__ import annotations

import re
from itertools import product

import pytest

import netdsl
from netdsl.diagnostics import DiagnosticError
from tests.elaborate.compile_text import errors_of, net

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

VIDEO = """
net Video {
    input frames: [T, 3, H, W]
    input masks: [T, 1, H, W]
    weight bias: [1, 3, 1, 1] = 0.5
    x = (frames, masks) -> trunk: each {
        gate = in[1] -> sigmoid
        (in[0], bias, gate) -> mul -> conv: conv(4, 3, bias=false) -> bn: batchnorm -> relu
            -> each { softmax(axis=0) } -> global_avgpool -> fc: linear(4)
    }
    output y = x
}
"""


def by_hand(module, frames, masks):
    """The same, item by item."""
    own = module.trunk
    results = []
    for number in range(frames.shape[1]):
        x = frames[:, number] * module.bias * masks[:, number].sigmoid()
        x = own.bn(own.conv(x)).relu()
        x = torch.stack([x[:, channel].softmax(1) for channel in range(4)], 1)
        results.append(own.fc(x.mean((2, 3))))
    return torch.stack(results, 1)


def random_module(seed=0):
    torch.manual_seed(seed)
    module = netdsl.loads(VIDEO).torch()
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.data.uniform_(0.5, 1.5)
    return module.eval()


@pytest.mark.parametrize(("count", "height", "width"), [(1, 5, 7), (3, 8, 6), (4, 3, 3)])
def test_every_item_gets_what_a_loop_gives(count, height, width):
    module = random_module()
    frames = torch.randn(2, count, 3, height, width, requires_grad=True)
    masks = torch.randn(2, count, 1, height, width)
    ours, theirs = module(frames, masks), by_hand(module, frames, masks)
    assert ours.shape == (2, count, 4)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad((y * y).sum(), frames)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_onnx_runs_at_every_count():
    module = random_module(1)
    model = netdsl.loads(VIDEO).onnx(module)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for batch, count, size in product((1, 3), (1, 2, 5), (3, 6)):
        frames = torch.randn(batch, count, 3, size, size + 1)
        masks = torch.randn(batch, count, 1, size, size + 1)
        (ours,) = session.run(None, {"frames": frames.numpy(), "masks": masks.numpy()})
        torch.testing.assert_close(torch.from_numpy(ours), by_hand(module, frames, masks))


def test_costs_count_all_items():
    rows = {
        row.path: row for row in netdsl.loads(VIDEO, sizes={"T": 5, "H": 9, "W": 8}).summary().rows
    }
    conv, bn = rows["trunk.conv"], rows["trunk.bn"]
    assert conv.macs == 5 * 7 * 6 * 4 * 27
    assert conv.parameters == 4 * 27
    assert bn.neurons == 5 * 4 * 7 * 6
    assert netdsl.loads(VIDEO, sizes={"T": 1, "H": 9, "W": 8}).summary().macs * 5 == sum(
        row.macs for row in rows.values()
    )


def test_many_items_are_enough_to_train_on():
    """BatchNorm needs two values of each channel: PyTorch counts them over all items."""
    network = netdsl.loads(
        "net N {\n    input x: [T, 3]\n    output y = x -> each { batchnorm -> linear(2) }\n}"
    )
    module = network.torch().train()
    for batch, count in product((1, 2), (1, 2, 3)):
        trains = network.sizes.training(batch).accepts(T=count)
        try:
            module(torch.randn(batch, count, 3))
        except ValueError:
            assert not trains, (batch, count)
        else:
            assert trains, (batch, count)


def test_shared_layers_and_numbers_come_from_outside():
    text = """
net N(width: int = 4) {
    input a: [T, 3, 8, 8]
    input b: [3, 8, 8]
    layer enc = conv(width, 3)
    y = a -> each { enc -> global_avgpool }
    z = b -> enc -> global_avgpool
    output u = y
    output v = z
}
"""
    module = netdsl.loads(text).torch().eval()
    a, b = torch.randn(2, 3, 3, 8, 8), torch.randn(2, 3, 8, 8)
    y, z = module(a, b)
    torch.testing.assert_close(y[:, 1], module.enc(a[:, 1]).mean((2, 3)))
    torch.testing.assert_close(z, module.enc(b).mean((2, 3)))
    assert list(module.state_dict()) == ["enc.weight", "enc.bias"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("output y = x -> each { (in, x) -> concat }", ["outside-each 4:33"]),
        ("z = x -> relu\n    output y = x -> each { z -> softmax(axis=0) }", ["outside-each 5:28"]),
        ("output y = x -> each { upsample(size=x) }", ["outside-each 4:42"]),
        (
            "weight w: [3]\n    output y = (x, w) -> each { (in[0], in[1]) -> add }",
            ["weight-without-batch 5:26"],
        ),
        (
            "weight w: [32]\n    output y = x -> each { w -> sigmoid }",
            ["unused-result 5:16", "weight-without-batch 5:21"],
        ),
        (
            "b = x -> permute([1, 2, 0])\n    output y = (x, b) -> each { (in[0], in[1]) -> add }",
            ["shape-mismatch 5:26"],
        ),
    ],
)
def test_refusals(lines, expected):
    assert set(errors_of(net(f"    {lines}"))) & set(expected), errors_of(net(f"    {lines}"))


def test_names_made_inside_end_with_the_braces():
    with pytest.raises(DiagnosticError) as caught:
        netdsl.loads(net("    z = x -> each { inner: relu }\n    output y = (z, inner) -> add"))
    assert re.search("no layer or value `inner`", caught.value.diagnostics[0].message)


def test_pictures_count_all_items(tmp_path):
    network = netdsl.loads(VIDEO, sizes={"T": 5, "H": 9, "W": 8})
    blocks, volumes = (tmp_path / f"{name}.svg" for name in ("blocks", "volumes"))
    network.draw(blocks)
    network.draw(volumes, level="volumes")
    assert f"{(5 * 7 * 6 * 4 * 27 + 5 * 4 * 4) / 1000:.1f} k multiply-adds" in blocks.read_text(
        "utf-8"
    )
    assert "5 × 168 neurons" in volumes.read_text("utf-8")


def test_the_way_of_a_value_names_each():
    with pytest.raises(DiagnosticError) as caught:
        netdsl.loads("net N { input x: [T, 3]; output y = x -> each { lstm(4) } }")
    assert caught.value.diagnostics[0].notes == ("it comes from x [T, 3] -> each [3]",)
