"""What a neuron sees: its part of every map on the path, its neighbours' parts, how it grew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from netdsl.analyses.links import Product, count, field, hull, shape_of
from netdsl.analyses.neurons import Neuron, check_sizes, neuron_of
from netdsl.analyses.reach import Field
from netdsl.analyses.receptive_field import ReceptiveFields
from netdsl.backends.diagram.fonts import shorten, text_width, wrapped
from netdsl.backends.diagram.frame import framed
from netdsl.backends.diagram.neurons.columns import chain_of
from netdsl.backends.diagram.neurons.field_maps import (
    Plane,
    cells,
    extent,
    extent_text,
    fitted,
    frame,
    grid,
    projected,
    rays,
)
from netdsl.backends.diagram.neurons.layers import NeuronLayer, kind_of, layers_of
from netdsl.backends.diagram.neurons.names import last_parts, refusals
from netdsl.backends.diagram.neurons.picture import default_neuron
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.scene import Box, Item, Picture, Text, line
from netdsl.backends.diagram.shape_names import TIMES, plural, times
from netdsl.backends.diagram.theme import series
from netdsl.ir.graph import Graph, Input, Value
from netdsl.ops.cells import one

SIDE = 370.0
MAP = 96.0
LABELS = 46.0
"""Room for what stands above the maps."""
APART = 54.0
MOST_MAPS = 6
ROW, MOST_ROWS = 16.0, 26
BAR = 170.0
MOST_BRANCHES = 6


@dataclass(frozen=True, slots=True)
class Branch:
    """What one of the values that meet at a merge sees of the input."""

    name: str
    patches: list[Product]


@dataclass(frozen=True, slots=True)
class Sight:
    """A neuron, the layers on the path to it, and the numbers of each value it depends on.

    `branches` are those that meet in its layer, or in the last layer before it where some do,
    which is called `merge`; `beside` and `below` are its neighbours along the row and the column.
    """

    graph: Graph
    neuron: Neuron
    item: Input
    chain: list[NeuronLayer]
    seen: dict[Value, list[Product]]
    merge: str
    branches: list[Branch]
    beside: list[Product]
    below: list[Product]

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.item.value)

    @property
    def patches(self) -> list[Product]:
        """Rows and columns of the input that are seen."""
        return self.of(self.item.value)

    def of(self, value: Value) -> list[Product]:
        """Rows and columns of a value that are seen."""
        shape = shape_of(value)
        return projected(self.seen.get(value, []), shape, self.is_input(value))

    def is_input(self, value: Value) -> bool:
        return value is self.item.value


def field_picture(graph: Graph, options: Options) -> Picture:
    """The part of the input that a neuron sees, to scale. Raises `DrawError`."""
    texts = options.neurons
    if len(texts) > 1:
        raise DrawError("the field of one neuron is drawn at a time; give one `--neuron`")
    with refusals():
        check_sizes(graph)
        neuron = neuron_of(graph, texts[0]) if texts else default_neuron(graph)
        sight = _sight(graph, neuron)
    items = [*_strip(sight), *_table(sight)]
    title = f"What {neuron} of {graph.name} sees"
    return framed(title, list(dict.fromkeys(_lines(sight))), items, options)


def _sight(graph: Graph, neuron: Neuron) -> Sight:
    seen = field(graph, neuron.value, neuron.index)
    read = [item for item in graph.inputs if seen.get(item.value)]
    if not read:
        raise DrawError(
            f"{neuron} depends on no input: what it reads is padding or learned weights; choose a "
            "neuron of another layer, or another place"
        )
    item = max(read, key=lambda one: count(seen[one.value]))
    chain = chain_of(graph, neuron, item.value)
    merge, branches = _branches(graph, item, chain, seen)
    beside, below = (_beside(graph, neuron, item, axis) for axis in (-1, -2))
    return Sight(graph, neuron, item, chain, seen, merge, branches, beside, below)


def _branches(
    graph: Graph, item: Input, chain: Sequence[NeuronLayer], seen: dict[Value, list[Product]]
) -> tuple[str, list[Branch]]:
    """The branches that meet last before the neuron, where they see more than one thing."""
    shape, layers = shape_of(item.value), layers_of(graph)
    for layer in reversed(chain):
        read = layer.reads(seen.get(layer.value, []))
        values = [v for v in layer.read() if read.get(v)]
        if len(values) < 2:
            continue
        branches: list[Branch] = []
        for value in values:
            pieces = [
                p for own in read[value]
                for p in field(graph, value, own).get(item.value, [])
            ]  # fmt: skip
            if pieces:
                name = next((y.name for y in layers if y.value is value), value.name)
                branches.append(Branch(name, projected(pieces, shape, True)))
        joined = _joined(branches)
        return (layer.name, joined) if 1 < len(joined) <= MOST_BRANCHES else ("", [])
    return "", []


def _joined(branches: Sequence[Branch]) -> list[Branch]:
    """Branches that see the same as one."""
    names: dict[tuple[Product, ...], list[str]] = {}
    for branch in branches:
        names.setdefault(tuple(branch.patches), []).append(branch.name)
    return [Branch(_listed(_short(same)), list(patches)) for patches, same in names.items()]


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _short(names: Sequence[str]) -> list[str]:
    """Names without what they begin with alike, but for the first."""
    parts = [name.split(".") for name in names]
    alike = 0
    while all(p[:alike] == parts[0][:alike] and len(p) > alike for p in parts):
        alike += 1
    return [names[0], *(".".join(p[alike - 1 :]) for p in parts[1:])]


def _beside(graph: Graph, neuron: Neuron, item: Input, axis: int) -> list[Product]:
    """What the next neuron along an axis sees; the one before, at the end."""
    shape, index = shape_of(neuron.value), list(neuron.index)
    if len(shape) + axis < 1 or shape[axis] < 2:
        return []  # the channels are no axis along which neurons move
    index[axis] += 1 if index[axis] + 1 < shape[axis] else -1
    pieces = field(graph, neuron.value, index).get(item.value, [])
    return projected(pieces, shape_of(item.value), True)


# --- the maps on the path -------------------------------------------------------------------


def _main(sight: Sight) -> Plane:
    """The input; a flat one on the height of the maps."""
    plane = fitted(0, 0, sight.shape, SIDE, True)
    return (
        replace(plane, y=max(0.0, LABELS + (MAP - plane.height) / 2)) if _is_flat(plane) else plane
    )


def _is_flat(plane: Plane) -> bool:
    return plane.height < LABELS + MAP


def _strip(sight: Sight) -> Iterator[Item]:
    """The input, then the maps on the path, the seen parts joined by lines of sight."""
    before, patches = _main(sight), sight.patches
    yield from _input(sight, before)
    x = before.width + APART
    shown = _shown(sight)
    for layer in shown:
        own = sight.of(layer.value) or projected([one(sight.neuron.index)], layer.shape)
        plane = fitted(x, 0, layer.shape, MAP)
        texts = _over(sight, layer, own)
        room = max(plane.width, *(text_width(text, 9.5, True) for text in texts))
        middle = x + room / 2
        top = LABELS + (MAP - plane.height) / 2
        plane = replace(plane, x=middle - plane.width / 2, y=top)
        colour = "focus" if layer is shown[-1] else "amber"
        yield from grid(plane)
        # from the input they pass by the table and the texts above
        yield from rays(before, patches, plane, own, x if layer is shown[0] else None)
        yield from cells(plane, own, colour, 0.85 if colour == "focus" else 0.3)
        yield frame(plane, own, colour, 1.4)
        for row, text in enumerate(texts):
            yield Text(middle, 8 + 13 * row, text, 9.5, "soft" if row else "ink", not row)
        before, patches = plane, own
        x += room + APART


def _shown(sight: Sight) -> list[NeuronLayer]:
    """The neuron's layer, and those before it at which the resolution changes."""
    layers = sight.chain[1:]
    if len(layers) <= MOST_MAPS:
        return layers
    ends = [a for a, b in pairwise(layers) if a.shape[1:] != b.shape[1:]]
    shown = {*ends[-MOST_MAPS + 1 :], layers[-1]}
    for layer in reversed(layers):
        if len(shown) < MOST_MAPS:
            shown.add(layer)
    return [layer for layer in layers if layer in shown]


def _input(sight: Sight, plane: Plane) -> Iterator[Item]:
    yield from grid(plane)
    yield from cells(plane, sight.patches, "focus", 0.22)
    for other in sight.beside, sight.below:
        if other:
            yield frame(plane, other, "ink", 0.9, dash="dashed")
    frames = [(series(number), branch.patches) for number, branch in enumerate(sight.branches)]
    frames.sort(key=lambda pair: -prod(extent(pair[1])))
    for colour, patches in frames or [("focus", sight.patches)]:
        yield frame(plane, patches, colour, 1.8)
    shape = times(sight.shape)
    y = (LABELS + MAP if _is_flat(plane) else plane.height) + 18
    yield Text(0, y, f"{sight.item.name} {shape}, to scale", 10.5, "ink", True, "start")
    for colour, text, dash in _signs(sight):
        yield Box(0, y + 7, 11, 8, "", colour, 1.0 if dash else 1.5, 0, dash)
        for part in wrapped(text, 9.5, plane.width + APART - 30):
            y += 14
            yield Text(17, y, part, 9.5, "soft", False, "start")


def _signs(sight: Sight) -> Iterator[tuple[str, str, str]]:
    """What the frames on the input mean: colour, words, dashes."""
    if not sight.branches:
        yield "focus", "what it sees", ""
    for number, branch in enumerate(sight.branches):
        text = f"{_extent(sight, branch.patches)} through {branch.name}"
        yield series(number), text, ""
    if sight.beside or sight.below:
        both = "right and below" if sight.beside and sight.below else "beside it"
        yield "ink", f"what the neurons {both} see", "dashed"


def _over(sight: Sight, layer: NeuronLayer, own: Sequence[Product]) -> list[str]:
    """What stands above a map."""
    spatial = times(layer.shape[1:])
    number = count(sight.seen.get(layer.value, [])) or 1
    rows, columns = extent(own)
    seen = f"{extent_text(rows, columns, len(layer.shape) < 3)} of {spatial}"
    if len(layer.shape) > 3:
        seen = f"{_volume(sight.seen.get(layer.value, []), layer.shape)} of {spatial}"
    if len(layer.shape) < 2:
        seen = f"of {prod(layer.shape):,}"
    total = plural(number, "neuron")
    return [last_parts(layer.name, 9.5, 110), seen, total]


# --- in words -------------------------------------------------------------------------------


def _volume(pieces: Sequence[Product], shape: Sequence[int]) -> str:
    """How far some numbers reach along all axes but the channels."""
    sizes = [last - first + 1 for first, last in hull(pieces)] if pieces else [1] * len(shape)
    return times(sizes[1:])


def _extent(sight: Sight, patches: Sequence[Product]) -> str:
    return extent_text(*extent(patches), is_line=len(sight.shape) < 3)


def _lines(sight: Sight) -> Iterator[str]:
    patches, shape = sight.patches, sight.shape
    (top, bottom), (left, right) = hull(patches)
    last = shape[-1] if shape else 1
    total = count(sight.seen[sight.item.value])
    where = f"rows {top} to {bottom}, columns {left} to {right}"
    spatial = times(shape[1:])
    reach, pieces = _extent(sight, patches), sight.seen[sight.item.value]
    if len(shape) == 4:
        reach = _volume(pieces, shape)
        where = f"slices {' to '.join(map(str, hull(pieces)[1]))}, {where}"
    if len(shape) < 3:
        where, spatial = f"places {left} to {right}", str(last)
    yield (
        f"It depends on {total:,} of the {prod(shape):,} values of {sight.item.name}: "
        f"{reach} of {spatial} ({where})."
    )
    along = "column" if len(shape) > 2 else "place"
    for patch, axis, word in ((sight.beside, 1, along), (sight.below, 0, "row")):
        if patch:
            yield _shared(sight, patch, axis, word)
    if sight.branches:
        yield (
            f"Branches that see different parts meet in {sight.merge}: each frame is one of them."
        )
    hidden = len(sight.chain) - 1 - len(_shown(sight))
    if hidden:
        yield (
            f"{hidden} of the {len(sight.chain) - 1} layers on the way are not drawn as maps; the "
            "table has all of them."
        )
    others = [
        f"{count(pieces):,} of {prod(i.shape):,} values of {i.name}"  # type: ignore[arg-type]
        for i in sight.graph.inputs
        if i is not sight.item and (pieces := sight.seen.get(i.value))
    ]
    if others:
        yield f"It depends on {' and '.join(others)} too."


def _shared(sight: Sight, other: Sequence[Product], axis: int, word: str) -> str:
    """How far the neighbour's part lies, and how much both see."""
    ours, theirs = hull(sight.patches), hull(other)
    moved = [abs(theirs[axis][end] - ours[axis][end]) for end in (0, 1)]
    both = [min(a[1], b[1]) - max(a[0], b[0]) + 1 for a, b in zip(ours, theirs, strict=True)]
    step = plural(max(moved), word)
    common = min(max(both[0], 0), max(both[1], 0)) and extent_text(
        both[0], both[1], is_line=len(sight.shape) < 3
    )
    shared = f"both see {common}" if common else "they share nothing"
    where = f" in its {'row' if axis else 'column'}" if len(sight.shape) > 2 else ""
    if not any(moved):
        return f"The next neuron{where} sees the same."
    return f"The next neuron{where} sees {step} further; {shared}."


# --- the table --------------------------------------------------------------------------


def _table(sight: Sight) -> Iterator[Item]:
    """The largest field of each layer on the path, and its step, with bars to scale."""
    fields = ReceptiveFields(sight.graph)
    start, y = _main(sight).width + APART, LABELS + MAP + 44
    chain = sight.chain[max(0, len(sight.chain) - MOST_ROWS) :]
    told = [_row(sight, layer, fields.of(layer.value).get(sight.item.name)) for layer in chain]
    heads = ("layer", "what", "neurons", "in its field", "a neuron sees", "moves by")
    widths = [max(text_width(t, 9.5, True) for t in column) + 22
              for column in zip(heads, *(cells for cells, _ in told), strict=True)]  # fmt: skip
    xs = [start + sum(widths[:n]) for n in range(len(widths) + 1)]
    for number, head in enumerate(heads):
        right = number > 1
        x = xs[number + 1] - 22 if right else xs[number]
        yield Text(x, y, head, 9.5, "soft", True, "end" if right else "start")
    has_bars = any(axis for _, axis in told[1:])
    most = max((axis[0] for _, axis in told if axis), default=1)
    if has_bars:
        yield Text(xs[-1], y, f"to scale: {most:g} = full length", 9.5, "soft", False, "start")
    yield line([(start, y + 5), (xs[-1] + BAR * has_bars, y + 5)], "faint", 0.7)
    left_out = len(sight.chain) - len(chain)
    if left_out:
        y += ROW
        yield Text(start, y, f"{left_out} layers before these", 9.5, "soft", False, "start")
    for layer, (texts, axis) in zip(chain, told, strict=True):
        y += ROW
        last = layer is chain[-1]
        for number, text in enumerate(texts):
            right = number > 1
            x = xs[number + 1] - 22 if right else xs[number]
            colour = "focus" if last else "ink"
            yield Text(x, y, text, 9.5, colour, last and not number, "end" if right else "start")
        if axis and has_bars:
            size, step = (n * BAR / most for n in axis)
            yield Box(xs[-1], y - 7.5, size, 8, "amber.fill", "amber", 0.7)
            yield Box(xs[-1], y - 7.5, min(step, size), 8, "amber", "", 0)
    if not has_bars:
        return
    yield Text(
        xs[-1], y + ROW, "bar: what a neuron sees; dark: the step to the next", 9, "soft", False,
        "start",
    )  # fmt: skip


def _row(
    sight: Sight, layer: NeuronLayer, seen: Field | None
) -> tuple[list[str], tuple[float, float] | None]:
    """The cells of a row, and the length and the step along the last axis, where known."""
    what = "input"
    if not layer.is_input:
        what = shorten(f"{kind_of(layer.body)}{layer.behind}", 9.5, 190)
    own = count(sight.seen.get(layer.value, [])) or (layer is sight.chain[-1])
    size, step, axis = "1", "1", (1.0, 1.0)
    if not layer.is_input:
        size, step, axis = _told(seen)
    name = last_parts(layer.name, 9.5, 190)
    return [name, what, f"{prod(layer.shape):,}", f"{int(own):,}", size, step], axis


def _told(seen: Field | None) -> tuple[str, str, tuple[float, float] | None]:
    """`14×14` and `2`, or `all`, and both along the last axis."""
    if not seen or not any(seen):
        return "all", "", None
    sizes = TIMES.join(str(axis.size) if axis else "all" for axis in seen)
    if any(axis and axis.is_bound for axis in seen):
        sizes = f"{sizes} at most"
    steps = [axis.stride if axis else None for axis in seen]
    told = TIMES.join(dict.fromkeys("varies" if step is None else str(step) for step in steps))
    last = seen[-1]
    if last is None or last.size is None or last.stride is None:
        return sizes, told, None
    return sizes, told, (last.size, float(last.stride))
