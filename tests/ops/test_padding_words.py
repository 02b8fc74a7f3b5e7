"""`padding=same`, `same_upper`, `same_lower` against ONNX Runtime's SAME, PyTorch's and timm's."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from random import Random

import pytest

import netdsl
from netdsl.ir.dim import evaluate, symbol
from netdsl.ir.tensor import Tensor
from netdsl.ops.base import Rules, Window
from netdsl.ops.conv import Conv
from netdsl.ops.padding import same_cells
from netdsl.ops.pool import AvgPool, MaxPool

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import apart, outputs, session  # noqa: E402
from tests.ops.open_sizes import agree, loaded  # noqa: E402
from tests.torchvision_models import torchvision_models  # noqa: E402

F = torch.nn.functional


# --- ONNX Runtime's own rule ------------------------------------------------------------------


def onnx_same(op: str, word: str, rank: int, **attributes):
    """An operator with `auto_pad`, as ONNX Runtime runs it at any size."""
    from onnx import helper

    inputs = ["x", "w"] if op == "Conv" else ["x"]
    node = helper.make_node(op, inputs, ["y"], auto_pad=word.upper(), **attributes)
    kinds = [helper.make_tensor_value_info(n, 1, [None] * (rank + 2)) for n in [*inputs, "y"]]
    graph = helper.make_graph([node], "g", kinds[:-1], kinds[-1:])
    opsets = [helper.make_opsetid("", 18)]
    return session(helper.make_model(graph, opset_imports=opsets).SerializeToString())


def random_setting(draw: Random) -> tuple[int, tuple[int, ...], tuple[int, ...], str]:
    """Strides up to the kernel: ONNX Runtime pads by less than nothing where they are longer."""
    rank = draw.choice([1, 2, 2, 2, 3])
    kernel = tuple(draw.randint(1, 6) for _ in range(rank))
    stride = tuple(draw.randint(1, min(k, 4)) for k in kernel)
    return rank, kernel, stride, draw.choice(["same_upper", "same_lower"])


SYMBOLS = "DHW"


def points(rank: int, draw: Random, count: int = 5) -> list[dict[str, int]]:
    return [{s: draw.randint(1, 13) for s in SYMBOLS[:rank]} for _ in range(count)]


def text(rank: int, stage: str) -> str:
    return f"net A {{ input x: [3, {', '.join(SYMBOLS[:rank])}]\n output y = x -> {stage} }}"


def shown(parts: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, parts))})" if len(parts) > 1 else str(parts[0])


@pytest.mark.parametrize("seed", range(12))
def test_convolutions_are_those_of_onnx_runtime(seed: int) -> None:
    draw = Random(f"same conv {seed}")
    for _ in range(4):
        rank, kernel, stride, word = random_setting(draw)
        stage = f"c: conv(4, {shown(kernel)}, stride={shown(stride)}, padding={word}, bias=false)"
        weight = loaded(text(rank, stage)).torch(seed=0).state_dict()["c.weight"].numpy()
        theirs = onnx_same("Conv", word, rank, strides=list(stride), kernel_shape=list(kernel))

        def oracle(x, theirs=theirs, weight=weight):
            return torch.from_numpy(theirs.run(None, {"x": x.numpy(), "w": weight})[0])

        assert agree(text(rank, stage), points(rank, draw), oracle) == (5, 0)


@pytest.mark.parametrize("pool", ["maxpool", "avgpool", "avgpool, zeros counted"])
@pytest.mark.parametrize("seed", range(6))
def test_pools_are_those_of_onnx_runtime(pool: str, seed: int) -> None:
    draw = Random(f"same {pool} {seed}")
    name, _, zeros = pool.partition(", ")
    for _ in range(4):
        rank, kernel, stride, word = random_setting(draw)
        counted = "" if name == "maxpool" or zeros else ", count_include_pad=false"
        stage = f"{name}({shown(kernel)}, stride={shown(stride)}, padding={word}{counted})"
        include = {} if name == "maxpool" else {"count_include_pad": int(bool(zeros))}
        op = "MaxPool" if name == "maxpool" else "AveragePool"
        theirs = onnx_same(
            op, word, rank, strides=list(stride), kernel_shape=list(kernel), **include
        )

        def oracle(x, theirs=theirs):
            return torch.from_numpy(theirs.run(None, {"x": (x - 2).numpy()})[0])

        shifted = text(rank, stage).replace("-> ", "-> normalize([2, 2, 2], [1, 1, 1]) -> ", 1)
        assert agree(shifted, points(rank, draw), oracle) == (5, 0)


# --- timm, PyTorch -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["conv", "maxpool", "avgpool"])
def test_layers_are_those_of_timm(kind: str) -> None:
    torchvision_models()
    layers = pytest.importorskip("timm.layers")
    from timm.layers import pool2d_same as pools

    draw = Random(f"timm {kind}")
    for _ in range(25):
        kernel, stride = draw.randint(1, 6), draw.randint(1, 4)
        dilation = draw.choice([1, 1, 2, 3]) if kind != "avgpool" else 1
        spread = f", dilation={dilation}" if dilation > 1 else ""
        call = f"({kernel}, stride={stride}, padding=same_upper{spread})"
        if kind == "conv":
            stage = f"c: conv(5, {kernel}, stride={stride}, padding=same_upper{spread})"
            module = layers.Conv2dSame(3, 5, kernel, stride, dilation=dilation)
            state = loaded(text(2, stage)).torch(seed=0).state_dict()
            module.load_state_dict({k.removeprefix("c."): v for k, v in state.items()})
        elif kind == "maxpool":
            stage, module = f"maxpool{call}", pools.MaxPool2dSame(kernel, stride, 0, dilation)
        else:
            stage, module = f"avgpool{call}", pools.AvgPool2dSame(kernel, stride)
        assert agree(text(2, stage), points(2, draw), module.eval()) == (5, 0)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_stride_one_is_pytorchs_same(mode: str) -> None:
    draw = Random(f"stride one {mode}")
    for _ in range(12):
        rank = draw.choice([1, 2, 3]) if mode != "reflect" else draw.choice([1, 2])
        kernel = tuple(draw.randint(1, 5) for _ in range(rank))
        dilation = draw.choice([1, 1, 2])
        word = draw.choice(["same", "same_upper"])
        stage = (
            f"c: conv(4, {shown(kernel)}, padding={word}, dilation={dilation}, padding_mode={mode})"
        )
        own = getattr(torch.nn, f"Conv{rank}d")(
            3, 4, kernel, padding="same", dilation=dilation, padding_mode=mode
        )
        state = loaded(text(rank, stage)).torch(seed=0).state_dict()
        own.load_state_dict({k.removeprefix("c."): v for k, v in state.items()})

        def oracle(x, own=own):
            try:
                return own(x)
            except RuntimeError:
                return None

        agree(text(rank, stage), points(rank, draw), oracle)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("word", ["same_upper", "same_lower"])
def test_copied_cells_with_a_stride(mode: str, word: str) -> None:
    """F.pad with the amounts of TensorFlow's definition, then a convolution."""
    draw = Random(f"copied {mode} {word}")
    for _ in range(8):
        kernel, stride = draw.randint(2, 5), draw.randint(2, 3)
        stage = f"c: conv(4, {kernel}, stride={stride}, padding={word}, padding_mode={mode}, bias=false)"
        weight = loaded(text(1, stage)).torch(seed=0).state_dict()["c.weight"]

        def oracle(x, weight=weight, kernel=kernel, stride=stride):
            n = x.shape[-1]
            whole = max((-(-n // stride) - 1) * stride + kernel - n, 0)
            half = whole // 2
            cells = (half, whole - half) if word == "same_upper" else (whole - half, half)
            try:
                return F.conv1d(F.pad(x, cells, mode=mode), weight, stride=stride)
            except RuntimeError:
                return None

        agree(text(1, stage), [{"D": n} for n in range(1, 12)], oracle)


def tensorflow_cells(x, kernel: int, stride: int) -> list[int]:
    """The padding in TensorFlow's documentation, for `F.pad`."""
    cells = []
    for n in reversed(x.shape[2:]):
        rest = n % stride
        whole = max(kernel - stride, 0) if rest == 0 else max(kernel - rest, 0)
        cells += [whole // 2, whole - whole // 2]
    return cells


@pytest.mark.parametrize("kind", ["conv", "maxpool", "avgpool"])
@pytest.mark.parametrize("stride", [2, 3, 4])
def test_strides_beyond_the_kernel_are_those_of_tensorflow(kind: str, stride: int) -> None:
    for kernel in range(1, stride + 2):
        call = f"({kernel}, stride={stride}, padding=same_upper"
        stage = {"conv": f"c: conv(4, {call[1:]}, bias=false)", "maxpool": f"maxpool{call})",
                 "avgpool": f"avgpool{call}, count_include_pad=false)"}[kind]  # fmt: skip
        state = loaded(text(2, stage)).torch(seed=0).state_dict()

        def oracle(x, kernel=kernel, state=state):
            cells = tensorflow_cells(x, kernel, stride)
            if kind == "conv":
                return F.conv2d(F.pad(x, cells), state["c.weight"], stride=stride)
            if kind == "maxpool":
                return F.max_pool2d(F.pad(x, cells, value=float("-inf")), kernel, stride)
            sums = F.avg_pool2d(F.pad(x, cells), kernel, stride, divisor_override=1)
            ones = F.avg_pool2d(F.pad(x * 0 + 1, cells), kernel, stride, divisor_override=1)
            return sums / ones

        sizes = [{"D": n, "H": 12 - n} for n in range(1, 12)]
        assert agree(text(2, stage), sizes, oracle) == (11, 0)


# --- the module as PyTorch has it ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "line"),
    [
        ("conv(4, 3, padding=same_upper)", 'nn.Conv2d(3, 4, kernel_size=3, padding="same")'),
        ("conv(4, 3, padding=same_lower)", "nn.Conv2d(3, 4, kernel_size=3, padding=1)"),
        ("conv(4, 1, stride=2, padding=same_upper)", "nn.Conv2d(3, 4, kernel_size=1, stride=2)"),
        ("maxpool(3, stride=1, padding=same)", "nn.MaxPool2d(3, stride=1, padding=1)"),
        ("avgpool((5, 3), stride=1, padding=same)", "padding=(2, 1))"),
        ("conv(4, 3, stride=2, padding=same_upper)", "SameConv2d(3, 4, kernel_size=3, stride=2)"),
    ],
)
def test_what_pytorch_can_say_it_says(stage: str, line: str) -> None:
    assert line in loaded(text(2, stage)).torch_source()


def test_one_shared_layer_at_two_sizes() -> None:
    """Its module is the same at odd and even sizes."""
    body = """net A { input a: [3, 9, 9]
      input b: [3, 8, 8]
      layer f = conv(4, 3, stride=2, padding=same_upper)
      output u = a -> f
      output v = b -> f }"""
    network = loaded(body)
    module = network.torch(seed=0).eval()
    a, b = torch.randn(1, 3, 9, 9), torch.randn(1, 3, 8, 8)
    weight, bias = module.state_dict().values()
    with torch.no_grad():
        u, v = module(a, b)
        assert torch.allclose(u, F.conv2d(F.pad(a, (1, 1, 1, 1)), weight, bias, 2), atol=1e-6)
        assert torch.allclose(v, F.conv2d(F.pad(b, (0, 1, 0, 1)), weight, bias, 2), atol=1e-6)


def test_a_policy_of_initialisation_finds_them() -> None:
    """A loop over `nn.Conv2d` meets what extends it; where inits differ, each has its own."""
    body = """net A {{ input x: [3, H, W]
      output y = x -> a: conv(64, 3, padding=1) -> b: conv(64, 3, stride=2, padding=same_upper{init}) }}"""
    alike = loaded(body.format(init="")).torch(seed=1, init="resnet")
    assert abs(float(alike.b.weight.detach().std()) - (2 / (64 * 9)) ** 0.5) < 0.003
    zeros = loaded(body.format(init=", init=zeros")).torch(seed=1, init="resnet")
    assert not zeros.b.weight.any()
    assert zeros.a.weight.any()


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "half"),
    [("conv(4, 3, stride=2, padding=same)", 1), ("maxpool(3, padding=same)", 1),
     ("avgpool(5, stride=2, padding=same)", 2), ("conv(4, 3, stride=2, dilation=2, padding=same)", 2)],
)  # fmt: skip
def test_same_with_a_stride(stage: str, half: int) -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        loaded(text(2, stage))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.help == (
        "with a stride there are two rules: TensorFlow's and Keras's is `padding=same_upper`, "
        f"PyTorch's habit `padding={half}`",
    )
    for padding in ("same_upper", str(half)):
        loaded(text(2, stage.replace("padding=same", f"padding={padding}")))


def test_ceil_mode_says_nothing_there() -> None:
    with pytest.raises(netdsl.DiagnosticError):
        loaded(text(2, "maxpool(3, stride=2, padding=same_upper, ceil_mode=true)"))


# --- facts ------------------------------------------------------------------------------------------


def test_windows_of_open_sizes_hold_those_of_every_size() -> None:
    """Away from the borders each place sees what its window says; what is not loose, exactly."""
    for kernel, stride, dilation, word in product(
        range(1, 7), range(1, 5), (1, 2), ("same_upper", "same_lower")
    ):
        for op in (
            Conv(1, kernel, stride, word, dilation), MaxPool(kernel, stride, word, dilation),
            *([AvgPool(kernel, stride, word)] if dilation == 1 else []),
        ):  # fmt: skip
            wide = (Tensor((1, symbol("n"))),)
            (seen,) = op.windows(wide, op.infer(wide, Rules()))
            starts = set()
            for size in range(1, 30):
                before, _ = same_cells(size, kernel, stride, dilation, word)
                given = (Tensor((1, size)),)
                (own,) = op.windows(given, op.infer(given, Rules()))
                span = dilation * (kernel - 1) + 1
                assert own == Window(span, Fraction(stride), Fraction(-before), dilation)
                assert seen.stride == stride
                assert seen.start <= own.start
                assert seen.start + seen.size >= own.start + own.size
                starts.add(own.start)
            assert seen.is_loose == (len(starts) > 1)
            assert seen.size == span + max(starts) - min(starts)


@pytest.mark.parametrize("word", ["same_upper", "same_lower"])
def test_connections_of_open_sizes_are_counted(word: str) -> None:
    for kernel, stride, dilation in product(range(1, 8), range(1, 5), (1, 2)):
        op = Conv(1, kernel, stride, word, dilation)
        wide = (Tensor((1, symbol("n"))),)
        formula = op.connections(wide, op.infer(wide, Rules()))
        for size in range(1, 25):
            before, _ = same_cells(size, kernel, stride, dilation, word)
            cells = (
                place * stride - before + tap * dilation
                for place in range(-(-size // stride))
                for tap in range(kernel)
            )
            assert evaluate(formula, {"n": size}) == sum(0 <= cell < size for cell in cells)


def test_pictures_say_the_word() -> None:
    (node,) = loaded(text(2, "conv(4, 3, stride=2, padding=same_upper)")).graph.nodes()
    types = tuple(v.type for v in node.inputs), tuple(v.type for v in node.outputs)
    assert "pad same upper" in node.op.told(*types)
    assert node.op.says(*types) == "3×3 /2 pad same upper"


def test_a_summary_and_an_export_in_half_precision() -> None:
    network = loaded(
        text(
            2,
            "conv(4, 3, stride=2, padding=same_upper) -> relu -> maxpool(3, stride=2, padding=same_upper)",
        )
    )
    module = network.torch(seed=0).eval()
    running = session(network.onnx(module, half=True).SerializeToString())
    for sizes in ((9, 12), (8, 7), (1, 2)):
        x = torch.randn(1, 3, *sizes)
        (theirs,) = running.run(None, {"x": x.numpy()})
        assert apart(outputs(module, [x])[0], theirs) < 5e-3
