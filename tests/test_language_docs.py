"""The table of layers in docs/language.md says what the layers' classes say."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdsl.ops import registry
from netdsl.ops.base import Op, parameters
from netdsl.ops.params import show

PAGE = Path(__file__).resolve().parents[1] / "docs" / "language.md"
BEGIN, END = "<!-- layers -->\n", "<!-- end of layers -->"
FAMILIES = ("convolution", "pooling", "pyramid", "resampling", "size", "merging", "norms",
            "activations", "dense", "regularising", "plumbing")  # fmt: skip


def signature(op: type[Op]) -> str:
    """`conv(channels, kernel, stride=1)`."""
    parts = [p.name if p.required else f"{p.name}={_default(p.default)}" for p in parameters(op)]
    return f"`{op.name}({', '.join(parts)})`" if parts else f"`{op.name}`"


def _default(value: object) -> str:
    if isinstance(value, str):
        return value
    return show(list(value)) if isinstance(value, tuple) else show(value)


def table() -> str:
    rows = ["| family | layers |", "|---|---|"]
    for family in FAMILIES:
        ops = [op for _, op in sorted(registry().items()) if op.family == family]
        rows.append(f"| {family} | {', '.join(map(signature, ops))} |")
    return "\n".join(rows) + "\n"


def test_the_table_of_layers_is_current(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if request.config.getoption("--bless"):
        PAGE.write_text(before + BEGIN + table() + END + after, encoding="utf-8")
        return
    assert text == before + BEGIN + table() + END + after, "run pytest --bless"


def test_every_layer_has_a_family_of_the_table() -> None:
    assert {op.family for op in registry().values()} == set(FAMILIES)
