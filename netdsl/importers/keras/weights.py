"""The numbers of an archive: variables of layers in HDF5, by the names of the layers."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from netdsl.importers.frontend import refused
from netdsl.importers.keras.files import NUMBERS
from netdsl.importers.keras.net import Weight
from netdsl.importers.keras.structure import Layer, Model

if TYPE_CHECKING:
    import numpy

Numbers = Mapping[str, "Callable[[], numpy.ndarray]"]
MAX_BYTES = 8 * 10**9


def has_reader() -> bool:
    """Whether h5py is installed, which reads the numbers."""
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ImportError:
        return False
    return h5py is not None


def numbers_of(path: str, model: Model, weights: Mapping[str, Weight]) -> Numbers:
    """What gives each weight, read when it is asked for."""
    read = cache(lambda: _opened(path))

    def taken(key: str, weight: Weight) -> Callable[[], numpy.ndarray]:
        return lambda: _taken(read(), model, key, weight)

    return {key: taken(key, weight) for key, weight in weights.items()}


def _opened(path: str) -> Any:
    import h5py  # pyright: ignore[reportMissingImports]

    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(NUMBERS)
            if info.file_size > MAX_BYTES:
                raise refused(f"`{NUMBERS}` is larger than 8 GB", None, code="too-large")
            return h5py.File(io.BytesIO(archive.read(info)), "r")
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        message = f"the weights of {path} can't be read: {error}"
        raise refused(message, None, code="bad-weights") from None


def _taken(file: Any, model: Model, key: str, weight: Weight) -> numpy.ndarray:
    """A weight from the variables of its layer."""
    place = "/".join((*group(model, weight.owner), *weight.part, "vars"))
    variables = file.get(place)
    if variables is None:
        raise refused(f"the weights have no `{place}`, for `{key}`", None, code="bad-weights")
    parts = [variables[str(number)][()] for number in range(len(variables))]
    try:
        return weight.convert(parts)
    except (IndexError, ValueError) as error:
        message = f"`{place}` does not hold what `{key}` needs: {error}"
        raise refused(message, None, code="bad-weights") from None


def group(model: Model, owner: tuple[str, ...]) -> list[str]:
    """Where the variables of a layer lie: by kinds of layers, each with a number."""
    names: list[str] = []
    for name in owner:
        layer = next(one for one in model.layers if one.name == name)
        names += ["layers", _saved_as(model, layer)]
        model = layer.model if layer.model is not None else model
    return names


def _saved_as(model: Model, layer: Layer) -> str:
    """The name of a layer in a file: its class, and how many of that came before."""
    before = 0
    for one in model.layers:
        if one is layer:
            break
        before += one.kind == layer.kind and not one.module.startswith("keras.src.ops")
    name = re.sub(r"\W+", "", layer.kind)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    name = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
    return f"{name}_{before}" if before else name
