"""What a build file asks for: networks, and for each the commands that make its targets."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click

from netdsl.cli.build.tree import Listing, Scalar, Table, Tree, tree, wrong
from netdsl.diagnostics import Source, Span
from netdsl.elaborate.suggest import did_you_mean

COMMANDS = {
    "check": "check", "net": "import", "py": "compile", "onnx": "export",
    "svg": "draw", "png": "draw", "pdf": "draw", "tex": "draw", "tikz": "draw", "mmd": "draw",
    "dot": "draw", "html": "draw",
    "summary": "summary", "sizes": "sizes",
}  # fmt: skip
"""The command that makes each kind of target."""
PRINTED = ("summary", "sizes")
"""Targets that their command prints."""
OWN = ("source", "targets")
OF_THE_NET = ("net", "set", "size", "input", "root", "max-layers", "allow", "plugin", "deny")
"""Options of a network, which all of its commands get."""
OF_WEIGHTS = ("weights", "rename")
"""Those that the commands get which take them."""


@dataclass(frozen=True, slots=True)
class Target:
    """A thing to be made: `arguments` are those of the command, its own file among them."""

    network: str
    kind: str
    command: str
    arguments: tuple[str, ...]
    file: Path | None
    span: Span

    @property
    def is_printed(self) -> bool:
        return self.kind in PRINTED


@dataclass(frozen=True, slots=True)
class Plan:
    """The targets by network, and the folder that paths are relative to."""

    folder: Path
    targets: dict[str, tuple[Target, ...]]


def plan_of(source: Source, folder: Path) -> Plan:
    """What a build file asks for. Raises `DiagnosticError` at the line and column at fault."""
    top = _table(tree(source), "the file")
    _check_keys(top, ("networks",), "in a build file")
    if "networks" not in top.entries:
        help = "networks: {NAME: {source: FILE, targets: {check: }}}"
        raise wrong("there is no `networks`", _start(top.span), help)
    networks = _table(top.entries["networks"][1], "`networks`")
    targets = {
        name: tuple(_targets(name, _table(body, f"`{name}`")))
        for name, (_, body) in networks.entries.items()
    }
    _check_outputs([one for several in targets.values() for one in several])
    return Plan(folder, targets)


def _targets(name: str, body: Table) -> Iterator[Target]:
    """The targets of one network."""
    _check_keys(body, (*OWN, *OF_THE_NET, *OF_WEIGHTS), "of a network")
    for key in OWN:
        if key not in body.entries:
            raise wrong(f"`{name}` has no `{key}`", _start(body.span))
    source = _text(body.entries["source"][1], "`source`")
    targets = _table(body.entries["targets"][1], "`targets`")
    _check_keys(targets, tuple(COMMANDS), "for targets")
    for kind, (key, value) in targets.entries.items():
        for one in value.items if isinstance(value, Listing) else (value,):
            yield _target(name, kind, key, one, source, body)


def _target(name: str, kind: str, key: Scalar, value: Tree, source: str, body: Table) -> Target:
    command = click_command(COMMANDS[kind])
    options = value.entries if isinstance(value, Table) else {}
    file = _file(kind, key, value)
    arguments = [source]
    if file is not None and kind not in PRINTED:
        arguments += ["-o", str(file)]
    known = _names(command)
    inherited = {
        option: body.entries[option]
        for option in (*OF_THE_NET, *OF_WEIGHTS)
        if option in body.entries and option in known and option not in options
    }
    for option, (at, given) in {**inherited, **options}.items():
        if option == "file":
            continue
        if option not in known or option in ("output", "o"):
            guess = did_you_mean(option, known) or f"there are {', '.join(sorted(known))}"
            raise wrong(f"`netdsl {COMMANDS[kind]}` has no option `{option}`", at.span, guess)
        arguments += _arguments(option, given)
    _check_arguments(command, COMMANDS[kind], arguments, key.span)
    return Target(name, kind, COMMANDS[kind], tuple(arguments), file, key.span)


def click_command(name: str) -> click.Command:
    """The command of this name."""
    return import_module(f"netdsl.cli.commands.{name}").command


def _names(command: click.Command) -> list[str]:
    """The long names of its options, without the two lines before them."""
    options = [one for one in command.params if isinstance(one, click.Option)]
    names = [name for one in options for name in (*one.opts, *one.secondary_opts)]
    return [name.removeprefix("--") for name in names if name.startswith("--")]


def _file(kind: str, key: Scalar, value: Tree) -> Path | None:
    """Where a target goes; a check goes nowhere."""
    if isinstance(value, Table):
        given = value.entries["file"][1] if "file" in value.entries else None
    else:
        given = None if isinstance(value, Scalar) and value.value in (None, True) else value
    if kind == "check":
        if given is not None:
            raise wrong("a check has options, and no file", given.span, "check: {deny: warnings}")
        return None
    if given is None:
        raise wrong(f"`{kind}` has no file", key.span, f"{kind}: out/NAME.{kind}")
    path = Path(_text(given, "a file"))
    if kind not in PRINTED and path.suffix != f".{kind}":
        raise wrong(f"`{path}` does not end in .{kind}", given.span)
    return path


def _arguments(option: str, value: Tree) -> list[str]:
    """An option with its value as on the command line; a table or list gives it several times."""
    flag = f"--{option}"
    match value:
        case Scalar(value=True):
            return [flag]
        case Scalar(value=False):
            return []
        case Scalar():
            return [f"{flag}={value.written}"]
        case Listing(items=items):
            return [f"{flag}={_text(item, f'`{option}`')}" for item in items]
        case Table(entries=entries):
            sign = ": " if option == "input" else "="
            return [
                f"{flag}={key}{sign}{_text(item, f'`{option}`')}"
                for key, (_, item) in entries.items()
            ]


def _check_arguments(
    command: click.Command, name: str, arguments: Sequence[str], span: Span
) -> None:
    """That the command takes these arguments, without running it."""
    try:
        command.make_context(name, list(arguments))
    except click.ClickException as error:
        raise wrong(f"`netdsl {name}` refuses this: {error.format_message()}", span) from None


def _check_outputs(targets: Sequence[Target]) -> None:
    """That no two targets go to one file."""
    seen: dict[Path, Target] = {}
    for target in targets:
        if target.file is None:
            continue
        path = Path(os.path.normpath(target.file))
        if path in seen:
            before = seen[path]
            message = f"{target.file} is made by `{before.kind}` of `{before.network}` as well"
            raise wrong(message, target.span)
        seen[path] = target


def _check_keys(table: Table, known: Sequence[str], where: str) -> None:
    for name, (key, _) in table.entries.items():
        if name not in known:
            guess = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise wrong(f"there is no `{name}` {where}", key.span, guess)


def _table(value: Tree, what: str) -> Table:
    if not isinstance(value, Table):
        raise wrong(f"{what} is a table of `key: value`", value.span)
    return value


def _text(value: Tree, what: str) -> str:
    if not isinstance(value, Scalar) or value.value is None:
        raise wrong(f"{what} is one word or number", value.span)
    return value.written


def _start(span: Span) -> Span:
    return Span(span.source, span.start, min(span.start + 1, span.end))
