"""What a network with weights computes inside, as functions of the pixels of one image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdsl.analyses.sizes import sizes_of
from netdsl.backends.torch.load import torch_module
from netdsl.backends.weights.numbers import weights_of
from netdsl.backends.weights.renaming import Rename
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Graph, Input, Output, Value
from netdsl.ops.base import op_of
from netdsl.ops.facts import Work
from netdsl.passes.exposed import exposed
from netdsl.see.errors import SeeError

if TYPE_CHECKING:
    from torch import Tensor

Found = Mapping[str, "Tensor"]
"""Values inside, by the names they were asked for, batch axis included."""
PIXELS = "pixels"


@dataclass(frozen=True, slots=True)
class Range:
    """How pixels from 0 to 1 become what the network takes: `(pixel - mean) / std`."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


RANGES = {
    "plain": Range(),
    "imagenet": Range((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "centred": Range((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "bytes": Range((0.0,), (1 / 255,)),
}
"""By the word of `--as`; with `plain` pixels are taken as they are, from 0 to 1."""


class Inside:
    """A network of one image, its weights, and the values inside of it.

    Pixels are float tensors `[1, C, H, W]` from 0 to 1. A network that takes bytes (`uint8`)
    is entered behind its conversion to floats, so that gradients reach the pixels.
    Raises `SeeError` for a network that takes no image, `DiagnosticError` for wrong weights.
    """

    def __init__(
        self,
        graph: Graph,
        weights: object = None,
        *,
        rename: Rename | None = None,
        range: Range = RANGES["plain"],
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.graph, self.range, self.seed, self.device = graph, range, seed, device
        _check_device(device)
        self.weights = dict(weights_of(graph, weights, seed, rename).all())
        self.image = _image(graph)
        self.sizes = sizes_of(graph)
        self.entry = _entry(graph, self.image)
        self._runs: dict[tuple[tuple[str, Value], ...], Callable[[Tensor], Found]] = {}
        self._check_range()

    def _check_range(self) -> None:
        """Refuses a range that the file has itself. Raises `SeeError`."""
        range, channels = self.range, self.entry.type.shape[0]
        if range == RANGES["bytes"] and self.prepares:
            raise SeeError(
                f"`{self.image.name}` is of bytes, which the network converts itself: leave "
                "`--as bytes` out"
            )
        reader = self.graph.data_uses.only_reader(self.entry)
        if len(range.mean) > 1 and reader is not None and op_of(reader).centres:
            name = op_of(reader).name
            raise SeeError(f"the network has a `{name}` itself: leave `--as` out")
        if len(range.mean) > 1 and channels != len(range.mean):
            raise SeeError(
                f"the range is for {len(range.mean)} colours, and `{self.image.name}` has "
                f"{channels} channel{'s' * (channels != 1)}: leave `--as` out"
            )

    @property
    def channels(self) -> int:
        """How many colours an image has: 1 or 3."""
        channels = self.entry.type.shape[0]
        assert isinstance(channels, int)
        return channels

    @property
    def fixed(self) -> tuple[int, int] | None:
        """Height and width, where the network takes images of one size."""
        height, width = self.entry.type.spatial
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    @property
    def prepares(self) -> bool:
        """Whether the network takes bytes, and makes its pixels of them itself."""
        return self.entry is not self.image.value

    @property
    def _of_bytes(self) -> tuple[int | Dim, int | Dim]:
        """Height and width of the input itself, channels first or last."""
        shape = self.image.value.type.shape
        height, width = shape[1:] if shape[0] in (1, 3) else shape[:2]
        return height, width

    @property
    def fixed_bytes(self) -> tuple[int, int] | None:
        """Height and width of the bytes, where they are fixed."""
        height, width = self._of_bytes
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def check_bytes(self, height: int, width: int) -> None:
        """The same as `check`, for an image of bytes."""
        self._check(height, width, self._of_bytes)

    def takes(self, height: int, width: int) -> bool:
        """Whether the network takes images of this size."""
        return self._takes(height, width, self.entry.type.spatial)

    def _takes(self, height: int, width: int, spatial: Sequence[int | Dim]) -> bool:
        point = self._point(height, width, spatial)
        return point is not None and self.sizes.accepts(**point)

    def check(self, height: int, width: int) -> None:
        """Raises `SeeError` for a size that the network does not take, with the nearest."""
        self._check(height, width, self.entry.type.spatial)

    def _check(self, height: int, width: int, spatial: Sequence[int | Dim]) -> None:
        if self._takes(height, width, spatial):
            return
        point = self._point(height, width, spatial)
        if point is None:
            sizes = "x".join(map(str, spatial))
            raise SeeError(f"an image of {height}x{width} is none of {sizes}")
        near = self.sizes.nearest(**point)
        sizes = [near.up, near.down]
        told = " or ".join(
            ",".join(f"{name}={n}" for name, n in size.items()) for size in sizes if size
        )
        reasons = "; ".join(self.sizes.explain(**point)[:1])
        way = f"; the nearest that it takes: {told}" if told else ""
        raise SeeError(f"the network does not take an image of {height}x{width}: {reasons}{way}")

    def _point(
        self, height: int, width: int, spatial: Sequence[int | Dim]
    ) -> dict[str, int] | None:
        """The size symbols for an image of this size; None where there are no such."""
        point: dict[str, int] = {}
        for size, number in zip(spatial, (height, width), strict=True):
            if isinstance(size, int):
                if size != number:
                    return None
            elif str(size) not in self.graph.symbols or point.get(str(size), number) != number:
                return None
            else:
                point[str(size)] = number
        return point

    def values(self, pixels: Tensor, wanted: Mapping[str, Value]) -> Found:
        """The values that the network computes inside for an image; gradients flow."""
        key = tuple(wanted.items())
        if key not in self._runs:
            self._runs[key] = self._runner(wanted)
        return self._runs[key](pixels)

    def _runner(self, wanted: Mapping[str, Value]) -> Callable[[Tensor], Found]:
        """A module of what is needed for some values, from pixels on."""
        import torch

        part = exposed(self.graph, wanted, {PIXELS: self.entry})
        if [item.name for item in part.inputs] != [PIXELS]:
            raise SeeError("only networks of one image can be looked into")
        own = {layer.key(spec) for layer in part.layers() for spec in layer.weights}
        state = {key: numbers for key, numbers in self.weights.items() if key in own}
        module = torch_module(part, self.seed, weights_of(part, state)).eval().to(self.device)
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        mean, std = (
            torch.tensor(three, device=self.device).reshape(1, -1, 1, 1) if three else None
            for three in (self.range.mean, self.range.std)
        )

        def run(pixels: Tensor) -> Found:
            x = pixels if mean is None or std is None else (pixels - mean) / std
            results = module(x)
            tensors = [results] if isinstance(results, torch.Tensor) else list(results)
            return dict(zip(wanted, tensors, strict=True))

        return run

    def entered(self, bytes_: Tensor) -> Tensor:
        """The pixels of an image of bytes, `uint8 [C, H, W]`: from 0 to 1, as the network has them
        behind its own conversion."""
        if self.entry is self.image.value:
            return bytes_.to(self.device).float().div(255)[None]
        part = exposed(self.graph, {PIXELS: self.entry})
        first = self.image.value.type.shape[0]
        is_last = first != bytes_.shape[0] and self.image.value.type.shape[-1] == bytes_.shape[0]
        image = bytes_.permute(1, 2, 0) if is_last else bytes_
        if self.image.value.type.is_float:
            image = image.float().div(255)
        return torch_module(part, self.seed).eval()(image[None]).to(self.device)

    def scores(self) -> Output:
        """The output that has a number for each class. Raises `SeeError` where there is none."""
        for output in self.graph.inference_outputs:
            shape = output.value.type.shape
            if len(shape) == 1 and isinstance(shape[0], int) and output.value.type.is_float:
                return output
        shapes = ", ".join(f"{o.name}: {o.value.type}" for o in self.graph.inference_outputs)
        raise SeeError(f"no output has a number for each class (there is {shapes})")


def _check_device(device: str) -> None:
    """Raises `SeeError` for a device that PyTorch does not have here."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).partition("\n")[0]
        raise SeeError(f"there is no device `{device}` here: {why}") from None


def _image(graph: Graph) -> Input:
    """The one input that is an image."""
    images = [item for item in graph.inputs if _is_image(item.value)]
    if len(images) == 1 and len(graph.inputs) == 1:
        return images[0]
    shapes = ", ".join(f"{item.name}: {item.value.type}" for item in graph.inputs)
    raise SeeError(
        f"`see` looks into networks of one image, [1, H, W] or [3, H, W]; "
        f"{graph.name} takes {shapes}"
    )


def _is_image(value: Value) -> bool:
    shape = value.type.shape
    ends = {shape[0], shape[-1]} if len(shape) == 3 else set[int | Dim]()
    return not ends.isdisjoint({1, 3})


def _entry(graph: Graph, image: Input) -> Value:
    """The first value of floats, channels first: the image itself, or what is made of its bytes."""
    value = image.value
    while not value.type.is_float or value.type.shape[0] not in (1, 3):
        readers: Sequence[object] = graph.data_uses.readers(value)
        node = graph.data_uses.only_reader(value)
        if node is not None and (
            node.layer.weights or (value.type.is_float and op_of(node).work is not Work.MOVES)
        ):
            raise SeeError(
                f"`{image.name}` is {image.value.type}, and `{node.path}` makes no image of it: "
                "`see` looks into networks of one image, [1, H, W] or [3, H, W]"
            )
        if node is None or len(node.outputs) != 1:
            raise SeeError(
                f"`{image.name}` is read by {len(readers)} layers before it is a map of floats: "
                "convert it in one place"
            )
        value = node.output
    return value
