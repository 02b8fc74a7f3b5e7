"""Models of Keras 3: `.keras` archives, and the JSON of `model.to_json()`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from netdsl.diagnostics import DiagnosticError, Span
from netdsl.importers.frontend import Answer, Question, Shape, refused
from netdsl.importers.keras.files import configuration
from netdsl.importers.keras.net import Held, KerasNet
from netdsl.importers.keras.network import Run
from netdsl.importers.keras.settings import FLOATS, MAX_NUMBER, short
from netdsl.importers.keras.structure import Layer, Model, Tensor, model_of
from netdsl.importers.keras.weights import has_reader, numbers_of
from netdsl.importers.program import Input, Output, Program, Region
from netdsl.syntax.lexing import WORDS

OPEN = {1: ("F",), 2: ("T",), 3: ("H", "W"), 4: ("D", "H", "W")}
"""What open sizes are called, by the number of axes."""


def read(question: Question) -> Answer:
    """The program of a model. Raises `DiagnosticError`."""
    model = model_of(configuration(question.source), question.source)
    if question.settings:
        name = min(question.settings)
        raise refused(f"a model of Keras has no setting `{name}`", model.span)
    if question.weights is not None:
        raise refused("weights are read from the archive itself", model.span)
    net, program = network_of(model, question)
    remarks = list(net.remarks)
    numbers = None
    if question.source.lower().endswith(".keras"):
        if has_reader():
            numbers = numbers_of(question.source, model, net.weights)
        else:
            remarks.append("the numbers are left out: h5py, which reads them, is not installed")
    return Answer(program, numbers, tuple(remarks))


def network_of(model: Model, question: Question) -> tuple[KerasNet, Program]:
    """At open sizes where these are asked for and work, else at those of the model."""
    if question.opens:
        try:
            return _program(model, question, opens=True)
        except DiagnosticError:
            net, program = _program(model, question, opens=False)
            net.remark("sizes are those of the model, as other sizes do not work")
            return net, program
    return _program(model, question, opens=False)


def _program(model: Model, question: Question, *, opens: bool) -> tuple[KerasNet, Program]:
    net = KerasNet(Region((), "", model.span), model.span, is_first=_is_first(model))
    entries = _entries(model, net)
    for name in question.inputs:
        if name not in [entry.name for entry in entries] and not (name == "" and len(entries) == 1):
            names = ", ".join(entry.name for entry in entries)
            raise refused(f"the model has no input `{name[:40]}`, but {names}", model.span)
    inputs: list[Input] = []
    for entry in entries:
        inputs.append(_input(net, entry, question, opens=opens, taken=inputs))
    rank_of = {one.value: len(one.shape) for one in inputs}
    net.root.inputs = [one.value for one in inputs]
    held = [Held(one.value, net.usual(rank_of[one.value])) for one in inputs]
    results = Run(net, model).outputs(held)
    net.origin = model.span
    values = [net.ordered(one, net.usual(len(one.order))) for one in results]
    labels = {call.path[0] for call in net.root.calls() if len(call.path) == 1}
    names = _output_names(model, {*labels, *(one.name for one in inputs)})
    outputs = [Output(name, value, model.span) for name, value in zip(names, values, strict=True)]
    net.root.outputs = values
    return net, Program(_name(model.name), net.root, inputs, outputs)


# --- inputs and outputs ---------------------------------------------------------------------


def _is_first(model: Model) -> bool:
    """Whether channels come first; layers that differ are refused where they are read."""
    stack = [model]
    while stack:
        one = stack.pop()
        for layer in one.layers:
            form = layer.config.get("data_format")
            if form in ("channels_first", "channels_last"):
                return form == "channels_first"
            if layer.model is not None:
                stack.append(layer.model)
    return False


class Entry:
    """An input as the configuration has it: its name, its shape and element type, its place."""

    def __init__(self, name: str, shape: Any, dtype: str, span: Span) -> None:
        self.name, self.dtype, self.span = name, dtype, span
        parts = cast("list[Any]", shape) if isinstance(shape, list) else []
        is_shape = 2 <= len(parts) <= 5 and all(
            one is None or (type(one) is int and 1 <= one <= MAX_NUMBER) for one in parts
        )
        if not is_shape:
            help = "give the shape when the model is built: `keras.Input((224, 224, 3))`"
            raise refused(f"`{short(shape)}` is no shape of an input", span, help=help)
        self.shape: list[int | None] = parts[1:]


def _entries(model: Model, net: KerasNet) -> list[Entry]:
    if model.kind == "Sequential":
        first = model.layers[0]
        if first.kind == "InputLayer":
            return [_entry(first, model)]
        if first.model is not None and model.build_shape is None:
            return _entries(first.model, net)[:1]
        return [Entry("input", model.build_shape, "float32", model.span)]
    layers = {layer.name: layer for layer in model.layers}
    entries: list[Entry] = []
    for tensor in model.inputs:
        layer = layers.get(tensor.layer)
        if layer is None or layer.kind != "InputLayer":
            raise refused(f"the input `{tensor.layer[:40]}` is no InputLayer", model.span)
        entries.append(_entry(layer, model))
    return entries


def _entry(layer: Layer, model: Model) -> Entry:
    dtype = layer.config.get("dtype", "float32")
    shape = layer.config.get("batch_shape", layer.config.get("batch_input_shape"))
    if layer.config.get("sparse") or layer.config.get("ragged"):
        raise refused("inputs are dense: neither sparse nor ragged", layer.span)
    if _is_looked_up(layer, model):
        dtype = "int64"
    elif dtype in FLOATS:
        dtype = "float32"
    elif dtype in ("int32", "int64", "uint8", "int16", "int8"):
        dtype = "int64"
    elif dtype != "bool":
        raise refused(f"an input of `{short(dtype)}` is not read", layer.span)
    return Entry(layer.name, shape, dtype, layer.span)


def _is_looked_up(layer: Layer, model: Model) -> bool:
    """Whether the input goes into embeddings alone: Keras turns its floats into whole numbers."""
    if model.kind == "Sequential":
        others = [one for one in model.layers if one is not layer]
        return bool(others) and others[0].kind == "Embedding"
    users = [
        one.kind
        for one in model.layers
        for args, kwargs in one.calls
        if any(tensor.layer == layer.name for tensor in _all_tensors([args, kwargs]))
    ]
    return bool(users) and set(users) == {"Embedding"}


def _all_tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    parts: list[Any] = []
    if isinstance(value, dict):
        parts = list(cast("dict[str, Any]", value).values())
    elif isinstance(value, list):
        parts = cast("list[Any]", value)
    return [one for part in parts for one in _all_tensors(part)]


def _input(
    net: KerasNet, entry: Entry, question: Question, *, opens: bool, taken: list[Input]
) -> Input:
    """An input with its channels in front, and open sizes where the model has none."""
    rank = len(entry.shape)
    order = net.usual(rank)
    fixed = [entry.shape[axis] for axis in order]
    start = 1 if rank >= 3 else 0
    words = dict(zip(range(start, rank), OPEN[rank], strict=False))
    shape: list[int | str] = []
    for axis, size in enumerate(fixed):
        if size is not None and not (opens and axis in words and rank >= 3):
            shape.append(size)
        elif axis in words and (rank != 1):
            shape.append(words[axis])
        else:
            help = "give it when the model is built: `keras.Input((224, 224, 3))`"
            raise refused("the number of channels is open", entry.span, help=help)
    asked: Shape | None = question.inputs.get(entry.name, question.inputs.get(""))
    if asked is not None:
        shape = _asked(entry, shape, asked, start)
    name = _unique(entry.name, [one.name for one in taken])
    value = net.input(shape, entry.dtype, name)
    if all(size is not None for size in fixed):
        value.shape = tuple(size for size in fixed if size is not None)
    return Input(name, value, tuple(shape), entry.span)


def _asked(entry: Entry, shape: list[int | str], asked: Shape, start: int) -> list[int | str]:
    """The shape that is asked for, channels in front as everywhere."""
    if len(asked) != len(shape) or (start and asked[0] != shape[0]):
        message = f"`{entry.name[:40]}` has the shape {shape}, channels in front"
        raise refused(message, entry.span)
    return list(asked)


def _output_names(model: Model, taken: set[str]) -> list[str]:
    """The names of outputs: those they are told apart by, else those of the layers.

    A label names a value too, so that an output behind `fc` is `fc_output`.
    """
    wanted = model.names or [tensor.layer for tensor in model.outputs]
    if model.kind == "Sequential":
        wanted = [model.layers[-1].name]
    names: list[str] = []
    for one in wanted:
        text = _unique(one, [])
        text = f"{text}_output" if text in taken else text
        names.append(_unique(text, [*taken, *names]))
    return names


def _unique(name: str, taken: Sequence[str]) -> str:
    """A name for a value: a word, and none that is there."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII).lstrip("_0123456789") or "value"
    number = 2
    result = f"{text}_" if text.upper() in WORDS else text
    while result in taken:
        result, number = f"{text}_{number}", number + 1
    return result


def _name(name: str) -> str:
    """A name for the network: `Resnet50` of `resnet50`."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    text = "".join(word[0].upper() + word[1:] for word in words)
    return text if text[:1].isalpha() else f"Net{text}"
