"""What published networks are made of, and which of it the language has: docs/coverage.md.

`python -m tests.coverage timm FILE` and `python -m tests.coverage torchvision` write the facts in
tests/data anew: from a table of timm's models, and from the torchvision that is installed.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"

# how each type of module is written: the layers it takes
WRITTEN: dict[str, str] = {
    "AdaptiveAvgPool2d": "adaptive_avgpool", "AvgPool2d": "avgpool", "BatchNorm1d": "batchnorm",
    "BatchNorm2d": "batchnorm", "BatchNormAct2d": "batchnorm relu", "BlurPool2d": "pad conv",
    "ConstantPad2d": "pad",
    "Conv1d": "conv", "Conv2d": "conv", "Conv2dSame": "conv", "Dropout": "dropout",
    "DropPath": "drop_path", "FastAdaptiveAvgPool": "global_avgpool", "Flatten": "flatten",
    "GELU": "gelu", "GammaAct": "relu normalize", "GroupNorm1": "groupnorm",
    "GroupNorm1NoBias": "groupnorm mul", "GroupNormAct": "groupnorm relu",
    "Hardsigmoid": "hardsigmoid", "Hardswish": "hardswish", "Identity": "identity",
    "LayerNorm": "layernorm", "LayerNorm2d": "layernorm", "LayerNormAct2d": "layernorm relu",
    "LayerScale": "mul", "LayerScale2d": "mul", "LeakyReLU": "leaky_relu",
    "LearnableAffineBlock": "mul add", "Linear": "linear", "MaxPool2d": "maxpool",
    "MultiheadAttention": "attention", "NonDynamicallyQuantizableLinear": "attention",
    "Permute": "permute", "RadixSoftmax": "reshape permute softmax", "ReLU": "relu",
    "ReLU6": "relu6", "Scale": "mul", "ScaledStdConv2d": "layernorm mul conv",
    "ScaledStdConv2dSame": "layernorm mul conv", "SelectSeq": "identity", "Sequential": "identity",
    "ShiftedWindowAttention": "window_attention",
    "ShiftedWindowAttentionV2": "window_attention",
    "RelativePositionalMultiHeadAttention": "linear attend embedding",
    "WindowPartition": "reshape permute", "WindowDepartition": "reshape permute",
    "PartitionAttentionLayer": "reshape permute", "SiLU": "silu", "Sigmoid": "sigmoid",
    "SpaceToDepth": "pixel_unshuffle", "StarReLU": "relu mul add",
    "StdConv2d": "layernorm conv", "StochasticDepth": "drop_path",
    "SwapAxes": "permute", "Tanh": "tanh", "Upsample": "upsample", "ModuleList": "identity",
    "EvoNorm2dS0": "sigmoid reshape mean sub pow add sqrt div mul",
    "EvoNorm2dS0a": "sigmoid reshape mean sub pow add sqrt div mul",
    "FilterResponseNormTlu2d": "pow mean add rsqrt mul max",
    "CondConv2d": "linear sigmoid split conv mul add",
    "EfficientAdditiveAttention": "linear norm clamp div mul sum add",
    "GlobalResponseNorm": "norm mean add div mul", "LayerNorm2dNoBias": "layernorm",
    "SimpleNorm2d": "mean sub pow sum div add rsqrt mul",
    # learned tensors of their own, which `weight` lines hold
    "CNBlock": "mul", "ConvNeXtBlock": "mul", "DenseBlock": "mul", "Encoder": "add",
    "MetaNeXtBlock": "mul", "NormFreeBlock": "mul", "VisionTransformer": "concat",
}  # fmt: skip

# what has no form yet: the layer that would give it one
LACKING: dict[str, str] = {}

# operations of PyTorch that the layers above explain, or that move numbers alone
EXPLAINED = frozenset(
    [
        "_softmax",
        "_unsafe_view",
        "abs",
        "add",
        "add_",
        "addcmul",
        "addmm",
        "alias",
        "amax",
        "amin",
        "argmax",
        "as_strided_",
        "avg_pool2d",
        "cat",
        "clamp",
        "clamp_min",
        "clone",
        "constant_pad_nd",
        "convolution",
        "cos",
        "cumsum",
        "div",
        "empty",
        "eq",
        "erf",
        "exp",
        "expand",
        "gelu",
        "gt",
        "hardsigmoid",
        "hardswish",
        "hardswish_",
        "hardtanh",
        "hardtanh_",
        "leaky_relu",
        "leaky_relu_",
        "linalg_vector_norm",
        "log",
        "lt",
        "max_pool2d_with_indices",
        "maximum",
        "mean",
        "minimum",
        "mm",
        "mul",
        "mul_",
        "native_batch_norm",
        "native_group_norm",
        "native_layer_norm",
        "permute",
        "pow",
        "reciprocal",
        "relu",
        "relu_",
        "reflection_pad2d",
        "rsqrt",
        "sigmoid",
        "sign",
        "silu",
        "silu_",
        "sin",
        "slice",
        "split",
        "split_with_sizes",
        "sqrt",
        "stack",
        "sub",
        "sum",
        "t",
        "transpose",
        "upsample_nearest2d",
        "var",
        "view",
        "where",
    ]
)


# operations of transformers besides, and the layers that compute them
OPERATIONS: dict[str, str] = {
    "_adaptive_avg_pool2d": "adaptive_avgpool", "_safe_softmax": "attend", "_to_copy": "mul",
    "arange": "positions", "bitwise_not": "equal", "bmm": "matmul",
    "col2im": "fold", "div_": "div", "im2col": "unfold", "index": "embedding", "max": "max",
    "neg": "mul", "repeat": "concat", "roll": "slice concat", "rsub": "mul add",
    "select": "slice reshape", "sigmoid_": "sigmoid", "squeeze": "reshape", "tanh": "tanh",
    "tanh_": "tanh", "unbind": "split", "unfold": "unfold", "unsafe_split": "lstm",
    "unsqueeze": "reshape", "upsample_bicubic2d": "upsample", "upsample_bilinear2d": "upsample",
    "upsample_linear1d": "upsample", "zeros": "mul",
}  # fmt: skip

# what they are that no layer computes
UNWRITTEN = {
    "_upsample_bicubic2d_aa": "interpolation that smooths (antialias)",
    "_upsample_bilinear2d_aa": "interpolation that smooths (antialias)",
    "copy_": "numbers written into a part of a value",
}


def lacks_operations(facts: Iterable[str]) -> set[str]:
    """The operations of a network that no layer of the language computes."""
    operations = {fact.split(".")[1] for fact in facts if fact.startswith("aten.")}
    left = operations - EXPLAINED - OPERATIONS.keys()
    return {UNWRITTEN.get(name, f"operation `{name}`") for name in left}


def lacks(facts: Iterable[str]) -> set[str]:
    """The layers that a network of these modules and operations needs, and the language has not."""
    known = set(facts)
    modules = {fact for fact in known if not fact.startswith("aten.")}
    found = {LACKING.get(m, f"module `{m}`") for m in modules if m not in WRITTEN}
    operations = {fact.split(".")[1] for fact in known - modules}
    if not found:
        found |= {f"operation `{name}`" for name in operations - EXPLAINED}
    return found


def read(name: str) -> tuple[str, dict[str, list[str]]]:
    """Where the facts are from, and those of each model."""
    data = json.loads((DATA / f"{name}_models.json").read_text(encoding="utf-8"))
    sets = [[data["facts"][i] for i in found] for found in data["sets"]]
    return data["tool"], {model: sets[i] for model, i in data["models"].items()}


def write(name: str, tool: str, models: Mapping[str, Iterable[str]]) -> None:
    """Keep facts, each name of a module once."""
    sets = sorted({tuple(sorted(set(facts))) for facts in models.values()})
    facts = sorted({fact for found in sets for fact in found})
    data = {
        "tool": tool,
        "facts": facts,
        "sets": [[facts.index(fact) for fact in found] for found in sets],
        "models": {m: sets.index(tuple(sorted(set(f)))) for m, f in sorted(models.items())},
    }
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in data.items())
    (DATA / f"{name}_models.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def page(written: Mapping[str, Iterable[str]]) -> str:
    """docs/coverage.md; `written` are the models of each table that examples are compared with."""
    parts = [HEAD]
    for name, title, compared, lacked in (
        ("torchvision", TORCHVISION, "torchvision in weights, outputs and gradients", lacks),
        ("timm", TIMM, "timm in weights and outputs", lacks),
        ("timm_transformers", TRANSFORMERS, "timm in weights and outputs", lacks_operations),
    ):
        tool, models = read(name)
        names = ", ".join(f"`{model}`" for model in sorted(written[name]))
        sentence = f"Written, and compared with {compared}: {names}."
        if lacked is lacks_operations:
            sentence = f"{sentence}\n\n{BY_OPERATIONS}"
        lacking = {model: lacked(facts) for model, facts in models.items()}
        parts.append(_section(title.format(tool=tool), sentence, lacking))
    return "\n".join([*parts, importers(), UNWRITABLE])


def importers() -> str:
    """What each front end reads, counted in its tables, and what it refuses by name."""
    import onnx

    from netdsl.importers.caffe.network import LOSSES, SINKS
    from netdsl.importers.caffe.network import READERS as CAFFE
    from netdsl.importers.darknet.network import READERS as DARKNET
    from netdsl.importers.darknet.network import WORDLESS
    from netdsl.importers.keras.layers import LAYERS
    from netdsl.importers.keras.layers import OPERATIONS as OF_KERAS
    from netdsl.importers.onnx.operators import handler
    from netdsl.importers.torch.rules import RULES
    from netdsl.importers.ultralytics.network import HEADS, PLAIN, SCALED, UNSAID

    standard = {one.name for one in onnx.defs.get_all_schemas() if one.domain == ""}
    unread = sorted(one for one in standard if handler(one) is None)
    functions = {one.strip("_") for one in RULES} - {"module"}
    rows = [
        ("PyTorch", f"{len(functions)} functions of torch", "all others"),
        ("ONNX", f"{len(standard) - len(unread)} of {len(standard)} operators", "the others"),
        ("Keras", f"{len(LAYERS)} layers, {len(OF_KERAS)} operations", "all others"),
        ("Caffe", f"{len(CAFFE)} types of layers, {len(LOSSES) + len(SINKS)} ends", "all others"),
        ("Darknet", f"{len(DARKNET)} sections", ", ".join(f"`[{one}]`" for one in WORDLESS)),
        (
            "ultralytics",
            f"{len({*SCALED, *PLAIN})} modules, {len(HEADS)} heads",
            ", ".join(f"`{one}`" for one in UNSAID),
        ),
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    names = ", ".join(f"`{one}`" for one in unread)
    return IMPORTERS.format(table=table, onnx=version("onnx"), unread=names)


def _section(title: str, written: str, models: Mapping[str, set[str]]) -> str:
    whole = [model for model, missing in models.items() if not missing]
    text = [title, f"**{len(whole)} of {len(models)}** are covered.", written]
    alone = Counter(next(iter(missing)) for missing in models.values() if len(missing) == 1)
    every = Counter(layer for missing in models.values() for layer in missing)
    rows = [
        "| what is missing | models that lack only this | models that lack it |",
        "|---|--:|--:|",
    ]
    if not every:
        rows = []
    order = sorted(every, key=lambda layer: (-alone[layer], -every[layer], layer))
    rows += [f"| {layer} | {alone[layer]} | {every[layer]} |" for layer in order]
    if rows:
        text.append("\n".join(rows))
    text.append("Covered: " + ", ".join(f"`{m}`" for m in whole) + ".")
    left = (f"`{m}` ({', '.join(sorted(missing))})" for m, missing in models.items() if missing)
    if every:
        text.append("Not covered: " + ", ".join(left) + ".")
    return "\n\n".join(text) + "\n"


HEAD = """# Which published networks can be written

How many networks the layers cover, judged by the types of the modules in a model and, for timm, also
by the operations that its inference runs. Made by `pytest tests/test_coverage.py --bless` from
tests/data, which has these names and nothing else. It says that the layers exist, not that the file
has been written; what the type of a module does not show (a norm over several axes, a constant in
an expression) is not considered. A module that is expressed by a chain of layers (a layer scale is
`mul` with a `weight`) counts as covered; its weights may be stored in another form.

[What cannot be written](#what-cannot-be-written) stands at the end.
"""
IMPORTERS = """## What the importers read

Counted in the tables of the front ends; [Importing networks](import.md) says with which settings.

| format | is read | is refused by name |
|---|---|---|
{table}

A function whose name differs by underscores alone (`add_`, `__add__`) counts once. Operators of ONNX
are those of onnx {onnx}; not read, unless they work on known numbers or on sizes: {unread}.
"""
TORCHVISION = """## torchvision's classification models

From {tool}."""
TIMM = """## timm's convolutional networks

From {tool}; those with five convolutions or more, and neither a product of two activations (attention) nor a recurrence."""


TRANSFORMERS = """## timm's transformers, mixers and recurrent networks

From {tool}; those that the table above leaves out."""
BY_OPERATIONS = """Covered is a model if there is a layer for each operation that its inference runs (`bmm` is `matmul`, a lookup in a table of
relative positions is `embedding` with `weight=`, a shift of windows is `window_attention`, or `slice` and
`concat`). Whether an index that is looked up is known beforehand,
the names of operations do not show."""
UNWRITABLE = """## What cannot be written

- Running statistics of one's own: EvoNorm-B0, batch renormalisation. `batchnorm` has its own; a
  `frozen` table does not change.
- Noise in training only, but for `dropout`, `channel_dropout` and `drop_path`. Noise that is an input
  can be written.
- Lookups that differ by sample: `grid_sample`, deformable convolution, RoIAlign, `gather` with
  computed numbers. Rows of a table are looked up by `embedding`.
- Results whose size, or order, depends on the numbers: non-maximum suppression, top-k, sorting,
  `nonzero`. A network ends in boxes and scores; the rest is called behind it.
- Numbers written into a part of a value, rounding, bits, and loops that end when a number says so.

What a custom layer ([a Python class](plugins.md)) can compute, it can add to these.
"""


# --- where the facts come from -------------------------------------------------------------


def convolutional(entry: Mapping[str, Any]) -> bool:
    """Whether a model of timm's table is a convolutional network."""
    count = sum(n for kind, n in entry["leaf"].items() if "Conv2d" in kind)
    recurrent = "LSTM" in entry["leaf"]
    return count >= 5 and not recurrent and "aten.bmm.default" not in entry["aten"]


def of_timm(table: Path) -> None:
    """Facts of a table of timm's models: leaf modules, modules with weights, operations."""
    data = json.loads(table.read_text(encoding="utf-8"))
    models = {
        name: [*entry["leaf"], *entry["own_param_nonleaf"], *entry["aten"]]
        for name, entry in data["nets"].items()
        if convolutional(entry)
    }
    write("timm", f"timm {data['_meta']['timm']} at inference", models)


def of_timm_transformers(table: Path) -> None:
    """The operations of the other models of a table of timm's."""
    data = json.loads(table.read_text(encoding="utf-8"))
    models = {
        name: list(entry["aten"])
        for name, entry in data["nets"].items()
        if not convolutional(entry)
    }
    write("timm_transformers", f"timm {data['_meta']['timm']} at inference", models)


def torchvision_facts(name: str) -> list[str]:
    """Leaf modules of a model of torchvision, and modules with weights of their own."""
    import torch
    from torch.overrides import TorchFunctionMode

    from tests.torchvision_models import torchvision_models

    class NoWeights(TorchFunctionMode):
        """Weights without memory; what is computed from numbers stays where it is."""

        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            made = {"device": "meta"} if func is torch.empty else {}
            return func(*args, **{**made, **(kwargs or {})})

    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with NoWeights():
        model = torchvision_models().get_model(name, weights=None, **extra)
    return sorted(
        {
            type(module).__name__
            for module in model.modules()
            if not list(module.children()) or list(module.parameters(recurse=False))
        }
    )


def of_torchvision() -> None:
    """Facts of all classification models of the torchvision that is installed."""
    names = torchvision_names()
    write("torchvision", installed(), {name: torchvision_facts(name) for name in names})


def torchvision_names() -> list[str]:
    """All classification models of the torchvision that is installed."""
    from tests.torchvision_models import torchvision_models

    models = torchvision_models()
    return models.list_models(module=models)


def installed() -> str:
    """The torchvision that is installed."""
    return f"torchvision {version('torchvision').split('+')[0]}"


if __name__ == "__main__":
    if sys.argv[1] == "timm":
        of_timm(Path(sys.argv[2]))
        of_timm_transformers(Path(sys.argv[2]))
    else:
        of_torchvision()
