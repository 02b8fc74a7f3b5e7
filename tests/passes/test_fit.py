"""Networks that take any size: the sizes they promise, and the numbers of padding by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

import netdsl
from netdsl.ir.dim import evaluate
from netdsl.ir.fitting import FitError
from netdsl.ir.verify import verify
from netdsl.lints import WARNINGS
from netdsl.ops.rule import Rulebook
from tests.examples import network as example
from tests.examples import slim
from tests.legal_networks import legal_network
from tests.sampling import some

torch = pytest.importorskip("torch")

from tests.passes import any_size_by_hand as hand  # noqa: E402

if TYPE_CHECKING:
    from torch import nn

EXAMPLES = sorted(p.stem for p in Path("examples").glob("*.net"))
SMALL = """
block Double(channels: int) {
    conv(channels, 3, padding=1) -> relu -> conv(channels, 3, padding=1) -> relu
}

# A U-Net of two steps: sizes are multiples of 4.
net Small {
    input image: [2, H, W]
    fine = image -> Double(4)
    middle = fine -> maxpool(2) -> Double(6)
    deep = middle -> maxpool(2) -> Double(8)
    up = (deep -> upsample(2), middle) -> concat -> Double(6)
    output mask = (up -> upsample(2), fine) -> concat -> Double(4) -> conv(3, 1)
    output score = deep -> global_avgpool -> linear(5)
}
"""
SMALL_PROMISE = hand.Promise(
    hand.multiple(4), {"mask": hand.like_image(3), "score": hand.same(5)}, channels=2
)


QUICK = ("unet16", "yolov8n")
"""Examples that `make test` looks at."""


@cache
def small() -> netdsl.Network:
    return netdsl.loads(SMALL)


def pair(network: netdsl.Network, fitted: netdsl.Network) -> tuple[nn.Module, nn.Module]:
    """The network and the one that takes any size, with the same weights by the same keys."""
    original, module = network.torch(seed=0).eval(), fitted.torch(seed=1).eval()
    module.load_state_dict(original.state_dict(), strict=True)
    return original, module


# --- what is promised of examples -----------------------------------------------------------


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.full) for n in hand.PROMISES])  # fmt: skip
def test_sizes_of_examples(name: str) -> None:
    """Every size from 1 to 300 along each axis gives the shapes that are promised."""
    promise, fitted = hand.PROMISES[name], slim(name).padded()
    with torch.device("meta"):
        module = fitted.torch().eval()
    for sizes in hand.points(name, some(range(1, 301), 97), other=33):
        hand.assert_sizes(module, promise, sizes)
        assert all(
            tuple(evaluate(n, dict(zip(("D", "H", "W")[-len(sizes) :], sizes, strict=True))) for n in o.shape)
            == shape(*sizes)
            for o, shape in zip(fitted.graph.inference_outputs, promise.shapes.values(), strict=True)
        )  # fmt: skip


@pytest.mark.full
@pytest.mark.parametrize("name", hand.PROMISES)
def test_numbers_of_examples(name: str) -> None:
    """Twenty sizes along each axis give the numbers of padding by hand."""
    torch.manual_seed(0)
    original, module = pair(slim(name), slim(name).padded())
    sizes = sorted(Random(name).sample(range(1, 120), 20))
    for point in hand.points(name, sizes, other=21):
        hand.assert_numbers(module, original, hand.PROMISES[name], point, hand.FIXED.get(name, {}))


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.one_in(20)
def test_every_example_is_whole(name: str) -> None:
    """It is a whole graph with the same keys, and the contract says which sizes are left."""
    network = example(name)
    try:
        fitted = network.padded()
    except FitError:
        assert not network.sizes.symbols
        return
    verify(fitted.graph, Rulebook())
    assert fitted.sizes.is_settled
    assert [o.name for o in fitted.outputs] == [o.name for o in network.outputs]
    keys = [[layer.key(w) for layer in n.graph.layers() for w in layer.weights] for n in (network, fitted)]  # fmt: skip
    assert keys[0] == keys[1]
    bounded = {"detr", "bert", "llama"}
    if name not in bounded:
        assert fitted.sizes.accepts(**dict.fromkeys(fitted.graph.symbols, 1))


# --- a small network, in all ways -----------------------------------------------------------


@pytest.mark.parametrize(("fill", "mode"), [("zeros", "constant"), ("reflect", "reflect"), ("edge", "replicate")])  # fmt: skip
def test_numbers_of_a_small_network(fill: str, mode: str) -> None:
    torch.manual_seed(0)
    fitted = small().padded(fill=fill)
    original, module = pair(small(), fitted)
    least = 3 if fill == "reflect" else 1
    says = "any H >= 3, any W >= 3" if least > 1 else "any H, any W"
    assert str(fitted.sizes) == says
    for sizes in [(least, least), (least, 9), (4, 7), (13, 8), (21, 34), (16, 16)]:
        hand.assert_numbers(module, original, SMALL_PROMISE, sizes, {}, mode)


def test_in_the_middle() -> None:
    torch.manual_seed(0)
    original, module = pair(small(), small().padded(align="center"))
    for height, width in [(1, 1), (2, 7), (5, 8), (11, 13)]:
        x = torch.randn(2, 2, height, width)
        above, left = (-height % 4) // 2, (-width % 4) // 2
        sides = (left, -width % 4 - left, above, -height % 4 - above)
        with torch.no_grad():
            mask, score = module(x)
            whole, wanted = original(torch.nn.functional.pad(x, sides))
        torch.testing.assert_close(mask, whole[:, :, above : above + height, left : left + width])
        torch.testing.assert_close(score, wanted)


def test_cropped() -> None:
    torch.manual_seed(0)
    for align in ("corner", "center"):
        fitted = small().padded("crop", align=align)
        assert str(fitted.sizes) == "any H >= 4, any W >= 4"
        original, module = pair(small(), fitted)
        for height, width in [(4, 4), (7, 8), (13, 9)]:
            x = torch.randn(2, 2, height, width)
            top, left = ((height % 4) // 2, (width % 4) // 2) if align == "center" else (0, 0)
            kept = x[:, :, top : top + height // 4 * 4, left : left + width // 4 * 4]
            with torch.no_grad():
                torch.testing.assert_close(tuple(module(x)), tuple(original(kept)))


def test_resized() -> None:
    torch.manual_seed(0)
    interpolate = torch.nn.functional.interpolate
    original, module = pair(small(), small().padded("resize"))
    for height, width in [(1, 3), (4, 8), (7, 13), (18, 5)]:
        x = torch.randn(2, 2, height, width)
        size = (height + -height % 4, width + -width % 4)
        with torch.no_grad():
            mask, score = module(x)
            whole, wanted = original(interpolate(x, size=size, mode="bilinear"))
        back = interpolate(whole, size=(height, width), mode="bilinear")
        torch.testing.assert_close(mask, back)
        torch.testing.assert_close(score, wanted)


def fakes(original: nn.Module) -> dict[str, Callable[[Any], Any]]:
    """Modules that are nearly right, for images whose sizes are no multiples of 4."""
    pad = torch.nn.functional.pad

    def padded(x: Any, sides: tuple[int, int, int, int], at_end: bool = False) -> Any:
        mask, score = original(pad(x, sides))
        h, w = x.shape[-2:]
        return (mask[..., -h:, -w:] if at_end else mask[..., :h, :w]), score

    def right(x: Any) -> tuple[int, int]:
        return -x.shape[-1] % 4, -x.shape[-2] % 4

    return {
        "right": lambda x: padded(x, (0, right(x)[0], 0, right(x)[1])),
        "unchanged": original,
        "one cell too few": lambda x: padded(x, (0, right(x)[0] - 1, 0, right(x)[1] - 1)),
        "a step too many": lambda x: padded(x, (0, right(x)[0] + 4, 0, right(x)[1] + 4)),
        "cut at the wrong side": lambda x: padded(x, (0, right(x)[0], 0, right(x)[1]), True),
        "padded at the wrong side": lambda x: padded(x, (right(x)[0], 0, right(x)[1], 0)),
        "not cut": lambda x: original(pad(x, (0, right(x)[0], 0, right(x)[1]))),
        "axes exchanged": lambda x: padded(x, (0, right(x)[1], 0, right(x)[0])),
    }


def test_fakes_fail() -> None:
    torch.manual_seed(0)
    original = small().torch(seed=0).eval()
    with torch.device("meta"):
        meta = small().torch().eval()
    for name, fake in fakes(original).items():
        if name == "right":
            hand.assert_numbers(fake, original, SMALL_PROMISE, (9, 6), {})  # type: ignore[arg-type]
            continue
        with pytest.raises(AssertionError):
            hand.assert_numbers(fake, original, SMALL_PROMISE, (9, 6), {})  # type: ignore[arg-type]
    for name, fake in fakes(meta).items():
        if name in ("unchanged", "one cell too few", "not cut", "axes exchanged"):
            with pytest.raises(AssertionError):
                hand.assert_sizes(fake, SMALL_PROMISE, (9, 6))  # type: ignore[arg-type]


# --- ONNX -----------------------------------------------------------------------------------


def onnx_differences(
    fitted: netdsl.Network, sizes: list[tuple[int, int]], path: Path
) -> list[float]:
    """What one file of open sizes computes beside PyTorch, at each of these sizes."""
    runtime = pytest.importorskip("onnxruntime")
    module = fitted.torch(seed=0).eval()
    fitted.export(path, module)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    differences: list[float] = []
    for height, width in sizes:
        x = torch.randn(2, int(fitted.inputs[0].shape[0]), height, width)  # type: ignore[arg-type]
        results = session.run(None, {fitted.inputs[0].name: x.numpy()})
        with torch.no_grad():
            wanted = hand.outputs_of(module(x))
        for result, one in zip(results, wanted, strict=True):
            assert result.shape == tuple(one.shape)
            differences.append(float(abs(torch.from_numpy(result) - one).max()))
    return differences


WAYS = [
    ("pad", "zeros", "corner"),
    ("pad", "reflect", "center"),
    ("pad", "edge", "corner"),
    ("crop", "zeros", "center"),
    ("resize", "zeros", "corner"),
]


@pytest.mark.parametrize(("how", "fill", "align"), WAYS)
def test_onnx(how: str, fill: str, align: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    fitted = small().padded(how, fill=fill, align=align)
    sizes = [(n, m) for n, m in [(1, 1), (4, 8), (5, 9), (6, 31), (23, 17)] if fitted.sizes.accepts(H=n, W=m)]  # fmt: skip
    assert len(sizes) > 3
    assert max(onnx_differences(fitted, sizes, tmp_path / "net.onnx")) < 1e-5


@pytest.mark.full
def test_the_mask_of_a_photo(tmp_path: Path) -> None:
    """The U-Net of 16 takes 500x375, in PyTorch and in one file of open sizes."""
    torch.manual_seed(0)
    fitted = example("unet16").padded()
    with torch.no_grad():
        assert fitted.torch(seed=0).eval()(torch.randn(1, 1, 500, 375)).shape == (1, 2, 500, 375)
    sizes = [(500, 375), (1, 1), (33, 48)]
    assert max(onnx_differences(fitted, sizes, tmp_path / "unet.onnx")) < 1e-4


# --- other contracts ------------------------------------------------------------------------

STEP = "add { identity ; maxpool(4) -> upsample(4) }"
OTHERS = {
    "one size for both axes": (f"input x: [3, H, H]; output y = x -> {STEP}", "any H"),
    "axes that must be equal": (
        f"input x: [3, H, W]; output y = (x, x -> permute([0, 2, 1])) -> add -> {STEP}",
        "any H, any W",
    ),
    "two inputs of one size": (
        f"input x: [3, H, W]; input z: [3, H, W]; output y = (x, z) -> add -> {STEP}",
        "any H, any W",
    ),
    "two inputs of sizes that must be equal": (
        f"input x: [3, H, W]; input z: [2, P, Q]; output y = (x, z) -> concat -> {STEP}",
        "any H, any W, any P, any Q",
    ),
    "an input of half the size": (
        f"input x: [3, H, W]; input z: [3, H // 2, W // 2]; output y = (x -> maxpool(2), z) -> add -> {STEP}",
        "any H >= 2, any W >= 2",
    ),
    "an upper bound": (
        f"input x: [3, H, W] where H % 4 == 0, W % 4 == 0, H <= 64; output y = x -> {STEP}",
        "H from 1 to 64, any W",
    ),
    "few sizes": (
        "input x: [3, H, W] where H % 7 == 3, H <= 50, W > 4; output y = x -> conv(2, 3, padding=1)",
        "H from 1 to 45, any W",
    ),
    "odd sizes": (
        "input x: [3, H, W] where H % 2 == 1; output y = x -> conv(2, 3, stride=2, padding=1)",
        "any H, any W",
    ),
    "channels last": (
        f"input x: [H, W, 3]; output y = x -> permute([2, 0, 1]) -> {STEP}",
        "any H, any W",
    ),
    "numbers of cells": (
        f"input x: [3, H, W]; output y = x -> {STEP} -> argmax(axis=0)",
        "any H, any W",
    ),
    "sizes that the file computes with": (
        "input x: [3, H, W] where H % 8 == 0; z = x -> conv(8, 3, stride=2, padding=1) "
        "-> [8, H / 2, (W + 1) // 2]; output y = z -> upsample(size=(H, W)) ; output half = z",
        "any H, any W",
    ),
    "a shared layer": (
        f"input x: [3, H, W]; layer c = conv(3, 3, padding=1); output y = x -> c -> {STEP} -> c",
        "any H, any W",
    ),
    "a volume": (f"input x: [3, D, H, W]; output y = x -> {STEP}", "any D, any H, any W"),
    "a sound": (f"input x: [3, L]; output y = x -> {STEP}", "any L"),
    "five axes": (
        f"input x: [6, H, W]; output y = x -> {STEP} -> reshape([2, 3, 1, H, W])",
        "any H, any W",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_contracts(name: str) -> None:
    """Outputs that are as large as the input stay so; accepted sizes give the same numbers."""
    body, says = OTHERS[name]
    network = netdsl.loads(f"net A {{ {body} }}".replace("; ", "\n"), allow=WARNINGS)
    fitted = network.padded()
    verify(fitted.graph, Rulebook())
    assert str(fitted.sizes) == says
    original, module = pair(network, fitted)
    random = Random(name)
    for _ in range(30):
        point = {symbol: random.randint(1, 24) for symbol in fitted.sizes.symbols}
        if not fitted.sizes.accepts(**point):
            continue
        shapes = [[evaluate(n, point) for n in item.shape] for item in fitted.inputs]
        inputs = [torch.randn(2, *shape) for shape in shapes]
        with torch.no_grad():
            results = hand.outputs_of(module(*inputs))
        wanted = [tuple(evaluate(n, point) for n in o.shape) for o in fitted.outputs]
        assert [tuple(r.shape[1:]) for r in results] == wanted
        if network.outputs[0].shape[-1] == network.inputs[0].shape[-1]:
            assert results[0].shape[-1] == inputs[0].shape[-1]
        if network.sizes.accepts(**point):
            with torch.no_grad():
                torch.testing.assert_close(results, hand.outputs_of(original(*inputs)))


@pytest.mark.parametrize("seed", range(120))
@pytest.mark.one_in(30)
def test_random_networks(seed: int) -> None:
    """The contract is right, sizes go to the nearest that works, accepted ones stay as they are."""
    network = netdsl.loads(legal_network(seed, symbolic=True), allow=WARNINGS)
    random = Random(seed)
    how, fill, align = random.choice(WAYS)
    try:
        fitted = network.padded(how, fill=fill, align=align)
    except FitError:
        return
    verify(fitted.graph, Rulebook())
    rule = network.fitting(how, fill, align)
    original, module = pair(network, fitted)
    for _ in range(12):
        point = {symbol: random.randint(1, 40) for symbol in fitted.sizes.symbols}
        if not fitted.sizes.accepts(**point):
            continue
        near = network.sizes.nearest(**point)
        nearest = near.down if how == "crop" else near.up
        assert nearest is not None
        given = {name: evaluate(size, point) for name, size in rule.sizes.items()}
        assert network.sizes.accepts(**given)
        distance = sum(abs(given[name] - point[name]) for name in point)
        assert distance == sum(abs(nearest[name] - point[name]) for name in point)
        shapes = [[evaluate(n, point) for n in item.shape] for item in fitted.inputs]
        inputs = [torch.randn(2, *shape) for shape in shapes]
        with torch.no_grad():
            results = hand.outputs_of(module(*inputs))
        wanted = [
            tuple(evaluate(n, point) for n in o.shape) for o in fitted.graph.inference_outputs
        ]
        assert [tuple(r.shape[1:]) for r in results] == wanted
        if network.sizes.accepts(**point):
            with torch.no_grad():
                same = hand.outputs_of(original(*inputs))
            torch.testing.assert_close(results, same, equal_nan=True)


def test_maps_one_below_the_other_are_not_cut() -> None:
    """Their added cells lie between them, so that the first cells are not those of the image."""
    network = netdsl.loads(f"net A {{ input x: [3, H, W]\n z = x -> {STEP}\n output y = (z, z) -> concat(axis=1) -> relu }}")  # fmt: skip
    fitted = network.padded()
    assert [str(n) for n in fitted.outputs[0].shape] == ["3", "8*floor((H + 3)/4)", "4*floor((W + 3)/4)"]  # fmt: skip
    assert "along one axis" in network.fitting().remarks[0]
    beside = netdsl.loads(f"net A {{ input x: [3, H, W]\n z = x -> {STEP}\n output y = (z, z) -> concat -> relu }}")  # fmt: skip
    assert [str(n) for n in beside.padded().outputs[0].shape] == ["6", "H", "W"]


MOVED = {
    "z -> slice(1, H // 2)": None,
    "z -> split(2, axis=1) -> concat": None,
    "z -> center_crop((H // 2, W))": None,
    "z -> pad(2, mode=circular)": None,
    "z -> slice(1, 2)": "max(1, H - 2)",
    "z -> slice(1, 0, H // 2)": "floor((H + 1)/2)",
    "z -> pad(2)": "H + 4",
}


@pytest.mark.parametrize("chain", MOVED)
def test_a_part_that_begins_elsewhere_is_not_cut(chain: str) -> None:
    """What stands at the first cells of a map has to be the same at every size of the image."""
    text = f"net A {{ input x: [3, H, W]\n z = x -> {STEP}\n output y = {chain} }}"
    cut = netdsl.loads(text).fitting().cuts[0][1]
    assert (cut and str(cut.length)) == MOVED[chain]


# --- what is refused ------------------------------------------------------------------------

REFUSED = {
    "input x: [3, 32, 32]; output y = x -> relu": "the sizes of this network are fixed",
    "input x: [3, H, W] where H + W == 100; output y = x -> relu": "bound to each other",
    "input t: int64 [T] where T % 7 == 3; output y = t -> embedding(9, 3)": "0 may mean something",
    "input x: [3, H, W] where H % 4 == 0, H < 90; input z: [3, 100 - H, W]; output y = x -> relu; output u = z -> relu": "do not work here",
    "input t: [T, 8] where T % 7 == 3; output y = t -> linear(3)": "none of a map",
}


@pytest.mark.parametrize("body", REFUSED)
def test_refused(body: str) -> None:
    network = netdsl.loads(f"net A {{ {body} }}".replace("; ", "\n"), allow=WARNINGS)
    with pytest.raises(FitError, match=REFUSED[body]):
        network.padded()


@pytest.mark.full
def test_beyond_the_solver() -> None:
    with pytest.raises(
        FitError, match=r"std/yolo.net:\d+:\d+: whether the sizes that `crop` gives"
    ):
        example("yolov8n").padded("crop")


def test_wrong_words() -> None:
    for words in {"how": "stretch"}, {"fill": "ones"}, {"align": "left"}:
        with pytest.raises(FitError, match="is none of"):
            small().padded(**words)  # type: ignore[arg-type]


# --- a network like any other ---------------------------------------------------------------


def test_it_is_left_as_it_was() -> None:
    before = small().torch_source()
    small().padded()
    assert small().torch_source() == before
    assert str(small().sizes) == "H and W multiples of 4"


def test_padded_twice() -> None:
    fitted = small().padded()
    assert fitted.padded().torch_source() == fitted.torch_source()


def test_a_network_that_takes_any_size() -> None:
    network = example("fpn")
    assert network.padded().torch_source() == network.torch_source()


def test_source() -> None:
    source = small().padded().torch_source()
    assert "padded = F.pad(image, (0, -image.shape[-1] % 4, 0, -image.shape[-2] % 4))" in source
    assert "[:, :, : image.shape[-2], : image.shape[-1]]" in source


@pytest.mark.parametrize("level", ["blocks", "layers", "volumes", "neurons", "field"])
@pytest.mark.one_in(5)
def test_pictures(level: str, tmp_path: Path) -> None:
    fitted = small().padded()
    try:
        fitted.draw(tmp_path / "net.svg", level=level)  # type: ignore[arg-type]
    except Exception as error:
        with pytest.raises(type(error)):  # what can't be drawn of the network itself
            small().draw(tmp_path / "net.svg", level=level)  # type: ignore[arg-type]


def test_summary() -> None:
    fitted = small().padded()
    assert fitted.parameters == small().parameters
    rows = [row.path for row in fitted.summary().rows]
    assert rows[0] == "pad_image"
    assert rows[-1] == "crop_mask"


def test_training_heads_are_cut_too() -> None:
    text = "net A {\n input x: [3, H, W]\n z = x -> add { identity ; maxpool(4) -> upsample(4) }\n output y = z -> conv(2, 1)\n output aux = z -> conv(2, 1) when training\n}"
    fitted = netdsl.loads(text).padded()
    result = fitted.torch().train()(torch.randn(2, 3, 9, 6))
    assert [tuple(part.shape) for part in result] == [(2, 2, 9, 6)] * 2


def test_an_imported_module() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, x: Any) -> Any:
            x = self.conv(x)
            y = torch.nn.functional.max_pool2d(x, 4)
            return x + torch.nn.functional.interpolate(y, scale_factor=4.0)

    torch.manual_seed(0)
    net = Net().eval()
    network = netdsl.from_torch(net, {"x": (3, "H", "W")})
    module = network.padded().torch().eval()
    x = torch.randn(2, 3, 10, 7)
    with torch.no_grad():
        wanted = net(torch.nn.functional.pad(x, (0, 1, 0, 2)))[:, :, :10, :7]
        torch.testing.assert_close(module(x), wanted)
