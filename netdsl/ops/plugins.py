"""Layers of other people: found in a module, a file or an installed package, and checked."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from errno import EFBIG, EINVAL
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from inspect import get_annotations, isfunction
from pathlib import Path
from types import ModuleType
from typing import TypeAlias, TypeGuard, cast
from zlib import crc32

from netdsl.diagnostics.reading import MAX_BYTES, TOO_LARGE
from netdsl.ir.sequences import is_tuple
from netdsl.ir.tensor import Tensor
from netdsl.ops.base import PLUGGED, Op, builtin_layers, registry
from netdsl.ops.facts import KINDS, Work
from netdsl.ops.faults import PluginError, contain, contained

GROUP = "netdsl.layers"
"""The group of entry points under which an installed package names its layers."""
NAME = re.compile(r"[a-z][a-z0-9_]*")

PUBLIC = (name for name, part in vars(Op).items() if isfunction(part) and name[0] != "_")
METHODS = ("__post_init__", *PUBLIC)
"""All that the code of a plug-in is asked for."""

Plugin: TypeAlias = "str | Path | ModuleType | type[Op]"


@contextmanager
def plugged(plugins: Sequence[Plugin]) -> Generator[None]:
    """The layers of plug-ins are layers of the language within. Raises `PluginError`."""
    if not plugins:
        yield
        return
    layers = dict(registry())
    for plugin in plugins:
        for op in layers_of(plugin):
            if layers.get(op.name) is not op:
                _check_free(op, layers)
                layers[op.name] = op
    token = PLUGGED.set(layers)
    try:
        yield
    finally:
        PLUGGED.reset(token)


def _check_free(op: type[Op], layers: dict[str, type[Op]]) -> None:
    other = layers.get(op.name)
    if other is None:
        return
    if other is builtin_layers().get(op.name):
        raise PluginError(f"{place(op)}: `{op.name}` is a built-in layer; give it another name")
    raise PluginError(f"`{op.name}` comes from two plug-ins: {place(other)} and {place(op)}")


def layers_of(plugin: Plugin) -> list[type[Op]]:
    """The layers that a plug-in defines, each checked. Raises `PluginError`."""
    if isinstance(plugin, type):
        check_layer(plugin)
        return [plugin]
    module = plugin if isinstance(plugin, ModuleType) else _load(str(plugin))
    layers = [
        item
        for item in vars(module).values()
        if is_layer(item) and item.__module__ == module.__name__ and item.name
    ]
    if not layers:
        raise PluginError(
            f"plug-in {plugin} defines no layer: a subclass of `netdsl.ops.Op` with a `name`"
        )
    for op in layers:
        check_layer(op)
    return layers


def _load(plugin: str) -> ModuleType:
    """The module of a plug-in, by its name or the path of a file. Raises `PluginError`."""
    with contained(lambda error: f"can't load plug-in {plugin}: {_reason(error)}"):
        if plugin.endswith(".py") or "/" in plugin or "\\" in plugin:
            return _load_file(Path(plugin))
        return import_module(plugin)


def _load_file(path: Path) -> ModuleType:
    """A file as a module; once as long as the file stays as it is."""
    path = path.resolve()
    if path.exists() and not path.is_file():  # a pipe would block, a device may have no end
        raise OSError(EINVAL, "it is no plain file")
    if path.stat().st_size > MAX_BYTES:
        raise OSError(EFBIG, f"it is {TOO_LARGE}")
    stamp = f"{path} {path.stat().st_mtime_ns}"
    name = f"netdsl_plugin_{path.stem}_{crc32(stamp.encode()):08x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is no Python file")
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _reason(error: BaseException) -> str:
    """What went wrong and at which line of the plug-in."""
    message = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
    trace = error.__traceback__
    place = ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and file != __file__:
            place = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    is_ours = isinstance(error, OSError | SyntaxError)
    return message if is_ours else f"{message}{place}"


# --- installed packages --------------------------------------------------------------------


@cache
def installed_names() -> tuple[str, ...]:
    """The names of layers that installed packages offer; nothing of them is imported."""
    from importlib.metadata import entry_points

    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


@cache
def installed(name: str) -> type[Op] | None:
    """The layer of this name of an installed package, if there is one. Raises `PluginError`."""
    from importlib.metadata import entry_points

    points = tuple(entry_points(group=GROUP, name=name))
    if not points:
        return None
    if len({point.value for point in points}) > 1:
        names = " and ".join(sorted(p.dist.name if p.dist else p.value for p in points))
        raise PluginError(f"layer `{name}` comes from two installed packages: {names}")
    with contained(
        lambda error: f"can't load layer `{name}` of {points[0].value}: {_reason(error)}"
    ):
        plugin: object = points[0].load()
    ops = [cast(type[Op], plugin)] if isinstance(plugin, type) else layers_of(cast(Plugin, plugin))
    for op in ops:
        check_layer(op)
        if op.name == name:
            return op
    raise PluginError(f"{points[0].value} has no layer `{name}`, as its entry point says")


# --- what makes a layer --------------------------------------------------------------------


def check_layer(op: type[Op]) -> None:
    """Whether a class is all that a layer has to be; its methods are contained then.

    Raises `PluginError`.
    """
    wrong = _mistake(op)
    if wrong:
        raise PluginError(f"{place(op)}: {wrong}")
    contain(op, METHODS)


def _mistake(op: type) -> str:
    from netdsl.syntax.lexing import WORDS

    if not is_layer(op):
        return "this is no subclass of `netdsl.ops.Op`"
    if not NAME.fullmatch(op.name) or op.name.upper() in WORDS - {"NAME"}:
        return f"`{op.name}` can't be a name: small letters, digits, `_`, no word of the language"
    if not op.family:
        return "a layer has a `family`"
    if not op.__doc__ or op.__doc__.startswith(f"{op.__name__}("):  # what `dataclass` makes up
        return "a layer has a docstring: what it does, and example rows"
    for method in "infer", "torch":
        if getattr(op, method) is getattr(Op, method):
            return f"a layer has a method `{method}`"
    if any(not {"kind", "doc"} <= field.metadata.keys() for field in fields(op)):
        return "parameters are made by `param(kind, doc, default)`"
    names = {field.name for field in fields(op)}
    for name in sorted(names.intersection(vars(Op))):
        return f"a parameter can't be called `{name}`, which every layer has for another purpose"
    for fact, (fits, what) in FACTS.items():
        if not fits(getattr(op, fact)):
            return f"`{fact}` is {what}, not {getattr(op, fact)!r}"
    for name, kind in get_annotations(op).items():
        if name not in names and "ClassVar" not in str(kind):
            return f"`{name}` is no parameter: write `@dataclass(frozen=True)` above the class"
    return ""


def _is_text(fact: object) -> bool:
    return isinstance(fact, str)


def _is_truth(fact: object) -> bool:
    return isinstance(fact, bool)


def are_texts(fact: object) -> bool:
    """Whether it is a tuple of texts."""
    return is_tuple(fact) and all(map(_is_text, fact))


FACTS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "work": (lambda fact: isinstance(fact, Work), "one of `Work`"),
    "zoom": (lambda fact: fact in (-1, 0, 1), "-1, 0 or 1"),
    "channels_at": (lambda fact: fact in (None, 0, -1), "0, -1 or None"),
    "drawn_as": (lambda fact: fact in ("", *KINDS), f"one of {', '.join(KINDS)}"),
    **dict.fromkeys(
        ("title", "gives", "sign", "elsewhere", "wrong_names", "stands_for"), (_is_text, "a text")
    ),
    **dict.fromkeys(("matrices", "biases", "holds"), (are_texts, "a tuple of texts")),
    **dict.fromkeys(
        ("in_place", "leads", "matrix", "takes_mean", "joins_axes", "gives_several"),
        (_is_truth, "True or False"),
    ),
}
"""The facts that are class variables, and what each can be."""


def check_types(op: Op, results: object) -> None:
    """Whether a shape rule gave what it has to. Raises `PluginError`."""
    if is_tuple(results) and all(isinstance(part, Tensor) for part in results):
        return
    raise PluginError(f"{place(type(op))}: `infer` gives a tuple of tensors, not {results!r}")


def is_plugin(names: dict[str, object]) -> bool:
    """Whether a module, by its globals, is one that defines layers and is not of this package."""
    home = str(names.get("__name__", ""))
    layers = (item for item in names.values() if is_layer(item))
    return not home.startswith("netdsl.") and any(item.__module__ == home for item in layers)


def is_ours(op: type) -> bool:
    """Whether a layer is of this package, and not of a plug-in."""
    return op.__module__.startswith("netdsl.")


def is_layer(item: object) -> TypeGuard[type[Op]]:
    """Whether it is a class of layers."""
    return isinstance(item, type) and issubclass(item, Op)


def layer_files(ops: Iterable[type]) -> list[Path]:
    """The files that these classes and the classes that they inherit from are written in."""
    homes = {owner.__module__ for op in ops for owner in op.__mro__ if owner is not object}
    modules = (sys.modules.get(home) for home in homes if not home.startswith("netdsl."))
    files = (getattr(module, "__file__", None) for module in modules)
    return [Path(file) for file in files if file]


def place(op: type) -> str:
    """The file and class of a layer, for messages."""
    module = sys.modules.get(op.__module__)
    file = getattr(module, "__file__", None) or op.__module__
    return f"{file}, class {op.__name__}"
