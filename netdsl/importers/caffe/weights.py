"""Numbers of a `.caffemodel` file by the keys of the network, read when they are asked for."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from netdsl.diagnostics.reading import reason
from netdsl.importers.caffe.writer import Stored
from netdsl.importers.frontend import refused

if TYPE_CHECKING:
    import numpy

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LAYER, OLD_LAYER = 100, 2
"""Fields of `NetParameter`."""
NAMES = {LAYER: (1, 7), OLD_LAYER: (4, 6)}
"""The fields of a layer with its name and its blobs."""
MOST_FIELDS = 500_000
"""How many fields of a file are looked at."""


class Broken(Exception):
    """A file that is no protobuf message; the text says why."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Where the numbers of a blob are: `width` is 4 for floats, 8 for doubles."""

    shape: tuple[int, ...]
    start: int
    count: int
    width: int


@dataclass(slots=True)
class Model:
    """The blobs of each layer of a file."""

    path: str
    layers: dict[str, list[Blob]] = field(default_factory=dict[str, list[Blob]])


def numbers(path: str, stored: list[Stored]) -> tuple[dict[str, Callable[[], numpy.ndarray]], str]:
    """The numbers of all weights, and a remark on layers that the network has not."""
    model = opened(path)
    found: dict[str, Callable[[], numpy.ndarray]] = {}
    for one in stored:
        blob = fitting(model, one.layer, one.blob, one.shape, is_turned=one.is_turned, key=one.key)
        divisor = None
        if one.divisor is not None:
            divisor = fitting(model, one.layer, one.divisor, (1,), is_turned=False, key=one.key)
        found[one.key] = reader(path, blob, one, divisor)
    known = {one.layer for one in stored}
    other = [name for name, blobs in model.layers.items() if blobs and name not in known]
    if not other:
        return found, ""
    listed = ", ".join(f"`{name}`" for name in other[:5]) + ", ..." * (len(other) > 5)
    return found, f"{path} has weights of layers that the network has not: {listed}"


def fitting(
    model: Model, layer: str, number: int, shape: tuple[int, ...], *, is_turned: bool, key: str
) -> Blob:
    """The blob of a weight, if it has its shape; old files have four axes in every blob."""
    blobs = model.layers.get(layer)
    if blobs is None or number >= len(blobs):
        there = f"{len(blobs)} blobs" if blobs else "nothing"
        message = f"`{key}` is blob {number} of layer `{layer}`, and {model.path} has {there} of it"
        raise refused(message, None, code="bad-weights")
    blob = blobs[number]
    wanted = shape[::-1] if is_turned else shape
    if trimmed(blob.shape) != trimmed(wanted) or blob.count != prod(shape):
        raise refused(
            f"`{key}` is {list(wanted)}, and layer `{layer}` of {model.path} has "
            f"{list(blob.shape)} with {blob.count} numbers",
            None,
            code="bad-weights",
        )
    return blob


def trimmed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without its axes of size 1, which old files have more of."""
    return tuple(size for size in shape if size != 1)


def reader(path: str, blob: Blob, one: Stored, divisor: Blob | None) -> Callable[[], numpy.ndarray]:
    """What reads one weight."""

    def values(of: Blob) -> numpy.ndarray:
        import numpy

        kind = "<f4" if of.width == 4 else "<f8"
        flat = numpy.fromfile(path, kind, of.count, offset=of.start)
        return flat.astype("<f4")

    def read() -> numpy.ndarray:
        import numpy

        array = values(blob)
        if one.is_turned:
            array = numpy.ascontiguousarray(array.reshape(one.shape[::-1]).T)
        if divisor is not None:
            factor = float(values(divisor)[0])
            array = array * numpy.float32(1 / factor if factor else 0)
        return array.reshape(one.shape)

    return read


def opened(path: str) -> Model:
    """The blobs of a file. Raises `DiagnosticError` for what is none."""
    try:
        with open(path, "rb") as file:
            if file.seek(0, 2) == 0:
                raise Broken("it is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if data[:8] == b"\x89HDF\r\n\x1a\n":
                    raise Broken("it is HDF5, which is not read")
                return model_of(path, data)
    except Broken as error:
        raise refused(f"{path} is no `.caffemodel`: {error}", None, code="bad-weights") from None
    except (OSError, ValueError) as error:
        raise refused(f"can't read {path}: {reason(error)}", None, code="unreadable-file") from None


def model_of(path: str, data: mmap.mmap) -> Model:
    """The layers of a file."""
    model, wire = Model(path), Wire(data)
    for number, kind, start, end in wire.fields(0, len(data)):
        if number in NAMES and kind == BYTES:
            name, blobs = layer_of(wire, start, end, *NAMES[number])
            model.layers.setdefault(name, []).extend(blobs)
    if not model.layers:
        raise Broken("it has no layers")
    return model


def layer_of(
    wire: Wire, start: int, end: int, name_field: int, blob_field: int
) -> tuple[str, list[Blob]]:
    """The name and the blobs of a layer."""
    name, blobs = "", list[Blob]()
    for number, kind, first, last in wire.fields(start, end):
        if number == name_field and kind == BYTES:
            name = wire.data[first:last].decode("utf-8", "replace")
        elif number == blob_field and kind == BYTES:
            blobs.append(blob_of(wire, first, last))
    return name, blobs


def blob_of(wire: Wire, start: int, end: int) -> Blob:
    """A blob: its shape, by `shape` or by four sizes, and where its numbers are."""
    shape: tuple[int, ...] = ()
    old = dict[int, int]()
    place: tuple[int, int, int] | None = None
    for number, kind, first, last in wire.fields(start, end):
        if number == 7 and kind == BYTES:
            shape = shape_of(wire, first, last)
        elif number in (1, 2, 3, 4) and kind == VARINT:
            old[number] = wire.varint(first, last)[0]
        elif number in (5, 8):
            width = 4 if number == 5 else 8
            if kind != BYTES or (last - first) % width or place is not None:
                raise Broken("its numbers are not packed")
            place = first, (last - first) // width, width
    if place is None:
        place = start, 0, 4
    if not shape and old:
        shape = tuple(old.get(number, 1) for number in (1, 2, 3, 4))
    return Blob(shape, *place)


def shape_of(wire: Wire, start: int, end: int) -> tuple[int, ...]:
    """`BlobShape`: its sizes, packed or one by one."""
    sizes: list[int] = []
    for number, kind, first, last in wire.fields(start, end):
        if number != 1:
            continue
        while first < last:
            size, first = wire.varint(first, last)
            sizes.append(size)
            if len(sizes) > 32:
                raise Broken("a blob has more than 32 axes")
            if kind == VARINT:
                break
    return tuple(sizes)


@dataclass(slots=True)
class Wire:
    """Bytes as protobuf has them; `left` is how many fields may still be read."""

    data: mmap.mmap
    left: int = MOST_FIELDS

    def varint(self, place: int, end: int) -> tuple[int, int]:
        """A number in groups of seven bits, and the place behind it."""
        number = 0
        for shift in range(0, 70, 7):
            if place >= end:
                raise Broken("it ends within a number")
            byte = self.data[place]
            place += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number, place
        raise Broken("a number in it has no end")

    def fields(self, place: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """The fields of a message: number, kind, and where the value begins and ends."""
        while place < end:
            self.left -= 1
            if self.left < 0:
                raise Broken(f"it has more than {MOST_FIELDS:,} fields")
            tag, place = self.varint(place, end)
            kind, start = tag & 7, place
            if kind == VARINT:
                _, place = self.varint(place, end)
            elif kind == BYTES:
                length, start = self.varint(place, end)
                place = start + length
            elif kind in (FIXED32, FIXED64):
                place += 4 if kind == FIXED32 else 8
            else:
                raise Broken(f"it has a field of kind {kind}")
            if place > end:
                raise Broken("it ends within a field")
            yield tag >> 3, kind, start, place
