"""Warnings: what is right by the rules and most likely not meant. One lint a file, found there."""

from importlib import import_module
from pkgutil import iter_modules

from netdsl.diagnostics import Sink
from netdsl.lints.registry import LINTS, WARNINGS
from netdsl.lints.subject import Subject

for _module in iter_modules(__path__):  # in the order of their names
    import_module(f"{__name__}.{_module.name}")


def lint(subject: Subject, sink: Sink) -> None:
    """Run all lints on a network without errors."""
    for rule in LINTS:
        rule(subject, sink)


__all__ = ["LINTS", "WARNINGS", "Subject", "lint"]
