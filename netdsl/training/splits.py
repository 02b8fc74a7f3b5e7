"""Samples to learn from and samples to judge by, of every class alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netdsl.training.faults import TrainingError
from netdsl.training.plan import mixed


def split(labels: Sequence[int], part: float, seed: int) -> tuple[list[int], list[int]]:
    """The numbers of the samples to learn from and of those to judge by: `part` of each class.

    Raises `TrainingError` for a class with one sample, which can't be in both.
    """
    learned: list[int] = []
    judged: list[int] = []
    every = np.asarray(labels)
    for label in sorted(set(labels)):
        own = np.flatnonzero(every == label)
        if len(own) < 2:
            raise TrainingError(
                f"class number {label} has one image: to learn from and to judge by takes two"
            )
        order = np.random.default_rng(mixed(seed, "split", label)).permutation(own).tolist()
        count = min(len(own) - 1, max(1, round(part * len(own))))
        judged += order[:count]
        learned += order[count:]
    return sorted(learned), sorted(judged)
