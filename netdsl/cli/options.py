"""Options that several commands share, and what they choose."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce, wraps
from typing import Any, cast

import click

from netdsl import driver
from netdsl.backends.weights.renaming import refusal
from netdsl.cli.numerals import Whole, once, sizes_given, two_sizes_given
from netdsl.cli.shell import WRONG_FILE, fail, show
from netdsl.diagnostics import Diagnostic
from netdsl.driver import Loading
from netdsl.elaborate import Written
from netdsl.elaborate.state import MAX_NODES
from netdsl.importers.frontend import Declared, declared, is_foreign
from netdsl.ir.fitting import ALIGNMENTS, CORNER, CROP, FILLS, PAD, WAYS, FitError
from netdsl.lints import WARNINGS
from netdsl.network import Network
from netdsl.ops.initial import PYTORCH, policies

Command = Callable[..., None]
LOADED: dict[str, tuple[Network, str | None]] | None = None
"""The networks that were loaded, where a process runs several commands on them; else None."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """How a file is to be read, and whether its warnings are taken for errors."""

    how: Loading
    are_denied: bool

    def load(self, file: str) -> Network:
        """The network of a file; its warnings are printed. Raises `DiagnosticError`."""
        return self.load_with_weights(file, None)[0]

    def load_with_weights(
        self, file: str, weights: str | None, plugins_out: str | None = None
    ) -> tuple[Network, str | None]:
        """The same, and the weights that are still to be loaded into it."""
        self.check_inputs(file)
        asked = repr((file, weights, plugins_out, self.how))
        if LOADED is not None and asked in LOADED:
            return LOADED[asked]
        network, weights = driver.load_with_weights(file, weights, plugins_out, **self.how)
        for remark in network.origin.remarks if network.origin is not None else ():
            click.echo(f"note: {remark}", err=True)
        if LOADED is not None:
            LOADED[asked] = network, weights
        self.tell(network.warnings)
        return network, weights

    def check_inputs(self, file: str) -> None:
        """A `.net` file says the shapes of its inputs itself."""
        for option, name in ("--input", "inputs"), ("--open", "opens"):
            if self.how.get(name) and not is_foreign(file):
                message = f"{file} says the shapes of its inputs itself"
                raise click.BadParameter(message, param_hint=option)

    def tell(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Print diagnostics; the command ends there if one of them makes the file wrong."""
        show(diagnostics, "text")
        self.end_if_wrong(diagnostics)

    def end_if_wrong(self, diagnostics: Sequence[Diagnostic]) -> None:
        """End with the exit code of a wrong file if it is one, by these diagnostics."""
        if any(d.is_error for d in diagnostics) or (self.are_denied and diagnostics):
            sys.exit(WRONG_FILE)


def by(convert: Callable[[Any], object]) -> Callable[[object, object, Any], object]:
    """A callback of click that makes an option's value from what is written."""
    return lambda context, option, written: convert(written)


def network_options(command: Command) -> Command:
    """The options that choose a network and set its parameters and sizes, as one `Chosen`."""
    return _network_options(command, by(lambda texts: sizes_given(texts, "--size")))


def network_options_at_two_sizes(command: Command) -> Command:
    """The same, where `--size` may be given again: the second sizes are the option `to`."""
    return _network_options(command, _two_sizes)


def _two_sizes(context: click.Context, _: object, texts: Sequence[str]) -> dict[str, int]:
    sizes, context.params["to"] = two_sizes_given(texts, "--size")
    return sizes


def _network_options(command: Command, sizes: Callable[..., object]) -> Command:

    @wraps(command)
    def run(*, deny: str | None, **options: object) -> None:
        how = {name: options.pop(name) for name in Loading.__annotations__}
        command(chosen=Chosen(cast(Loading, how), deny is not None), **options)

    options = [
        click.option("--net", metavar="NAME", help="The net, where the file defines several."),
        click.option("--set", "params", metavar="NAME=VALUE", multiple=True,
                     callback=by(lambda texts: once(map(_parameter, texts), "--set")),
                     help="A parameter of the net: --set classes=10. May be repeated."),
        click.option("--size", "sizes", metavar="H=224,W=224", multiple=True,
                     callback=sizes,
                     help="Numbers for size symbols."),
        click.option("--input", "inputs", metavar="'image: [3, H, W]'", multiple=True,
                     callback=by(_inputs),
                     help="Shape of an input of a PyTorch module, without the batch axis; "
                          "names are open sizes. May be repeated."),
        click.option("--open", "opens", is_flag=True,
                     help="Leave heights and widths open that another format fixes, where its "
                          "layers allow it."),
        click.option("--root", "roots", metavar="DIR", multiple=True,
                     help="A further folder that `use` may read from."),
        click.option("--max-layers", metavar="N", type=Whole(1), default=MAX_NODES,
                     show_default=True, help="Bound on the layers of a network."),
        click.option("--allow", metavar="CODE", multiple=True, callback=by(_warnings),
                     help="A warning that is not wanted. May be repeated."),
        plugin_option("Python code with custom layers. May be repeated."),
        click.option("--verify-ir", is_flag=True, expose_value=False, callback=by(_verify_ir),
                     help="Look for contradictions in the compiler's graph; for its developers."),
        click.option("--deny", type=click.Choice(["warnings"]), help="Take warnings for errors."),
    ]  # fmt: skip
    return with_options(options)(run)


def with_options(options: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Several options, in the order in which `--help` lists them."""
    return lambda command: reduce(lambda run, option: option(run), reversed(options), command)


any_size_option = click.option(
    "--any-size", "any_size", metavar="WAY", type=click.Choice(WAYS),
    help="Make the network take any size: pad to the nearest size above, crop to the nearest "
         "below, or resize.",
)  # fmt: skip
fill_options = [
    click.option("--fill", type=click.Choice(tuple(FILLS)), default="zeros", show_default=True,
                 help="What padding adds."),
    click.option("--align", type=click.Choice(ALIGNMENTS), default=CORNER, show_default=True,
                 help="Where the image stays when it is padded or cropped."),
]  # fmt: skip


def any_size_options(command: Command) -> Command:
    """The options that make a network take any size, as one `WayToFit`."""

    @wraps(command)
    def run(*, any_size: str | None, fill: str, align: str, **options: object) -> None:
        command(fits=WayToFit(any_size, fill, align), **options)

    return with_options([any_size_option, *fill_options])(run)


@dataclass(frozen=True, slots=True)
class WayToFit:
    """How a network is made to take any size, if it is."""

    way: str | None
    fill: str
    align: str

    def __post_init__(self) -> None:
        if self.way != PAD and self.fill != "zeros":
            raise click.UsageError("--fill says what `--any-size pad` adds")
        if self.way not in (PAD, CROP) and self.align != CORNER:
            raise click.UsageError("--align goes with `--any-size pad` and `crop`")

    def of(self, network: Network) -> Network:
        """The network so, with a note on what is not brought back; it ends where it can't be."""
        if self.way is None:
            return network
        try:
            fitting = network.fitting(self.way, self.fill, self.align)
            fitted = network.padded(self.way, fill=self.fill, align=self.align)
        except FitError as error:
            fail(str(error))
        for output, remark in zip(network.outputs, fitting.remarks, strict=True):
            if remark:
                click.echo(f"note: {output.name} stays as the network gives it: {remark}", err=True)
        return fitted


def plugin_option(help: str) -> Callable[[Command], Command]:
    """`--plugin`, which says what the layers are for."""
    return click.option("--plugin", "plugins", metavar="MODULE|FILE.py", multiple=True, help=help)


def _parameter(text: str) -> tuple[str, Written]:
    """`classes=10` as a name and a value, which is written as in the language."""
    name, mark, value = text.partition("=")
    if not mark or not name.strip().isidentifier():
        raise click.BadParameter(f"`{text}` is not NAME=VALUE", param_hint="--set")
    return name.strip(), Written(value.strip())


def _inputs(texts: Sequence[str]) -> dict[str, Declared]:
    """`image: [3, H, W]`, `ids: int64 [T]`, or without the name where there is one input."""
    pairs = [text.rpartition(":") for text in texts]
    try:
        return once([(name.strip(), declared(shape)) for name, _, shape in pairs], "--input")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--input") from None


def _warnings(codes: Sequence[str]) -> Sequence[str]:
    """Codes of warnings; a wrong one would silence nothing, and not say so."""
    for code in codes:
        if code not in WARNINGS:
            choices = ", ".join(sorted(WARNINGS))
            message = f"no warning is `{code}`; there are: {choices}"
            raise click.BadParameter(message, param_hint="--allow")
    return codes


def _verify_ir(is_asked: bool) -> None:
    if is_asked:
        driver.VERIFY_IR = True


def _rules(texts: Sequence[str]) -> dict[str, str] | None:
    """`module.=` as the old and the new beginning of keys."""
    rules: dict[str, str] = {}
    for text in texts:
        old, mark, new = text.partition("=")
        if not mark:
            raise click.BadParameter(f"`{text}` is not OLD=NEW")
        if old in rules:
            raise click.BadParameter(f"`{old}` is given twice")
        if wrong := refusal(old, new):
            raise click.BadParameter(wrong)
        rules[old] = new
    return rules or None


rename_option = click.option(
    "--rename",
    metavar="OLD=NEW",
    multiple=True,
    callback=by(_rules),
    help="Read only keys that begin with OLD, with NEW in its place: --rename module.=. May be "
    "repeated: a key takes the first that fits, `=` reads the rest; `*` is any part of a key.",
)


def check_rename(rename: Mapping[str, str] | None, weights: str | None) -> None:
    """A rule for keys is of no use without them."""
    if rename is not None and weights is None:
        raise click.UsageError("--rename is for the keys of --weights")


def _policy(name: str) -> str:
    """One of the ways to draw weights."""
    if name not in policies():
        raise click.BadParameter(f"`{name}` is none of {', '.join(policies())}")
    return name


init_option = click.option(
    "--init",
    metavar="NAME",
    callback=by(_policy),
    default=PYTORCH,
    show_default=True,
    help=f"How weights are drawn that the file says nothing of: {', '.join(policies())}",
)
