"""Helper files: the torch code that is printed into sources word for word where it is used."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from netdsl.ops.plugins import PluginError

IMPORTS = ("import torch", "import torch.nn.functional as F", "from torch import Tensor, nn",
           "from torch import Tensor", "from torch import nn",
           "from __future__ import annotations")  # fmt: skip
"""What a helper may import, because every source can."""

Definition: TypeAlias = ast.ClassDef | ast.FunctionDef


def helper_parts(helpers: Iterable[tuple[str, str]]) -> list[str]:
    """What is printed of each helper file: `helpers` are pairs of a file and a name wanted of it.

    Raises `PluginError` for files of plug-ins that can't be printed.
    """
    wanted: dict[str, list[str]] = {}
    for file, name in sorted(helpers):
        wanted.setdefault(file, []).append(name)
    parts: list[str] = []
    owners: dict[str, str] = {}
    for file, names in wanted.items():
        text = _text(file)
        used = _used(file, text, names)
        for name in used:
            if name in owners:
                raise PluginError(f"`{name}` is defined in two helpers: {owners[name]} and {file}")
            owners[name] = file
        pieces = (ast.get_source_segment(text, _whole(node)) for node in used.values())
        parts.append("\n\n\n".join(piece for piece in pieces if piece))
    return parts


@cache
def own_names() -> frozenset[str]:
    """What the helpers of this package define."""
    folder = files("netdsl.backends.torch.helpers")
    texts = (f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".py"))
    return frozenset(name for text in texts for name in _definitions(text))


def plugin_names(file: str) -> frozenset[str]:
    """What the helper of a plug-in defines. Raises `PluginError`."""
    return frozenset(_definitions(_text(file)))


def _definitions(text: str) -> dict[str, Definition]:
    return {n.name: n for n in ast.parse(text).body if isinstance(n, Definition)}


def _text(file: str) -> str:
    """A file of this package by its name, one of a plug-in by its path."""
    if not file.endswith(".py"):
        path = files("netdsl.backends.torch.helpers") / f"{file}.py"
        return path.read_text(encoding="utf-8")
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise PluginError(f"can't read the helper {file}: {error}") from error
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise PluginError(f"the helper {file} is wrong in line {error.lineno}: {error}") from error
    for node in tree.body:
        _check(file, node)
    return text


def _check(file: str, node: ast.stmt) -> None:
    """Refuses what would be lost: only classes and functions are printed."""
    is_doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if is_doc or isinstance(node, Definition):
        return
    text = ast.unparse(node)
    if text not in IMPORTS:
        raise PluginError(
            f"the helper {file} has `{text.splitlines()[0]}` in line {node.lineno}: it may hold "
            f"classes and functions, and import {', '.join(f'`{line}`' for line in IMPORTS[:3])}"
        )


def _used(file: str, text: str, names: Sequence[str]) -> dict[str, Definition]:
    """The classes and functions of a helper that are needed, in its order."""
    defined = _definitions(text)
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in wanted:
            continue
        if name not in defined:
            raise PluginError(f"the helper {file} has no class `{name}`")
        wanted.add(name)
        used = {n.id for n in ast.walk(defined[name]) if isinstance(n, ast.Name)}
        waiting += used & defined.keys()
    return {name: node for name, node in defined.items() if name in wanted}


def _whole(node: Definition) -> ast.AST:
    """A definition with its decorators."""
    if node.decorator_list:
        node.lineno = node.decorator_list[0].lineno
        node.col_offset = 0
    return node
