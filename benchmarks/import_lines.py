"""How long imported texts are beside those written by hand.

`python benchmarks/import_lines.py` imports the published model of each example that has one, and
counts the lines of both, without comments and blank lines. It goes on where it was interrupted;
`--only vgg swin` takes those whose names contain a word, and counts them once more; `--texts DIR`
keeps the imported texts. The table is `benchmarks/results/import_lines.txt`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import netdsl
from netdsl import DiagnosticError
from netdsl.importers import imported
from tests.examples import FOLDER
from tests.importers.lines import hand_written, lines, with_library
from tests.importers.torch_models import import_of
from tests.torchvision_models import torchvision_models

RESULTS = Path(__file__).parent / "results" / "import_lines.json"
CLASSIFIERS = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3",
    "maxvit_t", "mnasnet1_0", "mobilenet_v2", "mobilenet_v3_large", "regnet_y_400mf", "resnet152",
    "resnet18", "resnet50", "resnext101_32x8d", "shufflenet_v2_x1_0", "squeezenet1_1", "swin_t",
    "swin_v2_t", "vgg16", "vit_b_16", "wide_resnet50_2",
)  # fmt: skip
SEGMENTATION = ("deeplabv3_resnet50", "fcn_resnet50", "lraspp_mobilenet_v3_large")
TIMM = {
    "efficientnet_lite0": "efficientnet_lite0", "hrnet_w18": "hrnet_w18",
    "inception_resnet_v2": "inception_resnet_v2", "pnasnet": "pnasnet5large",
    "repvgg_a0": "repvgg_a0", "mobilevit_s": "mobilevit_s",
    "vit_small_patch16_dinov3": "vit_small_patch16_dinov3",
}  # fmt: skip


def models() -> dict[str, Callable[[], Any]]:
    """What makes the published model of an example, by the example's name."""
    vision = torchvision_models()  # before timm, which imports it
    import timm

    made: dict[str, Callable[[], Any]] = {}
    for name in CLASSIFIERS:
        keywords = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        made[name] = lambda n=name, k=keywords: getattr(vision, n)(**k)
    for name in SEGMENTATION:
        make = getattr(vision.segmentation, name)
        made[name] = lambda make=make: make(weights=None, weights_backbone=None)
    for name, theirs in TIMM.items():
        made[name] = lambda n=theirs: timm.create_model(n)
    return made


def record(name: str, make: Callable[[], Any], texts: Path | None) -> dict[str, Any]:
    """The lines of one model."""
    start = time.perf_counter()
    try:
        one = import_of(make, name)
    except DiagnosticError as error:
        return {"refused": str(error.diagnostics[0].message)}
    seconds = time.perf_counter() - start
    if texts is not None:
        (texts / f"{name}.net").write_text(one.text)
    whole = with_library(one.text, netdsl.loads(one.text))
    return {
        "own": lines(one.text),
        "whole": whole,
        "example": lines((FOLDER / f"{name}.net").read_text()),
        "by_hand": hand_written(name),
        "library": sorted(part for part in one.text.splitlines() if part.startswith("use ")),
        "seconds": round(seconds, 1),
    }


def summary(results: dict[str, dict[str, Any]]) -> str:
    """The table, the longest first."""
    read = {name: one for name, one in results.items() if "whole" in one}
    ratios = {name: one["whole"] / one["by_hand"] for name, one in read.items()}
    rows = [
        "model                       imported   with std   by hand   with std   ratio   std used",
        *(
            f"{name:<26} {one['own']:>9} {one['whole']:>10} {one['example']:>9} "
            f"{one['by_hand']:>10} {ratios[name]:>7.2f}   {', '.join(_parts(one))}".rstrip()
            for name, one in sorted(read.items(), key=lambda item: -ratios[item[0]])
        ),
        *(f"{name}: {one['refused']}" for name, one in results.items() if "refused" in one),
    ]
    if ratios:
        worst = max(ratios, key=lambda name: ratios[name])
        rows.append(
            f"{len(ratios)} models: median {median(ratios.values()):.2f}, "
            f"worst {ratios[worst]:.2f} ({worst})"
        )
    return "\n".join(rows) + "\n"


def _parts(one: dict[str, Any]) -> list[str]:
    return [line.removeprefix("use std.") for line in one["library"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--texts", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    imported.RAISES = True
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, make in models().items():
        is_asked = any(word in name for word in options.only)
        if not is_asked and (options.only or name in results):
            continue
        results[name] = record(name, make, options.texts)
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        RESULTS.with_suffix(".txt").write_text(summary(results))
        print(name, results[name], flush=True)


if __name__ == "__main__":
    main()
