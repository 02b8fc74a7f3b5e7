"""From a program to the graph of one of its nets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from netdsl.diagnostics import Diagnostic, Sink, Span
from netdsl.elaborate.bodies import run_body, run_statement
from netdsl.elaborate.labels import declare
from netdsl.elaborate.names import POISON, Binding, Broken, Environment, Flow, Halted, Poison
from netdsl.elaborate.naming import Naming, write_paths
from netdsl.elaborate.program import Unit
from netdsl.elaborate.stages import run_chain
from netdsl.elaborate.state import MAX_NODES, Place, State
from netdsl.elaborate.suggest import did_you_mean
from netdsl.elaborate.unused import check_unused
from netdsl.ir.condition import all_of
from netdsl.ir.dim import Size, symbol
from netdsl.ir.graph import Graph, Input, Kind, Output, Requirement, Scope, Value
from netdsl.ir.tensor import DTYPES, Tensor
from netdsl.syntax import ast
from netdsl.syntax.recursion import deep_recursion


def elaborate(
    unit: Unit,
    sink: Sink,
    *,
    net: str | None = None,
    params: Mapping[str, object] | None = None,
    sizes: Mapping[str, int] | None = None,
    max_nodes: int = MAX_NODES,
    checks: Sequence[Callable[[Graph], Iterable[Diagnostic]]] = (),
) -> Graph | None:
    """Build and check the net called `net` (by default the only one of the file).

    `params` are values for the net's parameters, `sizes` numbers for its size symbols. `checks`
    say what else is wrong with a graph, be it whole or what could be built of it. Errors go to
    the sink; the result is None if there were any.
    """
    definition = _choose(unit, net, sink)
    if definition is None:
        return None
    state = State(sink, run_body, run_statement, max_nodes)
    builder = _NetBuilder(state, unit, definition, dict(sizes or {}))
    try:
        with deep_recursion():
            graph = builder.build(dict(params or {}))
    except Halted:
        return None
    for diagnostic in (d for check in checks if graph is not None for d in check(graph)):
        sink.emit(diagnostic)
    return None if sink.has_errors else graph


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


class _NetBuilder:
    """Runs the statements of a net: inputs and outputs here, the rest as in any body."""

    def __init__(
        self, state: State, unit: Unit, definition: ast.NetDefinition, sizes: dict[str, int]
    ) -> None:
        self.state, self.definition, self.sizes = state, definition, sizes
        self.root = Scope(
            Kind.NET, definition.span, definition=definition.name.text, doc=definition.doc
        )
        self.naming = Naming(numbered=False)
        self.environment = Environment(unit, labels=True)
        self.place = Place(self.environment, self.root, self.naming)
        self.inputs: list[Input] = []
        self.outputs: list[Output] = []
        self.where_span: Span | None = None

    def build(self, params: dict[str, object]) -> Graph | None:
        bound = self.state.binder.bind_values(self.definition, params, self.environment)
        if bound is None:
            return None
        self.root.arguments = bound.arguments()
        if not self._has_inputs():
            return None
        for statement in self.definition.body.statements:
            self._statement(statement)
        self._check_complete()
        self.naming.finish(self.state.sink)
        self.root.inputs = tuple(i.value for i in self.inputs)
        self.root.input_names = tuple(i.name for i in self.inputs)
        self.root.outputs = tuple(o.value for o in self.outputs)
        graph = Graph(
            self.definition.name.text,
            self.definition.doc,
            self.root,
            tuple(self.inputs),
            tuple(self.outputs),
            tuple(self.state.symbols),
            self.state.where,
            self.where_span,
        )
        write_paths(graph, self.state.sink)
        graph.requirements = tuple(self._requirements(graph))
        return graph

    def _statement(self, statement: ast.Statement) -> None:
        match statement:
            case ast.InputStatement():
                self._input(statement)
            case ast.OutputStatement():
                self._output(statement)
            case _:
                run_statement(self.state, statement, self.place)

    def _input(self, statement: ast.InputStatement) -> None:
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
        shape = self._input_shape(statement)
        if shape is None:
            declare(self.state, name, Binding(POISON, name.span), self.environment)
            return
        value = Value(Tensor(shape, dtype), name.span, name.text)
        declare(self.state, name, Binding(Flow((value,)), name.span), self.environment)
        self.inputs.append(Input(name.text, value))
        for condition in statement.where:
            self._restrict(condition)

    def _input_shape(self, statement: ast.InputStatement) -> tuple[Size, ...] | None:
        for item in statement.shape.items:
            if isinstance(item, ast.NameExpr) and self.environment.lookup(item.name) is None:
                self._introduce(item)
        try:
            shape = tuple(
                self.state.evaluator.size(item, self.environment) for item in statement.shape.items
            )
        except Broken:
            return None
        for item, size in zip(statement.shape.items, shape, strict=True):
            if isinstance(size, int) and not 1 <= size <= 2**31:
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
        given = self.sizes.pop(item.name, None)
        value: Size = symbol(item.name) if given is None else given
        if given is None:
            self.state.symbols.append(item.name)
        name = ast.Name(item.name, item.span)
        declare(self.state, name, Binding(value, item.span), self.environment, number=True)

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
                if not self.state.symbols
                else f"`{condition.span.text}` never holds",
                condition.span,
            )
        self.where_span = (self.where_span or condition.span).to(condition.span)
        self.state.where = all_of(self.state.where, truth)

    def _output(self, statement: ast.OutputStatement) -> None:
        flow = run_chain(self.state, statement.chain, self.place)
        name = statement.name
        known = self.environment.bindings.get(name.text)
        if known is None or not known.is_label or known.value is not flow:
            declare(self.state, name, Binding(flow, name.span), self.environment)
        if any(o.name == name.text for o in self.outputs) or isinstance(flow, Poison):
            return
        if len(flow.values) != 1:
            self.state.error(
                self.place,
                "wrong-inputs",
                f"an output is one value, and these are {len(flow.values)}",
                statement.span,
                help="name them: `(a, b) = ...`, then `output first = a`",
            )
            return
        (value,) = flow.values
        if not value.type.batched:
            self.state.error(
                self.place,
                "weight-without-batch",
                "a learned weight is the same for every sample and can't be an output",
                statement.span,
                help="it is in `state_dict()`; an output depends on an input",
            )
            return
        value.name = value.name or name.text
        self.root.names.setdefault(value, name.text)
        self.state.use(value)
        self.outputs.append(Output(name.text, value, statement.when_training, statement.span))

    def _has_inputs(self) -> bool:
        """Whether there is an input line; without one all else would be reported for that."""
        if any(isinstance(s, ast.InputStatement) for s in self.definition.body.statements):
            return True
        name = self.definition.name
        self.state.error(
            self.place,
            "no-input",
            f"net {name.text} has no input",
            name.span,
            help="write `input image: [3, 224, 224]`",
        )
        return False

    def _check_complete(self) -> None:
        sink = self.state.sink
        fixed = ", ".join(f"{item.name} {item.value.type}" for item in self.inputs)
        for name in self.sizes:
            symbols = ", ".join(self.state.symbols)
            sink.error(
                "unknown-size",
                f"the inputs have no size symbol `{name}`",
                self.definition.name.span,
                help=did_you_mean(name, self.state.symbols)
                or (f"they have {symbols}" if symbols else f"their sizes are fixed: {fixed}"),
            )
        if sink.has_errors:
            return
        name = self.definition.name
        if all(o.when_training for o in self.outputs):
            sink.error("no-output", f"net {name.text} has no output", name.span,
                       help="write `output y = ...`")  # fmt: skip
        check_unused(self.state)

    def _requirements(self, graph: Graph) -> Iterator[Requirement]:
        """Mark what only training needs: what stages ask that do not run at inference."""
        running = graph.inference_nodes()
        for requirement in self.state.requirements:
            node = requirement.node
            if requirement.scope is not None:
                node = next(requirement.scope.nodes(), None)
            training = node is not None and node not in running
            yield replace(requirement, training_only=True) if training else requirement
