"""Names: numbers, values and layers live apart; labels, inline blocks, what is never used."""

from __future__ import annotations

import pytest

import netdsl
from tests.elaborate.compile_text import build, errors_of, graph_of, keys, net, paths

torch = pytest.importorskip("torch")


def codes(text: str) -> list[str]:
    """All that is said of a text, warnings too."""
    _, diagnostics = build(text)
    return [d.code for d in diagnostics]


# --- three kinds of names -----------------------------------------------------------------


def test_one_word_may_name_a_number_a_value_and_a_layer():
    text = """
block Block(conv: int, relu: layer = tanh) {
    add { conv: conv(conv, 1) -> relu ; identity }
}
net N(dropout: float = 0.25, linear: int = 4) {
    input softmax: [3, 8, 8]
    let conv = 3
    x = softmax -> Block(conv) -> global_avgpool
    add = x -> mlp: { linear(linear) -> dropout: dropout(dropout) }
    output y = (add, add) -> add
}
"""
    graph = graph_of(text)
    assert paths(graph) == [
        "block1.conv", "block1.tanh1", "block1.identity1", "block1.add1", "global_avgpool1",
        "mlp.0", "mlp.dropout", "add1",
    ]  # fmt: skip
    module = netdsl.loads(text).torch().eval()
    x = torch.randn(2, 3, 8, 8)
    y = (module.block1.conv(x).tanh() + x).mean((2, 3))
    torch.testing.assert_close(module(x), 2 * module.mlp[0](y))


def test_the_place_decides():
    """`.channels` is of the value, `linear(x)` takes the number, a chain begins with the value."""
    graph = graph_of(
        "net N {\n input x: [5, 9]\n let x = 7\n output y = x -> linear(x) -> linear(x.channels)\n}"
    )
    assert [str(n.output.type) for n in graph.nodes()] == ["[5, 7]", "[5, 5]"]


@pytest.mark.parametrize(
    "lines",
    [
        "output y = x -> upsample(size=x)",
        "output y = x -> relu\n    let n = len(x)",
        "output y = x -> for m in x { relu }",
        "output y = x -> linear(x[0])",
    ],
)
def test_where_both_would_do_a_name_of_both_is_refused(lines):
    text = net(f"    let x = 8\n    {lines}")
    assert [e.split()[0] for e in errors_of(text)] == ["ambiguous-name"]


def test_a_label_may_repeat_a_value_further_out():
    text = """
block B (x, skip) {
    y = x -> body: {
        skip: conv(4, 1)
        (skip, x) -> concat
    }
    (y, skip) -> concat
}
net N { input x: [4, 5, 5] ; output y = (x, x) -> B }
"""
    module = netdsl.loads(text).torch().eval()
    x = torch.randn(1, 4, 5, 5)
    inner = module.b1.body.skip(x)
    torch.testing.assert_close(module(x), torch.cat([inner, x, x], 1))


def test_a_label_that_repeats_a_value_of_its_body_is_neither_where_it_is_used():
    block = "block B (x, skip) {{\n    y = x -> {label}: conv(4, 1)\n    (y, skip) -> add\n}}\n"
    use = "net N { input x: [4, 5, 5] ; output y = (x, x) -> B }"
    assert errors_of(block.format(label="skip") + use) == ["ambiguous-name 3:9"]
    assert keys(graph_of(block.format(label='"skip"') + use)) == ["b1.skip.weight", "b1.skip.bias"]


@pytest.mark.parametrize(
    "lines",
    [
        "gate = x -> gate: linear(8) -> [3, 32, 8]\n    up = x -> up: linear(8)",
        "(gate, up) = (x -> gate: linear(8), x -> up: linear(8))",
        "(gate, up) = (x -> gate: linear(8) -> [3, 32, 8], x -> up: { linear(8) })",
    ],
)
def test_a_value_may_be_called_by_its_label(lines):
    module = netdsl.loads(net(f"    {lines}\n    output y = (gate, up) -> sub")).torch().eval()
    x = torch.randn(1, 3, 32, 32)
    up = getattr(module.up, "0", module.up)
    torch.testing.assert_close(module(x), module.gate(x) - up(x))


@pytest.mark.parametrize(
    ("lines", "at"),
    [
        ("gate = x -> gate: linear(8) -> relu", 4),
        ("(gate, up) = (x -> up: linear(8), x -> gate: linear(8))", 4),
        ("(gate, up) = x -> gate: split([1, 2])", 4),
        ("gate = x -> relu\n    gate = gate -> gate: linear(8)", 5),
    ],
)
def test_no_value_is_called_by_the_label_of_another(lines, at):
    reported = errors_of(net(f"    {lines}\n    output y = gate -> relu"))
    assert reported[0].split(":")[0] == f"name-taken {at}"


def test_a_value_goes_before_a_layer_at_a_head_with_a_warning():
    block = "block B {\n    relu: relu\n    add { relu{call} -> conv(3, 1) ; conv(3, 1) }\n}\n"
    use = "net N { input x: [3, 5, 5] ; output y = x -> B }"
    assert codes(block.replace("{call}", "") + use) == ["layer-or-value"]
    assert codes(block.replace("relu{call} ->", "(relu) ->") + use) == ["layer-or-value"]
    assert codes(block.replace("relu: relu", "act: relu").replace("relu{call}", "act") + use) == []


# --- labels -------------------------------------------------------------------------------


def test_strings_with_numbers_and_places_left_to_labels():
    text = net(
        '    y = x -> for i in 0..3 { "block3-"[i + 1]: conv(4, 1) }\n'
        "    output z = y -> tail: { permute([1, 2, 0]) -> 1: layernorm -> permute([2, 0, 1]) "
        "-> 0: conv(2, 1) }"
    )
    graph = graph_of(text)
    assert [key for key in keys(graph) if key.endswith("weight")] == [
        "block3-1.weight", "block3-2.weight", "block3-3.weight", "tail.1.weight", "tail.0.weight",
    ]  # fmt: skip
    netdsl.loads(text).torch()


def test_shared_layers_under_any_path():
    text = net(
        "    layer head = heads.0: linear(4)\n    a = x -> head\n"
        "    output y = (a, x -> relu -> head) -> add"
    )
    assert keys(graph_of(text)) == ["heads.0.weight", "heads.0.bias"]
    module = netdsl.loads(text).torch().eval()
    x = torch.randn(2, 3, 32, 32)
    head = module.get_submodule("heads.0")
    torch.testing.assert_close(module(x), head(x) + head(x.relu()))


# --- inline blocks ------------------------------------------------------------------------

INLINE = """
block Pair(width: int) (a, b) {
    (a -> left: conv(width, 1), b -> right: conv(width, 1)) -> add -> relu
}
block Cell(width: int) {
    pre: conv(width, 1)
    (pre, in) -> inline Pair(2 * width) -> conv(width, 1)
}
net N { input x: [3, 6, 6] ; y = x -> cell: Cell(4) ; output z = y -> more: Cell(5) }
"""


def test_a_shared_layer_may_be_called_as_the_layer_it_is_of():
    """In its own line the name means what it meant before; below, the one layer."""
    text = net(
        "    layer conv = conv(3, 3, padding=1)\n    layer relu = relu\n"
        "    output y = x -> conv -> relu -> conv"
    )
    assert keys(graph_of(text)) == ["conv.weight", "conv.bias"]
    module = netdsl.loads(text).torch().eval()
    x = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(module(x), module.conv(module.conv(x).relu()))
    again = net("    layer conv = conv(3, 1)\n    layer b = conv(3, 1)\n    output y = x -> b")
    assert errors_of(again) == ["bad-argument 5:15"]
    before = net(
        "    layer b = conv(3, 1)\n    layer conv = conv(3, 1)\n    output y = x -> b -> conv"
    )
    assert keys(graph_of(before)) == ["b.weight", "b.bias", "conv.weight", "conv.bias"]


def test_a_layer_line_is_checked_without_a_use():
    assert errors_of(net("    layer a = Foo(8)\n    output y = x -> relu")) == [
        "unknown-layer 4:15"
    ]


def test_stages_of_an_inline_block_are_those_of_the_scope_around():
    graph = graph_of(INLINE)
    assert paths(graph)[:6] == [
        "cell.pre", "cell.left", "cell.right", "cell.add1", "cell.relu1", "cell.conv1",
    ]  # fmt: skip
    module = netdsl.loads(INLINE).torch().eval()
    x = torch.randn(1, 3, 6, 6)
    y = x
    for cell in module.cell, module.more:
        y = cell.conv1((cell.left(cell.pre(y)) + cell.right(y)).relu())
    torch.testing.assert_close(module(x), y)
    assert module.more.left.out_channels == 10
    assert netdsl.loads(INLINE).torch_source().count("class Cell") == 1


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("x -> inline relu", "bad-argument 4:21"),
        ("x -> a: inline B", "bad-label 4:21"),
    ],
)
def test_what_can_not_be_inline(stage, expected):
    assert errors_of(net(f"    output y = {stage}", before="block B { relu }"))[0].startswith(
        expected.split()[0]
    )
    assert (
        "syntax-error"
        in errors_of(
            net("    layer f = inline B\n    output y = x -> f", before="block B { relu }")
        )[0]
    )


# --- what is never used, and lists of layers ------------------------------------------------


def test_weights_that_nothing_uses_are_there_and_do_not_run():
    text = """
net N {
    input x: [6]
    weight dead: [4]
    _ = dead
    _ = x -> old: { linear(9) -> relu -> head: linear(3) }
    _ = x -> older: batchnorm
    output y = x -> fc: linear(2)
}
"""
    network = netdsl.loads(text)
    module = network.torch()
    assert set(module.state_dict()) >= {"dead", "old.0.weight", "old.head.bias", "older.weight"}
    calls: list[str] = []
    for name, part in module.named_modules():
        part.register_forward_hook(lambda *_, name=name: calls.append(name))
    module.train()(torch.randn(1, 6))  # a batch of one: batchnorm would refuse it
    assert calls == ["fc", ""]
    stored = {tensor.name for tensor in network.onnx(module).graph.initializer}
    assert stored == {"fc.weight", "fc.bias"}
    rows = {row.path: row.remark for row in network.summary().rows}
    assert rows["older"] == rows["old.head"] == " (unused)"
    assert rows["fc"] == ""


@pytest.mark.parametrize(
    "inner",
    [
        "for i in 0..2 { _ = b[i]: conv(3, 1) ; _ = c[i]: conv(3, 1) ; relu }",
        "for i in 0..2 { (p, _) = b[i]: split([2, 1]) ; p -> c[i]: conv(3, 1) }",
        "add { { _ = conv(3, 1) ; relu } ; { _ = conv(3, 1) ; relu } }",
        "each { _ = conv(3, 1) ; relu }",
    ],
)
def test_what_is_called_nothing_hides_nothing(inner):
    """`_` further out does not keep inner braces from having one."""
    shape = "[2, 3, 5, 5]" if "each" in inner else "[3, 5, 5]"
    lines = f"    input x: {shape}\n    _ = x -> a: relu\n    output y = x -> {inner}\n"
    graph = graph_of(f"net N {{\n{lines}}}\n")
    assert keys(graph)


def test_what_is_called_nothing_twice_can_not_be_used():
    lines = "    _ = x -> relu\n    output y = x -> for i in 0..2 { _ = relu ; _ -> tanh }"
    assert [e.split()[0] for e in errors_of(net(lines))] == ["ambiguous-name"]


def test_layers_in_lists():
    text = """
net N {
    input x: [3, 9, 9]
    let table = [[4, relu], [5, hardswish], [6, leaky_relu(0.3)], [7, Act]]
    output y = x -> for (n, act) in table { conv(n, 1) -> act }
}
block Act { tanh }
"""
    module = netdsl.loads(text).torch().eval()
    x = torch.randn(2, 3, 9, 9)
    f = torch.nn.functional
    y = f.relu(module.conv1(x))
    y = f.leaky_relu(module.conv3(f.hardswish(module.conv2(y))), 0.3)
    torch.testing.assert_close(module(x), module.conv4(y).tanh())


def test_for_goes_over_values():
    text = net(
        "    output y = (x, x -> relu, x -> tanh) -> Join",
        before="""
block Join { (for m in in { m -> conv(2, 1) }) -> concat }
""",
    )
    assert [str(n.output.type) for n in graph_of(text).nodes()][-1] == "[6, 32, 32]"
