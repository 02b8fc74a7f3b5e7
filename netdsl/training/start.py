"""`netdsl.train`: checks all that can be checked before the first step, then trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from netdsl.backends.torch.source import torch_source
from netdsl.training.contract import check_evaluation, check_training, whole_batches
from netdsl.training.faults import TrainingError, check_packages
from netdsl.training.image_input import image_input
from netdsl.training.pixels import Pixels, distinct, shown
from netdsl.training.plan import Plan
from netdsl.training.run_folder import RunFolder
from netdsl.training.settings import Choices, Settings
from netdsl.training.task import Task, task_of

if TYPE_CHECKING:
    from torch import nn

    from netdsl.network import Network
    from netdsl.training.images import Data

DIGITS = "sklearn:digits"
MANY = 10_000
"""More sizes than anyone trains on."""


@dataclass(frozen=True, slots=True)
class Score:
    """How good a network is at one size; `is_trained` tells whether it has learned at it."""

    size: Pixels
    accuracy: float
    loss: float
    samples: int
    is_trained: bool


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training: its best weights, how good they are by size, and its files.

    `rank` is the number of this process among those that trained together.
    """

    weights: Path
    scores: tuple[Score, ...]
    epochs: int
    seconds: float
    rank: int

    def accuracy(self, size: object) -> float:
        """That at a size: `224`, `"180x240"`. Raises `ValueError` for one not asked for."""
        (wanted,) = distinct([size])
        for score in self.scores:
            if score.size == wanted:
                return score.accuracy
        raise ValueError(f"{shown(wanted)} is none of the sizes that were asked for")


def train(
    network: Network,
    data: str | Path,
    sizes: Sequence[object],
    out: str | Path,
    *,
    test_sizes: Sequence[object] = (),
    weights: object = None,
    resume: bool = False,
    report: Callable[[str], None] | None = None,
    **choices: Unpack[Choices],
) -> Trained:
    """Train a network on images of many sizes; its files are in the folder `out`.

    `data` is a folder of images or `sklearn:digits`; `sizes` are numbers (224) or heights and
    widths (`"180x240"`). At the end the best weights are judged at all sizes and `test_sizes`.
    `weights` are those to begin with, as for `Network.torch`. With `resume` a run that was broken
    off in `out` goes on, with the same numbers. `report` is given a line after each epoch. The
    choices are the fields of `netdsl.training.settings.Settings`. Raises `TrainingError`.
    """
    settings = _settings(choices)
    trained_on, tested_on = _sizes(sizes, "sizes"), _sizes(test_sizes, "test_sizes")
    if not trained_on:
        raise TrainingError("sizes: name at least one")
    _check_paths(data, out)
    check_packages(*(["sklearn"] if str(data) == DIGITS else []))
    images, task = image_input(network.graph), task_of(network.graph, settings.output)
    check_evaluation(network.sizes, images, (*trained_on, *tested_on))
    whole = whole_batches(network.graph, images, trained_on, settings.batch, settings.rule)

    from netdsl.training.learner import Job
    from netdsl.training.lightning_run import LightningRun, quiet

    with quiet():
        trainer = LightningRun(RunFolder(Path(out)), network.name, report, settings)
        read, left_out = _data(data, task, images.channels, settings, Path(out))
        plan = Plan(whole, settings.schedule, len(read.train), settings.seed, settings.drop_last)
        check_training(network.sizes, images, plan, settings.epochs, trainer.world)
        source = torch_source(network.graph, settings.init)
        about = _about(source, read, trained_on, weights, settings)
        module = _module(network, weights, settings)
        if trainer.rank == 0:  # it makes the folder while the others begin
            trainer.folder.check(about, resume)
            trainer.folder.begin(about)
            for text in left_out:
                trainer.report(f"left out: {text}")
        job = Job(task, images, read, plan, settings, trained_on)
        epochs, seconds = trainer.fit(module, job, resume)
        tallies = trainer.judge(distinct([*trained_on, *tested_on]))
    scores = tuple(
        Score(size, tally.accuracy, tally.mean_loss, round(tally.samples), size in trained_on)
        for size, tally in tallies.items()
    )
    return Trained(trainer.folder.best, scores, epochs, seconds, trainer.rank)


def _module(network: Network, weights: object, settings: Settings) -> nn.Module:
    """The module that learns, from given weights or drawn ones."""
    module = network.torch(settings.seed, weights, init=settings.init)
    if not any(weight.requires_grad for weight in module.parameters()):
        raise TrainingError(f"`{network.name}` has no weights that learn")
    return module


def _settings(choices: Choices) -> Settings:
    augment = choices.get("augment", ())
    if isinstance(augment, str):
        raise TrainingError(f"`augment` is a list, as [{augment!r}]")
    try:
        return Settings(**{**choices, "augment": tuple(augment)})
    except TypeError as error:
        raise TrainingError(str(error).partition("() ")[2] or str(error)) from None


def _sizes(sizes: Sequence[object], name: str) -> tuple[Pixels, ...]:
    if isinstance(sizes, str) or not isinstance(sizes, Sequence):
        raise TrainingError(f"{name} are a list of sizes, as [224], not {sizes!r:.40}")
    if len(sizes) > MANY:
        raise TrainingError(f"{name}: {MANY:,} at most")
    try:
        return distinct(sizes)
    except ValueError as error:
        raise TrainingError(f"{name}: {error}") from None


def _check_paths(data: object, out: object) -> None:
    """Raises `TrainingError` for what is no path."""
    for name, path in (("data", data), ("out", out)):
        if not isinstance(path, str | Path):
            raise TrainingError(f"`{name}` is a path, not {path!r:.40}")


def _data(
    data: str | Path, task: Task, channels: int, settings: Settings, out: Path
) -> tuple[Data, Sequence[str]]:
    """The images, and which were left out."""
    if str(data) == DIGITS:
        from netdsl.training.digits import digits_data

        return digits_data(task, channels, settings, DIGITS), []
    from netdsl.training.folders import check_elsewhere, folder_data

    check_elsewhere(Path(data), out)
    return folder_data(Path(data), task, channels, settings)


def _about(
    source: str, data: Data, sizes: Sequence[Pixels], weights: object, settings: Settings
) -> dict[str, Any]:
    """All that decides which numbers come out, to be compared when a run is resumed."""
    begun = weights if weights is None or isinstance(weights, str) else type(weights).__name__
    return {
        "network": sha256(source.encode()).hexdigest()[:16],
        "data": data.where,
        "images": [len(data.train), len(data.val), data.summary],
        "classes": None if data.classes is None else list(data.classes),
        "sizes": [shown(size) for size in sizes],
        "weights": str(weights) if isinstance(weights, Path) else begun,
        **settings.of_the_numbers(),
    }
