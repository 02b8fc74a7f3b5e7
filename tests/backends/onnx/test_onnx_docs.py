"""docs/onnx.md lists the operators that the layers' lowerings really use, and no forbidden one."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

import netdsl
from netdsl.diagnostics import DiagnosticError
from netdsl.network import Network
from netdsl.ops import registry

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from netdsl.backends.onnx.builder import onnx_model
from tests.backends.onnx.test_layers import one_layer, opened
from tests.ops.settings import OF_VALUES, random_case

PAGE = Path(__file__).resolve().parents[3] / "docs" / "onnx.md"
BEGIN, END = "<!-- operators -->\n", "<!-- end of operators -->"
FORBIDDEN = {"Loop", "If", "Scan", "MaxRoiPool", "NonZero", "Einsum", "GroupNormalization"}
CASES = 300


def operators_of(network: Network) -> list[str]:
    """Those of one network; none where the runtimes lack one for what is not float32."""
    try:
        return [node.op for node in onnx_model(network.graph).nodes]
    except DiagnosticError as error:
        assert error.diagnostics[0].code == "not-in-onnx"
        assert any(item.dtype != "float32" for item in network.inputs), error
        return []


def operators(name: str) -> set[str]:
    """What a layer is written with over random settings, sizes fixed and open."""
    draw = Random(name)
    found: set[str] = set()
    for _ in range(CASES):
        op, inputs = random_case(registry()[name], draw)
        for tensors in (inputs, tuple(opened(op, t) for t in inputs)):
            network = one_layer(op, tensors)
            if network is not None:
                found |= set(operators_of(network))
    return found - {"Identity"}


def operators_of_tables(name: str) -> set[str]:
    """The same for a layer that takes tables alone: of a weight, rows along each of its axes."""
    net = "net A {{ input x: [2, 3, 4] ; weight w: [2, 3, 4] ; output y = (x, w{}) -> add }}"
    found: set[str] = set()
    for axis in range(3):
        found |= set(operators_of(netdsl.loads(net.format(f" -> {name}(axis={axis})"))))
    return found - set(operators_of(netdsl.loads(net.format("")))) - {"Identity"}


def test_the_table_is_current(request: pytest.FixtureRequest) -> None:
    rows = {
        name: sorted(operators(name) if name in OF_VALUES else operators_of_tables(name))
        for name in sorted(registry())
    }
    assert not FORBIDDEN & {op for ops in rows.values() for op in ops}
    lines = [f"| `{name}` | {', '.join(ops) or 'nothing'} |" for name, ops in rows.items()]
    table = "\n".join(["| layer | operators |", "|---|---|", *lines]) + "\n"
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    shown, after = rest.split(END)
    if request.config.getoption("--bless"):
        PAGE.write_text(before + BEGIN + table + END + after, encoding="utf-8")
        return
    assert shown == table
