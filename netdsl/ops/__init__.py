"""The layers of the language, one class each.

Importing the file of a family registers its layers; `__all__` is what plug-ins need
(docs/plugins.md).
"""

from importlib import import_module
from pkgutil import iter_modules

from netdsl.ir.condition import all_of, any_of, divides, equal
from netdsl.ir.dim import Size, ceil_div, maximum, minimum
from netdsl.ir.graph import WeightSpec
from netdsl.ir.tensor import Shape, Tensor
from netdsl.ops.axes import (
    AXES,
    AXIS,
    along,
    at_least,
    axis_index,
    axis_indices,
    axis_name,
    changed,
    check_divides,
    check_weight,
    is_fixed,
    known_channels,
    links,
    need_float,
    per_axis,
    spatial_rank,
    total,
)
from netdsl.ops.base import (
    POINTWISE,
    UNKNOWN,
    Op,
    Rules,
    Tensors,
    Window,
    Windows,
    elements,
    registry,
)
from netdsl.ops.cells import Product, Reads, fixed, grouped, replaced, reshaped, slid, whole
from netdsl.ops.facts import Bins, Doubt, Saved, SizeRule, Sliding, Storage, Work
from netdsl.ops.lowering import Lowering, OnnxValue
from netdsl.ops.onnx_parts import padded
from netdsl.ops.params import (
    BOOL,
    FLOAT,
    FLOATS,
    INT,
    INTS,
    NUMBER,
    NUMBERS,
    SCALE,
    SHAPE,
    SIZE,
    SIZE_OR_VALUE,
    TEXT,
    FromValue,
    Kind,
    Mismatch,
    Same,
    choice,
    either,
    optional,
    param,
)
from netdsl.ops.plugins import PluginError
from netdsl.ops.recipe import (
    Code,
    From,
    In,
    Ins,
    Setting,
    SizeOf,
    TorchCall,
    TorchModule,
    TorchRecipe,
    keywords,
)
from netdsl.ops.refusal import Refusal

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

# fmt: off
__all__ = [
    "AXES", "AXIS", "BOOL", "FLOAT", "FLOATS", "INT", "INTS", "NUMBER", "NUMBERS", "POINTWISE",
    "SCALE", "SHAPE", "SIZE", "SIZE_OR_VALUE", "TEXT", "UNKNOWN", "Bins", "Code", "Doubt", "From",
    "FromValue", "In", "Ins", "Kind", "Lowering", "Mismatch", "OnnxValue", "Op", "PluginError",
    "Product", "Reads", "Refusal", "Rules", "Same", "Saved", "Setting", "Shape", "Size", "SizeOf",
    "SizeRule", "Sliding", "Storage", "Tensor", "Tensors", "TorchCall", "TorchModule",
    "TorchRecipe", "WeightSpec", "Window", "Windows", "Work", "all_of", "along", "any_of",
    "at_least", "axis_index", "axis_indices", "axis_name", "ceil_div", "changed", "check_divides",
    "check_weight", "choice", "divides", "either", "elements", "equal", "fixed", "grouped",
    "is_fixed", "keywords", "known_channels", "links", "maximum", "minimum", "need_float",
    "optional", "padded", "param", "per_axis", "registry", "replaced", "reshaped", "slid",
    "spatial_rank", "total", "whole",
]
# fmt: on
