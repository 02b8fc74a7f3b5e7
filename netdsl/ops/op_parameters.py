"""The parameters of an op, read from the fields of its class."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any

from netdsl.ops.facts import setting_words
from netdsl.ops.params import Kind


@dataclass(frozen=True, slots=True)
class OpParameter:
    """A formal parameter of an op; `named` ones are given by name only.

    `told` and `tries` are as in `param`.
    """

    name: str
    kind: Kind
    doc: str
    required: bool
    default: object
    named: bool = False
    told: str | None = ""
    tries: tuple[object, ...] = ()

    def told_of(self, value: object) -> str:
        """The parameter and a value of it in plain words; empty where it is not told."""
        if self.told is None:
            return ""
        template = self.told or f"{self.name.replace('_', ' ')} {{}}"
        return setting_words(value, template, "[" in self.kind.name)


@cache
def parameters(op: type[Any]) -> tuple[OpParameter, ...]:
    """The parameters of an op in order, read from its fields."""
    listed: list[OpParameter] = []
    for spec in fields(op):
        default = spec.default
        if spec.default_factory is not MISSING:
            default = spec.default_factory()
        required = default is MISSING
        listed.append(
            OpParameter(
                spec.name,
                spec.metadata["kind"],
                spec.metadata["doc"],
                required,
                None if required else default,
                spec.metadata.get("named", False),
                spec.metadata.get("told", ""),
                spec.metadata.get("tries", ()),
            )
        )
    return tuple(listed)


@cache
def value_parameters(op: type[Any]) -> tuple[tuple[str, Kind], ...]:
    """Names and kinds of the parameters that a value may stand for."""
    return tuple((part.name, part.kind) for part in parameters(op) if part.kind.takes_value)
