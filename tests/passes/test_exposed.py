"""Values inside a network, taken out by the pass, are those that hooks on other modules see."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import netdsl
from netdsl.analyses.dims import Dims
from netdsl.backends.torch.load import torch_module
from netdsl.backends.torch.source import torch_source
from netdsl.backends.weights.numbers import weights_of
from netdsl.ir.verify import verify
from netdsl.ops.rule import Rulebook
from netdsl.passes.exposed import exposed
from tests import examples
from tests.torchvision_models import torchvision_models

torch = pytest.importorskip("torch")

PLACES = {
    "resnet18": ["conv1", "bn1", "layer1.0", "layer2.1", "layer3", "layer4.0.conv2"],
    "googlenet": ["conv1", "inception3a", "inception4a.branch2", "inception5b.branch4.1.bn"],
    "densenet121": ["features.denseblock1.denselayer2.conv1", "features.transition2.conv"],
    "mobilenet_v3_large": ["features.1", "features.5.block.2", "features.12.block.1.0"],
}
"""Paths that torchvision's modules have too."""


def values(graph: Any, wanted: dict[str, Any], state: Any, inputs: list[Any]) -> dict[str, Any]:
    part = exposed(graph, wanted)
    own = {layer.key(spec) for layer in part.layers() for spec in layer.weights}
    module = torch_module(part, 0, weights_of(part, {k: state[k] for k in own})).eval()
    with torch.no_grad():
        results = module(*inputs)
    return dict(zip(wanted, [results] if len(wanted) == 1 else results, strict=True))


def keeper(seen: dict[str, Any], path: str) -> Any:
    """A hook that keeps what a module gives, before anything changes it in place."""

    def keep(module: Any, inputs: Any, output: Any) -> None:
        seen[path] = output.clone()

    return keep


@pytest.mark.parametrize("name", PLACES)
def test_they_are_those_of_torchvision(name: str) -> None:
    models = torchvision_models()
    options = {"init_weights": False} if name == "googlenet" else {}
    torch.manual_seed(0)
    source = getattr(models, name)(weights=None, **options).eval()
    graph = netdsl.load(examples.example(name)).graph
    by_name = Dims(graph).values_by_name()
    seen: dict[str, Any] = {}
    for path in PLACES[name]:
        module = source.get_submodule(path)
        module.register_forward_hook(keeper(seen, path))
    x = torch.randn(2, 3, 97, 75)
    with torch.no_grad():
        source(x)
    paths = {f"v{number}": path for number, path in enumerate(PLACES[name])}
    wanted = {key: by_name[path] for key, path in paths.items()}
    state = {k: v.numpy() for k, v in source.state_dict().items()}
    found = values(graph, wanted, state, [x])
    for key, tensor in found.items():
        path = paths[key]
        assert tensor.shape == seen[path].shape, path
        torch.testing.assert_close(tensor, seen[path], rtol=1e-4, atol=1e-4)


@pytest.mark.one_in(8)
@pytest.mark.parametrize("name", examples.NAMES)
def test_what_is_behind_them_is_the_same(name: str) -> None:
    """Split at a value in the middle: the second half, given the first's result, ends the same."""
    network = examples.slim(name)
    graph = network.graph
    sizes = network.sizes.nearest(**dict.fromkeys(network.sizes.symbols, 64)).closest or {}
    state = dict(weights_of(graph).all())
    inputs = examples.random_inputs(network, sizes, 2)
    outputs = {output.name: output.value for output in graph.inference_outputs}
    whole = values(graph, outputs, state, inputs)
    middle = cut(graph)
    if middle is None:
        pytest.skip("no value that all outputs go through")
    front = values(graph, {"middle": middle}, state, inputs)
    part = exposed(graph, outputs, {"middle": middle})
    verify(part, Rulebook())
    own = {layer.key(spec) for layer in part.layers() for spec in layer.weights}
    module = torch_module(part, 0, weights_of(part, {k: state[k] for k in own})).eval()
    with torch.no_grad():
        results = module(front["middle"])
    again = [results] if len(outputs) == 1 else list(results)
    for name_, tensor in zip(outputs, again, strict=True):
        torch.testing.assert_close(tensor, whole[name_], rtol=1e-5, atol=1e-5)


def cut(graph: Any) -> Any:
    """A value that all outputs of inference need all inputs through, chosen at random."""
    outputs = {output.name: output.value for output in graph.inference_outputs}
    nodes = [node for node in graph.inference_nodes() if len(node.outputs) == 1]
    Random(0).shuffle(nodes)
    for node in nodes:
        value = node.output
        if value.type.batched and value not in outputs.values() and not value.type.items:
            part = exposed(graph, outputs, {"middle": value})
            if [item.name for item in part.inputs] == ["middle"] and has_source(part):
                return value
    return None


def has_source(graph: Any) -> bool:
    """Whether all sizes that its layers need can be read off what comes in."""
    try:
        torch_source(graph)
    except netdsl.DiagnosticError as error:
        assert [d.code for d in error.diagnostics] == ["size-not-at-hand"]
        return False
    return True


def test_the_graph_itself_stays_as_it_is() -> None:
    graph = netdsl.load(examples.example("googlenet")).graph
    before = [(node.path, node.inputs, node.outputs, node.layer.calls[0]) for node in graph.nodes()]
    exposed(graph, {"x": Dims(graph).values_by_name()["inception3a"]})
    after = [(node.path, node.inputs, node.outputs, node.layer.calls[0]) for node in graph.nodes()]
    assert before == after


def test_what_is_not_needed_is_left_out() -> None:
    graph = netdsl.load(examples.example("resnet18")).graph
    part = exposed(graph, {"x": Dims(graph).values_by_name()["layer1"]})
    paths = [layer.path for layer in part.layers()]
    assert "conv1" in paths
    assert "layer1.1.conv2" in paths
    assert not any(path.startswith(("layer2", "fc")) for path in paths)
