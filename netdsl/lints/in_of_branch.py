"""Branches that begin with `in`, where the `in` of the block is another value."""

from __future__ import annotations

from netdsl.diagnostics import Sink
from netdsl.lints.subject import Subject
from netdsl.syntax import ast

IN = "in"


def in_of_branch(subject: Subject, sink: Sink) -> None:
    """Warn of `conv(8, 3) -> add { in ; identity }` in a block: both are the convolution's."""
    for definition, _ in subject.definitions:
        if not isinstance(definition, ast.FunctionDefinition):
            is_block = isinstance(definition, ast.BlockDefinition)
            _look_at(definition.body, is_block, sink)


def _look_at(body: ast.Body, is_block: bool, sink: Sink) -> None:
    """Go through all chains of a body and of those within; no recursion, bodies may be deep."""
    bodies = [(body, is_block, is_block)]
    while bodies:
        body, has_in, is_in = bodies.pop()
        chains = [s.chain for s in body.statements if isinstance(s, _WITH_CHAIN)]
        while chains:
            chain = chains.pop()
            if isinstance(chain.head, ast.TupleSource):
                chains.extend(chain.head.items)
            if isinstance(chain.head, ast.ForSource):
                bodies.append((chain.head.body, has_in, is_in))
            flows_in = is_in if chain.head is None else _is_in(chain.head)
            for stage in chain.stages:
                if isinstance(stage, ast.LayerStage) and has_in and not flows_in:
                    _warn_of_branches(stage, sink)
                bodies.extend(_bodies_of(stage, has_in, flows_in))
                flows_in = flows_in and isinstance(stage, ast.Claim)


_WITH_CHAIN = (ast.ChainStatement, ast.AssignStatement, ast.OutputStatement)


def _bodies_of(stage: ast.Stage, has_in: bool, flows_in: bool) -> list[tuple[ast.Body, bool, bool]]:
    """The bodies of a stage: whether `in` has a meaning there, and whether it is what flows in."""
    match stage:
        case ast.LayerStage(branches=ast.Body() as body) | ast.Each(body=body):
            return [(body, True, True)]
        case ast.If(then=then, otherwise=otherwise):
            return [(body, has_in, flows_in) for body in (then, otherwise) if body is not None]
        case ast.Group(body=body) | ast.Repeat(body=body) | ast.For(body=body):
            return [(body, has_in, flows_in)]
        case _:
            return []


def _is_in(head: ast.Head | None) -> bool:
    return isinstance(head, ast.ValueSource) and (
        isinstance(head.expr, ast.NameExpr) and head.expr.name == IN
    )


def _warn_of_branches(stage: ast.LayerStage, sink: Sink) -> None:
    fork = stage.callee[-1].text
    for statement in stage.branches.statements if stage.branches else ():
        if isinstance(statement, ast.ChainStatement) and _is_in(statement.chain.head):
            sink.warn(
                "in-of-branch",
                f"`in` is here what enters `{fork}`, and not what enters the block",
                statement.chain.span,
                help="for what enters the block, name it on a line before, `x = in`, and write "
                "`x`; else leave `in` out, or write `identity`",
            )
