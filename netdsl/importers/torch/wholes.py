"""Modules that are taken as a whole: what they do inside is not looked at."""

from __future__ import annotations

from torch import nn
from torch.nn.modules import conv, dropout

DROPS = ("DropPath", "StochasticDepth")
"""How the names of classes end that drop the whole value of a sample, which is tried out."""

SHIFTED = frozenset({"ShiftedWindowAttention", "ShiftedWindowAttentionV2"})


def is_whole(module: nn.Module) -> bool:
    """Whether a module is one layer of the language, though it calls several functions."""
    if type(module).__name__.endswith(DROPS) or is_shifted(module):
        return True
    if is_same_conv(module) or is_same_pool(module):
        return True
    if isinstance(module, nn.MultiheadAttention | nn.RNNBase | nn.Identity | dropout._DropoutNd):
        return is_own_forward(module)
    is_padded = isinstance(module, conv._ConvNd) and module.padding_mode != "zeros"
    return is_padded and is_own_forward(module)


def is_shifted(module: nn.Module) -> bool:
    """Whether a module is torchvision's attention in windows, the layer `window_attention`."""
    home = type(module).__module__
    return home == "torchvision.models.swin_transformer" and type(module).__name__ in SHIFTED


def is_same_conv(module: nn.Module) -> bool:
    """Whether a module is timm's convolution that pads as TensorFlow does, at any size."""
    home = type(module).__module__
    return home == "timm.layers.conv2d_same" and type(module).__name__ == "Conv2dSame"


def is_same_pool(module: nn.Module) -> bool:
    """Whether a module is one of timm's pools that pad so."""
    home = type(module).__module__
    name = type(module).__name__
    return home == "timm.layers.pool2d_same" and name in ("AvgPool2dSame", "MaxPool2dSame")


def is_own_forward(module: nn.Module) -> bool:
    """Whether the `forward` of a module is one of torch's own, not of a class derived from it."""
    return getattr(type(module).forward, "__module__", "").startswith("torch.nn.")
