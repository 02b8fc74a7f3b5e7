"""Caffe's prototxt files: layers under their names, blobs as the values between them."""

from __future__ import annotations

import re
from pathlib import Path

from netdsl.diagnostics import Source, Span
from netdsl.files import read_source
from netdsl.importers.caffe.inputs import old_entries, wishes
from netdsl.importers.caffe.network import Reading, fixed, read_layers
from netdsl.importers.caffe.record import Record
from netdsl.importers.caffe.scopes import root_of
from netdsl.importers.caffe.structure import PHASES, State, layers
from netdsl.importers.caffe.text import parse
from netdsl.importers.caffe.weights import numbers
from netdsl.importers.frontend import Answer, Question, refused
from netdsl.importers.program import Program


def read(question: Question) -> Answer:
    """The network of a prototxt file. Raises `DiagnosticError` for what is wrong with it."""
    source = read_source(question.source)
    program, reading = program_of(source, question)
    files, remarks = [Path(question.source)], list(reading.writer.remarks)
    held = None
    if question.weights is not None:
        held, remark = numbers(question.weights, reading.writer.stored)
        remarks += filter(None, [remark])
        files.append(Path(question.weights))
    return Answer(program, held, tuple(remarks), tuple(files))


def program_of(source: Source, question: Question) -> tuple[Program, Reading]:
    """The network of a text, and what was read layer by layer."""
    message = parse(source)
    span = Span(source, 0, len(source.line(1)))
    net = Record(message, "a network", span)
    name = net.text("name")
    for key, dtype in question.dtypes.items():
        if dtype != "float32":
            raise refused(f"`{key}` is float32 in Caffe, not {dtype}", span)
    first = old_entries(net)
    present = layers(net, state_of(net, question))
    net.skip("force_backward", "debug_info", "state")
    net.finish()
    reading = read_layers(first, present, wishes(question))
    if reading.writer.is_fixed:
        fixed(reading)
    root = root_of(reading, span)
    title = title_of(name or Path(source.name).stem)
    return Program(title, root, reading.inputs, reading.outputs), reading


def state_of(net: Record, question: Question) -> State:
    """Phase, level and stages: of a question, else of the file, else of inference."""
    for key in question.settings:
        if key not in ("phase", "level", "stage"):
            message = f"a prototxt has no parameter `{key}`"
            raise refused(message, None, help="there are `phase`, `level` and `stage`")
    record = net.record("state")
    phase = record.choice("phase", PHASES, "TEST")
    level = record.whole("level", 0)
    stages = frozenset(record.texts("stage"))
    record.finish()
    settings = question.settings
    phase = settings.get("phase", phase).upper()
    if phase not in PHASES:
        raise refused(f"`phase` is TRAIN or TEST, not `{phase:.40}`", None)
    asked = settings.get("level", str(level))
    if not re.fullmatch("[0-9]{1,9}", asked):
        raise refused(f"`level` is a whole number, not `{asked:.40}`", None)
    if "stage" in settings:
        stages = frozenset(filter(None, settings["stage"].split(",")))
    return State(phase, int(asked), stages)


def title_of(name: str) -> str:
    """The name of a network as the language takes it: `bvlc_googlenet` gives `BvlcGooglenet`."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return joined if joined[:1].isalpha() else f"Net{joined}"
