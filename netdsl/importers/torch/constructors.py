"""Remembers what the constructors of modules are given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from torch import nn

Settings = dict[str, object]
LONGEST = 64
"""Lists of more numbers tell nothing about the blocks of a network."""

_RECORDS: list[dict[int, tuple[nn.Module, Settings]]] = []


def _new(cls: type[nn.Module], *args: Any, **kwargs: Any) -> nn.Module:
    module = object.__new__(cls)
    if _RECORDS:
        _RECORDS[-1][id(module)] = (module, _given(cls, module, args, kwargs))
    return module


@contextmanager
def recorded() -> Iterator[Callable[[nn.Module], Settings]]:
    """Within it, constructors are recorded; what it gives tells the settings of a module.

    `__new__` stays replaced: once it is deleted, no module can be made with arguments any more.
    """
    if "__new__" not in nn.Module.__dict__:
        nn.Module.__new__ = _new  # type: ignore[method-assign]
    record: dict[int, tuple[nn.Module, Settings]] = {}
    _RECORDS.append(record)
    try:
        yield lambda module: record.get(id(module), (module, {}))[1]
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
