"""Writes a `.pt2` file: traced, saved aside, loaded again, run beside the module, then renamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from math import inf
from pathlib import Path
from sys import stderr
from typing import TYPE_CHECKING, Any

from netdsl.analyses.sizes import sizes_of
from netdsl.backends.onnx.builder import batch_name
from netdsl.backends.onnx.options import ExportError, Options
from netdsl.backends.onnx.ranges import MOST_SAMPLES, is_batch
from netdsl.backends.onnx.trials import BATCHES, WANTED, Cost
from netdsl.backends.onnx.verdict import TOLERANCE
from netdsl.backends.onnx.verify import Trial, difference, random_input
from netdsl.backends.program.checks import add_checks, checks_of
from netdsl.backends.program.steps import Point, Steps, steps_of
from netdsl.backends.program.tracing import quiet, results_of, traced, with_plain_results
from netdsl.backends.torch.load import torch_module
from netdsl.backends.weights.narrow import warn
from netdsl.backends.weights.numbers import weights_of
from netdsl.files import drafting
from netdsl.ir.graph import Graph
from netdsl.ops.faults import is_interrupt

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

TRACED_AT = (150, 201)
"""Sizes of the run that is traced: no map has then a single cell, nor two equal sides."""
TRACED_SAMPLES = 2
ENDING = ".pt2"


@dataclass(frozen=True, slots=True)
class Opened:
    """The open sizes of a program: those of each symbol, and the numbers of samples."""

    steps: Mapping[str, Steps]
    samples: Steps

    def at(self, wanted: Sequence[int]) -> dict[str, int]:
        """The sizes nearest to wanted ones, which the symbols take in turn."""
        turns = enumerate(self.steps.items())
        return {name: one.near(wanted[n % len(wanted)]) for n, (name, one) in turns}


def export_program(
    graph: Graph,
    path: Path,
    source: object,
    options: Options,
    least: Point,
    most: Point,
    tell: Callable[[Trial], None] = lambda trial: None,
) -> list[Path]:
    """Write the exported program of a network; see `Network.export_program`.

    `tell` is given each run that compares it with the module. Raises `ExportError`.
    """
    import torch

    opened = opened_of(graph, options, least, most)
    weights = weights_of(graph, source, options.seed, options.rename, options.init)
    module = with_plain_results(torch_module(graph, weights=weights).eval())
    cost = Cost(graph)
    random = torch.Generator().manual_seed(0)
    point = _traced_at(opened, cost)
    samples = opened.samples.near(TRACED_SAMPLES)
    inputs = [random_input(item, point, samples, random) for item in graph.inputs]
    batch = (batch_name(graph), opened.samples)
    program = traced(graph, module, inputs, opened.steps, batch)
    add_checks(program, checks_of(graph, opened.steps, batch))
    with drafting(path) as (aside,):
        loaded = _saved(program, aside)
        trials = []
        for trial in _trials(graph, module, loaded, opened, cost):
            tell(trial)
            trials.append(trial)
        _judge(trials)
    warn(weights.remarks())
    return [path]


def _saved(program: ExportedProgram, path: Path) -> nn.Module:
    """What comes back from a file. Raises `ExportError` for what PyTorch can't save."""
    import torch

    try:
        with quiet():
            torch.export.save(program, path)
            return torch.export.load(path).module()
    except OSError:
        raise
    except Exception as error:  # of a plug-in's module; without a common kind
        raise ExportError(f"torch.export can't save it: {error!s:.300}") from error


def opened_of(graph: Graph, options: Options, least: Point, most: Point) -> Opened:
    """The open sizes within bounds. Raises `ExportError` for what PyTorch can't be told."""
    sizes, axis = sizes_of(graph), batch_name(graph)
    if options.batch is not None and not is_batch(options.batch):
        raise ExportError(f"a batch has 1 to {MOST_SAMPLES:,} samples, not {options.batch!r}")
    known = (*sizes.symbols, *(() if options.batch else (axis,)))
    for name in (*least, *most):
        if name not in known:
            raise ExportError(f"there is no open size {name}; there are: {', '.join(known)}")
    if options.batch:
        samples = Steps(options.batch, last=options.batch)
    else:
        samples = Steps(least.get(axis, 1), last=most.get(axis))
        if samples.last is not None and samples.last < samples.first:
            raise ExportError(f"{axis} is at least {samples.first} and at most {samples.last}")
    return Opened(steps_of(sizes, least, most), samples)


def _traced_at(opened: Opened, cost: Cost) -> Point:
    """Sizes that are apart from the least ones, and that memory holds."""
    least = max((one.first for one in opened.steps.values()), default=1)
    wanted = [max(size, 2 * least + size // 9) for size in TRACED_AT]
    while not cost.fits(opened.at(wanted), TRACED_SAMPLES) and max(wanted) > 1:
        wanted = [max(1, size // 2) for size in wanted]
    return opened.at(wanted)


def _trials(
    graph: Graph, module: nn.Module, loaded: nn.Module, opened: Opened, cost: Cost
) -> Iterator[Trial]:
    """Runs of both at the least sizes, at odd ones, and at the largest where there are any."""
    import torch

    random = torch.Generator().manual_seed(0)
    batches = dict.fromkeys(opened.samples.near(n) for n in BATCHES)
    for number, point in enumerate(_points(opened, cost)):
        for samples in batches:
            if number and not cost.fits(point, samples):
                continue
            inputs = [random_input(item, point, samples, random) for item in graph.inputs]
            with torch.no_grad(), redirect_stdout(stderr):
                yield _trial(point, samples, results_of(module(*inputs)), loaded, inputs)


def _points(opened: Opened, cost: Cost) -> list[Point]:
    points = [opened.at([1])]
    for wanted in WANTED:
        while not cost.fits(opened.at(wanted), 1) and max(wanted) > 1:
            wanted = tuple(max(1, size // 2) for size in wanted)
        points.append(opened.at(wanted))
    if opened.steps and all(one.last is not None for one in opened.steps.values()):
        points.append({name: one.last or one.first for name, one in opened.steps.items()})
    return list({tuple(point.items()): point for point in points}.values())


def _trial(
    point: Point, samples: int, wanted: list[Any], loaded: nn.Module, inputs: list[Any]
) -> Trial:
    try:
        results = results_of(loaded(*inputs))
    except Exception as error:  # of a guard, or of an operator: without a common kind
        if is_interrupt(error):
            raise
        return Trial(point, samples, inf, f"refused: {str(error).partition(chr(10))[0]:.200}")
    shapes = [list(part.shape) for part in wanted]
    if [list(part.shape) for part in results] != shapes:
        return Trial(point, samples, inf, f"gives other shapes than {shapes}")
    pairs = zip(wanted, results, strict=True)
    return Trial(point, samples, max((difference(a, b) for a, b in pairs), default=0.0))


def _judge(trials: Sequence[Trial]) -> None:
    """Raises `ExportError` where the program refuses a size, or computes something else."""
    refused = [str(trial) for trial in trials if trial.why]
    if refused:
        lines = "\n".join(f"  {line}" for line in refused)
        raise ExportError(f"the exported program does not run at sizes of the contract:\n{lines}")
    worst = max(trials, key=lambda trial: trial.difference)
    if worst.difference > TOLERANCE:
        raise ExportError(
            f"the exported program and the module differ by {worst.difference:.1e} at {worst.at}, "
            f"more than {TOLERANCE:.0e}"
        )
