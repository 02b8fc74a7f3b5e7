"""`netdsl export`: write a draft, verify it if asked, keep it if it is right."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from netdsl.analyses.sizes import Sizes
from netdsl.backends.onnx.export import (
    Draft,
    Options,
    built,
    drafted_model,
    files_of,
)
from netdsl.backends.onnx.model import Model
from netdsl.backends.onnx.profiles import trtexec
from netdsl.backends.onnx.ranges import is_batch
from netdsl.backends.onnx.trials import BATCHES, trials
from netdsl.backends.onnx.verify import HALF_TOLERANCE, TOLERANCE, Trial, verdict, verify
from netdsl.backends.weights.numbers import Weights, weights_of
from netdsl.diagnostics import DiagnosticError
from netdsl.files import check_not_read
from netdsl.network import Network
from netdsl.ops.faults import is_interrupt
from netdsl.ops.plugins import is_ours, place
from netdsl.shell import WRONG_FILE, fail, reason, show

ALLOCATING = re.compile(r"alloc|storage size", re.IGNORECASE)
"""What both runtimes say where memory is short; neither has a kind of error for it."""


def export(
    network: Network, path: Path, names: Mapping[str, str], options: Mapping[str, Any]
) -> None:
    """Write the file of a network; `options` are those of the command line.

    Raises `DiagnosticError`, with the warnings where they are denied.
    """
    _check_options(network.sizes, options)
    chosen = Options(
        options["opset"],
        options["batch"],
        options["fp16"],
        options["guard"],
        options["external"],
        options["rename"],
        options["init"],
        names,
    )
    source, seed = options["weights"], options["seed"]
    read = [] if source is None else [source]
    check_not_read(files_of(path), [*network.sources, *read])
    weights = weights_of(network.graph, source, seed, chosen.rename, chosen.init)
    try:
        model = built(network.graph, chosen)
    except ValueError as error:
        fail(str(error))
    try:
        with drafted_model(path, model, weights, external=chosen.external) as draft:
            _judge(network, draft, model, weights, chosen, options)
    except OSError as error:
        fail(f"can't write {path}: {reason(error)}")
    said = ", ".join(map(str, draft.files))
    click.echo(
        f"{said}: {network.name}, {len(model.nodes):,} nodes, {draft.size:,} bytes", err=True
    )
    if options["profiles"]:
        try:
            click.echo(trtexec(network.graph, str(path), names, chosen.batch))
        except ValueError as error:
            fail(str(error))


def _check_options(sizes: Sizes, options: Mapping[str, Any]) -> None:
    """What is asked of a verification has to be possible."""
    for name in "at", "batch_sizes":
        if options[name] and not options["verify"]:
            raise click.UsageError(f"--{name.replace('_', '-')} says where --verify is to run")
    if options["batch_sizes"] and options["batch"]:
        raise click.UsageError("--batch fixes the number of samples: leave --batch-sizes out")
    if options["verify"]:
        _check_runtimes()
    for point in options["at"]:
        try:
            refused = sizes.explain(**point)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--at") from None
        if refused:
            raise click.BadParameter("\n".join(refused), param_hint="--at")
    for number in options["batch_sizes"]:
        if not is_batch(number):
            raise click.BadParameter(f"{number} is no batch size", param_hint="--batch-sizes")


def _check_runtimes() -> None:
    missing = [name for name in ("onnxruntime", "torch") if find_spec(name) is None]
    if missing:
        fail(f"--verify needs {' and '.join(missing)}: pip install {' '.join(missing)}")


def _judge(
    network: Network,
    draft: Draft,
    model: Model,
    weights: Weights,
    chosen: Options,
    options: Mapping[str, Any],
) -> None:
    """Tell the warnings, and run the draft if asked; ends where it is not to be kept."""
    warnings = [*model.warnings, *weights.remarks()]
    if warnings and options["deny"]:
        raise DiagnosticError(warnings)
    show(warnings, "text")
    if not options["verify"]:
        return
    batches = (chosen.batch,) if chosen.batch else options["batch_sizes"] or BATCHES
    runs = trials(network.graph, model, batches, options["at"])
    if not runs:
        fail("no size was found at which to run the file; it is not verified. Choose one: --at")
    bound = HALF_TOLERANCE if chosen.half else TOLERANCE
    why = _differing(network, draft, weights, chosen.names, runs, bound)
    if why:
        click.echo(f"netdsl: {why}\nNo file is written.", err=True)
        sys.exit(WRONG_FILE)


def _differing(
    network: Network,
    draft: Draft,
    weights: Weights,
    names: Mapping[str, str],
    runs: Sequence[tuple[Mapping[str, int], int]],
    bound: float,
) -> str:
    """Print every run; what is wrong with one of them, or with all together."""
    found: list[Trial] = []
    try:
        with redirect_stdout(sys.stderr):  # what a plug-in's module prints
            for trial in verify(network.graph, draft.path, weights, names, runs):
                click.echo(str(trial), err=True)
                found.append(trial)
    except BaseException as error:  # each runtime has exceptions of its own, as has a plug-in
        if is_interrupt(error):
            raise
        if isinstance(error, MemoryError) or ALLOCATING.search(str(error)):
            return f"these sizes take more memory than there is; choose others: --at ({error})"
        kind = "" if isinstance(error, Exception) else f"{type(error).__name__}: "
        why = f"ONNX Runtime or PyTorch refuses it: {kind}{error}"
        return f"{why}\n{_whose_mistake(network)}"
    why = next((trial.why for trial in found if trial.why), "")
    if ALLOCATING.search(why):
        return f"these sizes take more memory than there is; choose others: --at ({why})"
    worst = max((trial.difference for trial in found), default=0.0)
    if not why and worst > bound:
        why = f"ONNX Runtime and PyTorch differ by {worst:.1e}, more than {bound:.0e}"
    if why:
        return f"{why}\n{_whose_mistake(network)}"
    if verdict(found):
        return verdict(found)
    click.echo(f"worst difference {worst:.1e}, of at most {bound:.0e}", err=True)
    return ""


def _whose_mistake(network: Network) -> str:
    """Of a plug-in, if the network has a layer of one."""
    ops = {type(node.op) for node in network.graph.nodes()}
    foreign = sorted(f"`{op.name}` ({place(op)})" for op in ops if not is_ours(op))
    if not foreign:
        return "This is a mistake in netdsl; please report it with the network."
    said = "`infer`, `torch` and `onnx` of a plug-in's layer may say different things"
    return f"{said}: {', '.join(foreign)}"
