"""The bodies of the net, of blocks and of groups, as lines of chains."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator

from netdsl.importers import spelling
from netdsl.importers.program import Call, Path, Program, Table, Value
from netdsl.importers.recover.chains import Chains, body_of, layer_stage
from netdsl.importers.recover.classes import NAME
from netdsl.importers.recover.forks import Wiring, wiring
from netdsl.importers.recover.names import Names, label_of
from netdsl.importers.recover.regions import Scope
from netdsl.importers.recover.shares import shares_of
from netdsl.importers.recover.sketch import Argument, Body, Chain, Line, Stage, Text
from netdsl.importers.recover.weights import has_weights

FIRST = -1
"""The place of declarations."""


class Bodies:
    """Writes bodies, inner ones first; `call_of` says how a scope that is a block is called."""

    def __init__(self, program: Program, root: Scope, call_of: Callable[[Scope], Stage]) -> None:
        self.program, self.root, self.call_of = program, root, call_of
        self.shares = shares_of(program)
        self.wirings: dict[Scope, Wiring] = {}
        self.names: dict[Scope, Names] = {}
        self.inputs: dict[Scope, tuple[str, ...]] = {}
        self.tables: dict[Scope, set[Value]] = {}
        self._see_tables(root)
        needed: dict[Scope, set[Value]] = {}
        for scope in root.scopes():
            entry = self._entry(scope)
            own = wiring(scope, self.tables[scope], needed, entry=entry)
            own.settle()
            self.wirings[scope] = own
            if entry in own.names and not scope.is_block:
                needed[scope] = {entry}
        for scope in root.scopes():
            if scope.is_block or scope is root:
                self._name_values(scope)

    def _see_tables(self, scope: Scope) -> None:
        own = {table.value for table in scope.tables}
        around = scope.parent
        self.tables[scope] = own | (
            self.tables[around] if around is not None and not scope.is_block else set()
        )
        for item in scope.items:
            if isinstance(item, Scope):
                self._see_tables(item)

    def _entry(self, scope: Scope) -> Value | None:
        """The value that flows in and needs no name for it, if there is one."""
        if scope is self.root or (scope.is_block and scope.named) or len(scope.flows) != 1:
            return None
        return scope.flows[0]

    # --- names --------------------------------------------------------------------------------

    def _name_values(self, home: Scope) -> None:
        names = self.names[home] = Names(_labels(home))
        if self.program.classes:
            names.taken.add(NAME)
        if home is self.root:
            for one in self.program.inputs:
                names.of[one.value] = one.name
                names.taken.add(one.name)
                names.quoted.add(one.name)
            self._name_outputs(names)
        elif self._entry(home) is None or self._entry(home) in self.wirings[home].names:
            self.inputs[home] = names.name_inputs(home, [*home.flows, *home.named])
            names.quoted.update(self.inputs[home])
        self._name_in(home, names)

    def _name_outputs(self, names: Names) -> None:
        names.taken.update(one.name for one in self.program.outputs)
        producer = self.wirings[self.root].producer
        for one in self.program.outputs:
            node = producer.get(one.value)
            if node is None or label_of(node.item, ()) != one.name:
                names.quoted.add(one.name)
        if not self.outputs_stand_in_order():
            return
        for one in self.program.outputs:
            if one.value in self.wirings[self.root].names and not one.when_training:
                names.of.setdefault(one.value, one.name)

    def outputs_stand_in_order(self) -> bool:
        """Whether each output can be written where it is made."""
        producer = self.wirings[self.root].producer
        nodes = [producer.get(one.value) for one in self.program.outputs]
        numbers = [node.number for node in nodes if node is not None and len(node.outputs) == 1]
        return len(numbers) == len(nodes) and all(a < b for a, b in itertools.pairwise(numbers))

    def _name_in(self, scope: Scope, names: Names) -> None:
        own = self.wirings[scope]
        depth = len(scope.path)
        for table in scope.tables:
            if spelling.is_name(table.path[depth:]):
                text = names.of[table.value] = spelling.called(table.path[depth:])
                names.taken |= {text, text.partition("[")[0]}
            else:
                start = depth + spelling.callable_from(table.path[depth:])
                names.give(table.value, "_".join(table.path[start:]))
        for node in own.nodes:
            if isinstance(node.item, Scope) and not node.item.is_block:
                self._name_in(node.item, names)
            for value in node.outputs:
                if value in own.names and value not in names.of:
                    names.name_result(value, node, scope.path)

    # --- bodies -------------------------------------------------------------------------------

    def home(self, scope: Scope) -> Scope:
        """The net or block that a scope is written in."""
        while not scope.is_block and scope.parent is not None:
            scope = scope.parent
        return scope

    def body(self, scope: Scope) -> Body:
        """The body of a block or group."""
        chains, lines = self._begun(scope)
        outputs = scope.outputs
        last = self.wirings[scope].nodes[-1]
        if self.wirings[scope].gives_all(last):
            result = chains.chain_of(last)
        elif len(outputs) == 1:
            result = chains.chain(outputs[0])
        else:
            result = Chain([], None, [chains.chain(value) for value in outputs])
        lines.append((len(scope.items), Line((), result, scope.region.origin)))
        return body_of(lines)

    def net(self) -> Body:
        """The body of the net."""
        chains, lines = self._begun(self.root)
        for one in self.program.inputs:
            line = Line((), Chain([]), one.origin, declared=spelling.declared_input(one))
            lines.append((FIRST - 1, line))
        in_order = self.outputs_stand_in_order()
        own = self.wirings[self.root]
        names = self.names[self.root].of
        for number, one in enumerate(self.program.outputs):
            place = own.producer[one.value].number if in_order else len(own.nodes) + number
            named = [line for _, line in lines if names.get(one.value) in line.names]
            if named and names[one.value] == one.name:
                named[0].output = one.name
                continue
            line = Line((), chains.chain(one.value), one.origin, one.name, one.when_training)
            lines.append((place, line))
        return body_of(lines)

    def _begun(self, scope: Scope) -> tuple[Chains, list[tuple[int, Line]]]:
        names = self.names[self.home(scope)]
        lines = [(FIRST, line) for line in self._tables_of(scope, names)]
        shared = dict(self._shared(scope, names, lines))
        own = self.wirings[scope]
        chains = Chains(own, scope.path, names.of, self.stage_of, shared, names.quoted, self.shares)
        lines += chains.named_lines()
        return chains, lines

    def _tables_of(self, scope: Scope, names: Names) -> Iterator[Line]:
        """The tables of a scope; those whose labels are no names stand in a group."""
        depth = len(scope.path)
        apart: dict[Path, list[Table]] = {}
        for table in scope.tables:
            if spelling.is_name(table.path[depth:]):
                yield _declared(table, scope.path)
            else:
                start = depth + spelling.callable_from(table.path[depth:])
                apart.setdefault(table.path[:start], []).append(table)
        for path, tables in apart.items():
            inner = [_declared(table, path) for table in tables]
            called = [spelling.called(table.path[len(path) :]) for table in tables]
            results = [Chain([], one) for one in called]
            result = results[0] if len(results) == 1 else Chain([], None, results)
            origin = tables[0].origin
            body = Body([*inner, Line((), result, origin)])
            group = Stage("group", "", origin, path[depth:], body=body)
            results_of = tuple(names.of[table.value] for table in tables)
            yield Line(results_of, Chain([group], self._source(scope)), origin)

    def _source(self, scope: Scope) -> str:
        """A value that may flow anywhere in a scope."""
        home = self.home(scope)
        if home is self.root:
            return self.program.inputs[0].name
        return self.inputs[home][0] if home in self.inputs else "in"

    def stage_of(self, scope: Scope) -> Stage:
        if scope.is_block:
            return self.call_of(scope)
        return Stage("group", "", scope.region.origin, body=self.body(scope))

    def _shared(
        self, scope: Scope, names: Names, lines: list[tuple[int, Line]]
    ) -> Iterator[tuple[Path, str]]:
        """The names of layers that several calls share, with the lines that make them."""
        parts = [
            item
            for item in scope.items
            if (item.has_weights if isinstance(item, Scope) else has_weights(item))
        ]
        times = Counter(part.path for part in parts)
        for path, count in times.items():
            if count > 1:
                part = next(part for part in parts if part.path == path)
                if isinstance(part, Call):
                    stage = layer_stage(part, scope.path, names.of)
                else:
                    stage = self.stage_of(part)
                    stage.label = path[len(scope.path) :]
                yield path, _share(stage, names, lines)


def _share(stage: Stage, names: Names, lines: list[tuple[int, Line]]) -> str:
    label = [part for part in stage.label if isinstance(part, str)]
    name = "_".join(label)
    if name.isidentifier() and names.is_free(name):
        names.taken.add(name)
        stage.label = () if len(label) == 1 else stage.label
    else:
        number = 1
        while not names.is_free(f"shared{number}"):
            number += 1
        name = f"shared{number}"
        names.taken.add(name)
    lines.append((FIRST, Line((name,), Chain([stage]), stage.origin, declared="layer")))
    return name


def _declared(table: Table, path: Path) -> Line:
    dtype = "" if table.value.dtype == "float32" else f"{table.value.dtype} "
    is_plain = table.fill == 0.0 and table.kind != "constant"
    args: dict[str, Argument] = {
        "label": spelling.label(table.path[len(path) :]),
        "kind": (f"{table.kind} " if table.kind else "") + dtype,
        "fill": Text("" if is_plain else spelling.filled(table)),
    }
    args |= {str(axis): size for axis, size in enumerate(table.shape)}
    return Line((), Chain([]), table.origin, declared="weight", args=args)


def _labels(home: Scope) -> Iterator[str]:
    """The labels of one part in a net or block."""
    for item in home.items:
        path = item.path[len(home.path) :]
        if len(path) == 1:
            yield path[0]
        if isinstance(item, Scope) and not item.is_block:
            yield from _labels(item)
