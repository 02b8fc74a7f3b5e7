"""What a person can ask of an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from netdsl.backends.weights.renaming import Rename
from netdsl.ops.initial import PYTORCH

OPSET = 18


@dataclass(frozen=True, slots=True)
class Options:
    """How a network is written, and how its weights are read or drawn; see `Network.export`."""

    seed: int = 0
    rename: Rename | None = None
    init: str = PYTORCH
    opset: int = OPSET
    batch: int | None = None
    half: bool = False
    guard: bool = False
    names: Mapping[str, str] | None = None

    def name_of(self, name: str) -> str:
        """What an input or output is called in the file."""
        return (self.names or {}).get(name, name)


class Choices(TypedDict, total=False):
    """Those of `Options` that are chosen, as keywords."""

    seed: int
    rename: Rename | None
    init: str
    opset: int
    batch: int | None
    half: bool
    guard: bool
    names: Mapping[str, str] | None


class ExportError(ValueError):
    """What was asked can't be done; the message says why and what to ask instead."""
