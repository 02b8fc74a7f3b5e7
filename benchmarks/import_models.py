"""Imports the models of torchvision and timm, and compares each with the model itself.

`python benchmarks/import_models.py` goes on where it was interrupted; `--only vgg swin` takes
those whose names contain a word, `--kinds conv transformer` those kinds, `--each 1` one model for
each file of timm, `--again` tries once more what failed, `--seconds 600` ends in time, `--largest`
is a number of parameters. Each model has a process of its own, with bounds of time and of memory.
The counts, and the failures by cause, are in `benchmarks/results/import_torch.txt`.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import re
import resource
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from netdsl import DiagnosticError
from tests.importers.torch_models import Compared, compare
from tests.torchvision_models import torchvision_models

RESULTS = Path(__file__).parent / "results" / "import_torch.json"
LARGEST = 250_000_000
"""Parameters of the largest model that is run: its numbers are in memory four times."""
LIMIT = 400
"""Seconds for one model."""
MEMORY = 6 * 2**30
"""Bytes that the process of one model may have."""
SIZES = ((97, 131), (128, 96))
"""Sizes at which numbers are compared, where a model takes them; else the nearest that it takes."""
PAIRS = 12
"""Random sizes at which the contract is compared."""

CONVOLUTIONAL = frozenset(
    [
        "byobnet",
        "convmixer",
        "convnext",
        "cspnet",
        "cspnext",
        "densenet",
        "dla",
        "dpn",
        "efficientnet",
        "fasternet",
        "ghostnet",
        "hardcorenas",
        "hgnet",
        "hrnet",
        "inception_next",
        "inception_resnet_v2",
        "inception_v3",
        "inception_v4",
        "lcnetv2",
        "mambaout",
        "mobilenetv3",
        "nasnet",
        "nfnet",
        "pnasnet",
        "rdnet",
        "regnet",
        "repghost",
        "repvit",
        "res2net",
        "resnest",
        "resnet",
        "resnetv2",
        "rexnet",
        "selecsls",
        "senet",
        "sknet",
        "starnet",
        "tresnet",
        "vgg",
        "vovnet",
        "xception",
        "xception_aligned",
        "focalnet",
    ]
)
"""Files of timm whose models have no attention between places and no mixing of tokens."""
MIXING = frozenset({"mlp_mixer", "sequencer", "efficientvim"})
"""Files whose models mix tokens by dense, recurrent or state-space layers."""
TRANSFORMERS = ("vit_", "swin_", "maxvit")
"""How the transformers of torchvision are called."""


@dataclass(frozen=True)
class Model:
    """A published model: how it is called, its kind, and what makes it."""

    name: str
    kind: str
    make: Callable[[], Any]


def torchvision_names() -> Iterator[Model]:
    """The classification and segmentation models of torchvision."""
    models = torchvision_models()
    for name in models.list_models(module=models):
        keywords = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        kind = "transformer" if name.startswith(TRANSFORMERS) else "conv"
        make = getattr(models, name)
        yield Model(f"torchvision.{name}", kind, lambda make=make, k=keywords: make(**k))
    for name in models.list_models(module=models.segmentation):
        make = getattr(models.segmentation, name)
        yield Model(
            f"torchvision.segmentation.{name}",
            "conv",
            lambda make=make: make(weights=None, weights_backbone=None),
        )


def timm_names() -> Iterator[Model]:
    """The models of timm: the smallest of each file, then the next of each, and so on."""
    torchvision_models()
    import timm
    from timm.models import _registry

    files: dict[str, list[str]] = defaultdict(list)
    for name in timm.list_models():
        files[_registry._model_to_module[name]].append(name)
    for names in files.values():
        names.sort(key=_size)
    for place in range(max(map(len, files.values()))):
        for file, names in files.items():
            if place < len(names):
                name = names[place]
                yield Model(f"timm.{name}", kind_of(file), lambda n=name: timm.create_model(n))


def kind_of(file: str) -> str:
    """What the models of a file of timm are."""
    if file in CONVOLUTIONAL:
        return "conv"
    return "mixer" if file in MIXING else "transformer"


WORDS = (
    ("test",),
    ("femto", "atto", "_xxt", "xxs", "xxt", "xx_s"),
    ("pico", "nano", "_ti_", "_ti16", "_xs", "_xt", "_n0", "_050", "_035"),
    ("tiny", "_s0", "_b0", "_m0", "_m1", "_t0", "_t8", "_075", "_mini", "_9_"),
    ("small", "18", "_26", "_b1", "_s1", "_t", "_l0", "_f0", "_s", "_100"),
    ("medium", "34", "_m"),
    ("base", "50"),
    ("large", "_l", "101"),
    ("huge", "giant", "152", "200", "269", "enormous", "gigantic", "1b", "2b", "3b", "7b"),
)


def _size(name: str) -> tuple[int, int, str]:
    """Small models first, as far as their names tell; those of large pictures behind others."""
    order = (0, 8, 1, 2, 7, 3, 6, 5, 4)
    place = next((at for at in order if any(one in name for one in WORDS[at])), 5)
    pixels = re.findall(r"_(\d{3})(?!\d)", name)
    return place, max((int(one) for one in pixels), default=0), name


def record(make: Callable[[], Any], name: str, largest: int) -> dict[str, Any]:
    """What came of one model."""
    start = time.perf_counter()
    try:
        with torch.device("meta"):
            try:
                count = sum(one.numel() for one in make().parameters())
            except Exception:
                count = 0
        if count > largest:
            return {"outcome": "too large", "parameters": count}
        result: Compared = compare(make, re.sub(r"\W", "_", name), sizes=SIZES, pairs=PAIRS)
    except DiagnosticError as error:
        first = error.diagnostics[0]
        return {"outcome": "refused", "cause": first.message, "place": str(first.span)}
    except MemoryError:
        return {"outcome": "slow", "cause": f"over {MEMORY // 2**30} GB"}
    except Exception as error:
        if "allocate memory" in str(error):
            return {"outcome": "slow", "cause": f"over {MEMORY // 2**30} GB"}
        stage = getattr(error, "stage", type(error).__name__)
        return {"outcome": "failed", "stage": stage, "cause": str(error)[:600]}
    return {
        "outcome": "equal",
        "open": result.is_open,
        "difference": result.largest_difference,
        "lines": len(result.text.splitlines()),
        "seconds": round(result.seconds, 2),
        "whole": round(time.perf_counter() - start, 1),
        "contract": result.pairs,
        "parameters": count,
    }


def _child(model: Model, pipe: Connection, largest: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    pipe.send(record(model.make, model.name, largest))
    pipe.close()


def in_a_process(model: Model, limit: float, largest: int) -> dict[str, Any]:
    """What came of a model in a process of its own, which is ended when its time is over."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(model, theirs, largest))
    process.start()
    theirs.close()
    try:
        if not ours.poll(limit):
            return {"outcome": "slow", "cause": f"over {limit:.0f} s"}
        return ours.recv()
    except EOFError:
        process.join(5)
        return {"outcome": "failed", "stage": "process", "cause": f"ended by {process.exitcode}"}
    finally:
        process.kill()
        process.join()
        ours.close()


def cause(one: dict[str, Any]) -> str:
    """A failure without its names and numbers."""
    text = re.sub(r" \(in `.*", "", str(one.get("cause", one["outcome"])).split("\n")[0])
    text = re.sub(r"\d+", "n", text)
    return f"{one.get('stage', one['outcome'])}: {text}"[:150]


def summary(results: dict[str, dict[str, Any]]) -> str:
    """Counts by package and kind, and failures by cause."""
    lines: list[str] = []
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, one in results.items():
        package = name.split(".")[0]
        groups[package].append(one)
        groups[f"  {package}, {one.get('kind', 'unknown kind')}"].append(one)
    for title, ours in sorted(groups.items(), key=lambda item: item[0].strip()):
        tried = [one for one in ours if one["outcome"] != "too large"]
        equal = [one for one in tried if one["outcome"] == "equal"]
        opened = sum(bool(one["open"]) for one in equal)
        lines.append(
            f"{title}: {len(equal)} of {len(tried)} are equal ({opened} at all sizes of their "
            f"contract, {len(equal) - opened} at one size); {len(ours) - len(tried)} too large to run"
        )
    causes: dict[str, list[str]] = defaultdict(list)
    for name, one in results.items():
        if one["outcome"] not in ("equal", "too large"):
            causes[cause(one)].append(name)
    for text, names in sorted(causes.items(), key=lambda item: -len(item[1])):
        lines.append(f"{len(names):3} {text}\n      {', '.join(names[:6])}")
    return "\n".join(lines) + "\n"


def models(options: argparse.Namespace) -> Iterator[Model]:
    """The models that are asked for."""
    times: dict[str, int] = defaultdict(int)
    for source in (torchvision_names, timm_names):
        for one in source():
            home = _home(one)
            times[home] += 1
            if options.each and times[home] > options.each:
                continue
            if options.kinds and one.kind not in options.kinds:
                continue
            if not options.only or any(word in one.name for word in options.only):
                yield one


def _home(model: Model) -> str:
    """The file that a model of timm is in."""
    if not model.name.startswith("timm."):
        return model.name
    from timm.models import _registry

    return _registry._model_to_module[model.name.removeprefix("timm.")]


def _written(results: Path) -> dict[str, Any]:
    return json.loads(results.read_text()) if results.exists() else {}


def is_done(known: dict[str, Any] | None, options: argparse.Namespace) -> bool:
    """Whether what is known of a model is still the answer."""
    if known is None:
        return False
    if known["outcome"] == "too large":
        return known["parameters"] > options.largest
    return known["outcome"] == "equal" or not options.again


def _write(path: Path, results: dict[str, Any], kinds: dict[str, str]) -> None:
    """The results and their summary; written aside first, so that a stop loses nothing."""
    for name, one in results.items():
        one["kind"] = kinds.get(name, one.get("kind", "other"))
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    aside.replace(path)
    path.with_suffix(".txt").write_text(summary(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--kinds", nargs="*", default=[])
    parser.add_argument("--each", type=int, default=0)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--limit", type=float, default=LIMIT)
    parser.add_argument("--largest", type=int, default=LARGEST)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    begin = time.perf_counter()
    kinds = {one.name: one.kind for source in (torchvision_names, timm_names) for one in source()}
    for model in models(options):
        if is_done(_written(options.results).get(model.name), options):
            continue
        if time.perf_counter() - begin > options.seconds:
            break
        one = in_a_process(model, options.limit, options.largest)
        _write(options.results, _written(options.results) | {model.name: one}, kinds)
        print(model.name, one["outcome"], one.get("cause", "")[:300], flush=True)
        gc.collect()
    if options.results.exists():
        print(summary(_written(options.results)), flush=True)


if __name__ == "__main__":
    main()
