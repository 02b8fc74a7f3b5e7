"""`GraphBuilder`: a network made by calls in Python, checked as any other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import dropwhile
from pathlib import Path
from typing import Any, Literal

from netdsl.diagnostics import Diagnostic, DiagnosticError, Sink, Source, Span
from netdsl.diagnostics.call_site import alone, call_site
from netdsl.driver import check_for_backends, finished, verified
from netdsl.elaborate import Unit, load_program
from netdsl.elaborate.calls import Call, call_made
from netdsl.elaborate.environment import (
    POISON,
    Broken,
    Environment,
    Flow,
    Halted,
    MaybeFlow,
    Poison,
    SharedLayer,
)
from netdsl.elaborate.from_python import (
    arguments_of,
    check_bounds,
    dotted,
    expression_of,
    label_of,
    mean_texts,
    name_of,
    size_of,
)
from netdsl.elaborate.nets import NetElaborator
from netdsl.elaborate.program import Block
from netdsl.elaborate.resolve import Callee, resolve_layer
from netdsl.elaborate.run import call_layer
from netdsl.elaborate.statements import Table, weight_node
from netdsl.ir.builder import Site
from netdsl.ir.dim import Size
from netdsl.ir.graph import Argument, Graph, Kind, Value
from netdsl.network import Network
from netdsl.ops.base import Op
from netdsl.ops.fills import Word
from netdsl.syntax import ast
from netdsl.syntax.recursion import deep_recursion


class GraphBuilder:
    """A network made by calls: inputs, layers in their order, outputs; `build` gives it checked.

    `uses` are files whose blocks are layers here, as behind the word `use` of the language:
    `std.resnet`, `"./blocks.net"` (in quotes; beside the Python file).
    Each call raises `DiagnosticError` for what a file could not say either, with the same code,
    message and help, at the place of the call; nothing is added then, and one can go on.
    The values that come back have a `type` with a `shape`, whose sizes can be computed with.
    """

    def __init__(self, name: str, doc: str = "", *, uses: Sequence[str] = ()) -> None:
        span = call_site()
        self._sink, self._is_built = Sink(), False
        try:
            self._unit, named = self._program(uses, span), name_of(name, span, self._sink)
        except Halted:
            raise DiagnosticError(self._sink.diagnostics) from None
        definition = ast.NetDefinition(named, (), ast.Body((), span), doc, alone(span))
        self._net = NetElaborator(self._unit, definition, self._sink, {})
        self._graph, self._state, self._place = self._net.graph, self._net.state, self._net.place
        self._results: list[tuple[Span, tuple[Value, ...]]] = []
        self._own: set[Value] = set()
        self._sites: list[Site] = []

    def _program(self, uses: Sequence[str], span: Span) -> Unit:
        """The blocks that are layers here."""
        text = "".join(f"use {one}\n" for one in uses)
        path = Path(span.source.name) if span.text else None
        unit = load_program(Source(str(span), text), path, (), self._sink)
        if unit is None or self._sink.has_errors:
            raise Halted
        unit.source = span.source
        return unit

    def input(
        self,
        name: str,
        shape: Sequence[Size | str],
        dtype: str = "float32",
        *,
        where: str | Sequence[str] = (),
    ) -> Value:
        """An input, its shape without the batch axis: numbers, names of open sizes, formulas.

        `where` are conditions on its sizes, as in the language: `"H % 32 == 0"`.
        """
        span, sink = call_site(), self._sink
        with self._checked():
            texts = [where] if isinstance(where, str) else where
            conditions = tuple(expression_of(text, "where", span, sink) for text in texts)
            items = tuple(size_of(size, self._net.environment, span, sink) for size in shape)
            kind, listed = ast.Name(dtype, span), ast.ListExpr(items, span)
            named = name_of(name, span, sink)
            self._net.input(ast.InputStatement(named, kind, listed, conditions, span))
        value = self._graph.inputs[-1].value
        self._own.add(value)
        return value

    def layer(
        self,
        layer: str | type[Op] | Op | SharedLayer,
        *passed: object,
        label: str = "",
        **settings: object,
    ) -> Any:
        """Call a layer or block: first the values that flow in, then its settings as in a file.

        `label` names it, as `conv1: conv(...)` does; else it is counted. Gives its result, a
        `Value`, or a tuple of them where it has several.
        """
        span = call_site()
        flow, others = POISON, tuple(dropwhile(lambda one: isinstance(one, Value), passed))
        values = tuple(v for v in passed[: len(passed) - len(others)] if isinstance(v, Value))
        with self._checked():
            self._check_known((*passed, *settings.values()), span)
            text = label_of(label, span, self._state, self._place)
            if isinstance(layer, Op):
                call = Call((), text, span)
                flow = call_made(self._state, layer, call, values, self._place)
            else:
                environment = self._place.environment.child(None)
                arguments = arguments_of(others, settings, environment, span, self._sink)
                callee = self._callee(layer, arguments, environment, span)
                call = Call(tuple((one, environment) for one in arguments), text, span)
                flow = call_layer(self._state, callee, call, Flow(values), self._place)
        results = self._noted(flow, label, span)
        return results[0] if len(results) == 1 else results

    def shared(self, layer: str, *passed: object, label: str, **settings: object) -> SharedLayer:
        """One layer that `layer` may call several times, as the line `layer label = ...` makes."""
        span = call_site()
        environment, name = self._place.environment.child(None), dotted(layer, span)
        arguments: tuple[ast.Argument, ...] = ()
        with self._checked():
            arguments = arguments_of(passed, settings, environment, span, self._sink)
            callee = self._callee(layer, arguments, environment, span)
            assert not isinstance(callee, SharedLayer)
            name_of(label, span, self._sink)
        stage = ast.LayerStage(None, name, arguments, None, span)
        statement = ast.LayerStatement(ast.Name(label, span), stage, span)
        return SharedLayer(statement, callee, environment)

    def weight(
        self,
        label: str,
        shape: Sequence[int],
        fill: float | Sequence[float] | str = 0.0,
        *,
        kind: Literal["learned", "frozen", "constant"] = "learned",
        dtype: str = "float32",
    ) -> Value:
        """A table; `label` is its key in `state_dict()`, where a constant has none.

        `fill` is a number, the numbers of its last axes, or a word (`"kaiming_normal"`).
        """
        span, flow = call_site(), POISON
        axes = ast.ListExpr(tuple(ast.NameExpr("", span) for _ in shape), span)
        with self._checked():
            check_bounds(fill, span, self._sink)
            text = label_of(label, span, self._state, self._place)
            named = ast.Label((ast.LabelPart(text, None, span),), span)
            written = ast.WeightStatement(named, None, None, axes, None, span)
            numbers = Word(fill) if isinstance(fill, str) else fill
            table = Table(shape, numbers, kind, dtype)
            flow = weight_node(self._state, table, written, Call((), text, span), self._place)
        (value,) = self._noted(flow, label, span)
        return value

    def scope(
        self, label: str = "", *, block: str = "", doc: str = "", **parameters: object
    ) -> AbstractContextManager[None]:
        """What is added within goes by this label: `with net.scope("layer1"): ...`.

        With `block` it is one use of a block of that name, which is drawn and counted as one, and
        written as a class; `parameters` are those of this use.
        """
        span, site = call_site(), self._place.site
        with self._checked():
            text = label_of(label, span, self._state, self._place)
            if block:
                name_of(block, span, self._sink)
                bound = {name: Argument(value) for name, value in parameters.items()}
                site = self._graph.block(site, block, span, label=text, doc=doc, arguments=bound)
            else:
                site = self._graph.scope(site, Kind.GROUP, span, label=text, numbered=True)
        self._sites.append(site)
        return self._within(site)

    @contextmanager
    def _within(self, site: Site) -> Iterator[None]:
        outer = self._place
        names = outer.environment.child(None, labels=site.is_named)
        self._place = outer.inside(names, site)
        try:
            yield
        finally:
            self._place = outer

    def output(self, name: str, value: Value, *, when_training: bool = False) -> None:
        """What flows out; with `when_training` in training mode only."""
        span = call_site()
        with self._checked():
            self._check_known([value], span)
            named, chain = name_of(name, span, self._sink), ast.Chain(None, (), span)
            statement = ast.OutputStatement(named, chain, when_training, span)
            self._net.output(statement, Flow((value,)))

    def build(self, *, allow: Collection[str] = ()) -> Network:
        """The network, checked as one from a file; nothing can be added then.

        `allow` are codes of warnings that are not wanted.
        """
        if self._place is not self._net.place:
            raise ValueError("the network is built outside of its scopes")
        with self._checked():
            graph = self._finish()
        self._is_built = True
        verified(graph)
        try:
            network = finished(self._unit, graph, self._sink, allow)
        except DiagnosticError as error:
            raise DiagnosticError(_unfixed(error.diagnostics)) from None
        network.warnings = _unfixed(network.warnings)
        return network

    def _finish(self) -> Graph:
        if not self._graph.inputs:
            self._net.misses_input()
            raise Halted
        for site in self._sites:
            self._graph.end(site, ())
        graph = self._net.finish()
        for span, values in self._results:
            if not any(graph.uses.leaves(value, frozenset()) for value in values):
                message = "nothing uses what this call computes"
                help = "use its result, or leave the call out"
                self._sink.error("unused-result", message, span, help=help)
        for site in self._sites:  # what is made on one side of it, and read beyond
            inside = dict.fromkeys(site.scope.nodes())
            read = dict.fromkeys(value for node in inside for value in node.inputs)
            written = (value for node in inside for value in node.outputs)
            site.scope.inputs = tuple(v for v in read if v.producer not in inside)
            site.scope.outputs = tuple(v for v in written if graph.uses.leaves(v, inside.keys()))
        check_for_backends(graph, self._sink)
        return graph

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """Raises what is wrong in a call; what it has added is taken back."""
        if self._is_built:
            raise ValueError("the network is built already, and nothing can be added to it")
        undo = self._graph.undoing(self._place.site)
        numbers, values = dict(self._net.environment.numbers), dict(self._net.environment.values)
        unused = len(self._state.unused)
        try:
            with deep_recursion():
                yield
        except (Broken, Halted):  # what stops there has been said
            pass
        errors = self._sink.take_errors()
        if errors:
            undo()
            self._net.environment.numbers = numbers
            self._net.environment.values = values
            del self._state.unused[unused:]
            raise DiagnosticError(_unfixed(errors))

    def _callee(
        self,
        layer: str | type[Op] | SharedLayer,
        arguments: Sequence[ast.Argument],
        environment: Environment,
        span: Span,
    ) -> Callee | Poison:
        """What is called, and what its arguments may mean."""
        if not isinstance(layer, str):
            return layer
        callee = resolve_layer(dotted(layer, span), environment, self._sink, arguments)
        if isinstance(callee, Block):
            mean_texts(arguments, environment)
        return callee

    def _check_known(self, passed: Sequence[object], span: Span) -> None:
        """Values are this network's own."""
        for value in passed:
            if isinstance(value, Value) and value not in self._own:
                self._sink.error("not-a-value", f"{value!r} is none of this network's", span)
                raise Halted

    def _noted(self, flow: MaybeFlow, label: str, span: Span) -> tuple[Value, ...]:
        """The results of a call, which something has to use; a single one goes by the label."""
        assert isinstance(flow, Flow)
        if len(flow.values) == 1 and label.isidentifier():
            flow.values[0].name = flow.values[0].name or label
        self._results.append((span, flow.values))
        self._own.update(flow.values)
        return flow.values


def _unfixed(diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """Without the edits that would mend them, which are in the language and not in Python."""
    return tuple(replace(diagnostic, fix=None) for diagnostic in diagnostics)
