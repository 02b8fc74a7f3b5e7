"""What the methods of a layer from a plug-in give: checked, so that a mistake bears its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import cast

from netdsl.ir.dim import Dim
from netdsl.ir.graph import WeightSpec
from netdsl.ir.sequences import is_sequence, is_tuple
from netdsl.ops.base import Op, Tensors, Window
from netdsl.ops.facts import Saved, SizeRule, Storage
from netdsl.ops.initial import WORDS
from netdsl.ops.lowering import OnnxValue
from netdsl.ops.plugins import PluginError, are_texts, is_ours, place
from netdsl.ops.recipe import TorchCall, TorchModule


def check_answers(op: Op, inputs: Tensors, outputs: Tensors, weights: object) -> None:
    """Asks the methods of a plug-in's layer once. Raises `PluginError` for what can't be used."""
    if is_ours(type(op)):
        return
    _expect(op, "weights", weights, _is_weights, "a tuple of `WeightSpec`")
    for spec in cast(tuple[WeightSpec, ...], weights):
        words = f"weights with an `init` of {', '.join(INITS)}"
        _expect(op, "weights", spec.init, lambda word: word in INITS, words)
        if spec.init == "numbers" and len(spec.numbers) != prod(spec.shape):
            told = f"{len(spec.numbers)} numbers, and its shape is {list(spec.shape)}"
            raise PluginError(f"{place(type(op))}: `weights` gives `{spec.key}` {told}")
    _expect(op, "macs", op.macs(inputs, outputs), _is_size, SIZE)
    windows = "a tuple with a `Window`, or None, for each spatial axis; or None"
    _expect(op, "windows", op.windows(inputs, outputs), _is_windows, windows)
    connections = op.connections(inputs, outputs)
    _expect(op, "connections", connections, lambda x: x is None or _is_size(x), f"{SIZE}, or None")
    for method, (fits, what) in FACTS.items():
        _expect(op, method, getattr(op, method)(inputs, outputs), fits, what)
    for method in "joined_axis", "cut_axis", "bias_axis":
        axis = getattr(op, method)(outputs[0].rank)
        _expect(op, method, axis, lambda x: x is None or _is_size(x), "an axis, or None")
    recipe = op.torch(inputs, outputs)
    _expect(op, "torch", recipe, _is_recipe, "a `TorchCall` or a `TorchModule`")
    if weights and not isinstance(recipe, TorchModule):
        raise PluginError(f"{place(type(op))}: a layer with weights is a `TorchModule` in `torch`")


def check_onnx(op: Op, answer: object, count: int) -> None:
    """Whether `onnx` gave a value for each result. Raises `PluginError`."""
    results: tuple[object, ...] = answer if is_tuple(answer) else (answer,)
    if len(results) == count and all(isinstance(part, OnnxValue) for part in results):
        return
    many = "the value that `to.node` gives" if count == 1 else f"a tuple of {count} such values"
    _expect(op, "onnx", answer, lambda _: False, many)


def check_reads(op: Op, answer: object) -> None:
    """Whether `reads` gave what the links are made of. Raises `PluginError`."""
    _expect(op, "reads", answer, _is_reads, "a list of pairs: the number of an input, a `Product`")


LONGEST = 80
INITS = ("zeros", "ones", "constant", "uniform", "numbers", *(w for w in WORDS if w != "zeros"))
SIZE = "a whole number or a formula of sizes"


def _expect(op: Op, method: str, answer: object, fits: Callable[[object], bool], what: str) -> None:
    if not fits(answer):
        raise PluginError(f"{place(type(op))}: `{method}` gives {what}, not {_shown(answer)}")


def _shown(answer: object) -> str:
    """What was given, cut short."""
    text = repr(answer)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _are_axes(answer: object) -> bool:
    return is_tuple(answer) and all(part is None or _is_size(part) for part in answer)


def _are_size_rules(answer: object) -> bool:
    return is_tuple(answer) and all(isinstance(part, SizeRule) for part in answer)


FACTS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "storage": (lambda answer: isinstance(answer, Storage), "one of `Storage`"),
    "axis_origins": (_are_axes, "a tuple with an axis, or None, for each axis of its result"),
    "told": (are_texts, "a tuple of texts"),
    "brief": (lambda answer: isinstance(answer, str), "a text"),
    "size_rules": (_are_size_rules, "a tuple of `SizeRule`"),
    "saved": (lambda answer: answer is None or isinstance(answer, Saved), "a `Saved`, or None"),
}
"""What is asked with the types that go in and come out, and what is to be given."""


def _is_size(answer: object) -> bool:
    return isinstance(answer, int | Dim) and not isinstance(answer, bool)


def _is_weights(answer: object) -> bool:
    return is_tuple(answer) and all(isinstance(part, WeightSpec) for part in answer)


def _is_windows(answer: object) -> bool:
    parts: tuple[object, ...] = answer if is_tuple(answer) else (None,)
    return (answer is None or is_tuple(answer)) and all(
        part is None or isinstance(part, Window) for part in parts
    )


def _is_recipe(answer: object) -> bool:
    return isinstance(answer, TorchCall | TorchModule)


def _is_reads(answer: object) -> bool:
    return is_sequence(answer) and all(is_tuple(part) and _is_read(part) for part in answer)


def _is_read(part: tuple[object, ...]) -> bool:
    if len(part) != 2 or not isinstance(part[0], int):
        return False
    piece = part[1]
    return is_tuple(piece) and all(isinstance(axis, frozenset) for axis in piece)
