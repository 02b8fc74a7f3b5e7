"""`--guard`: every refused size of every input is refused as such, and the others run."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

import netdsl
from netdsl.lints import WARNINGS
from tests.legal_networks import legal_network, several_inputs

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import apart, outputs, restless, session  # noqa: E402

CLEAN = "indices element out of data bounds"
GENERATED = 30


class Guarded:
    """A network with its module, and its guarded file in a session."""

    def __init__(self, text: str, *, half: bool = False) -> None:
        self.network = netdsl.loads(text, allow=WARNINGS)
        self.module = restless(self.network.torch(seed=1))
        model = self.network.onnx(self.module, guard=True, half=half)
        onnx.checker.check_model(model, full_check=True)
        self.running = session(model.SerializeToString())
        self.bound = 2e-2 if half else 1e-4

    def check(self, fed: list[tuple[int, ...]]) -> bool:
        """Run at these shapes of the inputs; whether they were refused, and had to be."""
        inputs = [torch.randn(shape) for shape in fed]
        theirs = self.right(inputs)
        feeds = {item.name: x.numpy() for item, x in zip(self.network.inputs, inputs, strict=True)}
        if theirs is None:
            with pytest.raises(Exception, match=CLEAN) as caught:
                self.running.run(None, feeds)
            assert "Name:'guard/" in str(caught.value), fed
            return True
        for wanted, found in zip(theirs, self.running.run(None, feeds), strict=True):
            assert apart(wanted, found, 1.0) < self.bound, fed
        return False

    def right(self, inputs: list[torch.Tensor]) -> list | None:
        """What PyTorch gives, if one size stands for each symbol and it takes these."""
        sizes: dict[str, int] = {}
        for item, x in zip(self.network.inputs, inputs, strict=True):
            batch, _, *axes = x.shape
            for name, number in zip(["N", *map(str, item.shape[1:])], [batch, *axes], strict=True):
                if sizes.setdefault(name, number) != number or number < 1:
                    return None
        try:
            return outputs(self.module, inputs)
        except RuntimeError:
            return None


TWO = """
net A { input x: [3, H, W]
 input z: [2, H, V]
 output w = z -> conv(4, 3, stride=2)
 output y = (x -> conv(4, 3, padding=1) -> global_avgpool, z -> conv(4, 5) -> global_avgpool) -> concat }
"""


@pytest.mark.parametrize("half", [False, True])
def test_each_size_of_each_input(half: bool) -> None:
    guarded = Guarded(TWO, half=half)
    refused = 0
    for first, height, width in product((0, 4, 5, 8), (4, 5, 8), (0, 3, 5, 9)):
        refused += guarded.check([(1, 3, first, 7), (1, 2, height, width)])
    assert refused > 30
    assert guarded.check([(2, 3, 8, 7), (1, 2, 8, 7)])
    assert guarded.check([(1, 3, 8, 0), (1, 2, 8, 7)])
    assert not guarded.check([(2, 3, 8, 7), (2, 2, 8, 7)])


def check_several(seed: int) -> int:
    """A random network of several inputs at random sizes; how many of 40 runs were refused."""
    guarded = Guarded(several_inputs(seed))
    inputs = guarded.network.inputs
    assert not guarded.check([(1, x.shape[0], *(24 for _ in x.shape[1:])) for x in inputs])
    draw = Random(seed)
    refused = 0
    for turn in range(40):
        symbols = {name: draw.randint(2, 9) for name in ("N", *guarded.network.sizes.symbols)}
        fed = [(symbols["N"], x.shape[0], *(symbols[str(n)] for n in x.shape[1:])) for x in inputs]
        if turn % 2:  # one axis of one input is another
            at, axis = draw.randrange(len(fed)), draw.choice([0, 2])
            fed[at] = (*fed[at][:axis], draw.randint(1, 7), *fed[at][axis + 1 :])
        refused += guarded.check(fed)
    return refused


@pytest.mark.parametrize("seed", range(GENERATED))
def test_generated_networks_with_several_inputs(seed: int) -> None:
    assert check_several(seed)


@pytest.mark.parametrize("seed", range(12))
def test_generated_networks_with_one_input(seed: int) -> None:
    guarded = Guarded(legal_network(seed))
    draw = Random(seed)
    for _ in range(6):
        (item,) = guarded.network.inputs
        guarded.check([(1, item.shape[0], *(draw.randint(1, 24) for _ in item.shape[1:]))])


def test_inputs_that_take_every_size_still_agree() -> None:
    guarded = Guarded(
        "net A { input x: [2, H]\n input z: [2, H]\n output y = x -> relu\n output w = z -> tanh }"
    )
    assert not guarded.check([(1, 2, 3), (1, 2, 3)])
    assert guarded.check([(1, 2, 3), (1, 2, 4)])
    assert guarded.check([(1, 2, 3), (2, 2, 3)])


def test_no_guard_where_there_is_nothing_to_look_at() -> None:
    network = netdsl.loads("net A { input x: [2, 4]\n output y = x -> relu }")
    assert not any("guard" in node.name for node in network.onnx(guard=True).graph.node)
