"""One rule for each function of torch: what it is in the language."""

from netdsl.importers.torch.rules import (
    attending,
    merging,
    modules,
    pointwise,
    reducing,
    sampling,
    shaping,
    spreading,
    weighted,
)
from netdsl.importers.torch.rules.rule import RULES

__all__ = [
    "RULES",
    "attending",
    "merging",
    "modules",
    "pointwise",
    "reducing",
    "sampling",
    "shaping",
    "spreading",
    "weighted",
]
