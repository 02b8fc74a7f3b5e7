"""Blocks of a text that are blocks of the library too: the library's are used in their place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar, cast

from netdsl.diagnostics import Sink, Source, Span
from netdsl.elaborate import Unit, load_program
from netdsl.elaborate.program import Block, std_files
from netdsl.elaborate.written import expression
from netdsl.importers.recover.fitting import Goal
from netdsl.importers.recover.trial import Instance
from netdsl.ir.graph import Graph, Kind
from netdsl.syntax import ast
from netdsl.syntax.unparse_inline import expression as text_of
from netdsl.syntax.walk import moved, walk

WORD = re.compile(r'"?([A-Za-z0-9_-]+)"?(?=:|\[)')
BLOCK = re.compile(r"^block (\w+)(.*?)^}", re.MULTILINE | re.DOTALL)
TRIED = 4
"""Blocks of the library that one block is compared with."""
SORTS = 4
"""Calls of a block that are looked at while arguments are searched."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Match:
    """A block of a text as one of the library: its arguments speak of the parameters of the own."""

    own: ast.BlockDefinition
    file: str
    block: Block
    arguments: dict[str, str]


def with_library(tree: ast.File, graph: Graph, is_same: Callable[[ast.File], bool]) -> ast.File:
    """A text with this graph, with blocks of the library where `is_same` then holds."""
    unit = load_program(tree.source, None, (), Sink(), tree)
    assert unit is not None
    for own in tree.definitions:
        if isinstance(own, ast.BlockDefinition) and _name(own) in map(_name, tree.definitions):
            match = _match(own, unit, graph)
            other = tree if match is None else with_match(tree, match)
            if other is not tree and is_same(other):
                tree = other
    return tree


def _match(own: ast.BlockDefinition, unit: Unit, graph: Graph) -> Match | None:
    names = [one.name.text for one in own.parameters]
    calls: dict[frozenset[str], dict[str, Instance]] = {}
    labels: set[str] = set()
    for scope in graph.root.scopes():
        if scope.kind is Kind.BLOCK and scope.definition == own.name.text:
            one = Instance.of(scope, names)
            start = len(scope.path) + 1 if scope.path else 0
            paths = [node.path[start:] for node in scope.nodes() if node.layer.weights]
            labels |= {path.split(".")[0] for path in paths}
            parts = {*paths, *(node.op.name for node in scope.nodes())}
            calls.setdefault(frozenset(parts), {}).setdefault(one.key(), one)
    if not calls:
        return None
    goal = Goal(cast(Block, unit.visible[own.name.text]), _some(calls.values()))
    for file, name in _candidates(own.name.text, labels):
        block = _block(file, name)
        arguments = goal.arguments(block)
        if arguments is not None:
            return Match(own, file, block, arguments)
    return None


def _some(sorts: Iterable[Mapping[str, Instance]]) -> list[Instance]:
    """A few calls of each sort of them: the first, and the last."""
    several = [list(sort.values()) for sort in sorts]
    chosen = [one[0] for one in several[:SORTS]] + [one[-1] for one in several[:SORTS]]
    return list(dict.fromkeys(chosen))[:SORTS]


def _candidates(name: str, labels: set[str]) -> list[tuple[str, str]]:
    """Blocks of the library that have all of these labels, the likest first."""
    fitting = {
        (file, other): len(words)
        for (file, other), words in _labels().items()
        if labels and all(one in words or one.rstrip("0123456789") + "[" in words for one in labels)
    }
    same = name.lower().strip("_")
    likest = sorted(fitting, key=lambda one: (one[1].lower() != same, fitting[one]))
    return likest[:TRIED]


@cache
def _labels() -> dict[tuple[str, str], frozenset[str]]:
    """The words that stand as labels in each block of the library; `name[` where one is counted."""
    words: dict[tuple[str, str], frozenset[str]] = {}
    for file, text in std_files().items():
        for block in BLOCK.finditer(text):
            body = block[2][block[2].index("{") :]
            marks = ((m[1], body[m.end()]) for m in WORD.finditer(body))
            words[file, block[1]] = frozenset(w + "[" * (sign == "[") for w, sign in marks)
    return words


@cache
def _block(file: str, name: str) -> Block:
    unit = load_program(Source("library", f"use {file}"), None, (), Sink())
    assert unit is not None
    return cast(Block, unit.visible[name])


# --- the text with a block of the library ---------------------------------------------------------


def with_match(tree: ast.File, match: Match) -> ast.File:
    """A text that uses a block of the library in the place of its own."""
    rewriting = _Rewriting(match)
    rest = tuple(one for one in tree.definitions if _name(one) != match.own.name.text)
    definitions = _reached(tuple(rewriting.rewritten(one) for one in rest))
    gone = [one for one in tree.definitions if _name(one) not in set(map(_name, definitions))]
    comments = tuple(c for c in tree.comments if not any(_is_of(c, one, tree) for one in gone))
    return replace(tree, definitions=_with_use(definitions, match, tree), comments=comments)


def _name(one: ast.Definition) -> str:
    return "" if isinstance(one, ast.UseDefinition) else one.name.text


def _is_of(comment: ast.Comment, definition: ast.Definition, tree: ast.File) -> bool:
    """Whether a comment stands in a definition, or between it and the one before."""
    ends = [one.span.end for one in tree.definitions]
    before = max((end for end in ends if end <= definition.span.start), default=0)
    return before <= comment.span.start < definition.span.end


def _reached(definitions: tuple[ast.Definition, ...]) -> tuple[ast.Definition, ...]:
    """The definitions without blocks that nothing calls any more."""
    blocks = {one.name.text: one for one in definitions if isinstance(one, ast.BlockDefinition)}
    waiting: list[ast.Definition] = [one for one in definitions if one not in blocks.values()]
    reached: set[str] = set()
    while waiting:
        for part in walk(waiting.pop()):
            name = part.text if isinstance(part, ast.Name) else ""
            if name in blocks and name not in reached:
                reached.add(name)
                waiting.append(blocks[name])
    return tuple(one for one in definitions if _name(one) not in blocks or _name(one) in reached)


def _with_use(
    definitions: tuple[ast.Definition, ...], match: Match, tree: ast.File
) -> tuple[ast.Definition, ...]:
    """The definitions with the line that makes the block visible; a line for each file."""
    place = Span(tree.source, 0, 0)
    path = tuple(match.file.split("."))
    names = {match.block.name}
    others: list[ast.Definition] = []
    uses: list[ast.UseDefinition] = []
    for one in definitions:
        if not isinstance(one, ast.UseDefinition):
            others.append(one)
        elif one.path == path:
            names |= {name.text for name in one.names or ()}
        else:
            uses.append(one)
    listed = tuple(ast.Name(name, place) for name in sorted(names))
    uses.append(ast.UseDefinition(path, False, listed, None, place))
    uses.sort(key=_path)
    return (*uses, *others)


def _path(use: ast.UseDefinition) -> tuple[str, ...]:
    return use.path


class _Rewriting:
    """Writes calls of one block as calls of another."""

    def __init__(self, match: Match) -> None:
        self.match = match
        self.own = match.own.name.text
        self.expressions = {
            name: _expression(text, match.own.span) for name, text in match.arguments.items()
        }

    def rewritten(self, tree: T) -> T:
        """A part of a tree with all calls in it."""
        if isinstance(tree, tuple):
            return cast(T, tuple(map(self.rewritten, cast("tuple[object, ...]", tree))))
        if isinstance(tree, Span | Source) or not hasattr(tree, "__dataclass_fields__"):
            return tree
        names = [n for n in cast(Any, tree).__dataclass_fields__ if n not in ("span", "source")]
        new = {name: self.rewritten(getattr(tree, name)) for name in names}
        node = replace(cast(Any, tree), **new)
        is_call = isinstance(node, ast.LayerStage) and [n.text for n in node.callee] == [self.own]
        return cast(T, self.call(node) if is_call else node)

    def call(self, stage: ast.LayerStage) -> ast.LayerStage:
        """A call of the own block as one of the library's."""
        values = bound(self.match.own, stage)
        passed: list[ast.Argument] = []
        by_place = True
        for one in self.match.block.definition.parameters:
            expr = self.expressions.get(one.name.text)
            value = None if expr is None else moved(substituted(expr, values), stage.span)
            is_default = one.default is not None and (
                value is None or text_of(value) == text_of(one.default)
            )
            by_place = by_place and one.default is None
            if not is_default and value is not None:
                name = None if by_place else ast.Name(one.name.text, stage.span)
                passed.append(ast.Argument(name, value, stage.span))
        name = ast.Name(self.match.block.name, stage.callee[0].span)
        return replace(stage, callee=(name,), arguments=tuple(passed) or None)


def _expression(text: str, span: Span) -> ast.Expr:
    tree = expression(text, "argument", span, Sink())
    assert tree is not None
    return tree


def bound(block: ast.BlockDefinition, stage: ast.LayerStage) -> dict[str, ast.Expr]:
    """What each parameter of a block is in a call of it."""
    values = {p.name.text: p.default for p in block.parameters if p.default is not None}
    for place, one in enumerate(stage.arguments or ()):
        name = one.name.text if one.name else block.parameters[place].name.text
        values[name] = one.value
    return values


def substituted(expr: ast.Expr, values: dict[str, ast.Expr]) -> ast.Expr:
    """An expression with the values of names in their place."""
    match expr:
        case ast.NameExpr(name):
            return values.get(name, expr)
        case ast.Binary():
            left, right = substituted(expr.left, values), substituted(expr.right, values)
            return replace(expr, left=left, right=right)
        case _:
            return expr
