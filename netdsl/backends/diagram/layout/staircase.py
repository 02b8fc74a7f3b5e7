"""How the channels grow within a block that is a chain of concats: a bar behind each layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.model.features import Chain
from netdsl.backends.diagram.units import Unit

HIGH = 40.0
"""Points of the highest bar of a network."""


def growth(chain: Chain, block: Unit, axes: ChannelAxes) -> list[int]:
    """Channels that come into a block, and that are there behind each concat of its chain.

    Nothing where the chain is not in the block, these are no numbers, or do not grow.
    """
    if not block.inputs or not set(chain.merges) <= set(block.nodes):
        return []
    values = [block.inputs[0], *(merge.output for merge in chain.merges)]
    sizes = [value.type.shape[axes.of(value)] for value in values]
    known = [size for size in sizes if isinstance(size, int)]
    grows = all(a < b for a, b in pairwise(known))
    return known if len(known) == len(sizes) and grows else []


def staircases(
    chains: Sequence[Chain], blocks: Iterable[Unit], axes: ChannelAxes
) -> dict[Unit, tuple[float, ...]]:
    """Heights of bars by block, all to one scale: of what comes in, then of all behind a layer."""
    found: dict[Unit, list[int]] = {}
    for block in blocks:
        sizes = next(filter(None, (growth(chain, block, axes) for chain in chains)), None)
        if sizes:
            found[block] = sizes
    most = max((sizes[-1] for sizes in found.values()), default=1)
    return {u: tuple(HIGH * size / most for size in sizes) for u, sizes in found.items()}
