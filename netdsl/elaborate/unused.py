"""Lines whose result nothing uses."""

from __future__ import annotations

from netdsl.diagnostics import Label, Sink
from netdsl.elaborate.environment import Flow
from netdsl.elaborate.state import State
from netdsl.ir.graph import Kind, Scope
from netdsl.syntax import ast


def check_unused(state: State) -> None:
    """Report every line that computes for nothing, in all of its uses or in some of them."""
    lines: dict[ast.Statement, list[Flow]] = {}
    for statement, flow in state.unused:
        lines.setdefault(statement, []).append(flow)
    used = state.graph.used
    for statement, flows in lines.items():
        idle = [f for f in flows if f.values and not any(v in used for v in f.values)]
        if len(idle) == len(flows):
            _nowhere(statement, state.sink)
        elif idle:
            _not_everywhere(statement, idle[0], state.sink)


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
