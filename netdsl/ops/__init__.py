"""Floor 2: the layers of the language, one class each; importing a family file is all it takes."""

from importlib import import_module
from pkgutil import iter_modules

from netdsl.ops.base import registry

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["registry"]
