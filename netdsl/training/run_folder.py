"""The folder of a run: what is in it, and whether a run may be written there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdsl.diagnostics.reading import reason
from netdsl.files import ASIDE, write_whole
from netdsl.training.faults import TrainingError


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run keeps its files."""

    path: Path

    @property
    def about(self) -> Path:
        return self.path / "run.json"

    @property
    def last(self) -> Path:
        return self.path / "last.ckpt"

    @property
    def best(self) -> Path:
        return self.path / "best.safetensors"

    @property
    def log(self) -> Path:
        return self.path / "log.csv"

    @property
    def curves(self) -> Path:
        return self.path / "curves.svg"

    @property
    def accuracy(self) -> Path:
        return self.path / "accuracy.csv"

    def check(self, about: Mapping[str, Any], resume: bool) -> None:
        """Raises `TrainingError` if another run, or anything else, is here."""
        if self.path.exists() and not self.path.is_dir():
            raise TrainingError(f"{self.path} is no folder")
        if not self.path.exists():
            return
        try:
            others = [p.name for p in self.path.iterdir() if not p.name.startswith(ASIDE)]
            if not others:
                return
            if not self.about.is_file():
                raise TrainingError(
                    f"{self.path} holds {min(others)}, and no run: name a new folder (--out)"
                )
            if not resume:
                raise TrainingError(
                    f"a run is in {self.path} already: --resume goes on with it, and another "
                    "folder (--out) begins a new one"
                )
            self._check_same(json.loads(self.about.read_text(encoding="utf-8")), about)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise TrainingError(f"can't read {self.path}: {reason(error)}") from None

    def _check_same(self, before: Any, now: Mapping[str, Any]) -> None:
        """Raises `TrainingError` if the run was begun in another way."""
        if not isinstance(before, dict):
            raise TrainingError(f"{self.about} does not describe a run")
        for name, value in json.loads(json.dumps(now)).items():
            if before.get(name) != value:
                was = json.dumps(before.get(name))
                raise TrainingError(
                    f"the run in {self.path} can't be resumed so: its {name} was {was:.200}, "
                    f"and is {json.dumps(value):.200} now"
                )

    def begin(self, about: Mapping[str, Any]) -> None:
        """Make the folder, say what is in it, and remove what a killed run left half written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for draft in self.path.glob(f"{ASIDE}*"):
                shutil.rmtree(draft, ignore_errors=True)
            write_whole(self.about, json.dumps(about, indent=2) + "\n")
        except OSError as error:
            raise TrainingError(f"can't write into {self.path}: {reason(error)}") from None
