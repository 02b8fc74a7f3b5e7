"""A checked network, as the Python API gives it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from netdsl.analyses.cost import Summary, summarise
from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.ir.graph import Graph, Input, Output

if TYPE_CHECKING:
    import onnx
    from torch import nn

    from netdsl.backends.weights.checkpoint import Rename


class Network:
    """A network that has been checked: its shapes, its sizes, its cost, its PyTorch module.

    `graph` is the network as the compiler knows it; `warnings` are what it remarked.
    """

    def __init__(self, graph: Graph, warnings: tuple[Diagnostic, ...] = ()) -> None:
        self.graph = graph
        self.warnings = warnings

    @property
    def name(self) -> str:
        return self.graph.name

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The inputs in order, each with `.name`, `.shape` (without the batch) and `.dtype`."""
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs in order; `.when_training` tells those of training mode."""
        return self.graph.outputs

    @cached_property
    def sizes(self) -> Sizes:
        """The sizes it takes: `str(sizes)`, `sizes.accepts(H=224, W=224)`."""
        return sizes_of(self.graph)

    def summary(self) -> Summary:
        """Parameters and multiply-adds, layer by layer."""
        return summarise(self.graph)

    def torch_source(self, *, init: str = "pytorch") -> str:
        """PyTorch source that needs torch only; `init` as for `torch`. Raises `DiagnosticError`."""
        from netdsl.backends.torch.source import torch_source

        return torch_source(self.graph, init)

    def torch(
        self,
        seed: int | None = None,
        weights: object = None,
        *,
        rename: Rename | None = None,
        init: str = "pytorch",
    ) -> nn.Module:
        """A module that runs that very source, its weights drawn as PyTorch does.

        `weights` and `rename` as for `export`. `init` is how weights are drawn that the file says
        nothing of: a word of the layers' `init=` (`kaiming_normal`), or one of torchvision's
        models (`resnet`, `densenet`). Raises `DiagnosticError` for weights that are not
        the network's, `ValueError` for an unknown `init`, `ModuleNotFoundError` where torch is
        not installed.
        """
        from netdsl.backends.torch.load import torch_module
        from netdsl.backends.weights.numbers import weights_of

        if weights is None:
            return torch_module(self.graph, seed, init=init)
        found = weights_of(self.graph, weights, rename=rename)
        return torch_module(self.graph, seed, found, init)

    def check_weights(
        self, weights: object, *, rename: Rename | None = None
    ) -> tuple[Diagnostic, ...]:
        """What keeps weights from loading into this network by name; none if nothing does.

        `weights` and `rename` as for `export`. Of a `.safetensors` file only the header is read,
        without torch.
        """
        from netdsl.backends.weights.checkpoint import opened
        from netdsl.backends.weights.fit import fit

        try:
            return tuple(fit(self.graph, opened(weights), rename))
        except DiagnosticError as error:
            return error.diagnostics

    def onnx(
        self,
        weights: object = None,
        *,
        seed: int = 0,
        opset: int = 18,
        batch: int | None = None,
        half: bool = False,
        guard: bool = False,
        rename: Rename | None = None,
        init: str = "pytorch",
        names: Mapping[str, str] | None = None,
    ) -> onnx.ModelProto:
        """The network as an ONNX model in memory; parameters and errors as for `export`.

        Raises `ModuleNotFoundError` where onnx is not installed.
        """
        from netdsl.backends.onnx.export import Options, onnx_proto

        options = Options(opset, batch, half, guard, None, rename, init, names or {})
        return onnx_proto(self.graph, weights, seed, options)

    def export(
        self,
        path: str | Path,
        weights: object = None,
        *,
        seed: int = 0,
        opset: int = 18,
        batch: int | None = None,
        half: bool = False,
        guard: bool = False,
        external: bool | None = None,
        rename: Rename | None = None,
        init: str = "pytorch",
        names: Mapping[str, str] | None = None,
    ) -> list[Path]:
        """Write an ONNX file that runs at every size of the contract; returns the files written.

        `weights` are a `state_dict`, a module, or the path of a `.safetensors`, `.pt` or `.pth`
        file; without them they are drawn as `init` says (see `torch`), by `seed`. With `rename`, a
        pair (old, new), only the keys that begin with `old` are read, with `new` in its place.
        `batch` fixes the number of samples, `half` computes in float16, `guard` makes a run at a
        size outside of the contract fail, `external` puts the weights in a file beside (None:
        where one file can't hold them), `names` renames inputs and outputs.
        Raises `DiagnosticError`, also for wrong weights; `ValueError` for wrong options, `OSError`.
        """
        from netdsl.backends.onnx.export import Options, export_onnx

        options = Options(opset, batch, half, guard, external, rename, init, names or {})
        return export_onnx(self.graph, Path(path), weights, seed, options)

    def __repr__(self) -> str:
        return f"<Network {self.name}: {self.summary().totals()}>"
