"""Kits that the tests here look at, made once each, and readers of their texts."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import netdsl
from netdsl.backends.serving.box import Wishes
from tests.examples import restless, slim

FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
JOINED = """
net Joined {
    input a: [3, H, W]
    input b: [3, P, W]
    output y = (a -> maxpool(2x1), b) -> concat -> conv(4, 3)
}
"""
"""The height of one input depends on that of the other."""
FOURS = """
net Fours {
    input image: [1, H, W]
    a = image -> conv(4, 3, padding=1) -> relu
    b = a -> maxpool(2) -> conv(8, 3, padding=1) -> relu
    c = b -> maxpool(2) -> conv(8, 3, padding=1) -> upsample(2)
    d = (c, b) -> concat -> conv(4, 3, padding=1) -> upsample(2)
    output mask = (d, a) -> concat -> conv(2, 1)
}
"""
"""Takes multiples of 4."""
TEXTS = {"joined": JOINED, "fours": FOURS}


@cache
def kit(name: str, least: tuple = (), most: tuple = (), **options: Any) -> Path:
    """The kit of an example, or of the network above, for a box of sizes."""
    folder = Path(mkdtemp(prefix="kit-"))
    wishes = Wishes(dict(least), {}, dict(most))
    network(name).export_kit(folder, module(name).state_dict(), wishes=wishes, **options)
    return folder


@cache
def module(name: str) -> Any:
    """The module whose weights the kit has."""
    return restless(network(name).torch(seed=0))


@cache
def network(name: str) -> netdsl.Network:
    return netdsl.loads(TEXTS[name]) if name in TEXTS else slim(name)


def blocks(folder: Path, kind: str) -> list[str]:
    """The fenced blocks of one kind in a kit's README."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    return [block for word, block in FENCE.findall(text) if word == kind]


def command(folder: Path, program: str) -> list[str]:
    """The words of the command that the README has for a program, as a shell splits them."""
    (line,) = (
        line
        for block in blocks(folder, "sh")
        for line in block.splitlines()
        if line.startswith(f"{program} ")
    )
    done = subprocess.run(
        ["sh", "-c", f'{program}() {{ for word; do printf "%s\\n" "$word"; done; }}\n{line}'],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def constants(folder: Path) -> dict[str, Any]:
    """What stands at the head of infer.py, read without running it."""
    tree = ast.parse((folder / "infer.py").read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id.isupper():
            found[target.id] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
    return found


def infer(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A run of infer.py, in a process that finds no netdsl."""
    environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", HIDDEN, str(folder / "infer.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder.parent,
        env=environment | {"OMP_NUM_THREADS": "1"},
    )


HIDDEN = (
    "import runpy, sys; sys.modules['netdsl'] = None; sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)
