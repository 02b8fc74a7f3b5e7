"""The page of a layer, an input or a neuron."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from netdsl.analyses.explain.document import (
    Code,
    Document,
    Part,
    Section,
    Table,
    at_sizes,
    percent,
    plural,
    shape,
)
from netdsl.analyses.explain.layer import AxisField, FilterFacts, InputReport, LayerReport
from netdsl.analyses.explain.neuron import NeuronReport, Sum
from netdsl.ops.facts import SizeRule

PLANES = {1: "row", 2: "plane", 3: "block"}
"""What a filter has for each channel, by the axes of the map."""
MOST_TERMS = 64
"""Products of a sum that are shown one by one."""


def layer_page(report: LayerReport) -> Document:
    """The page of a layer."""
    shapes = ", ".join(map(shape, report.inputs)), ", ".join(map(shape, report.outputs))
    flow = f"{shapes[0]} -> {shapes[1]}" if report.inputs else shapes[1]
    head = Section("", (*at_sizes(report.sizes, report.are_assumed), report.sentence))
    return Document(
        f"{report.path}: {report.layer}, {flow}",
        (
            head,
            Section("Size", tuple(_size(report))),
            Section("Neurons, links, weights", tuple(_counts(report))),
            Section("The filter", tuple(_filter(report.filter)) if report.filter else ()),
            Section("What a neuron reads", tuple(_reading(report))),
            Section("What it sees of the inputs", tuple(_fields(report))),
        ),
    )


def _size(report: LayerReport) -> Iterator[Part]:
    rules = report.size_rules
    if not rules:
        if report.inputs and report.outputs[:1] == report.inputs[:1]:
            yield "It keeps the shape that comes in."
        return
    for general in dict.fromkeys(rule.general for rule in rules):
        yield f"Along an axis: {general}"
    yield from _rule_lines(rules)
    opened = [rule for rule in report.symbolic if rule.numbers not in {r.numbers for r in rules}]
    if opened:
        yield "At open sizes:"
        yield from _rule_lines(opened)


def _rule_lines(rules: Sequence[SizeRule]) -> Iterator[Part]:
    yield Code("\n".join(f"{rule.axis}: {rule.numbers}" for rule in rules))


def _counts(report: LayerReport) -> Iterator[Part]:
    rows = [("neurons", f"{report.neurons:,}", _product(report.outputs))]
    if report.connections is not None:
        rows.append(("links of all neurons", f"{report.connections:,}", ""))
    if report.reading is not None:
        reading = report.reading
        of_one = f"{reading.most:,}"
        where = "at the border, at least" if report.size_rules else "at least"
        note = "" if reading.least == reading.most else f"{reading.least:,} {where}"
        rows.append(("links of one neuron", of_one, note))
    if report.weights:
        rows.append(("distinct weights", f"{report.weights:,}", _weight_words(report.filter)))
    if report.biases:
        rows.append(("biases", f"{report.biases:,}", "one for each map, or neuron"))
    if report.macs:
        padding = ", cells of padding too" if report.filter else ""
        rows.append(("multiply-adds", f"{report.macs:,}", f"of one sample{padding}"))
    if report.weights and report.dense_weights > report.weights:
        times = report.dense_weights / report.weights
        note = f"every value linked to every neuron: {times:,.0f} times as many"
        rows.append(("weights if it were dense", f"{report.dense_weights:,}", note))
    yield Table(("what", "number", ""), tuple(rows), frozenset({1}))
    if report.calls > 1:
        yield f"The layer is shared: it is called {report.calls} times with the same weights."


def _product(shapes: Sequence[Sequence[int]]) -> str:
    return " + ".join(f"{' x '.join(map(str, s))}" for s in shapes if len(s) > 1)


def _weight_words(facts: FilterFacts | None) -> str:
    if facts is None:
        return ""
    volume = " x ".join(map(str, (facts.planes, *facts.kernel)))
    return f"{plural(facts.maps, 'filter')} of {volume} = {facts.products:,}"


def _filter(facts: FilterFacts) -> Iterator[Part]:
    volume = shape((facts.planes, *facts.kernel))
    plane = PLANES[len(facts.kernel)]
    if facts.planes == 1:
        yield f"A filter is one {plane} of {shape(facts.kernel)} weights."
    else:
        added = (
            "What they give is added, over all of them"
            if facts.paints
            else f"Its {facts.products:,} products are added to one number, over all {plane}s"
        )
        yield (
            f"A filter is a volume of {volume}: {facts.planes} {plane}s, one for each channel that "
            f"it reads. {added}: so one filter gives one map, however many channels come in."
        )
    gives = "gives" if facts.maps == 1 else "give"
    yield f"{plural(facts.maps, 'filter')} {gives} {plural(facts.maps, 'map')}."
    if facts.groups > 1:
        yield (
            f"There are {facts.groups} groups: each filter reads the {facts.planes} channel"
            f"{'s' * (facts.planes > 1)} of its own group only."
        )
    elif facts.planes > 1:
        yield (
            f"To get a map of each channel by itself, write `groups={facts.planes}`: then a filter "
            f"has one {plane}, and {facts.planes} filters give {facts.planes} maps, unmixed."
        )


def _reading(report: LayerReport) -> Iterator[Part]:
    for overlap in report.overlaps:
        yield (
            f"- The next neuron along the {overlap.axis} shares {_or_none(overlap.shared)} of the "
            f"{plural(overlap.of, 'value')} that a neuron in the middle reads."
        )
    reading = report.reading
    if reading is None:
        return
    least, most = reading.reached_least, reading.reached_most
    reached = plural(most, "neuron") if least == most else f"{least:,} to {plural(most, 'neuron')}"
    yield f"- One value that comes in goes into {reached}."
    if reading.unread_places:
        yield (
            f"- No neuron reads {reading.unread_places:,} of the {reading.places:,} places of the "
            "map: the last window ends before them, or the step leaps over them."
        )
    elif reading.unread:
        yield f"- No neuron reads {plural(reading.unread, 'value')} of what comes in."
    if report.outside:
        yield f"- {percent(report.outside)} of the cells of all windows lie in the padding."


def _fields(report: LayerReport) -> Iterator[Part]:
    for name, axes in report.fields.items():
        yield f"- {field_words(name, axes)}"


def field_words(name: str, axes: Sequence[AxisField]) -> str:
    """`A place sees at most 43x43 of the 224x224 places of image; the next one the same 8 on.`"""
    if all(axis.size >= axis.image and not axis.step for axis in axes):
        return f"A place sees all of {name}."
    about = "a part of at most" if any(axis.is_bound for axis in axes) else "at most"
    text = f"A place sees {about} {shape([a.size for a in axes])} of the "
    text += f"{shape([a.image for a in axes])} places of {name}"
    if any(axis.unclipped != axis.size for axis in axes):
        text += f" ({shape([a.unclipped for a in axes])} far from the borders of a larger one)"
    steps = {axis.step for axis in axes} if any(a.size < a.image for a in axes) else set[str]()
    if steps - {""}:
        text += f"; the next one sees the same {' x '.join(a.step or '-' for a in axes)} further on"
    return f"{text}."


# --- inputs and neurons ------------------------------------------------------------------


def input_page(report: InputReport) -> Document:
    """The page of an input."""
    factors = " x ".join(map(str, report.shape))
    values = f"{factors} = {report.values:,}" if len(report.shape) > 1 else f"{report.values:,}"
    lines = [
        *at_sizes(report.sizes, report.are_assumed),
        f"It holds {values} values that are given: none of them is computed, so there are no "
        "weights and no links before them. Pictures draw them as neurons of an input layer.",
        f"It goes into {', '.join(report.readers)}." if report.readers else "Nothing reads it.",
    ]
    return Document(f"{report.path}: input, {shape(report.shape)}", (Section("", tuple(lines)),))


def neuron_page(report: NeuronReport) -> Document:
    """The page of a neuron."""
    place = f"{report.path}[{','.join(map(str, report.index))}]"
    is_given, count = report.layer == "input", prod(report.shape)
    kind = "value" if is_given else "neuron"
    which = "the only" if count == 1 else f"one of {count:,}"
    owner = f"the input {report.path}" if is_given else f"{report.path} ({report.layer})"
    title = f"{place}: {which} {plural(count, kind).partition(' ')[2]} of {owner}"
    head = (*at_sizes(report.sizes, False), report.sentence)
    return Document(
        title,
        (
            Section("", head),
            Section("It reads", tuple(_cells(report))),
            Section("Beside it", tuple(_neighbours(report))),
            Section("It depends on", tuple(_sees(report))),
            Section("It goes into", tuple(_reached(report))),
            Section("Its sum", tuple(_sum(report.sum)) if report.sum else ()),
        ),
    )


def _cells(report: NeuronReport) -> Iterator[Part]:
    for cells in report.reads:
        axes = ", ".join(",".join(_run(*run) for run in axis) for axis in cells.axes)
        yield f"- {cells.value}[{axes}]: {plural(cells.count, 'value')}"
    if report.links is None:
        yield "The layer does not tell what its neurons read."
    elif report.window is not None and report.links < report.window:
        yield (
            f"- Its window has {report.window:,} cells; {report.window - report.links:,} of them "
            "lie outside of the map, in the padding."
        )


def _run(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _neighbours(report: NeuronReport) -> Iterator[Part]:
    for other in report.neighbours:
        place = ",".join(map(str, other.index))
        yield f"- {report.path}[{place}] reads {_or_none(other.shared)} of the same values."


def _or_none(number: int) -> str:
    return f"{number:,}" if number else "none"


def _sees(report: NeuronReport) -> Iterator[Part]:
    for seen in report.sees:
        box = ", ".join(_run(*ends) for ends in zip(seen.first, seen.last, strict=True))
        cells = prod(b - a + 1 for a, b in zip(seen.first, seen.last, strict=True))
        within = "" if cells == seen.count else f"not all {cells:,} of them, but "
        yield (
            f"- {seen.input}[{box}]: {within}{seen.count:,} of its {seen.of:,} values "
            f"({percent(seen.count / seen.of)})"
        )


def _reached(report: NeuronReport) -> Iterator[Part]:
    for reached in report.reached:
        number = "neurons" if reached.count is None else plural(reached.count, "neuron")
        yield f"- {number} of {reached.layer}"


def _sum(sum: Sum) -> Iterator[Part]:
    rows = [
        (_at(term.cell), f"{term.value:.6g}", _at(term.weight_at), f"{term.weight:.6g}",
         f"{term.product:.6g}")
        for term in sum.terms[:MOST_TERMS]
    ]  # fmt: skip
    titles = ("value at", "value", "weight at", "weight", "product")
    yield Table(titles, tuple(rows), frozenset({1, 3, 4}))
    rest = len(sum.terms) - len(rows)
    if rest > 0:
        yield f"and {plural(rest, 'further product')}; `--format json` has them all."
    bias = "" if sum.bias is None else f" and the bias {sum.bias:.6g}"
    yield (
        f"The sum of {plural(len(sum.terms), 'product')}{bias} is {sum.total:.6g}; the network "
        f"itself gives {sum.result:.6g}."
    )


def _at(index: Sequence[int]) -> str:
    return f"[{','.join(map(str, index))}]"
