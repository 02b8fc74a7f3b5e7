"""How each layer of Keras is said: a module for each family."""

from __future__ import annotations

from netdsl.importers.keras.layers import (
    activations,
    convolution,
    merging,
    norms,
    pooling,
    recurrent,
    shapes,
)
from netdsl.importers.keras.net import Reader

LAYERS: dict[str, Reader] = {
    **activations.LAYERS,
    **convolution.LAYERS,
    **merging.LAYERS,
    **norms.LAYERS,
    **pooling.LAYERS,
    **recurrent.LAYERS,
    **shapes.LAYERS,
}
OPERATIONS = merging.OPERATIONS
OF_APPLICATIONS = ("LayerScale", "CustomScaleLayer")
"""Layers that `keras.applications` bring along; another's of these names is another layer."""
