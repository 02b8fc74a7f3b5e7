"""Imports the models of torchvision and timm, and compares each with the model itself.

`python benchmarks/import_models.py` goes on where it was interrupted; `--only vgg swin` takes
those whose names contain a word, `--again` tries once more what failed, `--seconds 600` ends in
time. The counts, and the failures by cause, are in `benchmarks/results/import_torch.txt`.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import signal
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from netdsl import DiagnosticError
from tests.importers.torch_models import Compared, compare
from tests.torchvision_models import torchvision_models

RESULTS = Path(__file__).parent / "results" / "import_torch.json"
LARGEST = 120_000_000
"""Parameters of the largest model that is run."""
LIMIT = 400
"""Seconds for one model."""


def torchvision_names() -> Iterator[tuple[str, Callable[[], Any]]]:
    """The classification and segmentation models of torchvision."""
    models = torchvision_models()
    for name in models.list_models(module=models):
        keywords = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        yield f"torchvision.{name}", lambda n=name, k=keywords: getattr(models, n)(**k)
    for name in models.list_models(module=models.segmentation):
        make = getattr(models.segmentation, name)
        yield (
            f"torchvision.segmentation.{name}",
            lambda make=make: make(weights=None, weights_backbone=None),
        )


def timm_names() -> Iterator[tuple[str, Callable[[], Any]]]:
    """One model, the smallest, for each class and file of timm; then those that are small."""
    import timm

    families: dict[str, list[str]] = defaultdict(list)
    for name in timm.list_models():
        families[re.split(r"[_\d]", name)[0]].append(name)
    for round_number in range(3):
        for names in families.values():
            names = sorted(names, key=_size)
            if round_number < len(names):
                name = names[round_number * max(1, len(names) // 3)] if round_number else names[0]
                yield f"timm.{name}", lambda n=name: timm.create_model(n)


def _size(name: str) -> tuple[int, str]:
    words = (
        "test",
        "femto",
        "atto",
        "pico",
        "nano",
        "tiny",
        "small",
        "base",
        "large",
        "huge",
        "giant",
    )
    place = next((at for at, one in enumerate(words) if one in name), 5)
    return place, name


def record(name: str, make: Callable[[], Any]) -> dict[str, Any]:
    """What came of one model."""
    start = time.perf_counter()
    signal.alarm(LIMIT)
    try:
        with torch.device("meta"):
            try:
                count = sum(one.numel() for one in make().parameters())
            except Exception:
                count = 0
        if count > LARGEST:
            return {"outcome": "too large", "parameters": count}
        result: Compared = compare(make, re.sub(r"\W", "_", name))
    except DiagnosticError as error:
        first = error.diagnostics[0]
        return {"outcome": "refused", "cause": first.message, "place": str(first.span)}
    except TimeoutError:
        return {"outcome": "slow", "cause": f"over {LIMIT} s"}
    except Exception as error:
        stage = getattr(error, "stage", type(error).__name__)
        return {"outcome": "failed", "stage": stage, "cause": str(error)[:600]}
    finally:
        signal.alarm(0)
    return {
        "outcome": "equal",
        "open": result.is_open,
        "difference": result.largest_difference,
        "lines": len(result.text.splitlines()),
        "seconds": round(result.seconds, 2),
        "whole": round(time.perf_counter() - start, 1),
        "contract": result.pairs,
    }


def cause(one: dict[str, Any]) -> str:
    """A failure without its names and numbers."""
    text = re.sub(r" \(in `.*", "", str(one.get("cause", one["outcome"])))
    text = re.sub(r"\d+", "n", text)
    return f"{one.get('stage', one['outcome'])}: {text}"[:150]


def summary(results: dict[str, dict[str, Any]]) -> str:
    """Counts by package, and failures by cause."""
    lines: list[str] = []
    for package in sorted({name.split(".")[0] for name in results}):
        ours = [one for name, one in results.items() if name.startswith(package)]
        tried = [one for one in ours if one["outcome"] != "too large"]
        equal = [one for one in tried if one["outcome"] == "equal"]
        opened = sum(bool(one["open"]) for one in equal)
        lines.append(
            f"{package}: {len(equal)} of {len(tried)} are equal ({opened} at all sizes of their "
            f"contract, {len(equal) - opened} at one size); {len(ours) - len(tried)} too large to run"
        )
    causes: dict[str, list[str]] = defaultdict(list)
    for name, one in results.items():
        if one["outcome"] not in ("equal", "too large"):
            causes[cause(one)].append(name)
    for text, names in sorted(causes.items(), key=lambda item: -len(item[1])):
        lines.append(f"{len(names):3} {text}\n      {', '.join(names[:6])}")
    return "\n".join(lines) + "\n"


def _stopped(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, _stopped)
    begin = time.perf_counter()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for source in (torchvision_names, timm_names):
        for name, make in source():
            is_done = name in results and (
                not options.again or results[name]["outcome"] in ("equal", "too large")
            )
            is_asked = not options.only or any(one in name for one in options.only)
            if is_done or not is_asked:
                continue
            if time.perf_counter() - begin > options.seconds:
                return
            one = record(name, make)
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            results[name] = one
            RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
            RESULTS.with_suffix(".txt").write_text(summary(results))
            print(name, results[name]["outcome"], results[name].get("cause", "")[:300], flush=True)
            gc.collect()


if __name__ == "__main__":
    main()
