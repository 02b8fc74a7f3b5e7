"""What is done to a program before it is written: growing lists, pools to one cell."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.diagnostics import Source, Span
from netdsl.importers.frontend import Answer
from netdsl.importers.growing import gather
from netdsl.importers.imported import imported
from netdsl.importers.joining import join
from netdsl.importers.program import Axis, Call, Input, Item, Output, Program, Region, Value

HERE = Span(Source("nets.py", "forward"), 0, 7)


def dense_net(layers: int, kind: str = "Layer") -> Program:
    """Each layer joins all maps before it, within its module; the net joins them all at its end."""
    image = Value("x", (4, 8, 8))
    maps, items = [image], list[Item]()
    for number in range(layers):
        joined, made = Value("", (4 * len(maps), 8, 8)), Value("", (4, 8, 8))
        conv = Call(
            "conv",
            {"channels": 4, "kernel": 3, "padding": 1},
            [joined],
            [made],
            HERE,
            (f"layer{number + 1}", "conv"),
        )
        calls: list[Item] = [conv]
        if len(maps) > 1:
            calls.insert(0, Call("concat", {"axis": 0}, list(maps), [joined], HERE))
        else:
            conv.inputs = list(maps)
        items.append(
            Region((f"layer{number + 1}",), kind, HERE, calls, list(maps), [made], ["features"])
        )
        maps.append(made)
    last = Value()
    items.append(Call("concat", {}, list(maps), [last], HERE))
    root = Region((), "Dense", HERE, items, [image], [last])
    return Program(
        "Dense", root, [Input("x", image, (4, "H", "W"), HERE)], [Output("y", last, HERE)]
    )


def test_lists_that_grow_are_joined_step_by_step() -> None:
    result = imported(Answer(dense_net(6)))
    assert not result.is_flat
    text = " ".join(result.text.split())
    assert "for i in 0..6 { concat { identity ; layer[i + 1]: ConvAct(4, act=identity) } }" in text
    graph = netdsl.loads(result.text).graph
    joins = [node for node in graph.nodes() if node.op.name == "concat"]
    assert [len(node.inputs) for node in joins] == [2] * 6
    # channels of what each convolution takes: 4 of the image and 4 of each before
    weights = [layer.weights[0].shape for layer in graph.layers() if layer.weights]
    assert weights == [(4, 4 * n, 3, 3) for n in range(1, 7)]


def test_two_lengths_do_not_grow() -> None:
    """A block that joins two values, as one with a skip does, keeps them as its inputs."""
    program = dense_net(2)
    before = [list(call.inputs) for call in program.root.calls()]
    gather(program)
    assert [list(call.inputs) for call in program.root.calls()][:2] == before[:2]


def test_what_is_used_besides_stays() -> None:
    program = dense_net(4)
    (third,) = (
        item for item in program.root.items if isinstance(item, Region) and item.path == ("layer3",)
    )
    extra = Value("", (4, 8, 8))
    third.items.append(Call("relu", {}, [third.inputs[1]], [extra], HERE))
    first = third.items[0]
    gather(program)
    assert third.items[0] is first


def pooled(layer: str, size: object, *, used_twice: bool = False) -> list[str]:
    image, cell, vector = Value("x", (4, 8, 8)), Value("", (4, 1, 1)), Value("", (4,))
    items: list[Item] = [
        Call(layer, {"size": size}, [image], [cell], HERE),  # type: ignore[dict-item]
        Call("flatten", {}, [cell], [vector], HERE),
    ]
    outputs = [Output("y", vector, HERE)]
    outputs += [Output("z", cell, HERE)] if used_twice else []
    root = Region((), "", HERE, items, [image], [vector])
    program = Program("A", root, [Input("x", image, (4, "H", "W"), HERE)], outputs)
    join(program)
    return [call.layer for call in program.root.calls()]


def test_a_pool_to_one_cell_and_a_flatten_are_a_global_pool() -> None:
    assert pooled("adaptive_avgpool", 1) == ["global_avgpool"]
    assert pooled("adaptive_maxpool", 1) == ["global_maxpool"]
    assert pooled("adaptive_avgpool", 2) == ["adaptive_avgpool", "flatten"]
    assert pooled("adaptive_avgpool", 1, used_twice=True) == ["adaptive_avgpool", "flatten"]


class Shuffled:
    """Axes of the turns around a norm, and the axis that it goes along."""

    PLAIN = ([1, 2, 0], -1, [2, 0, 1])
    SAME_TWICE = ([1, 2, 0], -1, [1, 2, 0])
    OTHER_AXIS = ([1, 2, 0], 0, [2, 0, 1])
    NOT_TO_THE_END = ([0, 2, 1], -1, [0, 2, 1])


def turned(first: list[int], axis: int, second: list[int]) -> list[str]:
    x, a, b, c = (Value("", (4, 6, 5)) for _ in range(4))
    items: list[Item] = [
        Call("permute", {"axes": list(first)}, [x], [a], HERE),
        Call("layernorm", {"axis": axis}, [a], [b], HERE, ("norm",)),
        Call("permute", {"axes": list(second)}, [b], [c], HERE),
    ]
    root = Region((), "", HERE, items, [x], [c])
    program = Program("A", root, [Input("x", x, (4, 6, 5), HERE)], [Output("y", c, HERE)])
    join(program)
    torch = pytest.importorskip("torch")
    module = netdsl.loads(imported(Answer(program)).text).torch(seed=0).eval()
    value = torch.randn(2, 4, 6, 5)
    expected = value.permute(0, *(n + 1 for n in first)).movedim(axis % 3 + 1, -1)
    expected = torch.nn.functional.layer_norm(expected, expected.shape[-1:])
    expected = expected.movedim(-1, axis % 3 + 1).permute(0, *(n + 1 for n in second))
    torch.testing.assert_close(module(value), expected)
    return [call.layer for call in program.root.calls()]


def test_a_norm_between_turns_is_one_along_the_channels() -> None:
    assert turned(*Shuffled.PLAIN) == ["layernorm"]
    for axes in (Shuffled.SAME_TWICE, Shuffled.OTHER_AXIS, Shuffled.NOT_TO_THE_END):
        assert turned(*axes) == ["permute", "layernorm", "permute"]


def shuffled(groups: int, width: int, axes: list[int], *, of_other: bool = False) -> list[str]:
    x, a, b, c = (Value("", (12, 6, 5)) for _ in range(4))
    sizes = [Axis(a if of_other else x, axis) for axis in (1, 2)]
    items: list[Item] = [
        Call("reshape", {"shape": [groups, width, Axis(x, 1), Axis(x, 2)]}, [x], [a], HERE),
        Call("permute", {"axes": axes}, [a], [b], HERE),
        Call("reshape", {"shape": [groups * width, *sizes]}, [b], [c], HERE),
    ]
    root = Region((), "", HERE, items, [x], [c])
    program = Program("A", root, [Input("x", x, (12, "H", "W"), HERE)], [Output("y", c, HERE)])
    join(program)
    if not of_other and axes == [1, 0, 2, 3]:
        torch = pytest.importorskip("torch")
        module = netdsl.loads(imported(Answer(program)).text).torch().eval()
        value = torch.randn(2, 12, 6, 5)
        assert torch.equal(module(value), torch.nn.ChannelShuffle(groups)(value))
    return [call.layer for call in program.root.calls()]


def test_groups_that_are_turned_are_a_shuffle() -> None:
    assert shuffled(3, 4, [1, 0, 2, 3]) == ["channel_shuffle"]
    assert shuffled(2, 6, [1, 0, 2, 3]) == ["channel_shuffle"]
    plain = ["reshape", "permute", "reshape"]
    assert shuffled(3, 4, [0, 1, 2, 3]) == plain
    assert shuffled(3, 4, [1, 0, 2, 3], of_other=True) == plain


def test_an_import_of_a_densenet_is_the_densenet() -> None:
    torch = pytest.importorskip("torch")
    from torch import nn

    class Layer(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.norm, self.conv = nn.BatchNorm2d(channels), nn.Conv2d(channels, 4, 3, padding=1)

        def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
            return self.conv(torch.relu(self.norm(torch.cat(features, 1))))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(Layer(3 + 4 * n) for n in range(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            features = [x]
            for layer in self.layers:
                features.append(layer(features))
            return torch.cat(features, 1)

    torch.manual_seed(0)
    module = Net().eval()
    network = netdsl.from_torch(module)
    assert network.source.count("concat") == 1
    copy = network.torch(weights=module.state_dict()).eval()
    x = torch.randn(2, 3, 9, 7)
    with torch.no_grad():
        torch.testing.assert_close(copy(x), module(x))


def test_numbers_of_32_bits_are_written_as_a_person_would() -> None:
    torch = pytest.importorskip("torch")
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
            self.register_buffer("mean", mean, persistent=False)
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x - self.mean)

    module = Net().eval()
    network = netdsl.from_torch(module)
    assert "0.485, 0.456, 0.406" in network.source
    x = torch.randn(2, 3, 4, 5)
    with torch.no_grad():
        assert torch.equal(network.torch().eval()(x), module(x))


def test_norms_in_a_row_share_no_turn() -> None:
    x, *flow = (Value("", (4, 4)) for _ in range(6))
    items: list[Item] = []
    before = x
    for number, value in enumerate(flow):
        is_turn = number % 2 == 0
        layer, path = ("permute", ()) if is_turn else ("layernorm", (f"norm{number}",))
        settings = {"axes": [1, 0]} if is_turn else {}
        items.append(Call(layer, settings, [before], [value], HERE, path))  # type: ignore[arg-type]
        before = value
    root = Region((), "", HERE, items, [x], [before])
    program = Program("A", root, [Input("x", x, (4, 4), HERE)], [Output("y", before, HERE)])
    join(program)
    assert [call.layer for call in program.root.calls()] == ["layernorm", "layernorm", "permute"]
