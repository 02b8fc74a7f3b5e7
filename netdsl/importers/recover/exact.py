"""A part of a sketch as a text that is equal for equal parts."""

from __future__ import annotations

from netdsl.importers.recover.sketch import Body, Chain, Line, Stage


def exact(body: Body) -> str:
    return "{" + ";".join(map(_line, body.lines)) + "}"


def _line(line: Line) -> str:
    return f"{line.names}{line.output}{line.declared}{line.args}={exact_chain(line.chain)}"


def exact_chain(chain: Chain) -> str:
    several = ",".join(map(exact_chain, chain.several))
    return f"{chain.source}({several})" + "->".join(map(exact_stage, chain.stages))


def exact_stage(stage: Stage) -> str:
    """A stage and all that is in it; a label that its place gives is none."""
    label = "" if stage.is_placed else stage.label
    branches = ";".join(map(exact_chain, stage.branches))
    bodies = "".join(exact(body) for body in (stage.body, stage.otherwise) if body is not None)
    own = f"{stage.kind} {label}:{stage.name}{stage.args}{stage.head}{stage.table}"
    return f"{own}[{branches}]{bodies}"
