"""A folder to serve a network from: its ONNX file, and notes for each runtime beside it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netdsl.backends.onnx.export import Review, built, export_onnx, is_apart
from netdsl.backends.onnx.options import ExportError, Options
from netdsl.backends.serving.box import NO_WISHES, Wishes, box_of
from netdsl.backends.serving.readme import readme
from netdsl.backends.serving.runner import runner
from netdsl.backends.serving.triton import config
from netdsl.diagnostics.reading import plain_bytes
from netdsl.files import check_not_read, drafting
from netdsl.ir.graph import Graph
from netdsl.version import __version__

LIST = "kit.json"
NOTES = ("README.md", "config.pbtxt", "infer.py", LIST)
CHUNK = 1 << 20


class ForeignFileError(ExportError):
    """A file of the folder would be lost: it is none that a kit was written with."""


@dataclass(frozen=True, slots=True)
class Kit:
    """What is written into a folder: the names of the model's files, and the texts beside them."""

    folder: Path
    model_files: tuple[str, ...]
    texts: dict[str, str]


def export_kit(
    graph: Graph,
    folder: Path,
    source: object,
    options: Options,
    *,
    wishes: Wishes = NO_WISHES,
    external: bool | None = None,
    review: Review | None = None,
    read: Sequence[str | Path] = (),
) -> list[Path]:
    """Write a network's file and its notes into a folder; see `Network.export_kit`.

    `read` are files that must not be replaced.
    """
    kit = kit_of(graph, folder, options, wishes, external)
    names = [*kit.model_files, *NOTES]
    targets = [folder / name for name in names]
    check_not_read(targets, read)
    new_folders = _make(folder)
    try:
        _check_ours(folder, graph.name, names)
        with drafting(*targets) as drafts:
            export_onnx(graph, drafts[0], source, options, external, review)
            for draft in drafts[len(kit.model_files) : -1]:
                draft.write_text(kit.texts[draft.name], encoding="utf-8")
            drafts[-1].write_text(_listing(graph.name, drafts[:-1]), encoding="utf-8")
            _check_ours(folder, graph.name, names)
    except BaseException:
        _unmake(new_folders)
        raise
    return targets


def kit_of(
    graph: Graph,
    folder: Path,
    options: Options,
    wishes: Wishes = NO_WISHES,
    external: bool | None = None,
) -> Kit:
    """The texts of a kit. Raises `ExportError`, `DiagnosticError`."""
    box = box_of(graph, options.batch, wishes)
    model = f"{graph.name}.onnx"
    is_split = is_apart(built(graph, options), external)
    files = (model, f"{model}.data") if is_split else (model,)
    texts = {
        "README.md": readme(graph, files, options, box),
        "config.pbtxt": config(graph, model, options, box),
        "infer.py": runner(graph, model, options, box),
    }
    return Kit(folder, files, texts)


def _listing(name: str, drafts: Sequence[Path]) -> str:
    """What the kit consists of, so that a later one may take its place."""
    files = {draft.name: _digest(draft) for draft in drafts}
    return json.dumps({"netdsl": __version__, "network": name, "files": files}, indent=2) + "\n"


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_ours(folder: Path, name: str, names: Sequence[str]) -> None:
    """Raises `ForeignFileError` unless all that is replaced is as a kit of this network was."""
    there = [item for item in names if os.path.lexists(folder / item)]
    if not there:
        return
    network, digests = _read_list(folder / LIST)
    if network is not None and network != name:
        raise ForeignFileError(
            f"{folder} is the kit of the network {network}: choose another folder"
        )
    for item in there:
        path = folder / item
        if item == LIST and network is not None:
            continue
        if item not in digests:
            raise ForeignFileError(
                f"{path} is there and was not written by `netdsl export --kit`: move it, or "
                "choose another folder"
            )
        if not path.is_file() or _digest(path) != digests[item]:
            raise ForeignFileError(
                f"{path} was changed since it was written: move it, or choose another folder"
            )


def _read_list(path: Path) -> tuple[str | None, dict[str, str]]:
    """The network and the files of the kit that is there; nothing where there is none."""
    try:
        data = json.loads(plain_bytes(str(path)))
        network, files = data["network"], data["files"]
        if isinstance(network, str) and all(isinstance(text, str) for text in files.values()):
            return network, dict(files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return None, {}


def _make(folder: Path) -> list[Path]:
    """Make a folder and those that it lies in; returns those that were not there, inner first."""
    new = [part for part in (folder, *folder.parents) if not part.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return new


def _unmake(folders: Sequence[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
