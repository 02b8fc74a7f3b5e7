"""The checked network: values, calls of layers, and the hierarchy they were written in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeAlias

from netdsl.diagnostics import Span
from netdsl.ir.condition import Truth
from netdsl.ir.dim import Size
from netdsl.ir.formula import Formula
from netdsl.ir.tensor import Tensor


@dataclass(frozen=True, slots=True)
class WeightSpec:
    """One parameter (or buffer) of a layer.

    `key` is the attribute below the layer's path (`weight`, `running_mean`), `shape` is as
    PyTorch stores it. `init` says how it begins: a word of `init=` (`normal` and `trunc_normal`
    with the deviation `std`), `zeros`, `ones`, `constant` (all `fill`), `uniform` (as PyTorch's
    layers, by `fan_in`), or `numbers`: these very ones, in the order of storage. `given` is True
    where the file or a policy says so and PyTorch's module does otherwise. `trained` is False for
    buffers.
    """

    key: str
    shape: tuple[int, ...]
    init: str
    trained: bool = True
    dtype: str = "float32"
    fan_in: int = 0
    fill: float = 0.0
    std: float = 0.0
    given: bool = False
    numbers: tuple[float, ...] = ()


class OpLike(Protocol):
    """What the graph asks of an op; the classes are in netdsl/ops."""

    name: ClassVar[str]
    keyword: ClassVar[str]
    family: ClassVar[str]

    def settings(self) -> Iterator[tuple[Any, object]]:
        """Its parameters, each with its value."""
        ...

    def shown_stride(self) -> object:
        """The stride of its windows: one for all axes, or one each."""
        ...

    def size_inputs(self) -> frozenset[int]:
        """Numbers of the inputs of which it takes the size alone."""
        ...


@dataclass(eq=False, slots=True, repr=False)
class Value:
    """A tensor that flows: an input (no producer), or result number `index` of a node.

    `name` is the name or label it has in the source, else empty.
    """

    type: Tensor
    span: Span
    name: str = ""
    producer: Node | None = None
    index: int = 0

    def __repr__(self) -> str:
        return f"<Value {self.name or 'unnamed'}: {self.type}>"


@dataclass(frozen=True, slots=True)
class Argument:
    """A value an attribute or a block parameter is bound to, and how it was written.

    `formula` speaks of the parameters of the enclosing block (its `Scope.arguments`); it is None
    where the value cannot be said so. It is a hint: a reader checks that it gives `value`.
    """

    value: object
    formula: Formula | None = None


@dataclass(eq=False, slots=True, repr=False)
class Layer:
    """Settings and weights under one path; called by one node, or by several that share it."""

    op: OpLike
    weights: tuple[WeightSpec, ...]
    arguments: dict[str, Argument]
    path: str = ""
    calls: list[Node] = field(default_factory=list["Node"])

    def __repr__(self) -> str:
        return f"<Layer {self.path}: {self.op}>"

    def key(self, spec: WeightSpec) -> str:
        """The key of one of its weights in `state_dict()`."""
        return f"{self.path}.{spec.key}" if self.path and spec.key else self.path or spec.key


@dataclass(eq=False, slots=True, repr=False)
class Node:
    """One call of a layer: `inputs` in the order its op takes them."""

    layer: Layer
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    scope: Scope
    span: Span
    label: str = ""

    def __repr__(self) -> str:
        return f"<Node {self.path}: {self.op}>"

    @property
    def op(self) -> OpLike:
        return self.layer.op

    @property
    def path(self) -> str:
        """Dotted name of the layer, the prefix of its keys in `state_dict()`."""
        return self.layer.path

    @property
    def output(self) -> Value:
        """The only result."""
        (value,) = self.outputs
        return value

    def data_inputs(self) -> list[tuple[int, Value]]:
        """The inputs whose data counts, not only their sizes, each with its number."""
        sizes = self.op.size_inputs()
        return [(n, value) for n, value in enumerate(self.inputs) if n not in sizes]


class Kind(Enum):
    """What a scope was written as."""

    NET = "net"
    BLOCK = "block"
    GROUP = "group"
    REPEAT = "repeat"
    FOR = "for"
    IF = "if"
    EACH = "each"
    TURN = "turn"  # one turn of a repeat or for
    FORK = "fork"  # a stage with a body: branches, then the node or block that joins them
    BRANCH = "branch"


@dataclass(eq=False, slots=True, repr=False)
class Scope:
    """A stretch of the network that was written as one thing.

    `label` is the path below the parent, dots included; empty for scopes that add nothing to
    the path (groups, loops and branches without a label): their children's labels are then
    relative to the next scope above that has one. `path` is the whole path.
    For a block: `definition` is its name, `doc` its comment, `arguments` its parameters and
    lets as bound here, `inputs` what flows in, named `input_names`, and `outputs` what flows out;
    what flows into a net and out of it, the graph alone says.
    `names` are the names that lines of a block or net assign to values.
    `shares` is the scope of the first call where this one is another call of a shared layer;
    `pattern`, of a shared layer with several calls, the call that all can be written after.
    `children` are nodes and scopes in the order they run.
    """

    kind: Kind
    span: Span
    parent: Scope | None = None
    label: str = ""
    path: str = ""
    definition: str = ""
    doc: str = ""
    arguments: dict[str, Argument] = field(default_factory=dict[str, Argument])
    inputs: tuple[Value, ...] = ()
    input_names: tuple[str, ...] = ()
    outputs: tuple[Value, ...] = ()
    names: dict[Value, str] = field(default_factory=dict[Value, str])
    shares: Scope | None = None
    pattern: Scope | None = None
    children: list[Child] = field(default_factory=list["Child"])

    def __repr__(self) -> str:
        return f"<Scope {self.kind.value} {self.definition} {self.path}>"

    @property
    def channels(self) -> int | None:
        """`in.channels` of a block, where one value flows in and its first axis is a number."""
        is_single = self.kind is Kind.BLOCK and len(self.inputs) == 1
        first = self.inputs[0].type.shape[:1] if is_single else ()
        return first[0] if first and isinstance(first[0], int) else None

    def around(self) -> Iterator[Scope]:
        """This scope and those it lies in, inner first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def home(self) -> Scope:
        """The block or net that this scope is written in: itself, if it is one."""
        return next(s for s in self.around() if s.kind in (Kind.BLOCK, Kind.NET) or not s.parent)

    def first(self) -> Scope:
        """The first call of the layer that this is a call of: itself, where it is not shared."""
        scope = self
        while scope.shares is not None:
            scope = scope.shares
        return scope

    def nodes(self) -> Iterator[Node]:
        """All nodes below, in the order they run."""
        stack: list[Child] = list(reversed(self.children))
        while stack:
            child = stack.pop()
            if isinstance(child, Node):
                yield child
            else:
                stack.extend(reversed(child.children))

    def members(self) -> Iterator[Child]:
        """The layers and labelled scopes that stand directly in this one, in the order they run.

        Scopes without a label add nothing, so what is in them belongs here.
        """
        stack: list[Child] = list(reversed(self.children))
        while stack:
            child = stack.pop()
            if isinstance(child, Node) or (child.label and next(child.nodes(), None) is not None):
                yield child
            else:
                stack.extend(reversed(child.children))

    def scopes(self) -> Iterator[Scope]:
        """This scope and all scopes below, outer first."""
        stack: list[Scope] = [self]
        while stack:
            scope = stack.pop()
            yield scope
            stack.extend(c for c in reversed(scope.children) if isinstance(c, Scope))


Child: TypeAlias = Node | Scope


@dataclass(frozen=True, slots=True)
class Input:
    """An input of the network, in the order of the source."""

    name: str
    value: Value

    @property
    def shape(self) -> tuple[Size, ...]:
        """Without the batch axis: ints, and dims of size symbols."""
        return self.value.type.shape

    @property
    def dtype(self) -> str:
        return self.value.type.dtype


@dataclass(frozen=True, slots=True)
class Output:
    """An output; `when_training` ones exist in training mode only."""

    name: str
    value: Value
    when_training: bool
    span: Span

    @property
    def shape(self) -> tuple[Size, ...]:
        return self.value.type.shape

    @property
    def dtype(self) -> str:
        return self.value.type.dtype


@dataclass(frozen=True, slots=True)
class Needed:
    """A condition that the shape rule of a layer found, which holds for some sizes only.

    Of training it may hold for none (False): then only batches of `unless_batch` samples will do.
    """

    condition: Truth
    at: str
    message: str
    code: str
    training_only: bool = False
    unless_batch: int = 0
    help: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A condition on the sizes that a stage needs, with where it comes from.

    Only those that hold for some sizes and not for others are kept: the proved ones are
    dropped, the refuted ones are errors. `node` is the stage it belongs to, or `scope` the block
    whose contract it is; `training_only` is True where only training outputs, or training itself,
    need it (then the condition may be False), and batches of `unless_batch` samples do not if
    that is not 0. `help` says what to write where it fails.
    """

    condition: Truth
    code: str
    message: str
    span: Span
    node: Node | None = None
    training_only: bool = False
    unless_batch: int = 0
    scope: Scope | None = None
    help: str = ""


class Uses:
    """Who takes each value: nodes, and the network itself where it gives the value out."""

    def __init__(self, takes: Iterable[tuple[Node, Value]], outputs: Iterable[Output]) -> None:
        self._readers: dict[Value, list[Node]] = {}
        for node, value in takes:
            self._readers.setdefault(value, []).append(node)
        self.outputs = frozenset(output.value for output in outputs)

    def readers(self, value: Value) -> Sequence[Node]:
        """The nodes that take a value, once for each input that it is, in the order they run."""
        return self._readers.get(value, ())

    def only_reader(self, value: Value) -> Node | None:
        """The one node that takes a value, if nothing else does."""
        readers = self.readers(value)
        return readers[0] if len(readers) == 1 and value not in self.outputs else None

    def leaves(self, value: Value, nodes: Set[Node]) -> bool:
        """Whether something outside of these nodes takes the value."""
        return value in self.outputs or any(node not in nodes for node in self.readers(value))


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A network whose every shape is known.

    `symbols` are its size symbols in the order of the source, `where` the condition the source
    puts on them (True: none), `weights` the values of `weight` statements are nodes with the op
    `Weight`. `root` is the scope of the net. `within` is the network whose part this graph is: the
    values that flow in are then made there. Once there is a graph, no part of it is added, taken
    away or connected anew, so that what it tells of itself is worked out once.
    """

    name: str
    doc: str
    root: Scope
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    symbols: tuple[str, ...] = ()
    where: Truth = True
    where_span: Span | None = None
    requirements: tuple[Requirement, ...] = ()
    within: Graph | None = None

    def __repr__(self) -> str:
        return f"<Graph {self.name}>"

    def nodes(self) -> Iterator[Node]:
        """All nodes in the order they run."""
        return self.root.nodes()

    def layers(self) -> Iterator[Layer]:
        """All layers, each once, in the order of their first call."""
        return iter(dict.fromkeys(node.layer for node in self.nodes()))

    @cached_property
    def inference_outputs(self) -> tuple[Output, ...]:
        """The outputs that are there at inference too."""
        return tuple(output for output in self.outputs if not output.when_training)

    def inference_nodes(self) -> Set[Node]:
        """The nodes that run at inference, in that order.

        A member of the net (a layer, a block, a labelled body) runs whole or not at all: one that
        an output needs runs with all it computes, and so does whatever feeds any part of it.
        """
        return self._running.keys()

    @cached_property
    def _running(self) -> dict[Node, None]:
        whole: dict[Node, list[Node]] = {}
        for member in self.root.members():
            nodes = [member] if isinstance(member, Node) else list(member.nodes())
            whole.update((node, nodes) for node in nodes)
        running = self._needed(whole.__getitem__)
        return dict.fromkeys(node for node in self.nodes() if node in running)

    def needed_nodes(self) -> Set[Node]:
        """The nodes that an output at inference depends on: of a member of the net maybe a part."""
        return self._needed(lambda node: [node])

    @cached_property
    def live_nodes(self) -> Set[Node]:
        """The nodes that any output depends on; others are there for their weights alone."""
        return self._needed(lambda node: [node], self.outputs)

    def _needed(
        self, together: Callable[[Node], Sequence[Node]], outputs: Sequence[Output] | None = None
    ) -> Set[Node]:
        """What outputs (those at inference) depend on, where some nodes run `together` with one."""
        needed: set[Node] = set()
        wanted = self.inference_outputs if outputs is None else outputs
        given = {item.value for item in self.inputs}
        stack = [output.value for output in wanted]
        while stack:
            value = stack.pop()
            node = value.producer if value not in given else None
            if node is not None and node not in needed:
                nodes = together(node)
                needed.update(nodes)
                stack.extend(value for one in nodes for value in one.inputs)
        return needed

    @cached_property
    def uses(self) -> Uses:
        """Who takes each value, be it for its size alone or in training only."""
        return Uses(((n, value) for n in self.nodes() for value in n.inputs), self.outputs)

    @cached_property
    def data_uses(self) -> Uses:
        """Who takes the data of each value, be it in training only."""
        takes = ((n, value) for n in self.nodes() for _, value in n.data_inputs())
        return Uses(takes, self.outputs)

    @cached_property
    def inference_uses(self) -> Uses:
        """Who takes the data of each value at inference."""
        takes = ((n, value) for n in self._running for _, value in n.data_inputs())
        return Uses(takes, self.inference_outputs)
