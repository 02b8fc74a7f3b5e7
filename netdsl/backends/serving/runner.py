"""`infer.py` of a kit: the program beside this file, with what the graph says put into it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from netdsl.analyses.sizes import sizes_of
from netdsl.backends.onnx.builder import batch_name
from netdsl.backends.onnx.options import Options
from netdsl.backends.serving.box import Box
from netdsl.backends.serving.conditions import Writer, python_names
from netdsl.backends.serving.tensorrt import provider_options
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Graph, Input

BEGIN, END = "# --- the network ---\n", "# --- end of the network ---\n"
PROGRAM = Path(__file__).with_name("infer.py")
GREY, COLOUR = 1, 3


def runner(graph: Graph, model: str, options: Options, box: Box) -> str:
    """The text of a program that runs `model`, the file beside it, at sizes of the contract."""
    before, _, rest = PROGRAM.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    about = "\n".join(_about(graph, model, options, box))
    return f"{before}{BEGIN}{about}\n\n\n{END}{after}"


def _about(graph: Graph, model: str, options: Options, box: Box) -> Iterator[str]:
    yield f"MODEL = {json.dumps(model)}"
    yield from _table("DTYPES", {options.name_of(item.name): item.dtype for item in graph.inputs})
    yield from _table("AXES", axes(graph, options))
    yield f"BATCH: int | None = {options.batch}"
    yield f"PICTURE: tuple[str, int, int] | None = {_written(_picture(graph, options))}"
    yield from _table("BOX", _box(graph, options, box))
    yield from _table("TENSORRT: dict[str, str]", provider_options(graph, options, box))
    yield from _functions(graph, options)


def _functions(graph: Graph, options: Options) -> Iterator[str]:
    """The shapes of the inputs and the contract, as functions of the size symbols."""
    names = python_names(graph.symbols)
    takes = ", ".join(f"{name}: int" for name in names.values())
    shapes, contract = Writer(names), Writer(names)
    entries = []
    for item in graph.inputs:
        shape = _tuple([shapes.size(size) for size in item.shape])
        entries.append(f"        {json.dumps(options.name_of(item.name))}: {shape},")
    yield f"\n\ndef input_shapes({takes}) -> dict[str, tuple[int, ...]]:"
    yield '    """The shapes of the inputs at these sizes, without the batch axis."""'
    yield from (f"    {line}" for line in shapes.lines)
    yield from ["    return {", *entries, "    }"]
    parts = list(contract.requirements(sizes_of(graph)))
    yield f"\n\ndef requirements({takes}) -> list[tuple[tuple[str, ...], str, bool]]:"
    yield '    """The contract: the sizes that each part is about, its words, and if it holds."""'
    yield from (f"    {line}" for line in contract.lines)
    yield "    return ["
    for part in parts:
        words = json.dumps(part.words)
        yield f"        ({_written(part.symbols)}, {words}, {part.code}),"
    yield "    ]"


def _table(name: str, entries: Mapping[str, object]) -> Iterator[str]:
    """A table as Python, an entry a line."""
    lines = [f"    {json.dumps(key)}: {_written(value)}," for key, value in entries.items()]
    yield "\n".join([f"{name} = {{", *lines, "}"]) if lines else f"{name} = {{}}"


def _written(value: object) -> str:
    """Texts, numbers and tuples of them, as Python."""
    if isinstance(value, tuple):
        return _tuple([_written(part) for part in value])
    return json.dumps(value) if isinstance(value, str) else str(value)


def _tuple(parts: list[str]) -> str:
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def axes(graph: Graph, options: Options) -> dict[str, tuple[str, int]]:
    """The input and the axis, batch included, that each size symbol is read off."""
    places: dict[str, tuple[str, int]] = {}
    for item in graph.inputs:
        for axis, size in enumerate(item.shape, start=1):
            if isinstance(size, Dim) and str(size) in graph.symbols:
                places.setdefault(str(size), (options.name_of(item.name), axis))
    return {name: places[name] for name in graph.symbols}


def _picture(graph: Graph, options: Options) -> tuple[str, int, int] | None:
    """The input that an image may be: its name, how many channels it has, and on which axis."""
    item, *others = graph.inputs
    if others or len(item.shape) != 3 or not _holds_pixels(item):
        return None
    for axis in (0, 2):
        if item.shape[axis] in (GREY, COLOUR):
            return options.name_of(item.name), int(str(item.shape[axis])), axis + 1
    return None


def is_picture(graph: Graph, options: Options) -> bool:
    """Whether an image file may be the input."""
    return _picture(graph, options) is not None


def _holds_pixels(item: Input) -> bool:
    return item.dtype.startswith("float") or item.dtype == "uint8"


def _box(graph: Graph, options: Options, box: Box) -> dict[str, tuple[int, int]]:
    """The ends of TensorRT's box, the batch first where it is open."""
    ends = {} if options.batch else {batch_name(graph): (box.least.samples, box.most.samples)}
    for name in graph.symbols:
        ends[name] = box.least.sizes[name], box.most.sizes[name]
    return ends
