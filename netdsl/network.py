"""A checked network, as the Python API gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, cast

from netdsl.analyses.cost import Summary, count_parameters, summarise
from netdsl.analyses.fitting import fitting
from netdsl.analyses.receptive_field import ReceptiveFields
from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.files import check_not_read, write_whole
from netdsl.ir.fitting import CORNER, PAD, Fitting
from netdsl.ir.graph import Graph, Input, Output, Value
from netdsl.ops.base import Op, Tensors
from netdsl.ops.initial import PYTORCH
from netdsl.ops.plugins import is_ours, layer_files
from netdsl.passes.fit import fit
from netdsl.running import Reading, reader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import onnx
    from torch import nn

    from netdsl.backends.diagram import options as diagram
    from netdsl.backends.onnx import options as onnx_file
    from netdsl.backends.onnx.export import Review
    from netdsl.backends.onnx.verify import Trial
    from netdsl.backends.serving.box import Wishes
    from netdsl.backends.weights.renaming import Rename
    from netdsl.explaining import Report
    from netdsl.importers.frontend import Origin


class Network:
    """A network that has been checked: its shapes, its sizes, its cost, its PyTorch module.

    `graph` is the network as the compiler knows it; `warnings` are what it remarked; `sources`
    the files it was read from, plug-ins included; `source` its text in the language, empty where
    it was made in Python. `origin` is what came from a source of another format, if it
    was imported: weights by key, remarks, and what runs the source itself.
    """

    def __init__(
        self,
        graph: Graph,
        warnings: tuple[Diagnostic, ...] = (),
        sources: tuple[Path, ...] = (),
        source: str = "",
        origin: Origin | None = None,
    ) -> None:
        self.graph = graph
        self.warnings = warnings
        self.source, self.origin = source, origin
        self._sources = sources

    @property
    def name(self) -> str:
        return self.graph.name

    @cached_property
    def sources(self) -> tuple[Path, ...]:
        """The files it was read from: the net, what it uses, plug-ins and their helpers."""
        foreign = [n for n in self.graph.nodes() if not is_ours(type(n.op))]
        recipes = (cast(Op, n.op).torch(_types(n.inputs), _types(n.outputs)) for n in foreign)
        named = [getattr(recipe, "helper", "") for recipe in recipes]
        helpers = {Path(name) for name in named if name.endswith(".py")}
        return tuple({*self._sources, *layer_files(type(n.op) for n in foreign), *helpers})

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

    @property
    def parameters(self) -> int:
        """The number of all parameters, training-only heads included."""
        return sum(map(count_parameters, self.graph.layers()))

    @cached_property
    def receptive_fields(self) -> ReceptiveFields:
        """What each value sees of each input: `fields.of(network.outputs[0].value)["image"]`."""
        return ReceptiveFields(self.graph)

    def summary(self, depth: int | None = None) -> Summary:
        """What each layer holds and costs; with `depth` 1 a row for each block of the net.

        Raises `ValueError` for a depth below 1.
        """
        if depth is not None and depth < 1:
            raise ValueError(f"a depth is at least 1, not {depth}")
        return summarise(self.graph, depth)

    def explain(
        self,
        place: str = "",
        *,
        sizes: Mapping[str, int] | None = None,
        to: Mapping[str, int] | None = None,
        batch: int = 1,
        machine: tuple[float, float] | None = None,
        weights: object = None,
        rename: Rename | None = None,
        inputs: Mapping[str, np.ndarray] | None = None,
    ) -> Report:
        """What the network, or a place in it, is and costs, in numbers.

        `place` is the path of a block or a layer, the name of an input or of a value, or a neuron
        (`conv[0,2,4]`). `sizes` are numbers for all open sizes, `to` others that the network is
        compared at, `machine` GB/s and TFLOP/s. With `weights` and `rename` (as for `torch`) and
        `inputs`, an array without a batch for each, the report of a neuron has its products.
        Raises `ValueError` for a place or sizes that are not there, `DiagnosticError` for weights
        that are not the network's.
        """
        from netdsl.explaining import Asked, explain

        module = self.torch(weights=weights, rename=rename) if inputs is not None else None
        return explain(self.graph, place, Asked(sizes, to, batch, machine, module, inputs))

    def fitting(self, how: str = PAD, fill: str = "zeros", align: str = CORNER) -> Fitting:
        """The rule of `padded`: which size each size is brought to, what is kept of outputs.

        Parameters and errors as for `padded`.
        """
        return fitting(self.graph, how, fill, align)

    def padded(self, how: str = PAD, *, fill: str = "zeros", align: str = CORNER) -> Network:
        """The network for inputs of any size, with the same weights by the same keys.

        `how` brings an input to a size that the network takes: `pad`, to the nearest size above;
        `crop`, to the nearest below; `resize`, to the nearest above, by interpolation. Cells are
        added with `zeros`, the image mirrored (`reflect`) or its border (`edge`), behind the last
        row and column, or with `align="center"` on all sides. Outputs whose axes follow those of
        the input are cut, or resized, to the size that belongs to the input. Raises `FitError`
        where no formula of the sizes does it.
        """
        graph = fit(self.graph, self.fitting(how, fill, align))
        origin = None
        if self.origin is not None:
            origin = replace(self.origin, runs=None)
        return Network(graph, self.warnings, self.sources, origin=origin)

    def torch_source(self, *, init: str = PYTORCH) -> str:
        """PyTorch source that needs torch only; `init` as for `torch`. Raises `DiagnosticError`."""
        from netdsl.backends.torch.source import torch_source

        return torch_source(self.graph, init)

    def torch(
        self,
        seed: int | None = None,
        weights: object = None,
        *,
        rename: Rename | None = None,
        init: str = PYTORCH,
    ) -> nn.Module:
        """A module that runs that very source, its weights drawn as PyTorch does.

        `weights` and `rename` as for `export`. `init` is how weights are drawn that the file says
        nothing of: a word of the layers' `init=` (`kaiming_normal`), or one of torchvision's
        models (`resnet`, `densenet`). Raises `DiagnosticError` for weights that are not
        the network's, `ValueError` for an unknown `init`, `ModuleNotFoundError` where torch is
        not installed.
        """
        from netdsl.backends.torch.load import torch_module
        from netdsl.backends.weights.narrow import warn
        from netdsl.backends.weights.numbers import weights_of

        weights = self.own_weights() if weights is None else weights
        if weights is None:
            return torch_module(self.graph, seed, init=init)
        loaded = weights_of(self.graph, weights, rename=rename)
        module = torch_module(self.graph, seed, loaded, init)
        warn(loaded.remarks())
        return module

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

    def onnx(self, weights: object = None, **options: Unpack[onnx_file.Choices]) -> onnx.ModelProto:
        """The network as an ONNX model in memory; parameters and errors as for `export`.

        Raises `ModuleNotFoundError` where onnx is not installed.
        """
        from netdsl.backends.onnx.export import onnx_proto
        from netdsl.backends.onnx.options import Options

        weights = self.own_weights() if weights is None else weights
        return onnx_proto(self.graph, weights, Options(**options))

    def export(
        self,
        path: str | Path,
        weights: object = None,
        *,
        external: bool | None = None,
        review: Review | None = None,
        **options: Unpack[onnx_file.Choices],
    ) -> list[Path]:
        """Write an ONNX file that runs at every size of the contract; returns the files written.

        `weights` are a `state_dict`, a module, or the path of a `.safetensors`, `.pt` or `.pth`
        file; without them they are drawn as `init` says (see `torch`), by `seed`. `rename`
        gives keys other names, by what they begin with: `{"module.": ""}`. `*` stands for a part:
        `{"blocks.*.fc1": "layers.*.ffn.0", "": ""}`; keys that fit none are not read.
        `external` puts the weights in a file beside (None: where one file can't hold them).
        Further options: `opset` (18), `batch` fixes the number of samples, `half` computes in
        float16, `guard` makes a run at a size outside of the contract fail, `names` renames inputs
        and outputs.

        `review` is given the file before it takes its place, to run it (`onnx.verdict.verified`)
        and to tell its warnings, which are Python's without it; what it raises keeps the file away.
        Raises `DiagnosticError`, also for wrong weights; `ValueError` for wrong options, and where
        `path` is a file that was read; `OSError`.
        """
        from netdsl.backends.onnx.export import export_onnx, files_of
        from netdsl.backends.onnx.options import ExportError, Options

        if Path(path).suffix == ".pt2":
            raise ExportError("`export_program` writes a .pt2 file, `export` an ONNX file")
        read = [weights] if isinstance(weights, str | Path) else []
        check_not_read(files_of(Path(path)), [*self.sources, *read])
        weights = self.own_weights() if weights is None else weights
        return export_onnx(self.graph, Path(path), weights, Options(**options), external, review)

    def export_kit(
        self,
        folder: str | Path,
        weights: object = None,
        *,
        wishes: Wishes | None = None,
        external: bool | None = None,
        review: Review | None = None,
        **options: Unpack[onnx_file.Choices],
    ) -> list[Path]:
        """Write a folder to serve the network from; returns the files written.

        It has the ONNX file, a program that runs it (`infer.py`), Triton's `config.pbtxt`, and a
        `README.md` with the contract and the commands of TensorRT, OpenVINO and others. `wishes`
        (`backends.serving.box.Wishes`) chooses the least, the usual and the largest sizes of
        TensorRT's profiles; the rest is as for `export`. A kit of this network is replaced as long
        as its files are as they were written; any other file of these names raises `ExportError`.
        """
        from netdsl.backends.onnx.options import Options
        from netdsl.backends.serving.box import NO_WISHES
        from netdsl.backends.serving.kit import export_kit

        read = [*self.sources, *([weights] if isinstance(weights, str | Path) else [])]
        return export_kit(
            self.graph,
            Path(folder),
            self.own_weights() if weights is None else weights,
            Options(**options),
            wishes=wishes or NO_WISHES,
            external=external,
            review=review,
            read=read,
        )

    def export_program(
        self,
        path: str | Path,
        weights: object = None,
        *,
        least: Mapping[str, int] | None = None,
        most: Mapping[str, int] | None = None,
        tell: Callable[[Trial], None] | None = None,
        rename: Rename | None = None,
        seed: int = 0,
        init: str = PYTORCH,
        batch: int | None = None,
    ) -> list[Path]:
        """Write a `.pt2` file, which `torch.export.load` reads; returns the files written.

        Its open sizes are those of the contract, restricted to those from `least` to `most`. The
        file is loaded again and run beside the module before it takes its place; `tell` is given
        each run. Raises `ExportError` where PyTorch refuses sizes of the contract; the rest is as
        for `export`.
        """
        from netdsl.backends.onnx.options import Options
        from netdsl.backends.program.export import export_program

        read = [weights] if isinstance(weights, str | Path) else []
        check_not_read([path], [*self.sources, *read])
        return export_program(
            self.graph,
            Path(path),
            self.own_weights() if weights is None else weights,
            Options(seed=seed, rename=rename, init=init, batch=batch),
            least or {},
            most or {},
            tell or (lambda trial: None),
        )

    def save_weights(self, path: str | Path, weights: object = None) -> int:
        """Write weights as a `.safetensors` file; returns the number of tensors.

        Without `weights` they are those that came with the network, else drawn.
        Raises `DiagnosticError` for weights that are not the network's, `OSError`.
        """
        from netdsl.backends.weights.numbers import weights_of
        from netdsl.backends.weights.safetensors import write_tensors

        weights = self.own_weights() if weights is None else weights
        tensors = dict(weights_of(self.graph, weights).all())
        write_tensors(path, tensors)
        return len(tensors)

    def own_weights(self) -> dict[str, np.ndarray] | None:
        """The weights that came with the network, if it was imported with them."""
        if self.origin is None or self.origin.numbers is None:
            return None
        return {key: read() for key, read in self.origin.numbers.items()}

    def run(
        self,
        *images: str | Path | np.ndarray,
        weights: object = None,
        rename: Rename | None = None,
        onnx: bool = False,
        background: str | None = None,
    ) -> list[Reading]:
        """What it says of photographs: image files, or pixels uint8 [height, width, channels].

        The input is `uint8 [3, H, W]` or `uint8 [H, W, 3]`, with 1 in place of 3 for grey images.
        `weights` and `rename` as for `export`; with `onnx` the exported file is run, in ONNX
        Runtime. Transparent pixels stand on `background`, a colour (`"white"`). A reading has the
        numbers of an output by its name, `reading["logits"]`, and `reading.outputs`, of which
        `answer.top(5)` are classes with probabilities.

        Raises `images.ImageError` for what is no image, `ValueError` for an image that the network
        does not take, or without weights, `DiagnosticError` for wrong weights,
        `ModuleNotFoundError` where Pillow, or what is to run it, is not installed.
        """
        weights = self.own_weights() if weights is None else weights
        if weights is None:
            raise ValueError("a network says nothing of a photograph before it has weights")
        ready = reader(self.graph, weights, rename, onnx=onnx, background=background)
        return [ready.read(image) for image in images]

    def draw(
        self, path: str | Path, *, old: Network | None = None, **options: Unpack[diagram.Choices]
    ) -> list[str]:
        """Draw the network into a file; its ending says of which kind, such as `.svg` or `.pdf`.

        `options` are those of `backends.diagram.options.Options`: `level`, `expand`, `depth`,
        `neurons`, `theme`, `title`, `width` (points), `direction`, `show`, `engine`, `only`,
        `header`, `legend`, `font`, `font_size`, `aspect`, `highlight`, `hide`, `outlines`,
        `font_file`, `author`; and with `old`, another network, what changes from that one to this
        is drawn. Returns remarks on the picture. Raises `DrawError`, `EngineError`, `OSError`,
        `ValueError` where `path` is a file that was read.
        """
        check_not_read([path], [*self.sources, *(old.sources if old is not None else ())])
        form = Path(path).suffix.removeprefix(".").lower()
        data, notes = self.drawing(form, old=old, **options)
        write_whole(path, data)
        return notes

    def drawing(
        self, form: str = "svg", *, old: Network | None = None, **options: Unpack[diagram.Choices]
    ) -> tuple[bytes, list[str]]:
        """The drawing in memory, and remarks on it; parameters and errors as for `draw`."""
        from netdsl.backends.diagram.draw import draw
        from netdsl.backends.diagram.options import Options

        before = old.graph if old is not None else None
        return draw(self.graph, form, Options(**options), before)

    def _repr_svg_(self) -> str:
        """The picture, for a notebook that shows no pages."""
        return self.drawing("svg", theme="auto")[0].decode()

    def _repr_html_(self) -> str:
        """The page to explore, for a notebook: in a frame, so that several do not mix."""
        page = escape(self.drawing("html", theme="auto")[0].decode())
        style = "width:100%;height:640px;border:1px solid #8886;border-radius:6px"
        return f'<iframe title="{escape(self.name)}" style="{style}" srcdoc="{page}"></iframe>'

    def __repr__(self) -> str:
        return f"<Network {self.name}: {self.summary().totals()}>"


def _types(values: tuple[Value, ...]) -> Tensors:
    return tuple(value.type for value in values)
