"""How generated source draws its weights: a loop over the modules, or a line for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from netdsl.backends.torch.layout import Bracket, Expr, Joined, lines, literal
from netdsl.backends.torch.members import Member, recipe_of
from netdsl.ir.graph import Graph, Layer, Node, WeightSpec
from netdsl.ops.base import Op
from netdsl.ops.initial import NEED_STD, WORDS, Rule, initial
from netdsl.ops.plugins import is_ours
from netdsl.ops.recipe import TorchModule


@dataclass(frozen=True, slots=True)
class WeightInit:
    """How one weight is initialised: the word, and its deviation."""

    key: str
    word: str
    std: float

    def call(self, module: Expr) -> Expr:
        """`nn.init.normal_(module.weight, std=0.01)`."""
        function, settings = WORDS[self.word]
        keywords = [(name, literal(value)) for name, value in settings]
        keywords += [("std", literal(self.std))] if self.word in NEED_STD else []
        keys = ("", *(name for name, _ in keywords))
        weight = Joined((module, f".{self.key}")) if self.key else module
        return Bracket(function, (weight, *(text for _, text in keywords)), keys)


class Initial:
    """What differs from PyTorch's own in a network, under the rules of a policy.

    Where all layers of a module's type are initialised alike, the network does it in one loop
    over its modules; else each class does it for its own.
    """

    def __init__(self, graph: Graph, rules: Mapping[str, Rule]) -> None:
        self.inits: dict[Layer, tuple[WeightInit, ...]] = {}
        kinds: dict[str, list[Layer]] = {}
        held: set[str] = set()
        knows_all = True  # the helper of a plug-in may be made of any modules
        for layer in graph.layers():
            if not layer.weights:
                continue
            recipe = recipe_of(layer.calls[0])
            if isinstance(recipe, TorchModule):
                kinds.setdefault(recipe.extends or recipe.target, []).append(layer)
                op = cast(Op, layer.op)
                held.update(op.holds)
                knows_all = knows_all and (is_ours(type(op)) or not recipe.helper)
            self.inits[layer] = tuple(_weight_inits(initial(layer, rules)))
        several = sum(map(bool, self.inits.values())) > 1
        self.loops = {
            kind: layers
            for kind, layers in kinds.items()
            if several and knows_all and kind not in held and self._is_alike(layers)
        }
        self._in_loops = {layer for layers in self.loops.values() for layer in layers}

    def _is_alike(self, layers: list[Layer]) -> bool:
        """Whether all that have a weight of a key initialise it alike."""
        inits_by_key: dict[str, set[WeightInit | None]] = {}
        for layer in layers:
            by_key = {init.key: init for init in self.inits[layer]}
            for spec in layer.weights:
                inits_by_key.setdefault(spec.key, set()).add(by_key.get(spec.key))
        some = any(inits != {None} for inits in inits_by_key.values())
        return some and all(len(inits) == 1 for inits in inits_by_key.values())

    def of(self, member: Member, access: Expr) -> Iterator[Expr]:
        """The lines for a layer that no loop meets; `access` is how its class reaches it."""
        if isinstance(member, Node) and member.layer not in self._in_loops:
            for init in self.inits.get(member.layer, ()):
                yield init.call(access)

    def loop(self) -> list[str]:
        """The loop over all modules, at the end of the network's `__init__`."""
        if not self.loops:
            return []
        text = ["", "        for module in self.modules():"]
        bodies: dict[tuple[str, ...], list[str]] = {}
        for kind, layers in self.loops.items():
            bodies.setdefault(tuple(self._body(layers)), []).append(kind)
        word = "if"
        for body, kinds in bodies.items():
            text.append(f"            {word} isinstance(module, {' | '.join(kinds)}):")
            text += body
            word = "elif"
        return text

    def _body(self, layers: list[Layer]) -> Iterator[str]:
        inits = {init.key: init for layer in layers for init in self.inits[layer]}
        for key, init in inits.items():
            indent = 16
            if not all(key in (spec.key for spec in layer.weights) for layer in layers):
                yield f"                if module.{key} is not None:"
                indent = 20
            yield from lines(init.call("module"), indent)


def _weight_inits(weights: tuple[WeightSpec, ...]) -> Iterator[WeightInit]:
    return (WeightInit(spec.key, spec.init, spec.std) for spec in weights if spec.given)
