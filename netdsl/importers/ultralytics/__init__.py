"""Model files of ultralytics (`yolov8.yaml`): rows of modules, scaled in depth and width."""

from __future__ import annotations

import re
from pathlib import Path as FilePath

from netdsl.diagnostics import Span
from netdsl.files import read_source
from netdsl.importers.frontend import Answer, Question, refused
from netdsl.importers.program import Input, Output, Program, Region
from netdsl.importers.ultralytics.basic import Net
from netdsl.importers.ultralytics.document import document
from netdsl.importers.ultralytics.network import Network
from netdsl.importers.ultralytics.rows import Model, model
from netdsl.importers.ultralytics.texts import TEXT

SETTINGS = ("scale", "nc", "channels", "head")


def read(question: Question) -> Answer:
    """The program of a model file. Raises `DiagnosticError`."""
    source = read_source(question.source)
    start = Span(source, 0, 0)
    for name in question.settings:
        if name not in SETTINGS:
            help = "known are " + ", ".join(f"`--set {one}=...`" for one in SETTINGS)
            raise refused(f"a model file has no setting `{name}`", start, help=help)
    if question.weights is not None:
        message = "checkpoints of ultralytics are pickled modules, which are not read here"
        raise refused(message, start, help="load its `state_dict()` by name, as any checkpoint")
    stem = FilePath(question.source).stem
    described = model(document(source), question.settings, stem)
    head = question.settings.get("head", "true")
    if head not in ("true", "false"):
        raise refused(f"`head` is true or false, not {head!r}", described.span)
    shape = _shape(described, question)
    is_fixed = all(isinstance(size, int) for size in shape)
    network = network_of(described, with_head=head == "true", is_fixed=is_fixed)
    origin = described.span
    inputs = [Input("image", network.image, shape, origin)]
    inputs += [Input("text", value, ("T", TEXT), origin) for value in network.inputs]
    last = described.rows[-1].span
    outputs = [Output(name, value, last) for name, value in network.outputs]
    program = Program(_name(stem), network.net.root, inputs, outputs)
    return Answer(program, remarks=(*described.remarks, *network.net.remarks))


def network_of(described: Model, *, with_head: bool = True, is_fixed: bool = False) -> Network:
    """All layers of a model, at open sizes."""
    root = Region((), "", described.span)
    net = Net(root, described.span, act=described.act, is_fixed=is_fixed)
    net.is_classifier = described.rows[-1].module == "Classify"
    image = net.input((described.channels, "H", "W"), name="image")
    root.inputs = [image]
    network = Network(described, net, image, with_head)
    network.build()
    root.outputs = [value for _, value in network.outputs]
    if any(value is image for value in root.outputs):
        raise refused("a map that is an output is the picture itself", described.span)
    return network


def _shape(described: Model, question: Question) -> tuple[int | str, ...]:
    """The shape of the picture, as it is asked for."""
    shape: tuple[int | str, ...] = (described.channels, "H", "W")
    for name, asked in question.inputs.items():
        if name not in ("", "image") or len(asked) != 3 or asked[0] != described.channels:
            message = f"the input is `image`, with {described.channels} channels, height and width"
            raise refused(message, described.span)
        shape = asked
    return shape


def _name(stem: str) -> str:
    """A name for the network: `Yolov8Cls` of `yolov8-cls`."""
    words = re.findall(r"[A-Za-z0-9]+", stem)
    name = "".join(word[0].upper() + word[1:] for word in words)
    return name if name[:1].isalpha() else f"Net{name}"
