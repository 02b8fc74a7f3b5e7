"""The example rows in the layers' own docs, against the shape rule and against PyTorch."""

from __future__ import annotations

import re

import pytest

from netdsl.ir.dim import evaluate
from netdsl.ops import registry
from netdsl.ops.op_parameters import parameters
from netdsl.reference import Example, pages

torch = pytest.importorskip("torch")

SIZES = {"H": 33, "W": 29, "T": 7}


def rows() -> list[tuple[str, Example]]:
    """The rows of every layer, with its name."""
    found = pages()
    return [(name, example) for name in registry() for example in found[name].examples]


@pytest.mark.parametrize(("name", "example"), rows(), ids=str)
def test_rows(name: str, example: Example) -> None:
    assert re.match(rf"{name}\b", example.stage)
    network = example.network()
    assert ", ".join(str(o.value.type) for o in network.outputs) == example.outputs
    at = {s: SIZES[s] for s in network.sizes.symbols}
    tensors = [
        torch.zeros(2, *(evaluate(d, at) for d in i.shape), dtype=getattr(torch, i.dtype))
        for i in network.inputs
    ]
    with torch.no_grad():
        result = network.torch(seed=0).eval()(*tensors)
    results = list(result) if isinstance(result, tuple) else [result]
    for found, output in zip(results, network.outputs, strict=True):
        assert tuple(found.shape[1:]) == tuple(evaluate(d, at) for d in output.shape)


def test_every_layer_has_rows_and_words_for_its_parameters() -> None:
    shown = {row[0] for row in rows()}
    assert shown == set(registry())
    for name, op in registry().items():
        assert all(p.doc for p in parameters(op)), name
        assert op.family, name
