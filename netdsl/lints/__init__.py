"""Warnings about what is legal and probably not meant, one lint a file."""

from __future__ import annotations

from collections.abc import Callable

from netdsl.diagnostics import Sink
from netdsl.lints.bias_before_norm import bias_before_norm
from netdsl.lints.channels_last import channels_last
from netdsl.lints.dead_branch import dead_branch
from netdsl.lints.linear_on_map import linear_on_map
from netdsl.lints.odd_argument import odd_argument
from netdsl.lints.size_unlike_pytorch import size_unlike_pytorch
from netdsl.lints.subject import Subject
from netdsl.lints.tight_where import tight_where
from netdsl.lints.unused_name import unused_name

Lint = Callable[[Subject, Sink], None]

LINTS: tuple[Lint, ...] = (
    unused_name,
    dead_branch,
    bias_before_norm,
    tight_where,
    channels_last,
    linear_on_map,
    odd_argument,
    size_unlike_pytorch,
)

WARNINGS = frozenset(
    ["hides-layer", "unknown-warning", *(lint.__name__.replace("_", "-") for lint in LINTS)]
)
"""The codes of all warnings; a lint's code is its name with dashes."""


def lint(subject: Subject, sink: Sink) -> None:
    """Run all lints on a network without errors."""
    for rule in LINTS:
        rule(subject, sink)


__all__ = ["WARNINGS", "Subject", "lint"]
