"""What was made of what, so that only what changed is made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from netdsl.cli.build.plan import Target
from netdsl.files import write_whole
from netdsl.version import __version__

NAME = ".netdsl-build.json"
PACKAGES = ("torch", "torchvision", "timm", "onnx")


def digest(path: Path) -> str | None:
    """The hash of a file; None if it can't be read."""
    with suppress(OSError), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def key_of(target: Target) -> str:
    """What a target is by: its command with its arguments, and the versions of what runs it."""
    return json.dumps([target.command, *target.arguments, __version__, *_versions()])


def _versions() -> Iterable[str]:
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            yield f"{package} {version(package)}"


class Record:
    """The record beside a build file; one that can't be read is empty."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.entries: dict[str, dict[str, Any]] = {}
        with suppress(OSError, ValueError):
            data: Any = json.loads(self.path.read_text(encoding="utf-8"))
            if isinstance(data, dict):
                self.entries = data

    def is_current(self, target: Target) -> bool:
        """Whether a target was made of the very files that are there now, and is there still."""
        entry = self.entries.get(self._name(target))
        if not isinstance(entry, dict) or entry.get("key") != key_of(target):
            return False
        files: Any = {**entry.get("reads", {}), **entry.get("makes", {})}
        return bool(entry.get("reads")) and all(
            value is not None and digest(Path(path)) == value for path, value in files.items()
        )

    def keep(self, target: Target, reads: Sequence[str], makes: Sequence[Path]) -> None:
        """Note that a target was made."""
        self.entries[self._name(target)] = {
            "key": key_of(target),
            "reads": {path: digest(Path(path)) for path in reads},
            "makes": {str(path): digest(path) for path in makes},
        }

    def forget(self, target: Target) -> None:
        """Note that a target could not be made."""
        self.entries.pop(self._name(target), None)

    def write(self) -> None:
        """Write the record. Raises `OSError`."""
        write_whole(self.path, json.dumps(self.entries, indent=1) + "\n")

    def _name(self, target: Target) -> str:
        return f"{target.network} {target.kind} {target.file or ''}"
