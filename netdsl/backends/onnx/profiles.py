"""Shape profiles for TensorRT's `trtexec`, made from the size contract."""

from __future__ import annotations

from netdsl.analyses.sizes import sizes_of
from netdsl.backends.onnx.options import ExportError, Options
from netdsl.ir.dim import evaluate
from netdsl.ir.graph import Graph

TYPICAL, LARGEST = 224, 640
BATCHES = (1, 4, 8)
"""Fewest, usual and most samples, unless the file fixes them."""


def trtexec(graph: Graph, path: str, options: Options) -> str:
    """The command that builds an engine from the file, for the sizes of the contract.

    The least size is the contract's smallest, or the nearest to 1 where that is not known; the
    usual and the largest are those nearest to 224 and 640 that work. An engine takes all sizes
    between, so the contract still has to be kept. Raises `ExportError` where no size is found.
    """
    sizes = sizes_of(graph)
    points: list[dict[str, int]] = [{}] * 3
    if sizes.symbols:
        small = sizes.small()
        if small is None:
            raise ExportError("no size was found that this network takes; give one: --size")
        near = [
            sizes.nearest(**dict.fromkeys(sizes.symbols, wanted)).closest or small
            for wanted in (TYPICAL, LARGEST)
        ]
        points = [small, *near]
    flags = []
    for word, point, samples in zip(("min", "opt", "max"), points, BATCHES, strict=True):
        shapes = [
            f"{options.name_of(item.name)}:"
            + "x".join(
                str(n)
                for n in (options.batch or samples, *(evaluate(d, point) for d in item.shape))
            )
            for item in graph.inputs
        ]
        flags.append(f"--{word}Shapes={','.join(shapes)}")
    if not sizes.symbols and options.batch:
        flags = []
    return " ".join(["trtexec", f"--onnx={path}", *flags])
