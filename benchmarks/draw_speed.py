"""Drawing a network into SVG, beside torchview on the same networks.

Timed, in one process and in turn: for netdsl, reading and checking the file at 224 x 224, building
the drawing, layout by Graphviz, SVG; for torchview, `draw_graph` of a model that is already built
(a forward run on the meta device) and layout by `dot` to SVG. Imports and building the model are
not timed. torchview draws with its own defaults (depth 3) and with every module open, in one piece;
netdsl draws its default picture, with its own engine and with the system's `dot`, and every layer,
each time trying several ways to cut rows. Bounds: netdsl's default pictures of all the networks
take less time than torchview's, 200 drawn units less than 1 s, 5,000 operations less than 10 s.
torchview is no dependency: where it can't be imported, nothing is measured.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from measure import RESULTS, report  # noqa: E402

RUNS = 5
SIZES = {"H": 224, "W": 224}
NETWORKS = ("alexnet", "googlenet", "resnet50", "resnet152", "densenet121", "unet")
"""All are torchvision's but the last, which is drawn from the module that netdsl writes."""
EVERYTHING = 100
"""A depth that opens all modules."""


def times(tasks: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of each task, run in turn after a warm-up."""
    spent: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(RUNS):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            spent[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in spent.items()}


def model_of(name: str) -> Any:
    """The network in PyTorch, on the meta device."""
    import netdsl

    if name == "unet":
        return netdsl.load(ROOT / "examples" / "unet.net").torch().eval().to("meta")
    from tests.torchvision_models import torchvision_models

    extra = {"init_weights": False} if name == "googlenet" else {}
    return torchvision_models().get_model(name, weights=None, **extra).eval().to("meta")


def tasks_of(name: str) -> dict[str, Callable[[], Any]]:
    """What is timed on one network."""
    from torchview import draw_graph

    import netdsl

    path = ROOT / "examples" / f"{name}.net"
    model = model_of(name)
    size = (1, netdsl.load(path).inputs[0].shape[0], 224, 224)

    def ours(**options: Any) -> bytes:
        return netdsl.load(path, sizes=SIZES).drawing("svg", **options)[0]

    def theirs(depth: int) -> bytes:
        graph = draw_graph(model, input_size=size, device="meta", depth=depth, expand_nested=True)
        return graph.visual_graph.pipe(format="svg")

    return {
        "netdsl": ours,
        "netdsl, dot": lambda: ours(engine="system"),
        "netdsl, layers": lambda: ours(level="layers"),
        "torchview": lambda: theirs(3),
        "torchview, all": lambda: theirs(EVERYTHING),
    }


def large() -> dict[str, Callable[[], Any]]:
    """Networks whose drawn units don't repeat: 200 units, 5,000 operations."""
    import netdsl

    def chain(count: int) -> str:
        body = " -> ".join(f"conv({8 + i % 3}, 3, padding=1) -> relu" for i in range(count))
        return f"net N {{ input x: [8, 64, 64]\n output y = x -> {body} }}"

    texts = {"200 units": chain(200), "5,000 operations": chain(2500)}
    return {k: lambda text=text: netdsl.loads(text).drawing("svg") for k, text in texts.items()}


def main() -> None:
    if find_spec("torchview") is None:
        sys.exit("torchview is not installed: type `pip install torchview` to compare with it")
    if which("dot") is None:
        sys.exit("torchview needs the `dot` of Graphviz, which is not on this system")
    found: dict[str, dict[str, float]] = {}
    lines: list[str] = []
    wrong: list[str] = []
    for name in NETWORKS:
        spent = found[name] = times(tasks_of(name))
        share = spent["torchview"] / spent["netdsl"]
        lines.append(
            f"{name:12}" + "".join(f"  {k} {1000 * v:6.0f} ms" for k, v in spent.items())
            + f"  torchview / netdsl {share:4.1f}, all / layers "
            f"{spent['torchview, all'] / spent['netdsl, layers']:4.1f}"
        )  # fmt: skip
        print(lines[-1], flush=True)
    ours, theirs = (sum(found[n][tool] for n in NETWORKS) for tool in ("netdsl", "torchview"))
    lines.append(f"all of them: netdsl {ours:.2f} s, torchview {theirs:.2f} s, {theirs / ours:.1f}")
    if ours > theirs:
        wrong.append("slower than torchview")
    spent = found["large"] = times(large())
    lines.append("  ".join(f"{name} {seconds:.2f} s" for name, seconds in spent.items()))
    wrong += [k for k, bound in zip(spent, (1.0, 10.0), strict=True) if spent[k] > bound]
    report("draw_speed", "\n".join(lines))
    (RESULTS / "draw_speed.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.exit("; ".join(wrong) or 0)


if __name__ == "__main__":
    main()
