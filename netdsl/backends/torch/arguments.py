"""Constructor arguments: what differs between the instances of a class, and how it is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from netdsl.backends.torch.classes import Instance, ModuleClass
from netdsl.backends.torch.formulas import FUNCTIONS, python_text, variables
from netdsl.backends.torch.layout import Bracket, Built, Expr, Hole, built, holes, literal
from netdsl.backends.torch.python_names import variable
from netdsl.ir.formula import Formula


def resolve(owner: ModuleClass, classes: Sequence[ModuleClass], taken: Collection[str]) -> None:
    """Decide the class's parameters, the text of each hole, and each instance's arguments.

    No parameter has a name of `taken`, which the source needs for its classes and imports.
    The classes of its parts, which are among `classes`, must have been resolved. Every text is
    checked to give the right value in every instance; what has none becomes a parameter.
    """
    for instance in owner.instances:
        _spell_parts(instance, classes)
    rows = [_instance_holes(instance) for instance in owner.instances]
    scopes = [_names(instance, taken) for instance in owner.instances]
    resolver = _Resolver(owner, scopes, taken)
    columns = list(zip(*rows, strict=True)) if rows[0] else []
    for column in columns:
        resolver.hinted(column)
    for index, column in enumerate(columns):
        resolver.forced(index, column)
    resolver.finish()


def _spell_parts(instance: Instance, classes: Sequence[ModuleClass]) -> None:
    """Replace constructor calls by calls with a hole for each argument."""

    def spell(part: Built) -> Expr:
        built_class = classes[part.module_class]
        values = built_class.values[part.instance]
        arguments = built_class.instances[part.instance].scope.arguments
        args: list[Hole] = []
        for name in built_class.parameters:
            passed = arguments.get(name)
            formula = passed.formula if passed and passed.value == values[name] else None
            args.append(Hole(values[name], formula, name))
        keys = tuple("" if name == "in_channels" else name for name in built_class.parameters)
        return Bracket(built_class.name, tuple(args), keys)

    for index, attribute in enumerate(instance.attributes):
        value = built(attribute.value, spell)
        instance.attributes[index] = replace(attribute, value=value)


def _instance_holes(instance: Instance) -> list[Hole]:
    return [hole for attribute in instance.attributes for hole in holes(attribute.value)]


def _names(instance: Instance, taken: Collection[str]) -> dict[str, object]:
    """The parameters of the block an instance is written in, as bound there.

    Those that Python does not take as parameters are left out: no text may name them.
    """
    home = instance.scope.home()
    bound = {name: argument.value for name, argument in home.arguments.items()}
    if home.channels is not None:
        bound.setdefault("in_channels", home.channels)
    return {name: value for name, value in bound.items() if variable(name, taken) == name}


class _Resolver:
    def __init__(
        self, owner: ModuleClass, scopes: Sequence[Mapping[str, object]], taken: Collection[str]
    ) -> None:
        self.owner, self.scopes, self.taken = owner, scopes, taken
        self.texts: list[str | None] = []
        self.candidates: dict[str, tuple[object, ...]] = {}
        self.values: dict[str, tuple[object, ...]] = {}

    def hinted(self, column: Sequence[Hole]) -> None:
        """A literal where all agree, else a formula that is right everywhere."""
        values = tuple(hole.value for hole in column)
        if all(_same(value, values[0]) for value in values):
            self.texts.append(literal(values[0]))
            return
        for text, formula in {python_text(hole.formula): hole.formula for hole in column}.items():
            if text is not None and formula is not None and self._gives(text, values):
                self.texts.append(text)
                self._take(text, formula, values)
                return
        self.texts.append(None)

    def forced(self, index: int, column: Sequence[Hole]) -> None:
        """What has no hint: another text with the same values, else a parameter of its own."""
        if self.texts[index] is not None:
            return
        values = tuple(hole.value for hole in column)
        name = column[0].name
        for text, candidate in self.candidates.items():
            if all(map(_same, candidate, values)):
                self.texts[index] = text
                return
        unique = variable(name, self.taken)
        number = 1
        while unique in self.values:
            number += 1
            unique = f"{variable(name, self.taken)}{number}"
        self.values[unique] = values
        self.candidates[unique] = values
        self.texts[index] = unique

    def finish(self) -> None:
        order = {name: i for i, name in enumerate(self.owner.instances[0].scope.home().arguments)}
        names = sorted(self.values, key=lambda n: (n != "in_channels", order.get(n, 99)))
        self.owner.parameters = names
        self.owner.texts = [text or "" for text in self.texts]
        self.owner.values = [
            {name: self.values[name][i] for name in names} for i in range(len(self.owner.instances))
        ]
        self.owner.annotations = {name: _annotation(self.values[name]) for name in names}

    def _gives(self, text: str, values: Sequence[object]) -> bool:
        for names, value in zip(self.scopes, values, strict=True):
            try:
                result = eval(text, {"__builtins__": FUNCTIONS}, dict(names))
            except Exception:
                return False
            if not _same(result, value):
                return False
        return True

    def _take(self, text: str, formula: Formula, values: tuple[object, ...]) -> None:
        self.candidates.setdefault(text, values)
        for name in variables(formula):
            if name in self.scopes[0] and name not in self.values:
                self.values[name] = tuple(names[name] for names in self.scopes)
                self.candidates.setdefault(name, self.values[name])


def _same(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b


def _annotation(values: Sequence[object]) -> str:
    kinds: set[str] = set()
    for value in values:
        match value:
            case tuple() | list():
                inner = sorted({type(v).__name__ for v in value}) or ["int"]
                box = "tuple" if isinstance(value, tuple) else "list"
                more = ", ..." if box == "tuple" else ""
                kinds.add(f"{box}[{' | '.join(inner)}{more}]")
            case _:
                kinds.add(type(value).__name__)
    return " | ".join(sorted(kinds))
