"""Deep and wide networks, and those of torchvision and timm as they are imported."""

from __future__ import annotations

from time import process_time

import pytest

import netdsl
from netdsl.backends.diagram.model.idea import ideas_of
from netdsl.backends.diagram.model.overview import overview_units
from netdsl.backends.diagram.model.shape import recognise
from netdsl.ir.graph import Graph
from tests.torchvision_models import torchvision_models

SECONDS = 4.0
"""Of the processor, on a machine that does other things too; it takes less than 1."""
IMAGE = "net Deep { input image: [3, H, W]\n"
DEEP = {
    "residual": (
        IMAGE
        + "output y = image -> conv(8, 3, padding=1)"
        + " -> repeat 2500 { add { identity ; { conv(8, 3, padding=1) -> relu } } -> relu } }",
        "rows",
    ),
    "chain": (
        IMAGE
        + "output y = image -> conv(8, 3, padding=1)"
        + " -> repeat 3000 { concat { identity ; conv(1, 1) -> relu } } }",
        "rows",
    ),
    "hub": (
        IMAGE + "x = image -> conv(8, 3, padding=1)\n"
        "output y = concat { for i in 0..4000 { x -> conv(8, 3, padding=1) -> relu } } }",
        "rows",
    ),
    "hourglasses": (
        IMAGE.replace("W]", "W] where H % 4 == 0 and W % 4 == 0")
        + "output y = image -> conv(8, 3, padding=1) -> repeat 700 { Glass } }\n"
        "block Glass { a = in -> conv(8, 3, padding=1) -> relu\n"
        "b = a -> maxpool(2) -> conv(8, 3, padding=1) -> relu\n"
        "c = b -> maxpool(2) -> conv(8, 3, padding=1) -> relu\n"
        "b1 = add { b ; c -> upsample(2) } -> conv(8, 3, padding=1)\n"
        "add { a ; b1 -> upsample(2) } }",
        "u",
    ),
}
MODELS = {
    "densenet121": ("rows", "DenseBlock"),
    "googlenet": ("rows", "Inception"),
    "vit_b_16": ("rows", "EncoderBlock"),
    "mobilenet_v3_small": ("rows", "InvertedResidual"),
    "resnet18": ("rows", "BasicBlock"),
}


def said(graph: Graph) -> tuple[str, str]:
    """The layout, and the kind of block that is the idea."""
    shape = recognise(graph)
    (idea,) = ideas_of(graph, overview_units(graph, shape), shape)
    assert idea.scope is not None
    return shape.layout, idea.scope.definition


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.full
def test_ten_thousand_layers_take_no_time(kind: str) -> None:
    text, layout = DEEP[kind]
    graph = netdsl.loads(text).graph
    assert sum(1 for _ in graph.nodes()) > 8000
    before = process_time()
    shape = recognise(graph)
    assert process_time() - before < SECONDS
    assert shape.layout == layout
    assert shape.stacks == (700 if kind == "hourglasses" else 1)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.full
def test_a_model_of_torchvision_has_its_shape(name: str) -> None:
    keywords = {"init_weights": False} if name == "googlenet" else {}
    model = getattr(torchvision_models(), name)(**keywords).eval()
    assert said(netdsl.from_torch(model, (3, 224, 224)).graph) == MODELS[name]


@pytest.mark.full
def test_a_high_resolution_network_of_timm_is_a_lattice() -> None:
    torchvision_models()
    timm = pytest.importorskip("timm")
    graph = netdsl.from_torch(timm.create_model("hrnet_w18_small"), (3, 224, 224)).graph
    assert said(graph)[0] == "lattice"
