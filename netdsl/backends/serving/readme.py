"""`README.md` of a kit: what the network takes and gives, and the command for each runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from netdsl.analyses.cost import inference_parameters
from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.backends.onnx.builder import batch_name
from netdsl.backends.onnx.options import Options
from netdsl.backends.serving.box import Box
from netdsl.backends.serving.openvino import snippet
from netdsl.backends.serving.refused import Refused, refused
from netdsl.backends.serving.runner import is_picture
from netdsl.backends.serving.tensorrt import polygraphy, trtexec
from netdsl.ir.graph import Graph
from netdsl.ir.tensor import Shape
from netdsl.version import __version__


def readme(graph: Graph, files: Sequence[str], options: Options, box: Box) -> str:
    """The text; `files` are the names of the ONNX file and, where they lie apart, its weights."""
    sizes = sizes_of(graph)
    model = files[0]
    parts = [
        *_network(graph, model, options, sizes),
        *_onnx_runtime(model, options, sizes, box),
        *_tensorrt(graph, model, options, sizes, box),
        *_triton(graph, files, options, box),
        *_openvino(graph, model, options),
    ]
    return "\n\n".join(parts) + "\n"


def _network(graph: Graph, model: str, options: Options, sizes: Sizes) -> Iterator[str]:
    yield f"# {graph.name}"
    yield (
        f"Written by netdsl {__version__} (`netdsl export --kit`) from the checked graph of the "
        "network. Nothing in this folder was measured; what is for a GPU was not run on one."
    )
    yield _about(graph, model, options, sizes)
    axis = options.batch or batch_name(graph)
    rows = [("input", options.name_of(i.name), i.dtype, i.shape) for i in graph.inputs]
    rows += [
        ("output", options.name_of(o.name), o.value.type.dtype, o.shape)
        for o in graph.inference_outputs
    ]
    lines = ["| | name | element type | shape |", "|---|---|---|---|"]
    lines += [
        f"| {kind} | `{name}` | {dtype} | `{_shape(axis, shape)}` |"
        for kind, name, dtype, shape in rows
    ]
    yield "\n".join(lines)


def _about(graph: Graph, model: str, options: Options, sizes: Sizes) -> str:
    batch = f"{options.batch:,}" if options.batch else f"any number, `{batch_name(graph)}`"
    lines = [
        f"- Model: `{model}`, opset {options.opset}"
        + (", weights and arithmetic in float16" if options.half else ""),
        f"- Parameters: {inference_parameters(graph):,}",
        f"- Sizes: {sizes}",
        f"- Samples at a time: {batch}",
    ]
    if sizes.symbols:
        lines.append(
            "- At a size outside of the contract a run fails in ONNX Runtime (`--guard`); TensorRT "
            "and others may not check it"
            if options.guard
            else "- At a size outside of the contract a runtime may fail, or give a wrong result: "
            "ask `infer.py` first, or export with `--guard`, which ONNX Runtime checks"
        )
    return "\n".join(lines)


def _onnx_runtime(model: str, options: Options, sizes: Sizes, box: Box) -> Iterator[str]:
    yield "## ONNX Runtime"
    point = ",".join(f"{name}={size}" for name, size in box.usual.sizes.items())
    yield (
        "`infer.py` runs the file, on a GPU where onnxruntime has one. It checks sizes by the "
        "contract before a run; `python infer.py --help` has its options."
    )
    asked = f" --size {quote(point)}" if sizes.symbols else ""
    lines = [f"python infer.py{asked}"]
    if sizes.symbols:
        lines.append(f"python infer.py --check {quote(point)}")
    yield _fenced("sh", *lines)
    yield (
        "`python infer.py --tensorrt` uses ONNX Runtime's TensorRT provider, with the profiles "
        "below; its options are `TENSORRT` in `infer.py`."
    )


def _tensorrt(graph: Graph, model: str, options: Options, sizes: Sizes, box: Box) -> Iterator[str]:
    yield "## TensorRT"
    yield "An engine, and a comparison with ONNX Runtime:"
    yield _fenced("sh", trtexec(graph, model, options, box), polygraphy(graph, model, options, box))
    if not sizes.symbols:
        yield "All sizes are fixed, so no size but the batch can be wrong."
        return
    yield (
        "An engine takes every size between the least and the largest of its profile. What the "
        "contract refuses of them:"
    )
    parts = refused(sizes, box)
    yield "\n".join(line for part in parts for line in _refused(part))
    if any(part.count != 0 for part in parts):
        yield (
            "Keep these from the engine: call `check` of `infer.py` before each run, and crop or "
            "pad to the sizes that it names. `infer.py --pad` puts black cells to the right of "
            "an image and below it."
            if is_picture(graph, options)
            else "Keep these from the engine: call `check` of `infer.py` before each run, and cut "
            "or pad to the sizes that it names."
        )
    yield from _outside(sizes, box)
    yield from _dependent(graph, options)


def _refused(part: Refused) -> Iterator[str]:
    names = " and ".join(part.symbols)
    if part.count == 0:
        yield f"- {names}: none"
    elif part.count is None or part.runs is None:
        counted = f"{part.count:,} of {part.total:,}, " if part.count is not None else ""
        yield f"- {names}: {counted}all but those with: {part.words}"
    else:
        yield f"- {names}: {part.count:,} of {part.total:,}"
        yield from (f"  - {line}" for line in part.lines())


def _outside(sizes: Sizes, box: Box) -> Iterator[str]:
    """What the contract takes and the engine does not."""
    ranges = ", ".join(
        f"{name} from {box.least.sizes[name]} to {box.most.sizes[name]}" for name in sizes.symbols
    )
    yield (
        f"The engine takes {ranges}. Sizes beyond need another: `netdsl export --kit` has "
        "`--min`, `--opt` and `--max`."
    )


def _dependent(graph: Graph, options: Options) -> Iterator[str]:
    """Axes that depend on those of other inputs, which a profile can't say."""
    seen: set[str] = set()
    for item in graph.inputs:
        for axis, size in enumerate(item.shape, start=1):
            if isinstance(size, int):
                continue
            if str(size) in seen or str(size) not in graph.symbols:
                yield (
                    f"Axis {axis} of `{options.name_of(item.name)}` has to be {size}: an engine "
                    "takes others too."
                )
            seen.add(str(size))


def _triton(graph: Graph, files: Sequence[str], options: Options, box: Box) -> Iterator[str]:
    yield "## Triton Inference Server"
    folder = f"models/{graph.name}"
    yield "`config.pbtxt` is for its ONNX Runtime backend:"
    yield _fenced(
        "sh",
        f"mkdir -p {folder}/1",
        f"cp config.pbtxt {folder}/",
        f"cp {' '.join(map(quote, files))} {folder}/1/",
    )
    if graph.symbols:
        yield (
            "Triton looks at element types and at the sizes that are not -1. Others reach the "
            "file: call `check` of `infer.py` in the client, or export with `--guard`."
        )
    if options.batch:
        yield f"The file takes {options.batch} samples at a time, so `max_batch_size` is 0."
        return
    yield (
        f"It puts at most {box.most.samples} samples into a batch, of requests that have the same "
        "sizes: those of others wait for a batch of their own."
    )


def _openvino(graph: Graph, model: str, options: Options) -> Iterator[str]:
    yield "## OpenVINO"
    yield "With the sizes of the contract, axis by axis:"
    yield _fenced("python", snippet(graph, model, options).rstrip("\n"))


def _shape(axis: int | str, shape: Shape) -> str:
    return f"[{', '.join(map(str, (axis, *shape)))}]"


def _fenced(kind: str, *lines: str) -> str:
    return "\n".join([f"```{kind}", *lines, "```"])
