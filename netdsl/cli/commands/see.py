"""`netdsl see`: a look inside a network with weights, as a sheet of pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdsl.cli.labels import labels_of
from netdsl.cli.numerals import Whole, pair_given
from netdsl.cli.options import Chosen, network_options, rename_option, with_options
from netdsl.cli.progress import progress
from netdsl.cli.shell import fail, write
from netdsl.files import OverwriteError, check_not_read
from netdsl.see.errors import SeeError
from netdsl.see.inside import RANGES, Inside
from netdsl.see.places import neuron, place
from netdsl.see.seen import Seen
from netdsl.see.sheet import FORMS

if TYPE_CHECKING:
    from torch import Tensor

    from netdsl.see.classes import Classes

SIDE = 224
"""The shorter side of an image for a network that takes any size, if nothing is said."""
Command = Callable[..., None]


class Look:
    """What the options of all looks choose: the network, its weights, the image, the output.

    `is_noted`: that the weights are random has been said, or makes no difference.
    """

    def __init__(self, chosen: Chosen, is_noted: bool = False, **options: Any) -> None:
        self.chosen, self.options, self.is_noted = chosen, options, is_noted
        self.file: str = options["file"]
        self.output: str = options["output"]
        self.images: list[str] = [options["image"]] if options.get("image") else []
        self.form = Path(self.output).suffix.removeprefix(".").lower()
        if self.form not in FORMS:
            message = f"`{self.output}` should end in .png or .svg"
            raise click.BadParameter(message, param_hint="--output")
        self.inside = self._inside(chosen)

    def _inside(self, chosen: Chosen) -> Inside:
        network, weights = chosen.load_with_weights(self.file, self.options["weights"])
        own = network.origin.numbers if network.origin is not None else None
        source = {key: read() for key, read in own.items()} if own and weights is None else weights
        if source is None and not self.is_noted:
            self.is_noted = True
            told = (
                "no --weights: they are random, so what is seen is not what a trained network sees"
            )
            click.echo(f"note: {told}", err=True)
        given = [weights, self.options["weights"], self.options.get("labels")]
        read = [self.file, *network.sources, *self.images, *(file for file in given if file)]
        try:
            check_not_read([self.output], read)
        except OverwriteError as error:
            raise click.BadParameter(str(error), param_hint="--output") from None
        return Inside(
            network.graph,
            source,
            rename=self.options["rename"],
            range=RANGES[self.options["range"]],
            seed=self.options["seed"],
            device=self.options["device"],
        )

    def pixels(self) -> Tensor:
        """The image as the network takes it: resized where the network or `--side` says so."""
        from netdsl.see.reading import levels
        from netdsl.see.resizing import fitted

        (path,) = self.images
        image = levels(path, self.inside.channels)
        pixels, told = fitted(self.inside, image, self.options.get("side") or SIDE)
        if told:
            click.echo(f"note: {told}", err=True)
        return pixels

    def size(self) -> tuple[int, int]:
        """The size of an image that is made: the network's own, or `--side` squared."""
        side = self.options.get("side") or SIDE
        size = self.inside.fixed or (side, side)
        self.inside.check(*size)
        return size

    def at(self, size: tuple[int, int]) -> None:
        """Look at the network at one size, where fields are exact."""
        if self.inside.fixed is None:
            height, width = self.inside.entry.type.spatial
            sizes = {str(n): s for n, s in zip((height, width), size, strict=True)}
            how = {**self.chosen.how, "sizes": {**(self.chosen.how.get("sizes") or {}), **sizes}}
            self.inside = self._inside(replace(self.chosen, how=how))  # type: ignore[arg-type]

    def classes(self) -> Classes:
        from netdsl.see.classes import Classes

        count = self.inside.scores().value.type.shape[0]
        assert isinstance(count, int)
        file: str | None = self.options.get("labels")
        return Classes(count, labels_of(file).names if file else ())

    def show(self, seen: Seen) -> None:
        """Print the lines, write the sheet."""
        for line in seen.lines:
            click.echo(line)
        data = seen.sheet.drawn(self.form)
        count = len(seen.sheet.tiles)
        write(self.output, data, f"{count} picture{'s' * (count != 1)}, {len(data):,} bytes")


COMMON = [
    click.option("--weights", metavar="FILE", help="A checkpoint: .safetensors, .pt, .pth, ..."),
    rename_option,
    click.option("-o", "--output", metavar="OUT.png", required=True, help="png or svg."),
    click.option("--as", "range", type=click.Choice(list(RANGES)), default="plain",
                 show_default=True, help="How pixels become numbers, where the file does not say."),
    click.option("--seed", type=Whole(0, 2**63 - 1), default=0, show_default=True,
                 help="Seed of noise, and of weights where no file is given."),
    click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps."),
]  # fmt: skip
image_option = click.option("--image", metavar="P", required=True, help="A photograph.")
side_option = click.option(
    "--side", metavar="N", type=Whole(1, 4096),
    help=f"The shorter side of the image, where the network takes any size; {SIDE} by default.",
)  # fmt: skip
labels_option = click.option("--labels", metavar="FILE", help="Names of the classes, one a line.")


@click.group("see")
def command() -> None:
    """Look inside a network with weights: filters, maps, what excites it, what it still knows.

    \b
    Examples:
      netdsl see filters examples/resnet18.net --weights resnet18.pth -o filters.png
      netdsl see invert net.net --weights w.safetensors --image p.jpg --at conv2,logits -o back.png
    """


def look(
    name: str, *options: Callable[[Command], Command]
) -> Callable[[Callable[..., Seen]], click.Command]:
    """A command of the group; it is given a `Look` and its own options."""

    def made(function: Callable[..., Seen]) -> click.Command:
        @wraps(function)
        def run(**given: Any) -> None:
            own = {key: given[key] for key in function.__annotations__ if key in given}
            try:
                shown = Look(is_noted=name == "fit", **given)
                shown.show(function(shown, **own))
            except SeeError as error:
                fail(str(error))
            except ModuleNotFoundError as error:
                fail(f"`see` needs {error.name}: pip install 'netdsl[see]'")

        wrapped = with_options([*options, *COMMON])(network_options(run))
        argument = click.argument("file", metavar="FILE")(wrapped)
        return command.command(name)(argument)

    return made


@look(
    "filters",
    click.option("--layer", metavar="PATH", help="A convolution; the first one by default."),
    click.option("--count", type=Whole(1, 4096), default=64, show_default=True),
)
def filters(look: Look, layer: str | None, count: int) -> Seen:
    """The filters of a convolution: in colour where they read a photograph."""
    from netdsl.see.filters import filters

    return filters(look.inside, layer, count)


@look(
    "maps",
    image_option,
    side_option,
    click.option("--layer", metavar="PATH", required=True, help="A layer, a block, a name."),
    click.option("--count", type=Whole(1, 4096), default=16, show_default=True),
)
def maps(look: Look, layer: str, count: int) -> Seen:
    """The strongest maps that a layer makes of an image."""
    from netdsl.see.maps import maps

    return maps(look.inside, look.pixels(), place(look.inside.graph, layer), count)


@look(
    "saliency",
    image_option,
    side_option,
    labels_option,
    click.option("--class", "target", metavar="NAME", help="A class; the best one by default."),
    click.option("--neuron", "at", metavar="conv2[7,4,4]", help="A neuron, or a whole map."),
)
def saliency(look: Look, target: str | None, at: str | None) -> Seen:
    """Which pixels an output, or a neuron, depends on."""
    from netdsl.see.saliency import saliency_of, saliency_of_class

    if target is not None and at is not None:
        raise click.UsageError("--class and --neuron are two different things to look at")
    pixels = look.pixels()
    if at is not None:
        height, width = pixels.shape[-2:]
        look.at((height, width))
        return saliency_of(look.inside, pixels, neuron(look.inside.graph, at))
    classes = look.classes()
    number = None if target is None else classes.number(target)
    return saliency_of_class(look.inside, pixels, classes, number)


@look(
    "dream",
    image_option,
    side_option,
    click.option("--layer", metavar="PATH", required=True, help="The layer to excite."),
    click.option("--octaves", type=Whole(1, 10), default=4, show_default=True),
    click.option("--steps", type=Whole(1, 10_000), default=10, show_default=True,
                 help="At each octave."),
    click.option("--jitter", type=Whole(0, 256), default=16, show_default=True),
)  # fmt: skip
def dream(look: Look, layer: str, octaves: int, steps: int, jitter: int) -> Seen:
    """Change an image so that a layer is excited more and more (DeepDream)."""
    from netdsl.see.dream import Dreaming, dream

    how = Dreaming(octaves=octaves, steps=steps, jitter=jitter)
    with progress("dreaming") as tick:
        return dream(look.inside, look.pixels(), place(look.inside.graph, layer), how, tick)


aim_options = (
    side_option,
    click.option("--steps", type=Whole(1, 100_000), default=128, show_default=True),
    click.option(
        "--jitter", type=Whole(0, 256), help="Cells; a sixteenth of the side if left out."
    ),
)


@look(
    "class",
    click.option("--class", "target", metavar="NAME", required=True, help="A name or a number."),
    labels_option,
    *aim_options,
)
def class_(look: Look, target: str, steps: int, jitter: int | None) -> Seen:
    """An image with a large score for a class."""
    from netdsl.see.aim import Aiming, class_image

    classes = look.classes()
    number, size = classes.number(target), look.size()
    with progress("climbing") as tick:
        return class_image(
            look.inside, size, classes, number, Aiming(steps=steps, jitter=jitter), tick
        )


@look(
    "neuron",
    click.option("--neuron", "at", metavar="conv2[7]", required=True,
                 help="A map, or one neuron of it: conv2[7,4,4]."),
    *aim_options,
)  # fmt: skip
def neuron_(look: Look, at: str, steps: int, jitter: int | None) -> Seen:
    """An image that excites one map, or one neuron."""
    from netdsl.see.aim import Aiming, place_image

    where, size = neuron(look.inside.graph, at), look.size()
    with progress("climbing") as tick:
        return place_image(look.inside, size, where, Aiming(steps=steps, jitter=jitter), tick)


@look(
    "invert",
    image_option,
    side_option,
    labels_option,
    click.option("--at", metavar="L1,L2,..", required=True, help="Layers, blocks, names, outputs."),
    click.option("--steps", type=Whole(1, 100_000), default=400, show_default=True),
)
def invert(look: Look, at: str, steps: int) -> Seen:
    """Images that give the same values inside as an image does."""
    from netdsl.see.invert import Inverting, invert

    places = [place(look.inside.graph, name) for name in at.split(",")]
    names = look.classes() if look.options["labels"] else None
    pixels = look.pixels()
    with progress("inverting") as tick:
        return invert(look.inside, pixels, places, Inverting(steps=steps), names, tick)


@look(
    "fit",
    image_option,
    click.option("--to", metavar="224x224", callback=lambda c, p, text: pair_given(text, "--to"),
                 help="The size; that of the network if it has one."),
)  # fmt: skip
def fit(look: Look, to: tuple[int, int] | None) -> Seen:
    """An image at one size: squashed, cropped, padded, and in several crops."""
    from netdsl.see.fit import fit
    from netdsl.see.reading import levels

    size = to or look.inside.fixed or (SIDE, SIDE)
    image = levels(look.images[0], 3).float().div(255)[None]
    return fit(image, *size)
