"""The trainer of Lightning as a training here uses it."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn

from netdsl.backends.weights.safetensors import Tensors
from netdsl.diagnostics.reading import reason
from netdsl.files import write_whole
from netdsl.training.checkpoints import Patience, Saver, WholeFiles
from netdsl.training.diary import Diary, table
from netdsl.training.faults import TrainingError
from netdsl.training.learner import Job, Learner
from netdsl.training.pixels import Pixels, shown
from netdsl.training.run_folder import RunFolder
from netdsl.training.settings import Settings
from netdsl.training.tally import Tally

LOGS = ("lightning.pytorch", "lightning.fabric")
NO_MEMORY = re.compile(r"(can't allocate|not enough) memory.*? [0-9]+ bytes")
"""What PyTorch says on a CPU."""
BOARDS = ("tensorboard", "tensorboardX")


@contextmanager
def quiet() -> Generator[None]:
    """Lightning says what is wrong, and nothing else."""
    loggers = [logging.getLogger(name) for name in LOGS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class LightningRun:
    """One run: its folder and its trainer. Raises `TrainingError` for settings that can't be."""

    def __init__(
        self,
        folder: RunFolder,
        name: str,
        report: Callable[[str], None] | None,
        settings: Settings,
    ) -> None:
        self.folder = folder
        self.report = report or (lambda line: None)
        self.diary = Diary(folder, name, self.report)
        callbacks: list[Callback] = [self.diary, Saver(folder.last, settings.every)]
        if settings.patience:
            callbacks.append(Patience("val_accuracy", patience=settings.patience, mode="max"))
        if settings.progress:
            callbacks.append(TQDMProgressBar(leave=False))
        try:
            self.trainer = Trainer(
                accelerator=settings.accelerator,
                strategy=settings.strategy,
                devices=settings.devices,
                num_nodes=settings.nodes,
                precision=settings.precision,  # pyright: ignore[reportArgumentType]
                deterministic=settings.deterministic,
                max_epochs=settings.epochs,
                callbacks=callbacks,
                plugins=[WholeFiles()],
                logger=_board(folder),
                num_sanity_val_steps=0,
                reload_dataloaders_every_n_epochs=1,
                use_distributed_sampler=False,
                enable_checkpointing=True,
                enable_model_summary=False,
                enable_progress_bar=settings.progress,
            )
        except (
            MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError,
        ) as error:  # fmt: skip
            raise TrainingError(f"Lightning refuses this: {error}") from None

    @property
    def rank(self) -> int:
        return self.trainer.global_rank

    @property
    def world(self) -> int:
        return self.trainer.world_size

    def fit(self, module: nn.Module, job: Job, resume: bool) -> tuple[int, float]:
        """Train, from the last checkpoint on where one is; returns the epochs and the seconds."""
        self.learner = Learner(module, job)
        path = self.folder.last if resume and self.folder.last.is_file() else None
        if resume and self.rank == 0:
            self.report(f"goes on from {path}" if path else "no checkpoint yet: begins anew")
        with _told(self.folder):
            self.trainer.fit(self.learner, ckpt_path=path, weights_only=True)
        return len(self.diary.rows), self.diary.seconds

    def judge(self, sizes: Sequence[Pixels]) -> dict[Pixels, Tally]:
        """How good the best weights are at some sizes; written into the folder too."""
        learner = self.learner
        state = self._best() if self.rank == 0 else {}
        learner.network.load_state_dict(self.trainer.strategy.broadcast(state, src=0))
        learner.judged_at = tuple(sizes)
        with _told(self.folder):
            self.trainer.validate(learner, verbose=False)
            results = learner.results
            if self.rank == 0:
                rows = [_row(size, tally, learner.job) for size, tally in results.items()]
                write_whole(self.folder.accuracy, table(rows))
        return results

    def _best(self) -> dict[str, torch.Tensor]:
        """The weights of the best epoch, as the module has them."""
        own = self.learner.network.state_dict()
        try:
            stored = Tensors(self.folder.best)
            arrays = {key: torch.from_numpy(stored.array(key).copy()) for key in own}
        except (OSError, ValueError, KeyError) as error:
            raise TrainingError(f"can't read {self.folder.best}: {reason(error)}") from None
        return {key: array.to(own[key].dtype) for key, array in arrays.items()}


@contextmanager
def _told(folder: RunFolder) -> Generator[None]:
    """What ends a run from outside, as `TrainingError`, or as `KeyboardInterrupt`."""
    try:
        yield
    except SystemExit as error:  # Lightning makes this of an interrupt
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    except OSError as error:
        raise TrainingError(f"can't write into {folder.path}: {reason(error)}") from None
    except RuntimeError as error:
        short = NO_MEMORY.search(str(error))
        if short is None and not isinstance(error, torch.OutOfMemoryError):
            raise
        what = short[0] if short else str(error).partition(".")[0]
        advice = "a smaller --batch, or smaller sizes, help"
        raise TrainingError(f"out of memory: {what}; {advice}") from None


def _row(size: Pixels, tally: Tally, job: Job) -> dict[str, Any]:
    is_trained = "yes" if size in job.sizes else "no"
    return {
        "size": shown(size), "trained": is_trained, "accuracy": tally.accuracy,
        "loss": tally.mean_loss, "images": round(tally.samples),
    }  # fmt: skip


def _board(folder: RunFolder) -> TensorBoardLogger | bool:
    """TensorBoard's log, where TensorBoard is installed."""
    if not any(map(find_spec, BOARDS)):
        return False
    return TensorBoardLogger(folder.path, name="", version="tensorboard")
