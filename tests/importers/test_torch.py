"""Modules of PyTorch as networks: the same keys, numbers and sizes; and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import netdsl
from netdsl import DiagnosticError
from netdsl.importers.frontend import Question, declared, is_foreign
from netdsl.importers.imported import read
from netdsl.importers.program import Region
from netdsl.importers.torch import from_module
from tests.importers import torch_nets
from tests.importers.torch_models import Unequal, compare, import_of

HERE = str(Path(torch_nets.__file__))
SMALL = ((17, 23), (20, 29), (31, 18))


@pytest.mark.parametrize(
    ("name", "contract"),
    [
        ("Residual", "any H >= 3, any W >= 3"),
        ("UNet", "any H >= 4, any W >= 4"),
        ("Aux", "any H >= 3, any W >= 3"),
        ("Shuffle", "any H, any W"),
        ("Windows", "H and W multiples of 4"),
        ("Projected", "any H >= 3, any W >= 3"),
    ],
)
def test_a_module_at_sizes_that_were_not_traced(name: str, contract: str) -> None:
    sizes = ((20, 28), (12, 36), (8, 4)) if name == "Windows" else SMALL
    one = compare(getattr(torch_nets, name), name, sizes=sizes, x=(3, "H", "W"))
    assert one.is_open
    assert one.largest_difference <= 1e-6
    assert str(netdsl.loads(one.text).sizes) == contract
    assert not any(size in (224, 321, 384) for row in one.sizes for size in row.values())


def test_tokens_are_read_at_their_one_size() -> None:
    one = compare(torch_nets.Tokens, "Tokens", x=(3, 16, 16))
    assert not one.is_open
    assert "attention" in one.text
    assert "attend" in one.text


def test_a_tied_table_and_open_steps() -> None:
    one = compare(torch_nets.Tied, "Tied", sizes=((5,), (9,), (14,)), pairs=0)
    assert one.is_open
    assert "int64 [T]" in one.text
    assert set(netdsl.loads(one.text).torch().state_dict()) == set(torch_nets.Tied().state_dict())


def test_tables_below_words_of_the_language() -> None:
    one = compare(torch_nets.Words, "Words", sizes=SMALL, x=(3, "H", "W"))
    assert one.largest_difference <= 1e-6
    assert set(netdsl.loads(one.text).torch().state_dict()) == set(torch_nets.Words().state_dict())


def test_regions_are_the_modules_with_what_their_constructors_were_given() -> None:
    program = import_of(torch_nets.Residual, "Residual").answer.program
    assert [one.name for one in program.inputs] == ["image"]
    units = _regions(program.root, "Unit")
    assert [one.path for one in units] == [("units", "0"), ("units", "1"), ("units", "2")]
    assert [one.settings for one in units] == [
        {"channels": 8, "stride": 1, "groups": 1},
        {"channels": 8, "stride": 2, "groups": 1},
        {"channels": 8, "stride": 1, "groups": 2},
    ]
    assert all(one.input_names == ["x"] and len(one.inputs) == 1 for one in units)
    assert all(len(one.outputs) == 1 for one in units)
    (sequence,) = [
        one for one in program.root.items if isinstance(one, Region) and one.path == ("units",)
    ]
    assert sequence.is_sequence
    assert sequence.kind == ""
    lines = Path(HERE).read_text().splitlines()
    places = [(call.layer, lines[call.origin.line - 1].strip()) for call in units[0].calls()]
    forward = "y = self.conv2(self.act(self.bn1(self.conv1(x))))"
    assert places == [
        ("conv", forward),
        ("batchnorm", forward),
        ("relu", forward),
        ("conv", forward),
        ("add", "y += self.skip(x)"),
        ("relu", "return self.act(y)"),
    ]


def _regions(region: Region, kind: str) -> list[Region]:
    inner = [one for one in region.items if isinstance(one, Region)]
    return [
        *(one for one in inner if one.kind == kind),
        *(r for one in inner for r in _regions(one, kind)),
    ]


def test_outputs_have_the_names_that_the_module_gives_them() -> None:
    assert [one.name for one in import_of(torch_nets.UNet, "U").answer.program.outputs] == [
        "mask",
        "edges",
    ]
    outputs = import_of(torch_nets.Aux, "A").answer.program.outputs
    assert [(one.name, one.when_training) for one in outputs] == [("out", False), ("aux", True)]
    drops = [
        (call.layer, call.settings["p"])
        for call in import_of(torch_nets.Aux, "A").answer.program.root.calls()
        if "drop" in call.layer
    ]
    assert drops == [("dropout", 0.2), ("channel_dropout", 0.1), ("dropout", 0.4)]


def test_the_size_of_a_skip_is_that_value_and_not_one_of_equal_numbers() -> None:
    text = import_of(torch_nets.UNet, "U").text
    assert text.count("upsample(size=") == 2
    assert "mode=bilinear" in text


def test_a_module_in_hand_with_two_inputs_and_weights_that_nothing_uses() -> None:
    torch.manual_seed(0)
    module = torch_nets.Pair().train()
    network = netdsl.from_torch(module, {"left": torch.zeros(1, 6), "right": (3,)})
    assert module.training
    assert not next(module.parameters()).is_meta
    ours = network.torch()
    ours.load_state_dict(module.state_dict(), strict=True)
    ours.eval()
    left, right = torch.randn(4, 6), torch.randn(4, 3)
    want = module(left, right)
    have = ours(left, right)
    values = have.values() if isinstance(have, dict) else have
    for a, b in zip(want.values(), values, strict=True):
        torch.testing.assert_close(a, b)
    assert network.origin is not None
    assert network.origin.numbers is not None
    assert torch.equal(
        torch.from_numpy(network.origin.numbers["a.weight"]()), module.a.weight.detach()
    )


def test_an_identity_shares_what_is_changed_in_place() -> None:
    compare(torch_nets.Same, "Same", sizes=SMALL, x=(3, "H", "W"))


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ("Aliased", "has no counterpart in training", "return x + y"),
        ("Unknown", "the language has no word for `fft_fft2`", "return torch.fft.fft2(x).real"),
        ("ByNumbers", "", "if x.sum() > 0:"),
        ("Assigned", "it assigns to places that a tensor names", "y[x > 0] = 0"),
        ("Reserved", "as `input` is a word of the language", "return x * self.input"),
        ("Missing", "has no `Missing`", ""),
        ("make", "can't be made: TypeError", ""),
        ("make(__import__('os'))", "neither a name nor a call with literal arguments", ""),
        ("make(8", "neither a name nor a call with literal arguments", ""),
        ("HERE", "has no `HERE`", ""),
    ],
)
def test_what_is_refused_is_so_at_its_line(source: str, message: str, line: str) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read(Question(f"{HERE}:{source}", {"": (3, "H", "W")}))
    first = caught.value.diagnostics[0]
    assert message in first.message
    assert first.span is not None
    if line:
        assert first.span.text == line


def test_the_shapes_that_a_message_asks_for_are_read() -> None:
    with pytest.raises(DiagnosticError, match=r"it fails with x: \[6, H, W\] at") as caught:
        read(Question(f"{HERE}:Unit(3)", {"": (6, "H", "W")}))
    texts = re.findall("`--input '(.*?)'`", caught.value.diagnostics[0].help[0])
    assert [declared(text) for text in texts] == [
        ("float32", (3, "H", "W")),
        ("float32", (3, 224, 224)),
    ]


def test_sources_that_are_not_there() -> None:
    sources = ("no_such_package:Net", "no_such.py:Net", "torch.nn:Module", "math:pi", HERE)
    assert all(map(is_foreign, sources))
    for source in sources:
        with pytest.raises(DiagnosticError) as caught:
            read(Question(source))
        assert caught.value.diagnostics[0].span is not None


def test_arguments_of_a_factory_are_literals() -> None:
    one = read(Question(f"{HERE}:make(6, stride=2)", {"": (6, "H", "W")}))
    assert "stride=2" in one.text
    with pytest.raises(DiagnosticError, match="can't be set from outside"):
        read(Question(f"{HERE}:make(6)", settings={"stride": "2"}))


def test_a_module_that_compares_sizes_is_read_at_one() -> None:
    one = import_of(torch_nets.Branching, "Branching")
    assert one.answer.program.inputs[0].shape == (3, 224, 224)
    assert "compares sizes" in one.answer.remarks[0]
    assert "avgpool(2)" in one.text


class _Counting(nn.Module):
    """Keeps something of a run: each run must have a copy of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.kept: Any = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kept is None:
            self.kept = self.conv.weight * 2
        return self.conv(x) * self.kept.mean()


def test_runs_do_not_see_each_other() -> None:
    module = _Counting()
    from_module(module)
    assert module.kept is None
    compare(_Counting, "Counting", sizes=SMALL)


def test_the_comparison_sees_other_numbers_and_other_sizes() -> None:
    class Wrong(torch_nets.Residual):
        made = 0

        def __init__(self) -> None:
            super().__init__()
            Wrong.made += 1
            if Wrong.made > 1:
                self.units[0].bn1.eps = 0.5

    with pytest.raises(Unequal, match="numbers"):
        compare(Wrong, "Wrong", sizes=SMALL)


def test_an_input_that_is_a_text() -> None:
    with pytest.raises(
        ValueError, match=r"a shape such as \(3, \"H\", \"W\"\), not `x: \[3, H, W\]`"
    ):
        netdsl.from_torch(torch.nn.Conv2d(3, 4, 1), "x: [3, H, W]")
