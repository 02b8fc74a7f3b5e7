"""The network as Lightning trains it: loaders, steps, optimizer, and its place in the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import cos, pi
from typing import Any

import torch
from lightning.pytorch import LightningModule, seed_everything
from torch import Tensor, nn
from torch.utils.data import DataLoader

from netdsl.training.faults import TrainingError
from netdsl.training.image_input import ImageInput
from netdsl.training.images import ArrayImages, Data
from netdsl.training.loading import Batches, Share, loader, workers
from netdsl.training.losses import are_shares, counted, hits, losses
from netdsl.training.pixels import Pixels, shown
from netdsl.training.plan import Plan, in_order, mixed
from netdsl.training.samples import Fault, Loaded, Samples
from netdsl.training.settings import Settings
from netdsl.training.tally import Tally
from netdsl.training.task import Task

PLACE = "netdsl"
"""The entry of a checkpoint that tells the place in the plan."""


@dataclass(frozen=True, slots=True)
class Job:
    """All that a training is about, besides the weights."""

    task: Task
    images: ImageInput
    data: Data
    plan: Plan
    settings: Settings
    sizes: tuple[Pixels, ...]


class Learner(LightningModule):
    """A network that learns.

    Whatever is random is drawn anew for each sample and each step, from the seed and their
    numbers: a resumed run needs no more than its place in the plan, `epoch` and `done` batches.
    """

    def __init__(self, network: nn.Module, job: Job) -> None:
        super().__init__()
        self.network, self.job = network, job
        self.epoch = self.done = 0
        self.rate = job.settings.rate  # of the last step
        self.learned = Tally()
        self.judged_at: tuple[Pixels, ...] = job.sizes
        self.judged: dict[Pixels, Tally] = {}
        self.results: dict[Pixels, Tally] = {}

    # --- data ------------------------------------------------------------------------------

    def train_dataloader(self) -> DataLoader:
        """The batches of the epoch that begins or goes on."""
        job, epoch = self.job, self.trainer.current_epoch
        start = self.done if epoch == self.epoch else 0
        samples = Samples(job.data.train, job.images, job.settings.fit, job.settings.augment)
        luck = (job.settings.seed, "sample", epoch)
        return self._loader(samples, Batches(job.plan.batches(epoch), self._share(), luck, start))

    def val_dataloader(self) -> list[DataLoader]:
        """A loader for each size to judge at."""
        job = self.job
        samples = Samples(job.data.val, job.images, job.settings.fit)
        loaders: list[DataLoader] = []
        for size in self.judged_at:
            whole = max(job.plan.whole.get(size, min(job.plan.whole.values())), 1)
            batches = in_order(len(job.data.val), size, whole)
            loaders.append(self._loader(samples, Batches(batches, self._share(), ())))
        return loaders

    def _loader(self, samples: Samples, batches: Batches) -> DataLoader:
        from_memory = isinstance(samples.images, ArrayImages)
        return loader(samples, batches, workers(self.job.settings.workers, from_memory))

    def _share(self) -> Share:
        return Share(self.trainer.global_rank, self.trainer.world_size)

    def on_before_batch_transfer(self, batch: Loaded | Fault, dataloader_idx: int) -> Loaded:
        if isinstance(batch, Fault):
            raise TrainingError(batch.text)
        return batch

    # --- steps -----------------------------------------------------------------------------

    def on_train_batch_start(self, batch: Loaded, batch_idx: int) -> None:
        seed = mixed(self.job.settings.seed, "step", self.global_rank, self.global_step)
        seed_everything(seed, verbose=False)

    def training_step(self, batch: Loaded, batch_idx: int) -> Tensor:
        task = self.job.task
        results = self.network(batch.images)
        scores = _at(results, task.main)
        if self.global_step == 0 and are_shares(scores.detach()):
            raise TrainingError(
                f"`{task.name}` gives shares that sum to 1; the loss has its softmax itself: "
                "let the output be what enters the softmax"
            )
        self.epoch, self.done = self.trainer.current_epoch, batch_idx + 1
        main = losses(scores, batch.targets)
        self.learned.add(
            counted(batch.weights, batch.targets),
            main.detach(),
            hits(scores.detach(), batch.targets),
        )
        total = main
        for place in task.auxiliary:
            beside = losses(_at(results, place), batch.targets)
            total = total + self.job.settings.aux_weight * beside
        # devices take the mean of their gradients: this makes it the mean over the whole batch
        return (total * batch.weights).sum() * (self.trainer.world_size / batch.total)

    def validation_step(self, batch: Loaded, batch_idx: int, dataloader_idx: int = 0) -> None:
        scores = _at(self.network(batch.images), self.job.task.main)
        tally = self.judged.setdefault(batch.size, Tally())
        tally.add(
            counted(batch.weights, batch.targets),
            losses(scores, batch.targets),
            hits(scores, batch.targets),
        )

    def on_validation_epoch_start(self) -> None:
        self.judged = {}

    def on_validation_epoch_end(self) -> None:
        self.results = {size: tally.over_all(self) for size, tally in self.judged.items()}
        for size, tally in self.results.items():
            self.log(f"val_accuracy/{shown(size)}", tally.accuracy, rank_zero_only=True)
        self.log("val_accuracy", mean([t.accuracy for t in self.results.values()]), prog_bar=True)
        self.log("val_loss", mean([t.mean_loss for t in self.results.values()]), prog_bar=True)

    # --- optimizer -------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        settings = self.job.settings
        rate, decay = settings.rate, settings.decay_of_weights
        optimizer = (
            torch.optim.SGD(self.parameters(), rate, settings.momentum, weight_decay=decay)
            if settings.optimizer == "sgd"
            else torch.optim.AdamW(self.parameters(), rate, weight_decay=decay)
        )
        if settings.decay == "constant":
            return optimizer
        factor = partial(_cosine, self.job.plan.steps(settings.epochs))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.rate = float(optimizer.param_groups[0]["lr"])

    # --- checkpoints -----------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        learned = self.learned.over_all(self)
        sums = [learned.samples, learned.loss, learned.hits]
        checkpoint[PLACE] = {
            "epoch": self.epoch,
            "done": self.done,
            "rate": self.rate,
            "sums": sums,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        place = checkpoint[PLACE]
        self.epoch, self.done, self.rate = place["epoch"], place["done"], place["rate"]
        self.learned = Tally(*place["sums"]) if self.trainer.is_global_zero else Tally()


def mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _at(results: Any, place: int) -> Tensor:
    """The output at a place of the file; one alone comes as it is."""
    return results if isinstance(results, Tensor) else results[place]


def _cosine(steps: int, step: int) -> float:
    """The part of the learning rate that is left: half a wave from 1 to 0."""
    return 0.5 * (1 + cos(pi * min(step, steps) / steps))
