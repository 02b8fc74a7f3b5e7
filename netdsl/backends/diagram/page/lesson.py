"""What the sliders of a convolution start with: its settings and what its numbers follow from."""

from __future__ import annotations

from typing import Any

from netdsl.backends.diagram.page.formulas import Formulas
from netdsl.backends.diagram.units import Unit
from netdsl.ops.base import op_of
from netdsl.ops.facts import Sliding

MOST_AXES = 2
"""Maps of more axes are not drawn flat."""


def lesson(unit: Unit, formulas: Formulas) -> dict[str, Any]:
    """Words by which its filters are found; and, of a map with one or two axes, its settings."""
    node = unit.node
    windows = op_of(node).sliding()
    x = node.inputs[0].type if node.inputs else None
    if windows is None or x is None or node.op.family != "convolution" or windows.channels is None:
        return {}
    told: dict[str, Any] = {"words": _words(windows, x.shape[0])}
    rank = len(x.spatial)
    padding = _padding(windows, rank)
    is_plain = op_of(node).zoom == 0 and windows.padding_mode == "zeros" and not x.items
    if not is_plain or padding is None or not 0 < rank <= MOST_AXES:
        return told
    kernel, stride, dilation = zip(*windows.settings_along(rank), strict=True)
    told["conv"] = {
        "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation,
        "groups": windows.groups, "filters": windows.channels,
        "channels": formulas.size(x.shape[0]),
        "sizes": [formulas.size(size) for size in x.spatial],
        "bias": any(spec.key == "bias" for spec in node.layer.weights),
    }  # fmt: skip
    return told


def _padding(windows: Sliding, rank: int) -> tuple[int, ...] | None:
    """Cells on each side of each axis; None where the sides differ, or the size decides."""
    if windows.padding == "valid":
        return (0,) * rank
    parts = windows.padding
    if isinstance(parts, str):
        equal = windows.equal_cells(rank)
        if equal is None:
            return None
        parts = equal
    return parts if isinstance(parts, tuple) else (parts,) * rank


def _words(windows: Sliding, channels: object) -> str:
    word = "filter" if windows.channels == 1 else "filters"
    apart = ", depthwise" if windows.is_depthwise(channels) else ""
    return f"{windows.channels:,} {word}{apart}"
