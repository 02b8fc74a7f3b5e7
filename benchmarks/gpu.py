"""Measures compiled networks on a GPU, and checks what each way of running them gives.

    make gpu-files                                    on a machine that has netdsl: build/gpu
    python benchmarks/gpu.py build/gpu --out DIR      on one that has torch and numpy
    python benchmarks/gpu.py build/gpu --device cpu --quick --out /tmp/dry    a trial without a GPU

It ends by itself within `--seconds`. Steps run in a process of their own (`gpu_worker.py`), each
with a limit; the results are written after every step, so that nothing is lost if it is killed.
The exit code is 1 where a result is wrong or a network failed to run.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
START = time.monotonic()
LIMITS = {"reference": 90, "compile": 75, "torchvision-compile": 75, "ort-tensorrt": 90}
"""Seconds that a step may take; 45 where nothing is said."""
START_LIMIT = 60
"""Seconds in which a process must have begun its first step."""
FAULTS = ("wrong", "failed", "crashed")
SMI = (
    "name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,temperature.gpu,power.draw,power.limit"
)
ORDER = {"fp32": 0, "tf32": 1, "fp16": 2, "bf16": 3}
Step = dict[str, Any]

WAVES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("eager", ("fp32",)),
    ("channels_last", ("fp16",)),
    ("torchvision", ("fp16",)),
    ("graph", ("fp16",)),
    ("eager", ("tf32", "fp16", "bf16")),
    ("channels_last", ("tf32", "bf16", "fp32")),
    ("compile-large", ("fp16",)),
    ("ort-cpu", ("fp32", "fp16")),
    ("ort-cuda", ("fp32", "tf32", "fp16")),
    ("torchvision", ("tf32",)),
    ("graph", ("tf32", "bf16", "fp32")),
    ("compile-one", ("fp16",)),
    ("torchvision-compile-large", ("fp16",)),
    ("compile-large", ("tf32", "bf16", "fp32")),
    ("torchvision", ("fp32", "bf16")),
    ("compile-one", ("tf32", "bf16", "fp32")),
    ("ort-tensorrt", ("fp16", "tf32")),
)
"""What is measured, the most telling first: each for all networks before the next begins."""


def steps(manifest: dict[str, Any], batches: list[int], *, cpu: bool) -> Iterator[Step]:
    """All that is to be done, in order."""
    for name, entry in manifest.items():
        yield {"network": name, "kind": "reference", "precision": "fp32", "batch": max(batches)}
        if entry["peer"]:
            yield {"network": name, "kind": "peer-cpu", "precision": "fp32", "batch": max(batches)}
    for (wave, precisions), (name, entry) in product(WAVES, manifest.items()):
        kind, _, which = wave.partition("-") if wave.startswith("compile") else (wave, "", "")
        if wave.startswith("torchvision-compile"):
            kind, which = "torchvision-compile", "large"
        if kind.startswith("torchvision") and not entry["peer"]:
            continue
        if which or kind == "ort-cpu":
            taken = [max(batches)] if which == "large" else [min(batches)]
        else:
            taken = sorted(batches, reverse=True)
        for precision, batch in product(precisions, taken):
            if not (cpu and precision == "tf32"):
                yield {"network": name, "kind": kind, "precision": precision, "batch": batch}


class Results:
    """What was found; `keep` writes it aside and renames it, so that the file is always whole."""

    def __init__(self, out: Path, stem: str, planned: list[Step]) -> None:
        self.json, self.text = out / f"{stem}.json", out / f"{stem}.txt"
        self.planned = planned
        self.conditions: dict[str, Any] = {}
        self.found: list[Step] = []
        self.finished = False
        out.mkdir(parents=True, exist_ok=True)

    def add(self, step: Step, found: dict[str, Any]) -> None:
        at = round(time.monotonic() - START, 1)
        self.found.append(step | found | {"at_s": at})
        said = f"{found['ms']:9.3f} ms" if "ms" in found else " " * 12
        where = f"{step['network']} {step['kind']} {step['precision']} batch {step['batch']}"
        why = f"  {found['why']}" if "why" in found else ""
        print(f"{at:6.1f} s  {said}  {found['status']:7} {where}{why}"[:240], flush=True)
        self.keep()

    def faults(self) -> list[Step]:
        return [item for item in self.found if item["status"] in FAULTS]

    def data(self) -> dict[str, Any]:
        counts = {"planned": len(self.planned), "done": len(self.found)}
        return {
            "conditions": self.conditions,
            "counts": counts | {"faults": len(self.faults())},
            "finished": self.finished,
            "steps": self.found,
        }

    def keep(self) -> None:
        if not self.found:
            return
        data = self.data()
        write_whole(self.json, json.dumps(data, indent=1) + "\n")
        write_whole(self.text, table(data) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file aside and rename it."""
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


# --- the process that does the steps --------------------------------------------------------------


class Worker:
    """A process that does steps; its lines come through a queue, and None at its end."""

    def __init__(self, job: dict[str, Any], work: Path) -> None:
        command = [sys.executable, *(["-I"] if sys.flags.isolated else [])]
        kept = dict(os.environ, TORCHINDUCTOR_CACHE_DIR=str(work / "inductor"))
        self.log = open(work / "worker.log", "ab")  # noqa: SIM115
        self.process = subprocess.Popen(
            [*command, str(HERE / "gpu_worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=kept,
            start_new_session=True,
        )
        self.lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def line(self, seconds: float) -> dict[str, Any] | None:
        """The next line, None where the process ended. Raises `queue.Empty`."""
        return self.lines.get(timeout=max(0.0, seconds))

    def end(self) -> None:
        """Kill it with all that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()


def run(job: dict[str, Any], results: Results, work: Path, until: float) -> None:
    """Do all steps, with a new process after one that crashed or was too slow, until the end."""
    left = list(enumerate(results.planned))
    idle = 0
    while left and time.monotonic() < until and idle < 3:
        before = len(left)
        worker = Worker(job | {"steps": left}, work)
        try:
            left = _follow(worker, left, results, until)
        finally:
            worker.end()
        idle = idle + 1 if len(left) == before else 0
    results.finished = not left
    results.keep()


def _follow(
    worker: Worker, left: list[tuple[int, Step]], results: Results, until: float
) -> list[tuple[int, Step]]:
    """Take a process's lines until it ends or a step outlasts its limit; the steps then left."""
    begun, limit = False, time.monotonic() + START_LIMIT
    while left:
        _, step = left[0]
        try:
            line = worker.line(min(limit, until) - time.monotonic())
        except queue.Empty:
            if begun:
                late = time.monotonic() >= until
                why = "the time was up" if late else f"after {_limit(step)} s"
                results.add(step, {"status": "stopped", "why": why})
                return left[1:]
            return left
        if line is None:
            if begun:
                why = f"the process ended with {worker.process.wait()}: {_last_words(worker)}"
                results.add(step, {"status": "crashed", "why": why})
                return left[1:]
            return left
        if "conditions" in line:
            results.conditions |= line["conditions"]
        if "begin" in line:
            begun, limit = True, time.monotonic() + _limit(step)
        if "end" in line:
            results.add(step, line["found"])
            begun, limit, left = False, time.monotonic() + START_LIMIT, left[1:]
    return left


def _limit(step: Step) -> float:
    return LIMITS.get(step["kind"], 45)


def _last_words(worker: Worker) -> str:
    words = Path(worker.log.name).read_text(errors="replace").strip().splitlines()
    return " / ".join(words[-3:])[-500:]


# --- what is read ---------------------------------------------------------------------------------


def table(data: dict[str, Any]) -> str:
    """The results for people: milliseconds, errors, the ratio to torchvision, and what went wrong."""
    found: list[Step] = data["steps"]
    said = ", ".join(f"{key} {value}" for key, value in data["conditions"].items())
    counts = data["counts"]
    lines = [f"{counts['done']} of {counts['planned']} steps; {counts['faults']} faults", said, ""]
    timed = [s for s in found if "ms" in s and s["kind"] not in ("reference", "peer-cpu")]
    for name, batch in dict.fromkeys((s["network"], s["batch"]) for s in timed):
        here = [s for s in timed if (s["network"], s["batch"]) == (name, batch)]
        lines.append(f"{name}, batch {batch}: ms (error, of what images differ by)")
        for kind in dict.fromkeys(s["kind"] for s in here):
            mine = sorted(
                (s for s in here if s["kind"] == kind), key=lambda s: ORDER[s["precision"]]
            )
            cells = [f"{s['precision']} {_cell(s)}" for s in mine]
            lines.append(f"  {kind:20} {'   '.join(cells)}")
    lines += ["", *_ratios(timed)]
    rest = [s for s in found if s["status"] != "ok"]
    lines += ["", f"not right or not run: {len(rest)}"] if rest else ["", "all right"]
    for s in rest:
        where = f"{s['network']} {s['kind']} {s['precision']} batch {s['batch']}"
        lines.append(f"  {s['status']}: {where}: {s.get('why', '')}"[:200])
    return "\n".join(lines)


def _cell(step: Step) -> str:
    mark = "" if step["status"] == "ok" else f" {step['status'].upper()}"
    peak = f", {step['peak_mib']:.0f} MiB" if "peak_mib" in step else ""
    error = f"{step['rms']:.0e}" if "rms" in step else "?"
    built = f", {step['compile_s']:.0f} s to compile" if "compile_s" in step else ""
    return f"{step['ms']:.3f} ({error}{peak}{built}){mark}"


def _ratios(timed: list[Step]) -> list[str]:
    """Our source's time as a share of torchvision's, run the same way."""
    pairs = {"torchvision": "channels_last", "torchvision-compile": "compile"}
    ours = {(s["network"], s["kind"], s["precision"], s["batch"]): s["ms"] for s in timed}
    lines = ["time as a share of torchvision's:"]
    for s in timed:
        mine = ours.get((s["network"], pairs.get(s["kind"], ""), s["precision"], s["batch"]))
        if mine is not None:
            where = f"{s['network']} {pairs[s['kind']]} {s['precision']} batch {s['batch']}"
            lines.append(f"  {mine / s['ms']:.3f}  {where}")
    return lines if len(lines) > 1 else []


def smi() -> str:
    """What nvidia-smi says of clocks, temperature and power; empty where it is not."""
    command = ["nvidia-smi", f"--query-gpu={SMI}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="what `make gpu-files` made")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--seconds", type=float, default=345, help="all ends within this time")
    parser.add_argument("--quick", action="store_true", help="small images, batch 2: a trial")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--networks", nargs="+", help="these alone")
    parser.add_argument("--kinds", nargs="+", help="these ways to run them alone")
    parser.add_argument("--tune", action="store_true", help="let cuDNN try its algorithms")
    options = parser.parse_args()
    manifest = json.loads((options.folder / "manifest.json").read_text())
    manifest = {n: e for n, e in manifest.items() if n in (options.networks or manifest)}
    batches = [1, 2] if options.quick else sorted(set(options.batches))
    planned = [
        step
        for step in steps(manifest, batches, cpu=options.device == "cpu")
        if step["kind"] in ("reference", *(options.kinds or [step["kind"]]))
    ]
    stem = "gpu" if options.device == "cuda" else "gpu-dry-run"
    results = Results(options.out, stem, planned)
    before = smi()
    if before:
        results.conditions |= {"nvidia_smi": SMI, "before": before}
    until = START + options.seconds - 5
    with tempfile.TemporaryDirectory(prefix="netdsl-gpu") as work:
        job = {
            "folder": str(options.folder.resolve()),
            "work": work,
            "device": options.device,
            "batches": batches,
            "size": 64 if options.quick else None,
            "seconds": 0.02 if options.quick else 0.3,
            "compiler": "eager" if options.quick else "inductor",
            "tune": options.tune,
        }
        results.conditions |= {"batches": batches, "quick": options.quick}
        run(job, results, Path(work), until)
        last = (Path(work) / "worker.log").read_text(errors="replace")[-1000:]
    if before:
        results.conditions["after"] = smi()
        results.keep()
    print(table(results.data()))
    nothing = not any("rms" in item for item in results.found)
    if not results.found and last:
        print(f"no step was begun: {last}")
    sys.exit(1 if results.faults() or nothing else 0)


if __name__ == "__main__":
    main()
