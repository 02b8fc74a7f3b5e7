"""A configuration as layers and their calls, each with a line that stands for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from netdsl.diagnostics import Source, Span
from netdsl.importers.frontend import refused

MODELS = ("Functional", "Sequential", "Model")
MAX_DEPTH = 16
MAX_LAYERS = 20_000
TAKEN = ("apply", "buffers", "children", "compile", "cpu", "cuda", "double", "eval", "float",
    "forward", "half", "modules", "parameters", "to", "train", "training", "type")  # fmt: skip
"""What a module of PyTorch has, and a person may well call a layer."""
EXCERPT = 60
"""Characters that are shown of what is no model."""
SHOWN = 8
"""How many settings of a layer a message shows."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A result of a call of a layer: its name, the number of the call, the number of the result."""

    layer: str
    call: int
    result: int


@dataclass(eq=False, slots=True)
class Layer:
    """A layer as its configuration has it; `calls` are the arguments of each call.

    `module` is where its class stands. `model` is what it holds where it is a model itself.
    """

    name: str
    kind: str
    module: str
    config: dict[str, Any]
    span: Span
    calls: list[tuple[list[Any], dict[str, Any]]] = field(default_factory=list[Any])
    model: Model | None = None


@dataclass(eq=False, slots=True)
class Model:
    """Layers in the order of the configuration; one after the other where it is a sequence."""

    name: str
    kind: str
    layers: list[Layer]
    span: Span
    inputs: list[Tensor] = field(default_factory=list[Tensor])
    outputs: list[Tensor] = field(default_factory=list[Tensor])
    names: list[str] = field(default_factory=list[str])
    """What the outputs are called, where they are told apart by names."""
    build_shape: Any = None


def word(name: str) -> str:
    """The name of a layer as a part of a key: no dots, and nothing that a module has already."""
    text = "".join(c if c.isprintable() and c not in '."\\' else "_" for c in name) or "_"
    is_taken = text in TAKEN or (text.startswith("__") and text.endswith("__"))
    return f"{text}_" if is_taken else text


def model_of(data: Any, path: str) -> Model:
    """The model of a configuration. Raises `DiagnosticError`."""
    listing = _Listing(path)
    listing.collect(data, 0)
    return listing.model(data, 0)


@dataclass(slots=True)
class _Listing:
    """A text with a line for each layer, which messages show: the JSON is often one long line."""

    path: str
    lines: list[str] = field(default_factory=list[str])
    numbers: dict[int, int] = field(default_factory=dict[int, int])
    source: Source = field(default_factory=lambda: Source("", ""))

    def collect(self, data: Any, depth: int) -> None:
        """A line for a model or layer, and for those in it."""
        if not isinstance(data, dict) or "class_name" not in data:
            self.source = Source(self.path, json.dumps(data)[:EXCERPT])
            message = "this is no model of Keras: one is an object with `class_name` and `config`"
            self.fail(message, data, help="`model.to_json()` writes one")
        data = cast("dict[str, Any]", data)
        stack: list[tuple[dict[str, Any], int]] = [(data, 0)]
        while stack:
            one, level = stack.pop()
            self.numbers[id(one)] = len(self.lines)
            self.lines.append("    " * level + summary(one))
            config = one.get("config")
            parts = config.get("layers") if isinstance(config, dict) else None
            if isinstance(parts, list) and level < MAX_DEPTH:
                inner = [part for part in cast("list[Any]", parts) if isinstance(part, dict)]
                stack += [(part, level + 1) for part in reversed(inner)]
            if len(self.lines) > MAX_LAYERS:
                break
        self.source = Source(self.path, "\n".join(self.lines) + "\n")
        if len(self.lines) > MAX_LAYERS:
            message = f"the model has more than {MAX_LAYERS:,} layers"
            raise refused(message, self.span(data), code="too-many-layers")

    def span(self, data: Any) -> Span:
        """The line of a model or layer; the first for what has none."""
        number = self.numbers.get(id(data), 0)
        start = self.source.line_starts[number]
        line = self.source.line(number + 1) if self.lines else ""
        indent = len(line) - len(line.lstrip())
        return Span(self.source, start + indent, start + len(line))

    def fail(self, message: str, data: Any, *, help: str = "", code: str = "") -> NoReturn:
        raise refused(message, self.span(data), code=code or "not-importable", help=help)

    # --- models

    def model(self, data: Any, depth: int) -> Model:
        if depth > MAX_DEPTH:
            self.fail(f"models are nested more than {MAX_DEPTH} deep", data, code="too-deep")
        kind, config = data.get("class_name"), data.get("config")
        if kind not in MODELS or not isinstance(config, dict):
            message = f"`{str(kind)[:40]}` is no model of layers: only {' and '.join(MODELS[:2])}"
            help = "a class of your own holds Python code, which is not run"
            self.fail(f"{message} are read", data, help=help)
        config = cast("dict[str, Any]", config)
        parts = config.get("layers")
        if not isinstance(parts, list) or not parts:
            self.fail("the model has no layers", data)
        layers = [self.layer(one, depth) for one in cast("list[Any]", parts)]
        is_sequence = kind == "Sequential"
        known: dict[str, Layer] = {}
        for layer in layers:
            other = known.setdefault(word(layer.name), layer)
            if other is not layer:
                names = " and ".join(f"`{one.name[:40]}`" for one in (other, layer))
                raise refused(f"{names} are one name in a key", layer.span)
        result = Model(
            str(config.get("name") or "model"), "Sequential" if is_sequence else "Functional",
            layers, self.span(data), build_shape=config.get("build_input_shape"),
        )  # fmt: skip
        if not is_sequence:
            result.inputs = self.ends(config.get("input_layers"), data, "input_layers")[0]
            result.outputs, result.names = self.ends(
                config.get("output_layers"), data, "output_layers"
            )
        return result

    def layer(self, data: Any, depth: int) -> Layer:
        if not isinstance(data, dict):
            self.fail("a layer is an object with `class_name` and `config`", data)
        data = cast("dict[str, Any]", data)
        kind, config = data.get("class_name"), data.get("config")
        if not isinstance(kind, str) or not isinstance(config, dict):
            self.fail("a layer is an object with `class_name` and `config`", data)
        config = cast("dict[str, Any]", config)
        name = data.get("name") or config.get("name")
        if not isinstance(name, str):
            self.fail("the layer has no name", data)
        layer = Layer(name, kind, str(data.get("module")), config, self.span(data))
        nodes = data.get("inbound_nodes", [])
        if not isinstance(nodes, list):
            self.fail("`inbound_nodes` is no list", data)
        for node in cast("list[Any]", nodes):
            layer.calls.append(self.call(node, data))
        if kind in MODELS:
            layer.model = self.model(data, depth + 1)
        return layer

    def call(self, node: Any, data: Any) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call, tensors among them."""
        if isinstance(node, list):
            help = "load it with Keras 3 and write it again with `model.to_json()`"
            self.fail("this was written by Keras 2", data, help=help)
        args, kwargs = (node.get("args"), node.get("kwargs")) if isinstance(node, dict) else (0, 0)
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            self.fail("a node has `args` and `kwargs`", data)
        named = cast("dict[str, Any]", kwargs)
        positional = [self.argument(one, data, 0) for one in cast("list[Any]", args)]
        return positional, {key: self.argument(one, data, 0) for key, one in named.items()}

    def argument(self, value: Any, data: Any, depth: int) -> Any:
        """An argument with its tensors read; lists as lists."""
        if depth > MAX_DEPTH:
            self.fail("the arguments are nested too deep", data)
        if isinstance(value, list):
            parts = cast("list[Any]", value)
            return [self.argument(one, data, depth + 1) for one in parts]
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            config = cast("dict[str, Any]", value).get("config")
            history = config.get("keras_history") if isinstance(config, dict) else None
            return self.tensor(history, data)
        return value

    def tensor(self, history: Any, data: Any) -> Tensor:
        match history:
            case [str() as name, int() as call, int() as result]:
                return Tensor(name, call, result)
            case _:
                self.fail("a tensor is told by a layer and two numbers", data)

    def ends(self, value: Any, data: Any, what: str) -> tuple[list[Tensor], list[str]]:
        """The tensors that go in or come out, and their names where they have some."""
        names: list[str] = []
        if isinstance(value, dict):
            named = cast("dict[str, Any]", value)
            names, value = list(named), list(named.values())
        if not isinstance(value, list) or not value:
            self.fail(f"the model has no `{what}`", data)
        parts = cast("list[Any]", value)
        if isinstance(parts[0], str):
            parts = [parts]
        return [self.tensor(one, data) for one in parts], names


def summary(data: dict[str, Any]) -> str:
    """A layer in a line: `conv1: Conv2D(filters=64, kernel_size=[7, 7])`."""
    config = data.get("config")
    settings = cast("dict[str, Any]", config) if isinstance(config, dict) else {}
    name = data.get("name") or settings.get("name") or "?"
    plain = [
        f"{key}={value}"
        for key, value in settings.items()
        if key not in ("name", "trainable", "dtype", "layers")
        and (isinstance(value, int | float | str) or _is_short(value))
    ]
    text = f"{name}: {data.get('class_name')}({', '.join(plain[:SHOWN])})"
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:160]


def _is_short(value: Any) -> bool:
    if not isinstance(value, list) or len(cast("list[Any]", value)) > 4:
        return False
    return all(isinstance(one, int | list) for one in cast("list[Any]", value))
