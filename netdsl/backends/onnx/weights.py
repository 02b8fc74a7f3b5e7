"""Where the numbers of an exported file come from: a checkpoint, a module, or drawn."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdsl.backends.onnx.model import Stored
from netdsl.backends.onnx.safetensors import Tensors
from netdsl.ir.graph import Graph, WeightSpec

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SHOWN = 8


class WeightsError(ValueError):
    """Weights that are not those of the network; the text says which keys, and why."""


class Weights:
    """Arrays by key, one at a time: nothing is held that has been written."""

    def __init__(self, read: Callable[[WeightSpec], Array]) -> None:
        self._read = read

    def array(self, stored: Stored) -> Array:
        """The numbers of a stored tensor, in the order and type they are written in."""
        import numpy as np

        wanted = np.dtype(stored.dtype)
        if stored.spec is None:
            return np.array(stored.numbers, dtype=wanted).reshape(stored.shape)
        return np.ascontiguousarray(self._read(stored.spec), dtype=wanted)

    def by_key(self, spec: WeightSpec, key: str) -> Array:
        """The numbers of any weight of the network, by its key in `state_dict()`."""
        import numpy as np

        return np.ascontiguousarray(self._read(replace(spec, key=key)), dtype=spec.dtype)


def weights_of(graph: Graph, source: object = None, seed: int = 0) -> Weights:
    """The weights to export with.

    `source` is a `state_dict`, a module, the path of a `.safetensors`, `.pt` or `.pth` file, or
    None: then they are drawn from the distributions PyTorch uses, by `seed`. Raises
    `WeightsError` if they are not those of the network, `OSError` if a file can't be read.
    """
    if source is None:
        return Weights(lambda spec: drawn(spec, seed))
    if isinstance(source, str | Path):
        return _from_file(graph, Path(source))
    state: object = getattr(source, "state_dict", lambda: source)()
    if not isinstance(state, Mapping):
        raise WeightsError(f"weights are a state_dict, a module or a file, not {source!r:.80}")
    return _from_state(graph, state)


def _from_file(graph: Graph, path: Path) -> Weights:
    if path.suffix == ".safetensors":
        try:
            file = Tensors(path)
        except ValueError as error:
            raise WeightsError(f"{path} is no safetensors file: {error}") from None
        check_keys(graph, file.shapes, str(path))
        return Weights(file.array)
    if path.suffix in (".pt", ".pth"):
        import pickle

        import torch

        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(f"{path} holds no plain weights: {reason}") from None
        return _from_state(graph, state, str(path))
    raise WeightsError(f"{path} is none of .safetensors, .pt, .pth")


def _from_state(graph: Graph, state: Any, name: str = "the state_dict") -> Weights:
    if not isinstance(state, Mapping) or not all(hasattr(v, "shape") for v in state.values()):
        raise WeightsError(f"{name} is not a mapping of keys to tensors")
    check_keys(graph, {key: tuple(value.shape) for key, value in state.items()}, name)

    def read(spec: WeightSpec) -> Array:
        value = state[spec.key]
        return value.detach().cpu().numpy() if hasattr(value, "detach") else value

    return Weights(read)


def check_keys(graph: Graph, found: Mapping[str, tuple[int, ...]], name: str) -> None:
    """Refuses weights with missing or unexpected keys, or with other shapes."""
    wanted = {layer.key(spec): spec for layer in graph.layers() for spec in layer.weights}
    wrong: list[str] = []
    for key, spec in wanted.items():
        if key not in found:
            if spec.key == "num_batches_tracked":
                continue
            near = get_close_matches(key, found.keys() - wanted.keys(), n=1)
            wrong.append(f"{key} is missing" + (f"; there is {near[0]}" if near else ""))
        elif found[key] != spec.shape:
            wrong.append(f"{key} has shape {list(found[key])}, and the net {list(spec.shape)}")
    wrong += [f"{key} is not in the net" for key in found if key not in wanted]
    if wrong:
        more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        lines = "\n  ".join([*wrong[:SHOWN], *more])
        raise WeightsError(f"{name} does not fit {graph.name}:\n  {lines}")


def drawn(spec: WeightSpec, seed: int) -> Array:
    """Numbers as PyTorch's modules draw them; each key has its own stream, so order is free."""
    import numpy as np

    shape = spec.shape
    random = np.random.Generator(np.random.PCG64([seed, zlib.crc32(spec.key.encode())]))
    match spec.init:
        case "zeros" | "ones":
            return np.full(shape, 0 if spec.init == "zeros" else 1, spec.dtype)
        case "constant":
            return np.full(shape, spec.fill, spec.dtype)
        case "normal":
            return random.standard_normal(shape, np.float32)
        case "trunc_normal":
            return np.clip(0.02 * random.standard_normal(shape, np.float32), -2, 2)
        case "relative_position":
            return _relative_position(round(prod(shape) ** 0.25))
        case "xavier_uniform":
            bound = (6 / (shape[0] + shape[1])) ** 0.5
        case _:
            bound = spec.fan_in**-0.5 if spec.fan_in else 0.0
    return (random.random(shape, np.float32) * 2 - 1) * np.float32(bound)


def _relative_position(window: int) -> Array:
    """Which row of the table of biases each pair of cells of a window has."""
    import numpy as np

    at = np.stack(np.meshgrid(*[np.arange(window)] * 2, indexing="ij")).reshape(2, -1)
    apart = at[:, :, None] - at[:, None, :] + window - 1
    return (apart[0] * (2 * window - 1) + apart[1]).reshape(-1)
