"""Recurrent layers in ONNX: PyTorch's weights put into the order of its operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdsl.ops.lowering import Lowering, OnnxAttribute, OnnxValue

TIME_FIRST = (1, 0, 2)


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers of a recurrent operator of ONNX one upon the other.

    `gates` are those of the operator, by their numbers in PyTorch's matrices; `states` is how
    many states go from step to step.
    """

    operator: str
    gates: tuple[int, ...]
    states: int
    layers: int
    directions: int
    hidden: int
    has_bias: bool

    def write(
        self, to: Lowering, starts: Sequence[OnnxValue], **settings: OnnxAttribute
    ) -> tuple[OnnxValue, ...]:
        """The result [N, T, directions * hidden], and the last states of all layers."""
        x = to.transpose(to.inputs[0], *TIME_FIRST)
        steps, samples, _ = x.shape
        width = self.directions * self.hidden
        begin = [self._by_layer(to, start) for start in starts]
        ends: list[list[OnnxValue]] = []
        y = x
        for layer in range(self.layers):
            if layer:
                x = to.reshape(to.transpose(y, 0, 2, 1, 3), (steps, samples, width))
            given: list[OnnxValue | None] = [x, *self._weights(to, layer)]
            if begin:
                given += [None, *(states[layer] for states in begin)]
            y, *last = to.split(
                self.operator,
                given,
                [
                    (steps, self.directions, samples, self.hidden),
                    *[(self.directions, samples, self.hidden)] * self.states,
                ],
                None,
                hidden_size=self.hidden,
                direction="bidirectional" if self.directions > 1 else "forward",
                **settings,
            )
            ends.append(last)
        y = to.reshape(to.transpose(y, 2, 0, 1, 3), (samples, steps, width))
        return (y, *(self._of_samples(to, states) for states in zip(*ends, strict=True)))

    def _by_layer(self, to: Lowering, start: OnnxValue) -> Sequence[OnnxValue]:
        """States [N, layers * directions, hidden] as each layer takes them."""
        turned = to.transpose(start, *TIME_FIRST)
        if self.layers == 1:
            return (turned,)
        shape = (self.directions, *turned.shape[1:])
        sizes = to.ints(*[self.directions] * self.layers)
        return to.split("Split", [turned, sizes], [shape] * self.layers, axis=0)

    def _of_samples(self, to: Lowering, states: Sequence[OnnxValue]) -> OnnxValue:
        """The last states of all layers, [N, layers * directions, hidden]."""
        shape = (self.layers * self.directions, *states[0].shape[1:])
        together = to.node("Concat", states, shape, axis=0) if self.layers > 1 else states[0]
        return to.transpose(together, *TIME_FIRST)

    def _weights(self, to: Lowering, layer: int) -> tuple[OnnxValue | None, ...]:
        """Both matrices of a layer, and both biases as one."""
        matrices = (self._both_ways(to, (key,), layer) for key in ("weight_ih", "weight_hh"))
        bias = self._both_ways(to, ("bias_ih", "bias_hh"), layer) if self.has_bias else None
        return (*matrices, bias)

    def _both_ways(self, to: Lowering, keys: Sequence[str], layer: int) -> OnnxValue:
        """[directions, gates * hidden, ..] of some weights, one behind the other."""
        ways: list[OnnxValue] = []
        for ending in ("", "_reverse")[: self.directions]:
            parts = [self._ordered(to, to.weight(f"{key}_l{layer}{ending}")) for key in keys]
            rows, *rest = parts[0].shape
            shape = (rows * len(parts), *rest)
            joined = to.node("Concat", parts, shape, axis=0) if len(parts) > 1 else parts[0]
            ways.append(to.node("Unsqueeze", [joined, to.ints(0)], (1, *shape)))
        if len(ways) == 1:
            return ways[0]
        return to.node("Concat", ways, (len(ways), *ways[0].shape[1:]), axis=0)

    def _ordered(self, to: Lowering, weight: OnnxValue) -> OnnxValue:
        """A weight with its gates in the order of the operator."""
        count = len(self.gates)
        if self.gates == tuple(range(count)):
            return weight
        sizes = to.ints(*[self.hidden] * count)
        shape = (self.hidden, *weight.shape[1:])
        parts = to.split("Split", [weight, sizes], [shape] * count, axis=0)
        return to.node("Concat", [parts[gate] for gate in self.gates], weight.shape, axis=0)
