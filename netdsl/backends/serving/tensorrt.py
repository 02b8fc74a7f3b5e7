"""Shape profiles for TensorRT: trtexec, polygraphy, and the provider of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from netdsl.backends.onnx.options import Options
from netdsl.backends.serving.box import WORDS, Box, Corner
from netdsl.ir.dim import evaluate
from netdsl.ir.graph import Graph, Input


def trtexec(graph: Graph, path: str, options: Options, box: Box) -> str:
    """The command that builds an engine from the file, for the sizes of a box."""
    flags = [
        f"--{word}Shapes={','.join(texts)}" for word, texts in _profiles(graph, options, box, "x")
    ]
    precision = ["--stronglyTyped"] if options.half else []
    return _command(["trtexec", f"--onnx={path}", *flags, *precision])


def polygraphy(graph: Graph, path: str, options: Options, box: Box) -> str:
    """The command that runs the file in TensorRT and in ONNX Runtime, and compares."""
    flags: list[str] = []
    for word, texts in _profiles(graph, options, box, ","):
        flags += [f"--trt-{word}-shapes", *texts]
    if flags:
        least = next(_profiles(graph, options, box, ","))[1]
        flags += ["--input-shapes", *least]
    precision = ["--strongly-typed"] if options.half else []
    return _command(["polygraphy", "run", path, "--trt", "--onnxrt", *flags, *precision])


def provider_options(graph: Graph, options: Options, box: Box) -> dict[str, str]:
    """Options of ONNX Runtime's TensorRT provider, by name."""
    profiles = {
        f"trt_profile_{word}_shapes": ",".join(texts)
        for word, texts in _profiles(graph, options, box, "x")
    }
    return {**profiles, **({"trt_fp16_enable": "True"} if options.half else {})}


def _profiles(
    graph: Graph, options: Options, box: Box, mark: str
) -> Iterator[tuple[str, list[str]]]:
    """For each corner the shapes of all inputs that have an open axis; none where there are none.

    A file without an open axis has its shapes itself, and trtexec refuses others.
    """
    items = [item for item in graph.inputs if options.batch is None or is_open(item)]
    for word, corner in zip(WORDS, box.corners, strict=True) if items else ():
        yield word, [_profile(item, options, corner, mark) for item in items]


def _profile(item: Input, options: Options, corner: Corner, mark: str) -> str:
    shape = (corner.samples, *(evaluate(size, corner.sizes) for size in item.shape))
    text = mark.join(map(str, shape))
    return f"{options.name_of(item.name)}:{f'[{text}]' if mark == ',' else text}"


def is_open(item: Input) -> bool:
    """Whether a size of an input is open, the batch left out."""
    return any(not isinstance(size, int) for size in item.shape)


def _command(words: list[str]) -> str:
    return " ".join(map(quote, words))
