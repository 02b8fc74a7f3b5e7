"""Settings that depend on the size of the input, against PyTorch at many sizes."""

from __future__ import annotations

import pytest

import netdsl

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import apart, outputs, session  # noqa: E402
from tests.ops.open_sizes import agree, loaded  # noqa: E402

LINES = [{"T": t} for t in range(1, 16)]


def strict_slice(x, axis, start, stop, step=1):
    """A slice of Python, where no end lies outside and something is left; else None."""
    size = x.shape[axis]
    first = start + size if start < 0 else start
    last = size if stop is None else stop + size if stop < 0 else stop
    if first < 0 or last > size or last <= first:
        return None
    return x.narrow(axis, 0, size)[(slice(None),) * axis + (slice(first, last, step),)]


SLICES = {
    "slice(1, 3)": lambda x, t: strict_slice(x, 2, 3, None),
    "slice(1)": lambda x, t: x,
    "slice(-1, -3)": lambda x, t: strict_slice(x, 2, -3, None),
    "slice(1, stop=-2)": lambda x, t: strict_slice(x, 2, 0, -2),
    "slice(1, 1, end, step=3)": lambda x, t: strict_slice(x, 2, 1, None, 3),
    "slice(1, 0, T)": lambda x, t: x,
    "slice(1, 0, T // 2)": lambda x, t: strict_slice(x, 2, 0, t // 2) if t > 1 else None,
    "slice(1, T // 3, -1)": lambda x, t: strict_slice(x, 2, t // 3, -1),
    "slice(1, T // 3, T - 1, step=2)": lambda x, t: strict_slice(x, 2, t // 3, t - 1, 2),
    "slice(1, T - 4)": lambda x, t: strict_slice(x, 2, t - 4, None) if t >= 4 else None,
    "slice(1, T - 4, end, step=2)": lambda x, t: (
        strict_slice(x, 2, t - 4, None, 2) if t >= 4 else None
    ),
    "slice(1, 2, in.length - 3)": lambda x, t: strict_slice(x, 2, 2, t - 3) if t > 5 else None,
}


@pytest.mark.parametrize("stage", SLICES)
def test_slices(stage: str) -> None:
    text = f"net A {{ input x: [3, T]\n output y = x -> {{ {stage} }} }}"
    text = text.replace("in.length", "x.length")
    taken, _ = agree(text, LINES, lambda x: SLICES[stage](x, x.shape[2]))
    assert taken >= 8


@pytest.mark.parametrize("parts", ["[T - 2, 2]", "[1, x.length - 1]", "[T // 2, T - T // 2]",
                                   "[1, 2, 4]", "[T // 3, 1, T - T // 3 - 1]"])  # fmt: skip
def test_splits(parts: str) -> None:
    count = parts.count(",") + 1
    names = "abc"[:count]
    outputs = "\n".join(f"output {n}_ = {n}" for n in names)
    text = f"net A {{ input x: [3, T]\n ({', '.join(names)}) = x -> split({parts}, axis=1)\n{outputs} }}"

    def oracle(x):
        t = x.shape[2]
        sizes = eval(parts.replace("x.length", "T"), {"T": t})
        if min(sizes) < 1 or sum(sizes) != t:
            return None
        return x.split(sizes, dim=2)

    taken, refused = agree(text, LINES, oracle)
    assert taken >= 1
    assert refused >= 1


def said(stage: str, shape: str = "[8, T]") -> tuple[str, tuple[str, ...]]:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        loaded(f"net A {{ input x: {shape}\n output y = x -> {stage} }}")
    first = caught.value.diagnostics[0]
    return first.message, first.help


def test_what_a_slice_refuses() -> None:
    assert said("slice(1, 0, 5)", "[8, 4]")[0] == "cell 5 is outside of an axis of 4"
    assert said("slice(1, -5)", "[8, 4]")[0] == "cell -5 is outside of an axis of 4"
    assert said("slice(1, 4)", "[8, 4]")[0] == "nothing is left from 4 to end"
    assert said("slice(1, 0, 2**31 - 1)")[1] == ("write `end`",)
    assert "to the end" in said("slice(1, 0, 2**31 - 2)", "[8, 9]")[1][0]
    assert "known number" in said("slice(1, 0, 4, step=T)")[0]
    assert "outside of an axis" in said("slice(1, -T)")[0]


def test_the_ends_of_a_slice_are_no_sizes_of_a_word() -> None:
    """`end` is the word even where a number is called so."""
    text = "net A(end: int = 2) { input x: [8, T]\n output y = x -> slice(1, 1, end) }"
    assert str(loaded(text).outputs[0].value.type) == "[8, T - 1]"


def test_what_a_split_refuses() -> None:
    assert said("split([1, 3], axis=1)", "[8, 5]")[0] == "the parts add up to 4, and the axis is 5"
    assert "at least 1" in said("split([0, 5], axis=1)", "[8, 5]")[0]
    message, help = said("split(T, axis=1)")
    assert "known number" in message
    assert "split([H - 2, 2])" in help[0]


# --- numbers that are open sizes ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "refused"),
    [("T", 0), ("T - 1", 1), ("T - 5", 1), ("T // 4", 3), ("T % 3", 5), ("max(T - 9, 1)", 0)],
)
def test_what_is_divided_by(number: str, refused: int) -> None:
    """A size of 0 is refused as the number 0 is: PyTorch gives inf and nan, silently."""

    def oracle(x):
        divisor = eval(number, {"T": x.shape[2], "max": max})
        return x / divisor if divisor else None

    text = f"net A {{ input x: [3, T]\n output y = x -> div({number}) }}"
    assert agree(text, LINES, oracle) == (len(LINES) - refused, refused)


@pytest.mark.parametrize(("dtype", "refused"), [("int64", 4), ("float32", 0)])
def test_exponents(dtype: str, refused: int) -> None:
    """PyTorch has no negative powers of whole numbers."""
    text = f"net A {{ input x: {dtype} [3, T]\n output y = x -> pow(T - 5) }}"
    network, count = loaded(text), 0
    module = network.torch()
    for at in LINES:
        x = torch.ones(2, 3, at["T"], dtype=getattr(torch, dtype))
        try:
            wanted = x ** (at["T"] - 5)
        except RuntimeError:
            count += 1
            assert not network.sizes.accepts(**at)
            continue
        assert network.sizes.accepts(**at)
        torch.testing.assert_close(module(x), wanted)
    assert count == refused


# --- windows of a map behind a stride -----------------------------------------------------------


@pytest.mark.parametrize("front", ["maxpool(4, stride=3)", "avgpool(3, stride=2, padding=1)"])
@pytest.mark.parametrize("sign", ["/", "//"])
def test_windows_of_a_map(front: str, sign: str) -> None:
    """Whole windows, of 2 by 3 cells, as attention within windows takes them."""
    pool = {
        "maxpool(4, stride=3)": lambda x: torch.nn.functional.max_pool2d(x, 4, 3),
        "avgpool(3, stride=2, padding=1)": lambda x: torch.nn.functional.avg_pool2d(x, 3, 2, 1),
    }[front]
    text = f"""net A {{
        input x: [4, H, W]
        m = x -> {front}
        windows = m -> reshape([4, m.height {sign} 2, 2, m.width {sign} 3, 3])
        output y = windows -> permute([1, 3, 2, 4, 0])
            -> reshape([(m.height {sign} 2) * (m.width {sign} 3), 6, 4])
    }}"""

    def oracle(x):
        try:
            m = pool(x)
            windows = m.unflatten(3, (-1, 3)).unflatten(2, (-1, 2))
        except RuntimeError:
            return None
        return windows.permute(0, 2, 4, 3, 5, 1).flatten(1, 2).flatten(2, 3)

    points = [{"H": h, "W": w} for h in range(1, 17) for w in (3, 5, 7, 10, 11, 12, 13, 19)]
    taken, refused = agree(text, points, oracle)
    assert min(taken, refused) >= 10


# --- transposed convolutions to a size ---------------------------------------------------------

MAPS = [{"H": h, "W": w} for h in (1, 2, 5, 8, 9) for w in (3, 4, 6, 7)]


def transposed(settings: str, rank: int = 2):
    """PyTorch's own module, and what it gives for an `output_size`; None where it refuses."""
    names = settings.replace("kernel", "kernel_size").replace("false", "False")
    module = eval(f"torch.nn.ConvTranspose{rank}d(3, 2, {names})", {"torch": torch})

    def run(x, size):
        try:
            return module(x, output_size=size)
        except (ValueError, RuntimeError):
            return None

    return module, run


@pytest.mark.parametrize(
    "settings",
    ["kernel=3, stride=2, padding=1", "kernel=2, stride=2", "kernel=(2, 5), stride=(3, 2), padding=(0, 2)",
     "kernel=3, stride=4, padding=1, dilation=2", "kernel=1, stride=3", "kernel=3, padding=1, bias=false"],
)  # fmt: skip
def test_to_the_size_of_a_value(settings: str) -> None:
    """`a` is of all sizes near those that a stride of 2 can give."""
    taken, refused = check_target(settings, "a", lambda a, h, w: a.shape[-2:])
    assert min(taken, refused) >= 20


@pytest.mark.parametrize(
    ("size", "of"),
    [
        ("(2 * H, 2 * W - 1)", lambda a, h, w: (2 * h, 2 * w - 1)),
        ("(2 * x.height - 1, Q)", lambda a, h, w: (2 * h - 1, a.shape[3])),
    ],
)
def test_to_an_open_size(size: str, of) -> None:
    taken, refused = check_target("kernel=3, stride=2, padding=1", size, of)
    assert taken >= 20
    assert bool(refused) == ("Q" in size)


def settings_of(module):
    return module.kernel_size, module.stride, module.padding, module.dilation


def check_target(settings: str, size: str, of) -> tuple[int, int]:
    """How many sizes are taken, and how many refused, by the network and by PyTorch alike."""
    module, run = transposed(settings)
    text = f"""net A {{ input x: [3, H, W]
        input a: [5, P, Q]
        y = x -> c: conv_transpose(2, {settings}, size={size})
        output z = y -> relu }}"""
    network = loaded(text)
    state = {f"c.{key}": value for key, value in module.state_dict().items()}
    model, taken, refused = network.torch(weights=state).eval(), 0, 0
    running = session(network.onnx(state).SerializeToString())
    for sizes in MAPS:
        for offsets in ((0, 0), (-1, 0), (0, 1), (1, 1), (2, 0), (3, 4)):
            at = dict(sizes)
            for axis, (name, own, plus) in enumerate(
                zip("PQ", sizes.values(), offsets, strict=True)
            ):
                k, s, p, d = (part[axis] for part in settings_of(module))
                at[name] = max((own - 1) * s - 2 * p + d * (k - 1) + 1 + plus, 1)
            x, a = torch.randn(2, 3, at["H"], at["W"]), torch.randn(2, 5, at["P"], at["Q"])
            with torch.no_grad():
                wanted = run(x, of(a, at["H"], at["W"]))
            assert network.sizes.accepts(**at) == (wanted is not None), at
            refused += wanted is None
            if wanted is None:
                continue
            taken += 1
            for found in (
                outputs(model, [x, a]),
                running.run(None, {"x": x.numpy(), "a": a.numpy()}),
            ):
                assert apart(wanted.relu().numpy(), found[0]) < 1e-5
    return taken, refused


def test_to_a_size_of_one_or_three_axes() -> None:
    for rank, axes in (1, "L"), (3, "D, H, W"):
        module, run = transposed("kernel=3, stride=2, padding=1", rank)
        text = f"""net A {{ input x: [3, {axes}]
            (a, b) = x -> maxpool(1, stride=2) -> Twice
            output y = a -> c: conv_transpose(2, 3, stride=2, padding=1, size=x) }}
            block Twice {{ (in, in) }}"""
        network = loaded(text)
        assert str(network.sizes).startswith("any ")
        state = {f"c.{key}": value for key, value in module.state_dict().items()}
        model = network.torch(weights=state).eval()
        for size in 4, 5:
            x = torch.randn(1, 3, *(size,) * rank)
            less = x[(..., *(slice(None, None, 2),) * rank)]
            assert torch.allclose(model(x), run(less, x.shape[2:]), atol=1e-5)


def test_in_a_labelled_row_and_as_a_shared_layer() -> None:
    """A module that is given a size is no step of an `nn.Sequential`; shared, it takes several."""
    text = """net A { input x: [3, H, W]
        layer up = conv_transpose(3, 3, stride=2, padding=1, size=(2 * H - 1, 2 * W))
        output y = x -> row: { conv(3, 1) -> conv_transpose(2, 2, stride=2, size=(2 * H, 2 * W + 1)) -> relu }
        output a = x -> up
        output b = x -> relu -> up }"""
    network = loaded(text)
    module = network.torch(seed=0).eval()
    x = torch.randn(1, 3, 5, 4)
    y, a, b = outputs(module, [x])
    assert y.shape == (1, 2, 10, 9)
    assert a.shape == b.shape == (1, 3, 9, 8)


def test_what_it_refuses() -> None:
    message, _ = said("conv_transpose(2, 3, stride=2, padding=1, size=12)", "[8, 5]")
    assert message == "a length of 5 becomes 9 to 10, not 12"
    message, _ = said(
        "conv_transpose(2, 3, stride=2, output_padding=1, size=(10, 10))", "[8, 5, 5]"
    )
    assert "output_padding" in message
    assert str(loaded(
        "net A { input x: [3, H, W]\n output y = x -> conv_transpose(2, 2, stride=2, size=(9, 2 * W)) }"
    ).sizes) == "H = 4, any W"  # fmt: skip
