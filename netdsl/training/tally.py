"""Losses and hits, summed over the samples of an epoch on all devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from netdsl.training.faults import TrainingError

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule


@dataclass(slots=True)
class Tally:
    """What one device has counted: samples, and the sums of their losses and hits."""

    samples: float = 0.0
    loss: float = 0.0
    hits: float = 0.0

    def add(self, weights: Tensor, losses: Tensor, hits: Tensor) -> None:
        """Count a batch; what weighs 0 is there only to fill up."""
        weights = weights.double()
        self.samples += float(weights.sum())
        self.loss += float((weights * losses.double()).sum())
        self.hits += float((weights * hits.double()).sum())

    def over_all(self, module: LightningModule) -> Tally:
        """The sums over all devices; every one has to ask."""
        kind = torch.float32 if module.device.type == "mps" else torch.float64
        own = torch.tensor([self.samples, self.loss, self.hits], dtype=kind, device=module.device)
        return Tally(*module.trainer.strategy.reduce(own, reduce_op="sum").tolist())

    @property
    def mean_loss(self) -> float:
        return self.loss / self._some

    @property
    def accuracy(self) -> float:
        return self.hits / self._some

    @property
    def _some(self) -> float:
        """The samples. Raises `TrainingError` if none was counted."""
        if not self.samples:
            raise TrainingError("no pixel counts: every one of the masks has the class 255")
        return self.samples
