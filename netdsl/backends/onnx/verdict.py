"""Whether runs of a file beside PyTorch show that it is right, and why not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from netdsl.backends.onnx.export import Draft
from netdsl.backends.onnx.options import ExportError, Options
from netdsl.backends.onnx.trials import BATCHES, Point, trials
from netdsl.backends.onnx.verify import Trial, verify
from netdsl.ir.graph import Graph
from netdsl.ops.faults import is_interrupt
from netdsl.ops.plugins import is_ours, place

TOLERANCE, HALF_TOLERANCE = 1e-4, 3e-2
ALLOCATING = re.compile(r"alloc|storage size", re.IGNORECASE)
"""What both runtimes say where memory is short; neither has a kind of error for it."""


class Unverified(Exception):
    """A file is not shown to be right; the text says why, and whose mistake it may be."""


def verified(
    draft: Draft, batches: Sequence[int] = (), at: Sequence[Point] = ()
) -> Iterator[Trial]:
    """Run a file beside PyTorch, one trial after the other; at the end all are judged.

    `batches` are numbers of samples and `at` sizes in place of those that are chosen.
    Raises `ExportError` where there is no size to run it at, `Unverified` where it is not right.
    """
    batch = draft.options.batch
    runs = trials(draft.graph, draft.model, (batch,) if batch else batches or BATCHES, at)
    if not runs:
        raise ExportError(
            "no size was found at which to run the file; it is not verified. Choose one: --at"
        )
    running = verify(draft, runs)
    done: list[Trial] = []
    while (trial := _next(running, draft.graph)) is not None:
        yield trial
        done.append(trial)
    _judge(done, tolerance(draft.options), draft.graph)


def tolerance(options: Options) -> float:
    """The greatest difference, of the greatest number, that rounding explains."""
    return HALF_TOLERANCE if options.half else TOLERANCE


def _next(trials: Iterator[Trial], graph: Graph) -> Trial | None:
    """The next trial; each runtime has exceptions of its own, as has a plug-in."""
    try:
        return next(trials, None)
    except BaseException as error:
        if is_interrupt(error):
            raise
        raise Unverified(_refusal(error, graph)) from error


def _refusal(error: BaseException, graph: Graph) -> str:
    if isinstance(error, MemoryError) or ALLOCATING.search(str(error)):
        return _short_of_memory(error)
    kind = "" if isinstance(error, Exception) else f"{type(error).__name__}: "
    return f"ONNX Runtime or PyTorch refuses it: {kind}{error}\n{_whose_mistake(graph)}"


def _judge(trials: Sequence[Trial], bound: float, graph: Graph) -> None:
    """Raises `Unverified` where one of the trials failed, or all of them show too little."""
    why = next((trial.why for trial in trials if trial.why), "")
    if ALLOCATING.search(why):
        raise Unverified(_short_of_memory(why))
    worst = max((trial.difference for trial in trials), default=0.0)
    if not why and worst > bound:
        why = f"ONNX Runtime and PyTorch differ by {worst:.1e}, more than {bound:.0e}"
    if why:
        raise Unverified(f"{why}\n{_whose_mistake(graph)}")
    empty = next((trial for trial in trials if trial.all_nan), None)
    if empty is not None:
        raise Unverified(
            f"nothing could be compared: every number is nan at {empty.at} (weights that are nan?)"
        )
    blank = [name for name in trials[0].blank if all(name in trial.blank for trial in trials)]
    if blank:
        raise Unverified(
            f"nothing could be compared of {', '.join(blank)}: no run gave a finite number"
        )


def _short_of_memory(why: object) -> str:
    return f"these sizes take more memory than there is; choose others: --at ({why})"


def _whose_mistake(graph: Graph) -> str:
    """Of a plug-in, if the network has a layer of one."""
    ops = {type(node.op) for node in graph.nodes()}
    foreign = sorted(f"`{op.name}` ({place(op)})" for op in ops if not is_ours(op))
    if not foreign:
        return "This is a mistake in netdsl; please report it with the network."
    cause = "`infer`, `torch` and `onnx` of a plug-in's layer may say different things"
    return f"{cause}: {', '.join(foreign)}"
