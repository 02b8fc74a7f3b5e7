"""The title of a unit and the lines that describe it, in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from netdsl.analyses.channels import ChannelAxes
from netdsl.backends.diagram.model.skips import edges_within
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames, factor
from netdsl.backends.diagram.tails import Tail, Tails, told
from netdsl.backends.diagram.units import Unit
from netdsl.ir.dim import Dim, Size
from netdsl.ir.graph import Node
from netdsl.ops.base import Rules, op_of
from netdsl.ops.facts import Work, kernel_words, lines_of
from netdsl.ops.merge import sample_shapes
from netdsl.ops.tables import types_of

MOST_PARTS = 4
UNTOLD = (Work.DROPS, Work.PASSES)

LONGEST_LINE = 60
"""Letters of a line of settings."""


@dataclass(frozen=True, slots=True)
class Label:
    """Texts of a box: its name in bold, lines below it."""

    title: str
    lines: tuple[str, ...] = ()


def word(node: Node) -> str:
    """The layer's name as a person says it: `max pool`, `ReLU`."""
    return op_of(node).title


def tail(unit: Unit) -> tuple[str, ...]:
    """What is folded behind the first layer: `("BN", "ReLU")`."""
    return tuple(map(word, unit.layers[1:]))


def expected_tail(unit: Unit, usual: Tails) -> Tail:
    """What the legend gives as usual behind a layer of its family; nothing where it gives none."""
    return usual.get(unit.node.op.family, ()) if op_of(unit.node).leads else ()


def layer_label(unit: Unit, expected: Tail, names: ShapeNames) -> Label:
    """The label of a layer with what is folded behind it, where that is not as expected."""
    title, lines = _layer(unit.node, names)
    lines.append(tail_line(unit, expected))
    return Label(title, tuple(line for line in lines if line))


def tail_line(unit: Unit, expected: Tail) -> str:
    """What is folded behind a layer, where that is not as expected."""
    return told(tail(unit), expected, " + ")


def title_of(node: Node, names: ShapeNames) -> str:
    """What is written in bold on a layer: `conv 3×3 /2`."""
    return _layer(node, names)[0]


def _layer(node: Node, names: ShapeNames) -> tuple[str, list[str]]:
    op, (inputs, outputs) = op_of(node), types_of(node)
    words = op.told(inputs, outputs, lambda size: factor(names.size(size)))
    return op.headline(inputs), lines_of(words, LONGEST_LINE)


def block_lines(unit: Unit, axes: ChannelAxes) -> list[str]:
    """What a closed block does: its main layers in order, and its skip."""
    joined = concat_parts(unit)
    if joined:
        return ["+".join(map(str, joined)) + " ch" * (axes.of(unit.parts[-1].node.output) == 0)]
    skip, aside = _skip(unit)
    shown = [part for part in unit.parts if not aside.intersection(part.nodes)]
    words = _told(_words(shown))
    lines = [" · ".join(words[i : i + 3]) for i in range(0, len(words), 3)]
    return [*lines, *([f"+ {skip} skip"] if skip else [])]


def left_out(unit: Unit) -> str:
    """What runs in a closed block and is not told on it: `2 × drop path, identity`."""
    counted = Counter(word(node) for node in unit.nodes if op_of(node).work in UNTOLD)
    return ", ".join(f"{n} {TIMES} {name}" if n > 1 else name for name, n in counted.items())


def varied(unit: Unit) -> str:
    """What differs between the copies of a block: `drop path 0.1 to 0.2`."""
    dropped: dict[str, list[float]] = {}
    for nodes in zip(*unit.copies, strict=True):
        shares = [op_of(node).share_dropped() for node in nodes]
        if len(set(shares)) > 1:
            dropped.setdefault(word(nodes[0]), []).extend(shares)
    texts = (f"{name} {min(shares):.2g} to {max(shares):.2g}" for name, shares in dropped.items())
    return ", ".join(texts)


def _words(parts: Sequence[Unit]) -> list[str]:
    """What each part does; of many parts, those that compute."""
    words = [(part, _short(part)) for part in parts if not _is_skipped(part.node)]
    words = [(part, word) for part, word in words if word]
    if len(words) > MOST_PARTS + 1:
        words = [(part, word) for part, word in words if not _is_minor(part)] or words
    return [word for _, word in words]


def _is_skipped(node: Node) -> bool:
    return op_of(node).shown_sign() == "+" or op_of(node).work is Work.PASSES


def _is_minor(part: Unit) -> bool:
    """What is left out where a block has more than can be listed: moved values, merges, weights."""
    op = op_of(part.node)
    moves = op.work is not Work.COMPUTES and not op.zoom
    return not part.is_block and (moves or op.family in ("", "merging"))


def _told(words: list[str]) -> list[str]:
    """The words, equal ones in a row counted; of many kinds, how many of each."""
    counted = [(word, len(list(run))) for word, run in groupby(words)]
    if len(counted) > MOST_PARTS + 1:
        kinds = Counter(_kind(word) for word in words)
        counted = kinds.most_common(MOST_PARTS)
    return [f"{number} {TIMES} {word}" if number > 1 else word for word, number in counted]


def _kind(word: str) -> str:
    """A word without its numbers."""
    if word[0].isdigit() or word.startswith(("dw ", "up ")):
        return "conv"
    return word.partition(" /")[0]


def _short(part: Unit) -> str:
    """`3×3 64`, `max pool /2`, `DoubleConv`."""
    if part.is_block:
        name = part.scope.definition if part.scope else part.path
        return f"{name} {TIMES} {part.count}" if part.count > 1 else name
    if part.node.op.family in ("activations", "regularising", "norms"):
        return ""
    return op_of(part.node).brief(*types_of(part.node))


def _skip(unit: Unit) -> tuple[str, set[Node]]:
    """The kind of the block's last skip (`identity`, `1×1 projection`) and the nodes on it."""
    outputs = [unit.aliases.get(value, value) for value in unit.outputs]
    found = edges_within(unit.nodes, unit.inputs, outputs)
    own = {node for part in unit.parts if not part.is_block for node in part.covered()}
    merges = own.intersection(found.values())
    sums = [node for node in unit.nodes if node in merges and op_of(node).shown_sign()]
    if not sums:
        return "", set()
    on_it = {node for (_, node), merge in found.items() if merge is sums[-1] and node is not merge}
    windows = [op_of(node).sliding() for node in on_it if node.layer.weights]
    kernels = [kernel_words(w.kernel, sums[-1].output.type.rank - 1) for w in windows if w]
    return (f"{kernels[0]} projection" if kernels else "identity"), on_it


def concat_parts(unit: Unit) -> list[int]:
    """Channels of each part where the unit ends by joining its branches; else none."""
    last = unit.parts[-1]
    return channels_joined(last.node) if not last.is_block and len(last.layers) == 1 else []


def channels_joined(node: Node) -> list[int]:
    """Channels of each input of a concat along the channels."""
    if op_of(node).joined_axis(node.outputs[0].type.rank) != 0 or len(node.inputs) < 2:
        return []
    inputs = tuple(value.type for value in node.inputs)
    parts = [shape[0] for shape in sample_shapes(inputs, Rules())]
    known = [part for part in parts if isinstance(part, int)]
    return known if len(known) == len(parts) else []


def amount(number: Size, unit: str) -> str:
    """`6.62 M params`; nothing for a formula or for 0."""
    if isinstance(number, Dim) or not number:
        return ""
    return f"{rough(number)} {unit}"


def rough(number: int) -> str:
    """Three digits: `70.4 k`, `1.50 G`; small numbers in full."""
    if number < 10_000:
        return f"{number:,}"
    for letter, size in (("k", 10**3), ("M", 10**6), ("G", 10**9), ("T", 10**12)):
        if number < 999.5 * size or letter == "T":
            scaled = number / size
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:,.{digits}f} {letter}"
    raise AssertionError(number)
