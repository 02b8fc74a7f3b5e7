"""The page of a network, and of a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from netdsl.analyses.explain.block import BlockReport
from netdsl.analyses.explain.document import (
    Document,
    Part,
    Section,
    Table,
    amount,
    at_sizes,
    bar,
    millions,
    percent,
    plural,
    shape,
)
from netdsl.analyses.explain.layer_words import field_words
from netdsl.analyses.explain.network import NetworkReport, Roofline
from netdsl.analyses.explain.network import Part as Stage

TOP = 10
SHORT = 10
"""Letters of the longest bar beside many columns."""


def network_page(report: NetworkReport) -> Document:
    """The page of a network."""
    return Document(
        f"{report.network}: {_shapes(report.inputs)} -> {_shapes(report.outputs)}",
        (
            Section("", (*at_sizes(report.sizes, report.are_assumed), *_in_short(report))),
            Section("Depth", tuple(_depth(report))),
            Section("Stages, in the order they run", (_stages(report),)),
            Section("Where the parameters are", tuple(_top(report, _parameters, "parameters"))),
            Section("Where the multiply-adds are", tuple(_top(report, _macs, "multiply-adds"))),
            Section("Where the memory is", tuple(_top(report, _values, "bytes of values"))),
            Section("What it sees", tuple(_fields(report))),
            Section("Sizes that it takes", tuple(_contract(report))),
            Section(f"Memory of a batch of {report.bytes.batch}", tuple(_memory(report))),
            Section("Work for each byte", tuple(_intensity(report))),
            Section("What changes", tuple(_changes(report, report.changed))),
        ),
    )


def _shapes(shapes: Mapping[str, Sequence[int]]) -> str:
    return ", ".join(f"{name} {shape(sizes)}" for name, sizes in shapes.items())


def _in_short(report: NetworkReport) -> Iterator[Part]:
    training = ""
    if report.inference_parameters != report.parameters:
        training = f" ({report.inference_parameters:,} of them at inference)"
    yield (
        f"{plural(report.parameters, 'parameter')}{training}, {report.macs:,} multiply-adds and "
        f"{plural(report.neurons, 'neuron')} in the layers that multiply by weights, for one "
        "sample."
    )


def _depth(report: NetworkReport) -> Iterator[Part]:
    depth, longest = report.depth, ""
    if depth.layers > 1:
        stand = "stand one behind the other" if depth.longest > 1 else "stands"
        longest = f", of which {depth.longest} {stand} on the longest way"
    yield (
        f"{plural(depth.layers, 'layer')} {'multiplies' if depth.layers == 1 else 'multiply'} by "
        f"weights (convolutions, linear layers and the like){longest}. Activations, norms and "
        "pools are not counted."
    )


def _stages(report: NetworkReport) -> Table:
    most = max((stage.macs for stage in report.stages), default=0) or 1
    rows = [
        (
            stage.path,
            stage.what,
            shape(stage.output),
            f"{stage.parameters:,}",
            percent(stage.parameters / (report.inference_parameters or 1)),
            millions(stage.macs),
            percent(stage.macs / (report.macs or 1)),
            amount(stage.values),
            bar(stage.macs / most, SHORT),
        )
        for stage in report.stages
    ]
    titles = ("stage", "what", "output", "parameters", "", "multiply-adds", "", "values", "")
    return Table(titles, tuple(rows), frozenset({3, 4, 5, 6, 7}))


def _parameters(part: Stage) -> int:
    return part.parameters


def _macs(part: Stage) -> int:
    return part.macs


def _values(part: Stage) -> int:
    return part.values


def _top(report: NetworkReport, count: Callable[[Stage], int], what: str) -> Iterator[Part]:
    """The ten layers with most of something."""
    whole = sum(map(count, report.layers))
    ordered = sorted(report.layers, key=count, reverse=True)[:TOP]
    rows = [
        (part.path, part.what, f"{count(part):,}", percent(count(part) / whole),
         bar(count(part) / count(ordered[0])))
        for part in ordered
        if count(part)
    ]  # fmt: skip
    if not rows:
        return
    yield Table(("layer", "what", what, "share", ""), tuple(rows), frozenset({2, 3}))
    shown = sum(map(count, ordered[: len(rows)]))
    yield f"Together {percent(shown / whole)} of {whole:,} {what}."


def _fields(report: NetworkReport) -> Iterator[Part]:
    for seen in report.ends:
        if seen.axes:
            yield f"- {seen.path}: {field_words(seen.input, seen.axes)}"
    growing = [seen for seen in report.fields if seen.axes]
    if not growing:
        return
    rows = [
        (seen.path, shape([a.unclipped for a in seen.axes]), shape([a.image for a in seen.axes]),
         " x ".join(a.step for a in seen.axes if a.step),
         bar(min(1.0, seen.axes[0].unclipped / seen.axes[0].image)))
        for seen in growing
    ]  # fmt: skip
    titles = ("from this layer on", "a place sees", "image", "step", "")
    yield Table(titles, tuple(rows), frozenset({1, 2, 3}))


def _contract(report: NetworkReport) -> Iterator[Part]:
    yield f"- {report.contract}"
    for bound in report.bounds:
        if not bound.path:
            yield f"- {bound.sizes}: because of {bound.message}"
        else:
            yield f"- {bound.sizes}: because of {bound.path} ({bound.place}), else {bound.message}"


def _memory(report: NetworkReport) -> Iterator[Part]:
    held = report.bytes
    rows = [
        ("weights", amount(held.weights), "of inference, buffers included"),
        ("inference", amount(held.inference), f"values at once, at most, at {held.at}"),
        ("kept for training", amount(held.kept), "by PyTorch, until the backward pass"),
        ("gradients", amount(held.gradients), "one for each parameter"),
    ]
    yield Table(("what", "bytes", ""), tuple(rows), frozenset({1}))
    yield "SGD with momentum keeps one more number for each parameter, Adam two."
    if held.missing:
        listed = ", ".join(held.missing[:4]) + ", ..." * (len(held.missing) > 4)
        yield (
            f"What is kept of {plural(len(held.missing), 'layer')} is not known and not in it: "
            f"{listed}."
        )


def _intensity(report: NetworkReport) -> Iterator[Part]:
    yield (
        f"{report.intensity:.1f} operations for each byte (a multiply-add is two), where each "
        "layer reads its inputs and weights and writes its results once: "
        f"{amount(report.moved)} in all."
    )
    if report.roofline is not None:
        yield from _roofline(report.roofline)


def _roofline(roofline: Roofline) -> Iterator[Part]:
    yield (
        f"A machine of {roofline.gbs:g} GB/s and {roofline.tflops:g} TFLOP/s waits for memory "
        f"below {roofline.ridge:.1f} operations a byte. One sample takes it at least "
        f"{_time(roofline.seconds)}: {_time(roofline.moving)} in layers that wait for memory, "
        f"{_time(roofline.computing)} in layers that wait for its arithmetic."
    )


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:,.3f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:,.1f} us"


def _changes(report: NetworkReport, other: NetworkReport | None) -> Iterator[Part]:
    if other is None:
        return
    here, there = (", ".join(f"{n}={s}" for n, s in r.sizes.items()) for r in (report, other))
    rows = [
        _row("multiply-adds", report.macs, other.macs),
        _row("neurons", report.neurons, other.neurons),
        _row("parameters", report.parameters, other.parameters),
        _row("bytes of values at once", report.bytes.inference, other.bytes.inference),
        _row("bytes kept for training", report.bytes.kept, other.bytes.kept),
    ]
    rows += [
        (f"output {name}", shape(sizes), shape(other.outputs[name]), "")
        for name, sizes in report.outputs.items()
    ]
    yield Table(("what", here, there, "times"), tuple(rows), frozenset({1, 2, 3}))


def _row(what: str, here: int, there: int) -> tuple[str, str, str, str]:
    times = f"{there / here:.2f}" if here else ""
    return what, f"{here:,}", f"{there:,}", times


# --- blocks ------------------------------------------------------------------------------


def block_page(report: BlockReport) -> Document:
    """The page of a block."""
    flow = " -> ".join(", ".join(map(shape, side)) for side in (report.inputs, report.outputs))
    called = f"{report.path}: {report.definition}"
    return Document(
        f"{called}, {flow}",
        (
            Section("", (*at_sizes(report.sizes, report.are_assumed), *_block_in_short(report))),
            Section("Branches", tuple(_branches(report))),
            Section("Layers", (_layers(report.layers),)),
            Section("Built otherwise", tuple(_otherwise(report))),
        ),
    )


def _block_in_short(report: BlockReport) -> Iterator[Part]:
    if report.doc:
        yield report.doc
    multiply = "multiplies" if report.weighing == 1 else "multiply"
    behind = f", of which {report.deepest} stand one behind the other" if report.deepest > 1 else ""
    yield (
        f"{plural(report.parameters, 'parameter')} and {report.macs:,} multiply-adds, "
        f"{percent(report.share)} of those of {report.network}; "
        f"{plural(report.neurons, 'neuron')} in "
        f"{plural(report.weighing, 'layer')} that {multiply} by weights{behind}."
    )
    if report.field:
        yield field_words("what comes in", report.field)


def _branches(report: BlockReport) -> Iterator[Part]:
    most = max((branch.macs for branch in report.branches), default=0) or 1
    rows = [
        (
            branch.name,
            shape(branch.output),
            f"{branch.parameters:,}",
            millions(branch.macs),
            percent(branch.share),
            bar(branch.macs / most),
        )
        for branch in report.branches
    ]
    if rows:
        titles = ("branch", "output", "parameters", "multiply-adds", "share", "")
        yield Table(titles, tuple(rows), frozenset({2, 3, 4}))
        for branch in report.branches:
            yield f"- {branch.name}: {' -> '.join(branch.steps) or 'the value as it is'}"
        joins = dict.fromkeys(b.joined_by for b in report.branches if b.joined_by)
        yield f"They are joined by {', '.join(f'`{join}`' for join in joins)}."


def _layers(layers: Sequence[Stage]) -> Table:
    rows = [
        (part.path, part.what, shape(part.output), f"{part.parameters:,}", f"{part.macs:,}")
        for part in layers
    ]
    titles = ("layer", "what", "output", "parameters", "multiply-adds")
    return Table(titles, tuple(rows), frozenset({3, 4}))


def _otherwise(report: BlockReport) -> Iterator[Part]:
    rows = [("as it is", shape(report.outputs[0]) if report.outputs else "",
             f"{report.parameters:,}", f"{report.macs:,}", "1.00")]  # fmt: skip
    rows += [
        (other.name, shape(other.output), f"{other.parameters:,}", f"{other.macs:,}",
         f"{other.times:.2f}")
        for other in report.otherwise
        if not other.refusal
    ]  # fmt: skip
    if report.otherwise:
        titles = ("built", "output", "parameters", "multiply-adds", "times")
        yield Table(titles, tuple(rows), frozenset({2, 3, 4}))
    for other in report.otherwise:
        if other.refusal:
            yield f"- {other.name}: it can't be built ({other.refusal})"
        else:
            yield f"- {other.name}: {other.what}"
