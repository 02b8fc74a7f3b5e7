"""Programs to recover: from the graphs of networks, and by a few words."""

from __future__ import annotations

import ast
from fractions import Fraction
from itertools import combinations
from random import Random
from typing import Any

from netdsl.diagnostics import Source, Span
from netdsl.importers.program import (
    Axis,
    Call,
    Computed,
    Input,
    Output,
    Program,
    Region,
    Setting,
    Table,
    Value,
)
from netdsl.ir import graph as ir
from netdsl.ir.dim import Dim, evaluate
from netdsl.ir.graph import Graph, Kind, Node, Scope
from netdsl.ops.params import FromValue
from netdsl.ops.source import Weight

SOURCE = Source("source", "one\n")
HERE = Span(SOURCE, 0, 3)
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "//", ast.FloorDiv: "//",
             ast.Mod: "%"}  # fmt: skip


class FromGraph:
    """The program that a front end would give for a network; without regions if `is_flat`."""

    def __init__(self, graph: Graph, *, is_flat: bool = False, size: int = 224) -> None:
        self.graph, self.is_flat = graph, is_flat
        self.sizes = dict.fromkeys(graph.symbols, size)
        self.values: dict[ir.Value, Value] = {}
        self.symbols: dict[str, Axis] = {}

    def program(self) -> Program:
        graph = self.graph
        inputs = [self.input(one) for one in graph.inputs]
        root = Region((), graph.name, HERE)
        self.fill(root, graph.root)
        outputs = [
            Output(one.name, self.values[one.value], HERE, one.when_training)
            for one in graph.outputs
        ]
        root.inputs = [one.value for one in inputs]
        root.outputs = [one.value for one in outputs]
        return Program(graph.name, root, inputs, outputs, graph.doc)

    def input(self, one: ir.Input) -> Input:
        value = self.value(one.value)
        shape: list[int | str] = []
        for axis, size in enumerate(one.shape):
            if isinstance(size, int):
                shape.append(size)
                continue
            shape.append(str(size))
            self.symbols.setdefault(str(size), Axis(value, axis))
        return Input(one.name, value, tuple(shape), HERE)

    def value(self, value: ir.Value) -> Value:
        if value not in self.values:
            shape = tuple(
                s if isinstance(s, int) else int(evaluate(s, self.sizes)) for s in value.type.shape
            )
            self.values[value] = Value("", shape, value.type.dtype)
        return self.values[value]

    def fill(self, region: Region, scope: Scope) -> None:
        for child in scope.children:
            if isinstance(child, Node) and self.passes(child):
                self.values[child.output] = self.value(child.inputs[0])
            elif isinstance(child, Node):
                region.items.append(self.item(child))
            elif child.label and not self.is_flat:
                region.items.append(self.region(child))
            else:
                self.fill(region, child)

    def passes(self, node: Node) -> bool:
        """Whether it is one of the stages that only the language has."""
        is_alone = node.op.name in ("add", "concat") and len(node.inputs) == 1
        return node.op.name == "identity" or (is_alone and node.inputs[0].type == node.output.type)

    def region(self, scope: Scope) -> Region:
        is_block = scope.kind is Kind.BLOCK
        inner = Region(tuple(scope.path.split(".")), scope.definition if is_block else "", HERE)
        inner.is_sequence = not is_block
        if is_block:
            inner.inputs = [self.value(v) for v in scope.inputs]
            inner.input_names = list(scope.input_names)
            inner.settings = {name: one.value for name, one in scope.arguments.items()}
            inner.doc = scope.doc
        self.fill(inner, scope)
        inner.outputs = [self.value(v) for v in scope.outputs]
        return inner

    def item(self, node: Node) -> Call | Table:
        if isinstance(node.op, Weight):
            op = node.op
            fill = op.fill if isinstance(op.fill, int | float) else str(op.fill)
            if isinstance(op.fill, tuple):
                fill = list(op.fill)
            kind = "" if op.kind == "learned" else op.kind
            value = self.value(node.outputs[0])
            return Table(value, tuple(node.path.split(".")), op.shape, HERE, kind, fill)
        op: Any = node.op
        settings = {
            part.name: self.setting(value, node, part.kind.name.startswith(("[", "shape")))
            for part, value in op.settings()
            if value is not None
        }
        inputs = node.inputs[: len(node.inputs) - op.named_inputs()]
        path = tuple(node.path.split(".")) if node.layer.weights else ()
        return Call(
            op.name,
            settings,
            [self.value(v) for v in inputs],
            [self.value(v) for v in node.outputs],
            HERE,
            path,
        )

    def setting(self, value: object, node: Node, is_list: bool = False) -> Setting:
        if isinstance(value, FromValue):
            return self.value(node.inputs[value.index])
        if isinstance(value, Dim):
            return self.near(value, node) or self.size(value)
        if isinstance(value, Fraction):
            return int(value) if value.denominator == 1 else float(value)
        if isinstance(value, tuple | list):
            parts = [self.setting(one, node) for one in value]
            return parts if is_list else tuple(parts)  # type: ignore[return-value]
        return value  # type: ignore[return-value]

    def near(self, dim: Dim, node: Node) -> Setting | None:
        """The size as that of a value close by: of what flows into the block, or the node."""
        home = node.scope.home()
        for value in (*home.inputs, *node.inputs):
            for axis, size in enumerate(value.type.shape):
                if size == dim:
                    return Axis(self.value(value), axis)
        for value in (*home.inputs, *node.inputs):
            axes = [a for a, size in enumerate(value.type.shape) if isinstance(size, Dim)]
            for a, b in combinations(axes, 2):
                if value.type.shape[a] * value.type.shape[b] == dim:
                    one = self.value(value)
                    return Computed("*", (Axis(one, a), Axis(one, b)))
        return None

    def size(self, dim: Dim) -> Setting:
        return self.formula(ast.parse(str(dim), mode="eval").body)

    def formula(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return self.symbols[name]
            case ast.BinOp(left, operator, right):
                sides = (self.formula(left), self.formula(right))
                return Computed(OPERATORS[type(operator)], sides)
            case ast.Call(ast.Name(name), parts):
                if name == "floor":
                    return self.formula(parts[0])
                return Computed(name, tuple(map(self.formula, parts)))
            case ast.UnaryOp(_, operand):
                return Computed("-", (0, self.formula(operand)))
        raise NotImplementedError(ast.dump(node))


class RandomProgram:
    """A program of random wiring: maps of 8 channels that meet, in regions within regions."""

    def __init__(self, seed: int, length: int = 14) -> None:
        self.random = Random(seed)
        self.length = length
        self.count = 0

    def program(self) -> Program:
        image = Value("image", (8, 16, 16))
        root = Region((), "Net", HERE, inputs=[image])
        values = [image]
        self.fill(root, values, self.length, 0)
        random = self.random
        last = values[-1]
        others = random.sample(values[1:-1], min(len(values) - 2, random.choice((0, 0, 1, 2))))
        outputs = [Output(f"out{n}", v, HERE) for n, v in enumerate([last, *others])]
        random.shuffle(outputs)
        root.outputs = [one.value for one in outputs]
        where = [Input("image", image, (8, "H", "W"), HERE)]
        return Program("Net", root, where, outputs)

    def fill(self, region: Region, values: list[Value], length: int, depth: int) -> None:
        random = self.random
        while length > 0:
            if depth < 3 and length > 2 and random.random() < 0.25:
                size = random.randint(2, length)
                self.region(region, values, size, depth)
                length -= size
            else:
                region.items.append(self.call(region, values))
                length -= 1

    def region(self, around: Region, values: list[Value], size: int, depth: int) -> None:
        random = self.random
        label = random.choice((f"part{self.count}", str(self.count), "block-" + str(self.count)))
        self.count += 1
        kind = random.choice(("", "", "Unit", "Cell"))
        inner = Region((*around.path, label), kind, HERE)
        start = len(values)
        local = values if random.random() < 0.3 else values[-1:]
        self.fill(inner, local, size, depth + 1)
        if local is not values:
            values += local[1:] if random.random() < 0.3 else local[-1:]
        inner.outputs = values[start:]
        around.items.append(inner)

    def call(self, region: Region, values: list[Value]) -> Call:
        random = self.random
        kind = random.choice(("conv", "conv", "batchnorm", "relu", "add", "add", "concat", "up"))
        self.count += 1
        label = (str(len(region.items)) if random.random() < 0.5 else f"layer{self.count}",)
        result = Value("", (8, 16, 16))
        last = values[-1]
        if kind == "conv":
            settings: dict[str, Setting] = {
                "channels": 8, "kernel": random.choice((1, 3)), "padding": 0,
            }  # fmt: skip
            settings["padding"] = (settings["kernel"] == 3) * 1
            call = Call(kind, settings, [last], [result], HERE, (*region.path, *label))
        elif kind == "batchnorm":
            call = Call(kind, {}, [last], [result], HERE, (*region.path, *label))
        elif kind in ("add", "concat"):
            several = [last, *random.sample(values, random.randint(1, min(2, len(values))))]
            call = Call("add" if kind == "add" else "mul", {}, several, [result], HERE)
        elif kind == "up":
            call = Call("upsample", {"size": random.choice(values)}, [last], [result], HERE)
        else:
            call = Call("relu", {}, [last], [result], HERE)
        values.append(result)
        return call
