"""Labels that say what the language would number anyway, under labelled groups."""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.importers.recover.sketch import Body, Chain, Stage, chains_of, parts_of, stages_in


def place_labels(body: Body) -> None:
    """Mark the labels of all groups in a body that are the numbers of their places."""
    for chain in chains_of(body):
        for stage in stages_in(chain):
            if stage.kind == "group" and stage.label:
                _place_in(stage)


def _place_in(group: Stage) -> None:
    members = list(_members(group))
    if any(stage.kind == "shared" for stage in members):
        return
    for number, stage in enumerate(members):
        stage.is_placed = stage.kind != "group" and stage.label == (str(number),)


def _members(stage: Stage) -> Iterator[Stage]:
    """The stages that take places in a group, in the order they run."""
    for chain in parts_of(stage):
        yield from _of_chain(chain)


def _of_chain(chain: Chain) -> Iterator[Stage]:
    for one in chain.several:
        yield from _of_chain(one)
    for stage in chain.stages:
        is_open = stage.kind == "group" and not stage.label
        if stage.kind == "layer" or is_open:
            yield from _members(stage)
        if not is_open:
            yield stage
