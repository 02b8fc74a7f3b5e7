"""A shared layer computes in every use what PyTorch computes there, or it is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import netdsl
from tests.elaborate.compile_text import errors_of

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import apart, outputs, session  # noqa: E402

F = torch.nn.functional

Function = Callable[[Any], Any]

MAP, SEQUENCE, VECTOR, VOLUME = [4, 6, 8], [6, 4], [6], [4, 3, 6, 8]

LAYERS: dict[str, tuple[list[list[int]], Function]] = {
    "maxpool(2)": ([[3, 6, 4], [3, 6]], lambda x: _pool(F.max_pool1d, F.max_pool2d, x)),
    "avgpool(2)": ([[3, 6], [3, 6, 4]], lambda x: _pool(F.avg_pool1d, F.avg_pool2d, x)),
    "lppool(2, 2)": ([[3, 6], [3, 6, 4]], lambda x: _pow_pool(x)),
    "adaptive_avgpool(2)": ([[3, 6, 4], [3, 6]],
                            lambda x: _adaptive("avg", x)),
    "adaptive_maxpool(2)": ([[3, 6, 4], [3, 6]],
                            lambda x: _adaptive("max", x)),
    "global_avgpool": ([MAP, SEQUENCE], lambda x: x.flatten(2).mean(2)),
    "global_maxpool": ([SEQUENCE, MAP], lambda x: x.flatten(2).amax(2)),
    "softmax(axis=-1)": ([MAP, SEQUENCE, VECTOR], lambda x: x.softmax(-1)),
    "log_softmax(axis=-1)": ([VECTOR, MAP], lambda x: x.log_softmax(-1)),
    "softmax": ([VECTOR, MAP], lambda x: x.softmax(1)),
    "instancenorm": ([MAP, SEQUENCE, VOLUME], lambda x: F.instance_norm(x)),
    "batchnorm(affine=false, track=false)": ([MAP, VOLUME, SEQUENCE], lambda x: F.batch_norm(
        x, None, None, training=True)),
    "normalize([0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, 4.0])": ([MAP, VOLUME], lambda x: _normal(x)),
    "lrn(3)": ([MAP, VOLUME], lambda x: F.local_response_norm(x, 3)),
    "upsample(2)": ([SEQUENCE, MAP], lambda x: F.interpolate(x, scale_factor=2)),
    "pad(1)": ([MAP, SEQUENCE], lambda x: F.pad(x, (1, 1) * (x.ndim - 2))),
    "pad(1, mode=replicate)": ([SEQUENCE, MAP], lambda x: F.pad(x, (1, 1) * (x.ndim - 2),
                                                                mode="replicate")),
    "crop(2, offset=1)": ([MAP, SEQUENCE], lambda x: _cut(x)),
    "center_crop(2)": ([[3, 8, 6], [3, 6, 4], [3, 8]], lambda x: _center(x)),
    "slice(-1, 1, 3)": ([VECTOR, MAP, SEQUENCE], lambda x: x[..., 1:3]),
    "split(2, axis=-1) -> add": ([SEQUENCE, MAP], lambda x: sum(x.chunk(2, -1))),
    "global_avgpool -> relu": ([SEQUENCE, MAP], lambda x: x.flatten(2).mean(2).relu()),
    "flatten": ([MAP, SEQUENCE], lambda x: x.flatten(1)),
    "channel_shuffle(2)": ([MAP, SEQUENCE], lambda x: F.channel_shuffle(x, 2)),
    "relu": ([MAP, VECTOR], lambda x: x.relu()),
    "concat(axis=-1)": ([MAP, SEQUENCE, VECTOR], lambda x: x),
    "dropout": ([MAP, VECTOR], lambda x: x),
    "mul(0.5)": ([MAP, VECTOR], lambda x: x * 0.5),
    "mul([1, 2, 3, 4])": ([MAP, VOLUME], lambda x: x * _channels(x, 1, 2, 3, 4)),
    "mean(axis=-1)": ([MAP, SEQUENCE, VECTOR], lambda x: x.mean(-1)),
    "max(axis=0, keep=true)": ([SEQUENCE, MAP], lambda x: x.amax(1, keepdim=True)),
    "norm(axis=[0, 1])": ([SEQUENCE, MAP], lambda x: (x * x).sum((1, 2)).sqrt()),
    "cumsum(axis=-1)": ([MAP, VECTOR], lambda x: x.cumsum(-1)),
    "layernorm(affine=false)": ([MAP, [3, 8]], lambda x: F.layer_norm(x, x.shape[-1:])),
    "rmsnorm(axis=0, affine=false)": ([MAP, [4, 5]], lambda x: x / (x.pow(2).mean(1, True) + 2**-23).sqrt()),
    "channel_dropout": ([MAP, SEQUENCE], lambda x: x),
}  # fmt: skip


def _pool(one: Function, two: Function, x: Any) -> Any:
    pool: Any = {1: one, 2: two}[x.ndim - 2]
    return pool(x, 2)


def _channels(x: Any, *numbers: float) -> Any:
    return torch.tensor(numbers).view(-1, *(1 for _ in x.shape[2:]))


def _pow_pool(x: Any) -> Any:
    for axis in range(2, x.ndim):
        x = x.unfold(axis, 2, 2).square().sum(-1) if axis == 2 else x.unfold(axis, 2, 2).sum(-1)
    return x.sqrt()


def _adaptive(kind: str, x: Any) -> Any:
    return getattr(F, f"adaptive_{kind}_pool{x.ndim - 2}d")(x, 2)


def _normal(x: Any) -> Any:
    mean, std = torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([1.0, 2.0, 3.0, 4.0])
    return ((x.movedim(1, -1) - mean) / std).movedim(-1, 1)


def _cut(x: Any) -> Any:
    for axis in range(2, x.ndim):
        x = x.narrow(axis, 1, 2)
    return x


def _center(x: Any) -> Any:
    for axis in range(2, x.ndim):
        x = x.narrow(axis, (x.shape[axis] - 2) // 2, 2)
    return x


def several_uses(layer: str, shapes: list[list[int]], before: str = "") -> str:
    """A net that gives each input to one shared layer."""
    inputs = [f"    input x{i}: {shape}" for i, shape in enumerate(shapes)]
    outputs = [f"    output y{i} = x{i} -> e" for i in range(len(shapes))]
    body = "\n".join([*inputs, f"    layer e = {layer}", *outputs])
    return f"{before}\nnet Several {{\n{body}\n}}\n"


def run_both(text: str, inputs: list[Any]) -> tuple[list[Any], list[Any]]:
    """The outputs of our source and those of ONNX Runtime."""
    network = netdsl.loads(text)
    module = network.torch(seed=0).eval()
    given = {item.name: x.numpy() for item, x in zip(network.inputs, inputs, strict=True)}
    running = session(network.onnx(module).SerializeToString())
    return outputs(module, inputs), running.run(None, given)


def check_uses(text: str, shapes: list[list[int]], expected: Function) -> None:
    """Every output is that of PyTorch, in our source and in ONNX Runtime."""
    torch.manual_seed(0)
    inputs = [torch.randn(2, *shape) for shape in shapes]
    ours, runtimes = run_both(text, inputs)
    for mine, other, x in zip(ours, runtimes, inputs, strict=True):
        assert apart(mine, expected(x)) < 1e-5
        assert apart(other, expected(x)) < 1e-5


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if "->" not in layer])
def test_a_layer_without_weights_fits_every_use(layer: str) -> None:
    shapes, expected = LAYERS[layer]
    check_uses(several_uses(layer, shapes), shapes, expected)
    check_uses(several_uses(layer, shapes[::-1]), shapes[::-1], expected)


@pytest.mark.parametrize("layer", LAYERS)
def test_so_does_a_block_without_weights(layer: str) -> None:
    shapes, expected = LAYERS[layer]
    before = f"block Part {{ tanh -> {layer} }}"
    check_uses(several_uses("Part", shapes, before), shapes, lambda x: expected(x.tanh()))


@pytest.mark.parametrize(
    ("layer", "first", "second", "why"),
    [
        ("batchnorm", MAP, [4, 6], "`batchnorm` at [4, 6] is not in PyTorch what it is at [4, 6, 8]"),
        ("instancenorm(affine=true)", MAP, [4, 6], "is not in PyTorch what it is"),
        ("layernorm(axis=channels)", [6, 4], [6], "is not in PyTorch what it is"),
        ("conv(4, 1)", MAP, [4, 8], "`weight` of `conv` is [4, 4, 1] here and [4, 4, 1, 1] there"),
        ("Part", [5, 6], [6], "`softmax` at [3] is not in PyTorch what it is at [5, 3]"),
        ("Turn", [3, 4, 4], [3, 8, 8], "its layers are connected otherwise"),
        ("Named", [3, 4, 4], [3, 8, 8], "other layers run in it"),
        ("Middle", [3, 12, 12], [3, 6, 6], "`center_crop` at [3, 6, 6]"),
    ],
)  # fmt: skip
def test_what_holds_weights_must_be_one_module(
    layer: str, first: list[int], second: list[int], why: str
) -> None:
    before = """
block Part { linear(3) -> softmax(axis=-1) }
block Turn { a = relu
    b = in -> conv(3, 1)
    if in.height > 5 { (a, b) -> sub } else { (b, a) -> sub } }
block Named { if in.height > 5 { a: conv(3, 1) } else { b: conv(3, 1) } }
block Middle { conv(3, 1) -> center_crop(2) }
"""
    text = several_uses(layer, [first, second], before)
    assert errors_of(text) == [f"shared-differs {text.count(chr(10)) - 1}:23"]
    with pytest.raises(netdsl.DiagnosticError, match="shared-differs") as caught:
        netdsl.loads(text)
    (diagnostic,) = caught.value.diagnostics
    assert why in diagnostic.notes[0]
    assert diagnostic.secondary[0].span.line == text.count("\n") - 2


def test_a_value_given_twice_at_first() -> None:
    text = """
block Join(c: int) (x, skip) { (x -> upsample(size=skip), skip) -> concat -> conv(c, 1) }
net A {
    input a: [3, 4, 4]
    input b: [3, 8, 8]
    layer j = Join(4)
    output p = (b, b) -> j
    output q = (a, b) -> j
    output r = (a, a) -> j
}
"""
    torch.manual_seed(0)
    a, b = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 8, 8)
    module: Any = netdsl.loads(text).torch(seed=0)
    wide = F.interpolate(a, size=(8, 8))
    expected = [module.j.conv1(torch.cat(pair, 1)) for pair in ((b, b), (wide, b), (a, a))]
    for found in run_both(text, [a, b]):
        assert max(map(apart, found, (e.detach() for e in expected))) < 1e-5


def test_a_value_from_outside_that_comes_in_at_first() -> None:
    text = """
block Fit(fit: layer) { conv(3, 1) -> fit -> relu }
net A {
    input a: [3, 8, 8]
    input b: [3, 4, 4]
    layer f = Fit(upsample(size=a))
    output p = a -> f
    output q = b -> f
}
"""
    torch.manual_seed(0)
    a, b = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 4, 4)
    module: Any = netdsl.loads(text).torch(seed=0)
    conv = module.f.conv1
    expected = [F.interpolate(conv(x), size=(8, 8)).relu().detach() for x in (a, b)]
    for found in run_both(text, [a, b]):
        assert max(map(apart, found, expected)) < 1e-5


def test_a_size_read_off_an_axis_is_right_at_every_use() -> None:
    text = """
block B { conv(3, 1) -> pad(1) -> crop(size=in) }
net A {
    input a: [3, H, H]
    input b: [3, H, W]
    layer j = B
    output p = a -> j
    output q = b -> j
    output r = a -> maxpool(2) -> j
}
"""
    a, b = torch.randn(2, 3, 6, 6), torch.randn(2, 3, 6, 9)
    module: Any = netdsl.loads(text).torch(seed=0)
    conv = module.j.conv1
    padded = (F.pad(conv(x), (1, 1, 1, 1)) for x in (a, b, F.max_pool2d(a, 2)))
    expected = [p[:, :, :-2, :-2].detach() for p in padded]
    for found in run_both(text, [a, b]):
        assert max(map(apart, found, expected)) < 1e-5


def test_modules_of_one_shared_layer_have_names_of_their_own() -> None:
    """They take no place, so that the keys after them stay."""
    text = """
net A {
    input a: [3, 6, 4]
    input b: [3, 6]
    output y = a -> f: {
        layer e = maxpool(2)
        p = a -> e
        q = b -> e -> global_avgpool
        r = b -> e -> global_avgpool
        e_2 = p -> global_avgpool
        (q, r, e_2) -> concat -> e_3: linear(2)
    }
}
"""
    network = netdsl.loads(text)
    assert [n.path for n in network.graph.nodes()] == [
        "f.e", "f.e_2", "f.1", "f.e_2", "f.2", "f.3", "f.4", "f.e_3",
    ]  # fmt: skip
    assert re.findall(r"self\.(e\w*) = nn\.(\w+)", network.torch_source()) == [
        ("e", "MaxPool2d"), ("e_2", "MaxPool1d"), ("e_3", "Linear"),
    ]  # fmt: skip


def test_repeated_blocks_share_a_class_only_where_they_compute_alike() -> None:
    """A class for each rank and setting, and one where these are equal."""
    text = """
block B { linear(3) -> softmax(axis=-1) -> slice(-1, 0, 2) }
net A {
    input a: [5, 6]
    input b: [6]
    output p = a -> B -> relu
    output q = b -> B -> relu
    output r = b -> B
}
"""
    a, b = torch.randn(2, 5, 6), torch.randn(2, 6)
    network = netdsl.loads(text)
    module: Any = network.torch(seed=0)
    parts = (module.b1.linear1(a), module.b2.linear1(b), module.b3.linear1(b))
    expected = [part.softmax(-1)[..., :2].detach() for part in parts]
    for found in run_both(text, [a, b]):
        assert max(map(apart, found, expected)) < 1e-5
    assert type(module.b2) is type(module.b3) is not type(module.b1)


# --- numbers that differ between the uses of a block -------------------------------------------

NUMBERS = """
block Scaled(alpha: float, c: int = 4) {
    add { identity ; conv(c, 3, padding=1) -> mul(alpha / 2) } -> clamp(-alpha, high=3 * alpha)
        -> scale: { down: mul(alpha) -> shift: add(0.5) } -> "odd name": sub(alpha) -> pow(2)
}
net Numbers {
    input x: [4, H, W]
    output y = x -> Scaled(0.1) -> a: Scaled(0.25) -> Scaled(2) -> b: { Scaled(0.1) -> Scaled(4) }
}
"""


def test_blocks_whose_numbers_differ_are_one_class() -> None:
    """All but those under a name that Python would not take."""
    text = NUMBERS.replace('"odd name": sub(alpha) -> ', "")
    source = netdsl.loads(text).torch_source()
    assert source.count("class Scaled") == 1
    assert "self.mul1 = alpha / 2" in source
    assert "conv1(x) * self.mul1" in source
    assert "clamp(min=self.clamp1_low, max=self.clamp1_high)" in source
    assert "+ 0.5" in source  # the same everywhere
    assert "** 2" in source


@pytest.mark.parametrize("text", [NUMBERS, NUMBERS.replace("scale: { down", "conv1.f: { down")])
def test_each_use_computes_with_its_own_numbers(text: str) -> None:
    network = netdsl.loads(text)
    module: Any = network.torch(seed=0).eval()
    x = torch.randn(2, 4, 5, 6)
    convs = [part for part in module.modules() if isinstance(part, torch.nn.Conv2d)]
    wanted = x
    with torch.no_grad():
        for alpha, conv in zip((0.1, 0.25, 2.0, 0.1, 4.0), convs, strict=True):
            wanted = (wanted + conv(wanted) * (alpha / 2)).clamp(-alpha, 3 * alpha)
            wanted = (wanted * alpha + 0.5 - alpha) ** 2
        torch.testing.assert_close(module(x), wanted)
    (ours,) = session(network.onnx(module).SerializeToString()).run(None, {"x": x.numpy()})
    assert apart(wanted.numpy(), ours) < 1e-5
