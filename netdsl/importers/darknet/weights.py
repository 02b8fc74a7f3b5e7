"""Numbers of a `.weights` file by the keys of the network, read when they are asked for."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from netdsl.diagnostics.reading import reason
from netdsl.importers.darknet.writer import Stored
from netdsl.importers.frontend import refused

if TYPE_CHECKING:
    import numpy

FLOAT = 4
"""Bytes of a number."""
TURNED = 1000
"""Versions above it have the matrices of dense layers the other way round."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the numbers: the bytes it takes, and whether matrices are turned."""

    size: int
    is_turned: bool


def numbers(path: str, stored: list[Stored]) -> dict[str, Callable[[], numpy.ndarray]]:
    """The numbers of all weights. Raises `DiagnosticError` if the file is not this network's."""
    total = sum(prod(one.shape) for one in stored)
    try:
        size = Path(path).stat().st_size
        with open(path, "rb") as file:
            head = header(path, file.read(12))
    except (OSError, ValueError) as error:
        raise refused(f"can't read {path}: {reason(error)}", None, code="unreadable-file") from None
    if size != head.size + FLOAT * total:
        held = (size - head.size) / FLOAT
        counts = f"{held:,.10g} numbers, and the network has {total:,}"
        raise refused(
            f"{path} holds {counts}{where(stored, held)}",
            None,
            code="bad-weights",
            help="a cfg and its weights belong together: take those of one network",
        )
    return dict(places(path, stored, head))


def header(path: str, data: bytes) -> Header:
    """What the version of a file says."""
    if len(data) < 12:
        raise refused(f"{path} is no `.weights` file: it is too short", None, code="bad-weights")
    major, minor, _ = struct.unpack("<iii", data)
    if not (0 <= major < 2 * TURNED and 0 <= minor < 2 * TURNED):
        message = f"{path} is no `.weights` file: its version would be {major}.{minor}"
        raise refused(message, None, code="bad-weights")
    images = 8 if major * 10 + minor >= 2 else 4
    return Header(12 + images, major > TURNED or minor > TURNED)


def where(stored: list[Stored], held: float) -> str:
    """After which weight a file ends that is too short."""
    for one in stored:
        held -= prod(one.shape)
        if held < 0:
            return f": it ends within `{one.key}`"
    return ""


def places(
    path: str, stored: list[Stored], head: Header
) -> Iterator[tuple[str, Callable[[], numpy.ndarray]]]:
    """Each weight with what reads it."""
    offset = head.size
    for one in stored:
        is_turned = one.turned == "flipped" or (one.turned == "connected" and head.is_turned)
        yield one.key, reader(path, offset, one.shape, is_turned)
        offset += FLOAT * prod(one.shape)


def reader(
    path: str, offset: int, shape: tuple[int, ...], is_turned: bool
) -> Callable[[], numpy.ndarray]:
    """What reads one weight: rows of filters, or columns where they are turned."""

    def read() -> numpy.ndarray:
        import numpy

        flat = numpy.fromfile(path, "<f4", prod(shape), offset=offset)
        if is_turned:
            flat = flat.reshape(-1, shape[0]).T
        return numpy.ascontiguousarray(flat).reshape(shape)

    return read
