"""Floor 0: sources and the messages about them."""

from netdsl.diagnostics.diagnostic import (
    Diagnostic,
    DiagnosticError,
    Edit,
    Fix,
    Label,
    Severity,
    Sink,
)
from netdsl.diagnostics.source import Source, Span

__all__ = [
    "Diagnostic",
    "DiagnosticError",
    "Edit",
    "Fix",
    "Label",
    "Severity",
    "Sink",
    "Source",
    "Span",
]
