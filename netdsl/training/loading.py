"""The loaders of a training: batches of an epoch, from any of them on, for one of the devices."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch.utils.data import DataLoader

from netdsl.training.plan import Batch, mixed
from netdsl.training.samples import Samples, Wanted, together

MOST_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Share:
    """Which of the devices this is, of how many."""

    rank: int
    world: int


@dataclass(frozen=True, slots=True)
class Batches:
    """A sampler for PyTorch's loader: what one device loads for each batch, from `start` on.

    Its length is that of all batches, since those before `start` are done. `luck` and the number
    of a sample decide what is random in it.
    """

    batches: Sequence[Batch]
    share: Share
    luck: tuple[object, ...]
    start: int = 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Wanted]]:
        for batch in self.batches[self.start :]:
            total = len(batch.samples)
            yield [
                Wanted(number, batch.size, mixed(*self.luck, number), weight, total)
                for number, weight in batch.share(self.share.rank, self.share.world)
            ]


def loader(samples: Samples, batches: Batches, workers: int) -> DataLoader:
    """PyTorch's loader of these batches."""
    return DataLoader(
        samples,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=together,  # pyright: ignore[reportArgumentType]  (any sampler of lists will do)
    )


def workers(wanted: int | None, from_memory: bool) -> int:
    """How many processes read images: as asked, else one fewer than there are processors."""
    if wanted is not None:
        return wanted
    return 0 if from_memory else max(0, min(MOST_WORKERS, (os.cpu_count() or 1) - 1))
