"""Lines and stages whose result nothing uses, and values that a block leaves unread."""

from __future__ import annotations

from collections.abc import Iterator, Set

from netdsl.diagnostics import Label, Sink, Span
from netdsl.elaborate.environment import Flow
from netdsl.elaborate.state import State
from netdsl.ir.graph import Kind, Node, Scope, Value
from netdsl.ops.each import Apart
from netdsl.syntax import ast


def check_unused(state: State) -> None:
    """Report all that computes for nothing, and what blocks do not read of what flows in."""
    _check_lines(state)
    if not state.sink.has_errors:
        _check_stages(state)
    _check_read(state)


# --- lines ---------------------------------------------------------------------------------


def _check_lines(state: State) -> None:
    """Report every line that computes for nothing, in all of its uses or in some of them."""
    lines: dict[ast.Statement, list[Flow]] = {}
    for statement, flow in state.unused:
        lines.setdefault(statement, []).append(flow)
    for statement, flows in lines.items():
        used = state.graph.used if _lets_go(statement) else state.graph.used | state.let_go
        idle = [f for f in flows if f.values and not any(v in used for v in f.values)]
        if len(idle) == len(flows):
            _nowhere(statement, state.sink)
        elif idle:
            _not_everywhere(statement, idle[0], state.sink)


def _lets_go(statement: ast.Statement) -> bool:
    """Whether some of its own names say that nothing uses them: that is no use of the others."""
    match statement:
        case ast.AssignStatement(targets):
            return any(target.text.startswith("_") for target in targets)
        case _:
            return False


def _nowhere(statement: ast.Statement, sink: Sink) -> None:
    what, help = "what this line computes", "name the result (`z = ...`) and use it"
    match statement:
        case ast.WeightStatement(label):
            name = label.span.text
            what = f"the weight `{name}`"
            help = f"let it meet a value: `(x, {name}) -> add`, `mul` or `concat`"
        case ast.AssignStatement(targets):
            names = " or ".join(f"`{target.text}`" for target in targets)
            what, help = names, f"use {names} in a line below"
        case _:
            pass
    if not isinstance(statement, ast.WeightStatement):
        help += "; if the next line goes on from it, begin that line with `->`"
    sink.error("unused-result", f"nothing uses {what}", statement.span,
               help=f"{help}; else leave the line out")  # fmt: skip


def _not_everywhere(statement: ast.Statement, idle: Flow, sink: Sink) -> None:
    """Used in one turn of a loop or one use of a block, and not in another."""
    producer = idle.values[0].producer
    trail, turn = _ways(producer.scope if producer is not None else None)
    where = f" in turn {turn} of its loop, counted from 0" if turn is not None else ""
    sink.error(
        "unused-result",
        f"what this line computes is used elsewhere, and not{where or ' in this use'}",
        statement.span,
        secondary=trail,
        help="compute it only where it is used: move the line into the `if` that decides",
    )


def _ways(innermost: Scope | None) -> tuple[list[Label], int | None]:
    """The uses of blocks that a scope lies in, and the turn of the innermost loop."""
    trail: list[Label] = []
    turn = None
    for scope in innermost.around() if innermost is not None else ():
        if scope.kind is Kind.BLOCK:
            trail.append(Label(scope.span, f"in this use of `{scope.definition}`"))
        if scope.kind is Kind.TURN and turn is None and not trail and scope.parent is not None:
            turns = [s for s in scope.parent.children if isinstance(s, Scope)]
            turn = turns.index(scope)
    return trail[:1], turn


# --- stages of no line ---------------------------------------------------------------------


def _check_stages(state: State) -> None:
    """Report stages whose results flow somewhere and are left there."""
    taken, spans = state.graph.used | state.let_go, dict[Span, None]()
    for node in state.graph.site.scope.nodes():
        if not taken.isdisjoint(node.outputs) or isinstance(node.op, Apart):
            continue
        span = _span_of_giver(node, taken)
        if span is not None:
            spans[span] = None
    for span in spans:
        state.sink.error(
            "unused-result",
            "nothing uses what this computes",
            span,
            help="leave it out; what is there for its weights alone has a line of its own, "
            "`_ = ...`",
        )


def _span_of_giver(node: Node, taken: Set[Value]) -> Span | None:
    """The outermost use of a block that gives these results; None where it gives others too."""
    span = node.span
    for scope in node.scope.around():
        if scope.parent is None or set(node.outputs).isdisjoint(scope.outputs):
            break
        if scope.kind is Kind.BLOCK:
            if not taken.isdisjoint(scope.outputs):
                return None
            span = scope.span
    return span


# --- what flows into blocks ----------------------------------------------------------------


def _check_read(state: State) -> None:
    """Warn of braces and blocks that name no inputs, and leave one of several unread."""
    uses: dict[object, list[Scope]] = {}
    for scope in state.graph.site.scope.scopes():
        if _takes_several(scope):
            written = scope.definition or scope.span
            uses.setdefault((written, len(scope.inputs)), []).append(scope)
    for scopes in uses.values():
        read = {number for scope in scopes for number in _read_in(scope, state)}
        for number in range(len(scopes[0].inputs)):
            if number not in read:
                _unread(number, scopes[0], state)


def _takes_several(scope: Scope) -> bool:
    """Whether it takes several values, which it calls `in[0]`, `in[1]` and so on."""
    takes_in = scope.kind in (Kind.BLOCK, Kind.EACH) and not scope.input_names
    return takes_in and len(scope.inputs) > 1


def _read_in(scope: Scope, state: State) -> Iterator[int]:
    """Numbers of the inputs that something in it takes, or asks for a size."""
    taken = {value for node in scope.nodes() for value in node.inputs}
    inner = (s.inputs for s in scope.scopes() if s is not scope and _takes_several(s))
    taken.update(scope.outputs, state.graph.measured, *inner)
    return (number for number, value in enumerate(scope.inputs) if value in taken)


def _unread(number: int, scope: Scope, state: State) -> None:
    name, help = scope.definition, "let only what is used flow in"
    if name:
        help += f"; one that has to be there is named: `block {name} (x, _rest) {{ ... }}`"
    state.sink.warn(
        "unused-name",
        f"`in[{number}]` is never used in {f'`{name}`' if name else 'this `each`'}",
        scope.span,
        help=help,
    )
