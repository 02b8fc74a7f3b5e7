"""Which samples come in which batch at which size: fixed by the seed, for every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from netdsl.training.pixels import Pixels


@dataclass(frozen=True, slots=True)
class Batch:
    """The samples of one step on all devices together, and the size that they are shown at."""

    size: Pixels
    samples: Sequence[int]

    def share(self, rank: int, world: int) -> list[tuple[int, float]]:
        """The samples of one of `world` devices, each with its weight.

        All have as many: where the batch can't be divided, the first sample fills up, weighing 0.
        """
        each = -(-len(self.samples) // world)
        own = self.samples[rank * each : (rank + 1) * each]
        filling = [(self.samples[0], 0.0)] * (each - len(own))
        return [*((sample, 1.0) for sample in own), *filling]


@dataclass(frozen=True, slots=True)
class Plan:
    """The batches of a training; `whole` is how many samples a whole batch of each size has.

    The schedule `epoch` takes the sizes in turn, one for each epoch; `batch` draws one for each
    batch. An epoch shows every sample once; its last batch may be smaller, or is left out.
    """

    whole: Mapping[Pixels, int]
    schedule: str
    samples: int
    seed: int
    drops_last: bool = False

    def lengths(self, epoch: int) -> list[tuple[Pixels, int]]:
        """The size and the number of samples of each batch of an epoch."""
        sizes = self._sizes(epoch)
        batches: list[tuple[Pixels, int]] = []
        left = self.samples
        while left:
            size = next(sizes)
            taken = min(left, self.whole[size])
            if batches and self.drops_last and taken < self.whole[size]:
                break
            batches.append((size, taken))
            left -= taken
        return batches

    def batches(self, epoch: int) -> list[Batch]:
        """The batches of an epoch."""
        import numpy as np  # here, since the command is listed without it

        order = np.random.default_rng(mixed(self.seed, "order", epoch)).permutation(self.samples)
        batches: list[Batch] = []
        start = 0
        for size, count in self.lengths(epoch):
            batches.append(Batch(size, order[start : start + count].tolist()))
            start += count
        return batches

    def smallest(self, epochs: int) -> dict[Pixels, int]:
        """The fewest samples that come in one batch of each size that is used."""
        fewest: dict[Pixels, int] = {}
        for epoch in self._different(epochs):
            for size, count in self.lengths(epoch):
                fewest[size] = min(count, fewest.get(size, count))
        return fewest

    def steps(self, epochs: int) -> int:
        """The number of batches of all epochs."""
        kinds = self._different(epochs)
        lengths = [len(self.lengths(epoch)) for epoch in kinds]
        return sum(lengths[epoch % len(lengths)] for epoch in range(epochs))

    def _different(self, epochs: int) -> range:
        """The epochs after which all is repeated, but for the order of the samples."""
        return range(min(epochs, len(self.whole)) if self.schedule == "epoch" else epochs)

    def _sizes(self, epoch: int) -> Iterator[Pixels]:
        """The sizes of the batches of an epoch, without an end."""
        sizes = list(self.whole)
        if self.schedule == "epoch":
            while True:
                yield sizes[epoch % len(sizes)]
        draw = Random(mixed(self.seed, "size", epoch))
        while True:
            yield draw.choice(sizes)


def in_order(samples: int, size: Pixels, batch: int) -> list[Batch]:
    """All samples once, as they come, at one size: the batches of an evaluation."""
    starts = range(0, samples, batch)
    return [Batch(size, range(start, min(start + batch, samples))) for start in starts]


def mixed(*parts: object) -> int:
    """A seed that these give: as good as another for any others, on every machine."""
    text = " ".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=4).digest(), "little")
