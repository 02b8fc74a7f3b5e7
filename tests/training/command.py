"""`netdsl` as a program, also where torchvision's compiled operators do not load."""

from __future__ import annotations

from netdsl.__main__ import run
from tests.torchvision_models import torchvision_models

if __name__ == "__main__":
    torchvision_models()
    run()
