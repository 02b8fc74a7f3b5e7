"""Remembers what the constructors of modules are given."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from torch import nn

Settings = dict[str, object]
LONGEST = 64
"""Lists of more numbers tell nothing about the blocks of a network."""


@dataclass(slots=True)
class Record:
    """What constructors of modules were given; it keeps the modules, so that ids stay theirs."""

    known: dict[int, tuple[nn.Module, Settings, Settings | None]] = field(
        default_factory=dict[int, tuple[nn.Module, Settings, Settings | None]]
    )

    def settings(self, module: nn.Module) -> Settings:
        """All that can be told of a module's arguments, as names for what varies."""
        return self.known[id(module)][1] if id(module) in self.known else {}

    def literals(self, module: nn.Module) -> Settings | None:
        """A module's arguments by name, if they are literals and make such a module again."""
        return self.known[id(module)][2] if id(module) in self.known else None


_RECORDS: list[Record] = []


def _new(cls: type[nn.Module], *args: Any, **kwargs: Any) -> nn.Module:
    module = object.__new__(cls)
    if _RECORDS:
        settings, literals = _given(cls, module, args, kwargs), _literals(cls, module, args, kwargs)
        _RECORDS[-1].known[id(module)] = (module, settings, literals)
    return module


@contextmanager
def recorded() -> Iterator[Record]:
    """Within it, constructors are recorded.

    `__new__` stays replaced: once it is deleted, no module can be made with arguments any more.
    """
    if "__new__" not in nn.Module.__dict__:
        nn.Module.__new__ = _new  # type: ignore[method-assign]
    record = Record()
    _RECORDS.append(record)
    try:
        yield record
    finally:
        _RECORDS.pop()


def _given(cls: type, module: nn.Module, args: Any, kwargs: Any) -> Settings:
    """Arguments and defaults by name, those that can be written in the language."""
    try:
        bound = inspect.signature(cls.__init__).bind(module, *args, **kwargs)
    except (TypeError, ValueError):
        return {}
    bound.apply_defaults()
    settings: Settings = {}
    for name, one in list(bound.arguments.items())[1:]:
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            parts = cast("dict[str, Any]", one).items()
            settings.update({key: _copied(part) for key, part in parts})
        elif kind is not inspect.Parameter.VAR_POSITIONAL:
            settings[name] = _copied(one)
            settings.update(_configured(one))
    return {name: one for name, one in settings.items() if one is not _NOTHING}


def _literals(cls: type, module: nn.Module, args: Any, kwargs: Any) -> Settings | None:
    """Arguments and defaults by name; None where one is no literal, or can't be given by name."""
    try:
        bound = inspect.signature(cls.__init__).bind(module, *args, **kwargs)
    except (TypeError, ValueError):
        return None
    bound.apply_defaults()
    literals: Settings = {}
    for name, one in list(bound.arguments.items())[1:]:
        kind = bound.signature.parameters[name].kind
        if kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD) and not one:
            continue
        by_name = kind in (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        )
        if not by_name or not _is_literal(one):
            return None
        literals[name] = copy.copy(one)
    return literals


def _is_literal(one: Any) -> bool:
    if type(one) in (tuple, list):
        parts = cast("list[Any]", one)
        return bool(parts) and all(type(part) in (int, float) for part in parts)
    return one is None or type(one) in (bool, int, float, str)


_NOTHING = object()


def _copied(one: Any) -> object:
    """An argument as it is now: numbers, texts, tuples of them, names of classes."""
    if one is None or isinstance(one, bool | int | float | str):
        return one
    if isinstance(one, tuple | list):
        parts = [_copied(part) for part in cast("list[Any]", one)[:LONGEST]]
        return tuple(parts) if all(isinstance(part, int | float) for part in parts) else _NOTHING
    if isinstance(one, nn.Module):
        return type(one).__name__
    name = getattr(one, "__name__", None) or getattr(getattr(one, "func", None), "__name__", None)
    return name if callable(one) and isinstance(name, str) else _NOTHING


def _configured(one: Any) -> Mapping[str, object]:
    """The plain attributes of an object that holds a configuration."""
    if isinstance(one, type | nn.Module | Mapping) or not hasattr(one, "__dict__"):
        return {}
    if callable(one):
        return {}
    parts = {name: _copied(part) for name, part in vars(one).items() if not name.startswith("_")}
    return {
        name: part for name, part in parts.items() if isinstance(part, bool | int | float | str)
    }
