"""The settings of calls in one form, so that equal ones are seen to be equal."""

from __future__ import annotations

from math import isfinite
from typing import cast

from netdsl.importers.frontend import refused
from netdsl.importers.program import Call, Program, Setting, numbers_in
from netdsl.ops import registry
from netdsl.ops.op_parameters import OpParameter, parameters
from netdsl.ops.params import Same

CHANNELS = "channels"
"""The word for axis 0, where it is the default."""


class UnknownSetting(Exception):
    """A call has a setting that its layer has no parameter for."""


def settle(program: Program) -> None:
    """Bring the settings of all calls into one form, each complete, in the order of the layer.

    Raises `DiagnosticError` for infinity and NaN, which no text of the language has.
    """
    for call in program.root.calls():
        call.settings = complete(call)
        for one in numbers_in(list(call.settings.values())):
            if not isfinite(one):
                raise refused(f"`{call.layer}`: the language has no {one}", call.origin)
    for table in program.root.tables():
        for one in table.fill if isinstance(table.fill, list) else [table.fill]:
            if isinstance(one, float) and not isfinite(one):
                raise refused(f"a table of known numbers: the language has no {one}", table.origin)


def complete(call: Call) -> dict[str, Setting]:
    """All settings of a call: a size of equal parts is a number, what is not given the default."""
    known = parameters(registry()[call.layer])
    unknown = call.settings.keys() - {one.name for one in known}
    if unknown:
        raise UnknownSetting(f"`{call.layer}` has no parameter `{min(unknown)}`")
    settled: dict[str, Setting] = {}
    for one in known:
        if one.name in call.settings:
            settled[one.name] = plain(one, call.settings[one.name])
        elif isinstance(one.default, Same):
            settled[one.name] = settled[one.default.parameter]
        elif not one.required and one.default is not None:
            default = one.default
            is_list = isinstance(default, tuple)
            settled[one.name] = cast(
                Setting, list(cast("tuple[int]", default)) if is_list else default
            )
    return settled


def plain(one: OpParameter, value: Setting) -> Setting:
    """A setting as the layer keeps it: a size by one number if it will do, floats as floats."""
    if isinstance(value, tuple) and len(set(value)) == 1 and len(value) > 1:
        return value[0]
    if type(value) is int and one.kind.name == "float":
        return float(value)
    if value == 0 and one.default == CHANNELS:
        return CHANNELS
    return value
