"""Names that other frameworks give their layers: the same thing, a way to write it, or a plain no."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import pytest

import netdsl
from netdsl.elaborate.foreign import WRITTEN, names, plain
from netdsl.elaborate.foreign_absent import ABSENT, NOT_YET
from netdsl.elaborate.program import std_names
from netdsl.elaborate.unknown import guess_layer
from netdsl.ops import registry
from tests.foreign_names import (
    CAFFE,
    COMMON,
    DARKNET,
    KERAS,
    SAME_THING,
    onnx_names,
    timm_names,
    torch_functions,
    torch_names,
)
from tests.torchvision_models import torchvision_models

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto.md"
OURS = {*registry(), *(name for name in std_names() if name[0].isupper())}
CODE = re.compile(r"`([^`]+)`")


def helps(name: str, call: str = "") -> list[str]:
    """What is said of a stage of this name."""
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads(f"net A {{ input x: [4, 8, 8]\n output y = x -> {name}{call} }}")
    (said,) = caught.value.diagnostics
    assert said.code == "unknown-layer"
    return list(said.help)


@pytest.mark.parametrize(
    "listed",
    [
        torch_names,
        torch_functions,
        onnx_names,
        lambda: KERAS,
        lambda: CAFFE,
        lambda: DARKNET,
        lambda: COMMON,
    ],
)
def test_every_name_has_an_answer(listed: Callable[[], list[str]]) -> None:
    """It is ours, or known; and what is known as another thing is no slip of ours."""
    assert len(listed()) > 20
    for name in listed():
        if name in OURS:
            continue
        guess = guess_layer(name, (), OURS)
        assert guess.layer or guess.text, name
        assert len(guess.layers) <= 1, name


def test_only_the_same_thing_is_suggested() -> None:
    """All names of the lists for which a layer of ours is offered, but those of the same letters."""
    functions = [name for name in (*torch_names(), *torch_functions()) if name[0].islower()]
    taken: dict[str, list[str]] = {}
    for name in dict.fromkeys([*functions, *onnx_names(), *KERAS, *CAFFE, *DARKNET, *COMMON]):
        layer = "" if name in OURS else guess_layer(name, (), OURS).layer
        if layer and plain(layer) != plain(name):
            taken.setdefault(layer, []).append(name)
    assert {layer: " ".join(sorted(given)) for layer, given in taken.items()} == SAME_THING


def test_names_in_no_list_are_not_taken_for_others() -> None:
    """timm has layers of its own, which are near in letters to layers of ours."""
    torchvision_models()
    same = {"Swish", "Mish", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "PReLU", "GELU"}
    same |= {"DropPath", "Linear", "GroupNorm", "LayerNorm", "RmsNorm"}
    taken = {name for name in timm_names() if guess_layer(name, (), OURS).layers}
    assert taken == same


@pytest.mark.parametrize("name", ["mamba", "AlphaDropout", "GridSample", "Floor", "fliplr"])
def test_what_is_not_there_is_said_plainly(name: str) -> None:
    (said,) = helps(name)
    assert said == ABSENT[next(words for words in ABSENT if plain(name) in words.split())]
    assert "did you mean" not in said


def test_a_plain_no_has_a_reason() -> None:
    """Nothing but the names of no one's layer is answered with three words."""
    assert [listed for listed, text in ABSENT.items() if text == NOT_YET] == [
        "acts crossmaplrn2d imagedecoder kan localavgpool"
    ]


def test_pages_named_have_what_they_are_named_for() -> None:
    headings = re.findall(r"^### (.*)$", HOWTO.read_text(encoding="utf-8"), re.MULTILINE)
    pointers = [text.split("docs/howto.md, ")[1] for text in WRITTEN.values() if "howto" in text]
    assert len(pointers) > 5
    for pointer in pointers:
        assert any(heading.startswith(pointer) for heading in headings), pointer


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("nms", "(0.5)"),
        ("batched_nms", ""),
        ("NonMaxSuppression", ""),
        ("nonzero", ""),
        ("unique", ""),
        ("boolean_mask", ""),
        ("masked_select", ""),
    ],
)
def test_sizes_that_would_depend_on_values(name: str, call: str) -> None:
    """They are outside the language; the message says where a detector ends."""
    (text,) = helps(name, call)
    assert "depend on the values" in text
    assert "detectors end at decoded boxes and scores" in text


@pytest.mark.parametrize("name", ["topk", "TopK", "sort", "argsort"])
def test_the_greatest_alone(name: str) -> None:
    (text,) = helps(name, "(5)")
    assert text.startswith("detectors end at decoded boxes and scores")
    for stage in "max(axis=0)", "argmax(axis=0)":
        assert f"`{stage}`" in text
        netdsl.loads(f"net A {{ input x: [4, 8, 8]\n output y = x -> {stage} }}")


def test_no_name_is_missing_that_is_there() -> None:
    """A layer that comes to the language leaves the table; these two are other things elsewhere."""
    here = {plain(name) for name in registry()}
    lacking = {name for name, found in names().items() if not found.layer} - {
        "attention",
        "globalmaxpool",
    }
    assert not here & lacking
    assert {found.layer for found in names().values() if found.layer} <= set(registry())
    words = " ".join([*WRITTEN, *ABSENT]).split()
    assert len(words) == len(set(words))


# --- the same thing --------------------------------------------------------------------------

SHAPES = {1: (4, 12), 2: (4, 12, 8), 3: (4, 6, 8, 6)}
GIVEN: dict[str, tuple[str, tuple[Any, ...]]] = {
    "AdaptiveAvgPool": ("(2)", (2,)), "AdaptiveMaxPool": ("(2)", (2,)), "AvgPool": ("(2)", (2,)),
    "BatchNorm": ("", (4,)), "ChannelShuffle": ("(2)", (2,)), "Conv": ("(6, 3)", (4, 6, 3)),
    "ConvTranspose": ("(6, 3)", (4, 6, 3)), 
    "GroupNorm": ("(2)", (2, 4)), "InstanceNorm": ("", (4,)), "LPPool": ("(2, 2)", (2, 2)),
    "LayerNorm": ("", (8,)), "RMSNorm": ("", (8,)), "Linear": ("(5)", (8, 5)), "LocalResponseNorm": ("(3)", (3,)),
    "Fold": ("(2, size=(12, 8))", ((12, 8), 2)), "Unfold": ("(2)", (2,)),
    "MaxUnpool": ("(2, places=at)", (2,)),
    "MaxPool": ("(2)", (2,)), "PixelShuffle": ("(2)", (2,)), "PixelUnshuffle": ("(2)", (2,)),
    "LogSoftmax": ("", (1,)), "Softmax": ("", (1,)), "Softmax2d": ("", ()), "SyncBatchNorm": ("", (4,)),
    "Upsample": ("(2)", (None, 2)), "UpsamplingNearest2d": ("(2)", (None, 2)),
    "ZeroPad": ("(1)", (1,)), "Embedding": ("(9, 5)", (9, 5)),
    "MultiheadAttention": ("(2)", (8, 2, 0.0, True, False, False, None, None, True)),
    "LSTM": ("(5)", (8, 5, 1, True, True)), "GRU": ("(5)", (8, 5, 1, True, True)),
    "RNN": ("(5)", (8, 5, 1, "tanh", True, True)),
}  # fmt: skip
"""Arguments of netdsl's layer and of the module of torch."""

MODULES = [
    name for name in torch_names()
    if name[0].isupper() and not name.startswith(("Lazy", "MaxUnpool"))
    and guess_layer(name, (), OURS).layer in registry()
]  # fmt: skip
"""`MaxUnpool2d` takes places beside a value: tests/ops/test_unpool.py compares it."""


def test_all_kinds_of_modules_are_compared() -> None:
    assert len(MODULES) > 60


@pytest.mark.parametrize("name", MODULES)
def test_the_layer_suggested_is_the_same_function(name: str) -> None:
    """The value of the module by the name typed, and of the layer suggested for it."""
    rank = int(name[-2]) if name.endswith(("1d", "2d", "3d")) else 2
    kind = name if name in GIVEN else name.removesuffix(f"{rank}d")
    ours, theirs = GIVEN.get(kind, ("", ()))
    shape: tuple[int, ...] = {
        "Embedding": (7,),
        **dict.fromkeys(("MultiheadAttention", "LSTM", "GRU", "RNN"), (5, 8)),
        "Fold": (16, 77),
    }.get(name, SHAPES[rank])
    dtype = "int64 " if name == "Embedding" else ""
    stage = f"label: {guess_layer(name, (), OURS).layer}{ours}"
    second = f"input at: int64 {list(shape)}\n" if kind == "MaxUnpool" else ""
    text = f"net A {{ input x: {dtype}{list(shape)}\n {second} output y = x -> {stage} }}"
    torch.manual_seed(0)
    module = getattr(nn, name)(*theirs).eval()
    state = {f"label.{key}": value for key, value in module.state_dict().items()}
    made = netdsl.loads(text).torch(weights=state).eval() if state else netdsl.loads(text).torch()
    x = torch.randn(2, *shape) if not dtype else torch.randint(9, (2, *shape))
    count = prod(shape[1:])
    places = torch.stack([torch.randperm(count) for _ in range(2 * shape[0])]).reshape(2, *shape)
    values = (x, places) if second else (x,)
    with torch.no_grad():
        wanted = module(x, x, x)[0] if name == "MultiheadAttention" else module(*values)
        wanted = wanted[0] if isinstance(wanted, tuple) else wanted  # of all steps, and states
        assert torch.allclose(made.eval()(*values), wanted, atol=1e-6), name


# --- written otherwise -----------------------------------------------------------------------


def onnx_operator(op: str, **attributes: Any) -> Callable[[Any], Any]:
    """An operator of ONNX, as its reference runs it."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    node = helper.make_node(op, ["x"], ["y"], **attributes)
    kinds = [helper.make_tensor_value_info(name, 1, None) for name in "xy"]
    graph = helper.make_graph([node], "g", kinds[:1], kinds[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    return lambda x: torch.from_numpy(ReferenceEvaluator(model).run(None, {"x": x.numpy()})[0])


def focus(x: Any) -> Any:
    """YOLOv5's, word for word."""
    parts = x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]
    return torch.cat(parts, 1)


def lhtan(x: Any) -> Any:
    """Darknet's, word for word."""
    return torch.where(x < 0, 0.001 * x, torch.where(x > 1, 0.001 * (x - 1) + 1, x))


def plse(x: Any) -> Any:
    """Darknet's, word for word."""
    middle = 0.125 * x + 0.5
    return torch.where(x < -4, 0.01 * (x + 4), torch.where(x > 4, 0.01 * (x - 4) + 1, middle))


WITHIN: dict[str, Callable[[Any], Any]] = {
    "atanh": torch.tanh, "acosh": lambda x: 1.1 + x.abs(), "logit": torch.sigmoid,
    **dict.fromkeys(["log1p", "log2", "log10", "prod", "cumprod"], lambda x: 0.1 + x.abs()),
    "plse": lambda x: 5 * x, "count_nonzero": torch.relu,
    **dict.fromkeys(
        ["isnan", "nan_to_num"], lambda x: torch.where(x > 0, float("nan"), x)
    ),
    **dict.fromkeys(
        ["isinf", "isfinite", "isposinf", "isneginf"],
        lambda x: torch.where(x > 1, float("inf"), torch.where(x < -1, -float("inf"), x * 2e38)),
    ),
}  # fmt: skip
"""Where a function is compared, if not everywhere."""

WAYS: list[tuple[str, Callable[[Any], Any]]] = [
    ("GlobalAveragePool", onnx_operator("GlobalAveragePool")),
    ("GlobalMaxPool", onnx_operator("GlobalMaxPool")),
    ("UpsamplingBilinear2d", nn.UpsamplingBilinear2d(scale_factor=2)),
    ("Focus", focus),
    ("ConstantPad2d", nn.ConstantPad2d(1, 0.5)),
    ("ReflectionPad2d", nn.ReflectionPad2d(1)),
    ("ReplicationPad2d", nn.ReplicationPad2d(1)),
    ("CircularPad2d", nn.CircularPad2d(1)),
    ("Cropping2D", lambda x: x[..., 1:-1, 1:-1]),
    ("unsqueeze", lambda x: x.unsqueeze(1)),
    ("Transpose", lambda x: x.transpose(2, 3)),
    ("GLU", nn.GLU()),
    ("geglu", lambda x: x.chunk(2, -1)[0] * F.gelu(x.chunk(2, -1)[1])),
    ("Square", torch.square),
    ("Tanhshrink", nn.Tanhshrink()),
    ("Softshrink", nn.Softshrink()),
    ("leaky", lambda x: F.leaky_relu(x, 0.1)),
    ("LayerNorm2d", lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2)),
    ("GroupNorm1", nn.GroupNorm(1, 4)),
    ("Neg", torch.neg), ("ArgMin", lambda x: x.argmin(1)), ("tan", torch.tan),
    ("ReduceL1", lambda x: x.abs().sum(1)),
    ("ReduceL2", lambda x: torch.linalg.vector_norm(x, dim=1)),
    ("ReduceSumSquare", lambda x: x.square().sum(1)),
    ("logsumexp", lambda x: torch.logsumexp(x, 1)),
    ("var", lambda x: x.var(1, correction=0)), ("std", lambda x: x.std(1, correction=0)),
    ("Power", lambda x: (1 + 2 * x) ** 3), ("Softmin", nn.Softmin(1)), ("LogSigmoid", nn.LogSigmoid()),
    ("relu_squared", lambda x: F.relu(x).square()), ("crelu", lambda x: F.relu(torch.cat((x, -x), 1))),
    ("quickgelu", lambda x: x * torch.sigmoid(1.702 * x)), ("Hardshrink", nn.Hardshrink()),
    ("Threshold", nn.Threshold(0.1, 0.2)), ("ThresholdedRelu", onnx_operator("ThresholdedRelu")),
    ("gem", lambda x: F.avg_pool2d(x.clamp(min=1e-6).pow(3), x.shape[2:]).pow(1 / 3).flatten(1)),
    ("maxout", lambda x: x.reshape(2, 2, 2, 12, 8).amax(2)),
    ("chunk", lambda x: x.chunk(2, 1)[0]),
    ("asinh", torch.asinh), ("cosh", torch.cosh), ("sinh", torch.sinh), ("expm1", torch.expm1),
    ("atanh", torch.atanh), ("acosh", torch.acosh), ("log1p", torch.log1p), ("log2", torch.log2),
    ("log10", torch.log10), ("exp2", torch.exp2), ("logit", torch.logit), ("erfc", torch.erfc),
    ("rsub", lambda x: torch.rsub(x, 2)), ("deg2rad", torch.deg2rad), ("rad2deg", torch.rad2deg),
    ("heaviside", lambda x: torch.heaviside(x, torch.zeros(()))), ("signbit", torch.signbit),
    ("sgn", torch.sgn), ("relie", lambda x: torch.where(x > 0, x, 0.01 * x)),
    ("ramp", lambda x: x * (x > 0) + 0.1 * x), ("loggy", lambda x: 2 / (1 + torch.exp(-x)) - 1),
    ("lhtan", lhtan), ("plse", plse), ("bnll", lambda x: torch.log(1 + x.exp())),
    ("hardmish", lambda x: torch.where(x > 0, x, torch.where(x > -2, x * x / 2 + x, 0))),
    ("Shrink", onnx_operator("Shrink", lambd=0.5)), ("Hardmax", onnx_operator("Hardmax", axis=1)),
    ("cast", lambda x: x.float()), ("isnan", torch.isnan), ("isinf", torch.isinf),
    ("isfinite", torch.isfinite), ("isposinf", torch.isposinf), ("isneginf", torch.isneginf),
    ("nan_to_num", lambda x: torch.where(x.isnan(), 0, x)),
    ("prod", lambda x: x.prod(1)), ("cumprod", lambda x: x.cumprod(1)),
    ("logcumsumexp", lambda x: x.logcumsumexp(1)), ("diff", lambda x: x.diff(dim=2)),
    ("GlobalLpPool", lambda x: F.lp_pool2d(x, 2, x.shape[2:])),
    ("select", lambda x: x.select(2, 2)), ("tile", lambda x: x.repeat(1, 1, 2, 1)),
    ("roll", lambda x: x.roll(-2, 2)), ("count_nonzero", lambda x: x.count_nonzero(1)),
    ("frobenius_norm", lambda x: torch.linalg.matrix_norm(x)),
    ("trapezoid", lambda x: torch.trapezoid(x, dim=2)), ("zeros_like", torch.zeros_like),
    ("ones_like", torch.ones_like), ("clamp_min", lambda x: x.clamp_min(0)),
    ("clamp_max", lambda x: x.clamp_max(1)), ("float_power", lambda x: x**3),
    ("Rescaling", lambda x: 2 * x - 1), ("Normalization", lambda x: (x - 0.5) / 0.5),
]  # fmt: skip


def run(stage: str, x: Any) -> Any:
    """A stage on a map, where C, H, W are its sizes."""
    text = (
        f"block Way (x: [C, H, W]) {{ x -> {stage} }}\n"
        f"net A {{ input x: {list(x.shape[1:])}\n y = x -> Way\n output z = y[0] -> identity }}"
    )
    return netdsl.loads(text).torch().eval()(x)


@pytest.mark.parametrize(("name", "function"), WAYS, ids=[name for name, _ in WAYS])
def test_the_way_named_gives_the_value(name: str, function: Callable[[Any], Any]) -> None:
    way = CODE.findall(helps(name)[0])[0]
    torch.manual_seed(0)
    x = torch.randn(2, 3 if name == "Normalization" else 4, 12, 8)
    x = WITHIN.get(name, lambda x: x)(x)
    torch.testing.assert_close(run(way, x), function(x), atol=1e-6, rtol=2e-5, msg=way)


TWO_VALUES: list[tuple[str, Callable[..., Any]]] = [
    ("logaddexp", torch.logaddexp), ("hypot", torch.hypot), ("inner", lambda a, b: (a * b).sum(1)),
    ("fmax", torch.fmax), ("fmin", torch.fmin), ("isclose", lambda a, b: (a - b).abs() < 1e-5),
    ("dist", lambda a, b: (a - b).square().sum(1).sqrt()), ("hstack", lambda a, b: torch.cat([a, b], 2)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "function"), TWO_VALUES, ids=[name for name, _ in TWO_VALUES])
def test_the_way_named_for_two_values(name: str, function: Callable[..., Any]) -> None:
    way = CODE.findall(helps(name)[0])[0]
    text = (
        f"block Way (a, b) {{ {way} }}\n"
        "net A { input x: [4, 5, 3]\n input y: [4, 5, 3]\n z = (x, y) -> Way\n"
        " output u = z -> identity }"
    )
    torch.manual_seed(0)
    a, b = torch.randn(2, 2, 4, 5, 3)
    b[:, :2] = a[:, :2]
    torch.testing.assert_close(netdsl.loads(text).torch().eval()(a, b), function(a, b))


@pytest.mark.parametrize(
    ("name", "second"),
    [("depth_to_space", lambda x: F.pixel_shuffle(x, 2)),
     ("space_to_depth", lambda x: F.pixel_unshuffle(x, 2))],
)  # fmt: skip
def test_the_other_way_named_too(name: str, second: Callable[..., Any]) -> None:
    way = CODE.findall(helps(name)[0])[-1]
    x = torch.randn(2, 4, 12, 8)
    wanted = second(x)
    assert torch.allclose(run(way, x), wanted, atol=1e-6), way


def recipes() -> list[str]:
    """All that the table tells to write, but lines of a net and parts of calls."""
    codes = [code for text in WRITTEN.values() for code in CODE.findall(text)]
    lines = ("weight ", "input ", "output ", "use ", "...", "{ ...", "max_unpool(2, places=places)")
    stages = [c for c in codes if not c.startswith(lines) and re.search(r"\w\(|\w }", c)]
    assert len(stages) > 40
    return list(dict.fromkeys(stages))


@pytest.mark.parametrize("way", recipes())
def test_every_way_named_compiles(way: str) -> None:
    """Ways that begin with values of their own find them in `a`, `b`, `x` and the weights."""
    head, shape = "[C, H, W]", "[8, 8, 8]"
    if re.search(r"\b(attention|attend|lstm|gru|rnn|matmul)\b", way):
        head, shape = "[T, F]", "[8, 8]"
        way = "(x, x, x) -> attend(1)" if way == "attend(1)" else way
        way = (
            way.replace("(q, k, v)", "(x, a, b)")
            .replace("(q, x)", "(a, x)")
            .replace("mask=m", "mask=x")
        )
    elif way == "permute([1, 0])":
        head, shape = "[C, L]", "[8, 8]"
    elif "embedding" in way:
        head, shape = "[T]", "int64 [8]"
    elif "reshape([1, C])" in way:
        head, shape = "[C]", "[8]"
    elif "normalize" in way or way == "split(3)":
        shape = "[3, 8, 8]"
    learned = [name for name in ("gamma", "beta") if re.search(rf"\b{name}\b", way)]
    lines = [*(f"weight {name}: [C, 1, 1]" for name in learned)]
    if " = " in way:
        rest = "x" if way.startswith("_") else "p -> max_unpool(2, places=places)"
        lines += [way, rest]
    else:
        lines.append(way if way.startswith("(") else f"x -> {way}")
    netdsl.loads(
        f"block Way (x: {head}, a: {head}, b: {head}) {{\n" + "\n".join(lines) + "\n}\n"
        f"net A {{ input i: {shape}\n z = (i, i, i) -> Way\n output o = z[0] -> identity }}"
    )


# --- slips -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("cnov", "conv"), ("batchnrom", "batchnorm"), ("max_pol2d", "maxpool"), ("convv2d", "conv"),
     ("dropuot", "dropout"), ("upsampel", "upsample"), ("flaten", "flatten"), ("Botleneck", "Bottleneck")],
)  # fmt: skip
def test_a_slip_of_a_finger(typed: str, meant: str) -> None:
    assert f"did you mean `{meant}" in helps(typed)[0]


@pytest.mark.parametrize("typed", ["qqq", "conv2", "relu7", "tone", "lark", "glue", "zz", "normal"])
def test_no_slip_of_anything(typed: str) -> None:
    assert not any("did you mean" in text for text in helps(typed))


def test_where_several_are_as_near_all_are_named_and_none_is_written() -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads("net A { input x: [4]\n output y = x -> maxx_pool_of -> selu9 }")
    assert all(d.fix is None for d in caught.value.diagnostics)
    assert guess_layer("leftt", (), {"left", "lefts"}).layers == ("left", "lefts")


@pytest.mark.parametrize(
    "name", ["nn.Conv2d", "F.conv2d", "tf.keras.layers.Conv2D", "torch.nn.Conv2d"]
)
def test_names_with_a_module_before_them(name: str) -> None:
    assert helps(name, "(8, 3)") == ["did you mean `conv(channels, kernel)`?"]


def test_a_block_of_the_file_goes_before_a_name_from_elsewhere() -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads("block Mlp { relu }\nnet A { input x: [4]\n output y = x -> MLP }")
    assert caught.value.diagnostics[0].help == ("did you mean `Mlp`?",)


def test_long_names_are_compared_in_no_time() -> None:
    """A file of hostile length: 300 blocks and 300 stages, of 2,000 letters each."""
    blocks = "\n".join(f"block {'a' * 2000}b{'c' * i} {{ relu }}" for i in range(300))
    stages = " -> ".join(f"{'a' * 2000}d{'c' * i}" for i in range(300))
    before = time.perf_counter()
    with pytest.raises(netdsl.DiagnosticError):
        netdsl.loads(f"{blocks}\nnet A {{ input x: [4]\n output y = x -> {stages} }}")
    assert time.perf_counter() - before < 20
