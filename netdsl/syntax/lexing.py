"""From text to the parser's tokens: line ends that count, labels marked, brackets checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters

from netdsl.diagnostics import Edit, Fix, Label, Sink, Source, Span
from netdsl.syntax import ast

MAX_NESTING = 200
MAX_TOKENS = 1_000_000
COMMENT = re.compile(r"#[^\n]*")
CLOSING = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
SIGNS = {"LPAR": "(", "LSQB": "[", "LBRACE": "{", "RPAR": ")", "RSQB": "]", "RBRACE": "}"}
DEFINITIONS = ("USE", "FN", "BLOCK", "NET")
WORDS = frozenset(
    [
        "NAME",
        "USE",
        "AS",
        "FN",
        "NET",
        "BLOCK",
        "INPUT",
        "OUTPUT",
        "LET",
        "WEIGHT",
        "LAYER",
        "REPEAT",
        "FOR",
        "IN",
        "IF",
        "ELSE",
        "WHEN",
        "WHERE",
        "AND",
        "OR",
        "NOT",
        "TRUE",
        "FALSE",
    ]
)
SOFT_WORDS = {"inline": "NAME", "each": "LBRACE"}
"""Words of the language where this stands behind them."""
BEFORE_STAGES = ("ARROW", "LABEL_COLON", "LBRACE", "SEP", "EQUAL", "LPAR", "COMMA")
MISTAKEN = {
    "|": "data flows along `->`",
    "&": "conditions are joined by `and`",
    "!": "write `not` or `!=`",
    "@": "netdsl has no decorators",
    "'": 'strings stand in double quotes: "..."',
    '"': "a string ends on its own line, with a double quote",
    "?": "write `a if condition else b`",
    "^": "a power is written `**`",
    "~": "write `not`",
    "\u00d7": "a size is written 3x3, with the letter x",
    "→": "an arrow is written `->`",
    "\u2212": "a minus is written `-`",
    "\u2013": "a minus is written `-`",
}


@dataclass(slots=True)
class Tokens:
    """The tokens of a file by definition, and all of its comments."""

    definitions: list[list[Token]] = field(default_factory=list)
    comments: list[ast.Comment] = field(default_factory=list)

    def comment_above(self, line: int) -> str:
        """The comment lines that end directly above `line`, without their `#`."""
        by_line = self._own_lines()
        above: list[str] = []
        while (line := line - 1) in by_line:
            above.append(by_line[line])
        texts = [text for text in reversed(above) if not text.startswith("allow:")]
        return "\n".join(texts).strip()

    def _own_lines(self) -> dict[int, str]:
        if not self._by_line:
            for comment in self.comments:
                source = comment.span.source
                before = source.line(comment.span.line)[: comment.span.column - 1]
                if not before.strip():
                    self._by_line[comment.span.line] = comment.text
        return self._by_line

    _by_line: dict[int, str] = field(default_factory=dict)


def tokenize(lark: Lark, source: Source, sink: Sink) -> Tokens | None:
    """Split a text into the definitions' tokens; None where brackets or characters are wrong."""
    raw = _lex(lark, source, sink)
    if raw is None:
        return None
    tokens = Tokens()
    for token in raw:
        if token.type in ("COMMENT", "NEWLINE"):
            tokens.comments += _comments(token, source)
    if len(raw) + len(tokens.comments) > MAX_TOKENS:
        sink.error("too-large", f"the file has more than {MAX_TOKENS:,} words and signs", None)
        return None
    code = [_line_end(t) if t.type == "NEWLINE" else t for t in raw if t.type != "COMMENT"]
    if not _brackets_match(code, source, sink):
        return None
    lines = _separate(code)
    _mark_labels(lines)
    _mark_soft_words(lines)
    tokens.definitions = list(_split(lines, source, sink))
    return tokens


def _comments(token: Token, source: Source) -> Iterator[ast.Comment]:
    """The comment of a token, or those of the lines that it goes across."""
    assert token.start_pos is not None
    for match in COMMENT.finditer(token.value):
        start, end = token.start_pos + match.start(), token.start_pos + match.end()
        yield ast.Comment(match[0][1:].strip(), Span(source, start, end))


def _line_end(token: Token) -> Token:
    """The first line end of a token that goes across several."""
    if len(token.value) <= 2:
        return token
    assert token.start_pos is not None
    value = "\n" if token.value[0] == "\n" else "\r\n"
    end = token.start_pos + len(value)
    return Token(token.type, value, token.start_pos, token.line, token.column, end_pos=end)


def _lex(lark: Lark, source: Source, sink: Sink) -> list[Token] | None:
    """All tokens; each unknown character is an error of its own, up to ten."""
    try:
        return list(islice(lark.lex(source.text), MAX_TOKENS + 1))
    except UnexpectedCharacters as error:
        start = error.pos_in_stream
        character = source.text[start]
        span = Span(source, start, start + 1)
        shown = character if character.isprintable() else f"U+{ord(character):04X}"
        if character.isdigit():
            _bad_number(source, start, sink)
            return None
        sink.error(
            "bad-character",
            f"the character `{shown}` means nothing here",
            span,
            help=MISTAKEN.get(character, ()),
        )
        return None


def _bad_number(source: Source, start: int, sink: Sink) -> None:
    end = start
    while end < len(source.text) and (source.text[end].isalnum() or source.text[end] in "._"):
        end += 1
    text = source.text[start:end]
    sink.error(
        "bad-number",
        f"`{text[:40]}` is neither a number nor a name",
        Span(source, start, end),
        help="names begin with a letter; numbers look like 64, 0.1, 1e-5, sizes like 3x3",
    )


def _brackets_match(tokens: list[Token], source: Source, sink: Sink) -> bool:
    stack: list[Token] = []
    doubtful: tuple[Token, Token] | None = None
    for token in tokens:
        if token.type in CLOSING:
            stack.append(token)
            if len(stack) > MAX_NESTING:
                sink.error(
                    "too-deep",
                    f"brackets are nested more than {MAX_NESTING} deep",
                    _span(source, token),
                )
                return False
        elif token.type in CLOSING.values():
            if not stack or CLOSING[stack[-1].type] != token.type:
                _wrong_closing(stack, token, source, sink)
                return False
            opening = stack.pop()
            if doubtful is None and _stand_apart(opening, token, source):
                doubtful = opening, token
    if stack:
        _never_closed(*(doubtful or (stack[-1], None)), source, sink)
    return not stack


def _stand_apart(opening: Token, closing: Token, source: Source) -> bool:
    """Whether a bracket that begins a line is indented otherwise than the line of its partner."""
    if opening.line == closing.line:  # and no line is read for each of its brackets
        return False
    first, last = (source.line(_span(source, t).line) for t in (opening, closing))
    begins = last.lstrip().startswith(closing.value)
    return begins and _indent(first) != _indent(last)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _never_closed(opening: Token, partner: Token | None, source: Source, sink: Sink) -> None:
    """Report an open bracket; `partner` closes it, but by its indentation belongs to another."""
    closing = SIGNS[CLOSING[opening.type]]
    stands = [Label(_span(source, partner), "this one stands further out")] if partner else []
    end = Span(source, len(source.text), len(source.text))
    sink.error(
        "missing-bracket",
        f"this `{opening.value}` is never closed",
        _span(source, opening),
        label=f"its `{closing}` is missing",
        secondary=stands,
        help=f"add `{closing}` where it should end",
        fix=None if partner else Fix(f"add `{closing}`", (Edit(end, f"{closing}\n"),), safe=False),
    )


def _wrong_closing(stack: list[Token], token: Token, source: Source, sink: Sink) -> None:
    if not any(CLOSING[opening.type] == token.type for opening in stack):
        sink.error(
            "unexpected-bracket",
            f"this `{token.value}` closes nothing",
            _span(source, token),
            help=f"take it out, or add the `{_opening(token)}` it belongs to",
        )
        return
    wanted = SIGNS[CLOSING[stack[-1].type]]
    sink.error(
        "missing-bracket",
        f"`{wanted}` is missing before this `{token.value}`",
        _span(source, token),
        secondary=[Label(_span(source, stack[-1]), f"this `{stack[-1].value}` is still open")],
        help=f"add `{wanted}`",
    )


def _opening(token: Token) -> str:
    return next(SIGNS[o] for o, c in CLOSING.items() if c == token.type)


def _separate(tokens: list[Token]) -> list[Token]:
    """Turn the line ends that count, and `;`, into SEP; one between two statements."""
    result: list[Token] = []
    stack: list[str] = []
    for index, token in enumerate(tokens):
        if token.type == "NEWLINE" or token.type == "SEMICOLON":
            ends = not stack or stack[-1] == "LBRACE" or token.type == "SEMICOLON"
            if ends and result and result[-1].type not in ("SEP", "LBRACE"):
                result.append(Token.new_borrow_pos("SEP", token.value, token))
            continue
        if token.type in CLOSING:
            stack.append(token.type)
        elif token.type in CLOSING.values():
            stack.pop()
        continues = token.type in ("ARROW", "RBRACE") or (
            token.type == "ELSE" and not _is_label(tokens, index)
        )
        if continues and result and result[-1].type == "SEP":
            result.pop()
        result.append(token)
    return result


def _is_label(tokens: list[Token], index: int) -> bool:
    """Whether a word begins a label: `else:`, `else.0:`, `else[i]:`."""
    return index + 1 < len(tokens) and tokens[index + 1].type in ("COLON", "DOT", "LSQB")


def _mark_labels(tokens: list[Token]) -> None:
    """Find the labels: what stands before a colon inside braces, except after `input`."""
    marks: list[int] = []
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.type == "LBRACE") - (token.type == "RBRACE")
        if token.type != "COLON" or depth == 0:
            continue
        start = _label_start(tokens, index)
        if start is None or (start > 0 and tokens[start - 1].type == "INPUT"):
            continue
        _retype(tokens, start, index)
        marks.append(start)
    starts = set(marks)
    marked: list[Token] = []
    for index, token in enumerate(tokens):
        if index in starts:
            marked.append(Token.new_borrow_pos("LABEL_MARK", "", token))
        marked.append(token)
    tokens[:] = marked


def _mark_soft_words(tokens: list[Token]) -> None:
    """`inline Cell(64)` and `each { ... }` where a stage may begin; elsewhere both are names."""
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        follows = SOFT_WORDS.get(token.value) if token.type == "NAME" else None
        if follows == after.type and before.type in BEFORE_STAGES:
            token.type = token.value.upper()


def _label_start(tokens: list[Token], colon: int) -> int | None:
    """Index of the first token of the label that ends before `colon`, or None if there is none."""
    end = colon
    while True:
        start = _part_start(tokens, end)
        if start is None:
            return None
        if start == 0 or tokens[start - 1].type != "DOT":
            return start
        end = start - 1


def _part_start(tokens: list[Token], end: int) -> int | None:
    last = end - 1
    if last < 0:
        return None
    if tokens[last].type in WORDS or tokens[last].type in ("NUMBER", "STRING"):
        return last
    if tokens[last].type != "RSQB":
        return None
    depth = 0
    while last >= 0:
        depth += (tokens[last].type == "RSQB") - (tokens[last].type == "LSQB")
        if depth == 0:
            break
        last -= 1
    before = tokens[last - 1] if last > 0 else None
    touches = before is not None and before.end_pos == tokens[last].start_pos
    is_text = before is not None and before.type in {*WORDS, "STRING"}
    return last - 1 if touches and is_text else last


def _retype(tokens: list[Token], start: int, colon: int) -> None:
    depth = 0
    for index in range(start, colon):
        token = tokens[index]
        depth += (token.type == "LSQB") - (token.type == "RSQB")
        if depth:
            continue
        if token.type in WORDS:
            tokens[index] = Token.new_borrow_pos("LABEL_WORD", token.value, token)
        elif token.type in ("NUMBER", "STRING"):
            tokens[index] = Token.new_borrow_pos(f"LABEL_{token.type}", token.value, token)
    tokens[colon] = Token.new_borrow_pos("LABEL_COLON", ":", tokens[colon])


def _split(tokens: list[Token], source: Source, sink: Sink) -> Iterator[list[Token]]:
    """The tokens of each definition; what stands between definitions is an error."""
    current: list[Token] = []
    depth = 0
    for index, token in enumerate(tokens):
        starts_line = index == 0 or tokens[index - 1].type in ("SEP", "RBRACE")
        if depth == 0 and token.type in DEFINITIONS and starts_line:
            if current:
                yield current
            current = []
        depth += (token.type == "LBRACE") - (token.type == "RBRACE")
        if depth == 0 and token.type == "SEP":
            continue
        if not current and token.type not in DEFINITIONS:
            _outside(token, source, sink)
            yield []
            return
        current.append(token)
    if current:
        yield current


def _outside(token: Token, source: Source, sink: Sink) -> None:
    similar = {"def": "fn", "function": "fn", "class": "block", "module": "block"}
    similar |= {"import": "use", "from": "use", "include": "use", "network": "net", "model": "net"}
    guess = similar.get(token.value)
    sink.error(
        "syntax-error",
        f"a definition begins with `net`, `block`, `fn` or `use`, not with `{token.value[:40]}`",
        _span(source, token),
        help=f"did you mean `{guess}`?" if guess else "a line like this stands inside a net",
    )


def _span(source: Source, token: Token) -> Span:
    assert token.start_pos is not None
    assert token.end_pos is not None
    return Span(source, token.start_pos, token.end_pos)
