"""Parts of a syntax tree as text on one line, in the canonical spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from netdsl.diagnostics import Span
from netdsl.syntax import ast
from netdsl.syntax.pieces import TYPES

BARE_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+")
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
LEVELS = {"or": 1, "and": 2, "+": 6, "-": 6, "*": 7, "/": 7, "//": 7, "%": 7, "**": 9}
"""How tight the operators of two operands bind; see `_level`."""
POSTFIX = 10


# --- expressions ---------------------------------------------------------------------------


def expression(expr: ast.Expr, least: int = 0) -> str:
    """An expression, in parentheses where it binds less tightly than `least`."""
    text = _bare(expr)
    return f"({text})" if _level(expr) < least else text


def _level(expr: ast.Expr) -> int:
    """How tight an expression binds: the rules of the grammar, loosest first."""
    match expr:
        case ast.Conditional():
            return 0
        case ast.Binary(operator):
            return LEVELS[operator]
        case ast.Unary(operator):
            return 3 if operator == "not" else 8
        case ast.Compare():
            return 4
        case ast.Range():
            return 5
        case _:
            return POSTFIX


def _bare(expr: ast.Expr) -> str:
    match expr:
        case ast.Number(value, span):
            return number(value, span)
        case ast.Text(value):
            return f'"{value}"'
        case ast.Truth(value):
            return "true" if value else "false"
        case ast.SizeLiteral(parts, span):
            return _size(parts, span)
        case ast.ListExpr(items):
            return f"[{commas(map(expression, items))}]"
        case ast.TupleExpr(items):
            return f"({commas(map(expression, items))})"
        case ast.NameExpr(name):
            return name
        case ast.Attribute(base, name):
            return f"{expression(base, POSTFIX)}.{name.text}"
        case ast.Index(base, index):
            return f"{expression(base, POSTFIX)}[{expression(index)}]"
        case ast.Slice(base, start, stop):
            ends = (expression(end, 6) if end else "" for end in (start, stop))
            return f"{expression(base, POSTFIX)}[{'..'.join(ends)}]"
        case ast.CallExpr(callee, passed):
            return f"{expression(callee)}{arguments(passed)}"
        case _:
            return _operation(expr)


def _operation(expr: ast.Expr) -> str:
    level = _level(expr)
    match expr:
        case ast.Unary(operator, operand):
            return f"{operator}{' ' * (operator == 'not')}{expression(operand, level)}"
        case ast.Binary("**", left, right):
            return f"{expression(left, POSTFIX)} ** {expression(right, 8)}"
        case ast.Binary(operator, left, right):
            return f"{expression(left, level)} {operator} {expression(right, level + 1)}"
        case ast.Compare(operands, operators):
            first, *others = (expression(operand, 5) for operand in operands)
            pairs = zip(operators, others, strict=True)
            return " ".join([first, *(f"{operator} {other}" for operator, other in pairs)])
        case ast.Conditional(condition, then, otherwise):
            return (
                f"{expression(then, 1)} if {expression(condition, 1)} else {expression(otherwise)}"
            )
        case ast.Range(start, stop):
            return f"{expression(start, 6)}..{expression(stop, 6)}"
        case _:
            raise TypeError(f"{type(expr).__name__} is no expression")


def number(value: int | float, span: Span) -> str:
    """A number as its author spelled it; where no text is behind the tree, the shortest way."""
    written = span.text
    if NUMBER.fullmatch(written) and _read(written) == (type(value), value):
        return written
    return re.sub(r"e([+-]?)0*", lambda m: "e" + m[1].strip("+"), repr(value))


def _read(text: str) -> tuple[type, int | float]:
    value = int(text) if text.isdigit() else float(text)
    return type(value), value


def _size(parts: Sequence[int | float], span: Span) -> str:
    texts = span.text.split("x")
    is_size = len(texts) == len(parts) and all(map(NUMBER.fullmatch, texts))
    if is_size and [_read(text)[1] for text in texts] == list(parts):
        return span.text
    return "x".join(map(repr, parts))


def arguments(passed: Sequence[ast.Argument]) -> str:
    return f"({commas(map(argument, passed))})"


def argument(passed: ast.Argument) -> str:
    value = expression(passed.value)
    return f"{passed.name.text}={value}" if passed.name else value


def commas(texts: Iterable[str]) -> str:
    return ", ".join(texts)


# --- chains --------------------------------------------------------------------------------


def label(name: ast.Label | None) -> str:
    """`conv1: `, with the space behind it; nothing where there is none."""
    return f"{label_name(name)}: " if name else ""


def label_name(name: ast.Label) -> str:
    return ".".join(map(_label_part, name.parts))


def _label_part(part: ast.LabelPart) -> str:
    index = f"[{expression(part.index)}]" if part.index else ""
    if part.index and not part.text and not part.is_quoted:
        return index
    is_bare = BARE_LABEL.fullmatch(part.text) and not part.is_quoted
    return (part.text if is_bare else f'"{part.text}"') + index


def chain(flow: ast.Chain) -> str:
    return " -> ".join(map(item, items(flow)))


def items(flow: ast.Chain) -> tuple[ast.Item, ...]:
    """All that the arrows of a chain join."""
    return flow.stages if flow.head is None else (flow.head, *flow.stages)


def item(node: ast.Item) -> str:
    """One item of a chain."""
    match node:
        case ast.ValueSource(expr):
            return expression(expr)
        case ast.TupleSource(chains):
            return f"({commas(map(chain, chains))})"
        case ast.ForSource(body=inner):
            return f"({head(node)} {body(inner)})"
        case ast.Claim(shape):
            return expression(shape)
        case ast.LayerStage(branches=inner):
            return head(node) + (f" {body(inner)}" if inner else "")
        case ast.If(then=then, otherwise=otherwise):
            return f"{head(node)} {body(then)}" + (
                f" else {_otherwise(otherwise)}" if otherwise else ""
            )
        case ast.Group(body=inner) | ast.Repeat(body=inner) | ast.For(body=inner):
            return f"{head(node)} {body(inner)}".lstrip()
        case ast.Each(body=inner):
            return f"{head(node)} {body(inner)}"


def head(node: ast.Item) -> str:
    """What stands before the braces of an item: label, name, arguments, the words of a loop."""
    match node:
        case ast.LayerStage(named, callee, passed):
            name = "inline " * node.is_inline + ".".join(part.text for part in callee)
            return label(named) + name + (arguments(passed) if passed is not None else "")
        case ast.Each(named):
            return f"{label(named)}each"
        case ast.Group(named):
            return label(named).rstrip()
        case ast.Repeat(named, count):
            return f"{label(named)}repeat {expression(count)}"
        case ast.For(named, targets, iterable):
            return f"{label(named)}for {_targets(targets)} in {expression(iterable)}"
        case ast.ForSource(targets, iterable):
            return f"for {_targets(targets)} in {expression(iterable)}"
        case ast.If(named, condition):
            return f"{label(named)}if {expression(condition)}"
        case _:
            raise TypeError(f"{type(node).__name__} has no head")


def _targets(names: Sequence[ast.Name]) -> str:
    texts = commas(name.text for name in names)
    return f"({texts})" if len(names) > 1 else texts


def else_if(body: ast.Body) -> ast.If | None:
    """The `if` that stands directly behind an `else`."""
    match body.statements:
        case (ast.ChainStatement(ast.Chain(None, (ast.If(label=None) as inner,))),):
            return inner
        case _:
            return None


def _otherwise(otherwise: ast.Body) -> str:
    inner = else_if(otherwise)
    return item(inner) if inner else body(otherwise)


def body(inner: ast.Body) -> str:
    return f"{{ {' ; '.join(map(statement, inner.statements))} }}"


# --- statements and definitions ------------------------------------------------------------


def statement(node: ast.Statement) -> str:
    match node:
        case ast.OutputStatement(chain=flow) | ast.AssignStatement(chain=flow):
            return before_chain(node) + chain(flow) + after_chain(node)
        case ast.ChainStatement(flow):
            return chain(flow)
        case ast.LayerStatement(stage=stage):
            return before_chain(node) + item(stage)
        case ast.InputStatement(name, dtype, shape, where):
            kind = f"{dtype.text} " if dtype else ""
            allowed = f" where {commas(map(expression, where))}" if where else ""
            return f"input {name.text}: {kind}{expression(shape)}{allowed}"
        case ast.LetStatement(name, value):
            return f"let {name.text} = {expression(value)}"
        case ast.WeightStatement(named, kind, dtype, shape, fill):
            words = "".join(f"{word.text} " for word in (kind, dtype) if word)
            filled = f" = {expression(fill)}" if fill else ""
            return f"weight {label_name(named)}: {words}{expression(shape)}{filled}"


def before_chain(node: ast.Statement) -> str:
    """What stands left of the chain of a statement."""
    match node:
        case ast.OutputStatement(name):
            return f"output {name.text} = "
        case ast.AssignStatement(targets, is_tuple):
            names = commas(name.text for name in targets)
            return f"({names}) = " if is_tuple else f"{names} = "
        case ast.LayerStatement(name):
            return f"layer {name.text} = "
        case _:
            return ""


def after_chain(node: ast.Statement) -> str:
    is_training = isinstance(node, ast.OutputStatement) and node.when_training
    return " when training" if is_training else ""


def use(node: ast.UseDefinition) -> str:
    path = f'"{node.path[0]}"' if node.quoted else ".".join(node.path)
    names = f" ({commas(name.text for name in node.names)})" if node.names is not None else ""
    return f"use {path}{names}" + (f" as {node.alias.text}" if node.alias else "")


def parameter(node: ast.Parameter) -> str:
    kind = "[" * node.type.depth + node.type.name + "]" * node.type.depth
    default = f" = {expression(node.default)}" if node.default else ""
    return f"{node.name.text}: {kind}{default}"


def named_inputs(block: ast.BlockDefinition) -> str:
    """The inputs of a block in parentheses, a space before them; nothing if none has a name."""
    inputs = block.inputs
    if inputs is None or any(one.name is None for one in inputs):
        return ""
    shapes = [f"{one.name.text}{_shape(one.shape)}" for one in inputs if one.name]
    return f" ({commas(shapes)})"


def _shape(shape: ast.ListExpr | None) -> str:
    return f": {expression(shape)}" if shape else ""


def needs_parameters(block: ast.BlockDefinition) -> bool:
    """Whether empty parentheses must tell that those behind them are inputs."""
    if not block.inputs:
        return block.inputs is not None
    return all(one.shape is not None and _looks_like_type(one.shape) for one in block.inputs)


def _looks_like_type(shape: ast.Expr) -> bool:
    while isinstance(shape, ast.ListExpr) and len(shape.items) == 1:
        (shape,) = shape.items
    return isinstance(shape, ast.NameExpr) and shape.name in TYPES


def contract(block: ast.BlockDefinition) -> str:
    """` : [C, H, W] -> [C, H, W]`, what a block promises, with a space before it."""
    if block.results is None:
        return ""
    unnamed = [one.shape for one in block.inputs or () if one.name is None and one.shape]
    taken = f" : {expression(unnamed[0])}" if unnamed else ""
    results = commas(map(expression, block.results))
    return f"{taken} -> " + (f"({results})" if len(block.results) > 1 else results)
