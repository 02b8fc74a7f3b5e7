"""The labels of a volume: its name, its shape, how many neurons, the layer that makes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod

from netdsl.analyses.cost import count_parameters, layer_text
from netdsl.backends.diagram.example_size import Numbers
from netdsl.backends.diagram.tails import most_usual, told
from netdsl.backends.diagram.volumes.steps import Step, flowing, is_in_place
from netdsl.ir.graph import Node, Scope, Value
from netdsl.ops.base import Op, op_of
from netdsl.ops.facts import Work, kernel_words, stride_words, sum_words

FEW_KERNELS = 4
MOST_PARTS = 40


def times(numbers: Sequence[object]) -> str:
    """`3 × 224 × 224`."""
    return " × ".join(map(str, numbers))


def counted(step: Step, shape: tuple[int, ...], items: int = 1) -> str:
    """`290,400 neurons`; what only moves numbers has values and no neurons.

    Of an item of `each` they are counted for all `items`: `3 × 48 neurons`.
    """
    number = prod(shape)
    last = step.join or step.node
    moves = last is not None and op_of(last).work is not Work.COMPUTES
    what = "value" if step.is_input or moves else "neuron"
    text = f"{number:,} {what}{'s' * (number != 1)}"
    text = text if items == 1 else f"{items:,} × {text}"
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
        lines.append(f"concat {sum_words(parts)}" if parts else "+ skip")
    return tuple(line for line in lines if line)


def tail(step: Step) -> tuple[str, ...]:
    """What changes a volume's numbers in place, behind the layer that makes it."""
    if step.node is None:
        return ()
    behind = step.nodes[step.nodes.index(step.node) + 1 :]
    return tuple(_word(n) for n in behind if _counts(n, step))


def ahead(step: Step) -> tuple[str, ...]:
    """What works in place on what flows in."""
    if step.node is None:
        return ()
    before = step.nodes[: step.nodes.index(step.node)]
    return tuple(_word(n) for n in before if _counts(n, step))


def usual_tails(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """By family the most frequent tail; only where layers have any."""
    tails: dict[str, tuple[str, ...]] = {}
    for name in ("convolution", "dense"):
        inside = [s for s in steps if s.family == name and _computes(s)]
        usual = most_usual(map(tail, inside))
        if usual is not None:
            tails[name] = usual
    return tails


def _computes(step: Step) -> bool:
    return step.node is not None and op_of(step.node).work is Work.COMPUTES


def tail_words(step: Step, usual: dict[str, tuple[str, ...]]) -> str:
    """What is not as usual: `also lrn`, `no relu`, `only batchnorm`, `behind batchnorm, relu`."""
    if step.node is None:
        return ""
    words: list[str] = []
    is_plain = step.join is None and _computes(step)
    own, expected = tail(step), usual.get(step.family, ()) if is_plain else ()
    if ahead(step):
        words.append(f"behind {', '.join(ahead(step))}")
    words.append(told(own, expected, ", "))
    return "; ".join(filter(None, words))


def _counts(node: Node, step: Step) -> bool:
    is_told = node.op.family in ("activations", "norms") and node not in step.hidden
    return is_told and is_in_place(node)


def _word(node: Node) -> str:
    return node.op.name


def layer_words(node: Node, numbers: Numbers) -> str:
    """A layer's settings, as short as can be."""
    return op_of(node).says(*numbers.tensors(node))


def _inside(step: Step, numbers: Numbers) -> tuple[str, ...]:
    """The convolutions in a block, and how its results are put together."""
    branches = _branches(step)
    kernels = _kernels(branches[0] if branches else step.nodes)
    parts = parts_of(step, numbers)
    short = 0 < len(kernels) <= FEW_KERNELS and not parts
    lines = [" · ".join(kernels) if short else _census(step.nodes)]
    if parts:
        lines.append(f"concat {sum_words(parts)}")
    elif adds(step):
        skip = " · ".join(_kernels(branches[1])) if branches and short else ""
        lines.append(f"+ {skip} skip" if skip else "+ skip")
    elif (merge := _last_merge(step)) is not None:
        lines.append(f"joined by {merge.name}")
    return tuple(line for line in lines if line)


def _kernels(nodes: Sequence[Node]) -> list[str]:
    """`["1×1", "dw 3×3 /2"]`: dw for depthwise."""
    kernels: list[str] = []
    for node in nodes:
        windows = op_of(node).sliding()
        if windows is not None and node.op.family == "convolution":
            x = node.inputs[0].type
            kernel = kernel_words(windows.kernel, len(x.spatial)) + stride_words(windows.stride)
            kernels.append("dw " * windows.is_depthwise(x.channels) + kernel)
    return kernels


def _branches(step: Step) -> tuple[list[Node], list[Node]] | None:
    """The two branches of a block that ends in a sum: the long one, then the short one."""
    merges = [n for n in step.nodes if n.op.family == "merging" and len(flowing(n)) > 1]
    if len(merges) != 1 or len(flowing(merges[0])) != 2 or not adds(step):
        return None
    producers = {value: node for node in step.nodes for value in node.outputs}
    branches: list[list[Node]] = []
    for value in flowing(merges[0]):
        branch: list[Node] = []
        while (node := producers.get(value)) is not None and flowing(node):
            branch.insert(0, node)
            value = flowing(node)[0]
        branches.append(branch)
    long, short = sorted(branches, key=lambda branch: -len(_kernels(branch)))
    return long, short


def _census(nodes: Sequence[Node]) -> str:
    """`7 conv · 1 pool`."""
    short = {"convolution": "conv", "pooling": "pool", "dense": "dense"}
    working = (n for n in nodes if op_of(n).work is Work.COMPUTES)
    counts = Counter(short[n.op.family] for n in working if n.op.family in short)
    return " · ".join(f"{count} {name}" for name, count in counts.items())


def adds(step: Step) -> bool:
    """Whether a block's last merge is a sum."""
    merge = _last_merge(step)
    return merge is not None and merge.shown_sign() == "+"


def _last_merge(step: Step) -> Op | None:
    """The layer that joins the branches of a block last."""
    merges = (n for n in reversed(step.nodes) if n.op.family == "merging" and len(flowing(n)) > 1)
    return next(map(op_of, merges), None)


def joins_by_sum(step: Step) -> bool:
    """Whether a sum stands at the end of a step of several sources."""
    last = step.join or step.node
    return last is not None and last.op.family == "merging" and _joined_axis(last) is None


def parts_of(step: Step, numbers: Numbers) -> list[int]:
    """The channels of each part that a concat at the end puts together, or a split makes."""
    if step.node is not None and step.shown is not step.output:
        axis = op_of(step.node).cut_axis(step.shown.type.rank)
        return [numbers.shape(v)[0] for v in step.node.outputs] if axis == 0 else []
    producers = {value: node for node in step.nodes for value in node.outputs}
    parts = _parts(step.output, producers, numbers)
    return parts if 1 < len(parts) <= MOST_PARTS else []


def _joined_axis(node: Node) -> int | None:
    return op_of(node).joined_axis(node.outputs[0].type.rank)


def _parts(value: Value, producers: dict[Value, Node], numbers: Numbers) -> list[int]:
    node = producers.get(value)
    while node is not None and _joined_axis(node) is None and len(flowing(node)) == 1:
        before = flowing(node)[0]
        if before.type.shape != value.type.shape or node.op.family in ("convolution", "dense"):
            break
        value, node = before, producers.get(before)
    if node is None or _joined_axis(node) != 0:
        return [*numbers.shape(value), 1][:1]
    return [part for source in flowing(node) for part in _parts(source, producers, numbers)]


def tooltip(step: Step, shape: tuple[int, ...]) -> str:
    """Path, layers, shape, the line in the source, the comment of the block."""
    lines = [step.name + (f", {step.count} times" if step.count > 1 else "")]
    for node in step.nodes[:6]:
        lines.append(f"{node.path}: {layer_text(op_of(node))}")
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
