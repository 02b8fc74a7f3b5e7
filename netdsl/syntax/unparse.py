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

    def definition(self, made: ast.Definition, before: ast.Definition | None) -> None:
        self.lines.begin(made.span, 0, apart=_are_apart(before, made) or None)
        if not made.span.end and not isinstance(made, ast.UseDefinition):
            self._documentation(made.doc)
        match made:
            case ast.UseDefinition():
                self._use(made)
            case ast.FunctionDefinition():
                self._function(made)
            case ast.NetDefinition():
                self._header(f"net {made.name.text}", made, "", "")
                self._body(made.body, 0)
            case ast.BlockDefinition():
                inputs = inline.named_inputs(made)
                self._header(f"block {made.name.text}", made, inputs, inline.contract(made))
                self._definition_body(made)
        self.lines.at(made.span)

    def _documentation(self, doc: str) -> None:
        """The comment of a definition that was not read from a text."""
        for line in doc.splitlines():
            self.lines.put(f"# {line}".rstrip())
            self.lines.new(0)

    def _use(self, made: ast.UseDefinition) -> None:
        text = inline.use(made)
        if made.names is None or (self.lines.fits(text) and not self._is_broken(made)):
            self.lines.put(text)
            for name in made.names or ():
                self.lines.at(name.span)
            return
        self.lines.put(text[: text.index("(")])
        self._brackets("()", [(n.span, n.text, _unused) for n in made.names], made.span.start)

    def _function(self, made: ast.FunctionDefinition) -> None:
        self._header(f"fn {made.name.text}", made, "", "", " =", always=True)
        value = inline.expression(made.body)
        if _is_split_after_equal(made) or not self.lines.fits(f" {value}"):
            self.lines.new(INDENT)
        else:
            self.lines.put(" ")
        self._expression(made.body)

    def _header(
        self,
        name: str,
        made: ast.FunctionDefinition | ast.NetDefinition | ast.BlockDefinition,
        inputs: str,
        contract: str,
        end: str = " {",
        *,
        always: bool = False,
    ) -> None:
        """Name, parameters, inputs, contract; broken behind the parameters, or between them."""
        takes = isinstance(made, ast.BlockDefinition) and inline.needs_parameters(made)
        texts = [inline.parameter(p) for p in made.parameters]
        listed = f"({inline.commas(texts)})" if texts or takes or always else ""
        self.lines.put(name)
        first = made.parameters[0].span.start if made.parameters else 0
        is_broken = any(map(self._is_broken, made.parameters)) or _is_split(made.name.span, first)
        if made.parameters and (is_broken or not self.lines.fits(listed + inputs + end)):
            parts = [
                (p.span, text, _unused) for p, text in zip(made.parameters, texts, strict=True)
            ]
            self._brackets("()", parts, made.name.span.end)
        else:
            self.lines.put(listed)
        self.lines.put(inputs)
        if contract and not self.lines.fits(contract + end):
            self.lines.new(INDENT)
            contract = contract.lstrip()
        self.lines.put(contract + (end if end != " {" else ""))

    # --- statements -------------------------------------------------------------------------

    def _definition_body(self, made: ast.BlockDefinition) -> None:
        text = f" {inline.body(made.body)}"
        if self.lines.fits(text) and self.lines.indent == 0 and not self._is_broken(made.body):
            self.lines.put(text)
        else:
            self._body(made.body, 0)

    def _body(self, made: ast.Body, outer: int | None = None) -> None:
        """` {`, a line for each statement, and `}`, indented as the line that they begin on."""
        outer = self.lines.indent if outer is None else outer
        self.lines.open(" {" if self.lines.has_text else "{", _first(made.span))
        for statement in made.statements:
            self.lines.begin(statement.span, outer + INDENT)
            self._statement(statement)
        self.lines.close("}", made.span, outer)

    def _statement(self, made: ast.Statement) -> None:
        match made:
            case ast.OutputStatement(chain=flow) | ast.AssignStatement(chain=flow):
                self.lines.put(inline.before_chain(made))
                self._chain(flow, inline.after_chain(made))
            case ast.ChainStatement(flow):
                self._chain(flow, "")
            case ast.LayerStatement(stage=stage):
                self.lines.put(inline.before_chain(made))
                self._item(stage)
            case ast.LetStatement(name, value):
                self.lines.put(f"let {name.text} = ")
                self._expression(value)
            case ast.InputStatement() | ast.WeightStatement():
                self.lines.put(inline.statement(made))
        self.lines.at(made.span)

    def _chain(self, made: ast.Chain, end: str) -> None:
        """Items joined by arrows; a line that would be too long is broken before an arrow."""
        outer = self.lines.indent
        before: ast.Item | None = None
        items = inline.items(made)
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

    def _item(self, made: ast.Item) -> None:
        text = inline.item(made)
        if self.lines.fits(text) and not self._is_broken(made):
            self.lines.put(text)
        else:
            self._long_item(made)
        self.lines.at(made.span)

    def _long_item(self, made: ast.Item) -> None:
        match made:
            case ast.Claim(shape):
                self._expression(shape)
            case ast.ValueSource(expr):
                self._expression(expr)
            case ast.TupleSource(chains):
                parts = [(c.span, inline.chain(c), self._writer_of_chain(c)) for c in chains]
                self._brackets("()", parts, made.span.start)
            case ast.ForSource(body=body):
                self.lines.put(f"({inline.head(made)}")
                self._body(body)
                self.lines.put(")")
            case ast.LayerStage():
                self._layer(made)
            case ast.If():
                self._if(made)
            case ast.Group(body=body) | ast.Repeat(body=body) | ast.For(body=body):
                self.lines.put(inline.head(made))
                self._braces(body)

    def _writer_of_chain(self, made: ast.Chain) -> Callable[[], None]:
        return lambda: self._chain(made, "")

    def _layer(self, made: ast.LayerStage) -> None:
        head = inline.head(made)
        passed = made.arguments or ()
        name = made.callee[-1].span
        is_broken = any(map(self._is_broken, passed)) or bool(
            passed and _is_split(name, passed[0].span.start)
        )
        room = " {" if made.branches else ""
        if is_broken or (passed and not self.lines.fits(head + room)):
            self.lines.put(head.removesuffix(inline.arguments(passed)))
            self._brackets("()", list(map(self._argument, passed)), name.end)
        else:
            self.lines.put(head)
        if made.branches:
            self._braces(made.branches)

    def _if(self, made: ast.If) -> None:
        self.lines.put(inline.head(made))
        self._body(made.then)
        if made.otherwise is None:
            return
        outer = self.lines.indent
        inner = inline.else_if(made.otherwise)
        if self.lines.needs_line(made.otherwise.span):
            self.lines.begin(made.otherwise.span, outer, apart=False)
            self.lines.put("else")
        else:
            self.lines.put(" else")
        if inner:
            self.lines.put(" ")
            self._if(inner)
        else:
            self._body(made.otherwise)

    def _braces(self, made: ast.Body) -> None:
        text = inline.body(made)
        space = " " if self.lines.has_text else ""
        if self.lines.fits(space + text) and not self._is_broken(made):
            self.lines.put(space + text)
        else:
            self._body(made)

    # --- brackets ---------------------------------------------------------------------------

    def _expression(self, made: ast.Expr, name: str = "") -> None:
        """An expression; lists, sizes and calls that do not fit are written over several lines."""
        text = name + inline.expression(made)
        if self.lines.fits(text) and not self._is_broken(made):
            self.lines.put(text)
            return
        match made:
            case ast.ListExpr(items) if items:
                self.lines.put(name)
                self._brackets("[]", list(map(self._part, items)), made.span.start)
            case ast.TupleExpr(items) if items:
                self.lines.put(name)
                self._brackets("()", list(map(self._part, items)), made.span.start)
            case ast.CallExpr(callee, passed) if passed:
                self.lines.put(name + inline.expression(callee))
                self._brackets("()", list(map(self._argument, passed)), callee.span.end)
            case _:
                self.lines.put(text)

    def _part(self, made: ast.Expr) -> Bracketed:
        return made.span, inline.expression(made), lambda: self._expression(made)

    def _argument(self, made: ast.Argument) -> Bracketed:
        name = f"{made.name.text}=" if made.name else ""
        return made.span, inline.argument(made), lambda: self._expression(made.value, name)

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

    def _is_broken(self, made: object) -> bool:
        """Whether a part of the tree must run over several lines: it did, or holds a comment."""
        if isinstance(made, tuple):
            return any(map(self._is_broken, made))
        if not hasattr(made, "span"):
            return False
        if made not in self._broken:
            self._broken[made] = self._is_own_broken(made) or any(
                self._is_broken(getattr(made, field.name))
                for field in fields(made)  # type: ignore[arg-type]
                if field.name != "span"
            )
        return self._broken[made]

    def _is_own_broken(self, made: object) -> bool:
        match made:
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


def _are_apart(before: ast.Definition | None, made: ast.Definition) -> bool:
    """Whether a blank line always stands between two definitions."""
    small = (ast.UseDefinition, ast.FunctionDefinition)
    return before is not None and not (type(before) is type(made) and isinstance(made, small))


def _has_head(made: ast.Item) -> bool:
    return not isinstance(made, ast.Claim | ast.ValueSource | ast.TupleSource)


def _is_split(before: Span, start: int) -> bool:
    """Whether a line ends between a part and the offset at which the next begins."""
    return "\n" in before.source.text[before.end : start]


def _is_split_after_equal(made: ast.FunctionDefinition) -> bool:
    """Whether the expression of a function begins on a line of its own."""
    start = made.parameters[-1].span.end if made.parameters else made.name.span.end
    before = COMMENT.sub("", made.span.source.text[start : made.body.span.start])
    return "\n" in before.partition("=")[2]


def _is_split_at(first: Span, start: int) -> bool:
    """Whether a line ends between an opening bracket and the first part behind it."""
    return "\n" in first.source.text[start : first.start]
