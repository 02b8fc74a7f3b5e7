"""The convolution to try: its numbers are those of the language's own layer at every setting."""

from __future__ import annotations

from itertools import product

import pytest

import netdsl
from netdsl.analyses.links import shape_of
from netdsl.ops.base import op_of
from netdsl.ops.tables import types_of
from tests.backends.diagram.page.script import data_of, needs_node, page_of, run
from tests.sampling import some

CODE = """
return asked.map(settings => {
  const lesson = new Lesson(settings);
  if (lesson.refusal()) return {refusal: lesson.refusal()};
  const middle = lesson.result.map(size => size >> 1);
  const taps = lesson.kernel.map(() => 0);
  return {
    result: lesson.result, parameters: String(lesson.parameters), macs: String(lesson.multiplyAdds),
    formula: lesson.formula(0), products: lesson.products(middle), users: lesson.users(taps),
    middle, refusal: "",
  };
});
"""


def settings() -> list[dict[str, object]]:
    told: list[dict[str, object]] = []
    for kernel, stride, padding, dilation in product((1, 2, 3, 5), (1, 2, 3), (0, 1, 3), (1, 2)):
        base = {"channels": 4, "filters": 6, "groups": 2, "bias": stride != 2}
        for sizes in ((7, 9), (3, 12), (11,)):
            lists = {
                name: [value] * len(sizes)
                for name, value in (
                    ("kernel", kernel),
                    ("stride", stride),
                    ("padding", padding),
                    ("dilation", dilation),
                )
            }
            told.append({**base, **lists, "sizes": list(sizes)})
    return told


def _layer(asked: dict[str, object]) -> str:
    kernel, stride, padding, dilation = (
        asked[k][0] for k in ("kernel", "stride", "padding", "dilation")
    )  # type: ignore[index]
    sizes = ", ".join(map(str, asked["sizes"]))  # type: ignore[call-overload]
    bias = str(asked["bias"]).lower()
    call = f"conv(6, {kernel}, stride={stride}, padding={padding}, dilation={dilation}, groups=2, bias={bias})"
    return f"net N {{ input x: [4, {sizes}]\n output y = x -> {call} }}"


@needs_node
def test_every_setting_gives_what_the_layer_gives_or_is_refused_as_it_is() -> None:
    asked = settings()
    told = run(CODE, {"asked": asked})
    refused = 0
    for one, answer in some(list(zip(asked, told, strict=True)), 5):
        try:
            net = netdsl.loads(_layer(one))
        except netdsl.DiagnosticError as error:
            assert answer["refusal"] in error.diagnostics[0].message
            refused += 1
            continue
        (node,) = net.graph.nodes()
        assert answer["refusal"] == ""
        assert answer["result"] == list(shape_of(node.output)[1:])
        summary = net.summary()
        assert (answer["parameters"], answer["macs"]) == (
            str(summary.parameters),
            str(summary.macs),
        )
        inputs, outputs = types_of(node)
        (rule, *_) = op_of(node).size_rules(inputs, outputs)
        assert answer["formula"] == rule.numbers
        products = op_of(node).products(inputs, outputs, (0, *answer["middle"]))
        assert products is not None
        one_plane = [(list(cell[1:]), list(w[2:])) for cell, w in products if w[1] == 0]
        assert [(p["cell"], p["weight"]) for p in answer["products"]] == one_plane
        first = (0,) * (len(answer["result"]))
        users = []
        for index in product(*map(range, answer["result"])):
            for cell, w in op_of(node).products(inputs, outputs, (0, *index)) or ():
                if w[1:] == (0, *first):
                    users.append({"neuron": list(index), "cell": list(cell[1:])})
        assert answer["users"] == users
    assert refused > 0


@pytest.mark.parametrize(("layer", "is_tried"), [
    ("conv(6, 3x5, stride=2, padding=1)", True),
    ("conv(6, 3, padding=same)", True),
    ("conv(6, 3, stride=2, padding=same_upper)", False),  # its padding follows the size
    ("conv(6, 3, padding=1, padding_mode=reflect)", False),
    ("conv_transpose(6, 2, stride=2)", False),
    ("maxpool(2)", False),
])  # fmt: skip
def test_what_can_be_tried_is_a_convolution_with_one_padding_of_zeros(
    layer: str, is_tried: bool
) -> None:
    net = netdsl.loads(f"net N {{ input x: [4, H, W]\n output y = x -> a: {layer} }}")
    (unit,) = [u for u in data_of(page_of(net))["units"] if u["path"] in ("a", "maxpool1")]
    assert ("conv" in unit) == is_tried
    assert ("words" in unit) == layer.startswith("conv")
