"""Legal networks compile, and their PyTorch source computes what the graph says, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import Any

import pytest

import netdsl
from netdsl.ir.condition import holds
from netdsl.ir.dim import evaluate
from netdsl.ir.graph import Graph, Layer, Value
from netdsl.ir.printer import graph_text
from netdsl.lints import WARNINGS
from netdsl.ops.base import Op
from netdsl.ops.recipe import TorchModule, TorchWeight
from tests.legal_networks import legal_network

torch = pytest.importorskip("torch")

from tests.ops.factors import oracle  # noqa: E402
from tests.ops.realise import make_module, realise  # noqa: E402

COUNT, PARTS = 96, 8
EACH_PART = [pytest.param(n, marks=pytest.mark.xdist_group(f"legal {n}")) for n in range(PARTS)]
LARGEST = 24


@lru_cache(2 * COUNT)
def built(seed: int, *, symbolic: bool) -> netdsl.Network:
    """A legal network, for all tests of its part; whatever is said against it is a fault."""
    network = netdsl.loads(legal_network(seed, symbolic=symbolic), allow=WARNINGS)
    assert not network.warnings, seed
    return network


def networks(part: int, *, symbolic: bool) -> Iterator[tuple[int, netdsl.Network]]:
    """Legal networks, but for a rare one whose source is refused (see `size-not-at-hand`)."""
    refused = 0
    for seed in range(part, COUNT, PARTS):
        network = built(seed, symbolic=symbolic)
        if symbolic and _is_size_out_of_reach(network):
            refused += 1
            continue
        yield seed, network
    assert refused <= 1 + COUNT // PARTS // 50


def _is_size_out_of_reach(network: netdsl.Network) -> bool:
    """Whether a block needs a size that no value in it tells: a documented limit, told at its place."""
    try:
        network.torch_source()
    except netdsl.DiagnosticError as error:
        codes = [(d.code, d.span is not None) for d in error.diagnostics]
        assert codes == [("size-not-at-hand", True)]
        return True
    return False


def module_of(network: netdsl.Network, seed: int) -> Any:
    """In evaluation mode and double precision, with weights and statistics that leave nothing out."""
    module = network.torch(seed=seed).eval().double()  # so that only faults differ
    torch.manual_seed(seed)
    for key, value in module.state_dict().items():
        if "running_var" in key:
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point() and value.ndim == 1:
            value.normal_(0.2, 0.5)
    return module


def at_inference(module: Any, x: Any) -> list[Any]:
    """The outputs; those of training are None then."""
    return [part for part in module(x) if part is not None]


def interpret(graph: Graph, state: dict[str, Any], x: Any) -> list[Any]:
    """The outputs of inference, computed node by node from the layers' recipes.

    Where PyTorch has a function of its own for a layer (`oracle`), that is asked, not the recipe.
    Asserts that every value has the shape the graph gives it; sizes must be fixed.
    """
    found: dict[Value, Any] = {graph.inputs[0].value: x}
    modules: dict[Layer, Any] = {}
    needed = graph.inference_nodes()
    for node in graph.nodes():
        if node not in needed:
            continue
        op = node.op
        assert isinstance(op, Op)
        own = oracle(op, found[node.inputs[0]]) if node.inputs else None
        if own is not None:
            _keep(node.outputs, own, found)
            continue
        recipe = op.torch(*(tuple(v.type for v in vs) for vs in (node.inputs, node.outputs)))
        if isinstance(recipe, TorchWeight):
            found[node.output] = state[node.path]
            continue
        if isinstance(recipe, TorchModule) and node.layer not in modules:
            modules[node.layer] = module = make_module(recipe).to(x.dtype)
            below = f"{node.path}."
            weights = {k.removeprefix(below): v for k, v in state.items() if k.startswith(below)}
            module.load_state_dict(weights, strict=True)
        results = realise(recipe, modules.get(node.layer))(*(found[v] for v in node.inputs))
        _keep(node.outputs, results, found)
    return [found[o.value] for o in graph.outputs if not o.when_training]


def _keep(values: tuple[Value, ...], results: Any, found: dict[Value, Any]) -> None:
    parts = results if isinstance(results, tuple | list) else [results]
    for value, part in zip(values, parts, strict=True):
        batch = 1 if value.type.batched else 0
        assert tuple(part.shape[batch:]) == value.type.shape, value.producer
        found[value] = part


def check_fixed(network: netdsl.Network, seed: int) -> None:
    """The module computes what the graph says, node by node."""
    module = module_of(network, seed)
    x = torch.randn(2, *network.inputs[0].shape, dtype=torch.float64)
    with torch.no_grad():
        outputs = at_inference(module, x)
        expected = interpret(network.graph, module.state_dict(), x)
    for mine, other in zip(outputs, expected, strict=True):
        torch.testing.assert_close(mine, other, msg=lambda m: f"seed {seed}: {m}")


def check_symbolic(network: netdsl.Network, seed: int) -> None:
    """The module of symbolic sizes equals the graph of fixed ones."""
    random, module = Random(seed), module_of(network, seed)
    sizes = network.sizes
    tried = [{s: random.randint(1, LARGEST) for s in sizes.symbols} for _ in range(30)]
    smallest = sizes.smallest()
    assert smallest is not None
    legal = [a for a in (smallest, *tried) if sizes.accepts(**a)]
    # at a fixed size the heads of training must be possible too
    needed = [r.condition for r in network.graph.requirements]
    for at in [a for a in legal if all(holds(c, a) for c in needed)][:2]:
        text = legal_network(seed, symbolic=True)
        fixed = netdsl.loads(text, sizes=at).graph
        x = torch.randn(1, *(evaluate(d, at) for d in network.inputs[0].shape), dtype=torch.float64)
        with torch.no_grad():
            outputs, expected = (
                at_inference(module, x),
                interpret(fixed, module.state_dict(), x),
            )
        for mine, other in zip(outputs, expected, strict=True):
            torch.testing.assert_close(mine, other, msg=lambda m: f"seed {seed}: {m}")


@pytest.mark.one_in(2)
@pytest.mark.parametrize("part", EACH_PART)
def test_the_module_computes_what_the_graph_says(part: int) -> None:
    for seed, network in networks(part, symbolic=False):
        check_fixed(network, seed)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("part", EACH_PART)
def test_one_module_computes_it_at_all_sizes(part: int) -> None:
    for seed, network in networks(part, symbolic=True):
        check_symbolic(network, seed)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("part", EACH_PART)
def test_weights_are_those_of_the_graph(part: int) -> None:
    for seed, network in networks(part, symbolic=True):
        module = network.torch(seed=0)
        specs = {
            f"{layer.path}.{weight.key}".strip("."): weight.shape
            for layer in network.graph.layers()
            for weight in layer.weights
        }
        assert {k: tuple(v.shape) for k, v in module.state_dict().items()} == specs, seed
        assert sum(p.numel() for p in module.parameters()) == network.summary().parameters


@pytest.mark.one_in(2)
@pytest.mark.parametrize("part", EACH_PART)
def test_training_outputs(part: int) -> None:
    for seed, network in networks(part, symbolic=False):
        module = network.torch(seed=0).train()
        found = module(torch.randn(2, *network.inputs[0].shape))
        assert found._fields == tuple(o.name for o in network.outputs), seed
        for tensor, output in zip(found, network.outputs, strict=True):
            assert tuple(tensor.shape) == (2, *output.shape)


def test_texts_are_the_same_twice() -> None:
    for seed in range(0, COUNT, 6):
        first, second = (netdsl.loads(legal_network(seed)) for _ in range(2))
        assert graph_text(first.graph) == graph_text(second.graph)
        assert first.torch_source() == second.torch_source()
        assert str(first.sizes) == str(second.sizes)
