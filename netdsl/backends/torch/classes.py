"""Classes of modules: scopes of equal structure share one, and differ by constructor arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce

from netdsl.backends.torch.calls import Speaker
from netdsl.backends.torch.forward import Forward, Line
from netdsl.backends.torch.initial import Initial
from netdsl.backends.torch.layout import Bracket, Built, Expr, Joined, call, flat, literal
from netdsl.backends.torch.members import Member, ModuleKey, is_attribute, recipe_of, weight_of
from netdsl.backends.torch.python_names import block_name, variable
from netdsl.backends.torch.tree import Outline, inputs_of, is_sequential, key_of, outputs_of
from netdsl.backends.torch.varying import Varying
from netdsl.ir.formula import IN_CHANNELS, Formula, total
from netdsl.ir.graph import Kind, Node, Scope, Value
from netdsl.ops.base import op_of
from netdsl.ops.recipe import TorchModule, TorchWeight


@dataclass(frozen=True, slots=True)
class Attribute:
    """`self.name = value`, or `add_module`/`register_parameter` where the name is no identifier.

    `holder` is the module it goes into (`self` or another one), `label` what a label begins with
    that is written here, `weight` the table that it is, if it is one.
    """

    holder: Expr
    name: str
    value: Expr
    weight: TorchWeight | None
    label: str


@dataclass(eq=False)
class Instance:
    """One scope as a module: its attributes, how they are initialised, its forward."""

    scope: Scope
    attributes: list[Attribute] = field(default_factory=list)
    initial: list[Expr] = field(default_factory=list)
    arguments: tuple[str, ...] = ()
    lines: list[Line] = field(default_factory=list)
    results: list[Expr] = field(default_factory=list)
    helpers: set[tuple[str, str]] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)

    def add(self, path: str, attribute: Attribute) -> None:
        """Append what is made at a path, unless it is a container that is there already."""
        if path not in self.paths:
            self.paths.add(path)
            self.attributes.append(attribute)

    def skeleton(self) -> str:
        """Equal for instances that can share a class: everything but the literals."""
        attributes = [
            f"{flat(a.holder)}.{a.name}={flat(a.value)}{_kept(a.weight)}" for a in self.attributes
        ]
        body = [f"{line.targets}={flat(line.value)}{line.training_only}" for line in self.lines]
        init = list(map(flat, self.initial))
        return "\n".join([str(self.arguments), *attributes, *init, *body, *map(flat, self.results)])


def _kept(weight: TorchWeight | None) -> str:
    """How a table is kept, which tells classes apart."""
    return "" if weight is None else f" {weight.is_learned} {weight.is_stored}"


@dataclass(eq=False)
class ModuleClass:
    """A class and the scopes that are instances of it; `number` is its own in the source.

    `parameters` are the constructor's, `texts` say each hole (in order) in terms of them,
    `values` give the arguments of each instance.
    """

    base: str
    doc: str
    number: int
    instances: list[Instance] = field(default_factory=list)
    name: str = ""
    parameters: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    values: list[dict[str, object]] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)


def entering_channels(node: Node) -> Formula | None:
    """The channels that enter a node, over the parameters of the block it stands in, if known."""
    if not node.inputs:
        return None
    home = node.scope.home()
    return _channels(node.inputs[0], home, 20)


def _channels(value: Value, home: Scope, depth: int) -> Formula | None:
    if len(home.inputs) == 1 and value is home.inputs[0]:
        return None if home.channels is None else IN_CHANNELS
    node = value.producer
    if node is None or depth == 0 or node.scope.home() is not home:
        return None
    for field_name in "channels", "features":
        if field_name in node.layer.arguments:
            return node.layer.arguments[field_name].formula
    if op_of(node).joined_axis(value.type.rank) is not None:
        joined = [_channels(v, home, depth - 1) for v in node.inputs]
        formulas = [formula for formula in joined if formula is not None]
        return reduce(total, formulas) if len(formulas) == len(joined) else None
    keeps = len(node.inputs) == 1 and node.inputs[0].type.shape[:1] == value.type.shape[:1]
    return _channels(node.inputs[0], home, depth - 1) if keeps else None


class Collector:
    """Finds all classes of a graph, parts before wholes."""

    def __init__(
        self, outline: Outline, training_only: set[Member], initial: Initial, taken: frozenset[str]
    ) -> None:
        self.outline, self.training_only, self.initial = outline, training_only, initial
        self.holders, self.taken = outline.holders, taken
        self.classes: dict[tuple[str, str], ModuleClass] = {}
        self.helpers: set[tuple[str, str]] = set()
        self.varying = Varying(outline.graph)

    def instance(self, scope: Scope) -> Built:
        """Makes the instance of a scope, and its class unless it is among those found so far."""
        instance = Instance(scope)
        access: dict[ModuleKey, Expr] = {}
        parts = list(scope.members())
        for part in _holders_first(parts):
            self._attribute(instance, part, access)
        numbers = {p: self._numbers(instance, p, parts) for p in parts if isinstance(p, Node)}
        self._forward(instance, parts, access, numbers)
        named = _named_after(scope)
        key = (block_name(named.definition or scope.label or scope.kind.value), instance.skeleton())
        owner = self.classes.setdefault(key, ModuleClass(key[0], named.doc, len(self.classes)))
        owner.instances.append(instance)
        return Built(owner.number, len(owner.instances) - 1)

    def _attribute(self, instance: Instance, part: Member, access: dict[ModuleKey, Expr]) -> None:
        """What `__init__` makes for a member, and how `forward` reaches it."""
        key = key_of(part)
        if key in access:
            return
        if isinstance(part, Scope):
            part = part.pattern or part
        if not is_attribute(part):
            return
        value = self.module(part) if isinstance(part, Scope) else self._leaf(part)
        path = part.path if isinstance(part, Scope) else self.holders.place(part)
        for container, holding in self.holders.needed(instance.scope.path, path):
            instance.add(container, self._at(instance, container, holding, None))
        instance.add(path, self._at(instance, path, value, weight_of(part)))
        access[key] = self.holders.reach(instance.scope.path, path)
        instance.initial += self._initial(part, access[key], value)

    def _numbers(
        self, instance: Instance, node: Node, members: Sequence[Member]
    ) -> dict[str, Expr]:
        """What `forward` calls the numbers of a node that differ between instances."""
        numbers: dict[str, Expr] = {}
        for field_name, (name, value) in self.varying.attributes(node, members).items():
            instance.add(f"{node.path}.{field_name}", Attribute("self", name, value, None, name))
            numbers[field_name] = f"self.{name}"
        return numbers

    def _at(
        self, instance: Instance, path: str, value: Expr, weight: TorchWeight | None
    ) -> Attribute:
        """What is made at a path below an instance."""
        above, _, name = path.rpartition(".")
        maker = instance.scope.path
        holder = "self" if above == maker else self.holders.reach(maker, above)
        label = path[len(maker) :].lstrip(".").split(".")[0]
        return Attribute(holder, name, value, weight, label)

    def _initial(self, part: Member, access: Expr, value: Expr) -> Iterator[Expr]:
        """How the weights of a member are initialised; a class of its own does it for its parts."""
        if isinstance(part, Node):
            yield from self.initial.of(part, access)
        elif not isinstance(value, Built):
            for index, below in enumerate(part.members()):
                inner = Joined((access, f"[{index}]"))
                built = isinstance(below, Scope) and not is_sequential(below, self.outline)
                if not built:
                    yield from self._initial(below, inner, "")

    def _leaf(self, node: Node) -> Expr:
        recipe = recipe_of(node)
        assert isinstance(recipe, TorchModule | TorchWeight)
        if isinstance(recipe, TorchModule) and recipe.helper:
            self.helpers.add((recipe.helper, recipe.target))
        if isinstance(recipe, TorchWeight) and recipe.helper:
            self.helpers.add(recipe.helper)
        channels = entering_channels(node)
        return Speaker(node, ["x"] * len(node.inputs), (), channels).constructor(recipe)

    def module(self, scope: Scope) -> Expr:
        """The expression that makes the module of a labelled scope."""
        if not is_sequential(scope, self.outline):
            return self.instance(scope)
        parts = list(scope.members())
        modules = [self._part(part) for part in parts]
        if [part.label for part in parts] == [str(i) for i in range(len(parts))]:
            return Bracket("nn.Sequential", tuple(modules), broken=len(modules) > 1)
        pairs = [
            Bracket("", (literal(part.label), value))
            for part, value in zip(parts, modules, strict=True)
        ]
        return call(
            "nn.Sequential",
            call("OrderedDict", Bracket("", tuple(pairs), brackets="[]", broken=True)),
        )

    def _part(self, part: Member) -> Expr:
        if isinstance(part, Scope):
            return self.module(part)
        return self._leaf(part)

    def _forward(
        self,
        instance: Instance,
        parts: Sequence[Member],
        access: dict[ModuleKey, Expr],
        numbers: dict[Node, dict[str, Expr]],
    ) -> None:
        scope = instance.scope
        graph, is_net = self.outline.graph, scope.kind is Kind.NET
        taken = tuple(i.value for i in graph.inputs) if is_net else inputs_of(scope)
        ports = [(i.value, i.name) for i in graph.inputs] if is_net else _named_inputs(scope)
        input_names = dict(reversed(ports))
        names: list[str] = []
        for index, value in enumerate(taken):
            own = input_names.get(value, "")
            single = "x" if len(taken) == 1 else f"x{index + 1}"
            names.append(variable(own or single, {*self.taken, *names}))
        outputs = tuple(o.value for o in graph.outputs)
        results = outputs if is_net else outputs_of(scope, self.outline)
        names_given = scope.home().names
        forward = Forward(
            self.outline, access, names_given, self.taken, numbers, self.training_only
        )
        instance.results = forward.run(parts, list(zip(names, taken, strict=True)), results)
        instance.arguments, instance.lines = tuple(names), forward.lines


def _named_after(scope: Scope) -> Scope:
    """The block that a scope is a use of: of a fork, the one that its branches flow into."""
    last = scope.children[-1] if scope.children else None
    joins = scope.kind is Kind.FORK and isinstance(last, Scope) and last.kind is Kind.BLOCK
    return last if joins and isinstance(last, Scope) and not last.label else scope


def _named_inputs(scope: Scope) -> list[tuple[Value, str]]:
    """The values that flow into a block, as it calls them."""
    return list(zip(scope.inputs, scope.input_names, strict=False))


def _holders_first(parts: Sequence[Member]) -> list[Member]:
    """In the order they run, but each behind the parts that it is put into: `b` before `b.f`."""
    by_path: dict[str, Member] = {}
    for part in parts:
        by_path.setdefault(part.path, part)
    ordered: dict[Member, None] = {}  # a set that keeps its order
    for part in parts:
        steps = part.label.split(".")
        above = part.path[: len(part.path) - len(part.label)]
        for count in range(1, len(steps)):
            holder = by_path.get(above + ".".join(steps[:count]))
            if isinstance(holder, Scope):
                ordered.setdefault(holder)
        ordered.setdefault(part)
    return list(ordered)
