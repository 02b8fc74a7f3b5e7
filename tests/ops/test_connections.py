"""Connections of every layer: the entries of small Jacobians that are not zero, counted."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import prod
from random import Random
from typing import Any

import pytest

import netdsl
from netdsl.ir.dim import evaluate, symbol
from netdsl.ir.tensor import Tensor
from netdsl.ops import registry
from netdsl.ops.adaptive_pool import AdaptiveAvgPool
from netdsl.ops.attention import Attention
from netdsl.ops.axes import axis_indices
from netdsl.ops.base import Op, Rules
from netdsl.ops.conv import Conv
from netdsl.ops.pool import MaxPool
from netdsl.ops.recipe import TorchModule
from netdsl.ops.refusal import Refusal
from netdsl.ops.resample import Upsample
from tests.ops.settings import OF_VALUES, random_case
from tests.sampling import FULL

torch = pytest.importorskip("torch")

from tests.ops.realise import make_module, realise  # noqa: E402

LARGEST = 64
CASES = 12 if FULL else 6
DRAWS = 48
ALONG_AN_AXIS = {"softmax", "log_softmax", "layernorm"}
NOT_DIFFERENTIABLE = {"embedding", "greater", "less", "equal", "where", "sign", "argmax"}
PLACED = {"max_unpool"}
"""Where the data say which number goes to which cell: test_unpool.py."""
POSITIVE = ("lppool", "log", "sqrt", "rsqrt", "pow")
"""Layers that have a gradient above 0 only."""
ROUNDING = {"attention": 1e-14, "attend": 1e-14}
"""What rounding leaves of a derivative that is 0: that of a number added to all scores."""
SIGNS = {"maxpool": 1, "adaptive_maxpool": 1, "global_maxpool": 1, "spp": 1, "max": 1, "min": -1}
"""Whether the largest of several values, or the least, is the one that counts."""


def accepted(name: str, random: Random) -> tuple[Op, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """A small case that is legal."""
    while True:
        op, inputs = random_case(registry()[name], random)
        if any(getattr(op, at, 1.0) == 0 for at in ("alpha", "beta", "slope", "init", "k")):
            continue  # a factor of 0 leaves no dependence
        if any(prod(t.shape) > LARGEST for t in inputs):
            continue
        try:
            outputs = op.infer(inputs, Rules())
        except Refusal:
            continue
        if getattr(op, "k", 1.0) < 0:
            continue  # roots of negative numbers
        if getattr(op, "indices", False):
            continue  # places have no gradient: test_unpool.py
        if name in ALONG_AN_AXIS:
            axes = axis_indices(op.axis, inputs[0].rank, Rules())
            if prod(inputs[0].shape[axis] for axis in axes) == 1:
                continue  # the result is always the same
        if getattr(op, "mask", None) and inputs[-1].dtype == "bool":
            continue  # which has no gradient
        if sum(prod(t.shape) for t in outputs) <= LARGEST:
            return op, inputs, outputs


def reads(op: Op, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> int:
    """Pairs of an input value and an output value that depends on it, at some of many inputs."""
    torch.manual_seed(0)
    recipe = op.torch(inputs, outputs)
    module = make_module(recipe).double() if isinstance(recipe, TorchModule) else None
    if module is not None:
        for weight in module.parameters():
            torch.nn.init.normal_(weight)
    run = realise(recipe, module)

    def joined(*xs):
        made = run(*xs)
        made = list(made) if isinstance(made, tuple | list) else [made]
        return torch.cat([part.flatten() for part in made])

    found = None
    for xs in points(inputs, sign=SIGNS.get(op.name, 0), positive=op.name in POSITIVE):
        parts = torch.autograd.functional.jacobian(joined, xs, vectorize=True)
        flat = torch.cat([p.reshape(p.shape[0], -1) for p in parts], dim=1)
        seen = flat.abs() > ROUNDING.get(op.name, 1e-25)
        found = seen if found is None else found | seen
    assert found is not None
    return int(found.sum())


def points(inputs: tuple[Tensor, ...], *, sign: int, positive: bool) -> Iterator[Any]:
    """Inputs of several scales; or small ones in which each cell in turn stands out."""
    sizes = [prod(t.shape) for t in inputs]
    for draw in range(sum(sizes) if sign else DRAWS):
        xs = [torch.randn(1, *t.shape, dtype=torch.float64) for t in inputs]
        if sign:
            flat = torch.cat([x.flatten() for x in xs])
            flat[draw] = -10.0 if sign < 0 else 10.0
            parts = flat.split(sizes)
            xs = [part.reshape(1, *t.shape) for part, t in zip(parts, inputs, strict=True)]
        else:
            xs = [x * 0.3 * (1 + draw % 12) for x in xs]
        yield tuple(x.abs() for x in xs) if positive else tuple(xs)


@pytest.mark.parametrize("name", sorted(set(OF_VALUES) - NOT_DIFFERENTIABLE - PLACED))
def test_connections_are_the_entries_of_the_jacobian(name: str) -> None:
    random = Random(f"connections {name}")
    for _ in range(CASES):
        op, inputs, outputs = accepted(name, random)
        said = op.connections(inputs, outputs)
        counted = reads(op, inputs, outputs)
        assert isinstance(said, int)
        assert counted == said, (op, inputs)


@pytest.mark.parametrize("name", OF_VALUES)
def test_formulas_give_what_numbers_give(name: str) -> None:
    """Connections of maps whose sizes are symbols."""
    random = Random(f"formulas {name}")
    for _ in range(60):
        op, inputs, outputs = accepted(name, random)
        at = {f"s{i}_{axis}": size for i, t in enumerate(inputs)
              for axis, size in enumerate(t.shape) if axis and size > 1}  # fmt: skip
        symbolic = tuple(
            Tensor(
                tuple(symbol(f"s{i}_{axis}") if axis and size > 1 else size
                      for axis, size in enumerate(t.shape)),
                t.dtype,
            )
            for i, t in enumerate(inputs)
        )  # fmt: skip
        try:
            made = op.infer(symbolic, Rules())
        except Refusal:
            continue
        formula = op.connections(symbolic, made)
        if formula is not None:
            assert evaluate(formula, at) == op.connections(inputs, outputs), (op, inputs)


@pytest.mark.parametrize("corners", [False, True], ids=["centres", "corners"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "bicubic"])
def test_interpolation_reads_each_cell_once(mode: str, corners: bool) -> None:
    """Every size up to 9 and every result up to 20: what single cells give is not zero there."""
    if mode == "nearest" and corners:
        pytest.skip("there is no such interpolation")
    by_formula = 0
    flat = mode == "bicubic"  # which PyTorch has for two axes only
    for size, made in product(range(1, 10), range(1, 21)):
        shape = (made, 1) if flat else (made,)
        op = Upsample(size=shape, mode=mode, align_corners=corners)
        given = (Tensor((1, size, 1) if flat else (1, size)),)
        outputs = op.infer(given, Rules())
        ones = torch.eye(size, dtype=torch.float64).reshape(size, 1, *given[0].shape[1:])
        found = realise(op.torch(given, outputs), None)(ones)
        assert op.connections(given, outputs) == int((found.abs() > 1e-9).sum()), (op, size)
    for factor, size in product((2, 3, 4, 5, 8, Fraction(1, 2), Fraction(1, 3)), range(1, 20)):
        op = Upsample(scale=factor if not flat else (factor, Fraction(1)), mode=mode,
                      align_corners=corners)  # fmt: skip
        known = size * (factor.denominator if isinstance(factor, Fraction) else 1)
        open_size = symbol("L") * (factor.denominator if isinstance(factor, Fraction) else 1)
        given, wide = ((Tensor((1, n, 1) if flat else (1, n)),) for n in (known, open_size))
        formula = op.connections(wide, op.infer(wide, Rules()))
        if formula is not None:
            by_formula += 1
            wanted = op.connections(given, op.infer(given, Rules()))
            assert evaluate(formula, {"L": size}) == wanted, (op, size)
    assert corners or by_formula > 100


POISONED = ("convolution", "pooling", "pyramid", "size", "plumbing", "merging", "dense")
"""Families whose results a NaN reaches wherever they read it, and nowhere else."""


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name, op in registry().items()
        if name in OF_VALUES
        and op.family in POISONED
        and name not in NOT_DIFFERENTIABLE | {"window_attention", "attend"}
    ),
)
def test_connections_by_poisoned_cells(name: str) -> None:
    """Larger maps than a Jacobian allows: one cell after the other is NaN."""
    random = Random(f"poison {name}")
    tried = 0
    while tried < 40:
        op, inputs = random_case(registry()[name], random)
        if sum(prod(t.shape) for t in inputs) > 400 or not all(t.batched for t in inputs):
            continue
        try:
            outputs = op.infer(inputs, Rules())
        except Refusal:
            continue
        said = op.connections(inputs, outputs)
        if said is None or not all(t.is_float for t in inputs) or hides(op, inputs):
            continue
        number = getattr(op, "number", None)
        if 0 in (number if isinstance(number, tuple) else (number,)):
            continue  # 0 times NaN is NaN
        if getattr(op, "indices", False):
            continue  # places are never NaN
        tried += 1
        assert said == poisoned(op, inputs, outputs), (op, inputs)


def hides(op: Op, inputs: tuple[Tensor, ...]) -> bool:
    """Whether a NaN gets lost, or lost numbers are NaN: by PyTorch's kernels for attention.

    They give zeros for scores that are NaN; and what is masked, and is 0 times NaN, is NaN.
    """
    return isinstance(op, Attention) and (op.causal or len(inputs) > 1)


def poisoned(op: Op, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> int:
    recipe = op.torch(inputs, outputs)
    module = make_module(recipe).double().eval() if isinstance(recipe, TorchModule) else None
    run, found = realise(recipe, module), 0
    for number, tensor in enumerate(inputs):
        count = prod(tensor.shape)
        xs = [torch.rand(count, *t.shape, dtype=torch.float64) + 0.5 for t in inputs]
        xs[number].reshape(count, count).fill_diagonal_(float("nan"))
        with torch.no_grad():
            made = run(*xs)
        parts = made if isinstance(made, tuple | list) else [made]
        found += sum(int(part.isnan().sum()) for part in parts)
    return found


def test_links_to_padding_do_not_exist() -> None:
    """3x3 over 4x4 with padding 1: 4 corners see 4 cells, 8 edges 6, 4 inner ones 9."""
    image = Tensor((1, 4, 4))
    conv = Conv(1, 3, padding=1)
    assert conv.connections((image,), conv.infer((image,), Rules())) == 4 * 4 + 8 * 6 + 4 * 9
    pool = MaxPool(3, stride=1, padding=1)
    assert pool.connections((image,), pool.infer((image,), Rules())) == 4 * 4 + 8 * 6 + 4 * 9
    assert conv.macs((image,), (image,)) == 16 * 9


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_a_cell_read_again_in_a_copy_counts_once(mode: str) -> None:
    """Every size, kernel, padding and dilation, against the cells that are read, one by one."""
    by_formula = 0
    for size, kernel, stride, dilation, padding in product(
        range(1, 9), range(1, 6), (1, 2, 3), (1, 2, 3), range(5)
    ):
        conv = Conv(1, kernel, stride, padding, dilation, padding_mode=mode)
        given = (Tensor((1, size)),)
        try:
            made = conv.infer(given, Rules())
        except Refusal:
            continue
        ((count,),) = (t.shape[1:] for t in made)
        assert isinstance(count, int)
        cells = [
            conv.reads(given, made, (frozenset((0,)), frozenset((i,))))[0][1][1]
            for i in range(count)
        ]
        wanted = sum(map(len, cells))
        assert conv.connections(given, made) == wanted, (conv, size)
        open_ = (Tensor((1, symbol("L"))),)
        formula = conv.connections(open_, conv.infer(open_, Rules()))
        if formula is not None:
            by_formula += 1
            assert evaluate(formula, {"L": size}) == wanted, (conv, size)
    assert by_formula > 100


def test_weights_are_no_values() -> None:
    """A learned factor or offset is what a bias is: no connection."""
    text = """
    net A {
        input x: [4, H, W]
        weight scale: [4, 1, 1] = 1
        output y = mul { x ; scale -> sigmoid } -> conv(2, 1)
    }
    """
    network = netdsl.loads(text)
    assert str(network.summary().connections) == "12*H*W"
    tokens = """
    net B {
        input x: [6, 8]
        weight token: [1, 1, 8]
        output y = (token, x) -> concat(axis=0) -> linear(3)
    }
    """
    assert netdsl.loads(tokens).summary().connections == 6 * 8 + 7 * 3 * 8


def test_a_kernel_beyond_reason_is_not_counted() -> None:
    line = Tensor((1, 10))
    bins = AdaptiveAvgPool(2**30)
    open_line = Tensor((1, symbol("L")))
    assert bins.connections((line,), bins.infer((line,), Rules())) == 2**30 + 10 - 2
    assert bins.connections((open_line,), bins.infer((open_line,), Rules())) is None
    huge = MaxPool(10**9, stride=1, padding=5 * 10**8)
    assert huge.connections((line,), huge.infer((line,), Rules())) is None
