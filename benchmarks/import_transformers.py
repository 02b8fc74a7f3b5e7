"""Imports vision models of transformers, made small by their configurations, and compares them.

`python benchmarks/import_transformers.py` needs the package `transformers`, which is not among
netdsl's extras; without it nothing is done. `--only detr` takes those whose names contain a word.
Keys, outputs and sizes are compared with the module itself; what comes out is in
`benchmarks/results/import_transformers.txt`.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from torch import nn

from netdsl import DiagnosticError
from tests.importers.torch_models import compare
from tests.torchvision_models import torchvision_models

RESULTS = Path(__file__).parent / "results" / "import_transformers.txt"
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 64,
}
STAGES = {"depths": [1, 2], "num_heads": [2, 4], "embed_dim": 16}
MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "vit": ("ViTConfig", "ViTForImageClassification", SMALL | {"patch_size": 16}),
    "dinov2": ("Dinov2Config", "Dinov2ForImageClassification", SMALL | {"patch_size": 16}),
    "convnextv2": (
        "ConvNextV2Config",
        "ConvNextV2ForImageClassification",
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]},
    ),
    "swin": (
        "SwinConfig",
        "SwinForImageClassification",
        STAGES | {"image_size": 64, "window_size": 4},
    ),
    "segformer": (
        "SegformerConfig",
        "SegformerForSemanticSegmentation",
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "decoder_hidden_size": 16}
        | {"num_attention_heads": [1, 2, 2, 4]},
    ),
    "detr": (
        "DetrConfig",
        "DetrForObjectDetection",
        {"d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "num_queries": 7}
        | {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
        | {"encoder_ffn_dim": 48, "decoder_ffn_dim": 48},
    ),
    "mobilevit": (
        "MobileViTConfig",
        "MobileViTForImageClassification",
        {"hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 24, 32, 40, 48]}
        | {"image_size": 64},
    ),
    "dpt": (
        "DPTConfig",
        "DPTForDepthEstimation",
        SMALL
        | {"num_hidden_layers": 4, "backbone_out_indices": [0, 1, 2, 3], "patch_size": 16}
        | {"neck_hidden_sizes": [8, 16, 24, 32], "fusion_hidden_size": 16},
    ),
    "clip": ("CLIPVisionConfig", "CLIPVisionModelWithProjection", SMALL | {"patch_size": 16}),
    "beit": ("BeitConfig", "BeitForImageClassification", SMALL | {"patch_size": 16}),
}
"""By the name of a model its configuration, its class, and what makes it small."""


def factory(name: str) -> Callable[[], Any]:
    """What makes a model."""
    torchvision_models()
    import transformers

    config, model, settings = MODELS[name]

    def make() -> Any:
        if name == "detr":
            backbone = transformers.ResNetConfig(
                embedding_size=8,
                hidden_sizes=[8, 16, 24, 32],
                depths=[1, 1, 1, 1],
                layer_type="basic",
                out_features=["stage4"],
            )
            settings_of = settings | {"use_timm_backbone": False, "backbone_config": backbone}
            settings_of |= {"use_pretrained_backbone": False, "backbone": None}
            return lively(
                getattr(transformers, model)(getattr(transformers, config)(**settings_of))
            )
        return lively(getattr(transformers, model)(getattr(transformers, config)(**settings)))

    return make


def lively(model: nn.Module) -> nn.Module:
    """A model whose numbers are so large that its outputs depend on what comes in."""
    for one in model.parameters():
        if one.ndim > 1:
            nn.init.kaiming_normal_(one)
    return model


def row(name: str) -> str:
    """How the import of one model went."""
    start = time.perf_counter()
    try:
        one = compare(factory(name), MODELS[name][1], sizes=((64, 64),), pairs=6)
    except DiagnosticError as error:
        return f"{name:12} refused: {error.diagnostics[0]}"
    except Exception as error:
        return f"{name:12} {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    seconds = time.perf_counter() - start
    sizes = "any size it takes" if one.is_open else "one size"
    lines = one.text.count("\n")
    return f"{name:12} equal: {one.largest_difference:.0e}, {sizes}, {lines} lines, {seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="*", default=[])
    only = parser.parse_args().only
    if find_spec("transformers") is None:
        print("transformers is not installed: nothing to import")
        return
    warnings.simplefilter("ignore")
    rows: list[str] = []
    for name in MODELS:
        if not only or any(word in name for word in only):
            rows.append(row(name))
            print(rows[-1], flush=True)
    if not only:
        import transformers

        equal = sum(" equal: " in one for one in rows)
        head = f"transformers {transformers.__version__}: {equal} of {len(rows)} are equal"
        RESULTS.write_text("\n".join([head, "", *rows]) + "\n")


if __name__ == "__main__":
    main()
