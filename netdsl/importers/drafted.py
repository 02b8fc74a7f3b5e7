"""Layers that an import brings along, in force before their files are where they are to be."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from netdsl.ops.plugins import plugged


def in_force(files: Mapping[str, str]) -> AbstractContextManager[None]:
    """The layers in these files, by their texts, are layers of the language within."""
    return plugged(_drafts(tuple(files.items())))


@cache
def _drafts(files: tuple[tuple[str, str], ...]) -> tuple[Path, ...]:
    """The first of these files, beside the others in a folder that stays until the end."""
    if not files:
        return ()
    folder = Path(mkdtemp(prefix="netdsl-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    for path, text in files:
        (folder / Path(path).name).write_text(text, encoding="utf-8")
    return (folder / Path(files[0][0]).name,)
