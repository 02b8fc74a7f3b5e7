"""The lints there are: each file of this package registers its own."""

from __future__ import annotations

from collections.abc import Callable

from netdsl.diagnostics import Sink
from netdsl.lints.subject import Subject

Lint = Callable[[Subject, Sink], None]

LINTS: list[Lint] = []
WARNINGS = {"hides-layer", "unknown-warning"}
"""The codes of all warnings: these two of the compiler, and the lints'."""


def register(lint: Lint) -> Lint:
    """Make a function a lint; its code is its name with dashes."""
    LINTS.append(lint)
    WARNINGS.add(lint.__name__.replace("_", "-"))
    return lint
