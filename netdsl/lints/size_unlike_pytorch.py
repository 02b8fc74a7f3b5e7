"""Factors at which PyTorch's product of doubles makes another size than the exact one."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

from netdsl.analyses.sizes import sizes_of
from netdsl.diagnostics import Sink
from netdsl.ir.condition import equal
from netdsl.ir.dim import Size
from netdsl.ir.solver import Domain, Verdict
from netdsl.lints.subject import Subject
from netdsl.ops.factor import size_by, sizes_apart, torch_size
from netdsl.ops.params import show
from netdsl.ops.resample import Upsample

TRIED = 200
"""Sizes that are held against the contract, one by one."""


def size_unlike_pytorch(subject: Subject, sink: Sink) -> None:
    """Warn of `upsample(2.3)` where 50 cells can come in: 115 here, 114 in PyTorch."""
    domain: Domain | None = None
    for node in subject.nodes():
        if not isinstance(node.op, Upsample):
            continue
        spatial = node.inputs[0].type.spatial
        for size, factor in zip(spatial, node.op.factors(len(spatial)), strict=False):
            domain = domain or Domain(subject.graph.symbols, sizes_of(subject.graph).condition)
            first = next(_apart(size, factor, domain), None)
            if first is None:
                continue
            shown = show(factor)
            sink.warn(
                "size-unlike-pytorch",
                f"the size is the exact `floor(in * {shown})`: {size_by(factor, first)} of {first} "
                f"cells, where `nn.Upsample(scale_factor={shown})` makes "
                f"{torch_size(factor, first)}",
                node.span,
                help="PyTorch's product is rounded there; `# allow: size-unlike-pytorch` says "
                "that the exact size is meant",
            )
            break


def _apart(size: Size, factor: Fraction, domain: Domain) -> Iterator[int]:
    """Sizes that the network can meet at which the two part."""
    if isinstance(size, int):
        yield from (size,) * (torch_size(factor, size) != size_by(factor, size))
        return
    for number in islice(sizes_apart(factor), TRIED):
        if domain.decide(equal(size, number)) in (Verdict.MIXED, Verdict.PROVED):
            yield number
