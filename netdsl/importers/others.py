"""Files that are no source of a network, and what to do with them instead."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from netdsl.diagnostics import DiagnosticError, Source
from netdsl.files import read_source
from netdsl.importers.frontend import ENDINGS, is_foreign, refused

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){2,}", re.ASCII)
WEIGHTS = (
    "it holds weights, and not the network that they belong to: `--weights {0}` beside a `.net` "
    "file or a source"
)
KERAS = (
    "Keras 3 writes what can be read: `model.save('{1}.keras')`, or the text of `model.to_json()` "
    "as `{1}.json`"
)
EXPORT = "write the network as ONNX where it was made: `{1}.onnx` can be read"
PICTURE = "it is a picture; a network is a `.net` file, or one of another format (`netdsl import`)"
ADVICE = {
    **dict.fromkeys((".safetensors", ".pth", ".ckpt", ".npz", ".bin"), WEIGHTS),
    **dict.fromkeys((".weights", ".caffemodel"), WEIGHTS),
    **dict.fromkeys((".h5", ".hdf5"), KERAS),
    **dict.fromkeys((".pb", ".tflite", ".mlmodel", ".pt", ".pt2", ".engine"), EXPORT),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp"), PICTURE),
}
"""By the ending of a file: `{0}` stands for its path, `{1}` for that without the ending."""


def advice(path: str) -> str:
    """What to do instead of reading a network from this; empty where nobody knows."""
    ending = Path(path).suffix.lower()
    if ending in ADVICE:
        return ADVICE[ending].format(path, path[: -len(ending)])
    if is_foreign(path):
        name = ":NAME" if ending == ".py" else ""
        return f"`netdsl import {path}{name} -o OUT.net` writes such a file"
    if DOTTED.fullmatch(path) and ending != ".net" and not Path(path).exists():
        module, _, name = path.rpartition(".")
        return f"what is made by Python has a colon before its name: `{module}:{name}`"
    return ""


def read_net(path: str) -> Source:
    """The text of a `.net` file. Raises `DiagnosticError`, with advice for files of other kinds."""
    help = advice(path)
    if is_foreign(path):
        kind = "Python" if Path(path).suffix.lower() not in ENDINGS else "of another format"
        message = f"{path} is {kind}, and no `.net` file"
        raise refused(message, None, code="unreadable-file", help=help)
    try:
        source = read_source(path)
    except DiagnosticError as error:
        helps = (help,) * bool(help)
        raise DiagnosticError(
            [replace(one, help=(*one.help, *helps)) for one in error.diagnostics]
        ) from None
    if help and "\0" in source.text:
        raise refused(
            f"{path} is not a text: it holds zero bytes", None, code="not-text", help=help
        )
    return source
