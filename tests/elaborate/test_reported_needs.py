"""What users of other tools asked for in public, written in the language: shapes, sizes, numbers."""

from __future__ import annotations

from typing import Any

import pytest

import netdsl
from netdsl.diagnostics import DiagnosticError

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
nn, F = torch.nn, torch.nn.functional

from tests.backends.onnx.runtime import session  # noqa: E402


def net(body: str) -> netdsl.Network:
    return netdsl.loads(f"net N {{\n{body}\n}}")


def equal_everywhere(network: netdsl.Network, module: Any, reference: Any, *shapes: Any) -> None:
    """PyTorch's and ONNX Runtime's numbers at these shapes."""
    run = session(network.onnx(module).SerializeToString())
    for shape in shapes:
        x = torch.randn(shape)
        with torch.no_grad():
            wanted = reference(x)
            torch.testing.assert_close(module(x), wanted, rtol=1e-5, atol=1e-6)
        (found,) = run.run(None, {network.inputs[0].name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("where", ["", " where H % 2 == 0, W % 2 == 0"])
def test_space_to_depth_by_reshape(where: str) -> None:
    """TResNet's order of channels: the cells of a block in front, which `pixel_unshuffle` has last."""
    network = net(
        f"input image: [8, H, W]{where}\n"
        "output y = image -> reshape([8, H / 2, 2, W / 2, 2]) -> permute([2, 4, 0, 1, 3])"
        " -> reshape([32, H / 2, W / 2])"
    )
    accepted = {(h, w) for h in range(1, 9) for w in range(1, 9) if network.sizes.accepts(H=h, W=w)}
    assert accepted == {(h, w) for h in (2, 4, 6, 8) for w in (2, 4, 6, 8)}

    def reference(x: Any) -> Any:
        cells = [x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)]
        return torch.cat(cells, 1)

    equal_everywhere(network, network.torch(), reference, (2, 8, 4, 6), (1, 8, 10, 2))


def test_spatial_attention_by_mean_and_maximum_over_channels() -> None:
    network = netdsl.loads(
        """
        block Spatial(kernel: int = 7) {
            mul {
                identity
                {
                    concat { mean(axis=channels, keep=true) ; max(axis=channels, keep=true) }
                        -> conv(1, kernel, padding=kernel // 2, bias=false) -> sigmoid
                }
            }
        }
        net Cbam {
            input image: [3, H, W]
            output y = image -> conv: conv(16, 3, padding=1) -> gate: Spatial
        }
        """
    )
    assert str(network.sizes) == "any H, any W"
    assert [str(d) for d in network.outputs[0].shape] == ["16", "H", "W"]
    module: Any = network.torch(seed=0)

    def reference(image: Any) -> Any:
        x = module.conv(image)
        both = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * F.conv2d(both, module.gate.conv1.weight, padding=3).sigmoid()

    equal_everywhere(network, module, reference, (2, 3, 5, 9), (1, 3, 1, 1), (1, 3, 16, 7))


def test_every_second_row_and_column() -> None:
    """YOLOv5's first layer; `slice` goes to the end where it is given none."""
    network = net(
        """
        input x: [3, H, W]
        output y = concat {
            x -> slice(1, 0, step=2) -> slice(2, 0, step=2)
            x -> slice(1, 1, step=2) -> slice(2, 0, step=2)
            x -> slice(1, 0, end, step=2) -> slice(2, 1, W, step=2)
            x -> slice(1, 1, H, step=2) -> slice(2, 1, end, step=2)
        } -> conv: conv(32, 3, padding=1)
        """
    )
    assert str(network.sizes) == "H and W multiples of 2"
    module: Any = network.torch(seed=0)

    def reference(x: Any) -> Any:
        corners = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return module.conv(torch.cat(corners, 1))

    equal_everywhere(network, module, reference, (2, 3, 6, 4), (1, 3, 2, 10))


def test_a_branch_times_a_fixed_number() -> None:
    """EDSR's residual: published weights have no key for 0.1."""
    network = net(
        """
        input x: [64, H, W]
        output y = add {
            x
            x -> conv1: conv(64, 3, padding=1) -> relu -> conv2: conv(64, 3, padding=1) -> mul(0.1)
        }
        """
    )
    assert network.summary().parameters == 73_856
    module: Any = network.torch(seed=0)
    assert set(module.state_dict()) == {
        f"conv{i}.{key}" for i in (1, 2) for key in ("weight", "bias")
    }
    equal_everywhere(
        network,
        module,
        lambda x: x + 0.1 * module.conv2(module.conv1(x).relu()),
        (2, 64, 5, 7),
        (1, 64, 1, 1),
    )


def test_a_pool_of_two_with_stride_one_keeps_the_size() -> None:
    """Tiny YOLO's last pool: a row below and a column to the right that never win."""
    network = net(
        """
        input x: [8, H, W]
        output y = x -> conv: conv(8, 3, padding=1) -> leaky_relu(0.1)
            -> maxpool(2, stride=1, padding=same) -> [8, H, W]
        """
    )
    assert str(network.sizes) == "any H, any W"
    module: Any = network.torch(seed=0)
    with torch.no_grad():
        module.conv.bias.fill_(-5.0)  # a border of zeros would win everywhere

    def reference(x: Any) -> Any:
        below = F.pad(F.leaky_relu(module.conv(x), 0.1), (0, 1, 0, 1), value=float("-inf"))
        return F.max_pool2d(below, 2, 1)

    equal_everywhere(network, module, reference, (1, 8, 13, 13), (2, 8, 4, 1))


def test_padding_a_pool_more_than_it_may_be() -> None:
    """The way out that is named pads with what never wins: zeros gave other numbers."""
    with pytest.raises(DiagnosticError) as caught:
        net("input x: [8, H, W]\noutput y = x -> maxpool(3, stride=2, padding=2)")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "bad-argument"
    way_out = diagnostic.help[0].split("`")[1]
    network = net(f"input x: [8, H, W]\noutput y = x -> {way_out}")
    module: Any = network.torch()
    for size in (13, 13), (4, 7):
        x = -torch.rand(2, 8, *size) - 0.1
        border = F.pad(x, (2, 2, 2, 2), value=float("-inf"))
        wanted = F.max_pool2d(border, 3, 2)
        inside = wanted.isfinite()
        assert torch.equal(module(x)[inside], wanted[inside])
        assert (module(x)[~inside] < -1e38).all()
