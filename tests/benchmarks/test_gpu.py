"""The GPU benchmark, tried on the CPU: what it finds, that it ends in time, that it keeps all."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import netdsl

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from benchmarks import gpu_prepare
from benchmarks.gpu_prepare import Plan

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "gpu.py"
TINY = """
net Tiny(act: layer = relu) {
    input image: [3, H, W]
    output y = image -> conv(8, 3, stride=2, bias=false) -> batchnorm -> act
        -> conv(8, 3, padding=1) -> batchnorm -> act -> global_avgpool -> linear(10)
}
"""
BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("netdsl", "lark", "islpy"):
            raise ImportError(f"{name} is not on a machine with a GPU")
sys.meta_path.insert(0, Blocker())
"""


def tiny(act: str = "relu") -> netdsl.Network:
    return netdsl.loads(TINY, params={"act": act})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    gpu_prepare.prepare(tmp_path / "gpu", {"tiny": (tiny(), Plan(32))})
    return tmp_path / "gpu"


def command(folder: Path, out: Path, *more: str) -> list[str]:
    given = [str(folder), "--out", str(out), "--device", "cpu", "--quick", *more]
    return [sys.executable, str(SCRIPT), *given]


def environment(tmp_path: Path) -> dict[str, str]:
    """One in which netdsl and what it needs cannot be imported."""
    blocked = tmp_path / "blocked"
    blocked.mkdir(exist_ok=True)
    (blocked / "sitecustomize.py").write_text(BLOCKER)
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return kept | {"PYTHONPATH": str(blocked), "OMP_NUM_THREADS": "1"}


def run(folder: Path, tmp_path: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the results of a trial, far from the repository."""
    out = tmp_path / "out"
    done = subprocess.run(
        command(folder, out, *more), cwd=tmp_path, env=environment(tmp_path), capture_output=True
    )
    assert (out / "gpu-dry-run.json").exists(), done.stderr.decode()
    return done.returncode, json.loads((out / "gpu-dry-run.json").read_text())


def statuses(results: dict[str, Any], **where: str) -> set[str]:
    """What came of the steps that have these values."""
    return {
        step["status"]
        for step in results["steps"]
        if all(step[key] == value for key, value in where.items())
    }


def test_the_blocker_blocks(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import netdsl"], env=environment(tmp_path), capture_output=True
    )
    assert b"not on a machine with a GPU" in done.stderr


@pytest.mark.full
def test_a_right_network_is_right_in_every_way(tmp_path: Path) -> None:
    squeeze = netdsl.load(ROOT / "examples" / "squeezenet1_1.net")
    given = {"tiny": (tiny(), Plan(32)), "squeeze": (squeeze, Plan(64, "squeezenet1_1"))}
    gpu_prepare.prepare(tmp_path / "gpu", given)
    code, results = run(tmp_path / "gpu", tmp_path)
    assert results["finished"]
    assert not [s for s in results["steps"] if s["status"] not in ("ok", "absent")]
    assert code == 0
    absent = {s["kind"] for s in results["steps"] if s["status"] == "absent"}
    assert absent <= {"graph", "ort-cuda", "ort-tensorrt"}
    for kind in ("eager", "channels_last", "compile"):
        found = [s for s in results["steps"] if s["kind"] == kind]
        assert {s["precision"] for s in found} == {"fp32", "fp16", "bf16"}
        assert all(s["rms"] < 0.1 and s["ms"] > 0 for s in found)
        assert all(s["argmax"] == 1 for s in found if s["precision"] == "fp32")
    text = (tmp_path / "out" / "gpu-dry-run.txt").read_text()
    assert "all right" not in text  # what could not be run is named
    assert "CUDA graphs need a GPU" in text
    assert "squeeze channels_last fp16 batch 2" in text  # the ratio to torchvision


@pytest.mark.full
def test_wrong_networks_are_found_wrong(tmp_path: Path) -> None:
    """Each is wrong in one way of running it alone, and there it is found."""
    folder = tmp_path / "gpu"
    squeeze = netdsl.load(ROOT / "examples" / "squeezenet1_1.net")
    names = ("half", "layout", "batch", "other", "nan")
    networks = {name: (tiny(), Plan(32)) for name in names}
    gpu_prepare.prepare(folder, networks | {"peer": (squeeze, Plan(64, "squeezenet1_1"))})
    spoil(folder / "half.py", "if image.dtype == torch.float16: image = image * 1.5")
    spoil(folder / "layout.py", "if not image.is_contiguous(): image = image.flip(-1, 1)")
    spoil(folder / "batch.py", "if len(image) > 1: image = image.flip(0)")
    spoil(folder / "nan.py", "if image.dtype == torch.bfloat16: image = image * float('nan')")
    spoil(folder / "peer.py", "image = image.flip(1)")
    (tmp_path / "made").mkdir()
    gpu_prepare.prepare(tmp_path / "made", {"other": (tiny("leaky_relu"), Plan(32))})
    (folder / "other.onnx").write_bytes((tmp_path / "made" / "other.onnx").read_bytes())
    kinds = ("eager", "channels_last", "ort-cpu", "peer-cpu")
    code, results = run(folder, tmp_path, "--kinds", *kinds)
    assert code == 1
    wrong = {
        (s["network"], s["kind"], s["precision"]) for s in results["steps"] if s["status"] != "ok"
    }
    assert {name for name, _, _ in wrong} == {*names, "peer"}
    assert {p for name, _, p in wrong if name in ("half", "nan")} == {"fp16", "bf16"}
    assert {k for name, k, _ in wrong if name == "layout"} == {"channels_last"}
    assert {(k, p) for name, k, p in wrong if name == "other"} == {("ort-cpu", "fp32")}
    assert {s["batch"] for s in results["steps"] if _is_wrong(s, "batch")} == {1}
    assert statuses(results, network="peer", kind="peer-cpu") == {"wrong"}
    assert results["counts"]["faults"] == sum(s["status"] != "ok" for s in results["steps"])


def _is_wrong(step: dict[str, Any], name: str) -> bool:
    return step["network"] == name and step["status"] == "wrong"


def spoil(path: Path, line: str) -> None:
    """Put a line at the beginning of the network's forward, the last of the file."""
    before, head, after = path.read_text().rpartition(
        "def forward(self, image: Tensor) -> Tensor:\n"
    )
    path.write_text(f"{before}{head}        import torch\n        {line}\n{after}")


def test_a_crash_costs_one_step(folder: Path, tmp_path: Path) -> None:
    spoil(folder / "tiny.py", "import os; image.dtype != torch.float16 or os.abort()")
    code, results = run(folder, tmp_path, "--kinds", "eager")
    assert code == 1
    assert results["finished"]
    assert statuses(results, kind="eager", precision="fp16") == {"crashed"}
    assert statuses(results, kind="eager", precision="bf16") == {"ok"}


@pytest.mark.full
def test_it_ends_in_time_though_a_step_does_not(folder: Path, tmp_path: Path) -> None:
    spoil(folder / "tiny.py", "import time; image.dtype != torch.float16 or time.sleep(1000)")
    start = time.monotonic()
    code, results = run(folder, tmp_path, "--seconds", "25", "--kinds", "eager")
    assert time.monotonic() - start < 27
    assert code == 0  # what was compared is right, and the file says that it is not all
    assert not results["finished"]
    assert statuses(results, precision="fp16") == {"stopped"}
    assert results["counts"]["done"] < results["counts"]["planned"]


def test_nothing_compared_is_no_success(folder: Path, tmp_path: Path) -> None:
    code, _ = run(folder, tmp_path, "--kinds", "graph")
    assert code == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_kill_leaves_a_whole_file_and_no_process(folder: Path, tmp_path: Path) -> None:
    spoil(folder / "tiny.py", "import time; image.dtype != torch.float16 or time.sleep(1000)")
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(folder, out, "--kinds", "eager"),
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
    )
    kept = out / "gpu-dry-run.json"
    end = time.monotonic() + 60
    while not (kept.exists() and json.loads(kept.read_text())["steps"]):
        assert time.monotonic() < end
        time.sleep(0.1)
    (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    results = json.loads(kept.read_text())
    assert results["steps"][0]["status"] == "ok"
    assert not results["finished"]
    while Path(f"/proc/{worker}").exists() and not _is_zombie(worker):
        assert time.monotonic() < end + 20
        time.sleep(0.1)


def _is_zombie(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.full
def test_the_six_networks_fit_what_travels(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "gpu_prepare.py"), str(tmp_path / "gpu")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    files = list((tmp_path / "gpu").iterdir())
    assert len(files) == 3 * 6 + 1
    assert sum(file.stat().st_size for file in files) < 8 * 2**20


def measured() -> str:
    """What docs/gpu.md has to say: what was measured, or that nothing was."""
    kept = ROOT / "benchmarks" / "results" / "gpu.json"
    if not kept.exists():
        return "Not measured on a GPU."
    data = json.loads(kept.read_text())
    made = data["conditions"]
    assert made["device"] == "cuda", "results/gpu.json is for what was measured on a GPU"
    assert not made["quick"]
    counts = data["counts"]
    wrong = counts["faults"]
    on = f"Measured on {made['gpu']} with PyTorch {made['torch']}"
    steps = (
        f"{counts['done']} of {counts['planned']} steps were done, {wrong} of them wrong or failed"
    )
    told = f"{on}: {steps}. The [times and errors](../benchmarks/results/gpu.txt)."
    return f"{told}\n\n{table(data['steps'])}"


COLUMNS = ("eager", "channels_last", "graph", "compile", "torchvision")


def table(steps: list[dict[str, object]]) -> str:
    """Milliseconds of a batch of 64 in float16, a row for each network."""
    times = {
        (str(s["network"]), str(s["kind"])): f"{s['ms']:.1f}"
        for s in steps
        if s["status"] == "ok" and s["batch"] == 64 and s["precision"] == "fp16"
    }
    names = list(dict.fromkeys(name for name, _ in times))
    heads = ["ms, batch 64, fp16", *(f"`{column}`" for column in COLUMNS)]
    rows = [[name, *(times.get((name, column), "") for column in COLUMNS)] for name in names]
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def test_the_page_says_what_was_measured(request: pytest.FixtureRequest) -> None:
    path = ROOT / "docs" / "gpu.md"
    text = path.read_text()
    pattern = r"(?<=<!-- measured -->\n).*?(?=\n<!-- end of measured -->)"
    (said,) = re.findall(pattern, text, re.DOTALL)
    if request.config.getoption("--bless"):
        path.write_text(text.replace(said, measured(), 1))
        return
    assert said == measured()
