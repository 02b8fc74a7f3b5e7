"""The numbers of every weight of a network, from a checkpoint that fits it, or drawn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netdsl.backends.weights.checkpoint import opened
from netdsl.backends.weights.fit import fit, wanted_weights
from netdsl.backends.weights.initial import drawn
from netdsl.backends.weights.narrow import narrowed
from netdsl.backends.weights.renaming import Rename
from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.ir.graph import Graph, WeightSpec
from netdsl.ops.initial import PYTORCH, initial, policy

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Weights:
    """Arrays by key, one at a time: nothing is held that has been written.

    `lacks` are keys that the source may do without (counters of batches). `remarks` tells
    what got lost in narrower types.
    """

    def __init__(
        self, graph: Graph, read: Callable[[WeightSpec], Array], lacks: Collection[str] = ()
    ) -> None:
        self._graph, self._read, self._lacks = graph, read, lacks
        self._wanted = wanted_weights(graph)
        self._remarks: dict[tuple[str, str], list[Diagnostic]] = {}

    def array(self, spec: WeightSpec) -> Array:
        """The numbers of a weight; `spec` has its whole key, and the type wanted.

        Raises `DiagnosticError` for numbers that this type has not.
        """
        import numpy as np

        wanted = self._wanted.get(spec.key)
        span = None if wanted is None else wanted.span
        read = np.asarray(self._read(spec)).reshape(spec.shape)
        numbers, remarks = narrowed(read, spec.dtype, spec.key, span)
        self._remarks[spec.key, spec.dtype] = remarks
        return numbers.reshape(spec.shape)

    def remarks(self) -> list[Diagnostic]:
        """Warnings of the numbers that have been asked for."""
        return [diagnostic for remarks in self._remarks.values() for diagnostic in remarks]

    def all(self) -> Iterator[tuple[str, Array]]:
        """Every weight there is, by its key in `state_dict()`."""
        for key, wanted in self._wanted.items():
            if key not in self._lacks:
                yield key, self.array(replace(wanted.spec, key=key))


def weights_of(
    graph: Graph,
    source: object = None,
    seed: int = 0,
    rename: Rename | None = None,
    init: str = PYTORCH,
) -> Weights:
    """The weights of a network.

    `source` is a `state_dict`, a module, the path of a `.safetensors`, `.pt` or `.pth` file, or
    None: then they are drawn from the distributions of the policy `init`, by `seed`. `rename` is
    for `fit`. Raises `ValueError` for an unknown policy, `DiagnosticError` if a file can't be
    read or its weights are not the network's.
    """
    if source is None:
        rules = policy(init)
        specs = {
            layer.key(spec): replace(spec, key=layer.key(spec))
            for layer in graph.layers()
            for spec in initial(layer, rules)
        }
        return Weights(graph, lambda spec: drawn(specs[spec.key], seed))
    checkpoint = opened(source)
    wrong = [d for d in fit(graph, checkpoint, rename) if d.is_error]
    if wrong:
        raise DiagnosticError(wrong)
    taken = checkpoint.renamed(rename)
    lacks = wanted_weights(graph).keys() - taken.held.keys()
    return Weights(graph, lambda spec: taken.read(spec.key), lacks)
