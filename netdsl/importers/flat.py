"""A program as text without structure, a line for each call: what is recovered must equal it."""

from __future__ import annotations

from collections import Counter

from netdsl.diagnostics import DiagnosticError, Span
from netdsl.importers import spelling
from netdsl.importers.frontend import refused
from netdsl.importers.marked import Marks
from netdsl.importers.program import Call, Program, Table, Value


def flat(program: Program, marks: Marks) -> str:
    """The program, call by call, with marks; the weights lie where they lie in the source."""
    return _Writer(program, marks).write()


class _Writer:
    def __init__(self, program: Program, marks: Marks) -> None:
        self.program, self.marks = program, marks
        self.lines: list[str] = []
        self.uses = program.uses()
        self.names: dict[Value, str] = {}
        self.calls = list(program.root.calls())
        self.times = Counter(call.path for call in self.calls if call.path)
        self.shared: dict[tuple[str, ...], tuple[str, Call]] = {}
        self.own_names = {one.name for one in (*program.inputs, *program.outputs)}
        taken = {part for call in self.calls for part in call.path}
        self.prefix = "v"
        while any(name.startswith(self.prefix) for name in taken):
            self.prefix += "_"

    def add(self, line: str, origin: Span) -> None:
        self.lines.append(self.marks.mark(origin) + line)

    def write(self) -> str:
        program = self.program
        self.add(f"net {program.name} {{", program.root.origin)
        for one in program.inputs:
            self.names[one.value] = one.name
            self.add(f"    {spelling.declared_input(one)}", one.origin)
        self.tables()
        for call in self.calls:
            self.call(call)
        for one in program.outputs:
            when = " when training" if one.when_training else ""
            line = f"    output {one.name} = {self.names[one.value]}{when}"
            self.add(line, one.origin)
        self.add("}", program.root.origin)
        return "\n".join(self.lines) + "\n"

    def tables(self) -> None:
        """All tables; behind a number or a word of the language they lie in a group."""
        groups: dict[tuple[str, ...], list[Table]] = {}
        for table in self.program.root.tables():
            start = spelling.callable_from(table.path)
            if start == len(table.path):
                raise _unnameable(table)
            if start == 0:
                text = spelling.label(table.path)
                self.names[table.value] = spelling.called(table.path)
                self.add(f"    {spelling.declared_table(table, text)}", table.origin)
            else:
                groups.setdefault(table.path[:start], []).append(table)
        for number, (path, tables) in enumerate(groups.items()):
            self.group(number, path, tables)

    def group(self, number: int, path: tuple[str, ...], tables: list[Table]) -> None:
        """Tables below one label, which come out of it as values."""
        names = [f"{self.prefix}table{number}_{place}" for place in range(len(tables))]
        labels = [spelling.label(table.path[len(path) :]) for table in tables]
        calls = [spelling.called(table.path[len(path) :]) for table in tables]
        target, results = (", ".join(texts) for texts in (names, calls))
        if len(tables) > 1:
            target, results = f"({target})", f"({results})"
        source = self.program.inputs[0].name
        self.add(f"    {target} = {source} -> {spelling.label(path)}: {{", tables[0].origin)
        for table, name, text in zip(tables, names, labels, strict=True):
            self.names[table.value] = name
            self.add(f"        {spelling.declared_table(table, text)}", table.origin)
        self.add(f"        {results}", tables[0].origin)
        self.add("    }", tables[0].origin)

    def call(self, call: Call) -> None:
        layer = spelling.layer(call, self.names.__getitem__)
        label = spelling.label(call.path, self.own_names)
        if call.path and self.times[call.path] > 1:
            layer, label = self.one_of_several(call, label, layer), ""
        results = [self.result(value) for value in call.outputs]
        target = _several(results)
        flow = _several([self.names[value] for value in call.inputs])
        stage = f"{label}: {layer}" if label else layer
        self.add(f"    {target} = {flow} -> {stage}", call.origin)

    def one_of_several(self, call: Call, label: str, layer: str) -> str:
        """The name of a layer that several calls share, with the line that makes it."""
        if call.path not in self.shared:
            name = f"{self.prefix}layer{len(self.shared)}"
            self.shared[call.path] = name, call
            self.add(f"    layer {name} = {label}: {layer}", call.origin)
        name, first = self.shared[call.path]
        if (first.layer, first.settings) != (call.layer, call.settings):
            message = f"`{label}` is called with other settings than at {first.origin}"
            raise refused(message, call.origin)
        return name

    def result(self, value: Value) -> str:
        if not self.uses.get(value):
            return "_"
        name = self.names[value] = f"{self.prefix}{len(self.names)}"
        return name


def _several(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _unnameable(table: Table) -> DiagnosticError:
    word, path = table.path[-1], ".".join(table.path)
    reason = "a word of the language" if word in spelling.RESERVED else "no word"
    return refused(
        f"`{path}`: nothing can call these numbers by their name, as `{word}` is {reason}",
        table.origin,
        help="numbers that are no layer's own are called by the last part of their key: let that "
        "be another word",
    )
