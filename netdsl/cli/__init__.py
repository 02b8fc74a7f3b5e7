"""The command line: one file a command in `commands/`, and what they share beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

import click

from netdsl.cli import commands
from netdsl.cli.shell import Group
from netdsl.version import __version__


class Commands(Mapping[str, click.Command]):
    """The commands by name: `command` of each module, which is imported when it is asked for."""

    def __init__(self) -> None:
        self._names = [module.name for module in iter_modules(commands.__path__)]

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._names:
            raise KeyError(name)
        return import_module(f"{commands.__name__}.{name}").command

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@click.group(
    cls=Group, commands=Commands(), context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="netdsl")
def main() -> None:
    """Compiler for neural-network architectures.

    \b
    Example:
      netdsl check examples/googlenet.net
    """
