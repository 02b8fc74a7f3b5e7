"""Finds the module that a source names: `package.module:make(10)`, `file.py:Net`."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdsl.diagnostics import DiagnosticError, Source, Span
from netdsl.diagnostics.reading import reason
from netdsl.importers.frontend import refused

SHOWN = 5
"""Names in a file that a message lists."""
IMPORTED = "netdsl_imported_"
"""How the names of modules begin that were read from a file."""
LACKING = "operator torchvision::"
"""How torch begins to say that compiled operators of torchvision are not there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A source taken apart: where it is, what of it is called, and with which literals."""

    place: str
    name: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    span: Span

    @property
    def title(self) -> str:
        """What the network is called."""
        return self.name.rpartition(".")[2]

    def factory(self) -> Callable[[], Any]:
        """What makes the module. Raises `DiagnosticError`."""
        home = _loaded(self)
        thing: Any = home
        for part in self.name.split("."):
            if not hasattr(thing, part):
                raise refused(f"`{self.place}` has no `{self.name}`", self.span)
            thing = getattr(thing, part)
        return lambda: self.called(thing)

    def called(self, thing: Any) -> Any:
        """The module: what is named if it is one, else what it gives."""
        from torch import nn

        if isinstance(thing, nn.Module):
            return thing
        if not callable(thing):
            kind = type(thing).__name__
            message = f"`{self.name}` in `{self.place}` is a value of the type `{kind}`"
            help = "what is named is a module, or a class or function that makes one"
            raise refused(message, self.span, help=help)
        return thing(*self.arguments, **self.keywords)


def _defined(path: str) -> list[str]:
    """The classes in a file, else its functions; it is read, and not run."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except OSError as error:
        message = f"can't read {path}: {reason(error)}"
        raise refused(message, None, code="unreadable-file") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    for kind in (ast.ClassDef, ast.FunctionDef):
        names = [one.name for one in tree.body if isinstance(one, kind)]
        if names:
            return names
    return []


def asked(source: str) -> Asked:
    """A source taken apart; arguments are literals. Raises `DiagnosticError`."""
    span = Span(Source(source, source), 0, len(source))
    if ":" not in source:
        names = _defined(source)
        help = (
            f"say which: {', '.join(f'`{source}:{name}`' for name in names[:SHOWN])}"
            if names
            else f"`{source}:Net` for a class or function `Net` in it, or `{source}:Net(10)`"
        )
        raise refused("this is Python, and what makes the module is not named", span, help=help)
    place, _, call = source.partition(".py:")
    place, call = (f"{place}.py", call) if call else source.split(":", 1)
    try:
        tree = ast.parse(call.strip(), mode="eval").body
        if isinstance(tree, ast.Call):
            arguments = tuple(ast.literal_eval(one) for one in tree.args)
            if any(one.arg is None for one in tree.keywords):
                raise ValueError("`**` is no literal")
            keywords = {str(one.arg): ast.literal_eval(one.value) for one in tree.keywords}
            tree = tree.func
        else:
            arguments, keywords = (), {}
        name = _dotted(tree)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise refused(
            f"`{call}` is neither a name nor a call with literal arguments",
            span,
            help="write numbers, strings, lists: `package.module:make(10, kind='small')`",
        ) from error
    return Asked(place, name, arguments, keywords, span)


def _dotted(tree: ast.expr) -> str:
    if isinstance(tree, ast.Name):
        return tree.id
    if isinstance(tree, ast.Attribute):
        return f"{_dotted(tree.value)}.{tree.attr}"
    raise ValueError("no name")


def _loaded(one: Asked) -> Any:
    """The Python module that is named. Raises `DiagnosticError`."""
    try:
        if one.place.endswith(".py"):
            return _file(Path(one.place), one.span)
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(one.place)
    except (Exception, SystemExit) as error:
        if isinstance(error, DiagnosticError) or LACKING in str(error):
            raise
        raise refused(
            f"`{one.place}` can't be imported: {type(error).__name__}: {error}", one.span
        ) from error


def _file(path: Path, span: Span) -> Any:
    if not path.is_file():
        raise refused(f"there is no file `{path}`", span, code="unreadable-file")
    name = f"{IMPORTED}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise refused(f"`{path}` is no Python file", span)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
        _name_plainly(path, module)
    finally:
        sys.path.remove(folder)
    return module


def _name_plainly(path: Path, module: Any) -> None:
    """A file that `import` would give by its own name is there by that name too."""
    if getattr(sys.modules.get(path.stem), "__name__", "").startswith(IMPORTED):
        del sys.modules[path.stem]  # another file of that name
    try:
        spec = importlib.util.find_spec(path.stem) if path.stem.isidentifier() else None
    except (ImportError, ValueError):
        return
    if spec is not None and spec.origin and Path(spec.origin).resolve() == path.resolve():
        sys.modules.setdefault(path.stem, module)
