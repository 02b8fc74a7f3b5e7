"""`netdsl train`: a network learns from images of many sizes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Unpack

import click

from netdsl.cli.numerals import Whole
from netdsl.cli.options import Chosen, by, init_option, network_options, with_options
from netdsl.cli.shell import fail
from netdsl.diagnostics.columns import clean
from netdsl.training.faults import TrainingError
from netdsl.training.pixels import Pixels, pixels, shown
from netdsl.training.settings import AUGMENTATIONS, WORDS, Choices
from netdsl.training.start import Trained, train


def _sizes(option: str) -> Callable[[object, object, Any], object]:
    def read(text: str | None) -> list[Pixels]:
        try:
            return [] if text is None else [pixels(size) for size in text.split(",")]
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=option) from None

    return by(read)


def _words(name: str) -> click.Choice[str]:
    return click.Choice(WORDS[name])


def _augment(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")] if text else []
    for name in names:
        if name not in AUGMENTATIONS:
            message = f"`{name}` is none of {', '.join(AUGMENTATIONS)}"
            raise click.BadParameter(message, param_hint="--augment")
    return names


OPTIONS = [
    click.option("--data", metavar="FOLDER|sklearn:digits", required=True,
                 help="Images: a folder for each class, or images/ and masks/, perhaps below "
                      "train/ and val/."),
    click.option("--sizes", "trained_on", metavar="180,224", required=True,
                 callback=_sizes("--sizes"), help="Sizes to train at; 180x240 is height by width."),
    click.option("--test-sizes", metavar="160,256", callback=_sizes("--test-sizes"),
                 help="Further sizes to judge at, at the end."),
    click.option("--out", metavar="RUN", required=True, help="A new folder for what comes of it."),
    click.option("--resume", is_flag=True, help="Go on with the run in that folder."),
    click.option("--schedule", type=_words("schedule"), default="epoch", show_default=True,
                 help="A size for each epoch in turn, or one drawn for each batch."),
    click.option("--epochs", metavar="N", type=Whole(1), default=10, show_default=True),
    click.option("--batch", metavar="N", type=Whole(1), default=32, show_default=True,
                 help="Samples of a step on all devices together, at the largest size."),
    click.option("--batch-by", type=_words("batch_by"),
                 help="What a batch has as much of at every size; samples for --schedule epoch, "
                      "cells for batch."),
    click.option("--drop-last", is_flag=True, help="Leave out the smaller batch at the end."),
    click.option("--optimizer", type=_words("optimizer"), default="adamw", show_default=True),
    click.option("--lr", metavar="RATE", type=float, help="0.001 for adamw, 0.1 for sgd."),
    click.option("--weight-decay", metavar="D", type=float, help="0.01 for adamw, 0.0001 for sgd."),
    click.option("--momentum", metavar="M", type=float, default=0.9, show_default=True,
                 help="For sgd."),
    click.option("--decay", type=_words("decay"), default="cosine", show_default=True,
                 help="How the learning rate goes on."),
    click.option("--aux-weight", metavar="W", type=float, default=0.3, show_default=True,
                 help="What the loss of an output `when training` weighs."),
    click.option("--output", metavar="NAME",
                 help="The output that learns, where there are several."),
    click.option("--augment", metavar="crop,flip", callback=by(_augment), default="",
                 help="Random changes of images to learn from."),
    click.option("--fit", type=_words("fit"), default="crop", show_default=True,
                 help="How an image comes to its size: the middle is cut out, or it is squashed."),
    click.option("--val", metavar="PART", type=float, default=0.2, show_default=True,
                 help="The part to judge by, where the data is not divided."),
    click.option("--broken", type=_words("broken"), default="stop", show_default=True,
                 help="What to do if images can't be read."),
    click.option("--seed", metavar="N", type=Whole(0, 2**64 - 1), default=0, show_default=True),
    init_option,
    click.option("--weights", metavar="FILE", help="Weights to begin with."),
    click.option("--patience", metavar="N", type=Whole(0), default=0, show_default=True,
                 help="Stop after so many epochs without a better one; 0 does not."),
    click.option("--every", metavar="N", type=Whole(0), default=0, show_default=True,
                 help="A checkpoint also after every N steps."),
    click.option("--workers", metavar="N", type=Whole(0), help="Processes that read images."),
    click.option("--devices", metavar="N", default="auto", show_default=True,
                 callback=by(lambda text: int(text) if text.isdecimal() else text),
                 help="Of Lightning, as are the next five: 2, 0,1 or auto."),
    click.option("--nodes", metavar="N", type=Whole(1), default=1, show_default=True),
    click.option("--strategy", metavar="NAME", default="auto", show_default=True),
    click.option("--accelerator", metavar="NAME", default="auto", show_default=True),
    click.option("--precision", metavar="KIND", default="32-true", show_default=True),
    click.option("--deterministic", is_flag=True, help="Let PyTorch take only exact repetitions."),
    click.option("--progress/--no-progress", default=None, help="By default on a terminal."),
]  # fmt: skip


@click.command("train")
@click.argument("file", metavar="FILE")
@network_options
@with_options(OPTIONS)
def command(
    file: str,
    data: str,
    trained_on: list[Pixels],
    test_sizes: list[Pixels],
    out: str,
    weights: str | None,
    resume: bool,
    chosen: Chosen,
    **choices: Unpack[Choices],
) -> None:
    """Train a network on images of many sizes, with Lightning.

    \b
    Examples:
      netdsl train examples/digits.net --data sklearn:digits --sizes 16,24 --out runs/digits
      netdsl train examples/sppnet.net --set classes=5 --data photos --sizes 180,224 --out runs/a
    """
    network, weights = chosen.load_with_weights(file, weights)
    if choices.get("progress") is None:
        choices["progress"] = sys.stdout.isatty()
    try:
        result = train(
            network, data, trained_on, out,
            test_sizes=test_sizes, weights=weights, resume=resume, report=_tell, **choices,
        )  # fmt: skip
    except TrainingError as error:
        fail(str(error))
    if result.rank == 0:
        click.echo(_table(result))
        click.echo(
            f"{clean(str(result.weights))}: the best of {result.epochs} epochs, "
            f"{result.seconds:.0f} seconds",
            err=True,
        )


def _tell(line: str) -> None:
    click.echo(clean(line), err=True)


def _table(result: Trained) -> str:
    """The accuracy by size."""
    names = [shown(score.size) for score in result.scores]
    width = max(map(len, ["size", *names]))
    lines = [f"{'size':<{width}}  accuracy  loss"]
    for name, score in zip(names, result.scores, strict=True):
        note = "" if score.is_trained else "  (not trained at)"
        lines.append(f"{name:<{width}}  {score.accuracy:8.2%}  {score.loss:.4f}{note}")
    return "\n".join(lines)
