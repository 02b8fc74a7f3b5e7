"""Errors and warnings as data: a code, a place, what clashes, and what to type instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from netdsl.diagnostics.source import Span


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Label:
    """A remark at a second place: where the other side of a clash comes from."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of `span` by `text`; an empty span inserts."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that a tool can make. `safe` ones are applied by `--fix`."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = True


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message. `code` is in kebab case and names its page (`netdsl explain CODE`).

    `span` is None only for errors outside any text (a missing file). `label` is the remark
    under the marked place; `notes` say how it came to be, `help` what to type instead.
    """

    code: str
    message: str
    span: Span | None
    severity: Severity = Severity.ERROR
    label: str = ""
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    fix: Fix | None = None

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        return f"{place}{self.severity.value}[{self.code}]: {self.message}"


class DiagnosticError(Exception):
    """Raised by the Python API when a network has errors; holds all diagnostics found."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(str(d) for d in self.diagnostics))


@dataclass
class Sink:
    """Collects diagnostics; the same code at the same place is kept once.

    A block used in ten places is built ten times, and its one mistake is one message.
    """

    _found: dict[tuple[object, ...], Diagnostic] = field(
        default_factory=dict[tuple[object, ...], Diagnostic]
    )

    def emit(self, diagnostic: Diagnostic) -> None:
        span = diagnostic.span
        place = (span.source, span.start, span.end) if span else (diagnostic.message,)
        self._found.setdefault((diagnostic.code, *place), diagnostic)

    def error(
        self,
        code: str,
        message: str,
        span: Span | None,
        *,
        label: str = "",
        secondary: Iterable[Label] = (),
        notes: Iterable[str] = (),
        help: Iterable[str] | str = (),
        fix: Fix | None = None,
    ) -> None:
        """Record an error; parameters as the fields of `Diagnostic` (`help` may be one text)."""
        helps = tuple(filter(None, (help,) if isinstance(help, str) else help))
        self.emit(
            Diagnostic(
                code,
                message,
                span,
                label=label,
                secondary=tuple(secondary),
                notes=tuple(notes),
                help=helps,
                fix=fix,
            )
        )

    def warn(
        self,
        code: str,
        message: str,
        span: Span | None,
        *,
        label: str = "",
        notes: Iterable[str] = (),
        help: Iterable[str] | str = (),
        fix: Fix | None = None,
    ) -> None:
        """Record a warning; parameters as the fields of `Diagnostic`."""
        helps = tuple(filter(None, (help,) if isinstance(help, str) else help))
        self.emit(
            Diagnostic(
                code,
                message,
                span,
                Severity.WARNING,
                label,
                notes=tuple(notes),
                help=helps,
                fix=fix,
            )
        )

    def copy(self) -> Sink:
        """Another sink with what this one holds."""
        return Sink(dict(self._found))

    def take_errors(self) -> tuple[Diagnostic, ...]:
        """The errors, which are forgotten here; warnings stay."""
        errors = tuple(d for d in self.diagnostics if d.is_error)
        self._found = {place: d for place, d in self._found.items() if not d.is_error}
        return errors

    @property
    def has_errors(self) -> bool:
        return any(d.is_error for d in self._found.values())

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All diagnostics in the order of the source; those without a place first."""

        def order(item: tuple[int, Diagnostic]) -> tuple[object, ...]:
            index, diagnostic = item
            span = diagnostic.span
            return (span.source.name, span.start, index) if span else ("", -1, index)

        return tuple(d for _, d in sorted(enumerate(self._found.values()), key=order))
