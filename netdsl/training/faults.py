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
    _check_torchvision()


def _check_torchvision() -> None:
    """Import torchvision, also where its compiled operators don't go with this PyTorch.

    Nothing here calls one of them. Raises `TrainingError` if it can't be imported all the same.
    """
    import torch

    from netdsl.importers.torch.missing import with_declared

    try:
        with_declared(lambda: import_module("torchvision"))
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise TrainingError(
            f"torchvision can't be imported: {error!s:.200}; install the release that goes "
            f"with PyTorch {torch.__version__}"
        ) from None
