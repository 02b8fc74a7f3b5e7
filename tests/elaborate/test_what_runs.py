"""What runs at inference, and which sizes that asks for: training-only parts must not leak."""

from __future__ import annotations

import pytest

import netdsl

torch = pytest.importorskip("torch")


def runs(network: netdsl.Network, *shape: int) -> bool:
    """Whether the module, in evaluation mode, takes one image of this shape."""
    module = network.torch(seed=0).eval()
    try:
        with torch.no_grad():
            module(torch.zeros(1, *shape))
    except RuntimeError:
        return False
    return True


def assert_exact(network: netdsl.Network, channels: int, sizes: range) -> None:
    """`accepts` says for every size what PyTorch does."""
    for size in sizes:
        assert network.sizes.accepts(H=size, W=size) == runs(network, channels, size, size), size


@pytest.mark.parametrize("weight", ["[768]", "[1, 768]", "[1, 1, 768]"])
def test_concat_of_a_weight_of_lower_rank(weight: str) -> None:
    text = (
        f"net A {{ input x: [196, 768]; weight c: {weight}; output y = (c, x) -> concat(axis=0) }}"
    )
    network = netdsl.loads(text)
    found = network.torch(seed=0).eval()(torch.zeros(2, 196, 768))
    assert network.outputs[0].shape == (197, 768)
    assert found.shape == (2, 197, 768)


def test_a_weight_alone_is_no_output() -> None:
    with pytest.raises(netdsl.DiagnosticError) as caught:
        netdsl.loads("net A { input x: [3]; weight c: [1, 3]; output y = c -> sigmoid }")
    assert [d.code for d in caught.value.diagnostics] == ["weight-without-batch"]


def test_a_branch_chosen_by_what_training_needs_is_in_the_contract() -> None:
    network = netdsl.loads(
        "net A { input x: [3, H, W]\n"
        "output aux = x -> conv(2, 64) -> global_avgpool when training\n"
        "output y = x -> if H >= 64 { conv(4, 1) } else { conv(5, 1) } }"
    )
    assert list(map(str, network.outputs[1].shape)) == ["4", "H", "W"]
    assert not network.sizes.accepts(H=10, W=10)
    assert network.sizes.accepts(H=64, W=1)


def test_a_block_runs_whole_even_where_one_result_is_dropped() -> None:
    network = netdsl.loads(
        "block Two { a = conv(2, 1); (a, a -> maxpool(40)) }\n"
        "net A { input x: [3, H, W]; (a, b) = x -> Two; output y = a -> relu }"
    )
    assert_exact(network, 3, range(36, 44))


def test_a_block_that_training_shares_runs_whole() -> None:
    network = netdsl.loads(
        "block Two { a = conv(2, 1); (a, a -> maxpool(40)) }\n"
        "net A { input x: [3, H, W]; (a, b) = x -> Two\n"
        "output y = a -> relu; output aux = b -> relu when training }"
    )
    assert_exact(network, 3, range(36, 44))


def test_what_feeds_a_block_runs_though_only_training_wants_it() -> None:
    network = netdsl.loads(
        "block Two (p, q) { a = p -> conv(2, 1); (a, q -> relu) }\n"
        "net A { input x: [3, H, W]; h = x -> hh: conv(4, 9); (a, b) = (x, h) -> Two\n"
        "output y = a -> relu; output aux = b -> relu when training }"
    )
    assert_exact(network, 3, range(5, 14))


def test_a_head_for_training_alone_asks_nothing_of_inference() -> None:
    network = netdsl.loads(
        "net A { input x: [3, H, W]\n"
        "output aux = x -> maxpool(40) when training\n"
        "output y = x -> maxpool(4) }"
    )
    assert_exact(network, 3, range(2, 8))
