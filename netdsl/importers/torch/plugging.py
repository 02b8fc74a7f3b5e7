"""Which modules become layers of one's own, where the language has no word for what they do."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from torch import nn

from netdsl.importers.frontend import refused
from netdsl.importers.torch.agreeing import Differ
from netdsl.importers.torch.events import Line
from netdsl.importers.torch.lows import Unsaid
from netdsl.importers.torch.made import Made
from netdsl.importers.torch.plugged import (
    Parameter,
    Plugged,
    is_importable,
    layer_name,
    parameters_of,
    stated,
)
from netdsl.importers.torch.runs import Failed
from netdsl.ops.op_parameters import parameters


def by_rule(made: Made) -> Iterator[tuple[type, Plugged]]:
    """The classes that layers in force stand for, whose rules are stated there."""
    for kind, op in stated([type(one) for one in made.modules.values()]):
        own = {part.name for part in parameters(op)}
        rows = [one for one in _parameters(made, kind) or [] if one.name in own]
        yield kind, Plugged(kind, op.name, rows, op)


def plugged_for(made: Made, error: Unsaid) -> Plugged:
    """The innermost class around what can't be said that can be a layer. Raises `error`."""
    reasons: list[str] = []
    inside: list[type] = []
    for kind in error.kinds[1:]:
        if kind in made.plugged:
            break
        inside.append(kind)
    for kind in reversed(inside):
        rows = _parameters(made, kind)
        if not is_importable(kind):
            reasons.append(f"`{kind.__qualname__}` can't be imported by its name")
        elif rows is None:
            reasons.append(f"`{kind.__qualname__}` is made with what is no number or text")
        else:
            names = {one.name for one in made.plugged.values()}
            why = error.diagnostics[0].message
            return Plugged(kind, layer_name(kind, names), rows, why=why)
    why = f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""
    first, *_ = error.diagnostics
    help = f"no module around this part can be a layer{why}: put it into a class of its own"
    raise refused(first.message, first.span, help=help) from error


def _parameters(made: Made, kind: type) -> list[Parameter] | None:
    uses = [one for one in made.modules.values() if type(one) is kind]
    literals = [made.record.literals(one) for one in uses]
    known = [one for one in literals if one is not None]
    return parameters_of(kind, known) if len(known) == len(literals) else None


def failed_in(made: Made, failed: Failed) -> tuple[type, ...]:
    """The classes of the modules that ran when a run failed, the network first."""
    cause = failed.cause
    if isinstance(cause, Differ):
        return next((one for line in cause.lines if (one := _around(made, line))), ())
    kinds: list[type] = []
    last: object = None
    trace = cause.__traceback__
    while trace is not None:
        one = trace.tb_frame.f_locals.get("self")
        if isinstance(one, nn.Module) and one is not last:
            kinds.append(type(one))
            last = one
        trace = trace.tb_next
    return tuple(kinds)


def _around(made: Made, line: Line) -> tuple[type, ...]:
    """The classes down to that which a line of code stands in."""
    for path, one in made.modules.items():
        try:
            start = inspect.getsourcelines(type(one))
            is_here = inspect.getsourcefile(type(one)) == line[0]
        except (OSError, TypeError):
            continue
        if is_here and start[1] <= line[1] < start[1] + len(start[0]):
            return made.kinds(path)
    return ()
