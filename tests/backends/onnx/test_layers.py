"""Every layer's ONNX form against PyTorch in ONNX Runtime, sizes fixed and left open."""

from __future__ import annotations

import os
from random import Random

import pytest

from netdsl.diagnostics import DiagnosticError, Sink, Source, Span
from netdsl.ir.builder import Builder
from netdsl.ir.dim import evaluate, symbol
from netdsl.ir.tensor import Tensor
from netdsl.network import Network
from netdsl.ops import registry
from netdsl.ops.base import Op
from netdsl.ops.refusal import Refusal
from netdsl.ops.rule import by_rule
from tests.ops.settings import OF_VALUES, random_case

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import (  # noqa: E402
    apart,
    check_file,
    outputs,
    restless,
    session,
)
from tests.examples import random_inputs  # noqa: E402
from tests.ops.factors import oracle  # noqa: E402
from tests.ops.realise import make_module, realise  # noqa: E402
from tests.sampling import FULL  # noqa: E402

CASES = 1000 if FULL else int(os.environ.get("NETDSL_CASES", 40))
SPAN = Span(Source("layer", "layer"), 0, 5)
FEATURES_LAST = {
    "attend", "attention", "gru", "layernorm", "linear", "lstm", "rmsnorm", "rnn",
    "window_attention",
}  # fmt: skip
CLOSE = {"lppool": 1e-4}  # roots of small sums
HALF = 2e-2
"""How close numbers of float16 come: PyTorch computes with others in between."""


class OneLayer(torch.nn.Module):
    """One layer under the path `layer`, as its recipe says it, or as PyTorch itself (`oracle`)."""

    def __init__(self, op: Op, inputs: tuple[Tensor, ...], results: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.op, self.recipe = op, op.torch(inputs, results)
        if op.weights(inputs):
            self.layer = make_module(self.recipe)

    def forward(self, *xs):
        own = oracle(self.op, xs[0])
        found = realise(self.recipe, getattr(self, "layer", None))(*xs) if own is None else own
        return tuple(found) if isinstance(found, list) else found


def one_layer(op: Op, inputs: tuple[Tensor, ...]) -> Network | None:
    """A network of one layer, or None if the layer refuses these inputs."""
    graph = Builder("One", by_rule, Sink(), SPAN)
    for name in dict.fromkeys(str(s) for t in inputs for s in t.shape if not isinstance(s, int)):
        graph.symbol(name)
    values = tuple(graph.input(f"x{i}", tensor, SPAN) for i, tensor in enumerate(inputs))
    try:
        results = graph.layer(graph.site, op, values, SPAN, label="layer")
    except Refusal:
        return None
    for i, value in enumerate(results):
        graph.output(f"y{i}", value, SPAN)
    return Network(graph.build())


def is_singular(op: Op) -> bool:
    """Whether roots of negative numbers or divisions by nearly 0 are on the way."""
    return (getattr(op, "eps", 0) or 0) < 0 or getattr(op, "k", 1) <= 0


def opened(op: Op, tensor: Tensor) -> Tensor:
    """The same with a symbol for each size but the features; equal sizes have one symbol."""
    kept = tensor.rank - 1 if op.name in FEATURES_LAST else 0
    sizes = [
        size if axis == kept or not isinstance(size, int) else symbol(f"S{size}")
        for axis, size in enumerate(tensor.shape)
    ]
    return tensor.with_shape(*sizes)


def opened_mask(op: Op, tensor: Tensor) -> Tensor:
    """Queries and keys of a mask become symbols, but for an axis of 1; a start state stays."""
    if not hasattr(op, "mask"):
        return tensor
    first = tensor.rank - 2
    sizes = (symbol(f"S{n}") if i >= first and n != 1 else n for i, n in enumerate(tensor.shape))
    return tensor.with_shape(*sizes)


def exported(network: Network, module: torch.nn.Module) -> onnx.ModelProto | None:
    """The file; None where the runtimes lack an operator for what is not float32."""
    try:
        return network.onnx(module)
    except DiagnosticError as error:
        assert error.diagnostics[0].code == "not-in-onnx"
        assert any(item.dtype != "float32" for item in network.inputs), error
        return None


def within_a_level(ours, theirs) -> bool:
    """Whether these are levels of an image that differ by how a half is rounded."""
    if ours.dtype != "uint8" or theirs.dtype != "uint8" or ours.shape != theirs.shape:
        return False
    return not ours.size or int(abs(ours.astype("int32") - theirs).max()) <= 1


def assert_runs(network: Network, draw: Random, points: list[dict[str, int]]) -> int:
    """Whether ONNX Runtime gives what PyTorch does at each size that is accepted."""
    node = next(network.graph.nodes())
    module = None
    running = None
    tried = 0
    for sizes in points:
        if not network.sizes.accepts(**sizes):
            continue
        fixed = tuple(
            v.type.with_shape(*(evaluate(s, sizes) for s in v.type.shape)) for v in node.inputs
        )
        made = one_layer(node.op, fixed)
        assert made is not None
        results = tuple(v.type for v in next(made.graph.nodes()).outputs)
        torch.manual_seed(draw.randrange(1000))
        live = restless(OneLayer(node.op, fixed, results))
        if module is None:
            module = live
            model = exported(network, module)
            if model is None:
                return 0
            check_file(model)
            running = session(model.SerializeToString())
        else:
            live.load_state_dict(module.state_dict())
        batch = draw.choice([1, 2, 3])
        inputs = random_inputs(made, {}, batch)
        if node.op.name == "embedding":
            inputs = [x % node.op.count for x in inputs]
        wanted = outputs(live, inputs)
        found = running.run(None, {f"x{i}": x.numpy() for i, x in enumerate(inputs)})
        pairs = [pair for pair in zip(wanted, found, strict=True) if not within_a_level(*pair)]
        worst = max((apart(a, b, 1.0) for a, b in pairs), default=0.0)
        is_half = any(tensor.dtype == "float16" for tensor in fixed)
        close = HALF if is_half else CLOSE.get(node.op.name, 1e-5)
        assert worst < close, (node.op, fixed, batch, worst)
        tried += 1
    return tried


@pytest.mark.parametrize("name", OF_VALUES)
def test_fixed_sizes(name: str) -> None:
    draw = Random(name)
    tried = 0
    for number in range(20 * CASES):  # more where random settings are rarely accepted
        if tried and number >= CASES:
            break
        op, inputs = random_case(registry()[name], draw)
        if is_singular(op):
            continue
        network = one_layer(op, inputs)
        if network is not None:
            tried += assert_runs(network, draw, [{}])
    assert tried


@pytest.mark.parametrize("name", OF_VALUES)
def test_open_sizes(name: str) -> None:
    draw = Random(f"{name} open")
    tried = 0
    for number in range(20 * CASES):  # more where random settings are rarely accepted
        if tried and number >= CASES:
            break
        op, inputs = random_case(registry()[name], draw)
        if is_singular(op):
            continue
        given = len(inputs) - op.named_inputs()
        named = {n for n in range(given, len(inputs)) if n not in op.size_inputs()}
        opening = (opened_mask if n in named else opened for n in range(len(inputs)))
        network = one_layer(op, tuple(f(op, t) for f, t in zip(opening, inputs, strict=True)))
        if network is None:
            continue
        symbols = network.graph.symbols
        points = [{s: int(s[1:]) for s in symbols}]
        points += [{s: draw.randint(1, 19) for s in symbols} for _ in range(3)]
        tried += assert_runs(network, draw, points)
    assert tried
