"""Checkpoints of a run: written whole or not at all, at the end of epochs and between."""

from __future__ import annotations

import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from lightning.pytorch.plugins.io import TorchCheckpointIO

from netdsl.files import drafting
from netdsl.training.faults import TrainingError
from netdsl.training.learner import PLACE

BROKEN = (RuntimeError, UnpicklingError, EOFError, KeyError, ValueError, TypeError)
"""What PyTorch raises for a file that is no checkpoint, or not the whole of one."""


class WholeFiles(TorchCheckpointIO):
    """Lightning's way to the disk, with files that take their places when they are complete."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        with drafting(path) as (aside,), open(aside, "wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            checkpoint = super().load_checkpoint(path, *args, **kwargs)
        except BROKEN as error:
            reason = str(error).partition("\n")[0]
            raise TrainingError(f"{path} is broken: {reason:.200}") from None
        if PLACE not in checkpoint:
            raise TrainingError(f"{path} is no checkpoint of a run")
        return checkpoint


class Saver(Checkpoint):
    """Saves a run after each epoch, and within epochs after every so many steps (0: not).

    Not after the last step of an epoch: from there Lightning would lose the epoch's end.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        is_last = batch_idx + 1 >= trainer.num_training_batches
        if self.every and trainer.global_step % self.every == 0 and not is_last:
            trainer.save_checkpoint(self.path)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.save_checkpoint(self.path)


class Patience(EarlyStopping):
    """Lightning's early stop, which a resumed run remembers."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.stopped_epoch:
            trainer.should_stop = True
