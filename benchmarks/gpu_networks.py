"""Networks compiled by netdsl, weights and images for them, and what they should give.

Part of `benchmarks/gpu_worker.py`: needs torch and numpy, not netdsl.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import sys
import time
import zlib
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

EXACT = 1e-3
"""What the root mean square of an error in single precision may be, of what images differ by."""
ROUNDED = {"tf32": torch.float16, "fp16": torch.float16, "bf16": torch.bfloat16}
"""What rounds no less than each precision does; tf32 has as many bits as float16."""
SLACK, MOST = 4, 0.5
"""An error may be so many times what rounding every layer gives on the CPU, and so much at most."""
SAMPLES = 16
"""So many images of a batch are compared, from the first to the last."""
CALIBRATION = 16
"""So many images give batch normalisations their statistics."""
Found = dict[str, Any]


class Absent(Exception):
    """What a step needs is not on this machine."""


class Job:
    """The folder of networks, a folder for what is made on the way, and how to measure."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.folder = Path(said["folder"])
        self.work = Path(said["work"])
        self.device = torch.device(said["device"])
        self.batches: list[int] = said["batches"]
        self.seconds: float = said["seconds"]
        self.compiler: str = said["compiler"]
        self.manifest = json.loads((self.folder / "manifest.json").read_text())
        self.size: int | None = said["size"]

    def images(self, name: str, batch: int) -> np.ndarray[Any, Any]:
        """The first images of those that belong to a network, always the same."""
        entry = self.manifest[name]
        count = max(CALIBRATION, *self.batches)
        return images(entry["channels"], self.size or entry["size"], count)[:batch]


@cache
def images(channels: int, size: int, count: int) -> np.ndarray[Any, Any]:
    """A colour, blots and noise, each image with more or less of them: no two are much alike."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray[Any, Any]:
        return random.standard_normal((count, *shape), dtype=np.float32)

    at = np.arange(size) * 8 // size
    blots = (normal(channels, 8, 8) * np.exp(normal(1, 1, 1)))[:, :, at][:, :, :, at]
    noise = normal(channels, size, size) * np.exp(normal(1, 1, 1) - 1)
    return np.ascontiguousarray(normal(channels, 1, 1) + blots + noise)


@cache
def source(path: Path) -> Any:
    """A compiled file as a module."""
    spec = spec_from_file_location(f"compiled_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def fresh(job: Job, name: str) -> nn.Module:
    """A network as its compiled source makes it."""
    entry = job.manifest[name]
    return getattr(source(job.folder / entry["source"]), entry["class"])().eval()


def draw(module: nn.Module, seed: int) -> None:
    """Weights that keep numbers of one size from layer to layer, and norms that do something."""
    random = np.random.default_rng(seed)
    for key, value in module.state_dict().items():
        if not value.is_floating_point() or key.endswith(("running_mean", "running_var")):
            continue
        shape = tuple(value.shape)
        if value.dim() > 1:
            spread = (2 / np.prod(shape[1:])) ** 0.5
            numbers = random.standard_normal(shape, dtype=np.float32) * np.float32(spread)
        elif key.endswith("weight"):
            numbers = random.uniform(0.5, 1.5, shape)
        else:
            numbers = random.normal(0, 0.1, shape)
        value.copy_(torch.from_numpy(np.asarray(numbers, dtype=np.float32)))


def calibrate(module: nn.Module, x: Tensor) -> None:
    """Give each batch normalisation the mean and variance that images have there."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.train().momentum = None
    module(x)
    for norm in norms:
        norm.eval().momentum = 0.1


def reference(job: Job, name: str) -> Found:
    """Draw the weights and keep them with what the CPU gives in single precision."""
    module = fresh(job, name)
    draw(module, zlib.crc32(name.encode()))
    calibrate(module, torch.from_numpy(job.images(name, CALIBRATION)))
    x = torch.from_numpy(job.images(name, max(job.batches)))
    start = time.perf_counter()
    expected = first(module(x[chosen(len(x))]))
    spent = time.perf_counter() - start
    spread = float((expected - expected.mean(0)).double().pow(2).mean().sqrt())
    if not spread > 1e-3 * float(expected.abs().max()):
        raise ValueError(f"images all give the same, {spread:.1e} apart: nothing can be compared")
    bounds = {"fp32": EXACT}
    for precision, dtype in ROUNDED.items():
        error = rounded(module, x[chosen(len(x))][:4], dtype) - expected[:4]
        share = float(error.double().pow(2).mean().sqrt()) / spread
        bounds[precision] = min(MOST, max(EXACT, SLACK * share))
    known = {"state": module.state_dict(), "expected": expected, "spread": spread}
    torch.save(known | {"bounds": bounds}, job.work / f"{name}.pt")
    count = sum(p.numel() for p in module.parameters())
    found = {"ms": 1000 * spent, "samples": len(expected), "parameters": count}
    return found | {"spread": spread, "bounds": bounds}


def rounded(module: nn.Module, x: Tensor, dtype: torch.dtype) -> Tensor:
    """What a network gives where its weights and the result of each layer are rounded."""
    module = copy.deepcopy(module)
    for value in module.state_dict().values():
        if value.is_floating_point():
            value.copy_(value.to(dtype))
    for layer in module.modules():
        if not list(layer.children()):
            layer.register_forward_hook(lambda _layer, _inputs, given: given.to(dtype).float())
    return first(module(x.to(dtype).float()))


def chosen(batch: int) -> list[int]:
    """The images of a batch that are compared: the first, the last, and some between."""
    count = min(SAMPLES, batch)
    return [i * (batch - 1) // max(1, count - 1) for i in range(count)]


@cache
def kept(path: Path) -> dict[str, Any]:
    """A network's weights and what they should give, as `reference` found them."""
    if not path.exists():
        raise Absent("there is nothing to compare with: the reference failed")
    return torch.load(path, weights_only=True)


@cache
def loaded(job: Job, name: str) -> nn.Module:
    """A network with its weights, on the CPU; not to be changed."""
    module = fresh(job, name)
    module.load_state_dict(kept(job.work / f"{name}.pt")["state"])
    return module


def first(result: Any) -> Tensor:
    return result if isinstance(result, Tensor) else result[0]


def compare(job: Job, step: dict[str, Any], given: Tensor) -> Found:
    """How far a result is from the CPU's, and whether that is more than rounding."""
    known = kept(job.work / f"{step['network']}.pt")
    expected: Tensor = known["expected"].double()
    given = given.detach().cpu().double()
    if len(given) == max(job.batches):
        given = given[chosen(len(given))]
    elif len(given) == 1:
        expected = expected[:1]
    if given.shape != expected.shape:
        said = f"the shape is {list(given.shape)}, not {list(expected.shape)}"
        return {"status": "wrong", "why": said}
    if not given.isfinite().all():
        return {"status": "wrong", "why": "some numbers are not finite"}
    apart = given - expected
    rms = float(apart.pow(2).mean().sqrt()) / known["spread"]
    same = (given.argmax(1) == expected.argmax(1)).double().mean()
    found = {
        "max_abs": float(apart.abs().max()),
        "max_rel": float(apart.abs().max() / expected.abs().max()),
        "rms": rms,
        "argmax": float(same),
        "status": "ok",
    }
    bound = known["bounds"][step["precision"]]
    if not rms <= bound:
        why = f"the error is {rms:.1e} of what images differ by, above {bound:.1e}"
        found |= {"status": "wrong", "why": why}
    return found


def with_weights(job: Job, name: str, dtype: str) -> Path:
    """A network's ONNX file with the weights beside it, where its places say."""
    said = job.manifest[name]["onnx"][dtype]
    path, data = job.work / said["file"], job.work / said["data"]
    if path.exists():
        return path
    state = kept(job.work / f"{name}.pt")["state"]
    with open(data, "wb") as file:
        for place in said["weights"]:
            numbers = state[place["key"]].numpy().astype(place["dtype"])
            if list(numbers.shape) != place["shape"] or numbers.nbytes != place["length"]:
                raise ValueError(f"{place['key']} does not fit its place in {data.name}")
            file.seek(place["offset"])
            file.write(numbers.tobytes())
    aside = path.with_suffix(".part")
    shutil.copyfile(job.folder / said["file"], aside)
    os.replace(aside, path)
    return path
