"""The number of classes as a parameter of the net: where the source calls it so, else a number."""

from __future__ import annotations

import pytest

import netdsl
from netdsl.importers.frontend import Answer
from netdsl.importers.imported import imported
from netdsl.importers.program import Input, Program, Region, Value
from tests.importers.programs import HERE
from tests.importers.test_recover import Writing, conv


def text_of(net: Writing) -> str:
    net.image.shape = net.image.shape or (3, 16, 16)
    inputs = [Input("image", net.image, (net.image.shape[0], "H", "W"), HERE)]
    result = imported(Answer(Program("Net", net.root, inputs, net.outputs)))
    assert not result.is_flat
    return result.text


def features(net: Writing) -> Value:
    return net.call("global_avgpool", conv(net, net.image, "stem"))


def head(net: Writing, value: Value, name: str, width: int, **settings: object) -> Value:
    region = Region((name,), "Head", HERE, inputs=[value], settings=dict(settings))
    net.root.items.append(region)
    value = net.call("linear", value, at=f"{name}.fc", into=region, features=width)
    region.outputs = [value]
    return value


@pytest.mark.parametrize("name", ["num_classes", "classes", "nc"])
def test_the_width_of_the_last_layer_by_its_name(name: str) -> None:
    net = Writing(3, 16, 16)
    net.root.settings[name] = 10
    wide = net.call("linear", features(net), at="wide", features=10)
    net.output("y", net.call("softmax", net.call("linear", wide, at="fc", features=10)))
    text = text_of(net)
    assert "net Net(classes: int = 10) {" in text
    assert "wide: linear(10)" in text  # a width like another: what comes before is no class
    assert "fc: linear(classes)" in text
    other = netdsl.loads(text, params={"classes": 7}).graph.outputs[0]
    assert other.shape == (7,)
    assert netdsl.loads(text).graph.outputs[0].shape == (10,)


def test_a_number_without_its_name_stays_a_number() -> None:
    net = Writing(3, 16, 16)
    net.root.settings |= {"width": 10, "depth": 1000}
    net.output("y", net.call("linear", features(net), at="fc", features=10))
    assert "fc: linear(10)" in text_of(net)


def test_a_name_with_another_number_says_nothing() -> None:
    net = Writing(3, 16, 16)
    net.root.settings["num_classes"] = 1000
    net.output("y", net.call("linear", features(net), at="fc", features=10))
    assert "classes" not in text_of(net)


def test_heads_pass_it_on() -> None:
    net = Writing(3, 16, 16)
    base = features(net)
    for name in ("a", "b"):
        net.output(name + "_out", head(net, base, name, 10, num_classes=10))
    text = text_of(net)
    assert "net Net(classes: int = 10) {" in text
    assert "block Head(classes: int) {" in text
    assert text.count("Head(classes)") == 2
    outputs = netdsl.loads(text, params={"classes": 4}).graph.outputs
    assert [one.shape for one in outputs] == [(4,), (4,)]


def test_nothing_is_said_where_heads_differ() -> None:
    """One of two heads has the number without the name, or they have two numbers."""
    for width, settings in (10, {}), (20, {"num_classes": 20}):
        net = Writing(3, 16, 16)
        base = features(net)
        net.output("one", head(net, base, "a", 10, num_classes=10))
        net.output("two", head(net, base, "b", width, **settings))
        assert "net Net {" in text_of(net)


def test_a_name_that_is_taken_is_left_alone() -> None:
    net = Writing(3, 16, 16)
    net.root.settings["num_classes"] = 10
    net.output("classes", net.call("linear", features(net), at="fc", features=10))
    assert "fc: linear(10)" in text_of(net)
