"""Arrays from files, as a network takes them: `.npy`, `.npz`, and images of the very size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdsl.diagnostics.reading import reason
from netdsl.images import COLOUR, GREY, ImageError, read_image
from netdsl.ir.graph import Input

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

OPTION = "--image"


def arrays_of(
    paths: Sequence[str], inputs: Sequence[Input], sizes: Mapping[str, int]
) -> dict[str, Array]:
    """An array for each input, without the batch, in the order they are given.

    Raises `click.BadParameter` for a file that can't be read or has another shape.
    """
    from netdsl.ir.dim import evaluate

    if len(paths) != len(inputs):
        named = ", ".join(item.name for item in inputs)
        message = f"the network takes {len(inputs)} ({named}), and {len(paths)} are given"
        raise click.BadParameter(message, param_hint=OPTION)
    arrays: dict[str, Array] = {}
    for path, item in zip(paths, inputs, strict=True):
        shape = tuple(evaluate(size, sizes) for size in item.shape)
        array = _read(path, item)
        if array.shape != shape:
            listed = ", ".join(map(str, shape))
            message = f"{path} is {list(array.shape)}, and {item.name} is [{listed}]"
            raise click.BadParameter(message, param_hint=OPTION)
        arrays[item.name] = array.astype(item.dtype)
    return arrays


def _read(path: str, item: Input) -> Array:
    try:
        return _array(path, item)
    except OSError as error:
        raise click.BadParameter(f"can't read {path}: {reason(error)}", param_hint=OPTION) from None
    except (ImageError, ModuleNotFoundError) as error:
        raise click.BadParameter(str(error), param_hint=OPTION) from None
    except (ValueError, KeyError, EOFError) as error:
        message = f"{path} is no array or image: {error}"
        raise click.BadParameter(message, param_hint=OPTION) from None


def _array(path: str, item: Input) -> Array:
    import numpy as np

    if Path(path).suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if Path(path).suffix == ".npz":
        arrays = np.load(path, allow_pickle=False)
        return arrays[item.name if item.name in arrays.files else arrays.files[0]]
    grey = item.shape[0] == 1
    levels = read_image(path, GREY if grey else COLOUR).transpose(2, 0, 1)
    return levels if item.dtype == "uint8" else levels.astype(np.float32) / 255
