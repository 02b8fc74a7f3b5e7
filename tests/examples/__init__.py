"""The networks in examples/, each compared with what others say of it."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.net"))


def example(name: str) -> Path:
    """The file of an example."""
    return FOLDER / f"{name}.net"
