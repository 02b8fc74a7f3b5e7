"""The curves of a run as a picture: losses above, accuracies below, over its epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.scene import Box, Ellipse, Item, Text, line
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import theme

WIDTH, HEIGHT, GAP = 420.0, 150.0, 46.0
PANELS = (
    ("loss", ("train_loss", "val_loss")),
    ("accuracy", ("train_accuracy", "val_accuracy")),
)
NAMES = {"train": "learned from", "val": "judged by"}
STEPS = 4
"""How many parts the height of a panel is divided into."""


def curves(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The picture of a run, from the rows of its table."""
    items: list[Item] = []
    for number, (title, columns) in enumerate(PANELS):
        top = number * (HEIGHT + GAP)
        series = {column: [float(row[column]) for row in rows] for column in columns}
        items += _panel(title, series, [row["epoch"] for row in rows], top)
    count = len(rows)
    lines = [f"{count} epoch{'' if count == 1 else 's'}"]
    return svg(framed(name, lines, items, description=f"Training of {name}"), theme("auto"))


def _panel(
    title: str, series: Mapping[str, Sequence[float]], epochs: Sequence[int], top: float
) -> Iterator[Item]:
    """The axes and the lines of some columns."""
    most = 1.0 if title == "accuracy" else max(max(values) for values in series.values()) or 1.0
    yield Box(0, top, WIDTH, HEIGHT, "panel.fill", "panel.line")
    for step in range(STEPS + 1):
        y = top + HEIGHT * (1 - step / STEPS)
        yield line([(0, y), (WIDTH, y)], "faint", 0.5)
        value = most * step / STEPS
        shown = f"{value:.0%}" if title == "accuracy" else f"{value:.3g}"
        yield Text(-6, y + 3, shown, 9, "soft", anchor="end")
    yield Text(0, top - 6, title, 11, "ink", True, "start")
    yield Text(WIDTH, top + HEIGHT + 14, f"epoch {epochs[-1]}", 9, "soft", anchor="end")
    yield Text(0, top + HEIGHT + 14, f"epoch {epochs[0]}", 9, "soft", anchor="start")
    for number, (column, values) in enumerate(series.items()):
        colour = f"series{number}"
        step = WIDTH / max(1, len(values) - 1)
        points = [(n * step, top + HEIGHT * (1 - v / most)) for n, v in enumerate(values)]
        yield line(points, colour, 1.6) if len(points) > 1 else Ellipse(*points[0], 2, 2, colour)
        name = NAMES[column.partition("_")[0]]
        yield Text(WIDTH - 110 * (len(series) - 1 - number), top - 6, name, 9, colour, anchor="end")
