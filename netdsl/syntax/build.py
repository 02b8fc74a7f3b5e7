"""Syntax trees from the parser's reductions: a method for each rule of the grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from lark import Token

from netdsl.syntax import ast
from netdsl.syntax.build_expressions import Child, ExpressionBuilder, pad
from netdsl.syntax.pieces import (
    BadSyntax,
    Declaration,
    is_parameter,
    split_part,
    type_name,
    unquoted,
)

WEIGHT_KINDS = ("frozen", "constant")
T = TypeVar("T")


class Builder(ExpressionBuilder):
    """Called by the parser at each reduction, so that no parse tree is ever made."""

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
        name, colon, annotation, equal, default = pad(children, 5)
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
        _, name, _, chain, when, mode = pad(children, 6)
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
        _, label, first, second, shape, _, fill = pad(children, 7)
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
        _, condition, then, _, otherwise = pad(children, 5)
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


def _of(children: Sequence[Child], kind: type[T]) -> tuple[T, ...]:
    return tuple(c for c in children if isinstance(c, kind))
