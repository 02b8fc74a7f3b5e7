"""`int(...)` in the files of a module: there it keeps where a size comes from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from netdsl.importers.torch.sized import SizedFloat, SizedInt


class _Kind(type):
    """Makes a class that is as good as `int` to all that ask for the type of a number."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, int)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, int)

    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        if len(arguments) == 1 and isinstance(arguments[0], SizedInt):
            return arguments[0]
        if len(arguments) == 1 and isinstance(arguments[0], SizedFloat):
            is_above = float.__float__(arguments[0]) >= 0
            return arguments[0].whole("floor" if is_above else "int")
        return int(*arguments, **keywords)

    def __getattr__(cls, name: str) -> Any:
        return getattr(int, name)


class Whole(metaclass=_Kind):
    """Stands for `int`."""


@contextmanager
def remembering(module: nn.Module) -> Iterator[None]:
    """Within it, `int` keeps where sizes come from, in the packages of the parts of a module."""
    packages = {type(one).__module__.partition(".")[0] for one in module.modules()} - {"torch"}
    spaces = [
        vars(one)
        for name, one in list(sys.modules.items())
        if name.partition(".")[0] in packages and hasattr(one, "__dict__")
    ]
    changed = [one for one in spaces if "int" not in one]
    for one in changed:
        one["int"] = Whole
    try:
        yield
    finally:
        for one in changed:
            one.pop("int", None)
