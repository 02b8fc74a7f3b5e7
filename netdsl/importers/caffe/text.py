"""Protobuf's text format as a tree: messages of fields, each at its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from netdsl.diagnostics import Source, Span
from netdsl.importers.frontend import refused

TOKEN = re.compile(
    r"(?P<space>(?:[ \t\r\n\v\f]+|\#[^\n]*)+)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[+-]?(?:0[xX][0-9A-Fa-f]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?))"
    r"|(?P<minus>-(?:inf|infinity|nan)\b)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')"
    r"|(?P<mark>[{}<>\[\]:,;])"
)
DEEPEST = 50
"""How deep messages may lie in each other."""
ESCAPES = {
    "n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
CLOSING = {"{": "}", "<": ">"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number, a text or a mark."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """What a field holds that is no message; `text` is without quotes."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Field:
    """`name: value`, or `name { ... }`."""

    name: str
    value: Scalar | Message
    span: Span


@dataclass(slots=True)
class Message:
    """Fields in the order they are written."""

    span: Span
    fields: list[Field] = field(default_factory=list[Field])


def parse(source: Source) -> Message:
    """The message of a text. Raises `DiagnosticError`."""
    return _Parser(source).read()


class _Parser:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = list(self.lex())
        self.place = 0

    def lex(self) -> Iterator[Token]:
        text, place = self.source.text, 0
        while place < len(text):
            match = TOKEN.match(text, place)
            if match is None:
                shown = text[place : place + 1]
                what = "a text has no end" if shown in "\"'" else f"`{shown}` can't stand here"
                raise refused(what, Span(self.source, place, place + 1), code="syntax-error")
            kind = str(match.lastgroup)
            if kind != "space":
                yield Token("word" if kind == "minus" else kind, match.group(), place, match.end())
            place = match.end()

    def peek(self) -> Token:
        if self.place < len(self.tokens):
            return self.tokens[self.place]
        end = len(self.source.text)
        return Token("end", "", end, end)

    def next(self) -> Token:
        token = self.peek()
        self.place += 1
        return token

    def span(self, start: Token, end: Token | None = None) -> Span:
        return Span(self.source, start.start, (end or start).end)

    def wrong(self, token: Token, wanted: str) -> Exception:
        shown = f"`{token.text:.40}`" if token.kind != "end" else "the end of the file"
        return refused(
            f"{shown} can't stand here: {wanted} was expected",
            self.span(token),
            code="syntax-error",
        )

    def read(self) -> Message:
        whole = Message(Span(self.source, 0, 0))
        self.fields(whole, "", 0)
        return whole

    def fields(self, message: Message, closing: str, depth: int) -> Token:
        """The fields of a message up to its closing mark, which is given."""
        while True:
            token = self.next()
            if token.kind == "mark" and token.text == closing:
                return token
            if token.kind == "end" and not closing:
                return token
            if token.kind != "word":
                raise self.wrong(token, "the name of a field" + f" or `{closing}`" * bool(closing))
            self.field(message, token, depth)
            if self.peek().kind == "mark" and self.peek().text in ",;":
                self.place += 1

    def field(self, message: Message, name: Token, depth: int) -> None:
        """What follows a name."""
        token = self.peek()
        if token.kind == "mark" and token.text == ":":
            self.place += 1
            token = self.peek()
        elif token.kind != "mark" or token.text not in CLOSING:
            raise self.wrong(token, f"`:` or `{{` after `{name.text}`")
        if token.kind == "mark" and token.text == "[":
            self.items(message, name, depth)
            return
        value, last = self.value(depth)
        message.fields.append(Field(name.text, value, self.span(name, last)))

    def items(self, message: Message, name: Token, depth: int) -> None:
        """`[1, 2, 3]`: a field for each."""
        self.place += 1
        if self.peek().kind == "mark" and self.peek().text == "]":
            self.place += 1
            return
        while True:
            first = self.peek()
            value, last = self.value(depth)
            message.fields.append(Field(name.text, value, self.span(first, last)))
            token = self.next()
            if token.kind == "mark" and token.text == "]":
                return
            if token.kind != "mark" or token.text != ",":
                raise self.wrong(token, "`,` or `]`")

    def value(self, depth: int) -> tuple[Scalar | Message, Token]:
        """One value, and its last token."""
        token = self.next()
        if token.kind == "mark" and token.text in CLOSING:
            if depth >= DEEPEST:
                message = f"messages lie more than {DEEPEST} deep in each other here"
                raise refused(message, self.span(token), code="too-deep")
            inner = Message(self.span(token))
            last = self.fields(inner, CLOSING[token.text], depth + 1)
            inner.span = self.span(token, last)
            return inner, last
        if token.kind == "text":
            parts = [unquoted(token.text)]
            while self.peek().kind == "text":
                token = self.next()
                parts.append(unquoted(token.text))
            return Scalar("text", "".join(parts)), token
        if token.kind not in ("word", "number"):
            raise self.wrong(token, "a value")
        return Scalar(token.kind, token.text), token


def unquoted(text: str) -> str:
    """A text without its quotes, its escapes replaced; octal and hexadecimal ones stay."""
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[0]), text[1:-1])
