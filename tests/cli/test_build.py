"""`netdsl build`: what is made, what is made again, and what a build file may not say."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netdsl.cli import main

BLOCKS = "block Unit(width: int) { conv(width, 3, padding=1) -> relu }\n"
NET = """use "./blocks.net"
net Small(width: int = 4) {
    input x: [3, H, W]
    output y = x -> Unit(width) -> global_avgpool
}
"""
PLAN = """networks:
  small:
    source: small.net
    set: {width: 6}
    targets:
      check:
      py: out/small.py
      summary: {file: out/small.txt, depth: 1}
  other:
    source: other.net
    targets:
      sizes: other.txt
      svg: [a.svg, {file: b.svg, level: layers, title: "Another"}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "blocks.net").write_text(BLOCKS)
    (tmp_path / "small.net").write_text(NET)
    (tmp_path / "other.net").write_text(
        "net Other { input x: [3, H, W]; output y = x -> maxpool(3) }"
    )
    (tmp_path / "netdsl.yaml").write_text(PLAN)
    return tmp_path


def build(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["build", str(folder / "netdsl.yaml"), *options])


def statuses(result: Result) -> dict[str, str]:
    """What came of each target, by network and file or kind."""
    lines = result.output.splitlines()
    header = next(n for n, line in enumerate(lines) if line.split()[:2] == ["network", "target"])
    rows = [line.split() for line in lines[header + 1 : -1]]
    last = {row[0] + " " + (row[1] if row[1] == "check" else row[-1]): row for row in rows}
    return {name: "current" if "date" in row else row[2] for name, row in last.items()}


ALL = {
    "small check",
    "small out/small.py",
    "small out/small.txt",
    "other other.txt",
    "other a.svg",
    "other b.svg",
}


def test_all_is_made_and_then_nothing(project: Path) -> None:
    first = build(project)
    assert first.exit_code == 0, first.output
    assert statuses(first) == dict.fromkeys(ALL, "made")
    assert first.output.endswith("6 made\n")
    assert "Conv2d(3, 6, " in (project / "out/small.py").read_text()
    assert "H >= 3" in (project / "other.txt").read_text()
    assert "Another" in (project / "b.svg").read_text()
    assert "6 made" not in (again := build(project)).output
    assert statuses(again) == dict.fromkeys(ALL, "current")
    assert statuses(build(project, "--force", "--only", "other")) == {
        name: "made" for name in ALL if name.startswith("other")
    }


CHANGES = {
    "its source": ("small.net", lambda text: text.replace("3, H", "1, H"), {n for n in ALL if "small" in n}),
    "a file it uses": ("blocks.net", lambda text: text.replace("relu", "silu"), {n for n in ALL if "small" in n}),
    "a target": ("a.svg", lambda text: text + " ", {"other a.svg"}),
    "an option": ("netdsl.yaml", lambda text: text.replace("depth: 1", "depth: 2"), {"small out/small.txt"}),
    "a parameter": ("netdsl.yaml", lambda text: text.replace("width: 6", "width: 7"), {n for n in ALL if "small" in n}),
    "a comment": ("netdsl.yaml", lambda text: "# more\n" + text, set()),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_what_changed_is_made_again(project: Path, what: str) -> None:
    name, change, again = CHANGES[what]
    assert build(project).exit_code == 0
    path = project / name
    path.write_text(change(path.read_text()))
    made = {target for target, status in statuses(build(project)).items() if status == "made"}
    assert made == again


def test_what_is_gone_is_made_again(project: Path) -> None:
    build(project)
    (project / "out/small.py").unlink()
    result = statuses(build(project))
    assert [name for name, status in result.items() if status == "made"] == ["small out/small.py"]


def test_code_that_did_not_change_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(
        "from torch import nn\ndef make(width=4):\n    return nn.Sequential(nn.Conv2d(3, width, 3))\n"
    )
    plan = "networks:\n  a: {source: 'nets.py:make(5)', targets: {check: , net: a.net, py: a.py}}\n"
    (tmp_path / "netdsl.yaml").write_text(plan)
    assert set(statuses(build(tmp_path)).values()) == {"made"}
    assert set(statuses(build(tmp_path)).values()) == {"current"}
    (tmp_path / "nets.py").write_text(
        "from torch import nn\ndef make(width=4):\n    return nn.Sequential(nn.Conv2d(3, width, 5))\n"
    )
    assert set(statuses(build(tmp_path)).values()) == {"made"}
    assert "conv(5, 5)" in (tmp_path / "a.net").read_text()


def test_a_broken_record_is_no_record(project: Path) -> None:
    build(project)
    (project / ".netdsl-build.json").write_text('{"small check ": 3')
    assert statuses(build(project)) == dict.fromkeys(ALL, "made")


def test_what_fails_leaves_the_others_alone(project: Path) -> None:
    (project / "small.net").write_text(
        NET.replace("padding=1", "paddin=1").replace("x ->", "x -> conv(3, 0) ->")
    )
    result = build(project, "--jobs", "1")
    assert result.exit_code == 1
    assert statuses(result) == {n: "failed" if "small" in n else "made" for n in ALL}
    assert "small.net:4:" in result.output
    assert not (project / "out/small.py").exists()
    (project / "small.net").write_text(NET)
    assert statuses(build(project)) == {n: "made" if "small" in n else "current" for n in ALL}


def one(targets: str, rest: str = "") -> str:
    return f"networks:\n  a:\n    source: a.net\n{rest}    targets:\n      {targets}\n"


WRONG = {
    "": ("1:1", "empty"),
    "- a": ("1:1", "table"),
    "network: {}": ("1:1", "there is no `network`"),
    "networks: {a: {source: x.net}}": ("1:15", "no `targets`"),
    "networks: {a: {targets: {check: }}}": ("1:15", "no `source`"),
    "networks:\n\ta: 1": ("2:1", "YAML"),
    "a: [": ("1:5", "YAML"),
    one("onx: a.onnx"): ("5:7", "there is no `onx`"),
    one("onnx: a.onnx", "    sorce: b\n"): ("4:5", "there is no `sorce`"),
    one("onnx: a.net"): ("5:13", "does not end in .onnx"),
    one("onnx:"): ("5:7", "has no file"),
    one("onnx: {fp16: true}"): ("5:7", "has no file"),
    one("onnx: {file: a.onnx, fp15: true}"): ("5:28", "no option `fp15`"),
    one("onnx: {file: a.onnx, opset: many}"): ("5:7", "whole number"),
    one("onnx: {file: a.onnx, output: b.onnx}"): ("5:28", "no option `output`"),
    one("check: {file: a}"): ("5:21", "no file"),
    one("py: [a.py, b/../a.py]"): ("5:7", "is made by `py` of `a` as well"),
    one("py: a.py\n      py: b.py"): ("6:7", "twice"),
    one("svg: {file: a.svg, title: [[1]]}"): ("5:34", "one word"),
    one("svg: a.svg", "    set: {width}\n"): ("4:16", "one word"),
    one("svg: a.svg", "    size: {H: x}\n"): ("6:7", "refuses"),
    "a: &a [*a]": ("1:4", "deeply"),
    "[" * 3000: ("1:1", "deeply"),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_a_build_file_may_not_say(tmp_path: Path, text: str) -> None:
    place, words = WRONG[text]
    (tmp_path / "netdsl.yaml").write_text(text)
    result = build(tmp_path)
    assert result.exit_code == 1, result.output
    assert "error[bad-build-file]" in result.output
    assert f"netdsl.yaml:{place}" in result.output
    assert words in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["netdsl.yaml"]


def test_repeated_aliases_take_no_time(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    (tmp_path / "netdsl.yaml").write_text("\n".join(lines))
    start = time.process_time()
    assert build(tmp_path).exit_code == 1
    assert time.process_time() - start < 20


def test_no_such_network(project: Path) -> None:
    result = build(project, "--only", "big")
    assert result.exit_code == 2
    assert "there are small, other" in result.output


def unfinished(folder: Path) -> list[str]:
    """The folders in which files are under work."""
    return [path.name for path in folder.glob(".netdsl-*") if path.is_dir()]


def test_an_interrupt_leaves_whole_files_alone(project: Path) -> None:
    layers = " -> ".join(["conv(64, 3, padding=1)"] * 400)
    (project / "small.net").write_text(
        f"net Small(width: int = 1) {{ input x: [64, H, W]; output y = x -> {layers} }}"
    )
    text = PLAN.replace("check:\n", "check:\n      onnx: big.onnx\n")
    (project / "netdsl.yaml").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "netdsl", "build", "netdsl.yaml"], cwd=project,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    record = project / ".netdsl-build.json"
    start = time.monotonic()
    while not record.exists() and time.monotonic() - start < 60:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "interrupted" in errors
    assert "small onnx big.onnx" not in json.loads(record.read_text())
    while (left := unfinished(project)) and time.monotonic() - start < 90:
        time.sleep(0.05)  # the processes that made them end on their own
    assert left == []
    assert not (project / "big.onnx").exists()


def test_the_page_shows_what_the_example_prints(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "build").mkdir()
    (tmp_path / "lenet.net").write_text((root / "examples/lenet.net").read_text())
    (tmp_path / "build/netdsl.yaml").write_text((root / "examples/build/netdsl.yaml").read_text())
    page = (root / "docs/build.md").read_text()
    shown = page.split("--only lenet\n")[1].split("```")[0]
    result = build(tmp_path / "build", "--only", "lenet")
    assert result.exit_code == 0, result.output
    untimed = [re.sub(r"\s+[0-9.]+ s\b|\s+time", "", text) for text in (shown, result.output)]
    assert [line.split() for line in untimed[0].splitlines()] == [
        line.split() for line in untimed[1].splitlines()
    ]
