"""Room for recursion as deep as the language allows bodies to be nested."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

PYTHON_FRAMES = 20_000
"""Enough for bodies nested as deep as the compiler allows, at some ten frames each."""


@contextmanager
def deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, PYTHON_FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
