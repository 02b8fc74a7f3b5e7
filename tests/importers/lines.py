"""How long texts are: lines without comments and blank ones, those of library blocks apart."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import netdsl
from tests.examples import FOLDER, network

STD = Path(netdsl.__file__).parent / "std"
BLOCK = re.compile(r"^block (\w+).*?^}", re.MULTILINE | re.DOTALL)


def lines(text: str) -> int:
    """Lines without comments and blank ones."""
    return sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))


@cache
def library() -> dict[str, int]:
    """The lines of each block of the library."""
    texts = [path.read_text() for path in STD.glob("*.net")]
    return {block[1]: lines(block[0]) for text in texts for block in BLOCK.finditer(text)}


def with_library(text: str, net: netdsl.Network) -> int:
    """The lines of a text, and of the library's blocks that it is made of."""
    used = {scope.definition for scope in net.graph.root.scopes() if scope.definition}
    own = {block[1] for block in BLOCK.finditer(text)}
    return lines(text) + sum(library().get(name, 0) for name in used - own)


def hand_written(name: str) -> int:
    """The lines of an example, and of the library's blocks that it is made of."""
    return with_library((FOLDER / f"{name}.net").read_text(), network(name))
