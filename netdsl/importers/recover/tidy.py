"""Braces that say nothing are left out."""

from __future__ import annotations

from dataclasses import replace

from netdsl.importers.recover.sketch import Body, Chain, Stage

LABELLED = ("repeat", "for")
"""Stages that can take the label of a group that holds nothing else."""


def tidy(body: Body) -> Body:
    """A body without groups that hold a loop alone: `layer1: repeat 3 { ... }`."""
    return Body([replace(line, chain=_chain(line.chain)) for line in body.lines])


def _chain(chain: Chain) -> Chain:
    several = [_chain(one) for one in chain.several]
    return Chain([_stage(stage) for stage in chain.stages], chain.source, several)


def _stage(stage: Stage) -> Stage:
    inner = replace(
        stage,
        branches=[_chain(one) for one in stage.branches],
        body=None if stage.body is None else tidy(stage.body),
        otherwise=None if stage.otherwise is None else tidy(stage.otherwise),
    )
    if inner.kind != "group" or not inner.label or inner.body is None or len(inner.body.lines) != 1:
        return inner
    chain = inner.body.lines[0].chain
    is_alone = len(chain.stages) == 1 and chain.source is None and not chain.several
    if not is_alone or chain.stages[0].kind not in LABELLED or chain.stages[0].label:
        return inner
    return replace(chain.stages[0], label=inner.label, is_placed=inner.is_placed)
