"""YAML as plain values that know where they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from netdsl.diagnostics import Diagnostic, DiagnosticError, Source, Span

MOST_PARTS = 100_000
DEEPEST = 50
KINDS: dict[str, Callable[[str], object]] = {
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:bool": lambda text: text.lower() in ("true", "yes", "on"),
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:str": str,
}


@dataclass(frozen=True, eq=False, slots=True)
class Scalar:
    """A text, a number, true, false or nothing; `written` is how it stands in the file."""

    value: object
    written: str
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Listing:
    """A list."""

    items: tuple[Tree, ...]
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """A mapping; each entry has its key and its value."""

    entries: dict[str, tuple[Scalar, Tree]]
    span: Span


Tree: TypeAlias = Scalar | Listing | Table


def wrong(message: str, span: Span | None, help: str = "") -> DiagnosticError:
    """The error of a build file."""
    return DiagnosticError(
        [Diagnostic("bad-build-file", message, span, help=(help,) if help else ())]
    )


def tree(source: Source) -> Tree:
    """The tree of a text in YAML. Raises `DiagnosticError`."""
    try:
        node = yaml.compose(source.text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = mark.index if mark else 0
        problem = error.problem or error.context or "it can't be read"
        raise wrong(f"this is no YAML: {problem}", Span(source, at, at + 1)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise wrong(f"this is no YAML: {error}", Span(source, 0, 0)) from None
    except RecursionError:
        raise wrong("this is nested too deeply", Span(source, 0, 0)) from None
    if node is None:
        raise wrong("the file is empty", Span(source, 0, 0))
    return _Reader(source).read(node, 0)


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source, self.parts = source, 0

    def read(self, node: yaml.Node, depth: int) -> Tree:
        span = Span(self.source, node.start_mark.index, node.end_mark.index)
        self.parts += 1
        if depth > DEEPEST or self.parts > MOST_PARTS:  # aliases make a small file endless
            raise wrong("this is nested too deeply, or repeats itself too often", span)
        if isinstance(node, yaml.MappingNode):
            return self._table(node, span, depth)
        if isinstance(node, yaml.SequenceNode):
            return Listing(tuple(self.read(item, depth + 1) for item in node.value), span)
        return self._scalar(node, span)

    def _scalar(self, node: yaml.Node, span: Span) -> Scalar:
        convert = KINDS.get(node.tag, str)
        try:
            return Scalar(convert(node.value), node.value, span)
        except ValueError:  # a number in one of YAML's other notations
            return Scalar(node.value, node.value, span)

    def _table(self, node: yaml.MappingNode, span: Span, depth: int) -> Table:
        entries: dict[str, tuple[Scalar, Tree]] = {}
        for key_node, value_node in node.value:
            key = self.read(key_node, depth + 1)
            if not isinstance(key, Scalar):
                raise wrong("a key is a word", key.span)
            if key.written in entries:
                raise wrong(f"`{key.written}` stands here twice", key.span)
            entries[key.written] = (key, self.read(value_node, depth + 1))
        return Table(entries, span)
