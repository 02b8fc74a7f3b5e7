"""A traced module as a program: its regions, inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from netdsl.importers.frontend import refused
from netdsl.importers.program import Call, Input, Output, Program, Region, Table, Value
from netdsl.importers.torch.events import Frame, Ref, leaves
from netdsl.importers.torch.lines import Lines
from netdsl.importers.torch.lowering import Lowering
from netdsl.importers.torch.lows import Low, ungrouped
from netdsl.importers.torch.made import Made
from netdsl.importers.torch.names import free, word
from netdsl.importers.torch.runs import Traced


def program(made: Made, traced: Traced, lines: Lines, name: str) -> Program:
    """The program of a traced module. Raises `DiagnosticError` for what has no word."""
    to = Lowering(made, traced.agreed, lines)
    inputs = list(_inputs(to, traced))
    to.frame(traced.agreed.frame)
    outputs = _outputs(to, traced)
    to.unused()
    alone = sorted(key for key in to.used if "." not in key and key not in to.tables)
    if alone:
        raise refused(
            f"the module is a layer itself: its `{alone[0]}` has no name in front",
            to.root.origin,
            help="put it into another module: `nn.Sequential(layer)`",
        )
    to.unname()
    result = Program(word(name) or "Net", to.root, inputs, outputs, to.root.doc)
    _drop_unused(result)
    _flows(to, result)
    return result


def _drop_unused(result: Program) -> None:
    """Known numbers that were read already, such as an index, are no table."""
    used = result.uses()
    result.root.items = [
        one
        for one in result.root.items
        if not isinstance(one, Table) or one.kind != "constant" or one.value in used
    ]


def _inputs(to: Lowering, traced: Traced) -> Iterator[Input]:
    """The inputs, each an axis of the batch less; open where the runs have several sizes."""
    by_name = {one.name: one for one in traced.trial.inputs}
    used: set[str] = set()
    for name, number in traced.agreed.inputs.items():
        shapes = [shapes[number][1:] for shapes in traced.agreed.shapes]
        taken = by_name.get(name) or traced.trial.inputs[0]
        value = Value(name, shapes[0], traced.agreed.dtypes[number])
        sizes = tuple(zip(*shapes, strict=True))
        to.lows[number] = Low(value, ungrouped(len(sizes)), sizes)
        shape = tuple(
            size if isinstance(size, int) or not traced.trial.is_open else word(str(size))
            for size in taken.shape
        )
        if not traced.trial.is_open:
            shape = shapes[0]
        label = free(word(name) or "x", used)
        used.add(label)
        yield Input(label, value, shape, to.span())


def _outputs(to: Lowering, traced: Traced) -> list[Output]:
    """The results of inference, then those that are in training only."""
    outputs: list[Output] = []
    names: set[str] = set()
    seen: set[int] = set()
    for results, when in (traced.results, False), (traced.agreed.frame.results, True):
        for name, number in named(results):
            if number in seen:
                continue
            seen.add(number)
            name = free(word(name) or "out", names)
            names.add(name)
            outputs.append(Output(name, to.output(number), to.span(), when_training=when))
    return outputs


def named(results: Any, name: str = "") -> Iterator[tuple[str, int]]:
    """The tensors of a result with the names that they go by."""
    if isinstance(results, Ref):
        yield name or "out", results.number
    elif isinstance(results, Mapping):
        for key, one in cast("dict[Any, Any]", results).items():
            yield from named(one, f"{name}_{key}" if name else str(key))
    elif isinstance(results, tuple | list):
        fields = getattr(results, "_fields", None)
        for place, one in enumerate(cast("list[Any]", results)):
            part = fields[place] if fields else f"{name or 'out'}{place}"
            yield from named(one, part)


def _flows(to: Lowering, result: Program) -> None:
    """What flows into each region, and out of it."""
    order: dict[Value, int] = {}
    last: dict[Value, int] = {}
    spans: dict[int, tuple[int, int]] = {}
    calls: list[Call] = []

    def visit(region: Region) -> None:
        start = len(calls)
        for item in region.items:
            if isinstance(item, Region):
                visit(item)
            elif isinstance(item, Call):
                for value in (*item.inputs, *item.sized_by()):
                    last[value] = len(calls)
                for value in item.outputs:
                    order[value] = len(calls)
                calls.append(item)
        spans[id(region)] = (start, len(calls))

    visit(result.root)
    tables = {one.value for one in result.root.tables()}
    ends = {one.value for one in result.outputs}
    for region in _regions(result.root):
        start, stop = spans[id(region)]
        inside = calls[start:stop]
        entering = [
            value
            for call in inside
            for value in (*call.inputs, *call.sized_by())
            if not start <= order.get(value, -1) < stop and value not in tables
        ]
        given = _given(to, to.frames.get(id(region)), set(entering))
        rest = [value for value in dict.fromkeys(entering) if value not in given]
        region.inputs = [*given, *rest]
        region.input_names = [*given.values(), *(value.name for value in rest)]
        region.outputs = [
            value
            for call in inside
            for value in call.outputs
            if value in ends or last.get(value, -1) >= stop
        ]
    result.root.inputs = [one.value for one in result.inputs]
    result.root.input_names = [one.name for one in result.inputs]
    result.root.outputs = [one.value for one in result.outputs]


def _given(to: Lowering, frame: Frame | None, entering: set[Value]) -> dict[Value, str]:
    """What a call of a module was given, of that which enters it, by the names of parameters."""
    given: dict[Value, str] = {}
    for name, argument in (frame.arguments if frame else {}).items():
        refs = [one for one in leaves(argument) if isinstance(one, Ref)]
        for place, ref in enumerate(refs):
            low = to.lows.get(ref.number)
            if low is not None and low.value in entering and low.value not in given:
                given[low.value] = name if len(refs) == 1 else f"{name}{place}"
    return given


def _regions(region: Region) -> Iterator[Region]:
    yield region
    for item in region.items:
        if isinstance(item, Region):
            yield from _regions(item)
