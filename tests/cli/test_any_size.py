"""`--any-size` and `sizes --pad`: what is written, noted and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.cli import main

ROOT = Path(__file__).resolve().parents[2]
UNET16 = str(ROOT / "examples" / "unet16.net")
ROWS = """net Rows {
    input image: [3, H, W]
    map = image -> add { identity ; maxpool(4) -> upsample(4) }
    output score = map -> global_avgpool -> linear(5)
    output rows = map -> reshape([3, H * W])
}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.net"
    path.write_text(ROWS, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("way", ["pad", "crop", "resize"])
def test_compile(way: str) -> None:
    done = run("compile", UNET16, "--any-size", way)
    assert done.exit_code == 0
    assert done.stdout == netdsl.load(UNET16).padded(way).torch_source()


def test_fill_and_align() -> None:
    done = run("compile", UNET16, "--any-size", "pad", "--fill", "edge", "--align", "center")
    wanted = netdsl.load(UNET16).padded(fill="edge", align="center")
    assert done.stdout == wanted.torch_source()


def test_what_is_not_cut_is_said(rows: str) -> None:
    done = run("compile", rows, "--any-size", "pad")
    assert done.exit_code == 0
    assert "note: rows stays as the network gives it: along one axis" in done.stderr
    assert "score stays" not in done.stderr


def test_sizes_as_data(rows: str) -> None:
    data = json.loads(run("sizes", rows, "--pad", "--format", "json").stdout)
    assert data["sizes"] == {"H": "4*floor((H + 3)/4)", "W": "4*floor((W + 3)/4)"}
    assert data["accepts"] == "any H, any W"
    assert data["outputs"]["score"] == ["5"]
    assert "outputs = network(padded)" in data["code"]


def test_the_code_by_hand_runs() -> None:
    """The lines that are printed do around the network what the padded network does."""
    torch = pytest.importorskip("torch")
    text = """net Small {
        input image: [2, H, W]
        deep = image -> maxpool(4) -> conv(3, 3, padding=1)
        output mask = (deep -> upsample(4), image) -> concat -> conv(2, 1)
        output score = deep -> global_avgpool
    }"""
    network = netdsl.loads(text)
    for how, align in (
        ("pad", "corner"),
        ("pad", "center"),
        ("crop", "center"),
        ("resize", "corner"),
    ):
        fitted = network.padded(how, align=align)
        from netdsl.backends.torch.by_hand import by_hand

        code = by_hand(network.graph, fitted.graph)
        original, module = network.torch(seed=0).eval(), fitted.torch().eval()
        module.load_state_dict(original.state_dict())
        names = {"image": torch.randn(1, 2, 10, 7), "network": original}
        with torch.no_grad():
            exec(code, names)
            wanted = module(names["image"])
        score = names["outputs"].score  # type: ignore[attr-defined]
        mask = names.get("mask", names["outputs"].mask)  # type: ignore[attr-defined]
        torch.testing.assert_close((mask, score), tuple(wanted))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sizes", str(ROOT / "examples" / "siamese.net"), "--pad"], "sizes of this network are fixed"),
        (["compile", UNET16, "--any-size", "stretch"], "'stretch' is not one of"),
        (["compile", UNET16, "--any-size", "crop", "--fill", "edge"], "--fill says"),
        (["compile", UNET16, "--fill", "edge"], "--fill says"),
        (["compile", UNET16, "--any-size", "resize", "--align", "center"], "--align goes with"),
        (["sizes", UNET16, "--align", "center"], "say how --pad pads"),
        (["sizes", UNET16, "--pad", "--accepts", "H=1,W=1"], "one at a time"),
        (["export", UNET16, "--any-size", "crop", "-o", "x.onnx", "--verify", "--at", "H=9,W=16"], "restricts sizes"),
    ],
)  # fmt: skip
def test_wrong_calls(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in done.stderr
    assert not list(tmp_path.iterdir())
