"""Lens lines: from a map down to the panel that shows the same map, magnified."""

from __future__ import annotations

from netdsl.backends.diagram.scene import Bounds, Item, Polygon, line
from netdsl.backends.diagram.volumes.columns import Column
from netdsl.backends.diagram.volumes.rows import Row

ASIDE = 4.0


def lens_lines(column: Column, row: Row, panel: Bounds) -> list[Item]:
    """From the lower corners of a map of `row`, beside its label, to the panel's upper corners."""
    form = column.form
    middle = form.x + form.width / 2
    left = min(form.x, middle - column.label_width / 2 - ASIDE)
    right = max(form.x + form.width, middle + column.label_width / 2 + ASIDE)
    start, end = (form.x, form.bottom), (form.x + form.width, form.bottom - form.depth[1])
    top, bottom = row.label_top - 2, row.bottom
    rays = [
        [start, (left, top), (left, bottom), (panel[0], panel[1])],
        [end, (right, top), (right, bottom), (panel[2], panel[1])],
    ]
    beam = tuple(rays[0][2:]) + tuple(reversed(rays[1][2:]))
    return [
        Polygon(beam, "panel.fill", "", 0),
        *(line(ray, "wire", 0.9, "dashed") for ray in rays),
    ]
