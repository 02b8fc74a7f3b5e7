"""Warnings about what is legal and probably not meant, one lint a file."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

from netdsl.diagnostics import Sink
from netdsl.lints.subject import Subject

LINTS: list[Callable[[Subject, Sink], None]] = []
"""The function of each file that has its file's name, in the order of the names."""
WARNINGS = {"hides-layer", "layer-or-value", "unknown-warning"}
"""The codes of all warnings; a lint's code is its name with dashes."""

for _module in iter_modules(__path__):
    _lint = getattr(import_module(f"{__name__}.{_module.name}"), _module.name, None)
    if _lint is not None:
        LINTS.append(_lint)
        WARNINGS.add(_module.name.replace("_", "-"))


def lint(subject: Subject, sink: Sink) -> None:
    """Run all lints on a network without errors."""
    for rule in LINTS:
        rule(subject, sink)


__all__ = ["LINTS", "WARNINGS", "Subject", "lint"]
