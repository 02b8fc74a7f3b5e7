"""Names of layers and blobs as paths, and as names that the language takes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netdsl.importers.caffe.structure import Layer
from netdsl.importers.frontend import refused
from netdsl.importers.program import Path

KINDS = {
    "Convolution": "conv", "Deconvolution": "conv", "InnerProduct": "fc", "BatchNorm": "bn",
    "Scale": "scale", "Bias": "bias", "PReLU": "prelu",
}  # fmt: skip
"""What is added to a path that others begin with."""
LONGEST, DEEPEST = 500, 20
RESERVED = {
    "net", "block", "fn", "use", "as", "input", "output", "let", "weight", "layer", "repeat",
    "for", "in", "if", "else", "each", "inline", "when", "training", "where", "true", "false",
    "none", "and", "or", "not", "end",
}  # fmt: skip


def paths(weighted: Sequence[str], layers: Sequence[Layer]) -> dict[str, Path]:
    """The path of each layer with weights: its name, in parts at the slashes.

    Where another begins with it (`conv1` and `conv1/bn`), a word for its kind is added, as
    nothing lies below a layer with weights.
    """
    spans = {layer.name: layer for layer in layers}
    for name in weighted:
        if len(name) > LONGEST or name.count("/") > DEEPEST:
            message = f"a name has at most {LONGEST} characters and {DEEPEST} slashes here"
            raise refused(message, spans[name].span)
    parts = {name: tuple(part for part in name.split("/") if part) for name in weighted}
    prefixes = {path[:count] for path in parts.values() for count in range(1, len(path))}
    found: dict[str, Path] = {}
    taken: set[Path] = set()
    for name, path in parts.items():
        layer = spans[name]
        if not path or not name.isprintable() or '"' in name or "\\" in name:
            raise refused(f"`{name:.60}` is no name of a layer with weights", layer.span)
        if path in prefixes:
            path = (*path, KINDS[layer.type])
        while path in taken:  # `a/b` and `a//b` are two layers
            path = (*path[:-1], f"{path[-1]}_")
        taken.add(path)
        found[name] = path
    return found


def identifier(name: str) -> str:
    """A name of letters, digits and `_`: `conv1/7x7_s2` gives `conv1_7x7_s2`."""
    word = re.sub(r"[^A-Za-z0-9_]", "_", name) or "blob"
    if word[0].isdigit() or word[0] == "_":
        word = f"b{word}"
    return f"{word}_" if word in RESERVED else word


def identifiers(names: Sequence[str]) -> list[str]:
    """The same for several that are told apart."""
    found: list[str] = []
    for name in names:
        word, number = identifier(name), 2
        while word in found:
            word, number = f"{identifier(name)}_{number}", number + 1
        found.append(word)
    return found
