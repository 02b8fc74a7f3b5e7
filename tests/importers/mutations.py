"""Texts and trees of JSON that are wrong in random places, for tests of what reads them."""

from __future__ import annotations

from copy import deepcopy
from random import Random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 7, 10**6, 10**7, 2**31, 2**63, 10**40, 0.5, -3.5, 1e300, "", "x", "same", "relu",
    "é\u202e", "a" * 300, [], [1], [0, 0], [3, 3], [[1, 2], [3, 4]], ["x"], [None, 4, 4, 3], {}, {"class_name": "Dense"},
    {"config": "relu"},
)  # fmt: skip
"""Values to put where another stands."""
PIECES = (
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "-",
    "\n",
    " ",
    "#",
    "&a",
    "*a",
    "!!",
    "'",
    '"',
    "0",
    "9" * 30,
    "\x00",
    "\ud7ff",
    "null",
    "~",
    "1e999",
)


def changed_text(text: str, random: Random) -> str:
    """A text with pieces taken out, doubled, put in, or moved."""
    for _ in range(random.randint(1, 3)):
        start = random.randrange(len(text) + 1)
        end = min(len(text), start + random.choice((0, 1, 1, 2, 5, 20)))
        piece = random.choice((*PIECES, text[start:end] * 2, ""))
        text = text[:start] + piece + text[end:]
    return text


def changed_tree(tree: Any, random: Random) -> Any:
    """A tree with other values, without keys, or with parts of it in other places."""
    tree = deepcopy(tree)
    for _ in range(random.randint(1, 3)):
        places = list(_places(tree))
        holder, key = random.choice(places)
        match random.randrange(5):
            case 0:
                del holder[key]
            case 1:
                other, where = random.choice(places)
                holder[key] = deepcopy(other[where])
            case 2 if isinstance(holder, list):
                holder.insert(key, deepcopy(holder[key]))
            case _:
                holder[key] = random.choice(ODD)
        if not list(_places(tree)):
            break
    return tree


def _places(tree: Any) -> Any:
    """Each place in a tree that a value stands at."""
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in list(keys):
        yield tree, key
        yield from _places(tree[key])
