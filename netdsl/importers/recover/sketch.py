"""The text under work: bodies of lines, chains of stages, before it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from netdsl.diagnostics import Span
from netdsl.importers.program import Setting
from netdsl.importers.recover.classes import Classes


@dataclass(frozen=True, slots=True)
class Text:
    """An argument as it is written: an expression, a name of a value, a layer."""

    text: str


@dataclass(frozen=True, slots=True)
class LayerText(Text):
    """A layer as an argument."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A part of a label with a number in brackets: `layer[i]`."""

    name: str
    number: str


class Quoted(str):
    """A part of a label in quotes, as a value has its name."""

    __slots__ = ()


@dataclass(slots=True)
class Varying:
    """What differs between instances: a value for each of them, by their numbers."""

    values: dict[int, object]


Argument: TypeAlias = "Setting | Text | Varying"
LabelPart: TypeAlias = "str | Numbered | Varying"


@dataclass(eq=False, slots=True)
class Stage:
    """A stage of a chain.

    `kind` is `layer`, `call` (of a block), `shared` (a use of a shared layer), `group`, `repeat`,
    `for` or `if`. `name` is that of the layer or block. `is_placed` is True where the label is the
    number that the stage would have without it. `head` is what stands before a body: how often it
    is repeated, over what, under which condition.
    """

    kind: str
    name: str
    origin: Span
    label: tuple[LabelPart, ...] = ()
    args: dict[str, Argument] = field(default_factory=dict[str, Argument])
    branches: list[Chain] = field(default_factory=list["Chain"])
    body: Body | None = None
    otherwise: Body | None = None
    head: str = ""
    table: list[list[object]] = field(default_factory=list[list[object]])
    columns: list[str] = field(default_factory=list[str])
    is_placed: bool = False
    has_weights: bool = False
    present: frozenset[int] = frozenset()
    """The instances that have it, while several are made one."""


@dataclass(eq=False, slots=True)
class Chain:
    """A source (the name of a value, or several chains; None for what flows in), then stages."""

    stages: list[Stage]
    source: str | None = None
    several: list[Chain] = field(default_factory=list["Chain"])
    present: frozenset[int] = frozenset()

    @property
    def is_bare(self) -> bool:
        """Whether it is what flows in and nothing else."""
        return not self.stages and self.source is None and not self.several


@dataclass(eq=False, slots=True)
class Line:
    """`a = chain`, `output y = chain when training`; or a declaration.

    `declared` is `layer`, `weight` (then `args` are its parts), or the text of another one.
    """

    names: tuple[str, ...]
    chain: Chain
    origin: Span
    output: str = ""
    when_training: bool = False
    declared: str = ""
    args: dict[str, Argument] = field(default_factory=dict[str, Argument])


@dataclass(eq=False, slots=True)
class Body:
    """Lines in order; in all but a net the last is the result."""

    lines: list[Line] = field(default_factory=list[Line])


@dataclass(eq=False, slots=True)
class Parameter:
    """A parameter of a block; `default` is its text."""

    name: str
    kind: str
    default: str = ""


@dataclass(eq=False, slots=True)
class Definition:
    """A block; `inputs` are named where one name would not do."""

    name: str
    body: Body
    origin: Span
    parameters: list[Parameter] = field(default_factory=list[Parameter])
    inputs: tuple[str, ...] = ()
    doc: str = ""


def chains_of(body: Body) -> Iterator[Chain]:
    """The chains of its lines."""
    for line in body.lines:
        if not line.declared:
            yield line.chain


def parts_of(stage: Stage) -> Iterator[Chain]:
    """The chains that stand directly in a stage, in the order they run."""
    yield from stage.branches
    for body in (stage.body, stage.otherwise):
        if body is not None:
            yield from chains_of(body)


def stages_in(chain: Chain) -> Iterator[Stage]:
    """All stages of a chain and of what is in it, in the order they run; those around come last."""
    for one in chain.several:
        yield from stages_in(one)
    for stage in chain.stages:
        for part in parts_of(stage):
            yield from stages_in(part)
        yield stage


def has_classes(body: Body) -> bool:
    """Whether the number of classes stands in a body."""
    shared = [line.chain for line in body.lines if line.declared == "layer"]
    stages = [stage for chain in (*chains_of(body), *shared) for stage in stages_in(chain)]
    values = [value for stage in stages for value in stage.args.values()]
    cells = [cell for stage in stages for row in stage.table for cell in row]
    return any(isinstance(one, Classes) for one in (*values, *cells))
