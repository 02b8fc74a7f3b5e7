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


HEAD = "block Head { conv: conv(3, 1) -> relu }\n"


@pytest.mark.parametrize(
    ("stages", "keys"),
    [
        ("b: { conv(3, 1) -> relu } -> b.f: conv(3, 1)", ["b.0", "b.f"]),
        ("b.f: conv(3, 1) -> b: { conv(3, 1) -> relu }", ["b.0", "b.f"]),
        ("b: relu -> b.f: conv(3, 1)", ["b.f"]),
        ("b.f: conv(3, 1) -> b: dropout", ["b.f"]),
        ("b: Head -> b.extra: conv(3, 1)", ["b.conv", "b.extra"]),
        ("b.extra: conv(3, 1) -> b: Head", ["b.conv", "b.extra"]),
        ("b: repeat 2 { conv(3, 1) } -> b.2: conv(3, 1)", ["b.0", "b.1", "b.2"]),
        ("b: { f: { conv(3, 1) } } -> b.f.g: conv(3, 1)", ["b.f.0", "b.f.g"]),
        ("b.f: { conv(3, 1) } -> b.f.g: conv(3, 1)", ["b.f.0", "b.f.g"]),
        ("b.f.g: conv(3, 1) -> b.f: { conv(3, 1) }", ["b.f.0", "b.f.g"]),
        ("b: add { p: conv(3, 1) ; q: conv(3, 1) } -> b.r: conv(3, 1)", ["b.p", "b.q", "b.r"]),
        ("for i in 0..2 { b[i]: { conv(3, 1) } -> b[i].[i + 5]: conv(3, 1) }",
         ["b0.0", "b0.5", "b1.0", "b1.6"]),
        ('"b-1": { conv(3, 1) } -> "b-1"."f 2": conv(3, 1)', ["b-1.0", "b-1.f 2"]),
        ("b.keys: conv(3, 1) -> b.values: conv(3, 1)", ["b.keys", "b.values"]),
        ("b: { keys: conv(3, 1) -> append: conv(3, 1) }", ["b.keys", "b.append"]),
        ("s: { b: { conv(3, 1) } -> b.f: conv(3, 1) } -> s.b.g: conv(3, 1)",
         ["s.b.0", "s.b.f", "s.b.g"]),
        ("p: Head -> q: Head -> q.f: conv(3, 1) -> r: Head", ["p.conv", "q.conv", "q.f", "r.conv"]),
    ],
)  # fmt: skip
def test_labels_that_meet_make_one_tree(stages: str, keys: list[str]) -> None:
    network = netdsl.loads(f"{HEAD}net A {{ input x: [3, 4, 4]\n output y = x -> {stages} }}")
    module = network.torch(seed=0)
    found = module.state_dict()
    assert sorted(found) == sorted(f"{key}.{own}" for key in keys for own in ("weight", "bias"))
    x = torch.randn(2, 3, 4, 4)
    assert module(x).shape == x.shape
    calls: list[str] = []
    for name, part in module.named_modules():
        if isinstance(part, torch.nn.Conv2d):
            part.register_forward_hook(lambda *_, name=name: calls.append(name))
    module(x)
    assert sorted(calls) == sorted(keys)  # each runs once, and none as a part of another


def test_a_layer_without_weights_lies_in_its_own_braces() -> None:
    text = "output y = x -> both: attend(2) { identity ; exp ; attend: tanh }"
    network = netdsl.loads(f"net Both {{ input x: [5, 8]\n {text} }}")
    x = torch.rand(2, 5, 8)
    heads = [part.view(2, 5, 2, 4).transpose(1, 2) for part in (x, x.exp(), x.tanh())]
    attended = torch.nn.functional.scaled_dot_product_attention(*heads)
    theirs = attended.transpose(1, 2).reshape(2, 5, 8)
    torch.testing.assert_close(network.torch()(x), theirs)
