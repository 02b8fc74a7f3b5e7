"""`netdsl run`: from image files to the names of what is in them."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec

import click

from netdsl.analyses.photograph import PhotographError, frame_of
from netdsl.cli.labels import Labels, labels_of
from netdsl.cli.numerals import Whole
from netdsl.cli.options import Chosen, check_rename, network_options, rename_option, with_options
from netdsl.cli.shell import WRONG_CALL, fail
from netdsl.diagnostics.columns import clean
from netdsl.images import ImageError, colour
from netdsl.network import Network
from netdsl.preprocessing import KINDS, advice, with_photographs
from netdsl.running import LOGITS, Answer, Reader, Reading, reader

OPTIONS = [
    click.option("--image", "images", metavar="PHOTO", multiple=True,
                 help="An image file. May be repeated; more may follow the network's, or all."),
    click.option("--weights", metavar="FILE", help="A checkpoint: .safetensors, .pt, .pth, ..."),
    rename_option,
    click.option("--as", "kind", type=click.Choice(KINDS),
                 help="Put torchvision's preprocessing in front of a network that takes floats."),
    click.option("--labels", metavar="FILE",
                 help="Names of the classes: a line each, or JSON."),
    click.option("--top", metavar="N", type=Whole(1), default=5, show_default=True,
                 help="How many classes are shown."),
    click.option("--onnx", "is_onnx", is_flag=True,
                 help="Run the exported file, in ONNX Runtime."),
    click.option("--background", metavar="COLOUR",
                 help="What transparent pixels stand on: white, #808080."),
    click.option("--format", "form", type=click.Choice(["text", "json"]), default="text"),
]  # fmt: skip


@click.command("run")
@click.argument("file", metavar="FILE")
@click.argument("more", metavar="[PHOTO]...", nargs=-1)
@network_options
@with_options(OPTIONS)
def command(
    file: str,
    more: Sequence[str],
    images: Sequence[str],
    weights: str | None,
    rename: Mapping[str, str] | None,
    kind: str | None,
    labels: str | None,
    top: int,
    is_onnx: bool,
    background: str | None,
    form: str,
    chosen: Chosen,
) -> None:
    """Say what is in photographs: run a network on image files.

    \b
    Examples:
      netdsl run photo_net.net --image cat.jpg --weights net.safetensors --labels names.txt
      netdsl run examples/resnet18.net --as imagenet --image *.jpg --weights resnet18.pth
    """
    if not (images or more):
        raise click.UsageError("there is no photograph: --image PHOTO")
    check_rename(rename, weights)
    _check_installed(is_onnx)
    _check_background(background)
    names = None if labels is None else labels_of(labels)
    network, weights = chosen.load_with_weights(file, weights)
    ready = _ready(network, file, weights, rename, kind, is_onnx, background, chosen)
    readings: list[dict[str, object]] = []
    is_whole = True
    for path in (*images, *more):
        try:
            reading = ready.read(path)
        except (ImageError, PhotographError) as error:
            click.echo(f"netdsl: {_named(path, error)}", err=True)
            is_whole = False
            continue
        for answer in reading.outputs:
            _check_labels(names, answer, reading)
        if form == "text":
            click.echo("\n".join(_lines(path, reading, names, top)))
        readings.append(_data(path, reading, names, top))
    if form == "json":
        click.echo(json.dumps(readings, indent=2))
    if not is_whole:
        sys.exit(WRONG_CALL)


def _ready(
    network: Network,
    file: str,
    weights: str | None,
    rename: Mapping[str, str] | None,
    kind: str | None,
    is_onnx: bool,
    background: str | None,
    chosen: Chosen,
) -> Reader:
    """The network with its weights; ends with words where it takes no photographs."""
    try:
        is_raw = frame_of(network.graph).is_raw
        if kind is not None and is_raw:
            raise click.UsageError(f"--as: {network.name} takes photographs as they are")
        if kind is not None:
            network = with_photographs(network, file, **chosen.how)
        source = network.own_weights() if weights is None else weights
        if source is None:
            raise click.UsageError("a network says nothing before it has weights: --weights FILE")
        return reader(network.graph, source, rename, onnx=is_onnx, background=background)
    except PhotographError as error:
        help = advice(network, file) if kind is None else ""
        fail(f"{error}{f': {help}' if help else ''}")


def _check_installed(is_onnx: bool) -> None:
    needed = {"PIL": "pillow", "onnxruntime": "onnxruntime"} if is_onnx else {"PIL": "pillow"}
    needed |= {} if is_onnx else {"torch": "torch"}
    missing = [package for module, package in needed.items() if find_spec(module) is None]
    if missing:
        fail(f"`netdsl run` needs {' and '.join(missing)}: pip install {' '.join(missing)}")


def _check_background(background: str | None) -> None:
    try:
        _ = None if background is None else colour(background)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--background") from None


def _named(path: str, error: Exception) -> str:
    """What is wrong with an image; an `ImageError` names it, and other errors have lines."""
    named = "" if isinstance(error, ImageError) else f"{clean(path)}: "
    return named + "\n  ".join(map(clean, str(error).split("\n")))


def _check_labels(names: Labels | None, answer: Answer, reading: Reading) -> None:
    """Labels are as many as the classes of an output."""
    scores = [a for a in reading.outputs if a.kind]
    if names is None or not answer.kind or len(names.names) == len(answer.numbers):
        return
    if any(len(names.names) == len(other.numbers) for other in scores):
        return
    raise click.BadParameter(
        f"{names.path} has {len(names.names):,} names, and {answer.name} has "
        f"{len(answer.numbers):,} classes",
        param_hint="--labels",
    )


def _lines(path: str, reading: Reading, names: Labels | None, top: int) -> Iterator[str]:
    """A photograph as text: its size, then what each output says."""
    yield clean(f"{path}: {reading.height} x {reading.width}")
    for answer in reading.outputs:
        if not answer.kind:
            yield f"  {answer.name}: {_told(answer)}"
            continue
        is_softmax = answer.kind == LOGITS
        yield f"  softmax of {answer.name}:" if is_softmax else f"  {answer.name}, {answer.kind}:"
        for index, probability in answer.top(top):
            name = _name(names, answer, index)
            told = f"class {index}" if name is None else f"{name} ({index})"
            yield clean(f"    {probability:8.4%}  {told}")


def _name(names: Labels | None, answer: Answer, index: int) -> str | None:
    """The name of a class, where these are the names of its output."""
    is_named = names is not None and len(names.names) == len(answer.numbers)
    return names.names[index] if names is not None and is_named else None


def _told(answer: Answer) -> str:
    numbers = answer.numbers
    shape = "x".join(map(str, numbers.shape)) or "one number"
    if not numbers.size:
        return f"{shape} {numbers.dtype}"
    return f"{shape} {numbers.dtype}, from {numbers.min():g} to {numbers.max():g}"


def _data(path: str, reading: Reading, names: Labels | None, top: int) -> dict[str, object]:
    """A photograph as data for tools."""
    outputs: list[dict[str, object]] = []
    for answer in reading.outputs:
        numbers = answer.numbers
        data: dict[str, object] = {
            "name": answer.name,
            "shape": list(numbers.shape),
            "dtype": str(numbers.dtype),
            "least": _finite(numbers.min().item()) if numbers.size else None,
            "greatest": _finite(numbers.max().item()) if numbers.size else None,
            "scores": answer.kind or None,
        }
        if answer.kind:
            data["top"] = [
                {"class": index, "name": _name(names, answer, index), "probability": _finite(share)}
                for index, share in answer.top(top)
            ]
        outputs.append(data)
    return {"image": path, "height": reading.height, "width": reading.width, "outputs": outputs}


def _finite(number: float) -> float | None:
    """A number that JSON has."""
    return number if math.isfinite(number) else None
