"""Names of layers: labels, counters, places (language reference, section 5)."""

from __future__ import annotations

import pytest

from netdsl.analyses.dims import Dims
from netdsl.backends.torch.holders import DICT_ATTRIBUTES
from netdsl.backends.torch.reserved import MODULE_ATTRIBUTES, why_taken
from netdsl.backends.torch.tree import SEQUENTIAL_ATTRIBUTES
from netdsl.diagnostics import DiagnosticError
from netdsl.graph_builder import GraphBuilder
from netdsl.ir.paths import NEVER_COUNTED
from tests.elaborate.compile_text import build, chain, errors_of, graph_of, keys, net, paths


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("conv(8, 1) -> relu -> conv(8, 1) -> relu", ["conv1", "relu1", "conv2", "relu2"]),
        ("a: conv(8, 1) -> conv(8, 1)", ["a", "conv1"]),
        ("conv1: conv(8, 1) -> conv(8, 1) -> conv(8, 1)", ["conv1", "conv2", "conv3"]),
        ("conv(8, 1) -> conv1: conv(8, 1)", ["conv2", "conv1"]),
        ("{ conv(8, 1) -> relu } -> relu", ["conv1", "relu1", "relu2"]),
        ("f: { conv(8, 1) -> relu } -> relu", ["f.0", "f.1", "relu1"]),
        ("repeat 2 { conv(8, 1) -> relu }", ["conv1", "relu1", "conv2", "relu2"]),
        ("f: repeat 2 { conv(8, 1) -> relu }", ["f.0", "f.1", "f.2", "f.3"]),
        ("f: { relu -> a: conv(8, 1) -> conv(4, 1) }", ["f.0", "f.a", "f.2"]),
        ("f: { relu -> [3, 32, 32] -> conv(4, 1) }", ["f.0", "f.1"]),
        ("f: { relu -> if false { relu } -> conv(4, 1) }", ["f.0", "f.1"]),
        ("0: conv(16, 3) -> 1: batchnorm", ["0", "1"]),
        ('"block1-0": conv(16, 3)', ["block1-0"]),
        ("for i in 0..2 { fuse.[i].[i + 1]: conv(8, 1) }", ["fuse.0.1", "fuse.1.2"]),
        ("for i in 0..2 { layer[i + 1]: conv(8, 1) }", ["layer1", "layer2"]),
        ("block: { conv(8, 1) }", ["block.0"]),
        ("add { conv(3, 1) ; identity }", ["conv1", "identity1", "add1"]),
        ("f: { relu -> add { conv(3, 1) ; identity } -> relu }",
         ["f.0", "f.1", "f.2", "f.3", "f.4"]),
        ("b: concat { conv(3, 1) ; p: conv(5, 1) }", ["b.conv1", "b.p", "b"]),
        ("body: { a: { conv(3, 1) } }", ["body.a.0"]),
        ("features: for c in [64, 0] { if c == 0 { maxpool(2) } else { conv(c, 3) -> relu } }",
         ["features.0", "features.1", "features.2"]),
    ],
)  # fmt: skip
def test_paths(stages: str, expected: list[str]) -> None:
    assert paths(graph_of(chain(stages))) == expected


UNIT = """
block Unit(c: int, act: layer = relu) { conv: conv(c, 1) -> act }
"""


def test_blocks_are_named_in_lower_case_and_counted() -> None:
    graph = graph_of(chain("Unit(4) -> Unit(4, act=leaky_relu(0.1)) -> u: Unit(4)", before=UNIT))
    assert paths(graph) == [
        "unit1.conv", "unit1.relu1", "unit2.conv", "unit2.leaky_relu1", "u.conv", "u.relu1",
    ]  # fmt: skip


def test_numbered_groups_count_on_through_repeats() -> None:
    graph = graph_of(chain("layer1: { Unit(4) -> repeat 2 { Unit(4) } }", before=UNIT))
    assert [p for p in paths(graph) if p.endswith("conv")] == [
        "layer1.0.conv", "layer1.1.conv", "layer1.2.conv",
    ]  # fmt: skip


def test_a_weight_is_its_own_key() -> None:
    text = net(
        "    weight scale: [3, 1, 1] = 0.5\n"
        "    output y = (x, scale) -> mul -> body: { { weight s: [3, 1, 1]; mul { identity ; s } } }"
    )
    assert "scale" in keys(graph_of(text))


def test_keys_of_a_convolution() -> None:
    graph = graph_of(chain("c: conv(8, 3) -> b: batchnorm"))
    assert keys(graph) == [
        "c.weight", "c.bias", "b.weight", "b.bias",
        "b.running_mean", "b.running_var", "b.num_batches_tracked",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("a: conv(8, 1) -> a: conv(8, 1)", ["path-taken 4:37"]),
        ("repeat 2 { a: conv(8, 1) }", ["path-taken 4:32"]),
        ("forward: conv(8, 1)", ["name-taken 4:21"]),
        ("a: conv(8, 1) -> a.b: conv(8, 1)", ["path-taken 4:38"]),
        ("a.b: conv(8, 1) -> a: conv(8, 1)", ["path-taken 4:21"]),
        ("a.b: conv(8, 1) -> a: { relu -> b: conv(8, 1) }", ["path-taken 4:40"]),
        ("a: { relu } -> a.0: conv(8, 1)", ["path-taken 4:33"]),
        ("a: prelu -> a.b: relu", ["path-taken 4:33"]),
        ("a.train: conv(8, 1)", ["name-taken 4:21"]),
        ("a.b.__call__: conv(8, 1)", ["name-taken 4:21"]),
        ("a: { _parameters: conv(8, 1) }", ["name-taken 4:26"]),
        ("a.b: { c.d: conv(8, 1) } -> a.b.c: { relu }", ["path-taken 4:28"]),
        ('a["1"]: conv(8, 1) -> a["2"]: conv(8, 1)', ["bad-label 4:21", "bad-label 4:43"]),
    ],
)
def test_clashing_paths(stages: str, expected: list[str]) -> None:
    assert [e.split()[0] for e in errors_of(chain(stages))] == [e.split()[0] for e in expected]


def test_nothing_lies_below_a_weight() -> None:
    text = net(
        "    weight a: [3, 1, 1]\n    output y = (x -> a.b: conv(3, 1), a) -> mul",
    )
    assert [e.split()[0] for e in errors_of(text)] == ["path-taken"]


def test_the_counter_skips_what_labels_begin_with() -> None:
    assert paths(graph_of(chain("conv(8, 1) -> conv1.a: conv(8, 1)"))) == ["conv2", "conv1.a"]


def test_attributes_of_modules_are_those_of_pytorch() -> None:
    nn = pytest.importorskip("torch").nn
    ours = {n for n in dir(nn.Module()) if not (n.startswith("__") and n.endswith("__"))}
    assert ours <= MODULE_ATTRIBUTES
    for name in dir(nn.Module()):
        assert why_taken(name)
    extra = {
        kind: set(dir(kind())) - set(dir(nn.Module())) for kind in (nn.Sequential, nn.ModuleDict)
    }
    words = {kind: {n for n in names if not n.startswith("_")} for kind, names in extra.items()}
    assert words == {nn.Sequential: SEQUENTIAL_ATTRIBUTES, nn.ModuleDict: DICT_ATTRIBUTES}


def test_a_counter_makes_no_name_that_a_module_has() -> None:
    assert {name for name in MODULE_ATTRIBUTES if name[-1].isdigit()} == NEVER_COUNTED
    before = "block Bfloat { relu -> conv(3, 1) }"
    graph = graph_of(chain("repeat 16 { Bfloat }", before=before))
    numbers = [*range(1, 16), 17]
    assert paths(graph)[1::2] == [f"bfloat{number}.conv1" for number in numbers]


def test_what_a_module_cannot_have_is_told_beside_other_mistakes_once_each() -> None:
    before = "block U(k: int) { to: conv(k, 1) -> half: relu }"
    stages = "eval: { U(3) -> U(4) } -> nope -> s: { a.train: relu }"
    _, diagnostics = build(chain(stages, before=before))
    told = [(d.code, d.message.split("`")[1]) for d in diagnostics]
    assert told == [
        ("name-taken", "to"), ("name-taken", "half"), ("name-taken", "eval"),
        ("unknown-layer", "nope"),
    ]  # fmt: skip
    _, diagnostics = build(
        net("    layer cuda = U(3)\n    output y = x -> cuda -> cuda", before=before)
    )
    assert [d.message.split("`")[1] for d in diagnostics] == ["to", "half", "cuda"]


def test_a_network_made_by_calls_has_no_label_either_that_a_module_cannot_have() -> None:
    builder = GraphBuilder("A")
    value = builder.layer("conv", builder.input("x", [3, 8, 8]), 4, 1, label="forward")
    builder.output("y", value)
    with pytest.raises(DiagnosticError) as caught:
        builder.build()
    assert [d.code for d in caught.value.diagnostics] == ["name-taken"]
    assert "`forward`" in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("stages", "said", "way_out"),
    [
        ("repeat 3 { a: conv(8, 1) }",
         "turn 1 and turn 2 of this `repeat` both make a layer with the path `a`",
         "`for i in 0..3 { ... }`, where `a[i]: ...` makes `a0`"),
        ("f: repeat 2 { relu -> a: { conv(8, 1) -> relu } }",
         "turn 1 and turn 2 of this `repeat` both make a layer with the path `a`",
         "`for i in 0..2 { ... }`"),
        ("for i in 0..4 { if i % 2 == 1 { p.q: conv(8, 1) } }",
         "turn 2 and turn 4 of this `for` both make a layer with the path `p.q`",
         "(`p[i]: ...` makes `p0`)"),
        ("concat { for i in 0..2 { p: conv(4, 1) } }",
         "turn 1 and turn 2 of this `for` both make a layer with the path `p`",
         "(`p[i]: ...` makes `p0`)"),
        ("a: conv(8, 1) -> a: conv(8, 1)", "two layers have the path `a`", "`name2: ...`"),
    ],
)  # fmt: skip
def test_one_path_in_two_turns_of_a_loop(stages: str, said: str, way_out: str) -> None:
    """It is written once, so that the turns are named and not two stages."""
    _, diagnostics = build(chain(stages))
    (diagnostic,) = diagnostics
    assert diagnostic.code == "path-taken"
    assert diagnostic.message == said
    assert way_out in diagnostic.help[0]


def test_what_the_way_out_of_a_loop_says_works() -> None:
    graph = graph_of(chain("for i in 0..3 { a[i]: conv(8, 1) }"))
    assert paths(graph) == ["a0", "a1", "a2"]
    graph = graph_of(chain("blocks: repeat 2 { conv(8, 1) }"))
    assert paths(graph) == ["blocks.0", "blocks.1"]


def test_a_shared_layer_is_one_layer() -> None:
    text = net(
        "    layer enc = Unit(4)\n    a = x -> enc\n    b = x -> relu -> enc\n"
        "    output y = (a, b) -> add",
        before=UNIT,
    )
    graph = graph_of(text)
    assert keys(graph) == ["enc.conv.weight", "enc.conv.bias"]
    assert [len(layer.calls) for layer in graph.layers()][0] == 2


def test_blocks_in_a_later_call_of_a_shared_block_have_the_paths_of_the_first() -> None:
    text = net(
        "    layer s = A\n    output y = x -> s -> s",
        before="block B { relu -> tanh }\nblock A { inner: B -> relu }",
    )
    graph = graph_of(text)
    assert [s.path for s in graph.root.scopes()] == ["", "s", "s.inner", "s", "s.inner"]
    assert "" not in Dims(graph).values_by_name()


def test_a_shared_layer_must_stay_the_same() -> None:
    text = net(
        "    layer enc = conv(4, 1)\n    a = x -> enc\n    output y = a -> enc",
    )
    assert errors_of(text) == ["shared-differs 6:21"]
