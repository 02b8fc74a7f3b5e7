"""`netdsl export`: a network as an ONNX file, alone or in a kit to serve it, or as `.pt2`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Unpack

import click
from click.core import ParameterSource

from netdsl.analyses.sizes import Sizes
from netdsl.backends.onnx.export import Draft
from netdsl.backends.onnx.options import OPSET, Choices, ExportError, Options
from netdsl.backends.onnx.ranges import MOST_SAMPLES, is_batch
from netdsl.backends.onnx.verdict import Unverified, tolerance, verified
from netdsl.backends.onnx.verify import Trial
from netdsl.backends.serving.box import Wishes, box_of
from netdsl.backends.serving.tensorrt import trtexec
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
from netdsl.ops.initial import PYTORCH

Points = Sequence[Mapping[str, int]]
PROGRAM = ".pt2"


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
    *(
        click.option(f"--{word}", word, metavar="H=224,W=224", multiple=True,
                     callback=by(lambda texts, word=word: sizes_given(texts, f"--{word}")),
                     help=f"{what} sizes of --profiles and --kit{more}.")
        for word, what, more in (("min", "Least", "; of a .pt2 file"), ("opt", "Usual", ""),
                                 ("max", "Largest", "; of a .pt2 file"))
    ),
]  # fmt: skip
ONNX_ONLY = {
    "external": "--external", "profiles": "--profiles", "opt": "--opt",
    "at": "--at", "batches": "--batch-sizes", "half": "--fp16", "guard": "--guard",
    "names": "--names", "kit": "--kit",
}  # fmt: skip
"""Options that a `.pt2` file has no use for, by their parameters; it is always verified."""


class Chores(NamedTuple):
    """What is to be done beside writing the file."""

    verify: bool
    at: Points
    batches: Sequence[int]
    profiles: bool


@click.command("export")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT.onnx|OUT.pt2", help="Where to.")
@click.option("--kit", metavar="DIR", help="A folder for the ONNX file and notes to serve it.")
@network_options
@with_options(OPTIONS)
@any_size_options
@click.pass_context
def command(
    context: click.Context,
    file: str,
    output: str | None,
    kit: str | None,
    weights: str | None,
    external: bool | None,
    verify: bool,
    at: Points,
    batches: Sequence[int],
    profiles: bool,
    fits: WayToFit,
    min: Mapping[str, int],
    opt: Mapping[str, int],
    max: Mapping[str, int],
    chosen: Chosen,
    **options: Unpack[Choices],
) -> None:
    """Write a network as ONNX that runs at every size of its contract, or as a `.pt2` of PyTorch.

    \b
    Examples:
      netdsl export examples/googlenet.net -o googlenet.onnx --verify
      netdsl export examples/unet.net -o unet.onnx --size H=512,W=512 --batch 1 --fp16
      netdsl export examples/unet16.net -o unet.onnx --any-size pad
      netdsl export examples/googlenet.net --kit serving --max H=512,W=512
      netdsl export examples/resnet18.net -o resnet18.pt2 --weights resnet18.pth
    """
    _check_target(context, file, output, kit)
    check_rename(options.get("rename"), weights)
    network, weights = chosen.load_with_weights(file, weights)
    network = fits.of(network)
    if output is not None and Path(output).suffix == PROGRAM:
        _write_program(network, Path(output), weights, min, max, options)
        return
    chores = Chores(verify, at, batches, profiles)
    _check_trials(verify, at, batches, options.get("batch"), network.sizes)
    wishes = Wishes(min, opt, max)
    if any(wishes) and not (kit or profiles):
        raise click.UsageError("--min, --opt and --max are the sizes of --kit or --profiles")
    _write_onnx(network, output, kit, weights, external, wishes, chores, chosen, options)


def _check_target(context: click.Context, file: str, output: str | None, kit: str | None) -> None:
    """Where to write, and nothing that has no use there."""
    if (output is None) == (kit is None):
        raise click.UsageError("say where to write: -o OUT.onnx, -o OUT.pt2 or --kit DIR")
    check_output(output, file, "be exported")
    if output == "-" and context.params["profiles"]:
        raise click.UsageError("--profiles prints where `-o -` writes: name a file")
    if output is None or Path(output).suffix != PROGRAM:
        return
    unused = [flag for name, flag in ONNX_ONLY.items() if context.params[name]]
    if context.get_parameter_source("opset") is not ParameterSource.DEFAULT:
        unused.append("--opset")
    if unused:
        raise click.UsageError(f"{unused[0]} is of ONNX files, and {output} is none")
    if find_spec("torch") is None:
        fail("a .pt2 file needs torch: pip install torch")


def _write_onnx(
    network: Network,
    output: str | None,
    kit: str | None,
    weights: str | None,
    external: bool | None,
    wishes: Wishes,
    chores: Chores,
    chosen: Chosen,
    options: Choices,
) -> None:
    """The ONNX file, alone or in a kit."""
    path = Path("/dev/stdout" if output == "-" else output or kit or "")
    told: list[str] = []

    def review(draft: Draft) -> None:
        chosen.tell(draft.warnings)
        if chores.verify:
            _verify(draft, chores.batches, chores.at)
        nodes = len(draft.model.nodes)
        told.append(f"{network.name}, {nodes:,} nodes, {draft.size:,} bytes")

    try:
        if kit is not None:
            files = network.export_kit(
                kit, weights, wishes=wishes, external=external, review=review, **options
            )
        else:
            files = network.export(path, weights, external=external, review=review, **options)
        click.echo(f"{', '.join(map(str, files))}: {told[0]}", err=True)
        if chores.profiles:
            box = box_of(network.graph, options.get("batch"), wishes)
            shown = str(files[0])
            click.echo(trtexec(network.graph, shown, Options(**options), box))
    except ExportError as error:
        fail(str(error))
    except OSError as error:
        fail(f"can't write {path}: {reason(error)}")


def _write_program(
    network: Network,
    path: Path,
    weights: str | None,
    least: Mapping[str, int],
    most: Mapping[str, int],
    options: Choices,
) -> None:
    """The `.pt2` file; each run that compares it with the module is printed."""

    def tell(trial: Trial) -> None:
        click.echo(str(trial), err=True)

    try:
        network.export_program(
            path,
            weights,
            least=least,
            most=most,
            tell=tell,
            rename=options.get("rename"),
            seed=options.get("seed", 0),
            init=options.get("init", PYTORCH),
            batch=options.get("batch"),
        )
    except ExportError as error:
        fail(f"{error}\nNo file is written.")
    except OSError as error:
        fail(f"can't write {path}: {reason(error)}")
    size = path.stat().st_size
    click.echo(f"{path}: {network.name}, {size:,} bytes", err=True)


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
