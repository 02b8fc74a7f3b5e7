"""Labels that meet in one scope make one tree of modules, with the keys that the file promises."""

from __future__ import annotations

import pytest

import netdsl
from tests.label_trees import Part, Reader, label_tree
from tests.sampling import FULL

torch = pytest.importorskip("torch")

COUNT = 2_000 if FULL else 400


def run(program, x, state):
    """The numbers by the names of the weights alone; an `add` is a tuple of chains."""
    if isinstance(program, list):
        for step in program:
            x = run(step, x, state)
        return x
    if isinstance(program, tuple):
        return sum(run(branch, x, state) for branch in program)
    assert isinstance(program, Part)
    if program.kind == "conv(3, 1)":
        weight, bias = (state[f"{program.path}.{key}"] for key in ("weight", "bias"))
        return torch.nn.functional.conv2d(x, weight, bias)
    return {"relu": torch.relu, "tanh": torch.tanh}.get(program.kind, lambda same: same)(x)


def check(seed: int) -> str:
    """What came of a random network: it is refused as the rules say, or right."""
    tree = label_tree(seed)
    reader, text = Reader(tree), tree.text()
    try:
        network = netdsl.loads(text, allow=["dead-branch"])
    except netdsl.DiagnosticError as error:
        codes = {d.code for d in error.diagnostics}
        if codes == {"name-taken"}:  # a label of one part names a value, and hides none
            return "hides"
        assert codes <= {"path-taken", "name-taken"}, (seed, text, error)
        assert not reader.is_legal(), (seed, text, error)
        return "refused"
    assert reader.is_legal(), (seed, text)
    module = network.torch(seed=seed).eval()
    assert sorted(module.state_dict()) == sorted(reader.keys()), (seed, text)
    x = torch.randn(2, 3, 4, 4)
    with torch.no_grad():
        expected = run(reader.program, x, module.state_dict())
        torch.testing.assert_close(module(x), expected, msg=lambda m: f"{seed} {text}: {m}")
    return "built"


@pytest.mark.parametrize("part", range(4))
def test_labels_that_meet(part: int) -> None:
    found = [check(seed) for seed in range(part, COUNT, 4)]
    assert found.count("built") > COUNT / 20
    assert found.count("refused") > COUNT / 20
