"""The example rows in the layers' own docs, against the shape rule and against PyTorch."""

from __future__ import annotations

import re

import pytest

import netdsl
from netdsl.ir.dim import evaluate
from netdsl.ops import registry
from netdsl.ops.base import parameters

torch = pytest.importorskip("torch")

ROW = re.compile(r"^\s*(?P<stage>[a-z_0-9]+(?:\(.*?\))?): (?P<inputs>.*\]) -> (?P<outputs>.*\])$")
SIZES = {"H": 33, "W": 29, "T": 7}


def rows() -> list[tuple[str, str, list[str], str]]:
    """Name, stage, input shapes, output shapes of every row."""
    found: list[tuple[str, str, list[str], str]] = []
    for name, op in registry().items():
        for line in (op.__doc__ or "").splitlines():
            match = ROW.match(line)
            if match and re.match(rf"{name}\b", match["stage"]):
                inputs = re.findall(r"(?:int64 )?\[[^\]]*\]", match["inputs"])
                found.append((name, match["stage"], inputs, match["outputs"]))
    return found


@pytest.mark.parametrize(("name", "stage", "inputs", "outputs"), rows())
def test_rows(name: str, stage: str, inputs: list[str], outputs: str) -> None:
    lines = [f"    input x{i}: {shape}" for i, shape in enumerate(inputs)]
    source = "x0" if len(inputs) == 1 else f"({', '.join(f'x{i}' for i in range(len(inputs)))})"
    count = outputs.count("[")
    targets = ", ".join(f"y{i}" for i in range(count))
    lines.append(f"    ({targets}) = {source} -> {stage}")
    lines += [f"    output o{i} = y{i} -> identity" for i in range(count)]
    network = netdsl.loads("net Row {\n" + "\n".join(lines) + "\n}")
    assert ", ".join(str(o.value.type) for o in network.outputs) == outputs
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
