"""One rule for each function of torch: what it is in the language."""

from netdsl.importers.torch.rules import (
    assigning,
    attending,
    merging,
    modules,
    pointwise,
    reducing,
    sampling,
    shaping,
    spreading,
    weighted,
    windows,
)
from netdsl.importers.torch.rules.rule import RULES

__all__ = [
    "RULES",
    "assigning",
    "attending",
    "merging",
    "modules",
    "pointwise",
    "reducing",
    "sampling",
    "shaping",
    "spreading",
    "weighted",
    "windows",
]
