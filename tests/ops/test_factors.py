"""`upsample` by a factor against PyTorch's own: every mode, up and down, in the source and in ONNX.

What is right is asked of PyTorch directly: of `F.interpolate(scale_factor=...)` where it makes the
size that the language promises, and else of the operator below it, which takes size and factor.
"""

from __future__ import annotations

import copy
from fractions import Fraction
from itertools import product
from random import Random

import numpy as np
import pytest

import netdsl
from netdsl.ir.tensor import Tensor
from netdsl.ops import registry
from netdsl.ops.base import Rules
from netdsl.ops.cells import one
from netdsl.ops.factor import is_as_torch, sizes_apart, torch_size

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import check_file, session  # noqa: E402
from tests.ops.factors import by_factor  # noqa: E402
from tests.ops.factors import promised as exact_size  # noqa: E402
from tests.sampling import FULL  # noqa: E402

FACTORS = ["0.01", "0.1", "0.29", "0.3", "0.3333", "0.33333333", "0.5", "0.7", "0.75", "0.999",
           "1.01", "1.1", "1.25", "1.5", "1.7", "2.25", "2.3", "3", "3.7", "41.3"]  # fmt: skip
MODES = {"nearest": (1, 2, 3), "linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}
SIZES = range(1, 401) if FULL else [*range(1, 31), *range(31, 401, 13), 50, 100, 200, 400]
ALLOWED = "size-unlike-pytorch"


def settings():
    """Each mode at each rank, with `align_corners` where it takes it."""
    return [
        pytest.param(mode, rank, corners, id=f"{mode}-{rank}d{'-corners' * corners}")
        for mode, ranks in MODES.items()
        for rank, corners in product(ranks, (False, True) if mode != "nearest" else (False,))
    ]


def network(factor: str, mode: str, rank: int, corners: bool, dtype: str = "") -> netdsl.Network:
    """The last axis grows by the factor, those before it by 1.5."""
    scale = factor if rank == 1 else f"({', '.join(['1.5'] * (rank - 1) + [factor])})"
    axes = ", ".join("ABC"[-rank:])
    extra = ", align_corners=true" if corners else ""
    text = f"net U {{ input x: {dtype} [2, {axes}]; output y = x -> upsample({scale}, mode={mode}{extra}) }}"
    return netdsl.loads(text, allow=[ALLOWED])


def promised(size: int, factor: str) -> int:
    return exact_size(size, Fraction(factor))


def right(x, factors: list[str], mode: str, corners: bool):
    """What PyTorch gives at the sizes that the language promises."""
    return by_factor(x, tuple(map(Fraction, factors)), mode, corners)


def image(shape: tuple[int, ...], dtype=None):
    return torch.rand(1, 2, *shape, dtype=dtype or torch.float32)


def compare(net, factor: str, mode: str, rank: int, corners: bool, dtype=None) -> int:
    """Module and ONNX Runtime at every size; how many sizes there were."""
    module = net.torch()
    model = net.onnx(module)
    check_file(model)
    running = session(model.SerializeToString())
    close = 1e-7 if dtype is torch.float64 else 1e-6
    tried = 0
    for size in SIZES:
        if not promised(size, factor):
            continue
        x = image((*(2, 3)[: rank - 1], size), dtype)
        wanted = right(x, ["1.5"] * (rank - 1) + [factor], mode, corners)
        assert wanted.shape[-1] == promised(size, factor)
        assert torch.equal(module(x), wanted), (factor, size)
        (found,) = running.run(None, {"x": x.numpy()})
        assert found.shape == wanted.shape, (factor, size)
        # both sides work out places among the cells that come in, in single precision
        apart = np.abs(found - wanted.numpy()).max()
        assert apart <= (0 if mode == "nearest" else close * (10 + max(x.shape))), (factor, size)
        tried += 1
    return tried


@pytest.mark.parametrize(("mode", "rank", "corners"), settings())
def test_numbers_are_those_of_pytorch(mode: str, rank: int, corners: bool) -> None:
    tried = 0
    for factor in FACTORS:
        tried += compare(network(factor, mode, rank, corners), factor, mode, rank, corners)
    assert tried > 0.8 * len(FACTORS) * len(SIZES)


@pytest.mark.parametrize(
    ("mode", "rank"), [("nearest", 1), ("nearest", 2), ("linear", 1), ("bicubic", 2)]
)
def test_double_precision(mode: str, rank: int) -> None:
    for factor in FACTORS:
        net = network(factor, mode, rank, False, "float64")
        assert compare(net, factor, mode, rank, False, torch.float64)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_one_factor_for_both_axes_of_small_maps(mode: str) -> None:
    """Where an axis keeps or doubles its size, PyTorch copies cells in some of its ways through."""
    for factor in FACTORS:
        text = f"net U {{ input x: [2, H, W]; output y = x -> upsample({factor}, mode={mode}) }}"
        net = netdsl.loads(text, allow=[ALLOWED])
        module = net.torch()
        running = session(net.onnx(module).SerializeToString())
        sizes = range(1, 14) if FULL else (1, 2, 3, 5, 8, 9)
        for height, width in [*product(sizes, sizes), (9, 130), (130, 9), (2, 60), (64, 64)]:
            if promised(min(height, width), factor):
                x = image((height, width))
                wanted = right(x, [factor] * 2, mode, False)
                assert torch.equal(module(x), wanted)
                (found,) = running.run(None, {"x": x.numpy()})
                assert np.abs(found - wanted.numpy()).max() <= (0 if mode == "nearest" else 3e-4)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_fixed_sizes(mode: str) -> None:
    draw = Random(mode)
    for factor in FACTORS * (20 if FULL else 2):
        height, width = draw.choice([2, 3, 50, 100]), draw.choice([5, 9, 49, 120])
        if not promised(min(height, width), factor):
            continue
        text = f"net U {{ input x: [2, {height}, {width}]; output y = x -> upsample({factor}, mode={mode}) }}"
        net = netdsl.loads(text, allow=[ALLOWED])
        x = image((height, width))
        wanted = right(x, [factor] * 2, mode, False)
        assert tuple(wanted.shape[1:]) == net.outputs[0].shape
        assert torch.equal(net.torch()(x), wanted)
        (found,) = session(net.onnx(net.torch()).SerializeToString()).run(None, {"x": x.numpy()})
        assert np.abs(found - wanted.numpy()).max() <= (0 if mode == "nearest" else 3e-4), factor


def test_the_ramp_of_a_public_report() -> None:
    """https://github.com/Tencent/ncnn/issues/6836: the numbers of `nn.Upsample(scale_factor=1.5)`."""
    net = netdsl.loads("net U { input x: [1, L, M]; output y = x -> upsample(1.5, mode=bilinear) }")
    x = torch.arange(7.0).repeat(1, 7, 1)[None]
    row = [0, 0.5, 1.167, 1.833, 2.5, 3.167, 3.833, 4.5, 5.167, 5.833]
    module = net.torch()
    assert [round(v, 3) for v in module(x)[0, 0, 3].tolist()] == row
    (found,) = session(net.onnx(module).SerializeToString()).run(None, {"x": x.numpy()})
    assert [round(float(v), 3) for v in found[0, 0, 3]] == row
    assert (
        "scale_factor=1.5"
        in netdsl.loads("net U { input x: [1, L]; output y = x -> upsample(1.5) }").torch_source()
    )


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_cut_to_the_size_of_pytorch_it_is_what_pytorch_gives(mode: str) -> None:
    net = netdsl.loads(
        f"net U {{ input x: [2, 50, 50]; output y = x -> upsample(2.3, mode={mode}) -> crop(114) }}",
        allow=[ALLOWED],
    )
    x = image((50, 50))
    assert torch.equal(net.torch()(x), torch.nn.Upsample(scale_factor=2.3, mode=mode)(x))


@pytest.mark.parametrize("opset", range(18, 25))
@pytest.mark.parametrize("factor", ["1.5", "2.3"])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_opsets_half_precision_and_guards(mode: str, factor: str, opset: int) -> None:
    text = f"net U {{ input x: [2, H, W] where H >= 2; output y = x -> upsample({factor}, mode={mode}) }}"
    net = netdsl.loads(text, allow=["tight-where", ALLOWED])
    for half, guard in [(False, False), (True, False), (True, True)]:
        model = net.onnx(net.torch(), opset=opset, half=half, guard=guard)
        check_file(model)
        running = session(model.SerializeToString())
        for height, width in (50, 33), (7, 9):
            x = image((height, width))
            wanted = right(x.half().float() if half else x, [factor] * 2, mode, False)
            (found,) = running.run(None, {"x": x.numpy()})
            least = 2e-3 if half else 3e-5
            assert np.abs(found - wanted.numpy()).max() <= (0 if mode == "nearest" else least)
        if guard:
            with pytest.raises(Exception, match=r"indices|idx"):
                running.run(None, {"x": image((1, 9)).numpy()})


@pytest.mark.parametrize("factor", ["1.5", "2.3", "0.7"])
def test_the_module_lives_as_any_other(factor: str) -> None:
    """Copies, half precision by itself, and export at open sizes."""
    net = netdsl.loads(
        f"net U {{ input x: [2, H, W]; output y = x -> conv(2, 1) -> upsample({factor}, mode=bilinear) }}",
        allow=[ALLOWED],
    )
    module = net.torch(seed=0).eval()
    x = torch.rand(1, 2, 50, 21)
    wanted = right(module.conv1(x), [factor] * 2, "bilinear", False)
    assert torch.equal(copy.deepcopy(module)(x), wanted)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        found = module(x)
    assert found.shape == wanted.shape
    torch.testing.assert_close(found.float(), wanted, rtol=0.05, atol=0.05)
    axes = ({2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC},)
    exported = torch.export.export(module, (torch.rand(1, 2, 20, 30),), dynamic_shapes=axes)
    assert torch.equal(exported.module()(x), wanted)


# --- sizes --------------------------------------------------------------------------------


def test_where_sizes_part_is_found_exactly() -> None:
    """Against PyTorch's product at each of 4,000 sizes."""
    for factor in [*FACTORS, "0.0625", "1.3", "0.123456", "1.0001", "2.675", "7.13", "0.57"]:
        exact = Fraction(factor)
        apart = [n for n in range(1, 4001) if int(n * float(factor)) != promised(n, factor)]
        assert [n for n in sizes_apart(exact) if n <= 4000] == apart, factor
        assert not (is_as_torch(exact) and apart)
    assert [next(sizes_apart(Fraction(f))) for f in ("2.3", "0.7", "0.29")] == [50, 90, 100]
    assert all(is_as_torch(Fraction(f)) for f in ("1.5", "0.5", "2.25", "1.1", "0.1", "0.3"))


def test_sizes_proved_to_be_pytorchs_are_at_large_numbers_too() -> None:
    draw = Random(3)
    proved = 0
    for _ in range(3000):
        factor = Fraction(draw.randint(1, 10**4), 10 ** draw.randint(0, 4))
        size = factor.denominator * draw.randint(1, 10**4) + draw.choice([0, 0, 0, -1, 1])
        if size > 0 and is_as_torch(factor):
            proved += 1
            exact = size * factor.numerator // factor.denominator
            assert torch_size(factor, size) == exact, (factor, size)
    assert proved > 1000


# --- links --------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "rank", "corners"), settings())
def test_links_are_what_pytorch_reads(mode: str, rank: int, corners: bool) -> None:
    """Of some output cells; the axes before the last have 2 and 3 cells."""
    draw = Random(f"{mode} {rank}")
    for factor in FACTORS:
        for size in draw.sample(range(1, 40), 12 if FULL else 5):
            unfelt = mode == "bicubic" and factor == "0.33333333"  # weights of 1e-16
            if not promised(size, factor) or unfelt:
                continue
            shape = (2, *(2, 3)[: rank - 1], size)
            scale = tuple(map(Fraction, ["1.5"] * (rank - 1) + [factor]))
            op = registry()["upsample"](scale, None, mode, corners)
            results = op.infer((Tensor(shape),), Rules())
            made = results[0].shape
            for cell in {0, made[-1] - 1, *(draw.randrange(made[-1]) for _ in range(6))}:
                at = (1, *(draw.randrange(n) for n in made[1:-1]), cell)
                reads = op.reads((Tensor(shape),), results, one(at))
                found = {index for _, cells in reads for index in product(*cells)}
                assert found == felt(shape, at, factor, mode, corners), (factor, size, at)


def felt(shape: tuple[int, ...], at: tuple[int, ...], factor: str, mode: str, corners: bool) -> set:
    """The cells that change an output: by gradients, and of nearest by the number of the cell.

    PyTorch's gradient of nearest is not always that of the cell that it took.
    """
    factors = ["1.5"] * (len(shape) - 2) + [factor]
    if mode == "nearest":
        numbers = torch.arange(np.prod(shape)).reshape(1, *shape).float()
        number = int(right(numbers, factors, mode, corners)[(0, *at)])
        return {tuple(map(int, np.unravel_index(number, shape)))}
    x = torch.rand(1, *shape, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(right(x, factors, mode, corners)[(0, *at)], x)
    return {tuple(cell) for cell in (found[0].abs() > 1e-12).nonzero().tolist()}
