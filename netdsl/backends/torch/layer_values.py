"""What comes into a layer of a network and what it gives, for one sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    Array = np.ndarray[Any, Any]


def layer_values(
    module: nn.Module, path: str, inputs: Mapping[str, Array]
) -> tuple[Array, Array, dict[str, Array]]:
    """Input and result of the first call of a layer, without the batch, and its weights by key.

    `inputs` are those of the network in its order, without a batch. Raises `KeyError` where no
    module has that path.
    """
    import torch

    caught: list[tuple[Any, Any]] = []
    try:
        layer = module.get_submodule(path)
    except AttributeError:
        raise KeyError(path) from None
    handle = layer.register_forward_hook(lambda _, args, result: caught.append((args[0], result)))
    try:
        with torch.no_grad():
            module.eval()(*(torch.from_numpy(array)[None] for array in inputs.values()))
    finally:
        handle.remove()
    x, result = caught[0]
    weights = {key: tensor.detach().numpy() for key, tensor in layer.named_parameters()}
    return x[0].numpy(), result[0].numpy(), weights
