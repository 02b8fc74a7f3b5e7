"""Half precision: weights and arithmetic in float16, inputs and outputs as they were."""

from __future__ import annotations

from dataclasses import replace

from netdsl.backends.onnx.model import Model
from netdsl.ops.lowering import OnnxNode, OnnxValue

FULL, HALF = "float32", "float16"
SCALES = "/scales"


def to_half(model: Model) -> None:
    """Turn a model to float16, in place.

    What is cast to float32 within (the arithmetic of cells' places) stays float32.
    """
    _part_scales(model)
    kept = _kept(model)
    model.values = [_half(v) if v.name not in kept else v for v in model.values]
    model.stored = [
        replace(s, dtype=HALF) if s.dtype == FULL and not s.name.endswith(SCALES) else s
        for s in model.stored
    ]
    before = [_cast_input(model, value) for value in model.inputs if value.dtype == FULL]
    after = [_cast_output(model, value) for value in model.outputs if value.dtype == FULL]
    model.nodes = [*before, *model.nodes, *after]


def _part_scales(model: Model) -> None:
    """Resize takes its factors in float32 only, so they are constants of their own."""
    by_name = {stored.name: stored for stored in model.stored}
    for node in model.nodes:
        if node.op == "Resize" and len(node.inputs) == 3:
            scales = by_name[node.inputs[2]]
            apart = replace(scales, name=scales.name + SCALES)
            node.inputs[2] = apart.name
            if apart.name not in by_name:
                by_name[apart.name] = apart
                model.stored.append(apart)


def _half(value: OnnxValue) -> OnnxValue:
    return replace(value, dtype=HALF) if value.dtype == FULL else value


def _kept(model: Model) -> set[str]:
    """Values made by casts to float32, and what is computed from them alone."""
    kept: set[str] = set()
    for node in model.nodes:
        casts = node.op == "Cast" and node.attributes["to"] == FULL
        follows = node.op != "Cast" and node.inputs and all(name in kept for name in node.inputs)
        if casts or follows:
            kept.update(node.outputs)
    return kept


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
