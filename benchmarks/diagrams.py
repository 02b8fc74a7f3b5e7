"""Twelve networks drawn by netdsl and by the other tools that are installed, and what comes of it.

netdsl draws each from its file, 6.5 inches wide and as a slide of 16:9; the others draw the module
that `Network.torch()` gives (Netron the file of `Network.export()`), as `diagram_tools.py` tells.
Letters are the smallest ones where the whole picture stands on a page of 6.5 by 9 inches, and on a
slide of 13.33 by 7.5. A box is whatever stands for operations; inputs and outputs are none.
`operations` are those told: for netdsl all that lie in drawn units, each in exactly one, for the
others the boxes of a single operation. Then the default pictures of all the examples, from the file
on, are timed against torchview's of a module that is built already, in turn. No other tool is a dependency: one that is absent is named, and
without torchview nothing is timed against it.

    python benchmarks/diagrams.py                  all that is described above
    python benchmarks/diagrams.py googlenet unet   these alone, printed and not kept
    python benchmarks/diagrams.py --netdsl         netdsl's twelve again, beside what is kept
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from diagram_tools import TOOLS, Drawn, drawn_by, torchview_svg  # noqa: E402
from measure import RESULTS, report  # noqa: E402

import netdsl  # noqa: E402
from netdsl.backends.diagram.draw import picture_of  # noqa: E402
from netdsl.backends.diagram.options import INCH, PAGE, SLIDE, Options  # noqa: E402
from netdsl.backends.diagram.scene import Bounds, Group, Picture, bounds_of  # noqa: E402

NETWORKS = (
    "googlenet", "resnet50", "unet", "unet_plus_plus", "hrnet_w18", "fpn", "swin_t", "vit_b_16",
    "deeplabv3_resnet50", "yolov3_spp", "siamese", "densenet121",
)  # fmt: skip
EXAMPLES = tuple(sorted(path.stem for path in (ROOT / "examples").glob("*.net")))
SHEETS = {"page": (PAGE, 9.0 * INCH), "slide": SLIDE}
ON_SHEET = {
    "page": Options(width=PAGE),
    "slide": Options(aspect=16 / 9, theme="slides", width=SLIDE[0]),
}
RUNS = 2

Found = dict[str, dict[str, dict[str, Any]]]
"""By network, by tool."""
Kept = dict[str, Any]
"""The drawings, the race and its sums."""


def loaded(name: str) -> netdsl.Network:
    """An example, its open sizes near 224."""
    network = netdsl.load(ROOT / "examples" / f"{name}.net")
    if not network.sizes.symbols:
        return network
    near = network.sizes.nearest(**dict.fromkeys(network.sizes.symbols, 224)).closest
    return netdsl.load(ROOT / "examples" / f"{name}.net", sizes=near)


def letters(drawn: Drawn | Picture, sheet: str, least: float) -> float:
    """Points of the smallest letters where the whole drawing fills a sheet."""
    width, height = SHEETS[sheet]
    return least * min(width / drawn.width, height / drawn.height)


def groups(picture: Picture, css: str) -> list[Group]:
    return [item for item in picture.items if isinstance(item, Group) and item.css == css]


def _lies_in(box: Bounds, frame: Bounds) -> bool:
    return frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]


def told(picture: Picture) -> int:
    """Operations in the units of a picture; what a panel shows again counts once."""
    units = groups(picture, "unit")
    closed = {dict(unit.data).get("path") for unit in units}
    again = [
        bounds_of(frame.items)
        for frame in groups(picture, "open")
        if any(_is_part(dict(frame.data)["path"], path) for path in closed if path)
    ]
    return sum(
        int(dict(unit.data).get("operations", 0))
        for unit in units
        if not any(_lies_in(bounds_of(unit.items), frame) for frame in again)
    )


def _is_part(path: str, of: str) -> bool:
    return path == of or path.startswith(f"{of}.")


def by_netdsl(name: str) -> dict[str, Any]:
    """What is known of the pictures of one network, for a page and as a slide."""
    graph = loaded(name).graph
    start = time.perf_counter()
    loaded(name).drawing("svg")
    seconds = time.perf_counter() - start
    page, slide = (picture_of(graph, options) for options in ON_SHEET.values())
    drawn = Drawn(
        page.width, page.height, page.least, len(groups(page, "unit")), told(page), seconds
    )
    return row(drawn) | {
        "slide": letters(slide, "slide", slide.least),
        "of": sum(1 for _ in graph.nodes()),
    }


def row(drawn: Drawn) -> dict[str, Any]:
    """What is kept of a drawing."""
    sizes = {sheet: letters(drawn, sheet, drawn.letters) for sheet in SHEETS}
    return asdict(drawn) | {"aspect": drawn.width / drawn.height} | sizes


def all_drawn(tools: Iterable[str], name: str) -> dict[str, dict[str, Any]]:
    """One network by netdsl and by other tools; what a tool says where it fails."""
    found = {"netdsl": by_netdsl(name)}
    for tool in tools:
        drawn = drawn_by(tool, loaded(name))
        found[tool] = {"failed": drawn} if isinstance(drawn, str) else row(drawn)
    return found


def _seconds(task: Callable[[], object]) -> float:
    """Of the processor, for this process and those that it starts: other work does not count."""
    start = sum(os.times()[:4])
    task()
    return sum(os.times()[:4]) - start


def raced(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Processor seconds of the default picture and of torchview's, the best of a few runs in turn."""
    import torch

    found: dict[str, dict[str, Any]] = {}
    for name in names:
        network = loaded(name)
        with torch.device("meta"):
            module = network.torch().eval()

        def ours(name: str = name) -> object:
            return loaded(name).drawing("svg")

        def theirs(module: Any = module, network: netdsl.Network = network) -> object:
            return torchview_svg(module, network)

        try:
            pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(RUNS)]
        except Exception as error:  # whatever torchview raises is a finding
            found[name] = {"failed": f"{type(error).__name__}: {error}".splitlines()[0][:120]}
            continue
        found[name] = {"netdsl": min(a for a, _ in pairs), "torchview": min(b for _, b in pairs)}
    return found


def sums(race: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Both tools over all the networks that both can draw."""
    both = [seconds for seconds in race.values() if "failed" not in seconds]
    return {
        "networks": len(both),
        "netdsl": sum(seconds["netdsl"] for seconds in both),
        "torchview": sum(seconds["torchview"] for seconds in both),
    }


def line(name: str, tool: str, known: dict[str, Any]) -> str:
    """One drawing, in words."""
    if "failed" in known:
        return f"{name:19} {tool:12} {known['failed']}"
    of = f" of {known['of']}" if "of" in known else ""
    return (
        f"{name:19} {tool:12} {known['width']:6.0f} × {known['height']:6.0f}  aspect {known['aspect']:6.2f}  "
        f"letters {known['page']:5.1f} pt on a page, {known['slide']:5.1f} on a slide  "
        f"{known['boxes']:4} boxes  {known['operations']:5}{of} operations  {known['seconds']:5.2f} s"
    )


def table(found: Found) -> str:
    """Boxes and smallest letters: a row for each network, a column for each tool."""
    tools = [tool for tool in ("netdsl", *TOOLS) if any(tool in known for known in found.values())]
    lines = [["network", *tools], ["---"] * (1 + len(tools))]
    for name, known in found.items():
        lines.append([f"`{name}`", *(_cell(known[tool]) for tool in tools)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(known: dict[str, Any]) -> str:
    if "failed" in known:
        return "fails"
    return f"{known['boxes']}: {known['page']:.1f} / {known['slide']:.1f} pt"


def summary(kept: dict[str, Any]) -> str:
    """What the documentation says was measured."""
    found, failed = kept["networks"], [n for n, known in kept["race"].items() if "failed" in known]
    whole = [known["netdsl"] for known in found.values()]
    counted = sum(known["operations"] == known["of"] for known in whole)
    least = {sheet: min(whole, key=lambda known: known[sheet])[sheet] for sheet in SHEETS}
    forms = [known["aspect"] for known in whole]
    said = (
        f"All operations lie in drawn units of netdsl, each in exactly one, for {counted} of "
        f"{len(whole)} networks. netdsl's smallest letters are {least['page']:.1f} pt on a page and "
        f"{least['slide']:.1f} pt on a slide; the forms of its pages go from {min(forms):.2f} to "
        f"{max(forms):.2f} (width by height)."
    )
    without = (
        f" torchview can't draw {', '.join(f'`{name}`' for name in failed)}." if failed else ""
    )
    return f"{table(found)}\n\n{said}\n\nTime to draw: {race_line(kept['sums'])}.{without}"


def race_line(total: dict[str, Any]) -> str:
    """Both sums, as the documentation has them."""
    return (
        f"{total['networks']} examples: netdsl {total['netdsl']:.1f} s, "
        f"torchview {total['torchview']:.1f} s"
    )


def all_of(asked: list[str], present: list[str]) -> Kept:
    """The drawings that were asked for, and the race."""
    for tool in present:
        TOOLS[tool].draw(loaded("rgb6"))  # what is imported at the first drawing is not timed
    found: Found = {}
    for name in asked or NETWORKS:
        found[name] = all_drawn(present, name)
        print("\n".join(line(name, tool, known) for tool, known in found[name].items()), flush=True)
    race = raced(asked or EXAMPLES) if "torchview" in present else {}
    return {"networks": found, "race": race, "sums": sums(race)}


def drawn_again() -> Kept:
    """What is kept, with the pictures that netdsl draws now."""
    kept = json.loads((RESULTS / "diagrams.json").read_text(encoding="utf-8"))
    for name, known in kept["networks"].items():
        known["netdsl"] = by_netdsl(name)
    return kept


def keep(kept: Kept) -> None:
    """As text and for programs."""
    lines = [
        line(name, tool, known)
        for name, drawings in kept["networks"].items()
        for tool, known in drawings.items()
    ]
    failed = {name: known["failed"] for name, known in kept["race"].items() if "failed" in known}
    lines += [f"{name:19} torchview    {why}" for name, why in failed.items()]
    report("diagrams", "\n".join([*lines, race_line(kept["sums"])]))
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    (RESULTS / "diagrams.json").write_text(f"{text}\n", encoding="utf-8")


def main(asked: list[str]) -> None:
    if asked == ["--netdsl"]:
        keep(drawn_again())
        return
    present = [tool for tool in TOOLS if not TOOLS[tool].missing()]
    for tool in TOOLS:
        if missing := TOOLS[tool].missing():
            print(f"{tool} is left out: {missing}", flush=True)
    kept = all_of(asked, present)
    total = kept["sums"]
    if asked or len(present) < len(TOOLS):
        print(
            race_line(total) if kept["race"] else "not timed against torchview",
            "(not kept)",
            sep="\n",
        )
    else:
        keep(kept)
    if total["netdsl"] > total["torchview"] and not asked:
        sys.exit("netdsl is slower than torchview in the sum")


if __name__ == "__main__":
    main(sys.argv[1:])
