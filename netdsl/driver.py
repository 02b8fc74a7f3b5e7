"""The pipeline: the one place where the phases of the compiler are listed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from netdsl.analyses.proof import check_contract
from netdsl.backends.torch.reserved import check_labels
from netdsl.diagnostics import Diagnostic, DiagnosticError, Sink, Source
from netdsl.drafting import Draft
from netdsl.elaborate import HeardSink, Unit, elaborate, load_program
from netdsl.elaborate import draft as elaborate_draft
from netdsl.elaborate.nets import MAX_SIZE
from netdsl.elaborate.state import MAX_NODES
from netdsl.importers.drafted import in_force
from netdsl.importers.frontend import OWN_WEIGHTS, Declared, Question, is_foreign
from netdsl.importers.others import read_net
from netdsl.ir.graph import Graph
from netdsl.ir.verify import verify
from netdsl.lints import Subject, lint
from netdsl.lints.silence import check_directives, spoken
from netdsl.network import Network
from netdsl.ops.base import registry
from netdsl.ops.plugins import Plugin, is_ours, layer_files, plugged
from netdsl.ops.rule import Rulebook
from netdsl.passes.fix_sizes import fix_sizes, is_legal

if TYPE_CHECKING:
    from netdsl.importers.imported import Imported

CHECKS = (check_labels,)
"""What the backends ask of a graph beyond the language: each gives diagnostics."""
HALTING = ("too-deep", "too-much-work", "too-many-layers")
"""Codes of bounds behind which nothing is built."""
VERIFY_IR = False
"""Whether every graph is verified as it is built and changed (`--verify-ir`; always in tests)."""


class Choices(TypedDict, total=False):
    """What can be chosen of a program, as keywords; see `load`."""

    net: str | None
    params: Mapping[str, object] | None
    sizes: Mapping[str, int] | None
    max_layers: int
    allow: Collection[str]


class Loading(Choices, total=False):
    """The same, and what it is made of."""

    roots: Sequence[str | Path]
    plugins: Sequence[Plugin]
    inputs: Mapping[str, Declared] | None
    opens: bool


def load(
    path: str | Path,
    net: str | None = None,
    params: Mapping[str, object] | None = None,
    sizes: Mapping[str, int] | None = None,
    *,
    roots: Sequence[str | Path] = (),
    max_layers: int = MAX_NODES,
    allow: Collection[str] = (),
    plugins: Sequence[Plugin] = (),
    inputs: Mapping[str, Declared] | None = None,
    opens: bool = False,
    weights: str | None = None,
    plugins_out: str | None = None,
) -> Network:
    """The network of a `.net` file, or of a source of another format (see docs/import.md).

    `net` chooses one where the file defines several, `params` are values for its parameters,
    `sizes` numbers for its size symbols, `roots` further folders that `use` may read from,
    `allow` codes of warnings that are not wanted, `plugins` custom layers: modules, their
    names, paths of Python files, or the classes.

    Of other formats: `params` are the settings of the front end, `inputs` element types and shapes
    of inputs (`("float32", (3, "H", "W"))`) that the source does not say, `weights` a file of
    Darknet's or Caffe's. With `opens` a source of one size is read for all sizes where its layers
    allow it. With `plugins_out`, the name of a Python file, modules that the language has no word
    for are layers that call them; `network.origin.plugins` has the files, by their names.
    Raises `DiagnosticError`, which holds all diagnostics, and `PluginError`.
    """
    options: Choices = {"net": net, "sizes": sizes, "max_layers": max_layers, "allow": allow}
    if is_foreign(str(path)):
        question = question_of(str(path), params, inputs, weights, opens, plugins_out)
        return compile_import(question, plugins=plugins, **options)
    source = read_net(str(path))
    where = None if str(path) == "-" else Path(path)
    options["params"] = params
    return compile_source(source, where, roots=roots, plugins=plugins, **options)


def question_of(
    source: str,
    params: Mapping[str, object] | None,
    inputs: Mapping[str, Declared] | None,
    weights: str | None,
    opens: bool,
    plugins_out: str | None = None,
) -> Question:
    """What is asked of a front end, by the parameters of `load`."""
    settings = {name: str(value) for name, value in (params or {}).items()}
    shapes = {name: shape for name, (_, shape) in (inputs or {}).items()}
    dtypes = {name: dtype for name, (dtype, _) in (inputs or {}).items()}
    return Question(source, shapes, dtypes, settings, weights, opens, plugins_out)


def load_with_weights(
    path: str, weights: str | None, plugins_out: str | None = None, **options: Unpack[Loading]
) -> tuple[Network, str | None]:
    """The network of a file, and the weights that are still to be loaded into it.

    Those in a format of the source's own (`.weights`, `.caffemodel`) are read with it.
    """
    if weights is not None and is_foreign(path) and Path(weights).suffix in OWN_WEIGHTS:
        return load(path, weights=weights, plugins_out=plugins_out, **options), None
    return load(path, plugins_out=plugins_out, **options), weights


def compile_import(
    question: Question, *, plugins: Sequence[Plugin] = (), **options: Unpack[Choices]
) -> Network:
    """Import a source of another format, and compile it; errors stand at their place in it."""
    from netdsl.importers.imported import read

    with plugged(plugins):
        return compile_imported(read(question), **options)


def compile_imported(imported: Imported, **options: Unpack[Choices]) -> Network:
    """The network of what was imported, with the weights that came with it."""
    sink = Sink()
    with in_force(imported.answer.plugins):
        unit = load_program(imported.tree.source, None, (), sink, imported.tree)
        if unit is None:
            raise DiagnosticError(sink.diagnostics)
        return _compiled(unit, sink, imported, **options)


def loads(
    text: str,
    net: str | None = None,
    params: Mapping[str, object] | None = None,
    sizes: Mapping[str, int] | None = None,
    *,
    name: str = "<text>",
    allow: Collection[str] = (),
    plugins: Sequence[Plugin] = (),
) -> Network:
    """The network of a text; parameters and errors as for `load`."""
    source = Source(name, text)
    return compile_source(
        source, None, net=net, params=params, sizes=sizes, allow=allow, plugins=plugins
    )


def draft(
    path: str | Path,
    net: str | None = None,
    params: Mapping[str, object] | None = None,
    sizes: Mapping[str, int] | None = None,
    *,
    roots: Sequence[str | Path] = (),
    max_layers: int = MAX_NODES,
    allow: Collection[str] = (),
    plugins: Sequence[Plugin] = (),
) -> Draft:
    """What could be built of a `.net` file, right or wrong: to be drawn, never to be run.

    Parameters as for `load`. Raises `DiagnosticError` for a file that can't be read.
    """
    options: Choices = {"net": net, "params": params, "sizes": sizes, "max_layers": max_layers}
    source = read_net(str(path))
    where = None if str(path) == "-" else Path(path)
    try:
        more: Choices = {**options, "allow": allow}
        network = compile_source(source, where, roots=roots, plugins=plugins, **more)
    except DiagnosticError as error:
        return draft_of(source, where, error.diagnostics, roots=roots, plugins=plugins, **options)
    return Draft(network.warnings, network.graph, sources=network.sources)


def draft_of(
    source: Source,
    path: Path | None,
    diagnostics: tuple[Diagnostic, ...],
    *,
    roots: Sequence[str | Path] = (),
    plugins: Sequence[Plugin] = (),
    **options: Unpack[Choices],
) -> Draft:
    """What could be built of a text whose errors are known."""
    with plugged(plugins):
        sink = HeardSink()
        unit = load_program(source, path, tuple(Path(root) for root in roots), sink)
        if unit is None or any(d.code in HALTING for d in diagnostics):
            return Draft(diagnostics)
        files = (*unit.files(), *layer_files([op for op in registry().values() if not is_ours(op)]))
        graph, stumps = elaborate_draft(
            unit, sink, net=options.get("net"), params=options.get("params"),
            sizes=options.get("sizes"), max_nodes=options.get("max_layers", MAX_NODES),
        )  # fmt: skip
        return Draft(diagnostics, graph, stumps, files)


def compile_source(
    source: Source,
    path: Path | None,
    *,
    roots: Sequence[str | Path] = (),
    plugins: Sequence[Plugin] = (),
    **options: Unpack[Choices],
) -> Network:
    """Parse, elaborate, prove the size contract, lint."""
    with plugged(plugins):
        unit, sink = _loaded(source, path, roots)
        return _compiled(unit, sink, **options)


def _loaded(source: Source, path: Path | None, roots: Sequence[str | Path]) -> tuple[Unit, Sink]:
    """The program of a text, and what was said of it so far."""
    sink = Sink()
    unit = load_program(source, path, tuple(Path(root) for root in roots), sink)
    if unit is None:
        raise DiagnosticError(sink.diagnostics)
    return unit, sink


def _compiled(
    unit: Unit,
    sink: Sink,
    imported: Imported | None = None,
    *,
    net: str | None = None,
    params: Mapping[str, object] | None = None,
    sizes: Mapping[str, int] | None = None,
    max_layers: int = MAX_NODES,
    allow: Collection[str] = (),
) -> Network:
    """One net of a program."""
    loaded = sink.copy()
    options = {"net": net, "params": params, "max_nodes": max_layers, "check": check_for_backends}
    graph = elaborate(unit, sink, sizes=sizes, **options)
    verified(graph)
    if graph is None and sizes:
        graph = _for_inference(unit, loaded, sizes, options)
        sink = loaded if graph is not None else sink
    if graph is None:
        raise DiagnosticError(sink.diagnostics)
    return finished(unit, graph, sink, allow, imported)


def finished(
    unit: Unit,
    graph: Graph,
    sink: Sink,
    allow: Collection[str] = (),
    imported: Imported | None = None,
) -> Network:
    """The network of a graph: its size contract proved, its warnings given."""
    check_contract(graph, sink)
    if not sink.has_errors:
        lint(Subject(unit, graph), sink)
    check_directives([unit], sink)
    diagnostics = spoken(sink.diagnostics, [unit], allow)
    if sink.has_errors:
        raise DiagnosticError(diagnostics)
    plugged_in = [op for op in registry().values() if not is_ours(op)]
    files = (*unit.files(), *layer_files(plugged_in))
    if imported is None:
        return Network(graph, diagnostics, files, unit.source.text)
    files = (*files, *imported.answer.files)
    return Network(graph, diagnostics, files, imported.text, imported.origin())


def check_for_backends(graph: Graph, sink: Sink) -> None:
    """Report what a backend can't have, be the graph whole or what could be built of it."""
    for diagnostic in (d for check in CHECKS for d in check(graph)):
        sink.emit(diagnostic)


def verified(graph: Graph | None) -> None:
    """Verify what was built or changed, where that is asked for."""
    if VERIFY_IR and graph is not None:
        verify(graph, Rulebook())


def _for_inference(
    unit: Unit, sink: Sink, sizes: Mapping[str, int], options: Mapping[str, Any]
) -> Graph | None:
    """The network at sizes that only its heads for training refuse: built open, then fixed.

    None, and `sink` of no use, if inference refuses them as well.
    """
    if not all(type(number) is int and 1 <= number <= MAX_SIZE for number in sizes.values()):
        return None
    graph = elaborate(unit, sink, **options)
    if graph is None or not sizes.keys() <= set(graph.symbols):
        return None
    fixed = fix_sizes(graph, sizes)
    refused = any(r.condition is False and not r.training_only for r in fixed.requirements)
    if refused or fixed.where is False or not is_legal(fixed):
        return None
    verified(fixed)
    return fixed


def check(
    path: str,
    *,
    weights: str | None = None,
    rename: Mapping[str, str] | None = None,
    **options: Unpack[Loading],
) -> tuple[Diagnostic, ...]:
    """All diagnostics of a file, and of a checkpoint for it: none if it is right.

    Of a file with several nets, of each, unless one is chosen or something is given to one.
    """
    try:
        if weights is None and not is_foreign(path):
            source = read_net(path)
            return diagnosed(source, None if path == "-" else Path(path), **options)
        network, weights = load_with_weights(path, weights, **options)
        if weights is None:
            return network.warnings
    except DiagnosticError as error:
        return error.diagnostics
    return (*network.warnings, *network.check_weights(weights, rename=rename))


def diagnosed(
    source: Source,
    path: Path | None,
    *,
    roots: Sequence[str | Path] = (),
    plugins: Sequence[Plugin] = (),
    inputs: Mapping[str, Declared] | None = None,
    opens: bool = False,
    **options: Unpack[Choices],
) -> tuple[Diagnostic, ...]:
    """What is to be said of a text: of every net, where several are defined and none is chosen.

    It says the shapes of its `inputs` itself, and which are open.
    """
    with plugged(plugins):
        try:
            unit, sink = _loaded(source, path, roots)
        except DiagnosticError as error:
            return error.diagnostics
        is_given = options.get("net") is not None or options.get("params") or options.get("sizes")
        if is_given or len(unit.nets) < 2:
            return _diagnostics(unit, sink, options)
        each: list[Choices] = [{**options, "net": name} for name in unit.nets]
        return tuple(dict.fromkeys(d for one in each for d in _diagnostics(unit, sink.copy(), one)))


def _diagnostics(unit: Unit, sink: Sink, options: Choices) -> tuple[Diagnostic, ...]:
    try:
        return _compiled(unit, sink, **options).warnings
    except DiagnosticError as error:
        return error.diagnostics
