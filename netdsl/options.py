"""Options about weights that several commands share."""

from __future__ import annotations

from typing import Any

import click


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
