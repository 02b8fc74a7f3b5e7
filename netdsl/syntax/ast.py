"""The syntax tree of a `.net` file: frozen, with a span on every node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from netdsl.diagnostics import Source, Span
from netdsl.syntax.expressions import (
    Argument as Argument,
)
from netdsl.syntax.expressions import (
    Attribute as Attribute,
)
from netdsl.syntax.expressions import (
    Binary as Binary,
)
from netdsl.syntax.expressions import (
    CallExpr as CallExpr,
)
from netdsl.syntax.expressions import (
    Compare as Compare,
)
from netdsl.syntax.expressions import (
    Conditional as Conditional,
)
from netdsl.syntax.expressions import (
    Expr as Expr,
)
from netdsl.syntax.expressions import (
    Index as Index,
)
from netdsl.syntax.expressions import (
    ListExpr as ListExpr,
)
from netdsl.syntax.expressions import (
    Name as Name,
)
from netdsl.syntax.expressions import (
    NameExpr as NameExpr,
)
from netdsl.syntax.expressions import (
    Number as Number,
)
from netdsl.syntax.expressions import (
    Range as Range,
)
from netdsl.syntax.expressions import (
    SizeLiteral as SizeLiteral,
)
from netdsl.syntax.expressions import (
    Slice as Slice,
)
from netdsl.syntax.expressions import (
    Text as Text,
)
from netdsl.syntax.expressions import (
    Truth as Truth,
)
from netdsl.syntax.expressions import (
    TupleExpr as TupleExpr,
)
from netdsl.syntax.expressions import (
    Unary as Unary,
)

# --- chains --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class LabelPart:
    """One part of a label: `name`, `0`, `"block1-0"`, `down[i]` (text and index), `[i]` (index)."""

    text: str
    index: Expr | None
    span: Span
    is_quoted: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Label:
    """`conv1:`, `0:`, `branches.[i]:`: the parts between the dots."""

    parts: tuple[LabelPart, ...]
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class LayerStage:
    """An op or a block: `conv1: conv(64, 7x7)`, `relu`, `a.Name(3)`, `add { ... }`.

    `arguments` is None without parentheses; the first of a chain, with no label and no branches,
    may also name a value then. `branches` is the body that forks. `is_inline` is True for
    `inline Cell(64)`, whose stages belong to the scope around.
    """

    label: Label | None
    callee: tuple[Name, ...]
    arguments: tuple[Argument, ...] | None
    branches: Body | None
    span: Span
    is_inline: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class ValueSource:
    """Head of a chain that can only be a value: `in`, `in[0]`, `down[i]`, `down[1..3]`."""

    expr: NameExpr | Index | Slice
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class TupleSource:
    """`(a, b -> conv(3))` as head of a chain; one chain in parentheses is a 1-tuple here."""

    items: tuple[Chain, ...]
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class ForSource:
    """`(for x in list { chain })`: a tuple with a value for each item."""

    targets: tuple[Name, ...]
    iterable: Expr
    body: Body
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """`{ chain }`, `layer1: { ... }`."""

    label: Label | None
    body: Body
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Repeat:
    """`repeat n { chain }`."""

    label: Label | None
    count: Expr
    body: Body
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class For:
    """`for x in list { chain }`, `for (c, n) in [[64, 3], [128, 4]] { ... }`."""

    label: Label | None
    targets: tuple[Name, ...]
    iterable: Expr
    body: Body
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class If:
    """`if cond { chain } else { chain }`; `else if` nests as a body of one chain of one `If`."""

    label: Label | None
    condition: Expr
    then: Body
    otherwise: Body | None
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Each:
    """`each { chain }`: the chain on every item of axis 0, with one set of weights."""

    label: Label | None
    body: Body
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Claim:
    """`[16, H / 4, W / 4]` in a chain."""

    shape: ListExpr
    span: Span


Stage: TypeAlias = LayerStage | Group | Repeat | For | If | Each | Claim
Head: TypeAlias = ValueSource | TupleSource | ForSource
Item: TypeAlias = Head | Stage


@dataclass(frozen=True, eq=False, slots=True)
class Chain:
    """A source and stages, joined by arrows; without a source the flow comes in."""

    head: Head | None
    stages: tuple[Stage, ...]
    span: Span


# --- statements ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class InputStatement:
    """`input ids: int64 [T] where T >= 4, T % 2 == 0`; `dtype` is None where not written."""

    name: Name
    dtype: Name | None
    shape: ListExpr
    where: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class OutputStatement:
    """`output logits = chain`, `output aux = chain when training`."""

    name: Name
    chain: Chain
    when_training: bool
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class LetStatement:
    """`let mid = in.channels // 4`."""

    name: Name
    value: Expr
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class AssignStatement:
    """`x = chain`, `(a, b) = chain`; `is_tuple` tells `(a) = ...` from `a = ...`."""

    targets: tuple[Name, ...]
    is_tuple: bool
    chain: Chain
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class WeightStatement:
    """`weight index: frozen int64 [4] = [0, 1, 1, 0]`; what is not written is None.

    `kind` is `frozen` or `constant`.
    """

    label: Label
    kind: Name | None
    dtype: Name | None
    shape: ListExpr
    fill: Expr | None
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class LayerStatement:
    """`layer enc = Encoder(64)`: one layer under a name, shared by every use.

    A label of its stage is the path of the layer.
    """

    name: Name
    stage: LayerStage
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class ChainStatement:
    """A chain alone on its line."""

    chain: Chain
    span: Span


Statement: TypeAlias = (
    InputStatement
    | OutputStatement
    | LetStatement
    | AssignStatement
    | WeightStatement
    | LayerStatement
    | ChainStatement
)


@dataclass(frozen=True, eq=False, slots=True)
class Body:
    """The statements between braces."""

    statements: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class TypeName:
    """`int`, `layer`, `[int]` (depth 1), `[[int]]` (depth 2)."""

    name: str
    depth: int
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Parameter:
    """A formal parameter: `stride: size = 1`."""

    name: Name
    type: TypeName
    default: Expr | None
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class BlockInput:
    """An input of a block: `x`, `x: [C, H, W]`; in `: [C, H, W] -> ...` the name is None."""

    name: Name | None
    shape: ListExpr | None
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class UseDefinition:
    """`use std.resnet (Bottleneck)`; `use "./a.net" as a`, whose `path` is `("./a.net",)`."""

    path: tuple[str, ...]
    quoted: bool
    names: tuple[Name, ...] | None
    alias: Name | None
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class FunctionDefinition:
    """`fn twice(n: int) = 2 * n`."""

    name: Name
    parameters: tuple[Parameter, ...]
    body: Expr
    doc: str
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class BlockDefinition:
    """`block Name(parameters) (inputs) -> results { body }`.

    `inputs` is None where the block has no input list and no contract: one input of any shape.
    `results` is None where no result shapes are promised.
    """

    name: Name
    parameters: tuple[Parameter, ...]
    inputs: tuple[BlockInput, ...] | None
    results: tuple[ListExpr, ...] | None
    body: Body
    doc: str
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class NetDefinition:
    """`net Name(parameters) { body }`."""

    name: Name
    parameters: tuple[Parameter, ...]
    body: Body
    doc: str
    span: Span


Definition: TypeAlias = UseDefinition | FunctionDefinition | BlockDefinition | NetDefinition


@dataclass(frozen=True, eq=False, slots=True)
class Comment:
    """`# text`, kept for documentation and the formatter."""

    text: str
    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class File:
    """One parsed `.net` file. `comments` are all of its comments in order."""

    source: Source
    definitions: tuple[Definition, ...]
    comments: tuple[Comment, ...]
