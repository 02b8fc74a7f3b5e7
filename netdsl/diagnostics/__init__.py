"""Sources and spans, and the messages about them as data."""

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
