"""Small parts of syntax trees: numbers, strings, types, labels, and what is wrong with them."""

from __future__ import annotations

from math import isfinite

from lark import Token

from netdsl.diagnostics import Span
from netdsl.syntax import ast

MAX_DIGITS = 40
TYPES = {"int", "float", "bool", "string", "size", "scale", "layer"}


class BadSyntax(Exception):
    """Something the grammar takes and the language does not."""

    def __init__(self, code: str, message: str, span: Span, help: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.span, self.help = code, message, span, help


class Declaration:
    """A name with a type or shape, before it is known whether it is a parameter or an input."""

    def __init__(
        self,
        name: ast.Name,
        annotation: ast.Expr | None,
        default: ast.Expr | None,
        span: Span,
    ) -> None:
        self.name, self.annotation, self.default, self.span = name, annotation, default, span


def is_parameter(declared: Declaration) -> bool:
    if declared.default is not None:
        return True
    annotation = declared.annotation
    while isinstance(annotation, ast.ListExpr) and len(annotation.items) == 1:
        (annotation,) = annotation.items
    if isinstance(declared.annotation, ast.ListExpr):
        return isinstance(annotation, ast.NameExpr) and annotation.name in TYPES
    return annotation is not None


def type_name(expr: ast.Expr) -> ast.TypeName:
    depth, inner = 0, expr
    while isinstance(inner, ast.ListExpr) and len(inner.items) == 1:
        (inner,) = inner.items
        depth += 1
    if isinstance(inner, ast.NameExpr):
        return ast.TypeName(inner.name, depth, expr.span)
    raise BadSyntax(
        "unknown-type",
        "this is not a type",
        expr.span,
        "types are int, float, bool, string, size, scale, layer and lists such as [int]",
    )


def number(text: str, span: Span) -> int | float:
    if len(text) > MAX_DIGITS:
        raise BadSyntax("too-large", f"a number of {len(text)} characters", span)
    if text.isdigit():
        return int(text)
    value = float(text)
    if not isfinite(value):
        raise BadSyntax("too-large", "the number is too large for a float", span)
    return value


def unquoted(token: object) -> str:
    assert isinstance(token, Token)
    return token.value[1:-1]


def split_part(part: ast.LabelPart) -> list[ast.LabelPart]:
    """`0.1` in a label is read as one number, and means two parts."""
    is_number = not part.is_quoted and part.index is None and part.text[:1].isdigit()
    if not is_number or part.text.count(".") != 1:
        return [part]
    return [ast.LabelPart(piece, None, part.span) for piece in part.text.split(".")]
