"""What names stand for while a definition is built, and the scopes that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from netdsl.diagnostics import Span
from netdsl.ir.dim import Compare, Size
from netdsl.ir.formula import Formula
from netdsl.ir.graph import Value
from netdsl.ir.tensor import Shape
from netdsl.ops.base import Op
from netdsl.ops.params import show
from netdsl.syntax import ast

if TYPE_CHECKING:
    from netdsl.elaborate.program import Block, Unit
    from netdsl.elaborate.sharing import Shared


@dataclass(frozen=True, eq=False, slots=True)
class Poison:
    """Stands for what could not be built; whatever depends on it is poison too, without a word.

    In a draft `traces` are what is drawn in its place: stumps, and values beside them.
    """

    traces: tuple[Value, ...] = ()

    def __repr__(self) -> str:
        return "POISON"


POISON = Poison()


class Broken(Exception):
    """What is being built can't be; the diagnostic has been recorded already.

    `poison` is what a name stood for, where that was the reason.
    """

    def __init__(self, poison: Poison = POISON) -> None:
        super().__init__()
        self.poison = poison


class Halted(Exception):
    """A bound of the compiler was reached (recorded already): nothing more is built."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What an arrow carries: one value, or several in order.

    `is_list` is True where it is written as several, however many they are: a tuple, a `for`, the
    branches of a body, the parts of a `split`.
    """

    values: tuple[Value, ...]
    is_list: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        shapes = [str(v.type) for v in self.values]
        return shapes[0] if len(shapes) == 1 else f"({', '.join(shapes)})"


MaybeFlow: TypeAlias = Flow | Poison


NOTHING = Flow(())
"""Enters a fork at the head of a chain where nothing flows: its branches name their values."""


def values_of(flow: MaybeFlow | None) -> tuple[Value, ...]:
    """What flows; nothing where that is not known."""
    return flow.values if isinstance(flow, Flow) else ()


def traces(flow: MaybeFlow | None) -> tuple[Value, ...]:
    """What is drawn of it: what flows, or what stands in a draft for what is not known."""
    return flow.traces if isinstance(flow, Poison) else values_of(flow)


def joined(flows: Sequence[MaybeFlow]) -> MaybeFlow:
    """Several flows as one, in order; poison if one of them is."""
    if any(isinstance(f, Poison) for f in flows):
        return Poison(tuple(v for f in flows for v in traces(f)))
    return Flow(tuple(v for f in flows for v in values_of(f)), is_list=True)


@dataclass(frozen=True, slots=True)
class Ratio:
    """`H / 4` before it is known whether it is floored, or must be exact."""

    numerator: Size
    denominator: int

    def __str__(self) -> str:
        return f"({self.numerator})/{self.denominator}"


@dataclass(frozen=True, slots=True)
class LayerValue:
    """A layer given for a `layer` parameter, with the arguments that came with it."""

    target: type[Op] | Block | LayerValue
    arguments: tuple[ast.Argument, ...]
    environment: Environment
    text: str

    @property
    def name(self) -> str:
        """The layer's own name, after which its uses are named."""
        return self.target.name

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LayerValue) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@dataclass(eq=False, slots=True)
class SharedLayer:
    """`layer enc = Encoder(64)`; `variants` are what its calls made, several without weights."""

    statement: ast.LayerStatement
    callee: type[Op] | Block | LayerValue | Poison
    environment: Environment
    variants: list[Shared] = field(default_factory=list["Shared"])


@dataclass(eq=False, slots=True)
class Family:
    """The values of labels with a number: `down[0]`, `down[1]`."""

    members: dict[int, MaybeFlow] = field(default_factory=dict[int, MaybeFlow])


@dataclass(frozen=True, slots=True)
class Binding:
    """What a name means; `formula` says a number over the block's parameters, where it can.

    `is_label` is True for the value of a labelled stage. `rival` is where a value stands that has
    the name as well: it can't be used then.
    """

    value: object
    span: Span
    formula: Formula | None = None
    is_label: bool = False
    rival: Span | None = None


Names: TypeAlias = "dict[str, Binding]"
Sort: TypeAlias = Literal["numbers", "values", "layers"]
"""The three kinds of names, which live apart."""


@dataclass(eq=False, slots=True)
class Environment:
    """The names in force at a place: a body's own, then those of the bodies around it.

    `incoming` is what a chain without a source starts from; `labels` marks the scope in which
    labels are kept (a block, a net, the body under a label). `items` are the axes whose items
    the `each` around works on, outer first. Without `adds_path` a scope keeps labels whose layers
    belong to the scope around.
    """

    unit: Unit
    parent: Environment | None = None
    incoming: MaybeFlow | None = None
    labels: bool = False
    items: Shape = ()
    adds_path: bool = True
    numbers: Names = field(default_factory=dict[str, Binding])
    values: Names = field(default_factory=dict[str, Binding])
    layers: Names = field(default_factory=dict[str, Binding])

    def child(self, incoming: MaybeFlow | None, *, labels: bool = False) -> Environment:
        """The environment of a body inside this one."""
        return Environment(self.unit, self, incoming, labels, self.items)

    def names(self, sort: Sort) -> Names:
        """The body's own names of a kind."""
        return getattr(self, sort)  # type: ignore[no-any-return]

    def lookup(self, sort: Sort, name: str) -> Binding | None:
        """The binding in force, or None."""
        for environment in self.outward():
            binding = environment.names(sort).get(name)
            if binding is not None:
                return binding
        return None

    def lacks(self, name: str) -> bool:
        """Whether a name stands for no number and no value."""
        return not (self.lookup("numbers", name) or self.lookup("values", name))

    def label_scope(self) -> Environment:
        """The nearest environment that keeps labels."""
        return next(e for e in self.outward() if e.labels)

    def path_scope(self) -> Environment:
        """The nearest environment whose labels begin below a path of its own."""
        return next(e for e in self.outward() if e.labels and e.adds_path)

    def visible(self, *sorts: Sort) -> set[str]:
        """All names of these kinds in force."""
        return {name for e in self.outward() for sort in sorts for name in e.names(sort)}

    def outward(self) -> Iterator[Environment]:
        """This environment and those around it, inner first."""
        environment: Environment | None = self
        while environment is not None:
            yield environment
            environment = environment.parent


def describe(value: object) -> str:
    """A compile-time value in an error message."""
    match value:
        case Flow():
            return f"a value of shape {value}" if len(value.values) == 1 else f"the values {value}"
        case LayerValue():
            return f"the layer `{value}`"
        case SharedLayer():
            return f"the layer `{value.statement.name.text}`"
        case Family():
            return "a family of labels (write an index: `[0]`)"
        case Compare():
            return f"the condition `{value}`"
        case _:
            return show(value)
