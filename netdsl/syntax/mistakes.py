"""What a person most likely meant where the parser met a token it can't take."""

from __future__ import annotations

from lark import Token

from netdsl.diagnostics import Edit, Fix, Sink, Source, Span
from netdsl.syntax.lexing import WORDS as WORDS_OF_LANGUAGE

STAGE_STARTS = {"NAME", "LABEL_MARK", "REPEAT", "FOR", "IF", "EACH", "INLINE", "LBRACE", "LPAR"}
VALUE_STARTS = {"NAME", "NUMBER", "SIZE", "STRING", "LSQB", "LPAR", "TRUE", "FALSE", "MINUS"}
WORDS = {
    "NAME": "a name", "NUMBER": "a number", "SIZE": "a size", "STRING": "a string",
    "ARROW": "`->`", "LBRACE": "`{`", "RBRACE": "`}`", "LPAR": "`(`", "RPAR": "`)`",
    "LSQB": "`[`", "RSQB": "`]`", "COMMA": "`,`", "COLON": "`:`", "EQUAL": "`=`", "DOT": "`.`",
    "SEP": "the end of the line", "$END": "the end of the definition", "IN": "`in`",
    "LABEL_COLON": "`:`", "LABEL_MARK": "a label",
}  # fmt: skip
OPERATORS = {
    "PLUS": "add", "MINUS": "sub", "STAR": "mul", "SLASH": "div", "POWER": "pow", "FLOOR_DIV": "",
}  # fmt: skip
"""Operators of expressions, and the layers that do the same with values."""
KEYWORDS = WORDS_OF_LANGUAGE - {"NAME"}


def explain(
    tokens: list[Token], position: int, expected: set[str], source: Source, sink: Sink
) -> None:
    """Report the token at `position` (past the end: the definition is cut short)."""
    if not tokens:
        return
    if position >= len(tokens):
        end = Span(source, tokens[-1].end_pos or 0, tokens[-1].end_pos or 0)
        sink.error("syntax-error", f"the definition ends too early: {_wanted(expected)}", end)
        return
    token = tokens[position]
    before = tokens[position - 1] if position else None
    span = _span(source, token)
    if token.type == "EQUAL" and _names_a_part(tokens[:position], source, sink):
        return
    if token.type == "LBRACE" and _contract_without_result(tokens[:position], source, sink):
        return
    for mistake in _MISTAKES:
        if mistake(token, before, expected, span, sink):
            return
    shown = "the end of the line" if token.type == "SEP" else f"`{token.value[:40]}`"
    sink.error("syntax-error", f"{shown} can't stand here: {_wanted(expected)}", span)


def _wanted(expected: set[str]) -> str:
    if {"NAME", "NUMBER", "LSQB"} <= expected:
        return "a value or an expression was expected"
    if {"NAME", "REPEAT"} <= expected:
        return "a stage or a value was expected"
    words = [WORDS[t] for t in WORDS if t in expected]
    if not words:
        return "something else was expected"
    shown = words[:4]
    joined = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
    return f"expected {joined}"


def _names_a_part(before: list[Token], source: Source, sink: Sink) -> bool:
    """`h[0] = ...` and `a.b = ...` at the beginning of a line: names have no parts, labels do."""
    start = len(before)
    while start and before[start - 1].type not in ("SEP", "LBRACE"):
        start -= 1
    line = before[start:]
    if len(line) < 3 or line[0].type != "NAME" or line[1].type not in ("LSQB", "DOT"):
        return False
    if line[1].type == "LSQB" and line[-1].type != "RSQB":
        return False
    first, last = _span(source, line[0]), _span(source, line[-1])
    name = first.to(last).text
    later = (
        f", and lines below call it `{name}`"
        if line[1].type == "LSQB"
        else "; a value has a name without dots: `x = ...`"
    )
    sink.error(
        "bad-label",
        f"`{name}` can't stand before `=`: a name has no parts, a label has",
        first.to(last),
        help=f"label the stage: `... -> {name}: conv(64, 3)`{later}",
    )
    return True


def _contract_without_result(before: list[Token], source: Source, sink: Sink) -> bool:
    """`block B : [C, H, W] { ... }`: the shape of what goes in, and none of what comes out."""
    types = [token.type for token in before]
    if types[0] != "BLOCK" or types[-1] != "RSQB" or {"LBRACE", "ARROW"} & set(types):
        return False
    colon = len(types) - 1 - types[::-1].index("COLON") if "COLON" in types else 0
    if types.count("LPAR") != types[:colon].count("RPAR"):
        return False  # it is that of a parameter
    shape = _span(source, before[colon + 1]).to(_span(source, before[-1]))
    sink.error(
        "syntax-error",
        "a block that declares one shape here declares that of its result as well",
        shape,
        help=f"write both, `: {shape.text} -> [...]`; without the result's it is an input in "
        f"parentheses: `(x: {shape.text})`",
    )
    return True


def _called_as_function(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    touches = before is not None and before.type == "RPAR" and before.end_pos == token.start_pos
    if token.type != "LPAR" or not touches or "ARROW" not in expected:
        return False
    sink.error(
        "missing-arrow",
        "a layer is not called like a function",
        span,
        help="data flows along arrows: `x -> conv(64, 3)`, not `conv(64, 3)(x)`",
    )
    return True


def _missing_arrow(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    ends_stage = before is not None and before.type in ("RPAR", "RBRACE", "NAME", "RSQB")
    if "ARROW" not in expected or token.type not in STAGE_STARTS or not ends_stage:
        return False
    if "COMMA" in expected and "RPAR" in expected and "SEP" not in expected:
        return False
    sink.error(
        "missing-arrow",
        "two stages stand side by side",
        span,
        help="join these with `->`",
        fix=Fix("insert `->`", (Edit(Span(span.source, span.start, span.start), "-> "),)),
    )
    return True


def _number_after_stage(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    if token.type not in ("NUMBER", "SIZE") or before is None or before.type != "NAME":
        return False
    if "LPAR" not in expected:
        return False
    sink.error(
        "missing-bracket",
        f"the parameters of `{before.value}` stand in parentheses",
        span,
        help=f"write `{before.value}({token.value})`",
    )
    return True


def _number_in_chain(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    starts = before is not None and before.type in ("MINUS", "PLUS")
    if token.type != "NUMBER" or "REPEAT" not in expected or starts:
        return False
    sink.error(
        "syntax-error",
        f"a number is no value: it goes in parentheses, `mul({token.value})`",
        span,
        help="1 - x is `x -> mul(-1) -> add(1)`, 1 / x is `x -> reciprocal`",
    )
    return True


def _missing_comma(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    if "COMMA" not in expected or token.type not in VALUE_STARTS or before is None:
        return False
    end = before.end_pos or 0
    sink.error(
        "missing-comma",
        f"a comma is missing between `{before.value}` and `{token.value}`",
        span,
        help=f"write `{before.value}, {token.value}`",
        fix=Fix("insert a comma", (Edit(Span(span.source, end, end), ","),)),
    )
    return True


def _comma_between_stages(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    if token.type != "COMMA" or "ARROW" not in expected:
        return False
    sink.error(
        "missing-arrow",
        "stages are joined by `->`, not by commas",
        span,
        help="write `->`",
        fix=Fix("write `->`", (Edit(span, " ->"),)),
    )
    return True


def _equal_for_arrow(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    if token.type not in ("EQUAL", "COMPARISON") or "ARROW" not in expected:
        return False
    sink.error(
        "missing-arrow",
        f"`{token.value}` can't stand in a chain",
        span,
        help="stages are joined by `->`; a value is named at the beginning of its line: `x = ...`",
        fix=Fix("write `->`", (Edit(span, "->"),), safe=False),
    )
    return True


def _operator_for_arrow(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    if token.type not in OPERATORS or "ARROW" not in expected:
        return False
    is_comment = token.type == "FLOOR_DIV"
    layer = OPERATORS[token.type]
    sink.error(
        "syntax-error" if is_comment else "missing-arrow",
        f"`{token.value}` can't stand in a chain",
        span,
        help="a comment begins with `#`"
        if is_comment
        else f"an arrow is written `->`; values meet in layers, `(a, b) -> {layer}`, and so do a "
        f"value and a number, `a -> {layer}(2)`",
    )
    return True


def _python_colon(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    if token.type not in ("COLON", "SEP") or "LBRACE" not in expected or "ARROW" in expected:
        return False
    colon = token.type == "COLON"
    sink.error(
        "missing-bracket",
        "a body stands in braces" + (", not behind a colon" if colon else ""),
        span,
        help="write `{` here, and `}` where the body ends",
        fix=Fix("write `{`", (Edit(span, " {"),), safe=False) if colon else None,
    )
    return True


def _keyword(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    if token.type == "EQUAL" and before is not None and before.type in KEYWORDS:
        token, span = before, _span(span.source, before)
    elif token.type not in KEYWORDS or "NAME" not in expected or token.type in ("TRUE", "FALSE"):
        return False
    sink.error(
        "reserved-word",
        f"`{token.value}` is a word of the language and can't be a name",
        span,
        help=f"another name: `{token.value}_`",
    )
    return True


def _empty_body(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    if token.type != "RBRACE" or before is None or before.type != "LBRACE":
        return False
    sink.error(
        "empty-body",
        "this body is empty",
        span,
        help="`identity` is the stage that does nothing",
    )
    return True


def _dangling_arrow(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    if before is None or before.type != "ARROW":
        return False
    sink.error(
        "syntax-error",
        "a stage was expected after `->`",
        _span(span.source, before),
        help="add the stage, or take the arrow out"
        if token.type in ("SEP", "RBRACE")
        else "a stage is a layer or block with its parameters: `conv(64, 3x3)`",
    )
    return True


def _shorthand_argument(
    token: Token, before: Token | None, expected: set[str], span: Span, sink: Sink
) -> bool:
    if token.type != "LABEL_MARK" or "RPAR" not in expected or "ARROW" in expected:
        return False
    sink.error(
        "syntax-error",
        "an argument is named with `=`",
        span,
        help="write `stride=2`, not `stride: 2`",
    )
    return True


_MISTAKES = (
    _empty_body,
    _shorthand_argument,
    _keyword,
    _number_in_chain,
    _dangling_arrow,
    _number_after_stage,
    _comma_between_stages,
    _equal_for_arrow,
    _operator_for_arrow,
    _called_as_function,
    _missing_arrow,
    _python_colon,
    _missing_comma,
)


def _span(source: Source, token: Token) -> Span:
    return Span(source, token.start_pos or 0, token.end_pos or 0)
