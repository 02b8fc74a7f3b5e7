"""`netdsl summary`: the questions of a textbook, blocks in one row, and its forms."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from fractions import Fraction
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.cli import main
from netdsl.cli.commands.summary import print_summary
from tests import examples
from tests.examples import NAMES, example

ALEXNET_2012 = """
# The sizes of Krizhevsky, Sutskever and Hinton 2012, its two halves as groups.
net AlexNet {
    input image: [3, 227, 227]
    output y = image
        -> conv(96, 11, stride=4) -> relu -> lrn(5) -> maxpool(3, stride=2)
        -> conv(256, 5, padding=2, groups=2) -> relu -> lrn(5) -> maxpool(3, stride=2)
        -> conv(384, 3, padding=1) -> relu
        -> conv(384, 3, padding=1, groups=2) -> relu
        -> conv(256, 3, padding=1, groups=2) -> relu -> maxpool(3, stride=2)
        -> flatten -> linear(4096) -> relu -> linear(4096) -> relu -> linear(1000)
}
"""


def run(name: str, *arguments: str) -> Result:
    path = name if "/" in name else str(example(name))
    return CliRunner().invoke(main, ["summary", path, *arguments])


def data(name: str, *arguments: str) -> dict[str, Any]:
    return json.loads(run(name, *arguments, "--format", "json").output)


def test_neurons_of_the_input_layer() -> None:
    assert data("conv27")["inputs"][0]["neurons"] == 27 * 27
    (inputs,) = data("googlenet", "--size", "H=224,W=224")["inputs"]
    assert (inputs["path"], inputs["neurons"]) == ("image", 3 * 224 * 224)


def test_a_filter_of_the_textbook() -> None:
    """81 neurons a filter, 243 in all, of 9 connections each."""
    (row,) = data("conv27")["layers"]
    assert (row["neurons"], row["connections"]) == (243, 243 * 9)
    assert row["receptive_field"] == {"image": [{"size": 3, "step": 3, "start": 0}] * 2}


def test_neurons_as_the_paper_counts_them() -> None:
    """253,440 (96 maps of 55x55 are 290,400), 186,624, 64,896, 64,896, 43,264, 4096, 4096, 1000."""
    summary = netdsl.loads(ALEXNET_2012).summary()
    layers = [row.neurons for row in summary.rows if row.macs]
    assert layers == [290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    assert summary.neurons == sum(layers)
    assert summary.parameters == 60_965_224


def test_what_an_inception_module_saves() -> None:
    """Rows of blocks, beside the same module without its 1x1 reductions (112,947,200 at 5x5)."""
    folded = data("googlenet_paper", "--depth", "1")
    row = next(r for r in folded["layers"] if r["path"] == "inception3a")
    assert row["layer"].startswith("PaperInception(64, 96, 128, 16, 32, 32)")
    assert (row["output"], row["parameters"], row["macs"]) == (
        "[256, 28, 28]",
        163_696,
        128_049_152,
    )
    naive = netdsl.loads(
        "net Naive { input x: [192, 28, 28]\n output y = x -> concat { conv(64, 1)"
        " ; conv(128, 3, padding=1) ; conv(32, 5, padding=2) ; maxpool(3, stride=1, padding=1)"
        " -> conv(32, 1) } }"
    ).summary()
    assert naive.macs == 784 * 192 * (64 + 9 * 128 + 25 * 32 + 32)
    assert isinstance(naive.macs, int)
    assert naive.macs / row["macs"] > 2.4


@pytest.mark.in_turn("depth")
@pytest.mark.parametrize("name", ["googlenet", "resnet18", "densenet121", "unet16", "hourglass"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_blocks_add_up(name: str, depth: int) -> None:
    network = examples.network(name)
    near = network.sizes.nearest(**dict.fromkeys(network.sizes.symbols, 64)).closest
    network = netdsl.load(example(name), sizes=near)
    whole, folded = network.summary(), network.summary(depth)
    assert len(folded.rows) <= len(whole.rows)
    assert sum(r.parameters for r in folded.rows) == whole.parameters
    assert sum(r.macs for r in folded.rows if not r.training_only) == whole.macs
    known = [r.connections for r in folded.rows if not r.training_only]
    assert sum(n for n in known if n is not None) == whole.connections
    assert max(r.alive for r in folded.rows) == whole.memory.peak
    assert str(folded.totals()) == str(whole.totals())


def test_a_great_depth_folds_nothing() -> None:
    network = netdsl.load(example("resnet18"))
    assert network.summary(99).rows == network.summary().rows
    assert len(network.summary(1).rows) < len(network.summary(2).rows) < len(network.summary().rows)
    with pytest.raises(ValueError, match="at least 1"):
        network.summary(0)


def test_csv_has_a_line_for_each_row() -> None:
    rows = list(csv.DictReader(StringIO(run("lenet", "--format", "csv").output)))
    assert [r["path"] for r in rows] == [
        "image", *(r["path"] for r in data("lenet")["layers"])
    ]  # fmt: skip
    (conv,) = [r for r in rows if r["path"] == "conv2"]
    assert (conv["neurons"], conv["connections"], conv["macs"]) == ("1600", "240000", "240000")
    assert conv["receptive_field"] == "14 2 -2 x 14 2 -2"


def test_markdown_is_one_table() -> None:
    lines = run("lenet", "--format", "markdown").output.splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 1 + len(data("lenet")["layers"])
    assert {line.count("|") for line in table} == {9}
    assert lines[-1].startswith("61,706 parameters, 416,520 multiply-adds; ")


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", NAMES)
def test_formulas_give_the_numbers(name: str) -> None:
    """Rows of symbolic sizes, with numbers put in, are the rows at these numbers.

    A reshape behind a permute copies but where an axis is 1: there the bytes of the formula are a
    bound.
    """
    from netdsl.ir.dim import evaluate

    network = examples.held(name)
    at = network.sizes.nearest(**dict.fromkeys(network.sizes.symbols, 96)).closest
    if not network.sizes.symbols or at is None:
        pytest.skip("no symbols")
    fixed = examples.held(name, at)
    ones = any(
        open_size != 1 and size == 1
        for open_node, node in zip(network.graph.nodes(), fixed.graph.nodes(), strict=True)
        for open_value, value in zip(open_node.outputs, node.outputs, strict=True)
        for open_size, size in zip(open_value.type.shape, value.type.shape, strict=True)
    )
    for open_row, row in zip(network.summary().rows, fixed.summary().rows, strict=True):
        if row.output == "none at this size":
            continue
        for found, number in (
            (open_row.neurons, row.neurons),
            (open_row.connections, row.connections),
        ):
            assert found is None or evaluate(found, at) == number, row.path
        assert isinstance(row.alive, int)
        if ones:
            assert evaluate(open_row.alive, at) >= row.alive, row.path
        else:
            assert evaluate(open_row.alive, at) == row.alive, row.path


def test_the_table_in_the_docs() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "summary.md"
    shown = page.read_text(encoding="utf-8").partition("conv27.net\n")[2].partition("```")[0]
    assert run("conv27").output == shown


@pytest.mark.parametrize("arguments", [["--depth", "0"], ["--format", "yaml"], ["--depth", "x"]])
def test_wrong_calls(arguments: list[str]) -> None:
    assert run("lenet", *arguments).exit_code == 2


def test_names_with_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_text('net A { input x: [3, 8, 8]\n output y = x -> "a\\u001b[31m": relu }')
    for form in "text", "csv", "markdown":
        assert "\x1b" not in run(str(path), "--format", form).output


def test_totals_that_are_long_formulas_are_not_cut_to_dots() -> None:
    text = netdsl.load(example("mtcnn_pnet")).summary().more()
    said = "of neurons and connections of layers that multiply by weights there is a long formula"
    assert text == f"{said}: `--size` gives numbers, `--format json` all of it"
    short = netdsl.loads("net A { input x: [3, H, W]; output y = x -> conv(2, 1) }").summary()
    assert short.more() == "layers that multiply by weights: 2*H*W neurons, 6*H*W connections"


def test_neurons_and_connections_of_one_set() -> None:
    """Both of the layers that multiply by weights, and the text says so."""
    network = netdsl.load(example("lenet"))
    summary = network.summary()
    rows = [row for row in summary.rows if row.macs]
    assert summary.neurons == sum(row.neurons for row in rows)
    assert summary.weighted_connections == sum(row.connections or 0 for row in rows)
    assert summary.connections == sum(row.connections or 0 for row in summary.rows)
    said = f"{summary.neurons:,} neurons, {summary.weighted_connections:,} connections"
    assert f"layers that multiply by weights: {said}; " in summary.more()
    totals = data("lenet")
    assert totals["weighted_connections"] == summary.weighted_connections
    assert totals["connections"] == summary.connections


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", NAMES)
def test_a_summary_of_open_sizes_is_not_wide(name: str) -> None:
    """Formulas have names, told once; each name and number stands for what JSON has."""
    network = examples.network(name)
    if not network.sizes.symbols:
        pytest.skip("no symbols")
    lines = run(name).output.splitlines()
    written = [f"{row.path}  {row.layer}  " for row in network.summary().rows]
    wide = [line for line in lines if len(line) > 128]
    assert not [line for line in wide if not any(line.startswith(text) for text in written)]


@pytest.mark.parametrize("name", ["unet", "googlenet", "mtcnn_pnet", "fpn", "swin_t", "sppnet"])
def test_names_of_sizes_stand_for_what_they_are(name: str) -> None:
    """Every formula of the table, read as Python with the legend's names, at random sizes."""
    network = examples.network(name)
    summary, random = network.summary(), Random(0)
    names = summary.names()
    assert names is not None
    cells = summary.cells(names)[len(summary.inputs) :]
    for _ in range(10):
        plain = {symbol: random.randint(40, 90) for symbol in network.sizes.symbols}
        scope = plain | legend_values(names.legend(), plain)
        for row, texts in zip(summary.rows, cells, strict=True):
            for text, size in (
                (texts[3], row.neurons), (texts[4], row.connections), (texts[6], row.macs)
            ):  # fmt: skip
                if text not in ("", "...") and row.output != "none at this size":
                    assert number(text, scope) == number(str(size), plain)


def number(text: str, scope: dict[str, int]) -> int:
    text = text if "(" in text else text.replace(",", "")
    exact = {name: Fraction(value) for name, value in scope.items()}
    return eval(text, {"__builtins__": {}}, {**exact, "floor": math.floor, "max": max})


def legend_values(legend: str, plain: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in legend.split("; "):
        match = re.fullmatch(r"(\w+) = (.*?)(?:, (\w+(?: and \w+)*) likewise)?", line)
        assert match is not None
        first, formula, others = match.groups()
        own = next(name for name in plain if re.search(rf"\b{name}\b", formula))
        for name in [first, *(others.split(" and ") if others else [])]:
            symbol = next(s for s in plain if name.startswith(s))
            found[name] = number(re.sub(rf"\b{own}\b", symbol, formula), plain)
    return found


def test_a_count_is_written_as_a_product_where_that_is_shorter() -> None:
    text = "net A { input x: [3, H, W] ; output y = x -> conv(4, 3, padding=1) }"
    (row,) = netdsl.loads(text).summary().rows
    assert str(row.connections) == "12*(3*H - 2)*(3*W - 2)"
    assert str(row.macs) == "108*H*W"


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_number_is_broken_on_a_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the columns do not fit side by side, path and layer stand above the numbers."""
    network = netdsl.load(example("googlenet"), sizes={"H": 224, "W": 224})
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_summary(network, "text", None)
    lines = capsys.readouterr().out.splitlines()
    for row in network.summary().rows:
        assert any(row.path in line.split() for line in lines)
        numbers = f"{row.neurons:,}", f"{row.connections:,}"
        assert any(set(numbers) <= set(line.split()) for line in lines), row
