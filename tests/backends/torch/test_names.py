"""Names of a file that Python or PyTorch needs for itself."""

from __future__ import annotations

import pytest

import netdsl

torch = pytest.importorskip("torch")

BLOCK = "block pass(lambda: int, def: size = 3) { import: conv(lambda, def) -> try.0: relu }"


@pytest.mark.parametrize(
    "name", ["nn", "torch", "F", "Tensor", "int", "class", "lambda", "DropPath"]
)
def test_odd_names_of_nets_blocks_parameters_and_labels(name: str) -> None:
    text = f"""
{BLOCK}
net {name}(class_: int = 4) {{
    input global: [3, 9, 9]
    self = global -> 0: conv(class_, 1) -> return: pass(5) -> "a-b": pass(6)
    output yield = self -> async: {{ batchnorm -> drop_path(0.1) }} -> is.0.not: conv(2, 1)
}}
"""
    network = netdsl.loads(text)
    module = network.torch(seed=0).eval()
    keys = {f"{layer.path}.{w.key}" for layer in network.graph.layers() for w in layer.weights}
    assert set(module.state_dict()) == keys
    assert module(torch.zeros(1, 3, 9, 9)).shape == (1, 2, 5, 5)


def test_several_results_keep_their_variables() -> None:
    """Each result is made from a value used up with it; none may take the place of another."""
    network = netdsl.loads(
        """
        block Heads {
            first: linear(3) -> second: linear(4) -> third: linear(5)
            (first -> a: linear(1), second -> b: linear(2), third -> c: linear(6))
        }
        net A {
            input x: [2]
            (p, q, r) = x -> heads: Heads
            output y = (p, q, r) -> concat
        }
        """
    )
    model = network.torch(seed=0)
    x = torch.randn(3, 2)
    heads = model.heads
    first = heads.first(x)
    second = heads.second(first)
    parts = [heads.a(first), heads.b(second), heads.c(heads.third(second))]
    assert torch.equal(model(x), torch.cat(parts, 1))
