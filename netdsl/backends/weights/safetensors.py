"""Reads `.safetensors` files tensor by tensor, so that no more than one is in memory.

The format is a length (8 bytes), a header in JSON with type, shape and place of each tensor, and
the numbers, without gaps (https://github.com/huggingface/safetensors). Mapping the file, as its
own library does, counts as memory of the process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdsl.files import drafting

if TYPE_CHECKING:
    import numpy as np

DTYPES = {
    "F64": ("float64", "<f8"), "F32": ("float32", "<f4"), "F16": ("float16", "<f2"),
    "BF16": ("bfloat16", "<u2"), "I64": ("int64", "<i8"), "I32": ("int32", "<i4"),
    "I16": ("int16", "<i2"), "I8": ("int8", "<i1"), "U8": ("uint8", "<u1"), "BOOL": ("bool", "<b1"),
}  # fmt: skip
LONGEST_HEADER = 100_000_000
MOST_AXES = 64
LONGEST_AXIS = 2**48
MOST_DIGITS = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the numbers of a tensor are: bytes `start` to `end` of the file."""

    kind: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def dtype(self) -> str:
        return DTYPES[self.kind][0]


def write_tensors(path: str | Path, tensors: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write tensors by key, atomically. Raises `OSError`."""
    kinds = {np_name: kind for kind, (np_name, _) in DTYPES.items()}
    header: dict[str, object] = {}
    end = 0
    for key, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        kind = kinds[tensor.dtype.name]
        header[key] = {"dtype": kind, "shape": tensor.shape, "data_offsets": [start, end]}
    table = json.dumps(header, separators=(",", ":")).encode()
    table += b" " * (-len(table) % 8)
    with drafting(path) as (aside,), open(aside, "wb") as file:
        file.write(len(table).to_bytes(8, "little") + table)
        for tensor in tensors.values():
            file.write(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes())
        file.flush()
        os.fsync(file.fileno())


class Tensors:
    """A file whose header was read. Raises `ValueError` for one of another format, `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with open(path, "rb") as file:
            length = file.seek(0, 2)
            file.seek(0)
            size = int.from_bytes(file.read(8), "little")
            if length < 10:
                raise ValueError(f"it has {length} bytes, fewer than any such file")
            if size > length - 8:
                raise ValueError(f"its header would be {size:,} bytes, of a file of {length:,}")
            if not 2 <= size <= LONGEST_HEADER:
                raise ValueError(f"its header would be {size:,} bytes")
            header = _header(file.read(size))
        begin = 8 + size
        self.entries = {key: _entry(key, item, begin, length) for key, item in header.items()}
        _check_places(self.entries, begin, length)

    def array(self, key: str) -> np.ndarray[Any, Any]:
        """The numbers of the tensor with this key."""
        import numpy as np

        entry = self.entries[key]
        count = prod(entry.shape)
        numbers = np.fromfile(self.path, DTYPES[entry.kind][1], count, offset=entry.start)
        numbers = numbers.reshape(entry.shape)
        if entry.kind == "BF16":  # the upper half of a float32
            return (numbers.astype(np.uint32) << 16).view(np.float32)
        return numbers


def _header(data: bytes) -> dict[str, Any]:
    """The table of tensors."""
    try:
        header = json.loads(data, object_pairs_hook=_table, parse_int=_number)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError("its header is not JSON") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    header.pop("__metadata__", None)
    return header


def _number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"its header holds a number of {len(digits):,} digits")
    return int(digits)


def _table(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"its header holds {twice!r:.80} twice")
    return table


def _entry(key: str, item: Any, begin: int, length: int) -> Entry:
    """One line of the header, checked against the file's length."""
    shown = f"{key!r:.80}"
    match item:
        case {"dtype": str(kind), "shape": list(shape), "data_offsets": [start, end]}:
            pass
        case _:
            raise ValueError(f"its entry {shown} is broken")
    if len(shape) > MOST_AXES or not all(_is_count(n) for n in [*shape, start, end]):
        raise ValueError(f"its entry {shown} is broken")
    if kind not in DTYPES:
        raise ValueError(f"{shown} has the type {kind:.20}, which is not read")
    if end - start != int(DTYPES[kind][1][2:]) * prod(shape):
        raise ValueError(f"the numbers of {shown} do not fit its shape")
    if begin + end > length:
        raise ValueError(f"it ends before the numbers of {shown}: it is cut off")
    return Entry(kind, tuple(shape), begin + start, begin + end)


def _is_count(number: object) -> bool:
    return type(number) is int and 0 <= number <= LONGEST_AXIS


def _check_places(entries: dict[str, Entry], begin: int, length: int) -> None:
    """The numbers fill the file: no tensor lies over another one, nothing lies between them."""
    at = begin
    for key, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start != at:
            raise ValueError(f"the numbers of {key!r:.80} do not follow those before them")
        at = entry.end
    if at != length:
        raise ValueError(f"{length - at:,} bytes at its end belong to no tensor")
