"""The description of a picture of volumes as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from netdsl.analyses.cost import inference_parameters
from netdsl.backends.diagram.fonts import wrapped
from netdsl.backends.diagram.frame import LINE_SIZE
from netdsl.backends.diagram.volumes.columns import Column, Study
from netdsl.backends.diagram.volumes.forms import SHORT
from netdsl.backends.diagram.volumes.names import example_of
from netdsl.backends.diagram.volumes.rows import Row
from netdsl.ir.graph import Graph

LONGEST_LINE = 560.0


def heading(
    graph: Graph, study: Study, columns: Sequence[Column], rows: Sequence[Row] = ()
) -> list[str]:
    """The lines below the title."""
    maps = [c for c in columns if c.form.axes.is_map]
    lines = [_projection(maps)] if maps else []
    if any(study.is_last(step) for step in study.steps):
        lines.append(
            "A shape is channels × height × width; where the channels stand last, it ends with "
            '"ch".'
            if any(c.form.is_deep for c in maps)
            else 'Where the channels stand last in a shape, it ends with "ch".'
        )
    zooms = sorted({row.zoom for row in rows if row.zoom > 1})
    if zooms:
        shown = " or ".join(f'"pixels × {zoom}"' for zoom in zooms)
        lines.append(f"Rows marked {shown} are drawn that much larger; all others share one scale.")
    if study.numbers.line:
        lines.append(study.numbers.line)
    example = example_of(study.steps, dict(study.names)) if study.names else None
    if example is not None:
        lines.append("Long paths leave out their middle: {} is {}.".format(*example))
    ops = sum(1 for step in study.steps for _ in step.covered())
    volumes = sum(1 for step in study.steps if not step.is_input)
    number = inference_parameters(graph)
    words = (
        f"{_many(ops, 'operation')} in {_many(volumes, 'volume')}, {_many(number, 'parameter')}."
    )
    if any(step.count > 1 for step in study.steps):
        words += " × n: n equal volumes one after the other, drawn once."
    if any(output.when_training for output in graph.outputs):
        words += " What runs in training only is left out."
    most = min(LONGEST_LINE, study.looks.inside)
    return [piece for text in (*lines, words) for piece in wrapped(text, LINE_SIZE, most)]


def _many(number: int, name: str) -> str:
    return f"{number:,} {name}{'s' * (number != 1)}"


def _projection(maps: Sequence[Column]) -> str:
    ranks = {len(c.form.axes.spatial) for c in maps}
    if ranks == {1}:
        return "Width = channels, height = length. One scale for positions, one for channels."
    short = f"the receding edge = width, foreshortened × {SHORT}"
    if ranks == {1, 2}:
        short += "; a sheet = channels × positions"
    if 3 in ranks:
        return (
            f"Front face = depth × height, {short}; the bar below = channels. "
            "One scale for pixels, one for channels."
        )
    return f"Front face = channels × height, {short}. One scale for pixels, one for channels."
