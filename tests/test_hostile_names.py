"""Every place of the language times hostile names: refused at a place, or right to the last key.

Right means: the source compiles, its module has the promised keys and computes what it computes
under a harmless name, and the ONNX file is valid with the promised names.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest

import netdsl
from netdsl.ir.dim import evaluate
from netdsl.lints import WARNINGS
from netdsl.ops import registry
from tests.hostile_names import NAMES, PLACES, WORDS, Place, is_word
from tests.sampling import FULL

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

HARMLESS = "plain"


def loaded(place: Place, name: str) -> netdsl.Network:
    return netdsl.loads(place.file(name), allow=WARNINGS)


def outputs_of(network: netdsl.Network) -> list[Any]:
    """What the module computes of fixed numbers, its weights drawn from a fixed seed."""
    torch.manual_seed(0)
    module = network.torch(seed=1).eval()
    shapes = [
        [evaluate(d, dict.fromkeys(network.graph.symbols, 4)) for d in i.shape]
        for i in network.inputs
    ]
    with torch.no_grad():
        found = module(*(torch.randn(2, *shape) for shape in shapes))
    return (
        [found] if isinstance(found, torch.Tensor) else [part for part in found if part is not None]
    )


@cache
def expected(place: str) -> list[Any]:
    return outputs_of(loaded(PLACES[place], HARMLESS))


def check(place: str, name: str, *, with_onnx: bool) -> str:
    """`refused` or `right`; all else fails."""
    spec = PLACES[place]
    try:
        network = loaded(spec, name)
    except netdsl.DiagnosticError as error:
        for diagnostic in error.diagnostics:
            assert diagnostic.span is not None, (place, name, error)
        assert may_be_refused(spec, name), (place, name, error)
        return "refused"
    assert not must_be_refused(spec, name), (place, name)
    source = network.torch_source()
    compile(source, "generated.py", "exec")
    source.encode()
    module = network.torch(seed=1)
    assert sorted(module.state_dict()) == spec.wanted_keys(name), (place, name)
    found = outputs_of(network)
    assert len(found) == len(expected(place)), (place, name)
    for mine, other in zip(found, expected(place), strict=True):
        assert torch.equal(mine, other), (place, name)
    if with_onnx:
        check_onnx(network, spec, name)
    return "right"


def check_onnx(network: netdsl.Network, spec: Place, name: str) -> None:
    model = network.onnx(seed=1, guard=True)
    onnx.checker.check_model(model, full_check=True)
    assert [i.name for i in model.graph.input] == [i.replace("$", name) for i in spec.inputs]
    assert [o.name for o in model.graph.output] == [o.replace("$", name) for o in spec.outputs]
    stored = {tensor.name for tensor in model.graph.initializer}
    if not any(output.when_training for output in network.outputs):
        assert set(spec.wanted_keys(name)) <= stored, name


OTHERS = {"image", "result", "other", "second", "third", "Hostile", "Unit", "B", "U", "w", "k", "n", "f",
          "c", "d", "a", "b", "H", "W", "y", "s", "p", "v", "more", "in", "o", "u", "m", "g", "i"}  # fmt: skip
"""What the files define beside the name."""
RESERVED = {*WORDS} - {
    "int",
    "float",
    "size",
    "string",
    "none",
    "same",
    "add",
    "mean",
    "conv",
    "relu",
}


LONGEST_LABEL = 990
"""Labels have 1,000 characters at most, those with more parts as a whole."""


def must_be_refused(spec: Place, name: str) -> bool:
    """What PyTorch can't have, or what nobody can read."""
    if not spec.is_label:
        return False
    parts = f"{name}{spec.after}".split(".")
    attributes = dir(torch.nn.Module())
    return "" in parts or not name.isprintable() or any(part in attributes for part in parts)


def may_be_refused(spec: Place, name: str) -> bool:
    """What the language says that it refuses; all else has to be right."""
    if must_be_refused(spec, name) or (not spec.is_quoted and not is_word(name)):
        return True
    if spec.is_label:
        if len(name) >= LONGEST_LABEL:
            return True
        wraps = name.startswith("__") and name.endswith("__")
        hides = name in OTHERS or name in RESERVED or name in registry()
        return wraps or hides or "." in name
    return name in OTHERS or name in RESERVED or name in registry()


@pytest.mark.parametrize("place", PLACES)
def test_names(place: str) -> None:
    spec = PLACES[place]
    names = NAMES if FULL else NAMES[list(PLACES).index(place) % 8 :: 8]
    if not spec.is_quoted:
        names = [n for n in names if n.strip() and not n[0].isdigit()]  # which may stand there
    counted = Counter(
        check(place, name, with_onnx=FULL or index % 5 == 0) for index, name in enumerate(names)
    )
    assert counted["right"] > (len(names) / 2 if spec.is_quoted else len(names) / 3)
