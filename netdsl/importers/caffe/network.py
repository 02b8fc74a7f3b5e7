"""A network layer by layer: which function reads which type, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from netdsl.importers.caffe import dense, plain, pools
from netdsl.importers.caffe.inputs import SETTINGS, Entry, Wishes, entries, prepared
from netdsl.importers.caffe.names import identifier, identifiers, paths
from netdsl.importers.caffe.structure import Layer
from netdsl.importers.caffe.writer import Shape, Writer
from netdsl.importers.frontend import Shape as OpenShape
from netdsl.importers.frontend import refused
from netdsl.importers.program import Call, Input, Output, Value

READERS: dict[str, Callable[[Writer, Layer], list[Value]]] = {
    "Convolution": dense.convolution,
    "Deconvolution": dense.convolution,
    "InnerProduct": dense.inner_product,
    "BatchNorm": dense.batch_norm,
    "Scale": dense.scale,
    "Bias": dense.bias,
    "PReLU": dense.prelu,
    "Pooling": pools.pooling,
    "LRN": pools.lrn,
    "Crop": pools.crop,
    "Interp": pools.interp,
    "ReLU": plain.relu,
    "ELU": plain.elu,
    "Sigmoid": plain.simple,
    "TanH": plain.simple,
    "AbsVal": plain.simple,
    "BNLL": plain.simple,
    "Power": plain.power,
    "Exp": plain.exponential,
    "Log": plain.logarithm,
    "Threshold": plain.threshold,
    "Clip": plain.clip,
    "Swish": plain.swish,
    "Dropout": plain.dropout,
    "Softmax": plain.softmax,
    "Eltwise": plain.eltwise,
    "Concat": plain.concat,
    "Slice": plain.slices,
    "Flatten": plain.flatten,
    "Reshape": plain.reshape,
    "Split": plain.split,
    "Tile": plain.tile,
    "ArgMax": plain.argmax,
}
WEIGHTED = ("Convolution", "Deconvolution", "InnerProduct", "BatchNorm", "Scale", "Bias", "PReLU")
LOSSES = {
    "SoftmaxWithLoss": 1, "EuclideanLoss": 1, "HingeLoss": 1, "InfogainLoss": 1,
    "SigmoidCrossEntropyLoss": 1, "MultinomialLogisticLoss": 1, "ContrastiveLoss": 2,
    "Accuracy": 1,
}  # fmt: skip
"""Where a network ends, and how many of its blobs they take; they compare these with the others."""
SINKS = ("Silence", "HDF5Output")


@dataclass(slots=True)
class Reading:
    """A network that was read: its inputs and outputs, and the blobs that each layer gave."""

    writer: Writer
    inputs: list[Input] = field(default_factory=list[Input])
    outputs: list[Output] = field(default_factory=list[Output])
    tops: dict[str, list[Value]] = field(default_factory=dict[str, list[Value]])


def read_layers(first: list[Entry], layers: list[Layer], wishes: Wishes) -> Reading:
    """Read all layers. Raises `DiagnosticError` for the first that can't be."""
    unique(layers)
    writer = Writer(paths([layer.name for layer in layers if layer.type in WEIGHTED], layers))
    reading = Reading(writer)
    needed = wanted(layers)
    sources = [*first, *(one for layer in layers if layer.type in SETTINGS
                         for one in entries(layer))]  # fmt: skip
    take_inputs(reading, sources, needed, wishes)
    spent: set[str] = set()
    merged = pairs(layers)
    for layer in layers:
        if layer.type in SETTINGS:
            if layer.tops[0] in needed:
                writer.remarks += filter(None, [prepared(layer)])
            continue
        if layer.type in LOSSES or layer.type in SINKS:
            for number in range(min(LOSSES.get(layer.type, 0), len(layer.bottoms))):
                writer.layer = layer
                writer.bottom(layer, number)
            continue
        spent.update(layer.bottoms)
        run(reading, layer, merged)
        spent.difference_update(layer.tops)
    if not reading.inputs:
        raise refused("nothing flows into this network", layers[0].span)
    reading.outputs = outputs(reading, layers, spent)
    prune(reading)
    return reading


def prune(reading: Reading) -> None:
    """Leave out calls without weights whose results nothing takes: they made targets of losses."""
    taken = {one.value for one in reading.outputs}
    items = reading.writer.items
    for number in reversed(range(len(items))):
        item = items[number][1]
        if isinstance(item, Call):
            if not item.path and not taken.intersection(item.outputs):
                del items[number]
                continue
            taken.update(item.inputs, item.sized_by())


def unique(layers: list[Layer]) -> None:
    """Refuse two layers of one name: their weights would be the same in a file."""
    seen: dict[str, Layer] = {}
    for layer in layers:
        if not layer.name and layer.type in WEIGHTED:
            raise refused(f"{layer.title} has weights, and needs a name", layer.span)
        before = seen.setdefault(layer.name, layer)
        if before is not layer and layer.type in WEIGHTED and before.type in WEIGHTED:
            raise refused(f"two layers are called `{layer.name}`", layer.span)


def wanted(layers: list[Layer]) -> set[str]:
    """The blobs that something takes which is no target of a loss."""
    blobs: set[str] = set()
    for layer in layers:
        if layer.type not in SINKS:
            blobs.update(layer.bottoms[: LOSSES.get(layer.type, len(layer.bottoms))])
    return blobs


def pairs(layers: list[Layer]) -> dict[str, Layer]:
    """The `Scale` behind each `BatchNorm` that is one with it, by the names of both."""
    found: dict[str, Layer] = {}
    takers = Counter(blob for layer in layers for blob in layer.bottoms)
    for norm, scale in pairwise(layers):
        is_pair = norm.type == "BatchNorm" and scale.type == "Scale" and (
            norm.tops == scale.bottoms and len(norm.tops) == 1
        )  # fmt: skip
        if not is_pair:
            continue
        in_place = scale.tops == scale.bottoms
        record = scale.settings("scale_param")
        plain_axes = record.whole("axis", 1) == 1 and record.whole("num_axes", 1) == 1
        if plain_axes and record.flag("bias_term", False) and (
            in_place or takers[norm.tops[0]] == 1
        ):  # fmt: skip
            found[norm.name] = found[scale.name] = scale
    return found


def take_inputs(reading: Reading, sources: list[Entry], needed: set[str], wishes: Wishes) -> None:
    """The inputs: blobs from outside that something takes."""
    used = [one for one in sources if one.name in needed]
    names = identifiers([one.name for one in used])
    for one, name in zip(used, names, strict=True):
        if one.name in reading.writer.values:
            raise refused(f"two layers give the blob `{one.name}`", one.span)
        shape, open_shape = wishes.shape(one, is_only=len(used) == 1)
        value = Value(name, shape)
        reading.writer.values[one.name] = value
        reading.inputs.append(Input(name, value, open_shape, one.span))
    unknown = [key for key in wishes.shapes if key not in wishes.used]
    if unknown:
        there = ", ".join(f"`{one.name}`" for one in used) or "none"
        raise refused(f"there is no input `{unknown[0]}`: there are {there}", None)


def run(reading: Reading, layer: Layer, merged: dict[str, Layer]) -> None:
    """Read one layer, and give its results their names."""
    writer = reading.writer
    if layer.type not in READERS:
        raise refused(
            f"the language has no word for layer `{layer.name}` of type `{layer.type:.40}`",
            layer.span,
        )
    writer.layer = layer
    if layer.type == "Scale" and merged.get(layer.name) is layer:
        values = [writer.bottom(layer)]
        layer.record.record("scale_param").skip()
    elif layer.type == "BatchNorm" and layer.name in merged:
        values = dense.batch_norm(writer, layer, merged[layer.name])
    else:
        values = READERS[layer.type](writer, layer)
    layer.record.finish()
    if len(values) != len(layer.tops):
        counts = f"{len(values)} blobs, and has {len(layer.tops)}"
        raise refused(f"{layer.title} gives {counts}", layer.span)
    for value in values:
        check(layer, value.shape or ())
    name_results(reading, layer, values)
    reading.tops[layer.name] = values


def check(layer: Layer, shape: Shape) -> None:
    """Refuse blobs without a number, and those that nothing could hold."""
    total = 1
    for size in shape:
        total *= size
        if size < 1:
            raise refused(f"{layer.title} would give a blob of shape {list(shape)}", layer.span)
    if total >= 2**31:
        raise refused(f"{layer.title} gives more than 2**31 numbers", layer.span)


def name_results(reading: Reading, layer: Layer, values: list[Value]) -> None:
    """Let the blobs of a layer be its results; a blob is overwritten in place alone.

    The last value of a blob has its name, unless that is the name of an input.
    """
    writer, inputs = reading.writer, [one.value for one in reading.inputs]
    if len(set(layer.tops)) < len(layer.tops):
        raise refused(f"{layer.title} gives one blob twice", layer.span)
    for top, value in zip(layer.tops, values, strict=True):
        before = writer.values.get(top)
        if before is not None and top not in layer.bottoms:
            raise refused(f"two layers give the blob `{top}`", layer.span)
        if before is not None and before not in inputs:
            before.name = "" if before is not value else before.name
        if not value.name and (before is None or before not in inputs):
            value.name = identifier(top)
        writer.values[top] = value


def outputs(reading: Reading, layers: list[Layer], spent: set[str]) -> list[Output]:
    """The blobs that nothing takes but losses; targets of losses are none."""
    writer = reading.writer
    targets: set[str] = set()
    for layer in layers:
        if layer.type in LOSSES:
            targets.update(layer.bottoms[LOSSES[layer.type] :])
    heads = {
        blob for layer in layers if layer.type in LOSSES
        for blob in layer.bottoms[: LOSSES[layer.type]]
    }  # fmt: skip
    silent = {blob for layer in layers if layer.type in SINKS for blob in layer.bottoms}
    inputs = {id(one.value) for one in reading.inputs}
    ends = [
        (name, value) for name, value in writer.values.items()
        if name not in spent and id(value) not in inputs
        and (name in heads or name not in targets | silent)
    ]  # fmt: skip
    if not ends:
        raise refused("nothing flows out of this network", layers[-1].span)
    origin = {top: layer.span for layer in layers for top in layer.tops}
    names = identifiers([name for name, _ in ends])
    return [
        Output(word, value, origin[name]) for word, (name, value) in zip(names, ends, strict=True)
    ]


def fixed(reading: Reading) -> None:
    """Give the inputs the sizes of the source where others would compute something else."""
    for one in reading.inputs:
        shape: OpenShape = one.value.shape or ()
        one.shape = shape
