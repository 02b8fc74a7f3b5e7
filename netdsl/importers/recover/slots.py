"""Names for what differs between the instances of a block: parameters, and formulas of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import product
from typing import cast

from netdsl.importers.recover.classes import Classes
from netdsl.importers.recover.inline import number
from netdsl.importers.recover.names import KEPT
from netdsl.importers.recover.shares import Share
from netdsl.importers.recover.sketch import LayerText, Parameter, Text
from netdsl.importers.recover.unify import Clash

Vector = Mapping[int, object]
"""A value for each instance, by its number."""
PLAIN = (int, float, bool, str, tuple, list, LayerText)
AGAIN = 3.0
"""How much an expression that is there already is worth beside likeness of names."""


@dataclass(eq=False, slots=True)
class Instances:
    """What is known of the instances: how many are alike, their channels, what made them."""

    counts: dict[int, int]
    channels: Mapping[str, Vector]
    settings: Mapping[str, Vector]

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(self.counts)


@dataclass(eq=False, slots=True)
class Slot:
    """A parameter under work, with its value in each instance."""

    name: str
    kind: str
    values: dict[int, object]


@dataclass(eq=False, slots=True)
class Slots:
    """The parameters of a block; `taken` are names that are not free.

    `crowded` are names of settings that many parameters are for: each goes by its label as well.
    """

    instances: Instances
    taken: set[str] = field(default_factory=set[str])
    chosen: list[Slot] = field(default_factory=list[Slot])
    formulas: dict[str, Vector] = field(default_factory=dict[str, Vector])
    crowded: set[str] = field(default_factory=set[str])

    def express(self, vector: Vector, hint: str, label: str = "") -> object:
        """What to write for a value in a layer: itself, a parameter, a formula."""
        values = list(vector.values())
        is_constant = all(same(one, values[0]) for one in values)
        if is_constant:
            named = self.named_alike(vector, hint) if len(vector) < len(self.instances.ids) else ""
            return Text(named) if named else values[0]
        lists = [cast("list[object]", value) for value in values if isinstance(value, list)]
        if len(lists) == len(values) and len({len(one) for one in lists}) == 1:
            columns = ({i: cast("list[object]", vs)[n] for i, vs in vector.items()}
                       for n in range(len(lists[0])))  # fmt: skip
            return [self.express(column, hint, label) for column in columns]
        if any(value is None or not isinstance(value, PLAIN) for value in values):
            raise Clash
        if kind_of(values) == "layer":
            return Text(self.own(vector, hint, label))
        for text, channels in self.instances.channels.items():
            if agrees(vector, channels):
                return Text(text)
        name = self.by_name(vector, hint, label)
        if name:
            return Text(name)
        formula = self.formula_again(vector) or self.formula(vector, hint)
        if formula and vector.keys() == self.instances.ids:
            self.formulas.setdefault(formula, vector)
        return Text(formula or self.own(vector, hint, label))

    def formula_again(self, vector: Vector) -> str:
        """A formula that has been written already."""
        return next((text for text, vs in self.formulas.items() if agrees(vector, vs)), "")

    def named_alike(self, vector: Vector, hint: str) -> str:
        """A parameter of that very name with these values."""
        for slot in self.chosen:
            if slot.name == hint and agrees(vector, slot.values):
                return hint
        return ""

    # --- by the names that the source has -----------------------------------------------------

    def by_name(self, vector: Vector, hint: str, label: str) -> str:
        """A parameter, or what the constructor was given, with these values."""
        chosen = {slot.name: slot.values for slot in self.chosen}
        choices: list[tuple[float, str]] = []
        for name, values in (*chosen.items(), *self.instances.settings.items()):
            if agrees(vector, values):
                score = likeness(name, hint) + likeness(name, label) + AGAIN * (name in chosen)
                choices.append((score, name))
        if not choices:
            return ""
        name = max(choices, key=lambda choice: choice[0])[1]
        if name in chosen and agrees(vector, chosen[name]):
            return name
        return self.take(name, self.instances.settings[name])

    def take(self, name: str, values: Vector) -> str:
        """Make what the constructor was given a parameter."""
        free = self.free(name)
        self.chosen.append(Slot(free, kind_of(list(values.values())), dict(values)))
        return free

    def free(self, name: str) -> str:
        names = {slot.name for slot in self.chosen} | self.taken
        free, number = name, 1
        while free in names or free in KEPT:
            number += 1
            free = f"{name}{number}"
        return free

    def own(self, vector: Vector, hint: str, label: str) -> str:
        """A parameter of the block's own; where the part is absent, the value of most others."""
        kind = kind_of(list(vector.values()))
        for slot in self.chosen:
            if slot.kind == kind and agrees(vector, slot.values):
                return slot.name
        names = {slot.name for slot in self.chosen} | self.taken | self.instances.settings.keys()
        is_free = hint not in names and hint not in self.crowded
        name = f"{label}_{hint}" if label and not is_free else hint
        common = most_common(vector, self.instances.counts)
        values = {one: vector.get(one, common) for one in self.instances.ids}
        free = self.free(name if name.isidentifier() else hint)
        self.chosen.append(Slot(free, kind, values))
        return free

    # --- formulas -----------------------------------------------------------------------------

    def bases(self) -> Iterator[tuple[str, Vector]]:
        """What formulas may speak of."""
        yield from ((slot.name, slot.values) for slot in self.chosen)
        yield from self.instances.channels.items()

    def formula(self, vector: Vector, hint: str) -> str:
        """The first formula of at most two operators with these values."""
        bases = [(name, values) for name, values in self.bases() if is_whole(values)]
        settings = [(n, vs) for n, vs in self.unused() if is_whole(vs)]
        unary = PADDINGS if hint == "padding" else UNARY
        for known in (bases, settings):
            for (text, function), (name, values) in product(unary, known):
                if agrees(vector, each_part(function, values)):
                    return text.format(self.sure(name))
        if hint == "padding":
            for (k, ks), (d, ds) in product(bases, bases):
                if k != d and agrees(vector, combine(lambda a, b: (a - 1) // 2 * b, ks, ds)):
                    return f"({k} - 1) // 2 * {d}"
        return self.product(vector, bases, settings)

    def unused(self) -> list[tuple[str, Vector]]:
        """What the constructor was given that is no parameter."""
        names = {name for name, _ in self.bases()}
        return [(n, values) for n, values in self.instances.settings.items() if n not in names]

    def product(
        self,
        vector: Vector,
        bases: list[tuple[str, Vector]],
        settings: list[tuple[str, Vector]],
    ) -> str:
        for (a, first), (b, second) in product(bases + settings, bases + settings):
            for sign, function in BINARY:
                if a != b and agrees(vector, combine(function, first, second)):
                    if sign in "*+" and a in self.instances.channels:
                        a, b = b, a
                    return f"{self.sure(a)} {sign} {self.sure(b)}"
        return ""

    def sure(self, name: str) -> str:
        """A name that a formula speaks of; it becomes a parameter if it is none yet."""
        is_there = name in self.instances.channels or any(s.name == name for s in self.chosen)
        return name if is_there else self.take(name, self.instances.settings[name])

    # --- parameters ---------------------------------------------------------------------------

    def parameters(self) -> list[Parameter]:
        """The parameters in the order of the constructor, those without a default first."""
        order = {name: number for number, name in enumerate(self.instances.settings)}
        last = len(order)
        slots = sorted(
            self.chosen, key=lambda slot: (slot.kind == "layer", order.get(slot.name, last))
        )
        first, rest = list[Parameter](), list[Parameter]()
        for place, slot in enumerate(slots):
            default = "" if place == 0 and slot.kind != "bool" else self.default(slot)
            (rest if default else first).append(Parameter(slot.name, slot.kind, default))
        return first + rest

    def default(self, slot: Slot) -> str:
        """The value of most calls, if most have one and the others would not make a table."""
        counts = self.instances.counts
        if any(isinstance(value, Classes) for value in slot.values.values()):
            return ""
        value = most_common(slot.values, counts)
        alike = sum(n for i, n in counts.items() if same(slot.values[i], value))
        share = alike / sum(counts.values())
        distinct = len({repr(value) for value in slot.values.values()})
        neutral = NEUTRAL.get(slot.name)
        if any(same(neutral, value) for value in slot.values.values()) and len(counts) > 1:
            return written(neutral)
        if share <= 0.5 or slot.name in TABLED or (distinct > 2 and share < 0.7):
            return ""
        return written(value)


NEUTRAL = {"stride": 1, "groups": 1, "dilation": 1, "padding": 0}
"""Values that such parameters have in most layers, whatever most calls of a block give."""
TABLED = frozenset(("channels", "out_channels", "planes", "width"))
"""Parameters that differ from instance to instance as a rule, and have no default."""


Unary = tuple[tuple[str, Callable[[int], int]], ...]
UNARY: Unary = (
    ("2 * {}", lambda v: v * 2),
    ("4 * {}", lambda v: v * 4),
    ("{} // 2", lambda v: v // 2),
    ("{} // 4", lambda v: v // 4),
    ("3 * {}", lambda v: v * 3),
    ("6 * {}", lambda v: v * 6),
    ("8 * {}", lambda v: v * 8),
    ("{} // 8", lambda v: v // 8),
)
PADDINGS: Unary = (("{} // 2", lambda v: v // 2), ("2 * {}", lambda v: v * 2))
BINARY: tuple[tuple[str, Callable[[int, int], int]], ...] = (
    ("*", lambda a, b: a * b),
    ("//", lambda a, b: a // b if b else -1),
    ("+", lambda a, b: a + b),
    ("-", lambda a, b: a - b),
)


def is_plain(value: object) -> bool:
    """Whether a value may be an argument of a block."""
    if isinstance(value, tuple | list):
        parts = cast("list[object]", value)
        return bool(parts) and all(type(part) in (int, float) for part in parts)
    return type(value) in (int, float, bool)


def each_part(function: Callable[[int], int], values: Vector) -> Vector:
    """A function of whole numbers, and of sizes part by part."""
    results: dict[int, object] = {}
    for i, value in values.items():
        if isinstance(value, tuple):
            results[i] = tuple(map(function, cast("tuple[int, ...]", value)))
        elif type(value) is int:
            results[i] = function(value)
    return results


def combine(function: Callable[[int, int], int], one: Vector, other: Vector) -> Vector:
    return {
        i: function(cast(int, value), cast(int, other[i]))
        for i, value in one.items()
        if type(value) is int and type(other.get(i)) is int
    }


def is_whole(values: Vector) -> bool:
    """Whether all are whole numbers, or sizes of them, and not all are equal to 1."""
    kinds = {type(value) for value in values.values()}
    return kinds <= {int, tuple} and any(value != 1 for value in values.values())


def same(one: object, other: object) -> bool:
    is_alike = type(one) is type(other) or (isinstance(one, float) and isinstance(other, float))
    return is_alike and one == other


def agrees(vector: Vector, values: Vector) -> bool:
    """Whether these are the values wherever there is one."""
    return all(i in values and same(values[i], value) for i, value in vector.items())


def most_common(vector: Vector, counts: Mapping[int, int]) -> object:
    """The value of most instances."""
    tally: Counter[str] = Counter()
    for i, value in vector.items():
        tally[repr(value)] += counts[i]
    text = tally.most_common(1)[0][0]
    return next(value for value in vector.values() if repr(value) == text)


def likeness(name: str, other: str) -> float:
    """How many letters two names have in common."""
    if not name or not other:
        return 0.0
    match = SequenceMatcher(None, name, other).find_longest_match()
    return match.size if match.size > 1 else 0.0


def kind_of(values: list[object]) -> str:
    """The type of a parameter with these values."""
    kinds = {int if isinstance(value, Classes) else type(value) for value in values}
    for known, name in (
        ({bool}, "bool"),
        ({int}, "int"),
        ({str}, "string"),
        ({LayerText}, "layer"),
    ):
        if kinds == known:
            return name
    if kinds <= {int, float, Share}:
        return "float"
    if kinds <= {int, tuple}:
        return "size"
    if kinds == {list}:
        items = {type(item) for value in values for item in cast("list[object]", value)}
        if items <= {int, float}:
            return "[float]" if float in items else "[int]"
    raise Clash


def written(value: object) -> str:
    """A value where a block is called."""
    return f'"{value}"' if isinstance(value, str) else number(value)
