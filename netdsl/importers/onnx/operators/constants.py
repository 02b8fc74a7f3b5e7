"""Constants, what passes values on, and casts."""

from __future__ import annotations

from typing import cast

import numpy as np

from netdsl.importers.onnx.fold_numbers import DTYPES
from netdsl.importers.onnx.layouts import as_language
from netdsl.importers.onnx.model import Node, Weight
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.operators.spreading import spread, without_batch
from netdsl.importers.onnx.quantity import Quantity
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Data, Known, known, our_dtype

MOST_EQUAL = 2**31
"""Equal numbers that a constant may have."""


@reads("Constant")
def constant(node: Node, to: Reader) -> None:
    """Numbers in one of several forms."""
    forms = [name for name in node.attributes if name.startswith("value")]
    if len(forms) != 1:
        node.refuse("it holds not exactly one value")
    value = node.attributes[forms[0]]
    node.asked.add(forms[0])
    if isinstance(value, Weight):
        to.give(node, Known(value.shape, value.dtype, value.read, node.outputs[0]))
    elif isinstance(value, int):
        to.give(node, known(np.asarray(value, np.int64)))
    elif isinstance(value, float):
        to.give(node, known(np.asarray(value, np.float32)))
    elif isinstance(value, tuple) and not any(isinstance(one, str) for one in value):
        numbers = cast("tuple[float, ...]", value)
        is_float = forms[0] == "value_floats"
        to.give(node, known(np.asarray(numbers, np.float32 if is_float else np.int64)))
    else:
        node.refuse("texts have no counterpart", code="wrong-dtype")


@reads("ConstantOfShape")
def constant_of_shape(node: Node, to: Reader) -> None:
    """The same number everywhere, in a shape with the batch in it."""
    sizes = to.numbers_of(node, 0)
    plain, batch = without_batch(sizes)
    value = node.attributes.get("value")
    node.asked.add("value")
    fill = value.read().reshape(-1)[0] if isinstance(value, Weight) else np.float32(0)
    if any(isinstance(size, Quantity) for size in plain):
        spread(node, to, known(np.full((1,) * len(plain), fill)), list(plain))
        return
    shape = tuple(int(cast(int, size)) for size in plain)
    if any(size < 0 for size in shape) or np.prod(shape, dtype=float) > MOST_EQUAL:
        node.refuse(f"a constant of shape {list(shape)[:8]} is too large", code="too-large")
    dtype = str(np.asarray(fill).dtype)
    whole = np.broadcast_to(fill, shape)  # which takes no memory
    to.give(node, Known(shape, dtype, lambda: whole, node.outputs[0], batch))


@reads("Identity", "Dropout")
def passed_on(node: Node, to: Reader) -> None:
    """What does nothing at inference."""
    for ignored in ("ratio", "seed", "is_test"):  # what is dropped in training
        node.has(ignored)
    if to.is_used(node, 1):
        node.refuse("its mask is used, which is a matter of training")
    if node.operator == "Dropout" and to.optional(node, 2) is not None:
        training = to.known(node, 2).array
        if bool(training.reshape(-1)[0]):
            node.refuse("it drops numbers, as in training", help="export the model in eval mode")
    to.give(node, to.thing(node, 0))


@reads("Cast", "CastLike")
def cast_to(node: Node, to: Reader) -> None:
    """Another element type."""
    for ignored in ("saturate", "round_mode"):  # these are for types of 8 bits
        node.has(ignored)
    thing = as_language(to, node, to.thing(node, 0))
    if node.operator == "CastLike":
        dtype = to.thing(node, 1).dtype
    else:
        dtype = DTYPES.get(node.int("to"), "")
    before, after = thing.type.dtype, our_dtype(dtype)
    if not after:
        node.refuse("the type it casts to has no counterpart", code="wrong-dtype")
    groups = thing.groups if isinstance(thing, Data) else None
    value = thing.value
    if before == after:
        _check_kept(node, thing.dtype, dtype)
    elif after == "float32":
        value = to.one(node, "mul", value, number=1.0)
    elif after == "bool":
        value = to.one(node, "equal", value, number=0)
        value = to.one(node, "equal", value, number=0)
    elif before == "bool":
        value = to.one(node, "mul", value, number=1)
    else:
        node.refuse(f"a cast from {before} to {after} has no word", code="wrong-dtype")
    to.note_precision(node, dtype)
    to.give_result(node, value, groups, dtype)


def _check_kept(node: Node, before: str, after: str) -> None:
    """Whole numbers stay what they are in a type that holds them."""
    if before == after or our_dtype(before) != "int64":
        return
    if after not in ("int64", "int32"):
        node.refuse(f"a cast from {before} to {after} may change numbers", code="wrong-dtype")
