"""From a program to text in the language, proved to say the same, and to its tree."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from netdsl.diagnostics import DiagnosticError, Sink, Source
from netdsl.elaborate import elaborate, load_program
from netdsl.importers.drafted import in_force
from netdsl.importers.equal import difference
from netdsl.importers.flat import flat
from netdsl.importers.frontend import Answer, Origin, Question, front_end
from netdsl.importers.growing import gather
from netdsl.importers.joining import join
from netdsl.importers.marked import Marks, Places
from netdsl.importers.program import Program
from netdsl.importers.recover import recovered
from netdsl.importers.recover.classes import name_classes
from netdsl.importers.recover.library import with_library
from netdsl.importers.settings import settle
from netdsl.ir.graph import Graph
from netdsl.syntax import ast, parse
from netdsl.syntax.unparse import unparse
from netdsl.syntax.walk import placed

RAISES = os.environ.get("NETDSL_DEBUG", "0") != "0"
"""Whether an error in the search for structure surfaces; else the text is without structure."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A source as text of the language, and its tree, with every part at its place in the source.

    `is_flat` is True where its structure could not be told, so that each call is a line; `fixed`
    says why it has the sizes of its source, where open ones were tried.
    """

    text: str
    tree: ast.File
    answer: Answer
    is_flat: bool = False
    fixed: str = ""

    def origin(self) -> Origin:
        """What the network brings along."""
        answer = self.answer
        flat = ("no structure was found in it: each call is a line",) * self.is_flat
        fixed = (self.fixed,) * bool(self.fixed)
        remarks = (*answer.remarks, *fixed, *flat)
        return Origin(answer.numbers, remarks, answer.runs, answer.plugins)


def read(question: Question) -> Imported:
    """Import a source. Raises `DiagnosticError`, located in the source."""
    return imported(front_end(question.source).read(question))


def imported(answer: Answer) -> Imported:
    """The text of a program: with structure, where that says the same as its calls alone."""
    with in_force(answer.plugins):
        return _imported(answer)


def _imported(answer: Answer) -> Imported:
    program = answer.program
    settle(program)
    gather(program)
    join(program)
    straight, fixed = _checked(program)
    complete_from(straight, program)
    try:
        text, tree = _structured(straight, program)
    except Exception:  # whatever is wrong with the search for structure, the calls are known
        if RAISES:
            raise
        return Imported(*_written(flat, program), answer, is_flat=True, fixed=fixed)
    return Imported(text, tree, answer, fixed=fixed)


def _structured(straight: Graph, program: Program) -> tuple[str, ast.File]:
    """The program as text with structure, and its tree, which says the same as the graph."""
    name_classes(program)
    plain, tree, places = _parsed(recovered, program)
    sink = Sink()
    graph = _elaborated(tree, sink)
    other = difference(straight, graph) if graph else "; ".join(map(str, sink.diagnostics))
    if graph is None or other:
        raise AssertionError(f"the text with structure says something else: {other}\n{plain}")
    tree = with_library(tree, graph, lambda one: _is_clean(one, straight))
    return _laid_out(plain, tree, places)


def _is_clean(tree: ast.File, straight: Graph) -> bool:
    """Whether a tree says the same as a graph, and nothing that the compiler would mention."""
    sink = Sink()
    graph = _elaborated(tree, sink)
    return graph is not None and not sink.diagnostics and not difference(straight, graph)


def complete_from(straight: Graph, program: Program) -> None:
    """Give values their shapes, and layers their paths, where the source says none.

    An axis whose size is open has the size 0 then.
    """
    nodes = (node for node in straight.nodes() if node.op.name)
    for call, node in zip(program.root.calls(), nodes, strict=True):
        if not call.path and node.layer.weights:
            call.path = tuple(node.path.split("."))
        for value, result in zip(call.outputs, node.outputs, strict=True):
            if value.shape is None:
                sizes = result.type.shape
                value.shape = tuple(size if isinstance(size, int) else 0 for size in sizes)
    for one, declared in zip(program.inputs, straight.inputs, strict=True):
        if one.value.shape is None:
            sizes = declared.value.type.shape
            one.value.shape = tuple(size if isinstance(size, int) else 0 for size in sizes)


def difference_of(straight: Graph, tree: ast.File) -> str:
    """What a tree says otherwise than a graph, in a sentence; empty if it says the same."""
    sink = Sink()
    graph = _elaborated(tree, sink)
    if graph is None:
        return "; ".join(map(str, sink.diagnostics))
    return difference(straight, graph)


def _checked(program: Program) -> tuple[Graph, str]:
    """The graph of a program, call by call; at the sizes of its source where no others work.

    Then with the reason.

    Raises `DiagnosticError` for what the language does not take.
    """
    sinks = [Sink(), Sink()]
    graph = _elaborated(_straight(program), sinks[0])
    if graph is not None:
        return graph, ""
    open_shapes = [one.shape for one in program.inputs]
    for one in program.inputs:
        if one.value.shape is not None:
            one.shape, one.where = one.value.shape, []
    if [one.shape for one in program.inputs] == open_shapes:
        raise DiagnosticError(sinks[0].diagnostics)
    graph = _elaborated(_straight(program), sinks[1])
    if graph is None:
        raise DiagnosticError(sinks[1].diagnostics)
    first = next(one for one in sinks[0].diagnostics if one.is_error)
    place = f" ({first.span})" if first.span else ""
    return graph, f"it is read at the sizes of its source; at open ones {first.message}{place}"


def _straight(program: Program) -> ast.File:
    """The tree of a program, call by call, placed in its source."""
    plain, tree, places = _parsed(flat, program)
    find = places.finder(plain)
    definitions = tuple(placed(one, find) for one in tree.definitions)
    return ast.File(program.root.origin.source, definitions, ())


def _written(write: Callable[[Program, Marks], str], program: Program) -> tuple[str, ast.File]:
    """A program as text in the canonical layout, and as a tree placed in its source."""
    return _laid_out(*_parsed(write, program))


def _laid_out(plain: str, tree: ast.File, places: Places) -> tuple[str, ast.File]:
    """A tree in the canonical layout, and placed in the source; its parts stand in a text."""
    find = places.finder(plain)
    definitions = tuple(placed(one, find) for one in tree.definitions)
    return unparse(tree), ast.File(definitions[-1].span.source, definitions, ())


def _parsed(
    write: Callable[[Program, Marks], str], program: Program
) -> tuple[str, ast.File, Places]:
    """A program as text, its tree, and where the parts of the text come from."""
    marks, sink = Marks(), Sink()
    plain, places = marks.read(write(program, marks))
    tree = parse(Source("import", plain), sink)
    if tree is None:
        raise AssertionError(f"{sink.diagnostics[0]}\n{plain}")
    return plain, tree, places


def _elaborated(tree: ast.File, sink: Sink) -> Graph | None:
    unit = load_program(tree.source, None, (), sink, tree)
    return elaborate(unit, sink) if unit is not None else None
