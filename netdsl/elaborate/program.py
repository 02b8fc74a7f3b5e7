"""The files of a program: what each defines, and what `use` makes visible in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from netdsl.diagnostics import Label, Sink, Source
from netdsl.diagnostics.reading import MAX_BYTES, TOO_LARGE, plain_bytes, reason
from netdsl.elaborate.suggest import did_you_mean
from netdsl.ops import registry
from netdsl.syntax import ast, parse


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """A block and the file that its names are looked up in.

    With `is_net` it is a net that is called: its body says what its inputs and outputs are.
    """

    definition: ast.BlockDefinition
    unit: Unit
    is_net: bool = False

    @property
    def name(self) -> str:
        return self.definition.name.text


@dataclass(frozen=True, eq=False, slots=True)
class Function:
    """An `fn` and the file that its names are looked up in."""

    definition: ast.FunctionDefinition
    unit: Unit

    @property
    def name(self) -> str:
        return self.definition.name.text


Definition: TypeAlias = Block | Function


@dataclass(eq=False, slots=True)
class Unit:
    """One file: `own` are its definitions, `visible` also those it uses, `aliases` whole files.

    `nets` are those it defines, `called` the same as layers, which others use by their names alone.
    `is_lacking` is True where something it uses could not be had: names missing then are no
    mistake of their own.
    """

    source: Source
    path: Path | None
    nets: dict[str, ast.NetDefinition] = field(default_factory=dict[str, ast.NetDefinition])
    called: dict[str, Block] = field(default_factory=dict[str, Block])
    own: dict[str, Definition] = field(default_factory=dict[str, Definition])
    visible: dict[str, Definition] = field(default_factory=dict[str, Definition])
    aliases: dict[str, Unit] = field(default_factory=dict[str, "Unit"])
    uses: list[tuple[ast.UseDefinition, Unit]] = field(
        default_factory=list[tuple[ast.UseDefinition, "Unit"]]
    )
    comments: tuple[ast.Comment, ...] = ()
    is_lacking: bool = False

    def files(self) -> list[Path]:
        """Where it and all that it uses was read from, the library aside."""
        units: dict[Unit, None] = {}  # a set that keeps its order
        waiting = [self]
        while waiting:
            unit = waiting.pop()
            if unit not in units:
                units[unit] = None
                waiting += [target for _, target in unit.uses]
        return [unit.path for unit in units if unit.path is not None]


def load_program(
    source: Source,
    path: Path | None,
    roots: tuple[Path, ...],
    sink: Sink,
    tree: ast.File | None = None,
) -> Unit | None:
    """Parse a file and all that it uses, and resolve the names each makes visible.

    `path` is where the text came from (None: no file, then `use "./x.net"` is an error);
    quoted paths must stay below its folder or below one of `roots`. `tree` is that of the file,
    where there is one already. None if the file itself does not parse; errors go to the sink.
    """
    return _Loader(sink, path, roots).load(source, path, tree)


class _Loader:
    def __init__(self, sink: Sink, path: Path | None, roots: tuple[Path, ...]) -> None:
        self.sink = sink
        folders = ((path.parent,) if path else ()) + roots
        self.roots = tuple(folder.resolve() for folder in folders)
        self.units: dict[Path | str, Unit | None] = {}

    def load(self, source: Source, path: Path | None, tree: ast.File | None) -> Unit | None:
        key = path.resolve() if path else ""
        waiting = [self._parse(source, path, key, tree)]
        loaded: list[Unit] = []
        while waiting:
            unit = waiting.pop()
            if unit is None:
                continue
            loaded.append(unit)
            waiting.extend(self._follow_uses(unit))
        for unit in loaded:
            self._resolve(unit)
        return self.units[key]

    def _parse(
        self, source: Source, path: Path | None, key: Path | str, tree: ast.File | None = None
    ) -> Unit | None:
        file = tree or parse(source, self.sink)
        self.units[key] = None
        if file is None:
            return None
        unit = self.units[key] = Unit(source, path, comments=file.comments)
        for definition in file.definitions:
            self._define(unit, definition)
        return unit

    def _define(self, unit: Unit, definition: ast.Definition) -> None:
        if isinstance(definition, ast.UseDefinition):
            unit.uses.append((definition, unit))  # the target replaces `unit` in _follow_uses
            return
        name = definition.name
        earlier = unit.own.get(name.text)
        before = earlier.definition if earlier else unit.nets.get(name.text)
        if before is not None:
            self._taken(name, before.name)
            return
        if isinstance(definition, ast.NetDefinition):
            unit.nets[name.text] = definition
            unit.called[name.text] = as_block(definition, unit)
            return
        if name.text in registry():
            self.sink.warn(
                "hides-layer",
                f"`{name.text}` hides the built-in layer of that name in this file",
                name.span,
                help="another name keeps both usable",
            )
        is_block = isinstance(definition, ast.BlockDefinition)
        unit.own[name.text] = Block(definition, unit) if is_block else Function(definition, unit)

    def _taken(self, name: ast.Name, before: ast.Name) -> None:
        self.sink.error(
            "name-taken",
            f"`{name.text}` is defined twice",
            name.span,
            label="defined again here",
            secondary=[Label(before.span, "first defined here")],
        )

    def _follow_uses(self, unit: Unit) -> Iterator[Unit]:
        """Replace each pending use by the unit it names; yields the units seen first here."""
        pending, unit.uses = unit.uses, []
        for use, _ in pending:
            location = self._locate(unit, use)
            if location is None:
                unit.is_lacking = True
                continue
            key, name, text = location
            if key not in self.units:
                path = key if isinstance(key, Path) else None
                target = self._parse(Source(name, text), path, key)
                if target is not None:
                    yield target
            target = self.units[key]
            if target is not None:
                unit.uses.append((use, target))
            unit.is_lacking |= target is None

    def _locate(self, unit: Unit, use: ast.UseDefinition) -> tuple[Path | str, str, str] | None:
        return self._locate_file(unit, use) if use.quoted else self._locate_std(use)

    def _locate_std(self, use: ast.UseDefinition) -> tuple[str, str, str] | None:
        name = ".".join(use.path)
        if name in std_files():
            return name, f"{name.replace('.', '/')}.net", std_files()[name]
        self.sink.error(
            "use-not-found",
            f"the standard library has no file `{name}`",
            use.span,
            help=did_you_mean(name, std_files()) or f"there are {', '.join(sorted(std_files()))}",
        )
        return None

    def _locate_file(self, unit: Unit, use: ast.UseDefinition) -> tuple[Path, str, str] | None:
        (written,) = use.path
        if not written.endswith(".net"):
            self._refuse(use, f'`"{written}"` does not end in .net', 'write `use "./blocks.net"`')
            return None
        if unit.path is None:
            self._refuse(use, "a text without a file can't use other files", "")
            return None
        try:
            path = (unit.path.parent / written).resolve()
            if not any(path.is_relative_to(root) for root in self.roots):
                outside = f'`"{written}"` lies outside the folder of the compiled file'
                self._refuse(use, outside, "move it below that folder, or name its folder: --root")
                return None
            if path in self.units:
                return path, "", ""
            data = plain_bytes(path)
            if len(data) > MAX_BYTES:
                self._refuse(use, f'`"{written}"` is {TOO_LARGE}', "")
                return None
            return path, str(unit.path.parent / written), data.decode("utf-8-sig")
        except (OSError, ValueError, RuntimeError) as error:
            why = "it is not UTF-8 text" if isinstance(error, UnicodeError) else reason(error)
            self._refuse(use, f'can\'t read `"{written}"`: {why}', "")
            return None

    def _refuse(self, use: ast.UseDefinition, message: str, help: str) -> None:
        self.sink.error("use-not-found", message, use.span, help=help or ())

    def _resolve(self, unit: Unit) -> None:
        unit.visible.update(unit.own)
        for use, target in unit.uses:
            if use.alias is not None:
                unit.aliases[use.alias.text] = target
                continue
            chosen = target.own if use.names is None else self._choose(use, target)
            unit.is_lacking |= use.names is not None and len(chosen) < len(use.names)
            for name, definition in chosen.items():
                self._import(unit, use, name, definition)

    def _choose(self, use: ast.UseDefinition, target: Unit) -> dict[str, Definition]:
        chosen: dict[str, Definition] = {}
        there = target.own | target.called
        for name in use.names or ():
            if name.text in there:
                chosen[name.text] = there[name.text]
                continue
            self.sink.error(
                "use-not-found",
                f"{target.source.name} defines no `{name.text}`",
                name.span,
                help=did_you_mean(name.text, there)
                or f"it defines {', '.join(sorted(there)) or 'nothing'}",
            )
        return chosen

    def _import(
        self, unit: Unit, use: ast.UseDefinition, name: str, definition: Definition
    ) -> None:
        present = unit.visible.get(name)
        if present is None or present is definition:
            unit.visible[name] = definition
            return
        self.sink.error(
            "name-taken",
            f"`{name}` comes from two files",
            use.span,
            secondary=[Label(present.definition.name.span, "the other one is defined here")],
            help="use only the names you need, or give the file an alias: `use ... as a`",
        )


def as_block(net: ast.NetDefinition, unit: Unit) -> Block:
    """A net as a layer of other nets: what comes in stands for its inputs, in their order."""
    inputs = tuple(
        ast.BlockInput(statement.name, None, statement.span)
        for statement in net.body.statements
        if isinstance(statement, ast.InputStatement)
    )
    definition = ast.BlockDefinition(
        net.name, net.parameters, inputs, None, net.body, net.doc, net.span
    )
    return Block(definition, unit, is_net=True)


@cache
def std_files() -> dict[str, str]:
    """The texts of the standard library by name: `std.inception`."""
    folder = files("netdsl") / "std"
    return {
        f"std.{entry.name.removesuffix('.net')}": entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".net")
    }


@cache
def std_names() -> dict[str, str]:
    """Which file of the standard library defines a block or fn: `Inception` -> `std.inception`."""
    files: dict[str, str] = {}
    for file, text in std_files().items():
        tree = parse(Source(file, text), Sink())
        for definition in tree.definitions if tree else ():
            if isinstance(definition, ast.BlockDefinition | ast.FunctionDefinition):
                files.setdefault(definition.name.text, file)
    return files
