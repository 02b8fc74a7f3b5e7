"""Modules that the language has no word for, as layers of one's own that call their classes."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from torch import nn

from netdsl.importers.spelling import RESERVED
from netdsl.importers.torch.sources import IMPORTED
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Tensor
from netdsl.ops import registry
from netdsl.ops.base import Op
from netdsl.syntax.lexing import WORDS

TAKEN = frozenset({name for name in vars(Op) if name[0] != "_"} | RESERVED)
"""Words that no parameter of a layer is called by."""
PARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
Literal: TypeAlias = "bool | int | float | str | list[int] | tuple[int, ...] | None"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a class: `name` as the layer has it, `kind` as `netdsl.ops` calls it."""

    of_class: str
    name: str
    kind: str
    is_required: bool
    default: Any
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """A module of the class: what it was made with, its tensors, what it took and gave."""

    settings: dict[str, Any]
    weights: tuple[WeightSpec, ...]
    inputs: tuple[Tensor, ...]
    results: tuple[Tensor, ...]


@dataclass(eq=False, slots=True)
class Plugged:
    """A class whose modules are layers; `op` is one of the user's whose rule is stated, if any.

    `why` is what the language has no word for.
    """

    kind: type
    name: str
    parameters: list[Parameter]
    op: type[Op] | None = None
    why: str = ""
    uses: list[Use] = field(default_factory=list[Use])

    @property
    def home(self) -> str:
        """Where it is imported from."""
        return home_of(self.kind)


def home_of(kind: type) -> str:
    """`package.module:Class`; a file that was read goes by its own name."""
    return f"{kind.__module__.removeprefix(IMPORTED)}:{kind.__qualname__}"


def is_importable(kind: type) -> bool:
    """Whether a class has a name that others can import it by."""
    module, _, qualname = home_of(kind).partition(":")
    thing: Any = sys.modules.get(module)
    for part in qualname.split("."):
        thing = getattr(thing, part, None)
    return thing is kind and module != "__main__"


def stated(kinds: Sequence[type]) -> Iterator[tuple[type, type[Op]]]:
    """The classes that layers in force stand for."""
    ops = {op.stands_for: op for op in registry().values() if op.stands_for}
    for kind in kinds:
        if home_of(kind) in ops:
            yield kind, ops[home_of(kind)]


def layer_name(kind: type, names: set[str]) -> str:
    """A name for the layer that is free: `spectrum` for `Spectrum`."""
    plain = re.sub(r"[^a-z0-9_]", "", PARTS.sub("_", kind.__name__).lower()).lstrip("_0123456789")
    name = plain or "layer"
    while name in names or name in registry() or name.upper() in WORDS:
        name += "_layer"
    return name


def parameters_of(kind: type, made_with: Sequence[dict[str, Any]]) -> list[Parameter] | None:
    """The parameters of the layer for what its modules were made with; None if none can say it."""
    defaults = inspect.signature(kind.__init__).parameters
    rows: list[Parameter] = []
    for of_class in made_with[0]:
        values = [one[of_class] for one in made_with]
        default = defaults[of_class].default
        if all(one is None for one in values) and default is None:
            continue
        kinds = {_kind(one) for one in values if one is not None}
        if kinds == {"INT", "FLOAT"}:
            kinds = {"NUMBER"}
        if len(kinds) != 1 or "" in kinds:
            return None
        (word,) = kinds
        words = ("INT", "FLOAT") if word == "NUMBER" else (word,)
        is_known = _kind(default) in words
        if default is None or None in values:
            word, is_known, default = f"optional({word})", True, None
        lists = {type(one) is list for one in values if one is not None}
        if len(lists) > 1:
            return None
        name = of_class.lower() if of_class.lower() not in TAKEN else f"{of_class.lower()}_"
        rows.append(Parameter(of_class, name, word, not is_known, default, lists.pop()))
    if len({one.name for one in rows}) < len(rows):
        return None
    return sorted(rows, key=lambda one: not one.is_required)


def _kind(value: Any) -> str:
    """The kind of a parameter that takes a literal, as `netdsl.ops` calls it."""
    if type(value) in (list, tuple):
        kinds = {_kind(one) for one in value}
        return {"INT": "INTS", "FLOAT": "FLOATS"}.get(kinds.pop(), "") if len(kinds) == 1 else ""
    return {bool: "BOOL", int: "INT", float: "FLOAT", str: "TEXT"}.get(type(value), "")


def weights_of(module: nn.Module) -> tuple[WeightSpec, ...]:
    """The tensors of a module that a checkpoint has."""
    trained = dict(module.named_parameters(remove_duplicate=False))
    return tuple(
        WeightSpec(
            key,
            tuple(one.shape),
            "zeros",
            trained=key in trained,
            dtype=str(one.dtype).removeprefix("torch."),
        )
        for key, one in module.state_dict(keep_vars=True).items()
    )
