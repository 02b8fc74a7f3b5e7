"""Darknet's cfg files: sections become layers, under their numbers."""

from __future__ import annotations

import re
from pathlib import Path

from netdsl.diagnostics import Source
from netdsl.files import read_source
from netdsl.importers.darknet.cfg import Section, sections
from netdsl.importers.darknet.network import Reading, layers
from netdsl.importers.darknet.weights import numbers
from netdsl.importers.frontend import Answer, Question, Shape, refused
from netdsl.importers.program import Input, Program, Region, Value


def read(question: Question) -> Answer:
    """The network of a cfg file. Raises `DiagnosticError` for what is wrong with it."""
    source = read_source(question.source)
    program, reading = program_of(source, question)
    files = [Path(question.source)]
    held = None
    if question.weights is not None:
        held = numbers(question.weights, reading.writer.stored)
        files.append(Path(question.weights))
    return Answer(program, held, tuple(reading.remarks), tuple(files))


def program_of(source: Source, question: Question) -> tuple[Program, Reading]:
    """The network of a text, and what was read layer by layer."""
    if question.settings:
        name = next(iter(question.settings))
        raise refused(f"a cfg file has no parameter `{name}`", None, help="change the file itself")
    parts, remarks = sections(source)
    net = parts[0]
    image, shape = entry(net, question)
    root = Region((), "", net.span, inputs=[image])
    reading = layers(parts, root, image)
    if question.weights is not None:
        loaded(parts)
    reading.remarks[:0] = remarks
    if reading.is_fixed:
        shape = tuple(image.shape or ())
    root.outputs = [one.value for one in reading.outputs]
    entrance = Input(image.name, image, shape, net.span)
    return Program(title(source.name), root, [entrance], reading.outputs), reading


def entry(net: Section, question: Question) -> tuple[Value, Shape]:
    """What flows in, at the sizes of the source, and its shape with open sizes."""
    sizes = [net.whole(key, 0) for key in ("channels", "height", "width")]
    if all(size > 0 for size in sizes):
        name, open_shape = "image", (sizes[0], "H", "W")
    else:
        sizes = [net.whole("inputs", 0)]
        name, open_shape = "x", (sizes[0],)
        if sizes[0] < 1:
            message = "`[net]` says no size: it needs `channels`, `height` and `width`"
            raise refused(message, net.span)
    for key, dtype in question.dtypes.items():
        if dtype != "float32":
            raise refused(f"`{key or name}` is float32 in Darknet, not {dtype}", net.span)
    asked = [shape for key, shape in question.inputs.items() if key in ("", name)]
    unknown = [key for key in question.inputs if key not in ("", name)]
    if unknown:
        raise refused(f"there is no input `{unknown[0]}`: it is called `{name}`", None)
    if asked:
        open_shape = asked[0]
        if len(open_shape) != len(sizes) or open_shape[0] not in (sizes[0], "C"):
            message = f"the input has {len(sizes)} axes, the first of {sizes[0]}, not {open_shape}"
            raise refused(message, net.span)
        open_shape = (sizes[0], *open_shape[1:])
        sizes = [
            size if isinstance(wish, str) else wish
            for size, wish in zip(sizes, open_shape, strict=True)
        ]
    return Value(name, tuple(sizes)), open_shape


def loaded(parts: list[Section]) -> None:
    """Refuse layers whose weights are not in the file though they have some."""
    for section in parts[1:]:
        for key in "dontload", "dontloadscales":
            if section.whole(key, 0):
                message = f"with `{key}` the weights of {section.title} are not in the file"
                raise refused(message, section.span_of(key))


def title(name: str) -> str:
    """The name of a network after its file: `yolov3-tiny.cfg` gives `Yolov3Tiny`."""
    words = re.findall(r"[A-Za-z0-9]+", Path(name).stem)
    joined = "".join(word[0].upper() + word[1:] for word in words if word.isascii())
    return joined if joined[:1].isalpha() else f"Net{joined}"
