"""What came of each epoch: rows of a table, its curves, and the best weights so far."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from math import isfinite
from typing import Any, cast

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from netdsl.backends.weights.safetensors import write_tensors
from netdsl.files import write_whole
from netdsl.training.curves import curves
from netdsl.training.faults import TrainingError
from netdsl.training.learner import Learner, mean
from netdsl.training.pixels import shown
from netdsl.training.run_folder import RunFolder
from netdsl.training.tally import Tally

Row = dict[str, Any]
PREFIX = "network."


class Diary(Callback):
    """Writes the files of a run after each epoch; what it knows goes into checkpoints."""

    def __init__(self, folder: RunFolder, name: str, report: Callable[[str], None]) -> None:
        self.folder, self.name, self.report = folder, name, report
        self.rows: list[Row] = []
        self.seconds = 0.0
        self._since = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "seconds": self.seconds + time.monotonic() - self._since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self.seconds = state_dict["rows"], state_dict["seconds"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        learner = cast(Learner, pl_module)
        learned = learner.learned.over_all(learner)
        learner.learned = Tally()
        _check_finite(trainer.current_epoch + 1, learned, learner.results.values())
        self._take_time()
        self.rows.append(self._row(trainer, learner, learned))
        is_best = self.rows[-1] is best(self.rows)
        state = trainer.strategy.lightning_module_state_dict() if is_best else {}
        if not trainer.is_global_zero:
            return
        if is_best:
            write_tensors(self.folder.best, arrays(state))
        write_whole(self.folder.log, table(self.rows))
        write_whole(self.folder.curves, curves(self.name, self.rows))
        self.report(self._line(trainer))

    def _take_time(self) -> None:
        now = time.monotonic()
        self.seconds += now - self._since
        self._since = now

    def _row(self, trainer: Trainer, learner: Learner, learned: Tally) -> Row:
        sizes = dict.fromkeys(shown(b[0]) for b in learner.job.plan.lengths(trainer.current_epoch))
        return {
            "epoch": trainer.current_epoch + 1,
            "sizes": " ".join(sorted(sizes)),
            "steps": trainer.global_step,
            "lr": learner.rate,
            "train_loss": learned.mean_loss,
            "train_accuracy": learned.accuracy,
            "val_loss": mean([tally.mean_loss for tally in learner.results.values()]),
            "val_accuracy": mean([tally.accuracy for tally in learner.results.values()]),
            **{f"val_accuracy_{shown(s)}": t.accuracy for s, t in learner.results.items()},
            "seconds": round(self.seconds, 3),
        }

    def _line(self, trainer: Trainer) -> str:
        row = self.rows[-1]
        sizes = row["sizes"] if len(row["sizes"].split()) == 1 else "all sizes"
        return (
            f"epoch {row['epoch']}/{trainer.max_epochs} at {sizes}: loss {row['train_loss']:.4f}, "
            f"accuracy {row['train_accuracy']:.1%}; judged: loss {row['val_loss']:.4f}, "
            f"accuracy {row['val_accuracy']:.1%}"
        )


def _check_finite(epoch: int, learned: Tally, judged: Iterable[Tally]) -> None:
    """Raises `TrainingError` if a loss is no number: the weights are of no use then."""
    where = "" if isfinite(learned.loss) else f"the loss of epoch {epoch}"
    if not where and not all(isfinite(tally.loss) for tally in judged):
        where = f"after epoch {epoch} the loss of the images to judge by"
    if where:
        raise TrainingError(f"{where} is not finite: lower the learning rate (--lr)")


def best(rows: Sequence[Row]) -> Row:
    """The row with the greatest accuracy, of several with the least loss, of these the first."""
    return max(rows, key=lambda row: (row["val_accuracy"], -row["val_loss"]))


def table(rows: Sequence[Row]) -> str:
    """Rows as CSV."""
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of a network by their keys, as `netdsl export --weights` takes them."""
    tensors = {
        key.removeprefix(PREFIX): tensor.detach().cpu()
        for key, tensor in state.items()
        if key.startswith(PREFIX)
    }
    return {
        key: (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        for key, tensor in tensors.items()
    }
