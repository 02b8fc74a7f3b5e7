"""docs/any-size.md: its commands print what is shown, and its table is what `--pad` says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netdsl
from tests.test_docs_commands import clone, commands, shell, text

__all__ = ["clone"]
PAGE = text("docs/any-size.md")
SHOWN = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NETS = {
    "H a multiple of 16": ("[3, H, W] where H % 16 == 0", "x -> relu"),
    "any H >= 15": ("[3, H, W] where H >= 15", "x -> relu"),
    "H mod 64 in {63, 0, 1, 2}, at least 63": (
        "[3, H, W] where (H + 1) % 64 < 4, H > 2",
        "x -> relu",
    ),
}
ROWS = dict(re.findall(r"^\| `(.*?)` \| `(.*?)` \|$", PAGE, re.MULTILINE))


def test_commands_print_what_is_shown(clone: Path) -> None:
    (block,) = SHOWN
    lines = [line for line in block.splitlines() if line.startswith("$ ")]
    output = "\n".join(line for line in block.splitlines() if line not in lines)
    assert shell([line.removeprefix("$ ") for line in lines], clone) == output + "\n"


@pytest.mark.full
def test_files_are_written(clone: Path) -> None:
    pytest.importorskip("onnx")
    shell(commands("\n".join(re.findall(r"^```sh\n.*?^```$", PAGE, re.M | re.S))), clone)
    assert {"unet.py", "unet.onnx", "resized.onnx"} <= {p.name for p in clone.iterdir()}


@pytest.mark.parametrize("says", NETS)
def test_the_rule(says: str) -> None:
    shape, chain = NETS[says]
    network = netdsl.loads(f"net A {{ input x: {shape}\n output y = {chain} }}")
    assert str(network.sizes).startswith(says) or says in str(network.sizes)
    assert str(network.fitting().sizes["H"]) == ROWS[says]
