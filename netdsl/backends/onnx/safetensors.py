"""Reads `.safetensors` files tensor by tensor, so that no more than one is in memory.

The format is a length (8 bytes), a header in JSON with type, shape and place of each tensor, and
the numbers (https://github.com/huggingface/safetensors). Mapping the file, as its own library
does, counts as memory of the process.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdsl.ir.graph import WeightSpec

if TYPE_CHECKING:
    import numpy as np

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "<i1", "U8": "<u1", "BOOL": "<b1",
}  # fmt: skip
LONGEST_HEADER = 100_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the numbers of a tensor are: `start` counts from the beginning of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int


class Tensors:
    """An open file. Raises `ValueError` for one of another format, `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        length = path.stat().st_size
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 2 <= size <= min(LONGEST_HEADER, length - 8):
                raise ValueError("its header does not fit in it")
            header = json.loads(file.read(size))
        if not isinstance(header, dict):
            raise ValueError("its header is no table")
        header.pop("__metadata__", None)
        self.entries = {
            str(key): _entry(str(key), item, 8 + size, length) for key, item in header.items()
        }

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {key: entry.shape for key, entry in self.entries.items()}

    def array(self, spec: WeightSpec) -> np.ndarray[Any, Any]:
        """The numbers of the tensor with this key."""
        import numpy as np

        entry = self.entries[spec.key]
        found = np.fromfile(
            self.path, DTYPES[entry.dtype], prod(entry.shape), offset=entry.start
        ).reshape(entry.shape)
        if entry.dtype == "BF16":  # the upper half of a float32
            return (found.astype(np.uint32) << 16).view(np.float32)
        return found


def _entry(key: str, item: Any, begin: int, length: int) -> Entry:
    """One line of the header, checked against the file's length."""
    try:
        dtype, shape = item["dtype"], tuple(int(n) for n in item["shape"])
        start, end = (int(n) for n in item["data_offsets"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"its entry {key} is broken") from None
    if dtype not in DTYPES:
        raise ValueError(f"{key} has the type {dtype}, which is not read")
    width = int(DTYPES[dtype][2:])
    if min(shape, default=0) < 0 or end - start != width * prod(shape) or start < 0:
        raise ValueError(f"the numbers of {key} do not fit its shape")
    if begin + end > length:
        raise ValueError(f"it ends before the numbers of {key}")
    return Entry(dtype, shape, begin + start)
