"""From text to syntax tree; each definition is parsed on its own and reports its own errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import Lock

from lark import Lark, Token
from lark.exceptions import UnexpectedToken, VisitError

from netdsl.diagnostics import Sink, Source, Span
from netdsl.syntax import ast
from netdsl.syntax.build import BadSyntax, Builder
from netdsl.syntax.cache import private_file
from netdsl.syntax.lexing import Tokens, tokenize
from netdsl.syntax.mistakes import explain

MAX_CHARACTERS = 10_000_000
HALF = re.compile("[\ud800-\udfff]")
"""Surrogates: no file of UTF-8 holds any, but a text given in Python may."""


def parse(source: Source, sink: Sink) -> ast.File | None:
    """The tree of a file; None if it has syntax errors, which go to the sink. Never raises."""
    if not _is_text(source, sink):
        return None
    lark, builder, lock = machine()
    tokens = tokenize(lark, source, sink)
    if tokens is None:
        return None
    with lock:
        builder.begin(source)
        definitions = [_parse_definition(lark, source, t, sink) for t in tokens.definitions]
    if None in definitions:
        return None
    documented = tuple(_document(d, tokens) for d in definitions if d is not None)
    return ast.File(source, documented, tuple(tokens.comments))


def _is_text(source: Source, sink: Sink) -> bool:
    nul = source.text.find("\0")
    if nul >= 0:
        sink.error(
            "not-text", "this is not a text: it holds zero bytes", Span(source, nul, nul + 1)
        )
        return False
    half = HALF.search(source.text)
    if half is not None:
        shown = f"U+{ord(half[0]):04X}"
        message = f"this is not a text: {shown} is half of a character"
        sink.error("not-text", message, Span(source, *half.span()))
        return False
    if len(source.text) > MAX_CHARACTERS:
        sink.error("too-large", "the file has more than 10 million characters", None)
        return False
    return True


class _KeepAll:
    """Tells Lark to keep the terminals that only lexing.py looks at."""

    always_accept = ("COMMENT", "NEWLINE", "SEMICOLON")

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


@cache
def machine() -> tuple[Lark, Builder, Lock]:
    """The parser and the builder it calls, made once; the lock keeps threads apart."""
    builder = Builder()
    lark = Lark(
        grammar_text(),
        parser="lalr",
        lexer="basic",
        postlex=_KeepAll(),  # type: ignore[arg-type]
        transformer=builder,
        keep_all_tokens=True,
        maybe_placeholders=True,
        cache=private_file("grammar") or False,
    )
    return lark, builder, Lock()


def grammar_text() -> str:
    """The grammar, from the package where it is installed, else from the checkout."""
    inside = files("netdsl") / "grammar" / "netdsl.lark"
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    checkout = Path(__file__).resolve().parents[2] / "grammar" / "netdsl.lark"
    return checkout.read_text(encoding="utf-8")


def _parse_definition(
    lark: Lark, source: Source, tokens: list[Token], sink: Sink
) -> ast.Definition | None:
    """One definition; its first error is reported, what follows from it is not."""
    if not tokens:
        return None
    parser = lark.parse_interactive("")
    position, expected = 0, parser.choices()
    try:
        for token in tokens:
            expected = parser.choices()  # before the reductions that the token may bring about
            parser.feed_token(token)
            position += 1
        expected = parser.choices()
        return parser.feed_eof(tokens[-1])  # type: ignore[no-any-return]
    except UnexpectedToken as error:
        choices = {name for name in expected if name.isupper()} | set(error.expected)
        explain(tokens, position, choices, source, sink)
    except (BadSyntax, VisitError) as error:
        bad = error.orig_exc if isinstance(error, VisitError) else error
        if not isinstance(bad, BadSyntax):
            raise
        sink.error(bad.code, bad.message, bad.span, help=bad.help or ())
    return None


def _document(definition: ast.Definition, tokens: Tokens) -> ast.Definition:
    """Give a definition the comment lines directly above it."""
    if isinstance(definition, ast.UseDefinition):
        return definition
    return replace(definition, doc=tokens.comment_above(definition.span.line))
