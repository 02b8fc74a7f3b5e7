"""Classes of modules: scopes of equal structure share one, and differ by constructor arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from netdsl.backends.torch.calls import Speaker
from netdsl.backends.torch.forward import CALLED, Forward, Line, identifier
from netdsl.backends.torch.initial import Initial
from netdsl.backends.torch.layout import Bracket, Built, Expr, Joined, call, flat, literal
from netdsl.backends.torch.tree import (
    Member,
    Uses,
    inputs_of,
    is_sequential,
    key_of,
    outputs_of,
    recipe,
)
from netdsl.ir.graph import Kind, Node, Scope, Value
from netdsl.ops.recipe import Setting, TorchModule, TorchWeight


@dataclass(frozen=True, slots=True)
class Attribute:
    """`self.name = value`, or `add_module`/`register_parameter` where the name is no identifier.

    `holder` is the container it goes into (empty: the module itself).
    """

    holder: tuple[str, ...]
    name: str
    value: Expr
    is_weight: bool


@dataclass(eq=False)
class Instance:
    """One scope as a module: its attributes, how they begin, its forward."""

    scope: Scope
    attributes: list[Attribute] = field(default_factory=list)
    initial: list[Expr] = field(default_factory=list)
    arguments: tuple[str, ...] = ()
    lines: list[Line] = field(default_factory=list)
    results: list[Expr] = field(default_factory=list)
    helpers: set[tuple[str, str]] = field(default_factory=set)
    of: ModuleClass | None = None

    def skeleton(self) -> str:
        """Equal for instances that can share a class: everything but the literals."""
        made = [f"{a.holder}.{a.name}={flat(a.value)}" for a in self.attributes]
        said = [f"{line.targets}={flat(line.value)}{line.training_only}" for line in self.lines]
        begun = list(map(flat, self.initial))
        return "\n".join([str(self.arguments), *made, *begun, *said, *map(flat, self.results)])


@dataclass(eq=False)
class ModuleClass:
    """A class and the scopes that are instances of it.

    `parameters` are the constructor's, `texts` say each hole (in order) in terms of them,
    `values` give the arguments of each instance.
    """

    base: str
    doc: str
    instances: list[Instance] = field(default_factory=list)
    name: str = ""
    parameters: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    values: list[dict[str, object]] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)


def channels_text(node: Node) -> str | None:
    """The channels that enter a node, over the parameters of the block it stands in, if known."""
    if not node.inputs:
        return None
    home = node.scope.home()
    return _channels(node.inputs[0], home, 20)


def _channels(value: Value, home: Scope, depth: int) -> str | None:
    if len(home.inputs) == 1 and value is home.inputs[0]:
        return "in_channels" if "in_channels" in home.arguments else None
    node = value.producer
    if node is None or depth == 0 or node.scope.home() is not home:
        return None
    for field_name in "channels", "features":
        if field_name in node.layer.arguments:
            return node.layer.arguments[field_name].text
    if node.op.name == "concat":
        texts = [_channels(v, home, depth - 1) for v in node.inputs]
        return None if None in texts else " + ".join(t for t in texts if t)
    keeps = len(node.inputs) == 1 and node.inputs[0].type.shape[:1] == value.type.shape[:1]
    return _channels(node.inputs[0], home, depth - 1) if keeps else None


class Collector:
    """Finds all classes of a graph, parts before wholes."""

    def __init__(self, uses: Uses, training_only: set[int], initial: Initial) -> None:
        self.uses, self.training_only, self.initial = uses, training_only, initial
        self.classes: dict[tuple[str, str], ModuleClass] = {}
        self.instances: dict[int, Instance] = {}
        self.helpers: set[tuple[str, str]] = set()

    def instance(self, scope: Scope) -> Instance:
        """The instance of a scope, and its class among those found so far."""
        made = Instance(scope)
        self.instances[id(scope)] = made
        access: dict[int, Expr] = {}
        parts = list(scope.members())
        for part in parts:
            self._attribute(made, part, access)
        self._forward(made, parts, access)
        key = (_base_name(scope), made.skeleton())
        found = self.classes.setdefault(key, ModuleClass(key[0], scope.doc))
        found.instances.append(made)
        made.of = found
        return made

    def _attribute(self, made: Instance, part: Member, access: dict[int, Expr]) -> None:
        """What `__init__` makes for a member, and how `forward` reaches it."""
        key = key_of(part)
        if key in access:
            return
        if isinstance(part, Scope):
            part = part.pattern or part
        is_weight = False
        if isinstance(part, Scope):
            value = self.module(part)
        else:
            said = recipe(part)
            is_weight = isinstance(said, TorchWeight)
            if not isinstance(said, TorchModule | TorchWeight):
                return
            if is_stateless(said) and _is_unlabelled(part):
                return
            value = self._leaf(part, said)
        path = part.label.split(".")
        made.attributes.append(Attribute(tuple(path[:-1]), path[-1], value, is_weight))
        access[key] = reach(path)
        made.initial += self._initial(part, access[key], value)

    def _initial(self, part: Member, access: Expr, value: Expr) -> Iterator[Expr]:
        """How the weights of a member begin; a class of its own says it of its parts."""
        if isinstance(part, Node):
            yield from self.initial.of(part, access)
        elif not isinstance(value, Built):
            for index, below in enumerate(part.members()):
                inner = Joined((access, f"[{index}]"))
                built = isinstance(below, Scope) and not is_sequential(below, self.uses)
                if not built:
                    yield from self._initial(below, inner, "")

    def _leaf(self, node: Node, said: TorchModule | TorchWeight) -> Expr:
        if isinstance(said, TorchModule) and said.helper:
            self.helpers.add((said.helper, said.target))
        hint = channels_text(node)
        return Speaker(node, ["x"] * len(node.inputs), (), hint).constructor(said)

    def module(self, scope: Scope) -> Expr:
        """The expression that makes the module of a labelled scope."""
        if not is_sequential(scope, self.uses):
            return Built(self.instance(scope))
        parts = list(scope.members())
        made = [self._part(part) for part in parts]
        if [part.label for part in parts] == [str(i) for i in range(len(parts))]:
            return Bracket("nn.Sequential", tuple(made), broken=len(made) > 1)
        pairs = [
            Bracket("", (literal(part.label), value))
            for part, value in zip(parts, made, strict=True)
        ]
        return call(
            "nn.Sequential",
            call("OrderedDict", Bracket("", tuple(pairs), brackets="[]", broken=True)),
        )

    def _part(self, part: Member) -> Expr:
        if isinstance(part, Scope):
            return self.module(part)
        said = recipe(part)
        assert isinstance(said, TorchModule)
        return self._leaf(part, said)

    def _forward(self, made: Instance, parts: Sequence[Member], access: dict[int, Expr]) -> None:
        scope = made.scope
        taken = inputs_of(scope) if scope.kind is not Kind.NET else scope.inputs
        names: list[str] = []
        for index in range(len(taken)):
            own = scope.input_names[index] if index < len(scope.input_names) else ""
            single = "x" if len(taken) == 1 else f"x{index + 1}"
            names.append(identifier(own or single))
        results = outputs_of(scope, self.uses) if scope.kind is not Kind.NET else scope.outputs
        names_given = scope.home().names
        forward = Forward(self.uses, access, names_given, self.training_only)
        made.results = forward.run(parts, list(zip(names, taken, strict=True)), results)
        made.arguments, made.lines = tuple(names), forward.lines


def is_stateless(said: object) -> bool:
    """Whether a module is better said as a function: `F.relu(x)`. Settings make it a module."""
    if not isinstance(said, TorchModule) or said.call is None:
        return False
    return not said.args and all(
        isinstance(v, Setting) and getattr(v.value, "value", v.value) == v.default
        for _, v in said.kwargs
    )


def reach(path: Sequence[str]) -> Expr:
    """How `forward` says an attribute: `self.conv1`, `self.fuse["0"]`, `getattr(self, "0")`."""
    first, rest = path[0], path[1:]
    expr: Expr = f"self.{first}" if is_plain(first) else call("getattr", "self", literal(first))
    for name in rest:
        expr = Joined((expr, f"[{literal(name)}]"))
    return expr


def is_plain(name: str) -> bool:
    """Whether Python takes the name after a dot."""
    return name.isidentifier() and (identifier(name) == name or name in CALLED)


def _is_unlabelled(node: Node) -> bool:
    """Whether the label is the counter's, not the writer's."""
    base = node.op.name
    return node.label.startswith(base) and node.label[len(base) :].isdigit()


def _base_name(scope: Scope) -> str:
    raw = scope.definition or scope.label or scope.kind.value
    words = "".join(c if c.isalnum() else " " for c in raw.replace("_", " ")).split()
    name = "".join(w[:1].upper() + w[1:] for w in words) or "Part"
    return name if name[0].isalpha() else f"Part{name}"
