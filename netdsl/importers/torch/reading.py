"""From a factory or a module to an answer."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import nn

from netdsl.diagnostics import DiagnosticError, Source, Span
from netdsl.importers.frontend import Answer, Question, refused
from netdsl.importers.torch.agreeing import Differ
from netdsl.importers.torch.constructors import Record
from netdsl.importers.torch.inputs import Taken, parameter_names, taken
from netdsl.importers.torch.lines import Lines, short
from netdsl.importers.torch.lows import Unsaid
from netdsl.importers.torch.made import Made, made
from netdsl.importers.torch.plugging import by_rule, failed_in, plugged_for
from netdsl.importers.torch.plugin_text import plugin_files
from netdsl.importers.torch.programs import program
from netdsl.importers.torch.running import runs_of
from netdsl.importers.torch.runs import Failed, Traced, closed, traced_alike
from netdsl.importers.torch.tracing import Untraceable, line_of


def answer(factory: Callable[[], Any], title: str, question: Question, span: Span) -> Answer:
    """The program of what a factory makes. Raises `DiagnosticError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            one = made(factory)
        except DiagnosticError:
            raise
        except Exception as error:
            raise refused(f"this can't be made: {type(error).__name__}: {error}", span) from error
        lines = Lines(question.source)
        asked = taken(one.module, question.inputs, question.dtypes)
        one.plugged.update(by_rule(one))
        while True:
            try:
                result = _answer(one, title, asked, lines, span)
                break
            except Unsaid as error:
                if question.plugins_out is None:
                    raise
                plug = plugged_for(one, error)
                one.plugged[plug.kind] = plug
        plugs, path = one.measured(), question.plugins_out
        files = plugin_files(plugs, path) if plugs and path is not None else {}
        remarks = [f"`{plug.name}` is a layer of its own: {plug.why}" for plug in plugs]
        remarks += result.remarks
        return replace(result, files=lines.files(), plugins=files, remarks=tuple(remarks))


def answer_of(module: nn.Module, inputs: Any) -> Answer:
    """The program of a module that the user holds. Raises `DiagnosticError`."""
    title = type(module).__name__
    span = Span(Source(title, title), 0, len(title))
    asked = [_taken(name, one) for name, one in _named(module, inputs).items()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            copied = copy.deepcopy(module).to("meta")
        except Exception as error:
            raise refused(f"this can't be copied: {type(error).__name__}: {error}", span) from error
        one = Made(copied, Record(), lambda: module)
        return _answer(one, title, asked, Lines(title), span)


def _named(module: nn.Module, inputs: Any) -> dict[str, Any]:
    """Examples or shapes by the names of the parameters of `forward`."""
    if inputs is None:
        return {}
    if isinstance(inputs, str):
        raise ValueError(f'an input is a tensor or a shape such as (3, "H", "W"), not `{inputs}`')
    if isinstance(inputs, Mapping):
        return dict(cast("Mapping[str, Any]", inputs))
    is_one = isinstance(inputs, torch.Tensor) or all(isinstance(one, int | str) for one in inputs)
    several = [inputs] if is_one else list(inputs)
    names = [*parameter_names(module), *(f"x{place}" for place in range(len(several)))]
    return dict(zip(names, several, strict=False))


def _taken(name: str, one: Any) -> Taken:
    """An input by an example, whose sizes it has, or by its shape."""
    if isinstance(one, torch.Tensor):
        return Taken(name, tuple(one.shape[1:]), str(one.dtype).removeprefix("torch."))
    return Taken(name, tuple(one))


def _answer(one: Made, title: str, asked: Sequence[Taken], lines: Lines, span: Span) -> Answer:
    was = one.module.training
    try:
        traced = traced_alike(one, asked)
        return _read(one, title, traced, lines)
    except Failed as failed:
        raise Unsaid(_explained(failed, lines, span), failed_in(one, failed)) from failed.cause
    finally:
        one.module.train(was)


def _read(one: Made, title: str, traced: Traced, lines: Lines) -> Answer:
    """The program of a traced module; at one size, if that is what the language can say."""
    try:
        if one.measured() and traced.trial.is_open:
            names = " and ".join(f"`{plug.name}`" for plug in one.measured())
            remark = f"no shape rule of {names} is stated, so it is read at one size"
            traced = closed(one, traced, remark)
        return _given(one, title, traced, lines)
    except DiagnosticError as error:
        if not traced.trial.is_open:
            raise
        remark = f"{error.diagnostics[0].message}; so it is read at one size"
        try:
            traced = closed(one, traced, remark)
        except Exception:
            raise error from None
        return _given(one, title, traced, lines)


def _given(one: Made, title: str, traced: Traced, lines: Lines) -> Answer:
    runs = runs_of(one, list(traced.agreed.inputs))
    remarks = [
        f"{short(file)}:{line}: `{name}` has a backward pass of its own, which is lost: gradients "
        "are those of what its forward pass computes"
        for name, (file, line) in traced.agreed.gradients.items()
    ]
    told = (*traced.remarks, *remarks)
    return Answer(program(one, traced, lines, title), one.numbers(), told, runs=runs)


def _explained(failed: Failed, lines: Lines, span: Span) -> DiagnosticError:
    """Why a module could not be traced, at the line that is at fault."""
    cause = failed.cause
    if isinstance(cause, Untraceable):
        return refused(str(cause), lines.span(cause.line))
    if isinstance(cause, Differ):
        places = [lines.span(one) for one in cause.lines if one[0]]
        also = f" (see {places[1]})" if len(places) > 1 and str(places[1]) != str(places[0]) else ""
        return refused(f"{cause}{also}", places[0] if places else span)
    inputs = failed.tried.inputs
    shapes = ", ".join(f"{one.name}: [{', '.join(map(str, one.shape))}]" for one in inputs)
    sizes = ", ".join(f"{name} = {size}" for name, size in failed.tried.sizes[0].items())
    return refused(
        f"it fails with {shapes}{' at ' if sizes else ''}{sizes}: {type(cause).__name__}: {cause}",
        lines.span(line_of(cause)),
        help="say what it takes: `--input '[3, H, W]'`, or `--input '[3, 224, 224]'` for one size",
    )
