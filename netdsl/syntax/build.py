"""Syntax trees from the parser's reductions: a method for each rule of the grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

from lark import Token, Transformer

from netdsl.diagnostics import Source, Span
from netdsl.syntax import ast
from netdsl.syntax.pieces import (
    BadSyntax,
    Declaration,
    is_parameter,
    number,
    split_part,
    type_name,
    unquoted,
)

MAX_DEPTH = 250
NAMES = ("NAME", "WHERE", "WEIGHT")
"""What may stand as the name of a layer."""
WEIGHT_KINDS = ("frozen", "constant")

Child: TypeAlias = Any
"""What the parser hands over, untyped: a token, a node, or None."""
T = TypeVar("T")
E = TypeVar("E", bound=ast.Expr | ast.Body | ast.If)


class Builder(Transformer[Token, object]):
    """Called by the parser at each reduction, so that no parse tree is ever made.

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

    # --- definitions -----------------------------------------------------------------------

    def use(self, children: list[Child]) -> ast.UseDefinition:
        target = children[1]
        quoted = isinstance(target, Token)
        path = (unquoted(target),) if quoted else tuple(n.text for n in target)
        names = next((c for c in children[2:] if isinstance(c, tuple)), None)
        alias = children[-1]
        return ast.UseDefinition(
            path, quoted, names, self._name(alias) if alias else None, self._span(children)
        )

    def dotted(self, children: list[Child]) -> tuple[ast.Name, ...]:
        return self._names(children)

    def name_list(self, children: list[Child]) -> tuple[ast.Name, ...]:
        return self._names(children)

    def fn(self, children: list[Child]) -> ast.FunctionDefinition:
        _, name, declarations, _, body = children
        parameters = self._parameters(declarations)
        return ast.FunctionDefinition(
            self._name(name),
            parameters,
            body,
            "",
            self._span(children),
        )

    def net(self, children: list[Child]) -> ast.NetDefinition:
        _, name, declarations, body = children
        parameters = self._parameters(declarations)
        return ast.NetDefinition(
            self._name(name),
            parameters,
            body,
            "",
            self._span(children),
        )

    def block(self, children: list[Child]) -> ast.BlockDefinition:
        _, name, first, second, contract, body = children
        if second is None and first and not all(is_parameter(d) for d in first):
            first, second = None, first
        inputs = self._inputs(second) if second is not None else None
        shape, results = contract or (None, None)
        if shape is not None:
            inputs = self._one_input(inputs, shape)
        return ast.BlockDefinition(
            self._name(name),
            self._parameters(first),
            inputs,
            results,
            body,
            "",
            self._span(children),
        )

    def declarations(self, children: list[Child]) -> tuple[Declaration, ...]:
        return _of(children, Declaration)

    def declaration(self, children: list[Child]) -> Declaration:
        name, colon, annotation, equal, default = _pad(children, 5)
        if colon is None:
            annotation = None
        if equal is None:
            default = None
        return Declaration(self._name(name), annotation, default, self._span(children))

    def contract(
        self, children: list[Child]
    ) -> tuple[ast.ListExpr | None, tuple[ast.ListExpr, ...]]:
        shape = next((c for c in children if isinstance(c, ast.ListExpr)), None)
        return shape, children[-1]

    def results(self, children: list[Child]) -> tuple[ast.ListExpr, ...]:
        return _of(children, ast.ListExpr)

    def _one_input(
        self, inputs: tuple[ast.BlockInput, ...] | None, shape: ast.ListExpr
    ) -> tuple[ast.BlockInput, ...]:
        if inputs is None:
            return (ast.BlockInput(None, shape, shape.span),)
        if len(inputs) == 1 and inputs[0].shape is None:
            return (ast.BlockInput(inputs[0].name, shape, inputs[0].span),)
        raise BadSyntax(
            "syntax-error",
            "the shapes of several inputs stand with their names",
            shape.span,
            "write `(x: [C, H, W], skip: [D, P, Q]) -> [...]`",
        )

    def _parameters(self, declarations: Sequence[Declaration] | None) -> tuple[ast.Parameter, ...]:
        return tuple(self._parameter(d) for d in declarations or ())

    def _parameter(self, declared: Declaration) -> ast.Parameter:
        if declared.annotation is None:
            raise BadSyntax(
                "missing-type",
                f"the parameter `{declared.name.text}` has no type",
                declared.name.span,
                f"write `{declared.name.text}: int` (or float, bool, string, size, layer, [int])",
            )
        return ast.Parameter(
            declared.name, type_name(declared.annotation), declared.default, declared.span
        )

    def _inputs(self, declarations: Sequence[Declaration] | None) -> tuple[ast.BlockInput, ...]:
        return tuple(self._input(d) for d in declarations or ())

    def _input(self, declared: Declaration) -> ast.BlockInput:
        shape = declared.annotation
        if declared.default is not None or not (shape is None or isinstance(shape, ast.ListExpr)):
            raise BadSyntax(
                "syntax-error",
                "an input of a block is a name, or a name with a shape",
                declared.span,
                "parameters stand in the first parentheses, inputs in the second: "
                "`block Up(channels: int) (x, skip) { ... }`",
            )
        return ast.BlockInput(declared.name, shape, declared.span)

    # --- statements ------------------------------------------------------------------------

    def body(self, children: list[Child]) -> ast.Body:
        statements = tuple(c for c in children if isinstance(c, ast.Statement))
        return self._deeper(ast.Body(statements, self._span(children)), children)

    def input(self, children: list[Child]) -> ast.InputStatement:
        _, name, _, dtype, shape, *rest = children
        where = tuple(c for c in rest if c is not None and not isinstance(c, Token))
        return ast.InputStatement(
            self._name(name),
            self._name(dtype) if dtype else None,
            shape,
            where,
            self._span(children),
        )

    def output(self, children: list[Child]) -> ast.OutputStatement:
        _, name, _, chain, when, mode = _pad(children, 6)
        if isinstance(mode, Token) and mode.value != "training":
            raise BadSyntax(
                "syntax-error",
                "an output can depend on one thing only: `when training`",
                self._at(mode),
            )
        return ast.OutputStatement(
            self._name(name),
            chain,
            when is not None,
            self._span(children),
        )

    def let(self, children: list[Child]) -> ast.LetStatement:
        return ast.LetStatement(self._name(children[1]), children[3], self._span(children))

    def assign(self, children: list[Child]) -> ast.AssignStatement:
        left, _, chain = children
        if isinstance(left, Token):
            targets, is_tuple = (self._name(left),), False
        else:
            targets, is_tuple = self._targets(left), True
        return ast.AssignStatement(targets, is_tuple, chain, self._span(children))

    def _targets(self, source: object) -> tuple[ast.Name, ...]:
        names: list[ast.Name] = []
        for chain in source.items if isinstance(source, ast.TupleSource) else ():
            match chain:
                case ast.Chain(None, (ast.LayerStage(None, (name,), None, None),)):
                    names.append(name)
                case _:
                    raise BadSyntax(
                        "syntax-error", "left of `=` stand names only: `(a, b) = ...`", chain.span
                    )
        return tuple(names)

    def weight(self, children: list[Child]) -> ast.WeightStatement:
        _, label, first, second, shape, _, fill = _pad(children, 7)
        words = [self._name(word) for word in (first, second) if word is not None]
        kind = words.pop(0) if words and words[0].text in WEIGHT_KINDS else None
        if len(words) > 1:
            raise BadSyntax(
                "syntax-error",
                f"`{words[0].text}` says nothing of a weight",
                words[0].span,
                "write `weight w: [64]`, with `frozen` or `constant` before an element type: "
                "`weight w: frozen int64 [64]`",
            )
        dtype = words[0] if words else None
        return ast.WeightStatement(label, kind, dtype, shape, fill, self._span(children))

    def layer_statement(self, children: list[Child]) -> ast.LayerStatement:
        _, name, _, label, stage = children
        span = self._span(children)
        if stage.branches is not None:
            raise BadSyntax("syntax-error", "`layer` names one layer or block", span)
        if stage.is_inline:
            raise BadSyntax(
                "syntax-error",
                "an `inline` call makes no layer that could be shared",
                span,
                "leave `inline` out, or share the layers in the block",
            )
        named: Child = stage if label is None else self.labelled([label, stage])
        return ast.LayerStatement(self._name(name), named, span)

    def chain_statement(self, children: list[Child]) -> ast.ChainStatement:
        (chain,) = children
        assert isinstance(chain, ast.Chain)
        return ast.ChainStatement(chain, chain.span)

    # --- chains ----------------------------------------------------------------------------

    def chain(self, children: list[Child]) -> ast.Chain:
        first, *others = (c for c in children if not isinstance(c, Token))
        for item in others:
            if isinstance(item, ast.Head):
                raise BadSyntax(
                    "source-inside",
                    "a value can only begin a chain",
                    item.span,
                    "to join values, begin with them: `(a, b) -> concat -> ...`",
                )
        span = self._span(children)
        if isinstance(first, ast.Head):
            return ast.Chain(first, tuple(others), span)
        return ast.Chain(None, (first, *others), span)

    def labelled(self, children: list[Child]) -> object:
        label, stage = children
        assert isinstance(label, ast.Label)
        span = label.span.to(stage.span)
        if isinstance(stage, ast.Claim):
            raise BadSyntax("bad-label", "a claim makes no layer, so it has no label", span)
        if isinstance(stage, ast.LayerStage) and stage.is_inline:
            raise BadSyntax(
                "bad-label",
                "an `inline` call adds nothing to paths",
                label.span,
                f"name its value: `x = {stage.span.text}`",
            )
        parts = {name: getattr(stage, name) for name in stage.__dataclass_fields__}
        return type(stage)(**parts | {"label": label, "span": span})

    def label(self, children: list[Child]) -> ast.Label:
        parts = _of(children, ast.LabelPart)
        return ast.Label(tuple(p for part in parts for p in split_part(part)), self._span(parts))

    def label_part(self, children: list[Child]) -> ast.LabelPart:
        first = children[0]
        assert isinstance(first, Token)
        index = next((c for c in children if c is not None and not isinstance(c, Token)), None)
        text = "" if first.type == "LSQB" else first.value
        is_quoted = first.type == "LABEL_STRING"
        text = unquoted(first) if is_quoted else text
        return ast.LabelPart(text, index, self._span(children), is_quoted)

    def layer(self, children: list[Child]) -> ast.LayerStage:
        inline, *names, arguments, body = children
        return ast.LayerStage(
            None,
            self._names(names),
            arguments,
            body,
            self._span([inline, *names, *(self._closed if arguments is not None else ()), body]),
            inline is not None,
        )

    def arguments(self, children: list[Child]) -> tuple[ast.Argument, ...]:
        self._closed = [c for c in children if isinstance(c, Token)][-1:]
        return _of(children, ast.Argument)

    def argument(self, children: list[Child]) -> ast.Argument:
        name, _, value = _pad(children, 3) if len(children) == 3 else (None, None, children[-1])
        return ast.Argument(
            self._name(name) if name else None,
            value,
            self._span(children),
        )

    def group(self, children: list[Child]) -> ast.Group:
        return ast.Group(None, children[0], self._span(children))

    def repeat(self, children: list[Child]) -> ast.Repeat:
        return ast.Repeat(None, children[1], children[2], self._span(children))

    def targets(self, children: list[Child]) -> tuple[ast.Name, ...]:
        return self._names(children)

    # lark calls the methods by the rules' names, and two of these are words of Python

    def _for(self, children: list[Child]) -> ast.For:
        _, targets, _, iterable, body = children
        return ast.For(None, targets, iterable, body, self._span(children))

    def _if(self, children: list[Child]) -> ast.If:
        _, condition, then, _, otherwise = _pad(children, 5)
        if isinstance(otherwise, ast.If):
            chain = ast.Chain(None, (otherwise,), otherwise.span)
            statement = ast.ChainStatement(chain, otherwise.span)
            otherwise = ast.Body((statement,), otherwise.span)
        branch = ast.If(None, condition, then, otherwise, self._span(children))
        return self._deeper(branch, children)

    def __getattr__(self, name: str) -> object:
        if name in ("for", "if"):
            return getattr(self, f"_{name}")
        raise AttributeError(name)

    def each(self, children: list[Child]) -> ast.Each:
        return ast.Each(None, children[1], self._span(children))

    def claim(self, children: list[Child]) -> ast.Claim:
        return ast.Claim(children[0], self._span(children))

    def value(self, children: list[Child]) -> ast.ValueSource:
        first, *rest = children
        assert isinstance(first, Token)
        expr: ast.Expr = ast.NameExpr(first.value, self._at(first))
        closings = [t for t in rest if isinstance(t, Token) and t.type == "RSQB"]
        subscripts = [c for c in rest if not isinstance(c, Token)]
        for subscript, closing in zip(subscripts, closings, strict=True):
            expr = self._subscripted(expr, subscript, expr.span.to(self._at(closing)))
        return ast.ValueSource(expr, expr.span)

    def tuple_source(self, children: list[Child]) -> ast.TupleSource | ast.ForSource:
        chains = _of(children, ast.Chain)
        span = self._span(children)
        match chains:
            case (ast.Chain(None, (ast.For(None, targets, iterable, body),)),):
                return ast.ForSource(targets, iterable, body, span)
            case _:
                return ast.TupleSource(chains, span)

    # --- expressions -----------------------------------------------------------------------

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


def _of(children: Sequence[Child], kind: type[T]) -> tuple[T, ...]:
    return tuple(c for c in children if isinstance(c, kind))


def _pad(children: Sequence[Child], length: int) -> list[Child]:
    return [*children, *[None] * (length - len(children))]
