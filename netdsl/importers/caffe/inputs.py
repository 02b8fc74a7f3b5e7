"""What flows into a network: `Input` layers, old `input` fields, and layers that read data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netdsl.diagnostics import Span
from netdsl.importers.caffe.record import Record
from netdsl.importers.caffe.structure import Layer
from netdsl.importers.caffe.writer import Shape
from netdsl.importers.frontend import Question, refused
from netdsl.importers.frontend import Shape as OpenShape

SETTINGS = {
    "Data": "data_param",
    "ImageData": "image_data_param",
    "WindowData": "window_data_param",
    "HDF5Data": "hdf5_data_param",
    "MemoryData": "memory_data_param",
    "DummyData": "dummy_data_param",
    "Input": "input_param",
}
"""The layers that give what nothing flows into."""

MOST_AXES = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """A blob that comes from outside; `shape` is None where the file does not say it."""

    name: str
    shape: Shape | None
    span: Span
    hint: str = ""


@dataclass(slots=True)
class Wishes:
    """The shapes that were asked for, by the name of the blob."""

    shapes: Mapping[str, OpenShape]
    opens: bool
    used: set[str] = field(default_factory=set[str])

    def shape(self, entry: Entry, *, is_only: bool) -> tuple[Shape, OpenShape]:
        """The shape of a blob in numbers, and as the input has it."""
        keys = [entry.name, ""] if is_only else [entry.name]
        key = next((key for key in keys if key in self.shapes), None)
        if key is None:
            if entry.shape is None:
                raise refused(
                    f"the file does not say the shape of `{entry.name}`{entry.hint}",
                    entry.span,
                    help=f"give it without the batch: `--input '{entry.name}: [3, 224, 224]'`, say",
                )
            return entry.shape, self.opened(entry.shape)
        self.used.add(key)
        asked = self.shapes[key]
        if entry.shape is None:
            if not all(isinstance(size, int) for size in asked):
                message = f"the shape of `{entry.name}` is given in numbers, not {list(asked)}"
                raise refused(message, entry.span)
            return tuple(size for size in asked if isinstance(size, int)), asked
        if len(asked) != len(entry.shape):
            message = f"`{entry.name}` has {len(entry.shape)} axes, not {len(asked)}"
            raise refused(message, entry.span)
        pairs = zip(asked, entry.shape, strict=True)
        return tuple(w if isinstance(w, int) else size for w, size in pairs), asked

    def opened(self, shape: Shape) -> OpenShape:
        """The shape with open sizes, if that is asked for and it is that of a map."""
        letters = {2: ("L",), 3: ("H", "W"), 4: ("D", "H", "W")}.get(len(shape), ())
        return (shape[0], *letters) if self.opens and letters else shape


def wishes(question: Question) -> Wishes:
    """What a question says of inputs."""
    return Wishes(question.inputs, question.opens)


def old_entries(net: Record) -> list[Entry]:
    """`input: "data"` with `input_shape`, or with four times `input_dim`."""
    names = net.all("input")
    shapes = [dims(one) for one in net.records("input_shape")]
    flat = net.wholes("input_dim", least=1)
    if flat:
        if shapes or len(flat) != 4 * len(names):
            message = f"{len(names)} inputs have 4 times `input_dim` each, not {len(flat)} in all"
            raise refused(message, net.span_of("input_dim"))
        shapes = [tuple(flat[i : i + 4]) for i in range(0, len(flat), 4)]
    if names and len(shapes) not in (0, len(names)):
        message = f"there are {len(names)} inputs and {len(shapes)} shapes"
        raise refused(message, net.span_of("input_shape"))
    sizes: list[Shape | None] = [shape[1:] for shape in shapes] or [None] * len(names)
    return [
        Entry(name, size, one.span)
        for name, size, one in zip(net.texts("input"), sizes, names, strict=True)
    ]


def dims(record: Record) -> Shape:
    """`dim: 1 dim: 3 dim: 224 dim: 224`."""
    shape = tuple(record.wholes("dim", least=1))
    record.finish()
    if not 1 <= len(shape) <= MOST_AXES:
        raise refused("a shape has 1 to 32 times `dim` , the batch first", record.span)
    return shape


def entries(layer: Layer) -> list[Entry]:
    """What a layer gives that nothing flows into, with its remark if it changes what it reads."""
    record = layer.settings(SETTINGS[layer.type])
    count = len(layer.tops)
    if layer.bottoms or not count:
        raise refused(f"{layer.title} takes nothing, and gives blobs", layer.span)
    if layer.type == "Input":
        shapes: list[Shape | None] = [dims(one)[1:] for one in record.records("shape")]
        record.finish()
    elif layer.type == "DummyData":
        shapes = [dims(one)[1:] for one in record.records("shape")]
        columns = [record.wholes(name, least=1) for name in ("channels", "height", "width")]
        if not shapes and len({len(column) for column in columns}) == 1:
            shapes = list(zip(*columns, strict=True))
    elif layer.type == "MemoryData":
        size = tuple(record.whole(name, 1, least=1) for name in ("channels", "height", "width"))
        shapes = [size, *[()] * (count - 1)]
    else:
        return measured(layer, record)
    if len(shapes) == 1:
        shapes = shapes * count
    if len(shapes) not in (0, count):
        raise refused(f"{layer.title} has {count} blobs and {len(shapes)} shapes", layer.span)
    pairs = zip(layer.tops, shapes or [None] * count, strict=True)
    return [Entry(name, shape, layer.span) for name, shape in pairs]


def measured(layer: Layer, record: Record) -> list[Entry]:
    """What is read from files: three channels where it is images, of the size they are cut to."""
    change = layer.record.record("transform_param")
    side = change.whole("crop_size", 0, least=0) or record.whole("crop_size", 0, least=0)
    shape: Shape | None = None
    hint = ": that is in its data"
    if layer.type == "ImageData":
        sizes = [record.whole(name, 0, least=0) for name in ("new_height", "new_width")]
        sizes = [side, side] if side else sizes
        channels = 3 if record.flag("is_color", True) else 1
        shape = (channels, *sizes) if all(sizes) else None
    elif layer.type == "WindowData" and side:
        shape = (3, side, side)
    elif side:
        hint += f"; images are cut to {side} x {side}"
    return [
        Entry(name, shape if number == 0 else (), layer.span, hint)
        for number, name in enumerate(layer.tops)
    ]


def prepared(layer: Layer) -> str:
    """What a layer does to what it reads, in words; empty if it does nothing."""
    record = layer.record.record("transform_param")
    words = [one.name for one in record.message.fields if one.name not in ("mirror", "crop_size")]
    if not words:
        return ""
    listed = " and ".join(f"`{word}`" for word in dict.fromkeys(words))
    return f"{layer.span}: the network takes what {layer.title} makes of the data by {listed}"
