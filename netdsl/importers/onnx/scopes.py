"""Which module of its author's a node belongs to, as an exporter has written it."""

from __future__ import annotations

import ast
from typing import cast

from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.names import clean
from netdsl.importers.program import Path

SCOPES, CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
LONGEST, MOST = 20_000, 100


def scope_of(node: Node) -> tuple[tuple[Path, str], ...]:
    """The modules around a node, outer first, each with its path and class (empty if unknown)."""
    scopes, classes = (_texts(node.metadata.get(key, "")) for key in (SCOPES, CLASSES))
    if scopes and len(scopes) == len(classes):
        around = zip(scopes[:-1], classes[:-1], strict=True)
        named = [(path.split("."), kind.split(".")[-1]) for path, kind in around if path]
        return tuple((clean(path), kind) for path, kind in named)
    return tuple((path, "") for path in _from_name(node))


def path_of(node: Node) -> Path:
    """The path of the innermost module around a node."""
    around = scope_of(node)
    return around[-1][0] if around else ()


def _texts(listed: str) -> list[str]:
    """A list of texts, written as in Python."""
    if not listed.startswith("[") or len(listed) > LONGEST:
        return []
    try:
        texts = ast.literal_eval(listed)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    is_texts = isinstance(texts, list) and all(isinstance(one, str) for one in texts)
    return cast("list[str]", texts)[:MOST] if is_texts else []


def _from_name(node: Node) -> list[Path]:
    """`/layer1/layer1.0/conv1/Conv` says `layer1`, `layer1.0` and `layer1.0.conv1`."""
    first, *parts = node.name.split("/")
    if first or len(parts) < 2 or len(parts) > MOST:
        return []
    paths: list[Path] = []
    path: tuple[str, ...] = ()
    before = ""
    for part in parts[:-1]:
        inner = part.removeprefix(before + ".") if before else part
        path = (*path, *inner.split("."))
        paths.append(clean(path))
        before = part
    return paths
