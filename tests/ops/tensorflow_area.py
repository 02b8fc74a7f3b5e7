"""What TensorFlow's `area` gives; written to `tests/data/tensorflow_area.npz` once.

    python -m tests.ops.tensorflow_area

needs tensorflow, which the tests do not. Images are drawn by a rule (`cases`), so the file holds
results alone, in hundredths of a level, one behind the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

FILE = Path(__file__).resolve().parents[1] / "data" / "tensorflow_area.npz"
COUNT, LARGEST = 200, 40


def cases() -> Iterator[tuple[Any, tuple[int, int]]]:
    """Images `[H, W]` of all levels, and sizes of results, that grow and that shrink."""
    draw = Random("area")
    for number in range(COUNT):
        height, width, *size = (draw.randint(1, LARGEST) for _ in range(4))
        numbers = np.random.default_rng(number).integers(0, 256, (height, width), dtype=np.uint8)
        yield numbers, (size[0], size[1])


def results() -> Iterator[Any]:
    """The recorded results, in the order of the cases."""
    with np.load(FILE) as file:
        flat = file["hundredths"] / 100
    start = 0
    for _, (height, width) in cases():
        yield flat[start : start + height * width].reshape(height, width)
        start += height * width


def main() -> None:
    tf = import_module("tensorflow")
    flat: list[Any] = []
    for image, size in cases():
        found = tf.image.resize(image[None, :, :, None], size, method="area").numpy()
        flat.append(np.round(found[0, :, :, 0] * 100).astype(np.uint16).ravel())
    np.savez_compressed(FILE, hundredths=np.concatenate(flat))


if __name__ == "__main__":
    main()
