"""Syntax trees of expressions from the parser's reductions, and what all reductions share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

from lark import Token, Transformer

from netdsl.diagnostics import Source, Span
from netdsl.syntax import ast
from netdsl.syntax.pieces import BadSyntax, number, unquoted

MAX_DEPTH = 250
NAMES = ("NAME", "WHERE", "WEIGHT")
"""What may stand as the name of a layer."""

Child: TypeAlias = Any
"""What the parser hands over, untyped: a token, a node, or None."""
E = TypeVar("E", bound=ast.Expr | ast.Body | ast.If)


class ExpressionBuilder(Transformer[Token, object]):
    """A method for each rule of expressions.

    Children are tokens (all are kept, for spans), nodes, and None for what was left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.source = Source("", "")
        self._depths: dict[Child, int] = {}
        self._closed: list[Token] = []

    def begin(self, source: Source) -> None:
        """Start on the definitions of another text."""
        self.source = source
        self._depths.clear()

    def arguments(self, children: list[Child]) -> tuple[ast.Argument, ...]:
        self._closed = [c for c in children if isinstance(c, Token)][-1:]
        return tuple(c for c in children if isinstance(c, ast.Argument))

    def argument(self, children: list[Child]) -> ast.Argument:
        name, _, value = pad(children, 3) if len(children) == 3 else (None, None, children[-1])
        return ast.Argument(
            self._name(name) if name else None,
            value,
            self._span(children),
        )

    def conditional(self, children: list[Child]) -> ast.Conditional:
        then, _, condition, _, otherwise = children
        expression = ast.Conditional(condition, then, otherwise, self._span(children))
        return self._deeper(expression, children)

    def binary(self, children: list[Child]) -> ast.Binary:
        left, operator, right = children
        expression = ast.Binary(operator.value, left, right, self._span(children))
        return self._deeper(expression, children)

    def unary(self, children: list[Child]) -> ast.Unary:
        operator, operand = children
        expression = ast.Unary(operator.value, operand, self._span(children))
        return self._deeper(expression, children)

    def compare(self, children: list[Child]) -> ast.Compare:
        operators = tuple(c.value for c in children if isinstance(c, Token))
        operands = tuple(c for c in children if not isinstance(c, Token))
        expression = ast.Compare(operands, operators, self._span(children))
        return self._deeper(expression, children)

    def range_of(self, children: list[Child]) -> ast.Range:
        return ast.Range(children[0], children[2], self._span(children))

    def attribute(self, children: list[Child]) -> ast.Attribute:
        expression = ast.Attribute(children[0], self._name(children[2]), self._span(children))
        return self._deeper(expression, children)

    def index(self, children: list[Child]) -> ast.Index | ast.Slice:
        base, _, subscript, _ = children
        return self._deeper(self._subscripted(base, subscript, self._span(children)), children)

    def subscript(self, children: list[Child]) -> Child:
        if len(children) == 1:
            return children[0]
        return tuple(None if isinstance(c, Token) else c for c in (children[0], children[1]))

    def _subscripted(self, base: ast.Expr, subscript: Child, span: Span) -> ast.Index | ast.Slice:
        if isinstance(subscript, tuple):
            return ast.Slice(base, subscript[0], subscript[1], span)
        if isinstance(subscript, ast.Range):
            return ast.Slice(base, subscript.start, subscript.stop, span)
        return ast.Index(base, subscript, span)

    def call(self, children: list[Child]) -> ast.CallExpr:
        callee, arguments = children
        span = self._span([callee, *self._closed])
        if not isinstance(callee, ast.NameExpr | ast.Attribute):
            raise BadSyntax("syntax-error", "only a name can be called", span)
        return self._deeper(ast.CallExpr(callee, arguments, span), [callee, *arguments])

    def literal(self, children: list[Child]) -> ast.Expr:
        (token,) = children
        assert isinstance(token, Token)
        span = self._at(token)
        match token.type:
            case "NUMBER":
                return ast.Number(number(token.value, span), span)
            case "SIZE":
                parts = tuple(number(part, span) for part in token.value.split("x"))
                return ast.SizeLiteral(parts, span)
            case "STRING":
                return ast.Text(unquoted(token), span)
            case _:
                return ast.Truth(token.type == "TRUE", span)

    def name(self, children: list[Child]) -> ast.NameExpr:
        (token,) = children
        assert isinstance(token, Token)
        return ast.NameExpr(token.value, self._at(token))

    def list(self, children: list[Child]) -> ast.ListExpr:
        items = tuple(c for c in children if c is not None and not isinstance(c, Token))
        return self._deeper(ast.ListExpr(items, self._span(children)), children)

    def parenthesised(self, children: list[Child]) -> ast.Expr:
        items = tuple(c for c in children if c is not None and not isinstance(c, Token))
        if len(items) == 1:
            return items[0]
        return self._deeper(ast.TupleExpr(items, self._span(children)), children)

    # --- helpers ---------------------------------------------------------------------------

    def _at(self, token: Child) -> Span:
        assert isinstance(token, Token)
        assert token.start_pos is not None
        assert token.end_pos is not None
        return Span(self.source, token.start_pos, token.end_pos)

    def _span(self, children: Sequence[Child]) -> Span:
        """From the first child to the last."""
        spans = [
            self._at(c) if isinstance(c, Token) else c.span
            for c in children
            if isinstance(c, Token) or hasattr(c, "span")
        ]
        ends = max(s.end for s in spans)
        return Span(self.source, spans[0].start, ends)

    def _name(self, token: Child) -> ast.Name:
        assert isinstance(token, Token)
        return ast.Name(token.value, self._at(token))

    def _names(self, children: Sequence[Child]) -> tuple[ast.Name, ...]:
        return tuple(self._name(c) for c in children if isinstance(c, Token) and c.type in NAMES)

    def _deeper(self, node: E, children: Sequence[Child]) -> E:
        """Bounds the depth of a tree, so that whoever walks it may recurse."""
        depth = 1 + max((self._depth(c) for c in children), default=0)
        if depth > MAX_DEPTH:
            raise BadSyntax(
                "too-deep",
                f"this is nested more than {MAX_DEPTH} deep",
                node.span,
            )
        self._depths[node] = depth
        return node

    def _depth(self, child: Child) -> int:
        if isinstance(child, ast.Argument):
            child = child.value
        return self._depths.get(child, 0)


def pad(children: Sequence[Child], length: int) -> list[Child]:
    """The children, with None for those that are left out at the end."""
    return [*children, *[None] * (length - len(children))]
