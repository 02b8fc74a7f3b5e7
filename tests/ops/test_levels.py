"""Images as they are read, uint8: what moves values takes them, and `to_float` divides by 255."""

from __future__ import annotations

from typing import Any

import pytest

import netdsl
from netdsl.analyses.memory import memory

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from netdsl.backends.onnx.verify import difference, random_input  # noqa: E402
from tests.backends.onnx.runtime import outputs, session  # noqa: E402
from tests.torchvision_models import torchvision_transforms  # noqa: E402


def network(stages: str, shape: str = "[3, H, W]") -> netdsl.Network:
    return netdsl.loads(
        f"net A {{\n    input photo: uint8 {shape}\n    output y = photo -> {stages}\n}}"
    )


def image(*shape: int) -> Any:
    torch.manual_seed(sum(shape))
    return torch.randint(0, 256, shape, dtype=torch.uint8)


def both(net: netdsl.Network, x: Any) -> Any:
    """What PyTorch gives, which ONNX Runtime has to give too, bit by bit."""
    module = net.torch(seed=0).eval()
    (wanted,) = outputs(module, [x])
    (found,) = session(net.onnx(module).SerializeToString()).run(None, {"photo": x.numpy()})
    assert found.dtype == wanted.dtype
    assert (found == wanted).all()
    return torch.from_numpy(wanted)


MOVED = {
    "identity": lambda x: x,
    "permute([2, 1, 0])": lambda x: x.permute(0, 3, 2, 1),
    "slice(1, 2)": lambda x: x[:, :, 2:],
    "crop(4x5, offset=(1, 2))": lambda x: x[:, :, 1:5, 2:7],
    "center_crop(4)": lambda x: x[:, :, 1:5, 2:6],
    "pad(1, value=200)": lambda x: torch.nn.functional.pad(x, (1, 1, 1, 1), value=200),
    "flatten": lambda x: x.flatten(1),
    "reshape([-1, 3])": lambda x: x.reshape(2, -1, 3),
    "concat { identity ; slice(0, 0, 1) }": lambda x: torch.cat((x, x[:, :1]), 1),
    "pixel_unshuffle(1)": lambda x: x,
    "max(axis=0)": lambda x: x.amax(1),
    "max { identity ; slice(0, 0, 1) }": lambda x: torch.maximum(x, x[:, :1]),
}


@pytest.mark.parametrize("stages", MOVED)
def test_what_moves_values_takes_levels(stages: str) -> None:
    x = image(2, 3, 7, 9)
    found = both(network(stages, "[3, 7, 9]"), x)
    assert found.dtype == torch.uint8
    assert torch.equal(found, MOVED[stages](x))


def test_to_float_is_that_of_torchvision() -> None:
    """`ToTensor` divides by 255; v2 multiplies by 1 / 255, which is another rounding."""
    torchvision_transforms()
    from torchvision.transforms.functional import to_tensor

    x = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    found = both(network("to_float", "[1, H, W]"), x)
    assert torch.equal(found[0], to_tensor(x[0].permute(1, 2, 0).numpy()))
    scaled = torchvision_transforms().to_dtype(x, torch.float32, scale=True)
    assert (found - scaled).abs().max() < 1e-7


def test_channels_last() -> None:
    x = image(2, 6, 5, 3)
    found = both(network("permute([2, 0, 1]) -> to_float", "[H, W, 3]"), x)
    assert torch.equal(found, x.permute(0, 3, 1, 2) / 255)


@pytest.mark.parametrize(
    "stage",
    ["conv(8, 3)", "relu", "maxpool(2)", "batchnorm", "global_avgpool", "mean(axis=0)", "dropout",
     "normalize([0, 0, 0], [1, 1, 1])", "add(1)", "sub(128)", "mul(2)", "pow(2)",
     "add { identity ; identity }", "mul { identity ; identity }"],
)  # fmt: skip
def test_arithmetic_names_to_float(stage: str) -> None:
    with pytest.raises(netdsl.DiagnosticError) as error:
        network(stage)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "wrong-dtype"
    assert "write `to_float` first" in "".join(diagnostic.help)


def test_floats_may_come_of_it_in_other_ways() -> None:
    x = image(2, 3, 4, 5)
    assert torch.equal(both(network("mul(1.0)"), x), x.float())
    assert torch.equal(both(network("div(255)"), x), x / 255)
    assert torch.equal(both(network("greater(127)"), x), x > 127)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_to_float_takes_nothing_else(dtype: str) -> None:
    with pytest.raises(netdsl.DiagnosticError, match="takes uint8"):
        netdsl.loads(f"net A {{\n input x: {dtype} [3, H, W]\n output y = x -> to_float\n}}")


@pytest.mark.parametrize("value", ["256", "-1", "0.5"])
def test_cells_hold_levels_only(value: str) -> None:
    with pytest.raises(netdsl.DiagnosticError):
        network(f"pad(1, value={value})")


def test_a_level_takes_a_byte() -> None:
    bytes_of = {
        kind: memory(netdsl.loads(
            f"net A {{\n input x: {kind} [3, 32, 32]\n output y = x -> permute([0, 2, 1]) -> flatten\n}}"
        ).graph).peak
        for kind in ("uint8", "float32")
    }  # fmt: skip
    assert bytes_of["uint8"]
    assert bytes_of["float32"] == 4 * bytes_of["uint8"]


def test_images_of_all_levels_are_drawn() -> None:
    """Differences are of levels, which do not run over: 0 and 255 are 255 apart."""
    (item,) = network("identity").inputs
    x = random_input(item, {"H": 64, "W": 64}, 1, torch.Generator().manual_seed(0))
    assert x.dtype == torch.uint8
    assert len(x.unique()) == 256
    assert difference(torch.tensor([0, 255], dtype=torch.uint8), torch.tensor([255, 0])) == 1


def test_a_table_of_levels() -> None:
    text = """
    net A {
        input photo: uint8 [3, H, W]
        weight grey: constant uint8 [3, 1, 1] = [118, 117, 104]
        weight frame: uint8 [3, 1, 1] = 7
        output y = max { photo ; grey ; frame }
    }
    """
    net, x = netdsl.loads(text), image(2, 3, 5, 6)
    grey = torch.tensor([118, 117, 104], dtype=torch.uint8).reshape(3, 1, 1)
    assert torch.equal(both(net, x), torch.maximum(x, grey).clamp_min(7))
    assert net.torch(seed=0).state_dict()["frame"].dtype == torch.uint8
    for fill in "256", "-1", "0.5", "normal(0.02)":
        with pytest.raises(netdsl.DiagnosticError):
            netdsl.loads(text.replace("= 7", f"= {fill}"))


def test_half_precision_begins_at_the_image() -> None:
    """The numbers that are made of levels are float16, as those of a float input are."""
    net = network("resize(32) -> crop(16) -> to_float -> conv(8, 3) -> relu")
    module = net.torch(seed=0).eval()
    model = net.onnx(module, half=True)
    kinds = {node.op_type: model for node in model.graph.node}
    assert "Conv" in kinds
    types = {v.name: v.type.tensor_type.elem_type for v in model.graph.value_info}
    for node in model.graph.node:
        if node.op_type in ("Div", "Conv") and node.input[0] in types and "to_float" in node.name:
            assert types[node.output[0]] == 10
    assert {t.data_type for t in model.graph.initializer if "conv" in t.name} == {10}
    x = image(2, 3, 40, 50)
    (wanted,) = outputs(module, [x])
    (found,) = session(model.SerializeToString()).run(None, {"photo": x.numpy()})
    assert 1e-7 < abs(found - wanted).max() < 2e-2
