"""`netdsl export`: a network as an ONNX file, kept only if it runs as PyTorch does, where asked."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Unpack

import click

from netdsl.analyses.sizes import Sizes
from netdsl.backends.onnx.export import Draft
from netdsl.backends.onnx.options import OPSET, Choices, ExportError, Options
from netdsl.backends.onnx.profiles import trtexec
from netdsl.backends.onnx.ranges import MOST_SAMPLES, is_batch
from netdsl.backends.onnx.verdict import Unverified, tolerance, verified
from netdsl.cli.numerals import Whole, batches_given, once, sizes_given
from netdsl.cli.options import (
    Chosen,
    WayToFit,
    any_size_options,
    by,
    check_rename,
    init_option,
    network_options,
    rename_option,
    with_options,
)
from netdsl.cli.shell import WRONG_FILE, check_output, fail
from netdsl.diagnostics.reading import reason
from netdsl.network import Network

Points = Sequence[Mapping[str, int]]


def _name(pair: str) -> tuple[str, str]:
    old, mark, new = (part.strip() for part in pair.partition("="))
    if not mark or not old or not new:
        raise click.BadParameter(f"`{pair}` is not OLD=NEW", param_hint="--names")
    return old, new


OPTIONS = [
    click.option("--weights", metavar="FILE", help="A checkpoint: .safetensors, .pt, .pth, ..."),
    rename_option,
    init_option,
    click.option("--seed", type=Whole(0, 2**64 - 1), default=0, show_default=True,
                 help="Seed of the random weights, where no file is given."),
    click.option("--batch", metavar="N", type=Whole(1, MOST_SAMPLES),
                 help="A fixed number of samples."),
    click.option("--opset", metavar="N", type=Whole(1), default=OPSET, show_default=True,
                 help="Version of ONNX's operators."),
    click.option("--fp16", "half", is_flag=True, help="Weights and arithmetic in half precision."),
    click.option("--guard", is_flag=True, help="Runs at sizes outside of the contract fail."),
    click.option("--external/--inline", default=None,
                 help="Weights in a file beside it; by default only beyond 2 GiB."),
    click.option("--names", metavar="image=input", multiple=True,
                 callback=by(lambda pairs: once(map(_name, pairs), "--names")),
                 help="Another name for an input or output. May be repeated."),
    click.option("--verify", is_flag=True, help="Run it in ONNX Runtime beside PyTorch."),
    click.option("--at", metavar="H=224,W=224", multiple=True,
                 callback=by(lambda texts: [sizes_given([text], "--at") for text in texts]),
                 help="Sizes at which to verify, in place of those that are chosen. "
                      "May be repeated."),
    click.option("--batch-sizes", "batches", metavar="1,3",
                 callback=by(lambda text: batches_given(text, "--batch-sizes")),
                 help="Numbers of samples with which to verify; 1,3 by default."),
    click.option("--profiles", is_flag=True, help="Print the trtexec command with its shapes."),
]  # fmt: skip


@click.command("export")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT.onnx", required=True, help="Where to.")
@network_options
@with_options(OPTIONS)
@any_size_options
def command(
    file: str,
    output: str,
    weights: str | None,
    external: bool | None,
    verify: bool,
    at: Points,
    batches: Sequence[int],
    profiles: bool,
    fits: WayToFit,
    chosen: Chosen,
    **options: Unpack[Choices],
) -> None:
    """Write a network as ONNX that runs at every size of its contract.

    \b
    Examples:
      netdsl export examples/googlenet.net -o googlenet.onnx --verify
      netdsl export examples/unet.net -o unet.onnx --size H=512,W=512 --batch 1 --fp16
      netdsl export examples/unet16.net -o unet.onnx --any-size pad
    """
    check_output(output, file, "be exported")
    check_rename(options.get("rename"), weights)
    if output == "-" and profiles:
        raise click.UsageError("--profiles prints where `-o -` writes: name a file")
    network, weights = chosen.load_with_weights(file, weights)
    network = fits.of(network)
    _check_trials(verify, at, batches, options.get("batch"), network.sizes)
    path = Path("/dev/stdout" if output == "-" else output)
    told: list[str] = []

    def review(draft: Draft) -> None:
        chosen.tell(draft.warnings)
        if verify:
            _verify(draft, batches, at)
        files, nodes = ", ".join(map(str, draft.files)), len(draft.model.nodes)
        told.append(f"{files}: {network.name}, {nodes:,} nodes, {draft.size:,} bytes")

    try:
        network.export(path, weights, external=external, review=review, **options)
    except ExportError as error:
        fail(str(error))
    except OSError as error:
        fail(f"can't write {path}: {reason(error)}")
    click.echo(told[0], err=True)
    if profiles:
        _print_profiles(network, path, Options(**options))


def _print_profiles(network: Network, path: Path, options: Options) -> None:
    try:
        click.echo(trtexec(network.graph, str(path), options))
    except ExportError as error:
        fail(str(error))


def _check_trials(
    verify: bool, at: Points, batches: Sequence[int], batch: int | None, sizes: Sizes
) -> None:
    """What is asked of a verification has to be possible."""
    for option, value in ("--at", at), ("--batch-sizes", batches):
        if value and not verify:
            raise click.UsageError(f"{option} says where --verify is to run")
    if batches and batch:
        raise click.UsageError("--batch fixes the number of samples: leave --batch-sizes out")
    missing = [name for name in ("onnxruntime", "torch") if find_spec(name) is None]
    if verify and missing:
        fail(f"--verify needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    for point in at:
        try:
            refused = sizes.explain(**point)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--at") from None
        if refused:
            raise click.BadParameter("\n".join(refused), param_hint="--at")
    for number in batches:
        if not is_batch(number):
            raise click.BadParameter(f"{number} is no batch size", param_hint="--batch-sizes")


def _verify(draft: Draft, batches: Sequence[int], at: Points) -> None:
    """Print every run; ends where the file is not to be kept."""
    worst = 0.0
    try:
        with redirect_stdout(sys.stderr):  # what a plug-in's module prints
            for trial in verified(draft, batches, at):
                click.echo(str(trial), err=True)
                worst = max(worst, trial.difference)
    except Unverified as error:
        click.echo(f"netdsl: {error}\nNo file is written.", err=True)
        sys.exit(WRONG_FILE)
    bound = tolerance(draft.options)
    click.echo(f"worst difference {worst:.1e}, of at most {bound:.0e}", err=True)
