"""Half precision: weights and arithmetic in float16, inputs and outputs as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netdsl.backends.onnx.model import Model
from netdsl.ops.levels import LEVELS
from netdsl.ops.lowering import OnnxNode, OnnxValue

FULL, HALF = "float32", "float16"
SINGLE = "/single"


def to_half(model: Model) -> None:
    """Turn a model to float16, in place.

    What is cast to float32 within (the arithmetic of cells' places) stays float32, but for the
    levels of images: they are what the network computes with.
    """
    full = _full_values(model)
    single = _part_constants(model, full)
    model.values = [_half(v) if v.name not in full else v for v in model.values]
    model.stored = [
        replace(s, dtype=HALF) if s.dtype == FULL and s.name not in single else s
        for s in model.stored
    ]
    model.nodes = list(_narrowed(model, full))
    before = [_cast_input(model, value) for value in model.inputs if value.dtype == FULL]
    half = [v for v in model.outputs if v.dtype == FULL and v.name not in full]
    after = [_cast_output(model, value) for value in half]
    model.nodes = [*before, *model.nodes, *after]


def _part_constants(model: Model, full: set[str]) -> set[str]:
    """Constants that stay float32, under names of their own: those of places, Resize's factors."""
    by_name = {stored.name: stored for stored in model.stored}
    parted: set[str] = set()
    for node in model.nodes:
        scales = node.op == "Resize" and len(node.inputs) == 3
        for index, name in enumerate(node.inputs):
            stays = node.outputs[0] in full or (scales and index == 2)
            if not stays or name not in by_name or by_name[name].dtype != FULL:
                continue
            node.inputs[index] = name + SINGLE
            if name not in parted:
                parted.add(name)
                model.stored.append(replace(by_name[name], name=name + SINGLE))
    return {name + SINGLE for name in parted}


def _half(value: OnnxValue) -> OnnxValue:
    return replace(value, dtype=HALF) if value.dtype == FULL else value


def _full_values(model: Model) -> set[str]:
    """Values made by casts to float32, and what is computed from them and constants alone."""
    full: set[str] = set()
    dtypes = {value.name: value.dtype for value in (*model.values, *model.inputs)}
    for node in model.nodes:
        if node.op == "Cast":
            stays = node.attributes["to"] == FULL and dtypes.get(node.inputs[0]) != LEVELS
            full.update(node.outputs if stays else ())
            continue
        single = [name for name in node.inputs if dtypes.get(name) == FULL]
        if single and all(name in full for name in single):
            full.update(node.outputs)
    return full


def _narrowed(model: Model, full: set[str]) -> Iterator[OnnxNode]:
    """The nodes; where what stays float32 meets numbers of float16, it is cast before."""
    single = {v.name: v for v in (*model.values, *model.outputs) if v.dtype == FULL}
    narrow: set[str] = set()
    for node in model.nodes:
        if node.op == "Cast" and node.attributes["to"] == FULL and node.outputs[0] not in full:
            node.attributes["to"] = HALF
        meets = not full.intersection(node.outputs) and node.op != "Cast"
        for index, name in enumerate(node.inputs):
            if not meets or name not in full or name not in single:
                continue
            node.inputs[index] = f"{name}/{HALF}"
            if name not in narrow:
                narrow.add(name)
                model.values.append(replace(single[name], name=f"{name}/{HALF}", dtype=HALF))
                yield OnnxNode("Cast", [name], [f"{name}/{HALF}"], {"to": HALF})
        yield node


def _renamed(names: list[str], old: str, new: str) -> list[str]:
    return [new if name == old else name for name in names]


def _cast_input(model: Model, value: OnnxValue) -> OnnxNode:
    """Shapes are still read off the input itself."""
    name = f"{value.name}/{HALF}"
    for node in model.nodes:
        if node.op != "Shape":
            node.inputs = _renamed(node.inputs, value.name, name)
    model.values.append(OnnxValue(name, value.shape, HALF))
    return OnnxNode("Cast", [value.name], [name], {"to": HALF})


def _cast_output(model: Model, value: OnnxValue) -> OnnxNode:
    name = f"{value.name}/{HALF}"
    for node in model.nodes:
        node.inputs = _renamed(node.inputs, value.name, name)
        node.outputs = _renamed(node.outputs, value.name, name)
    model.values.append(OnnxValue(name, value.shape, HALF))
    return OnnxNode("Cast", [name], [value.name], {"to": FULL})
