"""Whole networks: the examples and generated ones, at many sizes, in two runtimes."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

import netdsl
from netdsl.lints import WARNINGS
from tests.legal_networks import legal_network

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import (  # noqa: E402
    apart,
    check_file,
    difference,
    outputs,
    restless,
    session,
)
from tests.examples import NAMES, affordable, random_inputs, slim  # noqa: E402
from tests.examples import network as load  # noqa: E402
from tests.sampling import FULL  # noqa: E402

SIZES = 10 if FULL else 3
GENERATED = 400 if FULL else 40
OPSETS = {"googlenet", "upsample_any", "sppnet", "mobilenet_v2"}
CLOSE = {"upsample_any": 5e-5}  # both reckon the places between cells in single precision


def points(
    network: netdsl.Network, count: int, draw: Random, most: int = 150
) -> list[dict[str, int]]:
    """Sizes of the contract: the smallest, then odd ones and others that are not square."""
    symbols = network.sizes.symbols
    if not symbols:
        return [{}]
    found = [network.sizes.smallest() or {}]
    for _ in range(count - 1):
        wanted = {name: draw.randint(1, most) for name in symbols}
        found.append(network.sizes.nearest(**wanted).closest or {})
    return found


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", NAMES)
def test_examples(name: str, tmp_path: Path) -> None:
    network = slim(name)
    torch.manual_seed(1)
    module = restless(network.torch(seed=1))
    path = tmp_path / "a.onnx"
    assert network.export(path, module) == [path]
    check_file(onnx.load(path))
    running = session(path)
    for sizes in points(network, SIZES, Random(name), affordable(network, 150)):
        for batch in (1, 3):
            found = difference(running, network, module, sizes, batch)
            assert found < CLOSE.get(name, 1e-5), (sizes, batch)


@pytest.mark.parametrize("seed", range(GENERATED))
def test_generated_networks(seed: int) -> None:
    network = netdsl.loads(legal_network(seed, symbolic=seed % 4 > 0), allow=WARNINGS)
    torch.manual_seed(seed)
    module = restless(network.torch(seed=seed))
    model = network.onnx(module)
    check_file(model)
    running = session(model.SerializeToString())
    draw = Random(seed)
    for sizes in points(network, 4, draw, most=40):
        inputs = random_inputs(network, sizes, draw.choice([1, 3]))
        names = [item.name for item in network.inputs]
        ours = running.run(None, dict(zip(names, (x.numpy() for x in inputs), strict=True)))
        for theirs, found in zip(outputs(module, inputs), ours, strict=True):
            assert apart(theirs, found, 1.0) < 1e-4, sizes


@pytest.mark.parametrize("levels", ["[1, 2, 4]", "[1, 2, 3, 6]", "[5]", "[4, 4]", "[1]"])
@pytest.mark.parametrize("mode", ["max", "avg"])
def test_spp_at_every_size(levels: str, mode: str) -> None:
    """Bit-equal for the maximum, sizes from 1 to 70."""
    text = f"net A {{ input x: [3, H, W]; output y = x -> spp({levels}, mode={mode}) }}"
    network = netdsl.loads(text)
    module = network.torch(seed=0).eval()
    running = session(network.onnx(module).SerializeToString())
    draw = Random(levels)
    for height in range(1, 71):
        for width in {1, height, draw.randint(1, 70)} if not FULL else range(1, 71):
            found = difference(running, network, module, {"H": height, "W": width}, 2)
            assert found <= (0 if mode == "max" else 1e-5), (height, width)


def test_nearest_at_every_pair_of_sizes() -> None:
    text = "net A { input x: [1, H]; input z: [1, W]; output y = x -> upsample(size=z) }"
    network = netdsl.loads(text)
    module = network.torch(seed=0)
    running = session(network.onnx(module).SerializeToString())
    for height in range(1, 128, 1 if FULL else 3):
        for width in range(1, 128, 1 if FULL else 5):
            sizes = {"H": height, "W": width}
            assert difference(running, network, module, sizes, 1) == 0, sizes


@pytest.mark.parametrize("factor", range(1, 18))
def test_nearest_by_whole_factors(factor: int) -> None:
    network = netdsl.loads(
        f"net A {{ input x: [1, H]; output y = x -> upsample({factor}) -> relu }}"
    )
    module = network.torch(seed=0)
    running = session(network.onnx(module).SerializeToString())
    for height in (*range(1, 40), 127, 640, 1023, 4096):
        assert difference(running, network, module, {"H": height}, 1) == 0, height


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_window_attention_at_every_size(shift: int) -> None:
    network = netdsl.loads(
        f"net A {{ input x: [H, W, 8]; output y = x -> window_attention(2, 4, shift={shift}) }}"
    )
    module = restless(network.torch(seed=0))
    running = session(network.onnx(module).SerializeToString())
    for height in range(1, 14):
        for width in (1, 3, 4, 5, 8, 11):
            found = difference(running, network, module, {"H": height, "W": width}, 2)
            assert found < 1e-5, (height, width)


@pytest.mark.parametrize("name", ["googlenet", "unet16", "sppnet", "upsample_any", "lenet"])
def test_half_precision(name: str) -> None:
    network = load(name)
    module = network.torch(seed=0).eval()
    model = network.onnx(module, half=True)
    onnx.checker.check_model(model, full_check=True)
    running = session(model.SerializeToString())
    for sizes in points(network, 3, Random(name)):
        assert difference(running, network, module, sizes, 2) < 1e-2


@pytest.mark.parametrize("name", ["bert", "crnn", "llama", "swin_v2_t"])
def test_half_precision_of_attention_and_recurrence(name: str) -> None:
    """Masks of minus infinity, and cosines of cells that are all zero in the padding."""
    network = slim(name)
    module = network.torch(seed=0).eval()
    running = session(network.onnx(module, half=True).SerializeToString())
    torch.manual_seed(0)  # one in some hundred inputs of few cells loses more in half precision
    for sizes in points(network, 3, Random(name), affordable(network, 100)):
        assert difference(running, network, module, sizes, 2) < 3e-2


@pytest.mark.in_turn("name")
@pytest.mark.parametrize("opset", [18, 19, 20, 21, 22, 23, 24])
@pytest.mark.parametrize("name", sorted(OPSETS))
def test_opsets(name: str, opset: int) -> None:
    network = load(name)
    module = network.torch(seed=0).eval()
    model = network.onnx(module, opset=opset)
    assert model.opset_import[0].version == opset
    check_file(model)
    running = session(model.SerializeToString())
    for sizes in points(network, 2, Random(name)):
        assert difference(running, network, module, sizes, 2) < CLOSE.get(name, 1e-5)


@pytest.mark.parametrize("name", ["unet16", "hourglass", "googlenet", "sppnet"])
def test_a_guard_fails_outside_of_the_contract(name: str) -> None:
    network = load(name)
    module = network.torch(seed=0).eval()
    running = session(network.onnx(module, guard=True).SerializeToString())
    draw = Random(name)
    refused = 0
    for sizes in points(network, 3, draw):
        assert difference(running, network, module, sizes, 1) < 1e-5
    for _ in range(40):
        sizes = {symbol: draw.randint(1, 70) for symbol in network.sizes.symbols}
        if network.sizes.accepts(**sizes):
            continue
        refused += 1
        with pytest.raises(Exception, match=r"out of data bounds"):
            running.run(None, {"image": random_inputs(network, sizes, 1)[0].numpy()})
    assert refused


def test_a_fixed_batch_and_fixed_sizes() -> None:
    network = netdsl.load("examples/unet.net", sizes={"H": 48, "W": 40})
    model = network.onnx(batch=2)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        assert all(d.HasField("dim_value") for d in value.type.tensor_type.shape.dim), value.name
    assert not any(node.op_type == "Shape" for node in model.graph.node)
    found = session(model.SerializeToString()).run(
        None, {"image": random_inputs(network, {}, 2)[0].numpy()}
    )
    assert found[0].shape[0] == 2


def test_every_value_says_its_shape() -> None:
    network = load("googlenet")
    model = network.onnx()
    said = {v.name for v in (*model.graph.value_info, *model.graph.output)}
    assert {name for node in model.graph.node for name in node.output} == said
    image, logits = model.graph.input[0], model.graph.output[0]
    shapes = [
        [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in (image, logits)
    ]
    assert shapes == [["N", 3, "H", "W"], ["N", 1000]]
    inception = next(v for v in model.graph.value_info if v.name == "inception5b.branch1.conv")
    dims = [d.dim_param or d.dim_value for d in inception.type.tensor_type.shape.dim]
    assert dims == ["N", 384, "floor((H + 17)/32)", "floor((W + 17)/32)"]


def test_initializers_are_called_by_their_keys() -> None:
    network = load("googlenet")
    state = network.torch(seed=0).state_dict()
    names = {tensor.name for tensor in network.onnx().graph.initializer}
    keys = {k for k in state if not k.startswith("aux") and "num_batches" not in k}
    assert keys <= names


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", ["googlenet", "sppnet", "unet16", "upsample_any", "yolov3_spp"])
def test_a_second_runtime(name: str, tmp_path: Path) -> None:
    """OpenVINO where it is there, else onnx's own evaluator at small sizes."""
    network = load(name)
    module = restless(network.torch(seed=0))
    path = tmp_path / "a.onnx"
    network.export(path, module)
    run = second_runtime(path)
    for sizes in points(network, 2, Random(name))[:2]:
        inputs = random_inputs(network, sizes, 1)
        names = [item.name for item in network.inputs]
        found = run(dict(zip(names, (x.numpy() for x in inputs), strict=True)))
        for theirs, ours in zip(outputs(module, inputs), found, strict=True):
            assert apart(theirs, ours) < 1e-4, sizes


def second_runtime(path: Path) -> Any:
    try:
        import openvino
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(str(path))
        return lambda feeds: evaluator.run(None, feeds)
    core = openvino.Core()
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(str(path)), "CPU", precise)
    return lambda feeds: list(compiled(feeds).values())
