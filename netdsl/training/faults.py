"""What keeps a training from beginning, or from going on."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

PACKAGES = ("torch", "torchvision", "lightning", "PIL")
"""What the extra `netdsl[train]` installs."""

CALLED = {"sklearn": "scikit-learn", "PIL": "pillow"}


class TrainingError(ValueError):
    """A training that can't be done; the message says why and what to do instead."""


def check_packages(*more: str) -> None:
    """Raises `TrainingError` where a package is not installed that training needs."""
    missing = [name for name in (*PACKAGES, *more) if find_spec(name) is None]
    if missing:
        names = ", ".join(CALLED.get(name, name) for name in missing)
        raise TrainingError(f"training needs {names}: pip install 'netdsl[train]'")
    try:
        import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:
        raise TrainingError(
            f"torchvision does not load beside this PyTorch ({error}): they are built for each "
            "other; install both from the same place, `pip install --force-reinstall torch "
            "torchvision`"
        ) from None
