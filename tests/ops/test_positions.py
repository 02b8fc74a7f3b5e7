"""`positions` against PyTorch's meshgrid: at open sizes, in ONNX, in half precision."""

from __future__ import annotations

import pytest

import netdsl

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import apart, outputs, session  # noqa: E402
from tests.ops.open_sizes import agree, loaded  # noqa: E402


def grid(x):
    """The numbers of the cells, beside x for each sample."""
    lines = torch.meshgrid(*(torch.arange(n) for n in x.shape[2:]), indexing="ij")
    return torch.stack(lines).float().expand(x.shape[0], -1, *(-1 for _ in lines))


@pytest.mark.parametrize("axes", ["L", "H, W", "D, H, W", "5, W", "3, 4"])
def test_they_are_the_numbers_of_the_cells(axes: str) -> None:
    text = (
        f"net A {{ input x: [3, {axes}]\n output y = x -> positions -> concat {{ x ; identity }} }}"
    )
    names = [name for name in axes.split(", ") if name.isalpha()]
    points = [dict(zip(names, sizes, strict=False)) for sizes in ((1, 1, 1), (2, 5, 3), (7, 4, 6))]
    points = points if names else points[:1]
    assert agree(text, points, lambda x: torch.cat([x, grid(x)], 1)) == (len(points), 0)


def test_rows_come_first() -> None:
    text = """net A { input x: [1, H, W]
        (row, column) = x -> positions -> split(2)
        output y = add { x ; row }
        output z = add { x ; column } }"""
    module = loaded(text).torch()
    y, z = module(torch.zeros(1, 1, 2, 3))
    assert y[0, 0].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert z[0, 0].tolist() == [[0, 1, 2], [0, 1, 2]]


def test_a_layer_with_weights_takes_them_once() -> None:
    """Coordinates through a convolution: a batch of one, spread over the samples behind it."""
    text = """net A { input x: [2, H, W]
        output y = add { x -> a: conv(4, 1) ; x -> positions -> b: conv(4, 3, padding=1) } }"""
    state = loaded(text).torch(seed=3).state_dict()
    a, b = (lambda x, n=n: torch.nn.functional.conv2d(
        x, state[f"{n}.weight"], state[f"{n}.bias"], padding=int(n == "b")) for n in "ab")  # fmt: skip
    module = loaded(text).torch(seed=3).eval()
    x = torch.randn(3, 2, 4, 5)
    assert torch.allclose(module(x), a(x) + b(grid(x)), atol=1e-5)


def test_only_the_size_is_read() -> None:
    """What comes before is not needed for its numbers: nothing links to it, no memory is held."""
    network = loaded("net A { input x: [2, 6, 7]\n output y = (x -> relu -> positions, x) -> mul }")
    (node,) = (n for n in network.graph.nodes() if n.op.name == "positions")
    assert node.data_inputs() == []
    assert network.summary().connections == 2 * 6 * 7 * 2
    module = network.torch()
    x = torch.full((1, 2, 6, 7), float("nan"))
    assert not torch.isnan(module.positions1(x)).any()


def test_half_precision() -> None:
    """`module.half()` makes a table of halves, and so does the file; ids keep their type."""
    text = "net A { input x: [2, H, W]\n output y = x -> positions -> concat { x ; identity } -> conv(3, 1) }"
    network = loaded(text)
    module = network.torch(seed=0).eval()
    x = torch.randn(2, 2, 6, 9)
    wanted = outputs(module, [x])[0]
    running = session(network.onnx(module, half=True).SerializeToString())
    assert apart(wanted, running.run(None, {"x": x.numpy()})[0]) < 5e-3
    assert apart(wanted, outputs(module.half(), [x.half()])[0]) < 5e-3


def test_a_network_of_halves_has_tables_of_singles() -> None:
    body = """net A { input x: float16 [2, H]
        input z: [1, H]
        output y = (z, x -> positions) -> add }"""
    module = loaded(body).torch().eval()
    y = module(torch.zeros(1, 2, 5).half(), torch.zeros(1, 1, 5))
    assert y.dtype == torch.float32
    assert y.flatten().tolist() == [0, 1, 2, 3, 4]


def test_what_is_refused() -> None:
    for text, word in (
        ("net A { input x: [3]\n output y = (x, x -> positions) -> concat }", "has none"),
        ("net A { input x: [3, 4]\n output y = x -> positions }", "can't be an output"),
    ):
        with pytest.raises(netdsl.DiagnosticError) as caught:
            loaded(text)
        assert word in caught.value.diagnostics[0].message
