"""From syntax tree to text in one canonical layout, with its comments: what `netdsl fmt` writes.

Four spaces for each brace, lines of at most 120 characters where they can be broken. As gofmt
does, it keeps what the author decided on purpose: which stages of a chain stand on one line,
which bodies and lists run over several lines, and single blank lines. A tree that was not read
from a text says nothing of this; its lines are broken where they would become too long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TypeAlias

from netdsl.diagnostics import Span
from netdsl.syntax import ast
from netdsl.syntax import unparse_inline as inline
from netdsl.syntax.lexing import COMMENT
from netdsl.syntax.recursion import deep_recursion
from netdsl.syntax.unparse_lines import Lines

WIDTH = 120
INDENT = 4


Bracketed: TypeAlias = tuple[Span, str, Callable[[], None]]
"""A part between brackets: where it stands, its text on one line, and what writes it."""


def unparse(file: ast.File) -> str:
    """The text of a file; parsed again it gives the same tree, with the same comments."""
    with deep_recursion():
        printer = _Printer(file.comments)
        before: ast.Definition | None = None
        for definition in file.definitions:
            printer.definition(definition, before)
            before = definition
        return printer.lines.finish()


class _Printer:
    def __init__(self, comments: Sequence[ast.Comment]) -> None:
        self.lines = Lines(comments, WIDTH)
        self._broken: dict[object, bool] = {}

    # --- definitions ------------------------------------------------------------------------

    def definition(self, node: ast.Definition, before: ast.Definition | None) -> None:
        self.lines.begin(node.span, 0, apart=_are_apart(before, node) or None)
        if not node.span.end and not isinstance(node, ast.UseDefinition):
            self._documentation(node.doc)
        match node:
            case ast.UseDefinition():
                self._use(node)
            case ast.FunctionDefinition():
                self._function(node)
            case ast.NetDefinition():
                self._header(f"net {node.name.text}", node, "", "")
                self._body(node.body, 0)
            case ast.BlockDefinition():
                inputs = inline.named_inputs(node)
                self._header(f"block {node.name.text}", node, inputs, inline.contract(node))
                self._definition_body(node)
        self.lines.at(node.span)

    def _documentation(self, doc: str) -> None:
        """The comment of a definition that was not read from a text."""
        for line in doc.splitlines():
            self.lines.put(f"# {line}".rstrip())
            self.lines.new(0)

    def _use(self, use: ast.UseDefinition) -> None:
        text = inline.use(use)
        if use.names is None or (self.lines.fits(text) and not self._is_broken(use)):
            self.lines.put(text)
            for name in use.names or ():
                self.lines.at(name.span)
            return
        self.lines.put(text[: text.index("(")])
        self._brackets("()", [(n.span, n.text, _unused) for n in use.names], use.span.start)

    def _function(self, node: ast.FunctionDefinition) -> None:
        self._header(f"fn {node.name.text}", node, "", "", " =", always=True)
        value = inline.expression(node.body)
        if _is_split_after_equal(node) or not self.lines.fits(f" {value}"):
            self.lines.new(INDENT)
        else:
            self.lines.put(" ")
        self._expression(node.body)

    def _header(
        self,
        name: str,
        node: ast.FunctionDefinition | ast.NetDefinition | ast.BlockDefinition,
        inputs: str,
        contract: str,
        end: str = " {",
        *,
        always: bool = False,
    ) -> None:
        """Name, parameters, inputs, contract; broken behind the parameters, or between them."""
        takes = isinstance(node, ast.BlockDefinition) and inline.needs_parameters(node)
        texts = [inline.parameter(p) for p in node.parameters]
        listed = f"({inline.commas(texts)})" if texts or takes or always else ""
        self.lines.put(name)
        first = node.parameters[0].span.start if node.parameters else 0
        is_broken = any(map(self._is_broken, node.parameters)) or _is_split(node.name.span, first)
        if node.parameters and (is_broken or not self.lines.fits(listed + inputs + end)):
            parts = [
                (p.span, text, _unused) for p, text in zip(node.parameters, texts, strict=True)
            ]
            self._brackets("()", parts, node.name.span.end)
        else:
            self.lines.put(listed)
        self.lines.put(inputs)
        if contract and not self.lines.fits(contract + end):
            self.lines.new(INDENT)
            contract = contract.lstrip()
        self.lines.put(contract + (end if end != " {" else ""))

    # --- statements -------------------------------------------------------------------------

    def _definition_body(self, block: ast.BlockDefinition) -> None:
        text = f" {inline.body(block.body)}"
        if self.lines.fits(text) and self.lines.indent == 0 and not self._is_broken(block.body):
            self.lines.put(text)
        else:
            self._body(block.body, 0)

    def _body(self, body: ast.Body, outer: int | None = None) -> None:
        """` {`, a line for each statement, and `}`, indented as the line that they begin on."""
        outer = self.lines.indent if outer is None else outer
        self.lines.open(" {" if self.lines.has_text else "{", _first(body.span))
        for statement in body.statements:
            self.lines.begin(statement.span, outer + INDENT)
            self._statement(statement)
        self.lines.close("}", body.span, outer)

    def _statement(self, node: ast.Statement) -> None:
        match node:
            case ast.OutputStatement(chain=flow) | ast.AssignStatement(chain=flow):
                self.lines.put(inline.before_chain(node))
                self._chain(flow, inline.after_chain(node))
            case ast.ChainStatement(flow):
                self._chain(flow, "")
            case ast.LayerStatement(stage=stage):
                self.lines.put(inline.before_chain(node))
                self._item(stage)
            case ast.LetStatement(name, value):
                self.lines.put(f"let {name.text} = ")
                self._expression(value)
            case ast.InputStatement() | ast.WeightStatement():
                self.lines.put(inline.statement(node))
        self.lines.at(node.span)

    def _chain(self, chain: ast.Chain, end: str) -> None:
        """Items joined by arrows; a line that would be too long is broken before an arrow."""
        outer = self.lines.indent
        before: ast.Item | None = None
        items = inline.items(chain)
        pads = self._pads(items, outer)
        for item in items:
            text = inline.item(item) + (end if item is items[-1] else "")
            if before is not None:
                shown = inline.head(item) if self._is_broken(item) and _has_head(item) else text
                is_split = _is_split(before.span, item.span.start)
                if (
                    self.lines.needs_line(item.span)
                    or is_split
                    or not self.lines.fits(" -> " + shown)
                ):
                    self.lines.begin(item.span, outer + INDENT, apart=False)
                    self.lines.put("-> ")
                else:
                    self.lines.put(f"{' ' * pads.get(item, 0)} -> ")
            self._item(item)
            before = item
        self.lines.put(end)

    def _pads(self, items: Sequence[ast.Item], outer: int) -> dict[ast.Item, int]:
        """Spaces before the first arrow of lines that the author wrote like rows of a table."""
        rows: list[list[ast.Item]] = [[]]
        for item in items:
            if rows[-1] and _is_split(rows[-1][-1].span, item.span.start):
                rows.append([])
            rows[-1].append(item)
        pads: dict[ast.Item, int] = {}
        for table in _tables(rows):
            ends = [self._end(row[0], outer, is_first=row is rows[0]) for row in table]
            pads |= {row[1]: max(ends) - end for row, end in zip(table, ends, strict=True)}
        return pads

    def _end(self, item: ast.Item, outer: int, *, is_first: bool) -> int:
        """The column at which the first item of a row ends."""
        start = self.lines.column if is_first else outer + INDENT + len("-> ")
        return start + len(inline.item(item))

    # --- items of chains --------------------------------------------------------------------

    def _item(self, item: ast.Item) -> None:
        text = inline.item(item)
        if self.lines.fits(text) and not self._is_broken(item):
            self.lines.put(text)
        else:
            self._long_item(item)
        self.lines.at(item.span)

    def _long_item(self, item: ast.Item) -> None:
        match item:
            case ast.Claim(shape):
                self._expression(shape)
            case ast.ValueSource(expr):
                self._expression(expr)
            case ast.TupleSource(chains):
                parts = [(c.span, inline.chain(c), self._writer_of_chain(c)) for c in chains]
                self._brackets("()", parts, item.span.start)
            case ast.ForSource(body=body):
                self.lines.put(f"({inline.head(item)}")
                self._body(body)
                self.lines.put(")")
            case ast.LayerStage():
                self._layer(item)
            case ast.If():
                self._if(item)
            case (
                ast.Group(body=body)
                | ast.Repeat(body=body)
                | ast.For(body=body)
                | ast.Each(body=body)
            ):
                self.lines.put(inline.head(item))
                self._braces(body)

    def _writer_of_chain(self, chain: ast.Chain) -> Callable[[], None]:
        return lambda: self._chain(chain, "")

    def _layer(self, stage: ast.LayerStage) -> None:
        head = inline.head(stage)
        passed = stage.arguments or ()
        name = stage.callee[-1].span
        is_broken = any(map(self._is_broken, passed)) or bool(
            passed and _is_split(name, passed[0].span.start)
        )
        room = " {" if stage.branches else ""
        if is_broken or (passed and not self.lines.fits(head + room)):
            self.lines.put(head.removesuffix(inline.arguments(passed)))
            self._brackets("()", list(map(self._argument, passed)), name.end)
        else:
            self.lines.put(head)
        if stage.branches:
            self._braces(stage.branches)

    def _if(self, branch: ast.If) -> None:
        self.lines.put(inline.head(branch))
        self._body(branch.then)
        if branch.otherwise is None:
            return
        outer = self.lines.indent
        inner = inline.else_if(branch.otherwise)
        if self.lines.needs_line(branch.otherwise.span):
            self.lines.begin(branch.otherwise.span, outer, apart=False)
            self.lines.put("else")
        else:
            self.lines.put(" else")
        if inner:
            self.lines.put(" ")
            self._if(inner)
        else:
            self._body(branch.otherwise)

    def _braces(self, body: ast.Body) -> None:
        text = inline.body(body)
        space = " " if self.lines.has_text else ""
        if self.lines.fits(space + text) and not self._is_broken(body):
            self.lines.put(space + text)
        else:
            self._body(body)

    # --- brackets ---------------------------------------------------------------------------

    def _expression(self, expr: ast.Expr, name: str = "") -> None:
        """An expression; lists, sizes and calls that do not fit are written over several lines."""
        text = name + inline.expression(expr)
        if self.lines.fits(text) and not self._is_broken(expr):
            self.lines.put(text)
            return
        match expr:
            case ast.ListExpr(items) if items:
                self.lines.put(name)
                self._brackets("[]", list(map(self._part, items)), expr.span.start)
            case ast.TupleExpr(items) if items:
                self.lines.put(name)
                self._brackets("()", list(map(self._part, items)), expr.span.start)
            case ast.CallExpr(callee, passed) if passed:
                self.lines.put(name + inline.expression(callee))
                self._brackets("()", list(map(self._argument, passed)), callee.span.end)
            case _:
                self.lines.put(text)

    def _part(self, expr: ast.Expr) -> Bracketed:
        return expr.span, inline.expression(expr), lambda: self._expression(expr)

    def _argument(self, passed: ast.Argument) -> Bracketed:
        name = f"{passed.name.text}=" if passed.name else ""
        return passed.span, inline.argument(passed), lambda: self._expression(passed.value, name)

    def _brackets(self, signs: str, parts: Sequence[Bracketed], start: int) -> None:
        """Parts over several lines: as in the source, where they stand so there, else filled."""
        outer = self.lines.indent
        self.lines.open(signs[0], Span(parts[0][0].source, max(0, start - 1), start))
        before: Span | None = None
        keeps_rows = _is_split_at(parts[0][0], start)
        for number, (span, text, write) in enumerate(parts, 1):
            comma = "," if number < len(parts) else ""
            is_split = keeps_rows and before is not None and _is_split(before, span.start)
            if (
                before is None
                or is_split
                or self.lines.needs_line(span)
                or not self.lines.fits(f" {text}{comma}")
            ):
                self.lines.begin(span, outer + INDENT, apart=False)
            else:
                self.lines.put(" ")
            if write is _unused:
                self.lines.put(text)
            else:
                write()
            self.lines.put(comma)
            self.lines.at(span)
            before = span
        self.lines.close(signs[1], None, outer)

    # --- what can't stand on one line ---------------------------------------------------------

    def _is_broken(self, part: object) -> bool:
        """Whether a part of the tree must run over several lines: it did, or holds a comment."""
        if isinstance(part, tuple):
            return any(map(self._is_broken, part))
        if not hasattr(part, "span"):
            return False
        if part not in self._broken:
            self._broken[part] = self._is_own_broken(part) or any(
                self._is_broken(getattr(part, field.name))
                for field in fields(part)  # type: ignore[arg-type]
                if field.name != "span"
            )
        return self._broken[part]

    def _is_own_broken(self, part: object) -> bool:
        match part:
            case ast.Body(statements, span) if statements:
                ends = (
                    _is_split_at(statements[0].span, span.start),
                    _is_split(statements[-1].span, span.end),
                )
                return any(ends) or (len(statements) > 1 and not span.end)
            case ast.ListExpr(items, span) | ast.TupleExpr(items, span) if items:
                return _is_split_at(items[0].span, span.start) or self._has_comment(span)
            case ast.TupleSource(items, span):
                return _is_split_at(items[0].span, span.start) or self._has_comment(span)
            case ast.LayerStage(callee=callee, arguments=passed) if passed:
                return _is_split(callee[-1].span, passed[0].span.start) or self._has_comment(
                    callee[-1].span.to(passed[-1].span)
                )
            case ast.CallExpr(callee, passed, span) if passed:
                return _is_split(callee.span, passed[0].span.start) or self._has_comment(span)
            case ast.If(span=span) | ast.Body(span=span):
                return self._has_comment(span)
            case _:
                return False

    def _has_comment(self, span: Span) -> bool:
        return self.lines.has_comment(span.start, span.end)


def _tables(rows: Sequence[Sequence[ast.Item]]) -> list[list[Sequence[ast.Item]]]:
    """Rows below each other whose first arrows stand in one column of the source."""
    tables: list[list[Sequence[ast.Item]]] = [[]]
    last = 0
    for row in rows:
        column = _arrow_column(row) if len(row) > 1 else 0
        if column == 0 or column != last:
            tables.append([])
        tables[-1] += [row] if column else []
        last = column
    return [table for table in tables if len(table) > 1]


def _arrow_column(row: Sequence[ast.Item]) -> int:
    """Where the first arrow of a row stands; 0 where its first item takes several lines."""
    span = row[0].span
    if not span.end or "\n" in span.text:
        return 0
    return span.source.position(span.source.text.index("->", span.end))[1]


def _first(span: Span) -> Span:
    """Its first character."""
    return Span(span.source, span.start, min(span.start + 1, span.end))


def _unused() -> None:
    """Stands for a part that is only ever written on one line."""


def _are_apart(before: ast.Definition | None, after: ast.Definition) -> bool:
    """Whether a blank line always stands between two definitions."""
    small = (ast.UseDefinition, ast.FunctionDefinition)
    return before is not None and not (type(before) is type(after) and isinstance(after, small))


def _has_head(item: ast.Item) -> bool:
    return not isinstance(item, ast.Claim | ast.ValueSource | ast.TupleSource)


def _is_split(before: Span, start: int) -> bool:
    """Whether a line ends between a part and the offset at which the next begins."""
    return "\n" in before.source.text[before.end : start]


def _is_split_after_equal(function: ast.FunctionDefinition) -> bool:
    """Whether the expression of a function begins on a line of its own."""
    start = function.parameters[-1].span.end if function.parameters else function.name.span.end
    before = COMMENT.sub("", function.span.source.text[start : function.body.span.start])
    return "\n" in before.partition("=")[2]


def _is_split_at(first: Span, start: int) -> bool:
    """Whether a line ends between an opening bracket and the first part behind it."""
    return "\n" in first.source.text[start : first.start]
