"""A model, call by call, in the order in which values are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, cast

from netdsl.importers.frontend import refused
from netdsl.importers.keras.layers import LAYERS, OF_APPLICATIONS, OPERATIONS
from netdsl.importers.keras.net import Held, KerasNet, Use
from netdsl.importers.keras.settings import Settings, short
from netdsl.importers.keras.structure import Layer, Model, Tensor, word
from netdsl.importers.program import Path

Key = tuple[str, int]
"""A call: the name of a layer and the number of the call."""


@dataclass(eq=False, slots=True)
class Run:
    """A model with what flows into it."""

    net: KerasNet
    model: Model
    results: dict[Tensor, Held] = field(default_factory=dict[Tensor, Held])

    def outputs(self, inputs: list[Held]) -> list[Held]:
        """What comes out."""
        if self.model.kind == "Sequential":
            return [self.in_turn(inputs)]
        self.begin(inputs)
        for layer, number in self.order():
            self.call(layer, number)
        return [self.result(self.ending(tensor)) for tensor in self.model.outputs]

    def ending(self, tensor: Tensor) -> Tensor:
        """An output; calls of a functional model are counted from 1 there, and only there."""
        layers = {layer.name: layer for layer in self.model.layers}
        layer = layers.get(tensor.layer)
        is_functional = layer is not None and layer.kind in ("Functional", "Model")
        return Tensor(tensor.layer, tensor.call - is_functional, tensor.result)

    def in_turn(self, inputs: list[Held]) -> Held:
        """Layers one after the other."""
        self.net.origin = self.model.span
        if len(inputs) != 1:
            self.net.fail(f"a sequence takes one value, not {len(inputs)}")
        (held,) = inputs
        for layer in self.model.layers:
            if layer.kind == "InputLayer":
                continue
            results = self.use(layer, [held], [], {})
            if len(results) != 1:
                raise refused("a layer of a sequence gives one value", layer.span)
            held = results[0]
        return held

    def begin(self, inputs: list[Held]) -> None:
        """Let values in."""
        self.net.origin = self.model.span
        if len(inputs) != len(self.model.inputs):
            count, taken = len(inputs), len(self.model.inputs)
            self.net.fail(f"the model takes {taken} values, and {count} come in")
        self.results.update(zip(self.model.inputs, inputs, strict=True))

    def order(self) -> Iterator[tuple[Layer, int]]:
        """Calls after those that they take values of; else as they stand in the configuration."""
        layers = {layer.name: layer for layer in self.model.layers}
        place = {layer.name: number for number, layer in enumerate(self.model.layers)}
        given = {(one.layer, one.call) for one in self.model.inputs}
        waits: dict[Key, set[Key]] = {}
        users: dict[Key, list[Key]] = {}
        for layer in self.model.layers:
            for number, (args, kwargs) in enumerate(layer.calls):
                key = layer.name, number
                if key in given:
                    continue
                needed = {(one.layer, one.call) for one in tensors([args, kwargs])} - given
                waits[key] = needed
                for one in needed:
                    users.setdefault(one, []).append(key)
        ready = [(place[key[0]], key) for key, needed in waits.items() if not needed]
        ready.sort()
        done = 0
        while ready:
            _, key = heappop(ready)
            done += 1
            yield layers[key[0]], key[1]
            for user in users.get(key, []):
                waits[user].discard(key)
                if not waits[user]:
                    heappush(ready, (place[user[0]], user))
        if done < len(waits):
            key, needed = next((key, needed) for key, needed in waits.items() if needed)
            missing = min(needed)
            message = f"it takes the result of `{missing[0][:40]}`, which is not there"
            if missing in waits:
                message = f"it takes the result of `{missing[0][:40]}`, which waits for it"
            raise refused(message, layers[key[0]].span)

    def call(self, layer: Layer, number: int) -> None:
        args, kwargs = layer.calls[number]
        if layer.kind == "InputLayer":
            raise refused("the input is not one of the model's", layer.span)
        self.net.origin = layer.span
        inputs = [self.result(one) for one in tensors([args, kwargs])]
        for place, held in enumerate(self.use(layer, inputs, args, kwargs)):
            self.results[Tensor(layer.name, number, place)] = held

    def result(self, tensor: Tensor) -> Held:
        held = self.results.get(tensor)
        if held is None:
            message = f"result {tensor.result} of call {tensor.call} of `{tensor.layer[:40]}`"
            self.net.fail(f"{message} is not there")
        return held

    def use(
        self, layer: Layer, inputs: list[Held], args: list[Any], kwargs: dict[str, Any]
    ) -> list[Held]:
        """What a layer gives."""
        net = self.net
        net.origin = layer.span
        self.check_arguments(layer, args, kwargs)
        if not inputs:
            net.fail("no value flows into the layer")
        path: Path = (word(layer.name),)
        before = net.owner
        net.owner = (*before, layer.name)
        try:
            if layer.model is not None:
                return self.inside(layer.model, path, inputs)
            settings = Settings(layer)
            use = Use(net, layer, settings, inputs, args, kwargs, path)
            held = self.reader(layer, settings)(use)
            settings.finish()
            return held if isinstance(held, list) else [held]
        finally:
            net.owner = before

    def check_arguments(self, layer: Layer, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Refuses what a layer is told beside values, where that changes what it computes."""
        if kwargs.get("mask") is not None:
            self.net.fail("masks have no word here", help="build the model without them")
        if kwargs.get("training") is True:
            self.net.fail(f"{short(layer.kind)}: `training=True` at inference has no word here")
        if layer.kind == "MultiHeadAttention" or is_operation(layer):
            return
        told = {f"`{name}`": one for name, one in kwargs.items() if name != "training"}
        for name, one in [("an argument", args), *told.items()]:
            if not all(isinstance(leaf, Tensor | None) for leaf in leaves(one)):
                self.net.fail(f"{short(layer.kind)} is called with {name[:40]}, which is not known")

    def inside(self, model: Model, path: Path, inputs: list[Held]) -> list[Held]:
        """What a model within the model gives."""
        net = self.net
        with net.within(path, model.kind, *(one.value for one in inputs)) as region:
            results = Run(net, model).outputs(inputs)
            region.outputs = [one.value for one in results]
        return results

    def reader(self, layer: Layer, settings: Settings) -> Any:
        """What reads a layer."""
        if is_operation(layer):
            known, what = OPERATIONS, "operation"
        else:
            known, what = LAYERS, "layer"
            is_own = layer.module.startswith("keras.src.applications")
            if layer.kind in OF_APPLICATIONS and not is_own:
                settings.fail("it is a class of your own, whose code is not run")
        if layer.kind not in known:
            help = "a class or function of your own holds Python code, which is not run"
            is_own = not layer.module.startswith("keras") or layer.kind == "Lambda"
            message = f"the {what} {short(layer.kind)} has no word in the language"
            raise refused(message, layer.span, help=help if is_own else "")
        return known[layer.kind]


def is_operation(layer: Layer) -> bool:
    """Whether it is a function between layers, and no layer."""
    return layer.module.startswith(("keras.src.ops", "keras.ops"))


def leaves(value: Any) -> Iterator[Any]:
    """What lies in an argument, in order."""
    if isinstance(value, list | dict):
        parts = cast("list[Any]", list(value.values()) if isinstance(value, dict) else value)
        for one in parts:
            yield from leaves(one)
    else:
        yield value


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in an argument, in order."""
    return (one for one in leaves(value) if isinstance(one, Tensor))
