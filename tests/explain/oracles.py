"""Counts by brute force in PyTorch: links by gradients, weights by modules, depth by autograd's graph."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import nn

from netdsl.ir.graph import Graph, Node, Value
from netdsl.ops.recipe import TorchModule, TorchWeight
from netdsl.ops.tables import gives_tables, types_of
from tests.ops.realise import make_module, realise

MULTIPLIES = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d,
              nn.ConvTranspose3d, nn.Linear)  # fmt: skip
TURNED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
MEANS = {nn.MaxPool1d: nn.AvgPool1d, nn.MaxPool2d: nn.AvgPool2d, nn.MaxPool3d: nn.AvgPool3d}
FLAT = (nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Tanh)


class Ran:
    """A network run layer by layer, with a batch of one; `tensors` has what each value was.

    As a surrogate every weight is positive, maxima are means and activations do nothing, so that a
    gradient is zero only where nothing is read.
    """

    def __init__(self, graph: Graph, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.graph = graph
        self.modules: dict[Node, nn.Module] = {}
        self.calls: dict[Node, Callable[..., Any]] = {}
        self.tensors: dict[Value, Any] = {}
        for item in graph.inputs:
            shape = (1, *item.shape)
            numbers = torch.rand(shape) + 0.5 if item.value.type.is_float else torch.zeros(shape)
            self.tensors[item.value] = numbers.to(getattr(torch, item.dtype))
        for node in graph.nodes():
            self._run(node)

    def _run(self, node: Node) -> None:
        recipe = node.op.torch(*types_of(node))  # type: ignore[attr-defined]
        if isinstance(recipe, TorchWeight):
            self.tensors[node.output] = torch.rand(recipe.shape.value) + 0.5  # type: ignore[arg-type]
            return
        module = make_module(recipe) if isinstance(recipe, TorchModule) else None
        if module is not None:
            module.eval()
            for parameter in module.parameters():
                parameter.data.uniform_(0.5, 1.5)
            self.modules[node] = module
        self.calls[node] = surrogate(module) or realise(recipe, module)
        results = self.calls[node](*(self.tensors[v] for v in node.inputs))
        results = list(results) if isinstance(results, tuple | list) else [results]
        results = [r[0] for r in results] if gives_tables(node) else results
        self.tensors |= dict(zip(node.outputs, results, strict=True))

    def shape(self, value: Value) -> tuple[int, ...]:
        """Without the batch."""
        return tuple(self.tensors[value].shape[1:])

    def links(self, node: Node) -> Any:
        """A row for each neuron, a column for each value of the first input: whether it reads it."""
        x = self.tensors[node.inputs[0]].detach()
        others = [self.tensors[v] for v in node.inputs[1:]]

        def first(x: Any) -> Any:
            result = self.calls[node](x, *others)
            return (result[0] if isinstance(result, tuple) else result)[0].flatten()

        jacobian = torch.autograd.functional.jacobian(first, x, vectorize=True)
        return jacobian.flatten(1) != 0

    def sees(self, value: Value, index: tuple[Any, ...]) -> dict[str, Any]:
        """Which numbers of each input a number of a value depends on (with slices: some numbers)."""
        for item in self.graph.inputs:
            self.tensors[item.value] = self.tensors[item.value].detach().requires_grad_()
        for node in self.graph.nodes():
            if node in self.calls:
                results = self.calls[node](*(self.tensors[v] for v in node.inputs))
                results = list(results) if isinstance(results, tuple | list) else [results]
                self.tensors |= dict(zip(node.outputs, results, strict=True))
        total = self.tensors[value][(0, *index)].sum()
        inputs = [self.tensors[item.value] for item in self.graph.inputs]
        grads = torch.autograd.grad(total, inputs, allow_unused=True)
        return {
            item.name: torch.zeros(item.shape, dtype=torch.bool) if grad is None else grad[0] != 0
            for item, grad in zip(self.graph.inputs, grads, strict=True)
        }

    def macs(self, node: Node) -> int:
        """Multiply-adds of a convolution or a linear layer."""
        module = self.modules.get(node)
        if not isinstance(module, MULTIPLIES):
            return 0
        x, y = self.tensors[node.inputs[0]], self.tensors[node.output]
        if isinstance(module, nn.Linear):
            return x.numel() * module.out_features
        weight: Any = module.weight
        return (x if isinstance(module, TURNED) else y).numel() * prod(weight.shape[1:])

    def parameters(self, node: Node, name: str = "") -> int:
        """All parameters of a layer, or those whose name ends so."""
        module = self.modules.get(node)
        own = module.named_parameters() if module is not None else []
        return sum(p.numel() for key, p in own if key.endswith(name))


def surrogate(module: nn.Module | None) -> Callable[..., Any] | None:
    """What reads the same and has a gradient everywhere; None: the layer itself does."""
    if isinstance(module, FLAT):
        return lambda x: x * 2
    mean = MEANS.get(type(module))  # type: ignore[arg-type]
    if mean is None or module.dilation not in (1, (1, 1), (1, 1, 1)):  # type: ignore[union-attr]
        return None
    return mean(
        module.kernel_size, module.stride, module.padding, module.ceil_mode, count_include_pad=False
    )  # type: ignore[union-attr]


MULTIPLIED = ("ConvolutionBackward", "AddmmBackward", "MmBackward", "BmmBackward")


def depth(output: Any) -> int:
    """The most convolutions and matrix products on a way back through autograd's graph."""
    best: dict[Any, int] = {}
    stack = [(output.grad_fn, False)]
    while stack:
        step, is_done = stack.pop()
        if step is None or step in best:
            continue
        before = [f for f, _ in step.next_functions if f is not None]
        if not is_done:
            stack.append((step, True))
            stack += [(f, False) for f in before]
            continue
        is_one = type(step).__name__.startswith(MULTIPLIED)
        best[step] = is_one + max((best.get(f, 0) for f in before), default=0)
    return best[output.grad_fn]


def layers(module: nn.Module) -> int:
    """Convolutions and linear layers."""
    return sum(isinstance(part, MULTIPLIES) for part in module.modules())


def saved(module: nn.Module, inputs: list[Any]) -> int:
    """Bytes of the storages that autograd keeps of a forward pass of training; weights left out."""
    own = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = module.train()(*inputs)  # noqa: F841 - it holds what is kept
        return sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in own)
