"""Mistakes in networks that are made by calls: the errors of a file, at the place of the call."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress

import pytest

import netdsl
from netdsl import DiagnosticError, GraphBuilder, Network
from netdsl.ir.graph import Value
from netdsl.ir.printer import graph_text
from netdsl.ops import registry
from tests.test_graph_builder import paths, small


def refused(call: Callable[[], object]) -> netdsl.Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        call()
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


MISTAKES: dict[str, Callable[[GraphBuilder, Value], object]] = {
    "x -> convv(4, 3)": lambda net, x: net.layer("convv", x, 4, 3),
    "x -> Conv2d(3, 4, 3)": lambda net, x: net.layer("Conv2d", x, 3, 4, 3),
    "x -> conv(4)": lambda net, x: net.layer("conv", x, 4),
    "x -> conv(4, 3, 1, 1, 1, 1, true, zeros, 1)": lambda net, x: net.layer(
        "conv", x, 4, 3, 1, 1, 1, 1, True, "zeros", 1
    ),
    "x -> conv(4, 3, strid=2)": lambda net, x: net.layer("conv", x, 4, 3, strid=2),
    "x -> conv(4, 3, channels=4)": lambda net, x: net.layer("conv", x, 4, 3, channels=4),
    "x -> conv(0.5, 3)": lambda net, x: net.layer("conv", x, 0.5, 3),
    "x -> conv(4, 3, groups=2)": lambda net, x: net.layer("conv", x, 4, 3, groups=2),
    "x -> pad(1, mode=mirror)": lambda net, x: net.layer("pad", x, 1, mode="mirror"),
    "(x, x) -> conv(4, 3)": lambda net, x: net.layer("conv", x, x, 4, 3),
    "x -> embedding(10, 4)": lambda net, x: net.layer("embedding", x, 10, 4),
    "x -> adaptive_avgpool(x)": lambda net, x: net.layer("adaptive_avgpool", x, size=x),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_as_those_of_a_file(text: str) -> None:
    net, x = small()
    with pytest.raises(DiagnosticError) as caught:
        netdsl.loads(f"net Small {{ input x: [3, H, W]\n output y = {text} }}")
    in_file = [d for d in caught.value.diagnostics if d.is_error]
    with pytest.raises(DiagnosticError) as caught:
        MISTAKES[text](net, x)
    by_hand = caught.value.diagnostics
    told = [(d.code, d.message, d.help, d.notes) for d in by_hand]
    assert told == [(d.code, d.message, d.help, d.notes) for d in in_file]
    for diagnostic in by_hand:
        assert diagnostic.fix is None  # which would put the language into a Python file
        assert diagnostic.span is not None
        assert diagnostic.span.source.name == __file__
        assert "net.layer(" in diagnostic.span.source.line(diagnostic.span.line)


def test_the_place_is_that_of_the_call() -> None:
    net, x = small()
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    found = refused(lambda: net.layer("conv", net.layer("relu", x), 4, 3, groups=3))
    assert found.span is not None
    assert (found.span.line, found.span.source.name) == (line, __file__)
    assert found.span.text == 'net.layer("conv", net.layer("relu", x), 4, 3, groups=3)'


def test_where_the_text_of_a_call_is_not_at_hand_its_line_is_named() -> None:
    text = "\n\nnet.layer('conv', x,\n 4, 3, groups=3)"
    net, x = small()
    found = refused(lambda: exec(compile(text, "<typed>", "exec"), {"net": net, "x": x}))
    assert str(found.span).startswith("<typed>:3:")


def test_a_requirement_and_its_place_are_kept() -> None:
    net = GraphBuilder("Small")
    x = net.input("x", [3, 8, "W"], where="W <= 4")
    y = net.layer("conv", x, 4, 5)
    net.output("y", y)
    found = refused(net.build)
    with pytest.raises(DiagnosticError) as caught:
        netdsl.loads(
            "net A { input x: [3, 8, W] where W <= 4\n output y = x -> conv(4, 5) }", name="b"
        )
    (in_file,) = caught.value.diagnostics
    assert (found.code, found.message) == (in_file.code, in_file.message)
    assert 'net.layer("conv", x, 4, 5)' in str(
        [found.span and found.span.text, *[d.span.text for d in found.secondary]]
    )


def test_nothing_is_added_by_a_call_that_fails() -> None:
    def made(tries: bool) -> Network:
        net = GraphBuilder("Net", uses=["std.resnet"])
        x = net.input("image", [8, "H", "H"])
        if tries:
            refused(lambda: net.input("image", [3]))
            refused(lambda: net.input("other", ["Q", 5], where="Q < 0"))
            refused(lambda: net.input("other", ["Q", 0]))
            refused(lambda: net.layer("conv", x, 4, 3, groups=3))
            with pytest.raises(DiagnosticError, match="stride"):
                net.layer("BasicBlock", x, 8, stride=0, label="a")
            refused(lambda: net.weight("w", [0]))
            refused(lambda: net.layer("conv", x, 4, 3, label="a..b"))
            refused(lambda: net.output("if", x))
        with net.scope("a"):
            x = net.layer("conv", x, 8, 3)
            if tries:
                refused(lambda: net.layer("linear", x, -1))
        y = net.layer("BasicBlock", x, 8, label="b")
        net.output("y", y)
        if tries:
            refused(lambda: net.output("y", y))
        return net.build()

    assert graph_text(made(tries=True).graph) == graph_text(made(tries=False).graph)


def test_names_are_those_of_the_language() -> None:
    net, x = small()
    for name in ("if", "in", "layer", "a b", "2x", "", "x.y", "a() = 1\nfn b", "é"):
        assert (
            refused(lambda name=name: net.input(name, [3])).message == f"`{name}` can't be a name"
        )
        assert refused(lambda name=name: net.output(name, x)).message == f"`{name}` can't be a name"
        assert refused(lambda name=name: GraphBuilder(name)).message == f"`{name}` can't be a name"


def test_two_layers_of_one_path() -> None:
    net, x = small()
    for _ in range(2):
        x = net.layer("conv", x, 4, 3, label="same")
    net.output("y", x)
    assert refused(net.build).code == "path-taken"


def test_two_scopes_of_one_path() -> None:
    net, x = small()
    for _ in range(2):
        with net.scope("a"):
            x = net.layer("conv", x, 4, 3, label="same")
    net.output("y", x)
    found = refused(net.build)
    assert found.code == "path-taken"
    assert "turn" not in found.message


def test_a_network_has_ends_and_no_idle_layer() -> None:
    assert refused(GraphBuilder("Empty").build).code == "no-input"
    net, x = small()
    assert refused(net.build).code == "no-output"
    idle = net.layer("relu", x)
    net.output("y", net.layer("tanh", x))
    found = refused(net.build)
    assert (found.code, found.span and found.span.text) == ("unused-result", 'net.layer("relu", x)')
    net.output("z", idle)
    assert paths(net.build()) == ["relu1", "tanh1"]


def test_a_result_that_one_turn_leaves_is_found() -> None:
    net, x = small()
    for turn in range(3):
        y = net.layer("relu", x)
        x = y if turn else net.layer("tanh", x)
    net.output("y", x)
    assert refused(net.build).code == "unused-result"


def test_names_that_no_module_can_have_are_found_in_scopes() -> None:
    net, x = small()
    with net.scope("a"):
        net.output("y", net.layer("conv", x, 4, 3, label="forward"))
    for _ in range(2):  # it stays wrong
        assert refused(net.build).code == "name-taken"
    assert refused(lambda: net.scope(block="My Block")).code == "syntax-error"


def test_a_network_is_built_outside_of_its_scopes() -> None:
    net, x = small()
    with net.scope("a"):
        net.output("y", net.layer("conv", x, 4, 3, label="last"))
        with pytest.raises(ValueError, match="outside of its scopes"):
            net.build()
    assert paths(net.build()) == ["a.last"]


def test_a_scope_that_is_left_by_an_error_is_left() -> None:
    net, x = small()
    with suppress(DiagnosticError), net.scope("a"):
        x = net.layer("relu", x)
        net.layer("conv", x)
        x = net.layer("never", x)
    net.output("y", net.layer("tanh", x))
    assert paths(net.build()) == ["a.0", "tanh1"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 2**70, (1, 2**70)])
def test_numbers_are_those_that_a_file_can_say(number: object) -> None:
    net, x = small()
    assert refused(lambda: net.layer("leaky_relu", x, number)).code in ("too-large", "bad-argument")
    assert refused(lambda: net.shared("leaky_relu", number, label="a")).code == "too-large"
    if isinstance(number, float):
        assert refused(lambda: net.weight("w", [3], fill=number)).code == "too-large"


def test_objects_take_as_many_values_as_their_layer() -> None:
    net, x = small()
    relu = registry()["relu"]()
    assert refused(lambda: net.layer(relu, x, x)).code == "wrong-inputs"
    assert refused(lambda: net.layer(relu)).code == "wrong-inputs"


def test_texts_of_python_are_texts_in_the_source() -> None:
    torch = pytest.importorskip("torch")
    doc = 'Quotes """ and \\ and \n{braces}'
    net = GraphBuilder("Odd", doc)
    x = net.input("x", [3, 8, 8])
    with net.scope('la"bel', block="Unit", doc=doc, text='"""\\'):
        x = net.layer("conv", x, 4, 3, label="con v")
    net.output("y", x)
    network = net.build()
    assert list(network.torch(seed=0).state_dict()) == ['la"bel.con v.weight', 'la"bel.con v.bias']
    assert network.torch(seed=0)(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 6, 6)


def test_values_of_another_network_are_refused() -> None:
    net, x = small()
    _, other = small()
    assert refused(lambda: net.layer("relu", other)).code == "not-a-value"
    assert refused(lambda: net.layer("upsample", x, size=other)).code == "not-a-value"
    assert refused(lambda: net.output("y", other)).code == "not-a-value"


def test_what_is_built_stays_as_it_is() -> None:
    net, x = small()
    net.output("y", net.layer("relu", x))
    net.build()
    for call in (lambda: net.layer("relu", x), lambda: net.input("z", [3]), net.build):
        with pytest.raises(ValueError, match="built already"):
            call()


def test_warnings_are_given_and_can_be_silenced() -> None:
    def made(*allow: str) -> Network:
        net = GraphBuilder("Warned")
        x = net.input("x", [3, 8, 8])
        x = net.layer("batchnorm", net.layer("conv", x, 4, 3))
        net.output("y", x)
        return net.build(allow=allow)

    (warning,) = made().warnings
    assert (warning.code, warning.fix) == ("bias-before-norm", None)
    assert made("bias-before-norm").warnings == ()


def test_its_onnx_file_does_not_quote_the_python_file() -> None:
    pytest.importorskip("onnx")
    net, x = small()
    net.output("y", net.layer("relu", x))
    held = {entry.key: entry.value for entry in net.build().onnx().metadata_props}
    assert held["netdsl.source"].strip() == 'GraphBuilder("Small")'
