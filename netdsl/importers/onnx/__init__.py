"""ONNX: graphs of operators, with their numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from netdsl.diagnostics import DiagnosticError
from netdsl.importers.frontend import Answer, Question
from netdsl.importers.onnx.fold import folded
from netdsl.importers.onnx.inputs import Opening, open_inputs
from netdsl.importers.onnx.load import load
from netdsl.importers.onnx.model import Model, Node, shown
from netdsl.importers.onnx.operators import handler
from netdsl.importers.onnx.outputs import outputs_of
from netdsl.importers.onnx.quantity import Undecided
from netdsl.importers.onnx.ramps import odd_result
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.regions import root_of
from netdsl.importers.onnx.running import runs_of
from netdsl.importers.onnx.values import Known
from netdsl.importers.program import Program

TURNS = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten")
"""Operators behind which numbers are still those of a weight."""


def read(question: Question) -> Answer:
    """The program of an `.onnx` file. Raises `DiagnosticError` for what is wrong with it."""
    model = load(question.source)
    openings = [Opening.AS_STATED]
    if question.opens:
        openings = [Opening.WIDE, Opening.AS_STATED]
    for opening in openings[:-1]:
        try:
            return _answer(model, question, opening)
        except DiagnosticError:
            continue
    return _answer(model, question, openings[-1])


def _answer(model: Model, question: Question, opening: Opening) -> Answer:
    to = Reader(model, None)
    inputs = open_inputs(model, question, opening, to)
    for name, weight in model.weights.items():
        to.things[name] = Known(weight.shape, weight.dtype, weight.read, name, is_stored=True)
    for node in model.nodes:
        _read(node, to)
    outputs = outputs_of(model, to)
    root = root_of(model, to, inputs, outputs)
    program = Program(_net_name(model, question), root, inputs, outputs)
    files, runs = (Path(question.source),), runs_of(question.source)
    return Answer(program, to.numbers, tuple(to.remarks), files, runs)


def _read(node: Node, to: Reader) -> None:
    """Let the outputs of a node stand for what it computes."""
    node.asked.clear()
    function = None if node.domain else handler(node.operator)
    try:
        odd = odd_result(node, to)
        if odd is not None:
            to.odd[node.outputs[0]] = odd
            node.check_all_read()
            return
        things = _known_inputs(node, to)
        if things is not None and node.inputs and not node.domain:
            results = _folded(node, things, to)
            if results is not None:
                for n, result in enumerate(results[: len(node.outputs)]):
                    to.give(node, result, n)
                node.check_all_read()
                return
        if function is None:
            name = f"{node.domain}.{node.operator}" if node.domain else node.operator
            node.refuse(
                f"the operator `{shown(name)}` has no counterpart in the language",
                help="`netdsl layers` lists what there is",
            )
        function(node, to)
    except Undecided as undecided:
        node.refuse(f"{undecided}, which has no exact word", code="undecided-size")
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError, MemoryError) as e:
        node.refuse(f"it is broken: {shown(str(e), 120) or type(e).__name__}")
    for name in node.outputs:
        if name in to.wanted and name not in to.things and name not in to.odd:
            node.refuse(f"its output `{shown(name)}` has no counterpart")
    node.check_all_read()


def _known_inputs(node: Node, to: Reader) -> list[Known | None] | None:
    """The inputs of a node if the numbers of all are known."""
    if any(name in to.odd for name in node.inputs):
        return None
    things = [to.optional(node, n) for n in range(len(node.inputs))]
    known = [thing for thing in things if thing is None or isinstance(thing, Known)]
    return known if len(known) == len(things) else None


def _folded(node: Node, inputs: Sequence[Known | None], to: Reader) -> list[Known] | None:
    """What a node computes of numbers alone; None where it does not, or not while it is read."""
    if node.operator in ("Shape", "Size", "Expand", "ConstantOfShape", "Dropout"):
        return None
    if node.operator == "Identity":
        return [cast(Known, inputs[0])]
    try:
        results = folded(node, inputs, to.named)
        first = inputs[0]
        if results and first is not None and first.is_stored and node.operator in TURNS:
            results = [replace(results[0], name=first.name, is_stored=True, is_turned=True)]
        return results
    except Undecided:
        is_mixed = any(one is not None and one.array.dtype != object for one in inputs)
        if handler(node.operator) is None or not (is_mixed and _has_floats(inputs)):
            raise
        return None


def _has_floats(inputs: Sequence[Known | None]) -> bool:
    """Whether there are floats among numbers, with which a table can be computed."""
    return any(one is not None and one.array.dtype.kind == "f" for one in inputs)


def _net_name(model: Model, question: Question) -> str:
    """The name of the graph where it says something, else of the file."""
    for text in (model.name, Path(question.source).stem):
        words = re.sub(r"[^A-Za-z0-9]+", " ", text).split()
        name = "".join(word[:1].upper() + word[1:] for word in words)[:60]
        generic = (
            "MainGraph",
            "TorchJitExport",
            "TorchJit",
            "Graph",
            "G",
            "Test",
            "TorchJitExport",
        )
        if name and name[0].isalpha() and name not in generic:
            return name
    return "Net"
