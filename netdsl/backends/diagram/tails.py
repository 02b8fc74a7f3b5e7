"""What stands behind a layer in its box: shown where the legend does not say that it is usual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

Tail = tuple[str, ...]
Tails = Mapping[str, Tail]
"""The usual tail of each family of layers that lead others."""


def most_usual(tails: Iterable[Tail]) -> Tail | None:
    """The most frequent; of equally frequent ones the first."""
    counted = Counter(tails)
    return counted.most_common(1)[0][0] if counted else None


def told(own: Tail, usual: Tail | None, joint: str) -> str:
    """`+ ReLU`; beside what is usual `no BN or ReLU`, `only BN`, `also LRN`, `BN + SiLU instead`.

    `usual` is what the legend gives layers of this kind; None or nothing where it gives none.
    """
    words = joint.join(own)
    if own == (usual or ()):
        return ""
    if not usual:
        return f"+ {words}"
    if not own:
        return f"no {' or '.join(usual)}"
    if own[: len(usual)] == usual:
        return f"also {joint.join(own[len(usual) :])}"
    return f"only {words}" if _is_within(own, usual) else f"{words} instead"


def _is_within(own: Sequence[str], usual: Sequence[str]) -> bool:
    """Whether the words stand among the usual ones, in that order."""
    rest = iter(usual)
    return all(word in rest for word in own)
