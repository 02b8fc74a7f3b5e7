"""Recurrent layers: the gates in PyTorch's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from netdsl.importers.onnx.layouts import permuted, regrouped
from netdsl.importers.onnx.model import Node
from netdsl.importers.onnx.operators.registry import reads
from netdsl.importers.onnx.reader import Reader
from netdsl.importers.onnx.values import Data, Known, numbered
from netdsl.importers.program import Setting, Value

if TYPE_CHECKING:
    import numpy

ORDERS = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Where PyTorch's gates lie among ONNX's: i f g o of i o f c, r z n of z r h."""
ACTIVATIONS = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
Turn = Callable[["numpy.ndarray"], "numpy.ndarray"]


@reads("LSTM", "GRU", "RNN")
def recurrent(node: Node, to: Reader) -> None:
    """One layer, in one direction or both."""
    kind, layout = node.operator, node.int("layout", 0)
    directions = (
        2 if node.word("direction", "forward", ("forward", "bidirectional")) != "forward" else 1
    )
    hidden = node.int("hidden_size")
    x = _sequence(node, to, layout)
    settings: dict[str, Setting] = {"hidden": hidden, "bidirectional": directions == 2}
    _check_settings(node, directions, settings)
    if to.optional(node, 4) is not None:
        _check_lengths(node, to, x)
    weights = _weights(node, to, x, hidden, directions)
    settings["bias"] = any(key.startswith("bias") for key in weights)
    states = any(to.is_used(node, n) for n in (1, 2))
    settings["states"] = states
    for index, name in ((5, "start"), (6, "start_cell")):
        start = _start(node, to, index, layout) if index == 5 or kind == "LSTM" else None
        if start is not None:
            settings[name] = start
    if kind == "LSTM":
        _check_starts(node, to, settings)
        if to.optional(node, 7) is not None and to.known(node, 7).array.any():
            node.refuse("its peepholes have no counterpart")
    results = to.layer(node, kind.lower(), [x.value], settings, weights)
    _give(node, to, results, (directions, hidden, layout))


def _sequence(node: Node, to: Reader, layout: int) -> Data:
    x = to.thing(node, 0)
    wanted = 0 if layout else 1
    if not isinstance(x, Data) or x.rank != 3 or x.groups[wanted] != (-1,) or layout not in (0, 1):
        node.refuse(f"it takes sequences with the batch in axis {wanted}", code="wrong-rank")
    return x


def _check_settings(node: Node, directions: int, settings: dict[str, Setting]) -> None:
    words = node.attributes.get("activations", ())
    node.asked.add("activations")
    given = tuple(str(one).lower() for one in words) if isinstance(words, tuple) else ("?",)
    usual = ACTIVATIONS[node.operator] * directions
    if node.operator == "RNN" and given and given == ("relu",) * directions:
        settings["mode"] = "relu"
    elif given and given != usual:
        node.refuse(
            f"its activations are {', '.join(given[:6])}, and only the usual ones can be read"
        )
    node.only("activation_alpha", ())
    node.only("activation_beta", ())
    if node.has("clip"):
        node.refuse("what it clips has no counterpart")
    node.only("input_forget", 0)
    node.has("output_sequence")  # of opset 1 to 6
    if node.operator == "GRU" and node.int("linear_before_reset", 0) != 1:
        node.refuse("its reset gate comes before the matrix; PyTorch's comes behind it")


def _check_lengths(node: Node, to: Reader, x: Data) -> None:
    """Lengths of the sequences: all of them as long as they are."""
    lengths, steps = to.known(node, 4), x.type.shape[0]
    if not isinstance(steps, int) or not (lengths.array == steps).all():
        node.refuse("sequences of several lengths have no word")


def _weights(
    node: Node, to: Reader, x: Data, hidden: int, directions: int
) -> dict[str, tuple[Known, Turn]]:
    order, size = ORDERS[node.operator], x.type.shape[-1]
    gates = len(order)
    inner, outer = to.known(node, 1), to.known(node, 2)
    shapes = (directions, gates * hidden, size), (directions, gates * hidden, hidden)
    if (inner.shape, outer.shape) != shapes:
        node.refuse(
            f"its weights are {list(inner.shape)} and {list(outer.shape)}, not "
            f"{list(shapes[0])} and {list(shapes[1])}",
            code="shape-mismatch",
        )
    weights: dict[str, tuple[Known, Turn]] = {}
    bias = to.known(node, 3) if to.optional(node, 3) is not None else None
    if bias is not None and bias.shape != (directions, 2 * gates * hidden):
        node.refuse(f"its bias is {list(bias.shape)}", code="shape-mismatch")
    for n in range(directions):
        end = "_reverse" * n
        weights[f"weight_ih_l0{end}"] = (inner, _gates(n, 0, hidden, order))
        weights[f"weight_hh_l0{end}"] = (outer, _gates(n, 0, hidden, order))
        if bias is not None:
            weights[f"bias_ih_l0{end}"] = (bias, _gates(n, 0, hidden, order))
            weights[f"bias_hh_l0{end}"] = (bias, _gates(n, gates, hidden, order))
    return weights


def _gates(direction: int, first: int, hidden: int, order: tuple[int, ...]) -> Turn:
    """The rows of one direction, gate by gate in another order."""

    def turn(array: numpy.ndarray) -> numpy.ndarray:
        import numpy

        rows = array[direction]
        parts = [rows[(first + g) * hidden : (first + g + 1) * hidden] for g in order]
        return numpy.concatenate(parts)

    return turn


def _start(node: Node, to: Reader, index: int, layout: int) -> Value | None:
    """The states it begins with; None for zeros."""
    start = to.optional(node, index)
    if start is None or (isinstance(start, Known) and not start.array.any()):
        return None
    wanted = 0 if layout else 1
    if not isinstance(start, Data) or start.groups[wanted] != (-1,):
        node.refuse("the states it begins with are the same for all samples, or no states")
    return start.value


def _check_starts(node: Node, to: Reader, settings: dict[str, Setting]) -> None:
    """Either both states are given, or zeros for both."""
    given = [name for name in ("start", "start_cell") if name in settings]
    if len(given) == 1:
        node.refuse(f"only one of its two states begins with other numbers than 0: `{given[0]}`")


def _give(node: Node, to: Reader, results: list[Value], how: tuple[int, int, int]) -> None:
    """The results in ONNX's axes: steps, directions, batch, features."""
    directions, hidden, layout = how
    steps = to.types[results[0]]
    data = Data(results[0], steps, numbered([[0], [-1], [0]]), to.thing(node, 0).dtype)
    if to.is_used(node, 0):
        size = to.axis_size(data, 0)
        out = regrouped(to, node, data, [[size], [directions], [None], [hidden]])
        if directions == 1 or layout == 0:
            order = (2, 0, 1, 3) if layout else (0, 1, 2, 3)
            out = permuted(to, node, out, order)
        else:
            out = regrouped(to, node, data, [[None], [size], [directions], [hidden]])
        to.give(node, out, 0)
    for n, value in enumerate(results[1:], start=1):
        if to.is_used(node, n):
            groups = [[-1], [0], [0]] if layout else [[0], [-1], [0]]
            to.give(node, Data(value, to.types[value], numbered(groups), data.dtype), n)
