"""What a unit is called and what is told of it, in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from netdsl.analyses.cost import layer_text
from netdsl.analyses.receptive_field import data_inputs
from netdsl.backends.diagram.shape_names import TIMES, ShapeNames
from netdsl.backends.diagram.tails import told
from netdsl.backends.diagram.units import Unit, family
from netdsl.ir.dim import Dim, Size
from netdsl.ir.graph import Node, Value
from netdsl.ops.base import Op

MOST_PARTS = 4

_WORDS = {
    "maxpool": "max pool", "avgpool": "avg pool", "lppool": "Lp pool",
    "adaptive_maxpool": "max pool to", "adaptive_avgpool": "avg pool to",
    "global_maxpool": "global max pool", "global_avgpool": "global avg pool",
    "conv_transpose": "transposed conv", "batchnorm": "BN", "groupnorm": "group norm",
    "instancenorm": "instance norm", "layernorm": "layer norm", "lrn": "LRN",
    "relu": "ReLU", "relu6": "ReLU6", "prelu": "PReLU", "leaky_relu": "leaky ReLU",
    "silu": "SiLU", "gelu": "GELU", "elu": "ELU", "selu": "SELU", "celu": "CELU",
    "drop_path": "drop path", "spp": "spatial pyramid pool", "": "learned weight",
}  # fmt: skip

MOVES = (
    "flatten", "reshape", "permute", "split", "slice", "identity", "channel_shuffle",
    "pixel_unshuffle",
)  # fmt: skip
"""Layers that only move values."""
_MINOR = ("", "size", "merging")
"""Families that, as what moves values, are left out where a block has more than can be told."""


@dataclass(frozen=True, slots=True)
class Label:
    """Texts of a box: its name in bold, lines below it."""

    title: str
    lines: tuple[str, ...] = ()


def word(node: Node) -> str:
    """The layer's name as a person says it: `max pool`, `ReLU`."""
    return _WORDS.get(node.op.name) or node.op.name.replace("_", " ")


def tail(unit: Unit) -> tuple[str, ...]:
    """What is folded behind the first layer: `("BN", "ReLU")`."""
    return tuple(map(word, unit.layers[1:]))


def layer_label(unit: Unit, usual_tail: tuple[str, ...] | None, names: ShapeNames) -> Label:
    """The label of a layer with what is folded behind it.

    Of convolutions that is said where it is not the usual, which the legend tells; of all other
    layers always.
    """
    node = unit.node
    title, lines = _layer(node, names)
    usual = usual_tail if family(node) == "convolution" else ()
    lines.append(told(tail(unit), usual, " + "))
    return Label(title, tuple(line for line in lines if line))


def title_of(node: Node, names: ShapeNames) -> str:
    """What is written in bold on a layer: `conv 3×3 /2`."""
    return _layer(node, names)[0]


def _layer(node: Node, names: ShapeNames) -> tuple[str, list[str]]:
    op = node.op
    assert isinstance(op, Op)
    kernel, stride = getattr(op, "kernel", None), getattr(op, "stride", 1)
    if kernel is not None:
        title = f"{word(node)} {_size(kernel, _axes(node))}{_stride(stride)}"
        return _depthwise(node, title), [" · ".join(filter(None, (_width(node), _extras(op))))]
    if op.name == "linear":
        return "linear", [f"{_last(node.inputs[0])} → {_last(node.output)}"]
    if op.name in ("adaptive_maxpool", "adaptive_avgpool"):
        return f"{word(node)} {_size(getattr(op, 'size', 1), _axes(node))}", []
    if op.name == "upsample":
        target = names.spatial(node.output.type.shape)
        return "upsample", [f"{getattr(op, 'mode', '')}, to {target}".strip(", ")]
    return word(node), [_settings(op)]


def _last(value: Value) -> str:
    return str(value.type.shape[-1])


def _settings(op: Op) -> str:
    """What stands in the brackets where the layer is written."""
    _, _, inner = layer_text(op).partition("(")
    text = inner.removesuffix(")")
    return text if len(text) <= 34 else ""


def _axes(node: Node) -> int:
    return len(node.inputs[0].type.spatial)


def _size(size: object, axes: int) -> str:
    """`7×7`, `1×7`."""
    parts = size if isinstance(size, tuple) else (size,) * max(axes, 1)
    return TIMES.join(map(str, parts))


def _stride(stride: object) -> str:
    if stride == 1 or (isinstance(stride, tuple) and set(stride) == {1}):
        return ""
    if isinstance(stride, tuple):
        return f" /{TIMES.join(map(str, stride))}"
    return f" /{stride}"


def _depthwise(node: Node, title: str) -> str:
    groups = getattr(node.op, "groups", 1)
    if groups > 1 and groups == node.inputs[0].type.channels:
        return f"depthwise {title}"
    return title


def _width(node: Node) -> str:
    channels = getattr(node.op, "channels", None)
    return "" if channels is None else f"{channels} filter{'s' * (channels != 1)}"


def _extras(op: Op) -> str:
    """Settings that are not the usual: `pad 1 · dilation 2 · 32 groups`."""
    found: list[str] = []
    padding = getattr(op, "padding", 0)
    if padding not in (0, "valid") and not (isinstance(padding, tuple) and set(padding) == {0}):
        shown = TIMES.join(map(str, padding)) if isinstance(padding, tuple) else padding
        found.append(f"pad {shown}")
    if getattr(op, "padding_mode", "zeros") != "zeros":
        found.append(str(getattr(op, "padding_mode", "")))
    dilation = getattr(op, "dilation", 1)
    if dilation != 1:
        found.append(f"dilation {_size(dilation, 1)}")
    if getattr(op, "groups", 1) != 1:
        found.append(f"{getattr(op, 'groups', 1)} groups")
    if getattr(op, "ceil_mode", False):
        found.append("ceil")
    if getattr(op, "output_padding", 0):
        found.append(f"out pad {getattr(op, 'output_padding', 0)}")
    return " · ".join(found)


def block_lines(unit: Unit) -> list[str]:
    """What a closed block does: its main layers in order, and its skip."""
    joined = concat_parts(unit)
    if joined:
        return ["+".join(map(str, joined)) + " ch" * _joins_channels(unit.parts[-1].node)]
    skip, aside = _skip(unit)
    shown = [part for part in unit.parts if not aside.intersection(part.nodes)]
    said = _told(_words(shown))
    lines = [" · ".join(said[i : i + 3]) for i in range(0, len(said), 3)]
    return [*lines, *([f"+ {skip} skip"] if skip else [])]


def varied(unit: Unit) -> str:
    """What differs between the copies of a block: `drop path 0.1 to 0.2`."""
    found: dict[str, list[float]] = {}
    for nodes in zip(*unit.copies, strict=True):
        shares = [getattr(node.op, "p", 0.0) for node in nodes]
        if len(set(shares)) > 1:
            found.setdefault(word(nodes[0]), []).extend(shares)
    said = (f"{name} {min(shares):.2g} to {max(shares):.2g}" for name, shares in found.items())
    return ", ".join(said)


def _words(parts: Sequence[Unit]) -> list[str]:
    """What each part does; of many parts, those that compute."""
    words = [(part, _short(part)) for part in parts if part.node.op.name not in ("add", "identity")]
    words = [(part, word) for part, word in words if word]
    if len(words) > MOST_PARTS + 1:
        words = [(part, word) for part, word in words if not _is_minor(part)] or words
    return [word for _, word in words]


def _is_minor(part: Unit) -> bool:
    moves = part.node.op.name in MOVES and part.node.op.name != "pixel_unshuffle"
    return not part.is_block and (moves or family(part.node) in _MINOR)


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
    node = part.node
    if family(node) == "convolution":
        kind = "up " if node.op.name == "conv_transpose" else ""
        groups = getattr(node.op, "groups", 1)
        kind = "dw " if groups > 1 and groups == node.inputs[0].type.channels else kind
        size = _size(getattr(node.op, "kernel", 1), _axes(node))
        stride = _stride(getattr(node.op, "stride", 1))
        dilation = getattr(node.op, "dilation", 1)
        spread = f" dil {_size(dilation, 1)}" if dilation != 1 else ""
        return f"{kind}{size} {getattr(node.op, 'channels', '')}{stride}{spread}"
    if family(node) in ("activations", "regularising", "norms"):
        return ""
    if node.op.name == "linear":
        return f"linear {_last(node.output)}"
    if node.op.name in ("adaptive_maxpool", "adaptive_avgpool"):
        return f"{word(node)} {_size(getattr(node.op, 'size', 1), _axes(node))}"
    shifted = "shifted " if getattr(node.op, "shift", 0) else ""
    return shifted + word(node) + _stride(getattr(node.op, "stride", 1))


def _skip(unit: Unit) -> tuple[str, set[Node]]:
    """The kind of the block's skip (`identity`, `1×1 projection`) and the nodes on it."""
    made = {value: node for node in unit.nodes for value in node.outputs}
    own = (node for part in unit.parts if not part.is_block for node in part.covered())
    sums = [node for node in own if node.op.name == "add" and len(node.inputs) == 2]
    if not sums:
        return "", set()
    branches = [_behind(value, made) for value in sums[-1].inputs]
    if not _origins(unit, sums[-1].inputs[0], branches[0]).intersection(
        _origins(unit, sums[-1].inputs[1], branches[1])
    ):
        return "", set()
    shared = set(branches[0]) & set(branches[1])
    apart = [[n for n in branch if n not in shared] for branch in branches]
    short, other = sorted(apart, key=len)
    if any(node.op.name != "identity" for node in short):
        heads = [node for node in short if family(node) == "convolution"]
        if len(heads) != 1 or len(other) <= len(short):
            return "", set()
        size = _size(getattr(heads[0].op, "kernel", 1), _axes(heads[0]))
        return f"{size} projection", set(short)
    return "identity", set(short)


def _origins(unit: Unit, value: Value, branch: Sequence[Node]) -> set[Value]:
    """The inputs of a block that a value comes from."""
    read = [value, *(v for node in branch for _, v in data_inputs(node))]
    return set(read).intersection(unit.inputs)


def _behind(value: Value, made: dict[Value, Node]) -> list[Node]:
    """The nodes of a block that a value comes from, without those that give sizes alone."""
    found: dict[Node, None] = {}  # a set that keeps its order
    stack = [value]
    while stack:
        node = made.get(stack.pop())
        if node is not None and node not in found:
            found[node] = None
            stack += [value for _, value in data_inputs(node)]
    return list(found)


def concat_parts(unit: Unit) -> list[int]:
    """Channels of each part where the unit ends by joining its branches; else none."""
    last = unit.parts[-1]
    return channels_joined(last.node) if not last.is_block and len(last.layers) == 1 else []


def channels_joined(node: Node) -> list[int]:
    """Channels of each input of a concat along the channels."""
    along = getattr(node.op, "axis", 0)
    if node.op.name != "concat" or along not in ("channels", 0) or len(node.inputs) < 2:
        return []
    parts = [value.type.shape[0] for value in node.inputs if value.type.shape]
    return [p for p in parts if isinstance(p, int)] if len(parts) == len(node.inputs) else []


def _joins_channels(node: Node) -> bool:
    """Whether it is channels that are joined for sure: of two axes, the first may be tokens."""
    return getattr(node.op, "axis", 0) == "channels" or node.output.type.rank != 2


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
