"""Rows of known numbers beside the result of a layer that nothing else takes."""

from __future__ import annotations

from collections.abc import Callable

from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Data, Known
from netdsl.importers.program import Call

Take = Callable[[Call, Data, Known], bool]
"""Lets a row be part of the layer that makes a value; False where it can't be."""


def taken_into(node: Node, to: Reader, *layers: str, take: Take) -> bool:
    """Let what a node multiplies with, or adds, be part of the layer before it, on either side."""
    things = [to.thing(node, n) for n in range(len(node.inputs))]
    if len(things) != 2:
        return False
    for x, row in zip(things, reversed(things), strict=True):
        if not isinstance(x, Data) or not isinstance(row, Known) or not to.is_taken_once(x.value):
            continue
        call = to.maker(x.value)
        if call is None or call.layer not in layers or row.array.dtype == object:
            continue
        if take(call, x, row):
            to.give_changed(node, x)
            return True
    return False
