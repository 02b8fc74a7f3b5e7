"""Several calls of one layer: a later call takes over the layers of the first, if it is like it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import zip_longest
from operator import is_

from netdsl.ir.dim import Dim
from netdsl.ir.graph import Child, Graph, Layer, Node, Scope, Value
from netdsl.ir.match import Pair, is_case
from netdsl.ir.sequences import is_sequence
from netdsl.ops.base import op_of
from netdsl.ops.recipe import From, Setting, TorchModule, TorchRecipe
from netdsl.ops.tables import types_of


@dataclass(eq=False, slots=True)
class Shared:
    """One layer and its calls.

    All calls can be written as `pattern` is: what is one value, or one size, there is one in each.
    """

    calls: list[Child]
    pattern: Child

    @property
    def has_weights(self) -> bool:
        return has_weights(self.pattern)

    def join(self, again: Child) -> str:
        """Give `again` the layers of the first call; why not, where the two are not alike."""
        first = self.calls[0]
        why = difference(self.pattern, again)
        if why:
            if difference(again, self.pattern) or any(difference(again, c) for c in self.calls):
                return why
            self.pattern = again
        for one, other in zip(_below(first), _below(again), strict=True):
            if isinstance(one, Node) and isinstance(other, Node):
                other.layer = one.layer
                one.layer.calls.append(other)
            elif isinstance(one, Scope) and isinstance(other, Scope):
                other.shares = one
        self.calls.append(again)
        for call in self.calls:
            if isinstance(call, Scope) and isinstance(self.pattern, Scope):
                call.pattern = self.pattern
        return ""


def has_weights(part: Child) -> bool:
    """Whether something in it is learned, or kept (the statistics of a norm)."""
    nodes = (part,) if isinstance(part, Node) else part.nodes()
    return any(node.layer.weights for node in nodes)


def difference(pattern: Child, other: Child) -> str:
    """Why `other` can't be computed by what PyTorch makes of `pattern`; empty if it can."""
    if isinstance(pattern, Node) and isinstance(other, Node):
        return _setting_difference(pattern, other) or _module_difference(pattern, other)
    if isinstance(pattern, Scope) and isinstance(other, Scope):
        return _Comparison().scopes(pattern, other)
    return OTHER_LAYERS


OTHER_LAYERS = "other layers run in it"
OTHER_WIRING = "its layers are connected otherwise"


def is_shared_rightly(graph: Graph) -> bool:
    """Whether all calls of shared layers are still alike, after a change of the graph."""
    calls = (call for layer in graph.layers() for call in layer.calls)
    nodes = all(not difference(call.layer.calls[0], call) for call in calls)
    scopes = (s for s in graph.root.scopes() if s.pattern is not None)
    return nodes and all(not difference(s.pattern, s) for s in scopes if s.pattern)


def _below(part: Child) -> Iterator[Child]:
    """The part and all parts of it, in the order they run."""
    stack: list[Child] = [part]
    while stack:
        child = stack.pop()
        yield child
        if isinstance(child, Scope):
            stack += reversed(child.children)


def _setting_difference(pattern: Node, other: Node) -> str:
    """What differs in the settings or the weights of two nodes."""
    name = pattern.op.name
    if type(pattern.op) is not type(other.op):
        return OTHER_LAYERS
    pairs = zip(op_of(pattern).settings(), op_of(other).settings(), strict=True)
    for (parameter, one), (_, two) in pairs:
        if one != two:
            return f"`{name}` has `{parameter.name}` {_said(two)} here and {_said(one)} there"
    if pattern.layer.weights == other.layer.weights:
        return ""
    keyed = {spec.key: list(spec.shape) for spec in other.layer.weights}
    for spec in pattern.layer.weights:
        here, there = keyed.get(spec.key), list(spec.shape)
        if here != there:
            return f"`{spec.key}` of `{name}` is {here or 'missing'} here and {there} there"
    return f"the weights of `{name}` begin otherwise"


def _module_difference(pattern: Node, other: Node) -> str:
    """What differs in the modules of two nodes; functions are written for each call anew."""
    one, two = _recipe(pattern), _recipe(other)
    if not isinstance(one, TorchModule) and not isinstance(two, TorchModule):
        return ""
    alike = type(one) is type(two) and _made(one) == _made(two)
    return "" if alike else _other_module(pattern, other)


def _made(recipe: TorchRecipe) -> object:
    """What `__init__` makes of it."""
    assert isinstance(recipe, TorchModule)
    return recipe.target, _plain(recipe.args), _plain(recipe.kwargs), recipe.helper


def _plain(value: object) -> object:
    """A setting without the field it comes from, which is but a hint for the printer."""
    if isinstance(value, From):
        return _plain(value.value)
    if isinstance(value, Setting):
        return _plain(value.value), value.default
    if is_sequence(value):
        return type(value), [_plain(part) for part in value]
    return value


def _other_module(pattern: Node, other: Node) -> str:
    here, there = (_types(node.inputs) for node in (other, pattern))
    return f"`{pattern.op.name}` at {here} is not in PyTorch what it is at {there}"


def _recipe(node: Node) -> TorchRecipe:
    return op_of(node).torch(*types_of(node))


def _types(values: tuple[Value, ...]) -> str:
    return " and ".join(str(value.type) for value in values)


def _said(value: object) -> str:
    """A setting as a file has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(eq=False, slots=True)
class _Comparison:
    """Two calls of a block side by side: `values` and `layers` say what stands for what."""

    values: dict[Value, Value] = field(default_factory=dict[Value, Value])
    layers: dict[Layer, Layer] = field(default_factory=dict[Layer, Layer])
    owners: dict[Layer, Layer] = field(default_factory=dict[Layer, Layer])
    sizes: list[Pair] = field(default_factory=list[Pair])
    shapes: list[Pair] = field(default_factory=list[Pair])

    def scopes(self, pattern: Scope, other: Scope) -> str:
        """What differs in all that runs in them."""
        ones, twos = (_below(scope) for scope in (pattern, other))
        why = self._enter(pattern.inputs, other.inputs)
        for one, two in zip_longest(ones, twos):
            why = why or self._parts(one, two, is_top=one is pattern)
            if why:
                return why
        if not self._are(pattern.outputs, other.outputs):
            return OTHER_WIRING
        if self.sizes and not is_case([*self.shapes, *self.sizes]):
            return "the sizes in it are read off its values otherwise"
        return ""

    def _parts(self, one: Child | None, two: Child | None, *, is_top: bool) -> str:
        if isinstance(one, Node) and isinstance(two, Node):
            return self._nodes(one, two)
        if not isinstance(one, Scope) or not isinstance(two, Scope):
            return OTHER_LAYERS
        same_kind = one.kind is two.kind and one.definition == two.definition
        alike = same_kind and len(one.children) == len(two.children)
        return "" if alike and (is_top or one.label == two.label) else OTHER_LAYERS

    def _enter(self, ones: tuple[Value, ...], twos: tuple[Value, ...]) -> str:
        """What flows in: a value that comes in twice there must do so here."""
        if len(ones) != len(twos):
            return OTHER_WIRING
        for one, two in zip(ones, twos, strict=True):
            if self.values.setdefault(one, two) is not two:
                return "two of its inputs are one value there, and two here"
            self._shape(one, two)
        return ""

    def _nodes(self, one: Node, two: Node) -> str:
        why = _setting_difference(one, two)
        if why or one.label != two.label:
            return why or OTHER_LAYERS
        same = self.layers.setdefault(one.layer, two.layer) is two.layer
        if not same or self.owners.setdefault(two.layer, one.layer) is not one.layer:
            return OTHER_LAYERS
        if not self._are(one.inputs, two.inputs):
            return OTHER_WIRING
        for value, meant in zip(one.inputs, two.inputs, strict=True):
            self._shape(value, meant)
        for value, meant in zip(one.outputs, two.outputs, strict=True):
            self.values[value] = meant
        return "" if self._alike(_recipe(one), _recipe(two)) else _other_module(one, two)

    def _are(self, ones: tuple[Value, ...], twos: tuple[Value, ...]) -> bool:
        """Whether these values stand for those; one from outside stands for itself."""
        meant = [self.values.get(value, value) for value in ones]
        return len(meant) == len(twos) and all(map(is_, meant, twos))

    def _shape(self, one: Value, two: Value) -> None:
        pairs = zip(one.type.shape, two.type.shape, strict=False)
        self.shapes += [(a, b) for a, b in pairs if isinstance(a, Dim)]

    def _alike(self, one: object, two: object) -> bool:
        """Whether two recipes are equal but for sizes that differ with those that come in."""
        one, two = (v.value if isinstance(v, From) else v for v in (one, two))
        if isinstance(one, Dim):
            self.sizes += [(one, two)] if isinstance(two, int | Dim) else []
            return isinstance(two, int | Dim) and not isinstance(two, bool)
        if type(one) is not type(two):
            return False
        if is_sequence(one) and is_sequence(two):
            return len(one) == len(two) and all(map(self._alike, one, two))
        if is_dataclass(one):
            pairs = ((getattr(one, f.name), getattr(two, f.name)) for f in fields(one))
            return all(self._alike(a, b) for a, b in pairs)
        return one == two
