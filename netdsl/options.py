"""Options that several commands share, and the many of `draw`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from netdsl import driver
from netdsl.backends.diagram.options import DIRECTIONS, ENGINES, LEVELS, THEMES
from netdsl.numerals import Whole

Command = Callable[..., None]


def _prefixes(_: object, option: object, text: str | None) -> tuple[str, str] | None:
    """`module.=` as the old and the new beginning of keys."""
    if text is None:
        return None
    old, mark, new = text.partition("=")
    if not mark:
        raise click.BadParameter(f"`{text}` is not OLD=NEW")
    return old, new


def _policy(_: object, option: object, name: str) -> str:
    """A way to draw weights that there is."""
    from netdsl.ops.initial import policies

    if name not in policies():
        raise click.BadParameter(f"`{name}` is none of {', '.join(policies())}")
    return name


def _verify_ir(_: object, option: object, is_asked: bool) -> None:
    if is_asked:
        driver.VERIFY_IR = True


rename_option = click.option(
    "--rename",
    metavar="OLD=NEW",
    callback=_prefixes,
    help="Read only keys that begin with OLD, with NEW in its place: --rename module.=",
)


init_option = click.option(
    "--init",
    metavar="NAME",
    callback=_policy,
    default="pytorch",
    show_default=True,
    help="How weights are drawn that the file says nothing of: --init kaiming_normal",
)


def check_rename(options: dict[str, Any]) -> None:
    """A rule for keys is of no use without them."""
    if options["rename"] is not None and options["weights"] is None:
        raise click.UsageError("--rename is for the keys of --weights")


def network_options(command: Command) -> Command:
    """The options that choose a network and set its parameters and sizes."""
    options = [
        click.option("--net", metavar="NAME", help="The net, where the file defines several."),
        click.option("--set", "params", metavar="NAME=VALUE", multiple=True,
                     help="A parameter of the net: --set classes=10. May be repeated."),
        click.option("--size", "sizes", metavar="H=224,W=224", multiple=True,
                     help="Numbers for size symbols."),
        click.option("--root", "roots", metavar="DIR", multiple=True,
                     help="A further folder that `use` may read from."),
        click.option("--max-layers", metavar="N", type=Whole(1), default=driver.MAX_NODES,
                     show_default=True, help="Bound on the layers of a network."),
        click.option("--allow", metavar="CODE", multiple=True,
                     help="A warning that is not wanted. May be repeated."),
        click.option("--plugin", "plugins", metavar="MODULE|FILE.py", multiple=True,
                     help="Python code with layers of one's own. May be repeated."),
        click.option("--verify-ir", is_flag=True, expose_value=False, callback=_verify_ir,
                     help="Look for contradictions in the compiler's graph; for its developers."),
        click.option("--deny", type=click.Choice(["warnings"]), help="Take warnings for errors."),
    ]  # fmt: skip
    return _with(command, options)


def draw_options(command: Command) -> Command:
    """What can be asked of a drawing."""
    options = [
        click.option("--level", type=click.Choice(LEVELS), default="blocks", show_default=True),
        click.option("--expand", metavar="PATH", multiple=True,
                     help="A block to open: path, pattern or kind; `none` opens none. "
                          "May be repeated."),
        click.option("--depth", metavar="N", type=Whole(0),
                     help="Open blocks to this depth."),
        click.option("--diff", "old", metavar="OLD.net",
                     help="Draw what changes from that file to FILE."),
        click.option("--neuron", "neurons", metavar="conv2[0,4,4]", multiple=True,
                     help="A neuron to follow. May be repeated."),
        click.option("--theme", type=click.Choice(THEMES), default="light", show_default=True),
        click.option("--title", metavar="TEXT", help="In place of the network's name."),
        click.option("--width", metavar="6.5in", help="Width of the picture: in, cm, mm, pt."),
        click.option("--direction", type=click.Choice(DIRECTIONS), default="right",
                     show_default=True),
        click.option("--show", metavar="LIST",
                     help="Of params,macs,names,shapes; all by default."),
        click.option("--engine", type=click.Choice(ENGINES), default="pure", show_default=True,
                     help="Graphviz as a package, or the `dot` of the system."),
    ]  # fmt: skip
    return _with(command, options)


def _with(command: Command, options: list[Callable[[Command], Command]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
