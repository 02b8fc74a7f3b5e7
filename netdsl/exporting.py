"""`netdsl export`: write, run beside PyTorch if asked, and leave no file that is not right."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from netdsl.backends.onnx.export import Options, built, write_model
from netdsl.backends.onnx.profiles import trtexec
from netdsl.backends.onnx.verify import HALF_TOLERANCE, TOLERANCE, verify
from netdsl.backends.weights.numbers import Weights, weights_of
from netdsl.network import Network
from netdsl.ops.plugins import is_ours, place
from netdsl.shell import WRONG_FILE, fail, reason

NOT_VERIFIED = "nothing could be compared: no run gave a finite number (weights that are nan?)"


def export(
    network: Network, path: Path, names: Mapping[str, str], options: Mapping[str, Any]
) -> None:
    """Write the file of a network; `options` are those of the command line."""
    if options["verify"]:
        _check_runtimes()
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
    weights = weights_of(network.graph, source, seed, chosen.rename, chosen.init)
    try:
        model = built(network.graph, chosen)
    except ValueError as error:
        fail(str(error))
    try:
        written = write_model(path, model, weights, external=chosen.external)
    except OSError as error:
        fail(f"can't write {path}: {reason(error)}")
    if options["verify"]:
        _verify(network, path, weights, chosen, written)
    size = sum(file.stat().st_size for file in written)
    said = ", ".join(map(str, written))
    click.echo(f"{said}: {network.name}, {len(model.nodes):,} nodes, {size:,} bytes", err=True)
    if options["profiles"]:
        try:
            click.echo(trtexec(network.graph, str(path), names, chosen.batch))
        except ValueError as error:
            fail(str(error))


def _check_runtimes() -> None:
    missing = [name for name in ("onnxruntime", "torch") if find_spec(name) is None]
    if missing:
        fail(f"--verify needs {' and '.join(missing)}: pip install {' '.join(missing)}")


def _verify(
    network: Network, path: Path, weights: Weights, options: Options, written: list[Path]
) -> None:
    """Print every run; where one is too far off, take the files away and end."""
    bound = HALF_TOLERANCE if options.half else TOLERANCE
    worst, finite, why, trials = 0.0, False, "", 0
    try:
        for trial in verify(network.graph, path, weights, options.names, options.batch):
            click.echo(str(trial), err=True)
            trials += 1
            worst = max(worst, trial.difference)
            why = why or trial.why
            finite = finite or trial.finite
    except Exception as error:  # each runtime has exceptions of its own
        why = f"ONNX Runtime or PyTorch refuses it: {error}"
    if not why and not trials:
        fail(f"no size was found at which to run {path}; it is not verified. Give one: --size")
    if not why and worst <= bound:
        said = f"worst difference {worst:.1e}, of at most {bound:.0e}"
        click.echo(said if finite else NOT_VERIFIED, err=True)
        return
    for file in written:
        file.unlink(missing_ok=True)
    why = why or f"ONNX Runtime and PyTorch differ by {worst:.1e}, more than {bound:.0e}"
    click.echo(f"netdsl: {why}\nno file is left. {_whose_mistake(network)}", err=True)
    sys.exit(WRONG_FILE)


def _whose_mistake(network: Network) -> str:
    """Of a plug-in, if the network has a layer of one."""
    ops = {type(node.op) for node in network.graph.nodes()}
    foreign = sorted(f"`{op.name}` ({place(op)})" for op in ops if not is_ours(op))
    if not foreign:
        return "This is a mistake in netdsl; please report it with the network."
    said = "`infer`, `torch` and `onnx` of a plug-in's layer may say different things"
    return f"{said}: {', '.join(foreign)}"
