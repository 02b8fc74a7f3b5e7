"""Partial shapes for OpenVINO: an interval for each axis, from the contract."""

from __future__ import annotations

import json

from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.backends.onnx.options import Options
from netdsl.ir.dim import Size, bounds
from netdsl.ir.graph import Graph
from netdsl.ir.intervals import Range
from netdsl.ir.periodic import Members
from netdsl.ir.solver import Domain, GaveUp, Group, groups


def partial_shapes(graph: Graph, options: Options) -> dict[str, str]:
    """`[?,3,15..,15..]` for each input: what the contract says of each axis alone."""
    ranges = ends(sizes_of(graph))
    batch = str(options.batch) if options.batch else "1.."
    return {
        options.name_of(
            item.name
        ): f"[{','.join([batch, *(_axis(n, ranges) for n in item.shape)])}]"
        for item in graph.inputs
    }


def snippet(graph: Graph, model: str, options: Options) -> str:
    """Python that compiles the file for these shapes."""
    shapes = partial_shapes(graph, options)
    entries = "".join(
        f"    {json.dumps(name)}: ov.PartialShape({json.dumps(shape)}),\n"
        for name, shape in shapes.items()
    )
    return (
        "import openvino as ov\n\n"
        "core = ov.Core()\n"
        f"model = core.read_model({json.dumps(model)})\n"
        f"model.reshape({{\n{entries}}})\n"
        "# otherwise in bfloat16, where the processor has that\n"
        'exact = {"INFERENCE_PRECISION_HINT": "f32"}\n'
        'compiled = core.compile_model(model, "CPU", exact)\n'
    )


def ends(sizes: Sizes) -> dict[str, Range]:
    """The least and the greatest size of each symbol; None where there is none, or none known."""
    found: dict[str, Range] = {}
    for group in groups(sizes.symbols, sizes.condition):
        counted = group.counted()
        for name in group.symbols:
            found[name] = (_least(group, name), None) if counted is None else _ends(counted)
    return found


def _ends(counted: Members) -> Range:
    goes_on = any(counted.holds[counted.start :])
    return counted.least or 1, None if goes_on else counted.below(len(counted.holds))


def _least(group: Group, name: str) -> int:
    """The least size of one of several symbols that conditions join; 1 where it is not known."""
    others = tuple(other for other in group.symbols if other != name)
    try:
        point = Domain((name, *others), group.condition).smallest()
    except GaveUp:
        return 1
    return point[name] if point else 1


def _axis(size: Size, ranges: dict[str, Range]) -> str:
    if isinstance(size, int):
        return str(size)
    low, high = bounds(size, ranges)
    return f"{max(low or 1, 1)}..{'' if high is None else high}"
