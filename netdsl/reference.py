"""What each layer and each block of the library is, read from their own docs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from itertools import zip_longest
from textwrap import fill, shorten, wrap

from netdsl.analyses.cost import counted
from netdsl.diagnostics import DiagnosticError, Sink, Source
from netdsl.driver import loads
from netdsl.elaborate.program import std_files
from netdsl.elaborate.unknown import guess_layer
from netdsl.network import Network
from netdsl.ops import registry
from netdsl.ops.base import Op
from netdsl.ops.facts import FAMILIES
from netdsl.ops.op_parameters import parameters
from netdsl.ops.params import Same, show
from netdsl.ops.plugins import installed, installed_names
from netdsl.syntax import ast, parse

ROW = re.compile(
    r"^\s*(?P<stage>[A-Za-z_0-9]+(?:\(.*?\))?(?: -> .*\})?): (?P<inputs>.*\]) -> (?P<outputs>.*\])$"
)
SHAPE = re.compile(r"(?:[a-z]+[0-9]* )?\[[^\]]*\]")
TABLE = "weight "
"""Before the shape of what comes in where that is a table."""
TIED = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
NARROW = 30
"""Letters that a column of docs has at least."""


@dataclass(frozen=True, slots=True)
class Example:
    """A row of a doc: `conv(8, 3): [3, 8, 8] -> [8, 6, 6]`.

    What comes in is called `x` in it, so that a table may meet it: `positions -> add { x ; in }`;
    of several values, `x0`, `x1`, ..., those that it names do not flow. `weight [4, 3]` is a table,
    and what it gives meets a value behind the stage.
    """

    stage: str
    inputs: tuple[str, ...]
    outputs: str
    use: str = ""

    def __str__(self) -> str:
        return f"{self.stage}: {', '.join(self.inputs)} -> {self.outputs}"

    def network(self) -> Network:
        """A network of this stage alone. Raises `DiagnosticError` where the row is wrong."""
        count = len(self.inputs)
        called = ["x"] if count == 1 else [f"x{i}" for i in range(count)]
        lines = [
            f"    weight {name}: frozen {shape.removeprefix(TABLE)}"
            if shape.startswith(TABLE)
            else f"    input {name}: {shape}"
            for name, shape in zip(called, self.inputs, strict=True)
        ]
        flowing = [
            name for name in called if count == 1 or not re.search(rf"\b{name}\b", self.stage)
        ]
        source = f"({', '.join(flowing)})" if len(flowing) > 1 else flowing[0]
        shapes = SHAPE.findall(self.outputs)
        names = [f"y{i}" for i in range(len(shapes))]
        lines.append(f"    ({', '.join(names)}) = {source} -> {self.stage}")
        if all(shape.startswith(TABLE) for shape in self.inputs):
            lines += [f"    input {n}_met: {shape}" for n, shape in zip(names, shapes, strict=True)]
            lines += [f"    output o_{name} = ({name}, {name}_met) -> add" for name in names]
        else:
            lines += [f"    output o{i} = {name} -> identity" for i, name in enumerate(names)]
        body = "\n".join(lines)
        return loads(f"{self.use}\nnet Example {{\n{body}\n}}\n", name="<example>")

    def note(self) -> str:
        """What the row costs; of one that is wrong, as a plug-in's may be, what is wrong."""
        try:
            network = self.network()
        except DiagnosticError as error:
            return f"wrong: {error.diagnostics[0].message}"
        results = ", ".join(str(output.value.type) for output in network.outputs)
        return self.cost(network) if results == self.outputs else f"wrong: it gives {results}"

    def cost(self, network: Network) -> str:
        """`9,472 parameters, 118,013,952 multiply-adds`; empty where it costs neither."""
        summary = network.summary()
        parts = [(summary.parameters, "parameters"), (summary.macs, "multiply-adds")]
        words = [f"{counted(n)} {what}" for n, what in parts if not isinstance(n, int) or n]
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter as a page shows it; `default` is empty where it must be given."""

    name: str
    kind: str
    default: str
    doc: str


@dataclass(frozen=True, slots=True)
class Page:
    """The reference of a layer, a block or a function.

    `family` is the layer's family, or the library file. `signature` is as one writes it, with the
    inputs of a block; `summary` is the first paragraph of the doc, `notes` what follows but the
    example rows. A block's parameters stand in its signature alone.
    """

    name: str
    family: str
    signature: str
    summary: str
    notes: str
    arguments: tuple[Argument, ...]
    examples: tuple[Example, ...]
    facts: tuple[str, ...]

    def text(self, width: int = 100) -> str:
        """The page for a terminal."""
        paragraphs = [self.summary, *filter(None, self.notes.split("\n\n")), *self.facts]
        signature = "\n".join(_filled(part, width, 8) for part in self.signature.split("\n"))
        parts = [signature, *(_filled(p, width) for p in paragraphs)]
        if self.arguments:
            parts.append("\n".join(["Parameters:", *_argument_lines(self.arguments, width)]))
        if self.examples:
            parts.append("\n".join(["Examples:", *self._example_lines(width)]))
        return "\n\n".join(parts)

    def markdown(self) -> str:
        """The page as a section of docs/layers.md."""
        paragraphs = filter(None, [self.summary, self.notes])
        parts = [
            f"### {self.name}",
            f"```\n{self.signature}\n```",
            *map(_escaped, paragraphs),
            *self.facts,
        ]
        if self.arguments:
            rows = ["| parameter | kind | default | |", "|---|---|---|---|"]
            rows += [
                f"| `{a.name}` | {_cell(a.kind)} | {_cell(a.default)} | {_cell(a.doc)} |"
                for a in self.arguments
            ]
            parts.append("\n".join(rows))
        if self.examples:
            lines = (f"{e}    # {note}" if (note := e.note()) else str(e) for e in self.examples)
            parts.append("```\n" + "\n".join(lines) + "\n```")
        return "\n\n".join(parts) + "\n"

    def _example_lines(self, width: int) -> Iterator[str]:
        """The rows, each with its note beside it, or below where that is too wide."""
        for example in self.examples:
            note = example.note()
            line = f"  {example}    # {note}" if note else f"  {example}"
            if len(line) <= width:
                yield line
                continue
            yield f"  {example}"
            yield from (f"    # {part}" for part in wrap(note, width - 6, break_on_hyphens=False))


def _escaped(text: str) -> str:
    """Text without the marks that Markdown reads, except within backquotes."""
    parts = text.split("`")
    return "`".join(re.sub(r"([*_<\[])", r"\\\1", part) if i % 2 == 0 else part
                    for i, part in enumerate(parts))  # fmt: skip


def _filled(paragraph: str, width: int, indent: int = 0) -> str:
    further = " " * indent
    return fill(paragraph, width, subsequent_indent=further, break_on_hyphens=False,
                break_long_words=False)  # fmt: skip


def _argument_lines(arguments: Sequence[Argument], width: int) -> Iterator[str]:
    """Three columns, of which the last two are broken; narrow, the last one stands below."""
    names = max(len(a.name) for a in arguments)
    room = width - names - 6
    longest = max(len(word) + 2 for a in arguments for word in _kind(a).split(" | "))
    kinds = min(max(len(_kind(a)) for a in arguments), max(room // 3, longest))
    is_narrow = room - kinds < NARROW
    for argument in arguments:
        kind = _kind(argument).replace(" | ", "\N{NO-BREAK SPACE}| ").replace(" = ", TIED)
        middle = wrap(kind, room if is_narrow else kinds, break_long_words=False)
        last = wrap(argument.doc, width - 6 if is_narrow else room - kinds)
        rows = zip_longest([argument.name], middle, [] if is_narrow else last, fillvalue="")
        column = 0 if is_narrow else kinds
        for name, kind, doc in rows:
            row = f"  {name:<{names}}  {kind:<{column}}  {doc}".rstrip()
            yield row.replace("\N{NO-BREAK SPACE}", " ")
        if is_narrow:
            yield from (f"      {line}" for line in last)


def _kind(argument: Argument) -> str:
    return f"{argument.kind} = {argument.default}" if argument.default else argument.kind


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def pages() -> dict[str, Page]:
    """All pages by name: layers by family, then the library by file.

    Where a name is in two files of the library, the first has it.
    """
    ops = sorted(registry().values(), key=lambda op: (*_rank(op.family), op.name))
    by_name = {op.name: _layer(op) for op in ops}
    for file, text in std_files().items():
        for page in _library(file, text):
            by_name.setdefault(page.name, page)
    return by_name


def _rank(family: str) -> tuple[int, str]:
    order = list(FAMILIES)
    return (order.index(family), "") if family in order else (len(order), family)


def layer_page(name: str) -> Page | None:
    """The page of a layer or block, also of an installed package; None where there is none."""
    by_name = pages()
    if name in by_name:
        return by_name[name]
    op = installed(name)
    return _layer(op) if op is not None else None


def layer_text(name: str, width: int = 100) -> str:
    """The page of a name for a terminal. Raises `KeyError` with what to look for instead."""
    page = layer_page(name)
    if page is not None:
        return page.text(width)
    hints = guess_layer(name, (), pages()).help() or ("`netdsl layers` lists all",)
    raise KeyError(f"no layer or block is `{name}`; {'; '.join(hints)}")


def listing(width: int = 100) -> str:
    """All names in their families, a line each."""
    parts: list[str] = []
    for family, members in by_family().items():
        wide = max(len(page.name) for page in members)
        lines = (
            f"  {page.name:<{wide}}  {shorten(page.summary, width - wide - 4, placeholder=' ...')}"
            for page in members
        )
        parts.append("\n".join([family, *lines]))
    if installed_names():
        parts.append("\n  ".join(["of installed packages", *installed_names()]))
    return "\n\n".join(parts)


def manual() -> str:
    """docs/layers.md: every page, with a list of them in front."""
    families = by_family()
    listed = "\n".join(
        f"- {family}: {', '.join(f'[`{page.name}`](#{page.name.lower()})' for page in members)}"
        for family, members in families.items()
    )
    sections = (
        f"## {family}\n\n" + "\n".join(page.markdown() for page in members)
        for family, members in families.items()
    )
    return (
        "# Layers\n\n`netdsl layers NAME` shows one of these pages. Example rows are checked, "
        "those of layers against PyTorch; shapes leave the batch axis out. What begins with `std.` "
        f"is a file of the library, written in the language itself.\n\n{listed}\n\n"
        + "\n".join(sections)
    )


def by_family() -> dict[str, list[Page]]:
    """The same in their families."""
    families: dict[str, list[Page]] = {}
    for page in pages().values():
        families.setdefault(page.family, []).append(page)
    return families


# --- layers --------------------------------------------------------------------------------


def _layer(op: type[Op]) -> Page:
    doc = cleandoc(op.__doc__ or "").split("\n")
    rows = [_example(line) for line in doc]
    examples = tuple(row for row in rows if row is not None)
    text = "\n".join(line for line, row in zip(doc, rows, strict=True) if row is None)
    summary, _, notes = text.strip().partition("\n\n")
    arguments = tuple(Argument(p.name, p.kind.name, _default(p.default, p.required), p.doc)
                  for p in parameters(op))  # fmt: skip
    facts = [f"Inputs: {_inputs(op)}."] if op.arity != (1, 1) else []
    return Page(
        op.name, op.family, signature(op), summary, notes.strip(), arguments, examples, tuple(facts)
    )


def signature(op: type[Op]) -> str:
    """`conv(channels, kernel, stride=1)`; what is given by name only is `places=...`."""
    parts = [
        f"{p.name}={_default(p.default, False)}" if not p.required else p.name + "=..." * p.named
        for p in parameters(op)
    ]
    return f"{op.name}({', '.join(parts)})" if parts else op.name


def _default(value: object, required: bool) -> str:
    if required:
        return ""
    if isinstance(value, str | Same):
        return str(value)
    return show(list(value)) if isinstance(value, tuple) else show(value)


def _inputs(op: type[Op]) -> str:
    least, most = op.arity
    if most is None:
        return f"{least} or more"
    return str(least) if least == most else f"{least} to {most}"


def _example(line: str, use: str = "") -> Example | None:
    match = ROW.match(line)
    if match is None:
        return None
    return Example(match["stage"], tuple(SHAPE.findall(match["inputs"])), match["outputs"], use)


# --- the library ---------------------------------------------------------------------------


@cache
def _library(file: str, text: str) -> tuple[Page, ...]:
    """The pages of a file."""
    tree = parse(Source(file, text), Sink())
    assert tree is not None
    return tuple(
        _definition(file, definition, tree.comments)
        for definition in tree.definitions
        if isinstance(definition, ast.BlockDefinition | ast.FunctionDefinition)
    )


def _definition(
    file: str,
    definition: ast.BlockDefinition | ast.FunctionDefinition,
    comments: Sequence[ast.Comment],
) -> Page:
    """The page of a block, whose example rows are comments within it, or of a function."""
    use = f"use {file} ({definition.name.text})"
    inside = definition.span
    rows = (_example(c.text, use) for c in comments if inside.start <= c.span.start < inside.end)
    summary, _, notes = definition.doc.partition("\n\n")
    return Page(
        definition.name.text,
        file,
        _head(definition),
        " ".join(summary.split()),
        notes,
        (),
        tuple(row for row in rows if row is not None),
        (f"`{use}`; written in `std/{file[4:]}.net`, line {inside.line}.",),
    )


def _head(definition: ast.BlockDefinition | ast.FunctionDefinition) -> str:
    """What stands before the body of a block; all of a function."""
    if isinstance(definition, ast.FunctionDefinition):
        return definition.span.text
    span = definition.span
    return span.source.text[span.start : definition.body.span.start].rstrip()
