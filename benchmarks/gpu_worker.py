"""Runs the steps of `benchmarks/gpu.py` one by one, in a process that may be killed or may crash.

Needs torch and numpy; uses torchvision and onnxruntime where they are. The first line of standard
input is the job; each step gives a line when it begins and one with what came of it. When standard
input ends, so does the process: it does not outlive the one that started it.
"""

from __future__ import annotations

import copy
import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))

from gpu_networks import (
    Absent,
    Found,
    Job,
    chosen,
    compare,
    first,
    kept,
    loaded,
    reference,
    with_weights,
)

PRECISIONS = {
    "fp32": (torch.float32, False),
    "tf32": (torch.float32, True),
    "fp16": (torch.float16, False),
    "bf16": (torch.bfloat16, False),
}
"""The type of weights and images, and whether products may round to ten bits."""
PROVIDERS = {
    "ort-cpu": "CPUExecutionProvider",
    "ort-cuda": "CUDAExecutionProvider",
    "ort-tensorrt": "TensorrtExecutionProvider",
}
CRASHED = 4


# --- time ----------------------------------------------------------------------------------------


def timed(job: Job, run: Callable[[], object]) -> Found:
    """Median milliseconds of blocks of runs, after some to warm up."""
    wait = torch.cuda.synchronize if job.device.type == "cuda" else (lambda: None)
    start, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - start < job.seconds / 2:
        run(), wait()
        count += 1
    once = (time.perf_counter() - start) / count
    block = max(1, round(job.seconds / 20 / once))
    clock = _gpu_block if job.device.type == "cuda" else _cpu_block
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < 5 or (time.perf_counter() - start < job.seconds and len(times) < 100):
        times.append(clock(run, block))
    return {
        "ms": median(times),
        "ms_least": min(times),
        "ms_most": max(times),
        "runs": block * len(times),
    }


def _gpu_block(run: Callable[[], object], count: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(count):
        run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / count


def _cpu_block(run: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    return 1000 * (time.perf_counter() - start) / count


def waited(job: Job, run: Callable[[], object]) -> Found:
    """As `timed`, for runs that wait for their end by themselves: by the clock of the host."""
    on_host = copy.copy(job)
    on_host.device = torch.device("cpu")
    return timed(on_host, run)


# --- steps ---------------------------------------------------------------------------------------


def measure(job: Job, step: dict[str, Any]) -> Found:
    """A network, or torchvision's, in one of the ways that PyTorch runs it."""
    kind, cuda = step["kind"], job.device.type == "cuda"
    dtype, tf32 = PRECISIONS[step["precision"]]
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    theirs = kind.startswith("torchvision")
    base = peer(job, step["network"]) if theirs else loaded(job, step["network"])
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    layout = torch.contiguous_format if kind == "eager" else torch.channels_last
    module = copy.deepcopy(base).to(job.device, dtype, memory_format=layout)
    x = torch.from_numpy(job.images(step["network"], step["batch"]))
    x = x.to(job.device, dtype, memory_format=layout)
    more: Found = {}
    run: Callable[[], Any] = partial(module, x)
    if kind in ("compile", "torchvision-compile"):
        run, more = compiled(job, module, x)
    if kind == "graph":
        run = captured(module, x)
    found = compare(job, step, first(run())) | more | timed(job, run)
    if cuda:
        found["peak_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return found


def compiled(job: Job, module: nn.Module, x: Tensor) -> tuple[Callable[[], Any], Found]:
    """The network under `torch.compile`, and what compiling took."""
    import torch._dynamo
    from torch._dynamo.utils import counters

    if job.compiler == "inductor" and job.device.type == "cuda":
        _need("triton")
    torch._dynamo.reset()
    counters.clear()
    fast = torch.compile(module, backend=job.compiler, dynamic=False)
    start = time.perf_counter()
    fast(x)
    spent = time.perf_counter() - start
    breaks = sum(counters["graph_break"].values())
    return (lambda: fast(x)), {"compile_s": spent, "graph_breaks": breaks}


def captured(module: nn.Module, x: Tensor) -> Callable[[], Tensor]:
    """The network as a CUDA graph over one buffer of images."""
    if x.device.type != "cuda":
        raise Absent("CUDA graphs need a GPU")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            module(x)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = first(module(x))
    result.fill_(float("nan"))  # so that what is compared is the replay's

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


def peer_on_cpu(job: Job, step: dict[str, Any]) -> Found:
    """torchvision's network with the same weights, on the CPU: it never saw our source."""
    x = torch.from_numpy(job.images(step["network"], max(job.batches)))
    theirs = peer(job, step["network"])
    start = time.perf_counter()
    given = first(theirs(x[chosen(len(x))]))
    spent = time.perf_counter() - start
    return compare(job, step, given) | {"ms": 1000 * spent}


@cache
def peer(job: Job, name: str) -> nn.Module:
    """torchvision's network with our weights, loaded by name."""
    kind = job.manifest[name]["peer"]
    more = {"init_weights": False, "transform_input": False} if kind == "googlenet" else {}
    module = getattr(torchvision_models(), kind)(weights=None, **more).eval()
    module.load_state_dict(kept(job.work / f"{name}.pt")["state"])
    return module


@cache
def torchvision_models() -> Any:
    """`torchvision.models`, also where its compiled operators do not load beside this torch."""
    _need("torchvision")
    try:
        return import_module("torchvision.models")
    except RuntimeError:  # an operator that it registers shapes for does not exist
        global _library
        _library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    try:
        return import_module("torchvision.models")
    except Exception as error:
        raise Absent(f"torchvision cannot be imported: {error}") from error


_library: torch.library.Library | None = None
"""Kept, because what it defines goes with it."""


def onnx_runtime(job: Job, step: dict[str, Any]) -> Found:
    """The network's ONNX file, its weights written beside it, in one of the runtime's providers."""
    _need("onnxruntime")
    import onnxruntime

    provider = PROVIDERS[step["kind"]]
    if provider not in onnxruntime.get_available_providers():
        raise Absent(f"onnxruntime {onnxruntime.__version__} has no {provider}")
    entry = job.manifest[step["network"]]
    half = step["precision"] == "fp16"
    path = with_weights(job, step["network"], "float16" if half else "float32")
    options = {"use_tf32": str(int(step["precision"] == "tf32"))}
    chosen_options = options if step["kind"] == "ort-cuda" else {}
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(str(path), providers=[(provider, chosen_options)])
    if session.get_providers()[0] != provider:
        raise Absent(f"{provider} did not load")
    x = job.images(step["network"], step["batch"])
    run = _on_cpu if step["kind"] == "ort-cpu" else _on_gpu
    once, result = run(session, entry["input"], entry["output"], x)
    once()
    given = torch.from_numpy(result())
    more = {"start_s": time.perf_counter() - start}
    return compare(job, step, given) | more | waited(job, once)


Runs = tuple[Callable[[], Any], Callable[[], Any]]
"""A run that waits for its end, and what gives its result."""


def _on_cpu(session: Any, name: str, output: str, x: Any) -> Runs:
    once = partial(session.run, [output], {name: x})
    return once, lambda: once()[0]


def _on_gpu(session: Any, name: str, output: str, x: Any) -> Runs:
    """Image and result stay on the GPU."""
    import onnxruntime

    binding = session.io_binding()
    binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(x, "cuda", 0))
    binding.bind_output(output, "cuda", 0)

    def once() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return once, lambda: binding.copy_outputs_to_cpu()[0]


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise Absent(f"{package} is not installed")


# --- the process ---------------------------------------------------------------------------------


def take(job: Job, step: dict[str, Any]) -> Found:
    """What came of a step; never an exception."""
    try:
        with torch.no_grad():
            if step["kind"] == "reference":
                return {"status": "ok"} | reference(job, step["network"])
            if step["kind"] == "peer-cpu":
                return peer_on_cpu(job, step)
            if step["kind"] in PROVIDERS:
                return onnx_runtime(job, step)
            return measure(job, step)
    except (Absent, NotImplementedError) as error:  # the latter: PyTorch lacks a type on a device
        return {"status": "absent", "why": str(error)[:300]}
    except (torch.OutOfMemoryError, MemoryError) as error:
        return {"status": "memory", "why": str(error)[:300]}
    except Exception as error:
        return {"status": "failed", "why": f"{type(error).__name__}: {error}"[:1000]}


def conditions(job: Job) -> Found:
    """What the numbers depend on."""
    found: Found = {
        "device": job.device.type,
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "threads": torch.get_num_threads(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
    }
    for package in ("torchvision", "onnxruntime", "onnxruntime-gpu", "triton", "numpy"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    if job.device.type == "cuda":
        card = torch.cuda.get_device_properties(0)
        found |= {
            "gpu": card.name,
            "gpu_memory_mib": card.total_memory // 2**20,
            "multiprocessors": card.multi_processor_count,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return found


def main() -> None:
    channel = os.fdopen(os.dup(1), "w")  # what libraries print goes elsewhere
    os.dup2(2, 1)
    said = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.backends.cudnn.benchmark = said["tune"]
    job = Job(said)

    def tell(**line: Any) -> None:
        print(json.dumps(line), file=channel, flush=True)

    tell(conditions=conditions(job))
    for index, step in said["steps"]:
        tell(begin=index)
        found = take(job, step)
        if "ms" in found:
            gc.collect()
        if job.device.type == "cuda" and not _gpu_lives():
            tell(end=index, found=found)
            os._exit(CRASHED)  # another process takes what is left
        tell(end=index, found=found)


def _gpu_lives() -> bool:
    """Whether the GPU still answers; after some errors nothing more can be run in a process."""
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except RuntimeError:
        return False
    return True


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
