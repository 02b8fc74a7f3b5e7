"""From a program to the graph of one of its nets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netdsl.diagnostics import Diagnostic, Sink, Span
from netdsl.elaborate.bind import bind_net
from netdsl.elaborate.declare import declare, is_new
from netdsl.elaborate.environment import (
    POISON,
    Binding,
    Broken,
    Environment,
    Flow,
    Halted,
    MaybeFlow,
    traces,
)
from netdsl.elaborate.program import Unit
from netdsl.elaborate.run import run_chain, run_statement
from netdsl.elaborate.state import MAX_NODES, Place, State
from netdsl.elaborate.statements import output_value
from netdsl.elaborate.stumps import HeardSink, Stumps
from netdsl.elaborate.suggest import did_you_mean
from netdsl.elaborate.unused import check_unused
from netdsl.ir.builder import Builder
from netdsl.ir.dim import Size
from netdsl.ir.graph import Graph, Node
from netdsl.ir.tensor import DTYPES, Tensor
from netdsl.ops.rule import Rulebook
from netdsl.syntax import ast
from netdsl.syntax.recursion import deep_recursion

MAX_SIZE = 2**31
"""The largest number that a size symbol may stand for."""


def elaborate(
    unit: Unit,
    sink: Sink,
    *,
    net: str | None = None,
    params: Mapping[str, object] | None = None,
    sizes: Mapping[str, int] | None = None,
    max_nodes: int = MAX_NODES,
    check: Callable[[Graph, Sink], None] | None = None,
) -> Graph | None:
    """Build and check the net called `net` (by default the only one of the file).

    `params` are values for the net's parameters, `sizes` numbers for its size symbols. `check`
    reports what else is wrong with a graph, be it whole or what could be built of it. Errors go
    to the sink; the result is None if there were any.
    """
    definition = _choose(unit, net, sink)
    if definition is None:
        return None
    try:
        with deep_recursion():
            graph = _build(unit, definition, sink, dict(params or {}), dict(sizes or {}), max_nodes)
    except Halted:
        return None
    if graph is not None and check is not None:
        check(graph, sink)
    return None if sink.has_errors else graph


def draft(
    unit: Unit,
    sink: HeardSink,
    *,
    net: str | None = None,
    params: Mapping[str, object] | None = None,
    sizes: Mapping[str, int] | None = None,
    max_nodes: int = MAX_NODES,
) -> tuple[Graph | None, Mapping[Node, tuple[Diagnostic, ...]]]:
    """What can be built of a net, right or wrong, and the errors of what stands for the rest.

    It is for drawings alone. None where nothing can be built; parameters as for `elaborate`.
    """
    stumps = Stumps(sink)
    definition = _choose(unit, net, sink)
    if definition is None:
        return None, {}
    given = dict(params or {}), dict(sizes or {})
    try:
        with deep_recursion():
            graph = _build(unit, definition, sink, *given, max_nodes, stumps)
    except Halted:
        return None, {}
    return graph, stumps.errors


def _build(
    unit: Unit,
    definition: ast.NetDefinition,
    sink: Sink,
    params: Mapping[str, object],
    sizes: dict[str, int],
    max_nodes: int,
    stumps: Stumps | None = None,
) -> Graph | None:
    net = NetElaborator(unit, definition, sink, sizes, max_nodes, stumps)
    bound = bind_net(net.state.evaluator, definition, params, net.place.environment)
    if bound is None:
        return None
    net.place.scope.arguments = bound.arguments()
    statements = definition.body.statements
    if not any(isinstance(statement, ast.InputStatement) for statement in statements):
        net.misses_input()  # all else would be reported for that
        return None
    for statement in statements:
        net.run(statement)
    return net.finish()


def _choose(unit: Unit, net: str | None, sink: Sink) -> ast.NetDefinition | None:
    if net is not None and net in unit.nets:
        return unit.nets[net]
    names = ", ".join(unit.nets)
    if net is not None:
        guess = did_you_mean(net, unit.nets) or (f"it defines {names}" if names else ())
        sink.error("no-such-net", f"{unit.source.name} has no net `{net}`", None, help=guess)
        return None
    if len(unit.nets) == 1:
        return next(iter(unit.nets.values()))
    if unit.nets:
        sink.error(
            "several-nets",
            f"{unit.source.name} defines several nets",
            None,
            help=f"say which one: `--net NAME`, one of {names}",
        )
        return None
    sink.error(
        "no-net",
        f"{unit.source.name} defines no net",
        Span(unit.source, 0, 0),
        help="a network is written `net Name { input image: [3, 224, 224] ... output y = ... }`",
    )
    return None


class NetElaborator:
    """One net: its inputs and outputs here, the rest as in any body.

    `sizes` are numbers for its size symbols.
    """

    def __init__(
        self,
        unit: Unit,
        definition: ast.NetDefinition,
        sink: Sink,
        sizes: dict[str, int],
        max_nodes: int = MAX_NODES,
        stumps: Stumps | None = None,
    ) -> None:
        self.definition, self.sizes = definition, sizes
        name = definition.name.text
        self.graph = Builder(name, Rulebook(), sink, definition.span, definition.doc)
        self.state = State(self.graph, max_nodes, stumps=stumps)
        self.environment = Environment(unit, labels=True)
        self.place = Place(self.environment, self.graph.site)

    def run(self, statement: ast.Statement) -> None:
        """Run one statement of the net."""
        match statement:
            case ast.InputStatement():
                self.input(statement)
            case ast.OutputStatement():
                self.output(statement, run_chain(self.state, statement.chain, self.place))
            case _:
                run_statement(self.state, statement, self.place)

    def finish(self) -> Graph:
        """The graph; what it lacks goes to the sink."""
        self._check_complete()
        return self.graph.build()

    def input(self, statement: ast.InputStatement) -> None:
        """An input, and the size symbols that it introduces."""
        name = statement.name
        dtype = statement.dtype.text if statement.dtype else "float32"
        if statement.dtype and dtype not in DTYPES:
            self.state.error(
                self.place,
                "unknown-type",
                f"there is no element type `{dtype}`",
                statement.dtype.span,
                help=did_you_mean(dtype, DTYPES) or f"there are {', '.join(DTYPES)}",
            )
        since = self.state.mark()
        shape = self._input_shape(statement)
        if shape is None:
            flow = self.state.drafted(POISON, statement.span, None, self.place, since)
            declare(self.state, "values", name, Binding(flow, name.span), self.environment)
            return
        value = self.graph.input(name.text, Tensor(shape, dtype), name.span)
        binding = Binding(Flow((value,)), name.span)
        declare(self.state, "values", name, binding, self.environment)
        for condition in statement.where:
            self._restrict(condition)

    def _input_shape(self, statement: ast.InputStatement) -> tuple[Size, ...] | None:
        for item in statement.shape.items:
            if is_new(item, self.environment):
                self._introduce(item)
        try:
            shape = tuple(
                self.state.evaluator.size(item, self.environment) for item in statement.shape.items
            )
        except Broken:
            return None
        for item, size in zip(statement.shape.items, shape, strict=True):
            if isinstance(size, int) and not 1 <= size <= MAX_SIZE:
                self.state.error(
                    self.place,
                    "bad-size",
                    f"a size lies between 1 and 2**31, not {size}",
                    item.span,
                )
                return None
        return shape

    def _introduce(self, item: ast.NameExpr) -> None:
        """A new size symbol, or the number that was given for it."""
        number = self.sizes.pop(item.name, None)
        value = self.graph.symbol(item.name) if number is None else number
        name = ast.Name(item.name, item.span)
        declare(self.state, "numbers", name, Binding(value, item.span), self.environment)

    def _restrict(self, condition: ast.Expr) -> None:
        try:
            truth = self.state.evaluator.truth(condition, self.environment)
        except Broken:
            return
        if truth is False:
            self.state.error(
                self.place,
                "size-not-allowed",
                f"`{condition.span.text}` does not hold for the sizes that were given"
                if not self.graph.symbols
                else f"`{condition.span.text}` never holds",
                condition.span,
            )
        self.graph.restrict(truth, condition.span)

    def output(self, statement: ast.OutputStatement, flow: MaybeFlow) -> None:
        """An output, which is what comes out of the chain of its statement."""
        name = statement.name
        declare(self.state, "values", name, Binding(flow, name.span), self.environment)
        if any(o.name == name.text for o in self.graph.outputs):
            return
        since, value = self.state.mark(), None
        if isinstance(flow, Flow):
            value = output_value(self.state, statement, flow, self.place)
            flow = (
                flow
                if value
                else self.state.drafted(POISON, statement.span, flow, self.place, since)
            )
        for shown in traces(flow)[:1]:
            training = statement.when_training
            self.graph.output(name.text, shown, statement.span, when_training=training)

    def misses_input(self) -> None:
        """Report that no line of it is an input."""
        name = self.definition.name
        self.state.error(
            self.place,
            "no-input",
            f"net {name.text} has no input",
            name.span,
            help="write `input image: [3, 224, 224]`",
        )

    def _check_complete(self) -> None:
        sink = self.state.sink
        fixed = ", ".join(f"{item.name} {item.value.type}" for item in self.graph.inputs)
        for name in self.sizes:
            symbols = ", ".join(self.graph.symbols)
            sink.error(
                "unknown-size",
                f"the inputs have no size symbol `{name}`",
                self.definition.name.span,
                help=did_you_mean(name, self.graph.symbols)
                or (f"they have {symbols}" if symbols else f"their sizes are fixed: {fixed}"),
            )
        if sink.has_errors:
            return
        name = self.definition.name
        if all(o.when_training for o in self.graph.outputs):
            sink.error("no-output", f"net {name.text} has no output", name.span,
                       help="write `output y = ...`")  # fmt: skip
        check_unused(self.state)
