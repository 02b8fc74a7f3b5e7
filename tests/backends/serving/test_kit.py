"""The folder of a kit: what is in it, and that no file of another is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.backends.onnx.options import ExportError
from netdsl.cli import main

onnx = pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

TEXT = "net A { input image: [3, H, W]\n output y = image -> conv: conv(4, 3, stride=2) -> maxpool(2) -> conv(2, 1) }"
FILES = {"A.onnx", "README.md", "config.pbtxt", "infer.py", "kit.json"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.net"
    path.write_text(TEXT)
    return path


def export(file: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", str(file), *map(str, arguments)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_in_it(file: Path) -> None:
    """The README tells of this very file: weights, opset, names, the number of parameters."""
    folder = file.parent / "new" / "kit"
    options = ("--names", "image=pixels", "--opset", 20, "--guard", "--fp16", "--verify")
    result = export(file, "--kit", folder, *options)
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} == FILES
    model = onnx.load(folder / "A.onnx")
    text = (folder / "README.md").read_text()
    count = sum(p.numel() for p in netdsl.load(file).torch().parameters())
    assert (
        f"- Model: `A.onnx`, opset {model.opset_import[0].version}, weights and arithmetic in float16\n"
        in text
    )
    assert f"- Parameters: {count:,}\n- Sizes: any H >= 5, any W >= 5\n" in text
    assert "| input | `pixels` | float32 | `[N, 3, H, W]` |\n" in text
    assert "fails in ONNX Runtime (`--guard`)" in text
    assert [i.name for i in model.graph.input] == ["pixels"]
    for name in ("infer.py", "config.pbtxt"):
        assert '"pixels"' in (folder / name).read_text()
        assert '"image"' not in (folder / name).read_text().partition("# --- end")[0]


def test_the_weights_are_those_asked_for(file: Path) -> None:
    folder = file.parent / "kit"
    weights = netdsl.load(file).torch(seed=4).state_dict()
    netdsl.load(file).export_kit(folder, weights)
    stored = {
        t.name: onnx.numpy_helper.to_array(t)
        for t in onnx.load(folder / "A.onnx").graph.initializer
    }
    assert all((stored[key] == value.numpy()).all() for key, value in weights.items())


def test_weights_apart(file: Path) -> None:
    folder = file.parent / "kit"
    assert export(file, "--kit", folder, "--external", "--verify").exit_code == 0
    assert {path.name for path in folder.iterdir()} == {*FILES, "A.onnx.data"}
    onnx.checker.check_model(str(folder / "A.onnx"))
    assert "cp A.onnx A.onnx.data models/A/1/" in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_of_another_is_never_replaced(file: Path, name: str) -> None:
    """With files that are none of a kit's beside it, and a link that leads nowhere."""
    folder = file.parent / "kit"
    folder.mkdir()
    (folder / name).write_text("{}" if name == "kit.json" else "mine")
    (folder / "notes.txt").write_text("mine too")
    before = contents(folder)
    result = export(file, "--kit", folder)
    assert (result.exit_code, contents(folder)) == (2, before)
    assert f"{folder / name} is there and was not written by" in result.output
    (folder / name).unlink()
    (folder / name).symlink_to("nowhere")
    result = export(file, "--kit", folder)
    assert (result.exit_code, os.readlink(folder / name)) == (2, "nowhere")
    assert {path.name for path in folder.iterdir()} == {name, "notes.txt"}


@pytest.mark.parametrize("name", sorted(FILES - {"kit.json"}))
def test_a_file_that_was_changed_is_never_replaced(file: Path, name: str) -> None:
    folder = file.parent / "kit"
    assert export(file, "--kit", folder, "--seed", 1).exit_code == 0
    with open(folder / name, "ab") as changed:
        changed.write(b"# by hand\n")
    before = contents(folder)
    result = export(file, "--kit", folder, "--seed", 2)
    assert (result.exit_code, contents(folder)) == (2, before)
    assert f"{folder / name} was changed since it was written" in result.output


def test_a_kit_is_replaced_by_one_of_its_network(file: Path) -> None:
    folder = file.parent / "kit"
    assert export(file, "--kit", folder, "--seed", 1).exit_code == 0
    (folder / "notes.txt").write_text("mine")
    before = contents(folder)
    assert export(file, "--kit", folder, "--seed", 2, "--max", "H=99").exit_code == 0
    after = contents(folder)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] == before[name]} == {"notes.txt", "config.pbtxt"}
    file.write_text(TEXT.replace("net A", "net B"))
    result = export(file, "--kit", folder)
    assert (result.exit_code, contents(folder)) == (2, after)
    assert "is the kit of the network A" in result.output


@pytest.mark.parametrize(
    "listing",
    [b"[]", b"\xff", b"[" * 9999, b'{"network": 3, "files": {}}', b'{"network": "A", "files": {"A.onnx": 3}}'],
)  # fmt: skip
def test_a_listing_that_is_none(file: Path, listing: bytes) -> None:
    folder = file.parent / "kit"
    folder.mkdir()
    (folder / "kit.json").write_bytes(listing)
    result = export(file, "--kit", folder)
    assert (result.exit_code, contents(folder)) == (2, {"kit.json": listing})
    assert "kit.json is there and was not written by" in result.output


def test_nothing_is_left_where_it_fails(file: Path) -> None:
    def refuse(draft: Any) -> None:
        raise ExportError("no")

    folder = file.parent / "new" / "kit"
    with pytest.raises(ExportError, match="no"):
        netdsl.load(file).export_kit(folder, review=refuse)
    assert [path.name for path in file.parent.iterdir()] == ["a.net"]
    for options in (("--min", "H=3"), ("--names", "x=y"), ("--batch", 2, "--min", "N=2")):
        result = export(file, "--kit", folder, *options)
        assert (result.exit_code, "internal error" in result.output) == (2, False), result.output
        assert [path.name for path in file.parent.iterdir()] == ["a.net"]


def test_it_does_not_replace_what_it_reads(tmp_path: Path) -> None:
    folder = tmp_path / "kit"
    netdsl.loads(TEXT).export_kit(folder)
    weights = folder / "infer.py"  # a name of a kit's file; it is no checkpoint, either
    with pytest.raises(ValueError, match="is read here"):
        netdsl.loads(TEXT).export_kit(folder, weights)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "say where to write"),
        (("-o", "a.onnx", "--kit", "k"), "say where to write"),
        (("-o", "a.onnx", "--min", "H=9"), "are the sizes of --kit or --profiles"),
    ],
)
def test_calls_that_can_not_be(file: Path, arguments: tuple[str, ...], told: str) -> None:
    result = export(file, *arguments)
    assert (result.exit_code, told in result.output) == (2, True)


def test_the_listing_is_of_the_files(file: Path) -> None:
    import hashlib

    folder = file.parent / "kit"
    netdsl.load(file).export_kit(folder)
    listing = json.loads((folder / "kit.json").read_text())
    assert listing["files"] == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in FILES - {"kit.json"}
    }
