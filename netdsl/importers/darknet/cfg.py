"""The text of a cfg file as sections with options, each at its place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from netdsl.diagnostics import Source, Span
from netdsl.importers.frontend import refused

WHOLE = re.compile(r"[+-]?[0-9]+")
REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
SPACE = re.compile(r"[ \t\r]+")
HIGHEST = 2**31 - 1
"""The largest number that Darknet keeps: a C `int`."""
MOST = 10_000
"""Layers of a network, and numbers of an option."""


@dataclass(frozen=True, slots=True)
class Option:
    """`key=value`, without white space."""

    key: str
    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Section:
    """`[kind]` and its options; the first of several with one key counts.

    `number` is how Darknet counts the layers: from 0, behind `[net]`, whose number is -1.
    """

    kind: str
    number: int
    span: Span
    options: dict[str, Option] = field(default_factory=dict[str, Option])

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"layer {self.number}, `[{self.kind}]`," if self.number >= 0 else f"`[{self.kind}]`"

    def span_of(self, key: str) -> Span:
        """Where an option stands, or the section."""
        return self.options[key].span if key in self.options else self.span

    def whole(self, key: str, default: int) -> int:
        """A whole number; a comment may follow it."""
        option = self.options.get(key)
        return default if option is None else whole(option, plain(option.value))

    def real(self, key: str, default: float) -> float:
        """A number; a comment may follow it."""
        option = self.options.get(key)
        if option is None:
            return default
        text = plain(option.value)
        if not REAL.fullmatch(text) or len(text) > 40:
            raise refused(f"`{key}` is a number, not `{text:.40}`", option.span)
        return float(text)

    def word(self, key: str, default: str) -> str:
        """A word, as it stands: Darknet takes a comment behind it as a part of it."""
        option = self.options.get(key)
        return default if option is None else option.value

    def wholes(self, key: str) -> list[int]:
        """Whole numbers with commas between them."""
        option = self.options.get(key)
        if option is None:
            raise refused(f"{self.title} needs `{key}`", self.span)
        parts = plain(option.value).split(",")
        if len(parts) > MOST:
            raise refused(f"`{key}` has more than {MOST:,} numbers", option.span)
        return [whole(option, part) for part in parts]


def plain(value: str) -> str:
    """A value of numbers, without the comment behind it."""
    return re.split("[#;]", value, maxsplit=1)[0]


def whole(option: Option, text: str) -> int:
    """One whole number of an option."""
    if not WHOLE.fullmatch(text):
        wanted = f"`{option.key}` is a whole number, not `{text:.40}`"
        raise refused(wanted if text else f"a number is missing in `{option.key}`", option.span)
    if len(text) > 11 or abs(int(text)) > HIGHEST:
        raise refused(f"`{option.key}` is more than {HIGHEST:,}: Darknet has no such", option.span)
    return int(text)


def sections(source: Source) -> tuple[list[Section], list[str]]:
    """The sections of a file, `[net]` first, and remarks. Raises `DiagnosticError`."""
    parts: list[Section] = []
    remarks: list[str] = []
    for number, start in enumerate(source.line_starts, 1):
        raw = source.line(number)
        line = SPACE.sub("", raw)
        span = Span(source, start, start + max(len(raw.rstrip()), 1))
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            if len(parts) > MOST:
                raise refused(f"there are more than {MOST:,} layers", span)
            parts.append(Section(kind(line, span), len(parts) - 1, span))
            continue
        option = assigned(line, span)
        if not parts:
            raise refused(f"`{line:.40}` stands before the first section", span)
        before = parts[-1].options.setdefault(option.key, option)
        if before.value != option.value and len(parts) > 1:
            remarks.append(f"{span}: `{option.key}` is there twice; Darknet takes the first")
    if not parts:
        raise refused("there is no section", Span(source, 0, 0), help="a cfg begins with `[net]`")
    if parts[0].kind not in ("net", "network"):
        raise refused(f"the first section is `[net]`, not `[{parts[0].kind}]`", parts[0].span)
    return parts, remarks


def kind(line: str, span: Span) -> str:
    """The word in a section's brackets."""
    if not line.endswith("]"):
        raise refused(
            f"`{line:.40}` is no section",
            span,
            help="write `[word]`, and a comment on its own line",
        )
    return line[1:-1]


def assigned(line: str, span: Span) -> Option:
    """The option that a line sets."""
    key, sign, value = line.partition("=")
    if not sign or not key or not value:
        raise refused(f"`{line:.40}` is neither `[section]` nor `key=value`", span)
    return Option(key, value, span)
