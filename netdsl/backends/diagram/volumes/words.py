"""What is said of a volume: its name, its shape, how many neurons, the layer that makes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from math import prod

from netdsl.analyses.cost import count_parameters, layer_text
from netdsl.backends.diagram.tails import most_usual, told
from netdsl.backends.diagram.volumes.sizes import Numbers
from netdsl.backends.diagram.volumes.steps import Step, family, flowing, is_in_place
from netdsl.ir.graph import Node, Scope, Value
from netdsl.ops.base import Op
from netdsl.ops.conv import Conv, ConvTranspose

MOVING = ("flatten", "reshape", "permute", "split", "slice", "pad", "crop", "center_crop",
          "channel_shuffle", "pixel_shuffle", "pixel_unshuffle", "concat")  # fmt: skip
FEW_KERNELS = 4
MOST_PARTS = 40
_KINDS = {
    "maxpool": "max", "avgpool": "mean", "lppool": "p-norm", "global_maxpool": "max of each map",
    "global_avgpool": "mean of each map", "adaptive_maxpool": "max", "adaptive_avgpool": "mean",
}  # fmt: skip


def times(numbers: Sequence[object]) -> str:
    """`3 × 224 × 224`."""
    return " × ".join(map(str, numbers))


def counted(step: Step, shape: tuple[int, ...]) -> str:
    """`290,400 neurons`; what only moves numbers has values and no neurons."""
    number = prod(shape)
    last = step.join or step.node
    moves = last is not None and last.op.name in MOVING
    what = "value" if step.is_input or moves else "neuron"
    text = f"{number:,} {what}{'s' * (number != 1)}"
    return f"{text} each" if step.count > 1 else text


def says(step: Step, numbers: Numbers) -> tuple[str, ...]:
    """How it is made, in one or two short lines: `7×7 /2 pad 3`."""
    if step.is_input:
        kind = step.output.type.dtype
        return ("",) if kind == "float32" else (kind,)
    if step.node is None:
        return _inside(step, numbers)
    lines = [layer_words(step.node, numbers)]
    if step.join is not None:
        parts = parts_of(step, numbers)
        lines.append(f"concat {sum_text(parts)}" if parts else "+ skip")
    return tuple(line for line in lines if line)


def tail(step: Step) -> tuple[str, ...]:
    """What changes a volume's numbers in place, behind the layer that makes it."""
    if step.node is None:
        return ()
    behind = step.nodes[step.nodes.index(step.node) + 1 :]
    return tuple(_word(n) for n in behind if _counts(n))


def ahead(step: Step) -> tuple[str, ...]:
    """What works in place on what flows in."""
    if step.node is None:
        return ()
    return tuple(_word(n) for n in step.nodes[: step.nodes.index(step.node)] if _counts(n))


def usual_tails(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """By family the most frequent tail; only where layers have any."""
    found: dict[str, tuple[str, ...]] = {}
    for name in ("convolution", "dense"):
        inside = [s for s in steps if s.family == name and s.node and s.node.op.name not in MOVING]
        usual = most_usual(map(tail, inside))
        if usual is not None:
            found[name] = usual
    return found


def tail_words(step: Step, usual: dict[str, tuple[str, ...]]) -> str:
    """What is not as usual: `also lrn`, `no relu`, `only batchnorm`, `behind batchnorm, relu`."""
    if step.node is None:
        return ""
    words: list[str] = []
    is_plain = step.join is None and step.node.op.name not in MOVING
    own, expected = tail(step), usual.get(step.family, ()) if is_plain else ()
    if ahead(step):
        words.append(f"behind {', '.join(ahead(step))}")
    words.append(told(own, expected, ", "))
    return "; ".join(filter(None, words))


def _counts(node: Node) -> bool:
    return is_in_place(node) and family(node) in ("activations", "norms")


def _word(node: Node) -> str:
    return node.op.name


def layer_words(node: Node, numbers: Numbers) -> str:
    """A layer's settings, as short as they can be said."""
    op = node.op
    assert isinstance(op, Op)
    inputs, outputs = numbers.tensors(node)
    if isinstance(op, Conv | ConvTranspose):
        return _conv_words(op, inputs[0].shape)
    if getattr(op, "kernel", None) is not None:
        return _pool_words(op, len(inputs[0].spatial))
    if op.name in ("adaptive_maxpool", "adaptive_avgpool"):
        if set(outputs[0].spatial) == {1}:
            return _KINDS[op.name.replace("adaptive", "global")]
        bins = f"{_by(outputs[0].spatial)} bins"
        same = inputs[0].spatial == outputs[0].spatial
        return f"{bins} of one pixel" if same else f"{_KINDS[op.name]} of {bins}"
    if op.name == "spp":
        return f"{getattr(op, 'mode', '')}, levels {', '.join(map(str, getattr(op, 'levels', ())))}"
    if op.name in _KINDS:
        return _KINDS[op.name]
    if op.name == "upsample":
        return f"{getattr(op, 'mode', '')} to {_by(outputs[0].spatial)}"
    if op.name == "linear":
        return f"linear {inputs[0].shape[-1]:,} → {outputs[0].shape[-1]:,}"
    if op.name == "concat":
        axis = _axis(node)
        rank = node.output.type.rank
        parts = [
            numbers.shape(value)[axis if value.type.batched else axis - rank]
            for value in node.inputs
        ]
        return f"concat {sum_text(parts)}" + (f" on axis {axis}" if axis else "")
    if op.name == "permute":
        return f"axes {', '.join(map(str, getattr(op, 'axes', ())))}"
    text = layer_text(op)
    return text if len(text) <= 26 else op.name


def _axis(node: Node) -> int:
    """The axis a layer works along, counted from 0."""
    axis = getattr(node.op, "axis", 0)
    if not isinstance(axis, int):
        return 0
    return axis % len(node.inputs[0].type.shape)


def _conv_words(op: Conv | ConvTranspose, shape: Sequence[object]) -> str:
    axes = len(shape) - 1
    words = [_kernel(op.kernel, axes) + _stride(op.stride)]
    if isinstance(op, ConvTranspose):
        words.append("transposed")
    if op.padding not in (0, "valid"):
        words.append(f"pad {_by(op.padding) if isinstance(op.padding, tuple) else op.padding}")
    if op.dilation != 1:
        words.append(f"dilation {_by(op.dilation)}")
    if op.groups > 1:
        words.append("depthwise" if op.groups == shape[0] else f"groups {op.groups}")
    return " ".join(words)


def _pool_words(op: Op, axes: int) -> str:
    size = _kernel(getattr(op, "kernel", 1), axes) + _stride(getattr(op, "stride", 1))
    words = [f"{_KINDS.get(op.name, op.name)} {size}"]
    if getattr(op, "padding", 0) != 0:
        words.append(f"pad {_by(getattr(op, 'padding', 0))}")
    if getattr(op, "dilation", 1) != 1:
        words.append(f"dilation {_by(getattr(op, 'dilation', 1))}")
    if getattr(op, "ceil_mode", False):
        words.append("ceil")
    return " ".join(words)


def _by(size: object) -> str:
    return "×".join(map(str, size)) if isinstance(size, tuple) else str(size)


def _kernel(size: object, axes: int) -> str:
    return _by(size if isinstance(size, tuple) else (size,) * max(axes, 1))


def _stride(stride: object) -> str:
    if stride == 1 or (isinstance(stride, tuple) and set(stride) == {1}):
        return ""
    return f" /{_by(stride)}"


def _inside(step: Step, numbers: Numbers) -> tuple[str, ...]:
    """The convolutions in a block, and how its results are put together."""
    ways = _ways(step)
    kernels = _kernels(ways[0] if ways else step.nodes)
    parts = parts_of(step, numbers)
    short = 0 < len(kernels) <= FEW_KERNELS and not parts
    lines = [" · ".join(kernels) if short else _census(step.nodes)]
    if parts:
        lines.append(f"concat {sum_text(parts)}")
    elif adds(step):
        skip = " · ".join(_kernels(ways[1])) if ways and short else ""
        lines.append(f"+ {skip} skip" if skip else "+ skip")
    elif _last_merge(step) is not None:
        lines.append(f"joined by {_last_merge(step)}")
    return tuple(line for line in lines if line)


def _kernels(nodes: Sequence[Node]) -> list[str]:
    """`["1×1", "dw 3×3 /2"]`: dw for depthwise."""
    found: list[str] = []
    for node in nodes:
        op, x = node.op, node.inputs[0].type if node.inputs else None
        if isinstance(op, Conv | ConvTranspose) and x is not None:
            deep = "dw " if op.groups > 1 and op.groups == x.channels else ""
            found.append(f"{deep}{_kernel(op.kernel, len(x.spatial))}{_stride(op.stride)}")
    return found


def _ways(step: Step) -> tuple[list[Node], list[Node]] | None:
    """The two ways through a block that ends in a sum: the long one, then the short one."""
    merges = [n for n in step.nodes if family(n) == "merging" and len(flowing(n)) > 1]
    if len(merges) != 1 or len(flowing(merges[0])) != 2 or not adds(step):
        return None
    made = {value: node for node in step.nodes for value in node.outputs}
    ways: list[list[Node]] = []
    for value in flowing(merges[0]):
        way: list[Node] = []
        while (node := made.get(value)) is not None and flowing(node):
            way.insert(0, node)
            value = flowing(node)[0]
        ways.append(way)
    long, short = sorted(ways, key=lambda way: -len(_kernels(way)))
    return long, short


def _census(nodes: Sequence[Node]) -> str:
    """`7 conv · 1 pool`."""
    short = {"convolution": "conv", "pooling": "pool", "dense": "dense"}
    found = Counter(short[family(n)] for n in nodes if family(n) in short)
    return " · ".join(f"{count} {name}" for name, count in found.items())


def sum_text(parts: Sequence[int]) -> str:
    """`64+6×32`; empty where it would be long."""
    runs = [(part, len(list(run))) for part, run in groupby(parts)]
    shown = [
        f"{count}×{part}" if count > 2 else "+".join([str(part)] * count) for part, count in runs
    ]
    return "+".join(shown) if len(shown) <= 6 else f"{len(parts)} parts"


def adds(step: Step) -> bool:
    """Whether a block's last merge is a sum."""
    return _last_merge(step) == "add"


def _last_merge(step: Step) -> str | None:
    """The layer that joins the ways through a block last."""
    merges = (n for n in reversed(step.nodes) if family(n) == "merging" and len(flowing(n)) > 1)
    return next((node.op.name for node in merges), None)


def joins_by_sum(step: Step) -> bool:
    """Whether a sum stands at the end of a step of several sources."""
    last = step.join or step.node
    return last is not None and last.op.name in ("add", "sub", "mul", "max", "min", "mean")


def parts_of(step: Step, numbers: Numbers) -> list[int]:
    """The channels of each part that a concat at the end puts together, or a split makes."""
    if step.node is not None and step.shown is not step.output:
        return [] if _axis(step.node) else [numbers.shape(v)[0] for v in step.node.outputs]
    made = {value: node for node in step.nodes for value in node.outputs}
    found = _parts(step.output, made, numbers)
    return found if 1 < len(found) <= MOST_PARTS else []


def _parts(value: Value, made: dict[Value, Node], numbers: Numbers) -> list[int]:
    node = made.get(value)
    while node is not None and node.op.name != "concat" and len(flowing(node)) == 1:
        before = flowing(node)[0]
        if before.type.shape != value.type.shape or family(node) in ("convolution", "dense"):
            break
        value, node = before, made.get(before)
    if node is None or node.op.name != "concat" or _axis(node):
        return [*numbers.shape(value), 1][:1]
    return [part for source in flowing(node) for part in _parts(source, made, numbers)]


def tooltip(step: Step, shape: tuple[int, ...]) -> str:
    """Path, layers, shape, the line in the source, the comment of the block."""
    lines = [step.name + (f", {step.count} times" if step.count > 1 else "")]
    for node in step.nodes[:6]:
        assert isinstance(node.op, Op)
        lines.append(f"{node.path}: {layer_text(node.op)}")
    if len(step.nodes) > 6:
        lines.append(f"... {len(step.nodes)} layers in all")
    lines.append(f"[{', '.join(map(str, shape))}], {prod(shape):,} values")
    number = sum(map(count_parameters, {node.layer for node in step.covered()}))
    if number:
        lines.append(f"{number:,} parameters")
    anchor: Scope | Node | None = step.scope or step.join or step.node
    if anchor is not None:
        span = anchor.span
        lines.append(f"line {span.line}: {span.source.line(span.line).strip()}")
    else:
        span = step.output.span
        lines.append(f"line {span.line}: {span.source.line(span.line).strip()}")
    if step.scope is not None and step.scope.doc:
        lines.append(step.scope.doc)
    return "\n".join(lines)
