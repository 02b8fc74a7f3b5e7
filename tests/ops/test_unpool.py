"""`maxpool(indices=true)` and `max_unpool` against PyTorch, at open sizes and in ONNX Runtime."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import prod
from random import Random

import pytest

import netdsl
from netdsl.ir.dim import evaluate, symbol
from netdsl.ir.tensor import Tensor
from netdsl.ops.base import Rules
from netdsl.ops.cells import count, fixed, is_in, one, whole
from netdsl.ops.params import FromValue
from netdsl.ops.pool import MaxPool
from netdsl.ops.refusal import Refusal
from netdsl.ops.unpool import MaxUnpool

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import apart, outputs, session  # noqa: E402
from tests.ops.open_sizes import agree, loaded  # noqa: E402
from tests.ops.realise import realise  # noqa: E402

F = torch.nn.functional
SYMBOLS = "DHW"
POOLS = [
    {"kernel": 2},
    {"kernel": 3, "stride": 2, "padding": 1},
    {"kernel": 3, "stride": 2, "ceil_mode": True},
    {"kernel": 2, "stride": 3, "padding": 1, "dilation": 2, "ceil_mode": True},
    {"kernel": 3, "stride": 1},
]


def words(settings: dict[str, object]) -> str:
    parts = [f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in settings.items()]
    return ", ".join(parts)


def for_torch(settings: dict[str, object]) -> dict[str, object]:
    return {"kernel_size" if k == "kernel" else k: v for k, v in settings.items()}


def points(rank: int, seed: str) -> list[dict[str, int]]:
    draw = Random(seed)
    return [{s: draw.randint(1, 9) for s in SYMBOLS[:rank]} for _ in range(10)]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("settings", POOLS, ids=str)
def test_places_are_those_of_pytorch(settings: dict[str, object], rank: int) -> None:
    """After a relu, so that many are equal: the first of them is meant."""
    axes = ", ".join(SYMBOLS[:rank])
    text = f"""net A {{ input x: [3, {axes}]
        (p, places) = x -> relu -> maxpool({words(settings)}, indices=true)
        output y = p
        output z = places }}"""
    pool = getattr(F, f"max_pool{rank}d")

    def oracle(x):
        try:
            p, places = pool(x.relu(), return_indices=True, **for_torch(settings))
        except RuntimeError:
            return None
        return None if p.isinf().any() else (p, places)  # a window in the padding alone

    taken, _ = agree(text, points(rank, str(settings)), oracle)
    assert taken >= 3


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("size", ["x", "({})"])
@pytest.mark.parametrize("settings", POOLS, ids=str)
def test_back_to_the_map(settings: dict[str, object], size: str, rank: int) -> None:
    """With the size of the map that was pooled; PyTorch refuses none that we take."""
    axes = ", ".join(SYMBOLS[:rank])
    steps = {k: v for k, v in settings.items() if k in ("kernel", "stride", "padding")}
    text = f"""net A {{ input x: [3, {axes}]
        (p, places) = x -> maxpool({words(settings)}, indices=true)
        output y = p -> tanh -> max_unpool({words(steps)}, places=places, size={size.format(axes)}) }}"""
    pool, back = getattr(F, f"max_pool{rank}d"), getattr(F, f"max_unpool{rank}d")

    def oracle(x):
        try:
            p, places = pool(x, return_indices=True, **for_torch(settings))
            if p.isinf().any():
                return None
            return back(p.tanh(), places, output_size=x.shape[2:], **for_torch(steps))
        except (RuntimeError, ValueError):
            return None

    taken, _ = agree(text, points(rank, f"{settings} back"), oracle)
    assert taken >= 3


def test_the_usual_size_is_refused_where_it_is_not_that_of_the_map() -> None:
    """PyTorch finds out when it runs, if a place lies outside; else cells come to other places."""
    text = """net A { input x: [3, H, W]
        (p, places) = x -> maxpool(2, indices=true)
        output y = p -> max_unpool(2, places=places) }"""
    assert str(loaded(text).sizes) == "H and W multiples of 2"
    even = [{"H": h, "W": w} for h in (2, 4, 8) for w in (2, 6)]
    taken, refused = agree(
        text, even, lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)
    )
    assert (taken, refused) == (6, 0)
    for shape in "[3, 5, 4]", "[3, 4, 5]":
        with pytest.raises(netdsl.DiagnosticError) as caught:
            loaded(text.replace("[3, H, W]", shape))
        message = caught.value.diagnostics[0].message
        assert "of 5, and this one has 4" in message
    loaded(text.replace("[3, H, W]", "[3, 5, 4]").replace("places=places", "places=places, size=x"))


def test_places_of_another_map_are_refused() -> None:
    body = """net A {{ input x: [3, {}, 8]
        (p, q) = x -> maxpool(2, indices=true)
        (r, s) = x -> pad(bottom=2) -> maxpool(2, indices=true)
        output o = (r, s) -> mul
        output u = (p, q) -> mul
        output y = p -> max_unpool(2, places={}, size=x) }}"""
    loaded(body.format(8, "q"))
    with pytest.raises(netdsl.DiagnosticError):
        loaded(body.format(8, "s"))
    with pytest.raises(netdsl.DiagnosticError):
        loaded(body.format("H", "s"))


def test_places_may_come_from_outside() -> None:
    text = """net A { input x: [2, H, W]
        input at: int64 [2, H, W]
        output y = x -> max_unpool(2, places=at) }"""
    network = loaded(text)
    module = network.torch().eval()
    x = torch.randn(2, 2, 3, 2)
    at = torch.stack([torch.randperm(24)[:6] for _ in range(4)]).reshape(2, 2, 3, 2)
    wanted = F.max_unpool2d(x, at, 2).numpy()
    assert apart(wanted, outputs(module, [x, at])[0]) == 0
    running = session(network.onnx(module).SerializeToString())
    assert apart(wanted, running.run(None, {"x": x.numpy(), "at": at.numpy()})[0]) == 0


def test_gradients_are_those_of_pytorch() -> None:
    text = """net A { input x: [3, H, W]
        (p, places) = x -> maxpool(3, stride=2, padding=1, indices=true)
        output y = p -> max_unpool(3, stride=2, padding=1, places=places, size=x) }"""
    module = loaded(text).torch()
    x = torch.randn(2, 3, 7, 6, requires_grad=True)
    again = x.detach().clone().requires_grad_()
    pooled = F.max_pool2d(again, 3, 2, 1, return_indices=True)
    (module(x) ** 2).sum().backward()
    (F.max_unpool2d(*pooled, 3, 2, 1, output_size=(7, 6)) ** 2).sum().backward()
    assert torch.equal(x.grad, again.grad)


def test_the_number_of_results_is_that_of_the_call() -> None:
    for stage, names in (("maxpool(2)", "(a, b)"), ("maxpool(2, indices=true)", "(a, b, c)")):
        with pytest.raises(netdsl.DiagnosticError) as caught:
            loaded(f"net A {{ input x: [3, 4, 4]\n {names} = x -> {stage}\n output y = a }}")
        assert caught.value.diagnostics[0].code == "wrong-inputs"


def test_what_is_refused() -> None:
    head = "net A { input x: [3, 8, 8]\n (p, q) = x -> maxpool(2, indices=true)\n output y = "
    for chain, word in (
        ("p -> max_unpool(2, places=x)", "int64"),
        ("x -> max_unpool(2, places=q)", "a place for each value"),
        ("p -> max_unpool(2)", "needs `places`"),
        ("p -> max_unpool(2, places=q, size=(20, 20))", "lie 2 apart"),
        ("p -> max_unpool(2, places=3)", "places"),
        ("p -> flatten -> max_unpool(2, places=q)", "maps"),
    ):
        with pytest.raises(netdsl.DiagnosticError) as caught:
            loaded(f"{head}{chain} }}")
        assert word in caught.value.diagnostics[0].message, chain
    with pytest.raises(netdsl.DiagnosticError):
        loaded(
            "net A { input x: [3, 8, 8]\n"
            "(p, q) = x -> maxpool(2, stride=2, padding=same_upper, indices=true)\n output y = p }"
        )


def test_half_precision() -> None:
    text = """net A { input x: [3, H, W]
        (p, places) = x -> conv(3, 1) -> maxpool(2, indices=true)
        output y = p -> max_unpool(2, places=places, size=x) }"""
    network = loaded(text)
    module = network.torch(seed=0).eval()
    running = session(network.onnx(module, half=True).SerializeToString())
    x = torch.randn(1, 3, 5, 6)
    assert apart(outputs(module, [x])[0], running.run(None, {"x": x.numpy()})[0]) < 5e-3


# --- facts --------------------------------------------------------------------------------------


def test_a_place_reads_its_window_unless_that_is_one_cell() -> None:
    """For each cell whether another number in it moves the place, over many maps."""
    torch.manual_seed(0)
    for kernel, stride, padding, ceil in product((1, 2, 3), (1, 2), (0, 1), (False, True)):
        if padding > kernel // 2:
            continue
        op = MaxPool(kernel, stride, padding, ceil_mode=ceil, indices=True)
        given = (Tensor((1, 4, 5)),)
        made = op.infer(given, Rules())
        run = realise(op.torch(given, made))
        felt = torch.zeros(prod(fixed(made[1].shape)), 20, dtype=torch.bool)
        for _ in range(12):
            x = torch.rand(1, 1, 4, 5)
            places = run(x)[1].flatten()
            for cell, value in product(range(20), (-1.0, 2.0)):
                other = x.clone()
                other.view(-1)[cell] = value
                felt[:, cell] |= run(other)[1].flatten() != places
        every = list(product(*map(range, fixed(made[1].shape))))
        cells = list(product(range(1), range(4), range(5)))
        for row, at in zip(felt.tolist(), every, strict=True):
            reads = [p for _, p in op.reads(given, made, one(at), 1)]
            assert [is_in(reads, cell) for cell in cells] == row, (op, at)
        together = [p for _, p in op.reads(given, made, whole(made[1].shape), 1)]
        assert count(together) == int(felt.any(0).sum()), op
        assert op.connections(given, made) == int(felt.sum()) + sum(
            count(p for _, p in op.reads(given, made, one(at))) for at in every
        )


@pytest.mark.parametrize("settings", [(2, 2), (3, 1), (3, 2), (1, 2), (3, 2, 1), (2, 3, 1, 2)])
def test_connections_at_open_sizes(settings: tuple[int, ...]) -> None:
    op = MaxPool(*settings, indices=True)
    wide = (Tensor((3, symbol("H"), symbol("W"))),)
    formula = op.connections(wide, op.infer(wide, Rules()))
    for h, w in product(range(3, 9), range(3, 7)):
        given = (Tensor((3, h, w)),)
        assert evaluate(formula, {"H": h, "W": w}) == op.connections(
            given, op.infer(given, Rules())
        )


def test_any_value_of_a_channel_may_come_to_a_cell() -> None:
    op = MaxUnpool(2, FromValue(1), 2)
    given = (Tensor((2, 2, 2)), Tensor((2, 2, 2), "int64"))
    made = op.infer(given, Rules())
    run = realise(op.torch(given, made))
    reached = torch.zeros(2, 2, 16, dtype=torch.bool)  # from a channel, to a cell of one
    for shift in range(16):
        places = (torch.arange(4) * 4 + shift) % 16
        at = places.reshape(1, 1, 2, 2).expand(1, 2, 2, 2)
        x = torch.ones(1, 2, 2, 2, requires_grad=True)
        found = run(x, at)
        assert int((found != 0).sum()) == op.connections(given, made) // 2
        for channel in range(2):
            (gradient,) = torch.autograd.grad(found[0, channel].sum(), x, retain_graph=True)
            reached[:, channel] |= (gradient[0].flatten(1).sum(1) > 0)[:, None]
    for channel, cell in product(range(2), range(16)):
        reads = op.reads(given, made, one((channel, *divmod(cell, 4))))
        assert {n for n, _ in reads} == {0, 1}
        for _, piece in reads:
            assert piece == (frozenset({channel}), frozenset({0, 1}), frozenset({0, 1}))
            assert [bool(reached[c, channel, cell]) for c in range(2)] == [
                c == channel for c in range(2)
            ]


def test_connections_of_places_at_open_sizes() -> None:
    """Of each window its cells in the map, and once more where there are several to choose from."""
    random, met = Random("places at open sizes"), Counter[int]()
    while met.total() < 6000:
        k, s, p, d = (random.choice(n) for n in ([1, 2, 3, 5], [1, 2, 3, 4], [0, 1, 2], [1, 1, 2]))
        ceil = random.random() < 0.5
        op = MaxPool(k, s, p, d, ceil, True)
        opened = (Tensor((3, symbol("L"))),)
        try:
            formula = op.connections(opened, op.infer(opened, Rules()))
        except Refusal:
            continue
        assert formula is not None
        for size in random.sample(range(1, 20), 4):
            try:
                op.infer((Tensor((3, size)),), Rules())
                x = torch.zeros(1, 3, size)
                windows = F.max_pool1d(x, k, s, p, d, ceil).shape[-1]
            except (Refusal, RuntimeError):
                continue
            counts = [sum(0 <= i * s - p + t * d < size for t in range(k)) for i in range(windows)]
            met.update(counts)
            wanted = 3 * sum(n + n * (n > 1) for n in counts)
            assert evaluate(formula, {"L": size}) == wanted, (op, size)
    assert met[1] > 300
    assert met[2] > 300
