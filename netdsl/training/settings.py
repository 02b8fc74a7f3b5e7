"""What a person can ask of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import TypedDict

from netdsl.ops.initial import PYTORCH, policies
from netdsl.training.faults import TrainingError

WORDS = {
    "schedule": ("epoch", "batch"),
    "batch_by": ("samples", "cells", "memory"),
    "optimizer": ("sgd", "adamw"),
    "decay": ("cosine", "constant"),
    "fit": ("crop", "squash"),
    "broken": ("stop", "skip"),
}
AUGMENTATIONS = ("crop", "flip")
RATES = {"sgd": 0.1, "adamw": 0.001}
WEIGHT_DECAYS = {"sgd": 0.0001, "adamw": 0.01}
BATCH_BY = {"epoch": "samples", "batch": "cells"}
WHOLE = {"epochs": 1, "batch": 1, "seed": 0, "patience": 0, "every": 0, "nodes": 1, "workers": 0}
"""Settings that are whole numbers, and the least that each may be."""
SEEDS = 2**64
NUMBERS = ("lr", "weight_decay", "momentum", "aux_weight")
MAY_BE_NONE = ("batch_by", "lr", "weight_decay", "workers")
FREE = (
    "every", "workers", "devices", "nodes", "strategy", "accelerator", "progress",
)  # fmt: skip
"""What may be otherwise when a run is resumed: it changes no number, or rounding alone."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is trained; see `netdsl.train`. None is what the comment beside it says."""

    schedule: str = "epoch"
    epochs: int = 10
    batch: int = 32
    batch_by: str | None = None  # samples for the schedule `epoch`, cells for `batch`
    drop_last: bool = False
    optimizer: str = "adamw"
    lr: float | None = None  # that of the optimizer
    weight_decay: float | None = None  # that of the optimizer
    momentum: float = 0.9
    decay: str = "cosine"
    aux_weight: float = 0.3
    output: str | None = None  # the only one at inference
    augment: tuple[str, ...] = ()
    fit: str = "crop"
    val: float = 0.2
    broken: str = "stop"
    seed: int = 0
    init: str = PYTORCH
    patience: int = 0
    every: int = 0
    workers: int | None = None  # by the number of processors
    devices: str | int = "auto"
    nodes: int = 1
    strategy: str = "auto"
    accelerator: str = "auto"
    precision: str = "32-true"
    deterministic: bool = False
    progress: bool = False

    def __post_init__(self) -> None:
        for name, words in {**WORDS, "init": tuple(policies())}.items():
            word = getattr(self, name)
            if word not in words and not self._is_left(name):
                raise TrainingError(f"`{name}` is one of {', '.join(words)}, not `{word}`")
        for name, least in WHOLE.items():
            number = getattr(self, name)
            if (type(number) is not int or number < least) and not self._is_left(name):
                raise TrainingError(
                    f"`{name}` is a whole number from {least} on, not {number!r:.40}"
                )
        if self.seed >= SEEDS:
            raise TrainingError(f"`seed` is less than 2**64, not {self.seed}")
        for name in NUMBERS:
            number = getattr(self, name)
            if not (_is_number(number) and number >= 0) and not self._is_left(name):
                raise TrainingError(f"`{name}` is a number from 0 on, not {number!r:.40}")
        if not (_is_number(self.val) and 0 < self.val < 1):
            raise TrainingError(f"`val` is a part of the images between 0 and 1, not {self.val!r}")
        wrong = [name for name in self.augment if name not in AUGMENTATIONS]
        if wrong:
            known = ", ".join(AUGMENTATIONS)
            raise TrainingError(f"`augment` takes {known}, and not `{wrong[0]}`")

    def _is_left(self, name: str) -> bool:
        """Whether a setting is left to others."""
        return name in MAY_BE_NONE and getattr(self, name) is None

    @property
    def rate(self) -> float:
        return RATES[self.optimizer] if self.lr is None else self.lr

    @property
    def decay_of_weights(self) -> float:
        return WEIGHT_DECAYS[self.optimizer] if self.weight_decay is None else self.weight_decay

    @property
    def rule(self) -> str:
        """What a batch has the same number of at every size."""
        return self.batch_by or BATCH_BY[self.schedule]

    def of_the_numbers(self) -> dict[str, object]:
        """The settings that decide which numbers come out, by name."""
        every = {name: value for name, value in asdict(self).items() if name not in FREE}
        worked_out = {
            "lr": self.rate, "weight_decay": self.decay_of_weights, "batch_by": self.rule,
            "augment": list(self.augment),
        }  # fmt: skip
        return every | worked_out


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


class Choices(TypedDict, total=False):
    """Those of `Settings` that are chosen, as keywords."""

    schedule: str
    epochs: int
    batch: int
    batch_by: str | None
    drop_last: bool
    optimizer: str
    lr: float | None
    weight_decay: float | None
    momentum: float
    decay: str
    aux_weight: float
    output: str | None
    augment: Sequence[str]
    fit: str
    val: float
    broken: str
    seed: int
    init: str
    patience: int
    every: int
    workers: int | None
    devices: str | int
    nodes: int
    strategy: str
    accelerator: str
    precision: str
    deterministic: bool
    progress: bool
