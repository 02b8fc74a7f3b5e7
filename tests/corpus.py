"""Networks that others published, with tables of other tools; in a folder that may be absent."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "corpus"
NEEDED = pytest.mark.skipif(not FOLDER.is_dir(), reason="the corpus of networks is not here")


@cache
def table(folder: str, name: str) -> dict[str, Any]:
    """The networks of a table; none where there is no corpus."""
    path = FOLDER / folder / f"{name}.json"
    return json.loads(path.read_text())["nets"] if path.exists() else {}


def files(folder: str, ending: str) -> list[str]:
    """The files of a folder of the corpus, by their path in it."""
    root = FOLDER / folder
    return sorted(str(path.relative_to(root)) for path in root.rglob(f"*{ending}"))


def drawn(count: int, k: int) -> np.ndarray:
    """Numbers from -1 to 1 by the rule of the golden forwards: the k-th row of a hash."""
    start = (k * 0x9E3779B9 + 0x85EBCA6B) & 0xFFFFFFFF
    h = np.arange(count, dtype=np.uint32) + np.uint32(start)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return (h / 2**32 * 2 - 1).astype(np.float32)


def samples(values: np.ndarray) -> np.ndarray:
    """Sixteen of some numbers, evenly spread."""
    flat = values.reshape(-1)
    return flat[[j * flat.size // 16 for j in range(16)]]
