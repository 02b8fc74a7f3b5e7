"""TensorRT's profiles: read by parsers of our own and of polygraphy; every corner is of the contract."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import netdsl
from netdsl.backends.onnx.options import ExportError, Options
from netdsl.backends.serving.box import Wishes, box_of
from netdsl.backends.serving.tensorrt import provider_options, trtexec
from tests.backends.serving.kits import command, constants, kit, network

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

Profiles = dict[str, dict[str, list[int]]]
WORDS = ("min", "opt", "max")
NAMES = ["fours", "vae", "bert", "cgan_generator", "mtcnn_pnet", "joined", "lenet"]
SHAPE = re.compile(r"(\w+):(\d+(?:x\d+)*)")


def shapes(text: str) -> dict[str, list[int]]:
    """`image:1x3x15x15,noise:1x4` as NVIDIA writes it."""
    assert re.fullmatch(r"\w+:\d+(x\d+)*(,\w+:\d+(x\d+)*)*", text), text
    return {name: [int(n) for n in shape.split("x")] for name, shape in SHAPE.findall(text)}


def of_trtexec(folder: Path) -> Profiles:
    flags = dict(word.removeprefix("--").split("=", 1) for word in command(folder, "trtexec"))
    return {word: shapes(flags[f"{word}Shapes"]) for word in WORDS}


def of_provider(folder: Path) -> Profiles:
    options = constants(folder)["TENSORRT"]
    return {word: shapes(options[f"trt_profile_{word}_shapes"]) for word in WORDS}


def inputs_of_file(folder: Path) -> dict[str, list[int | None]]:
    """The inputs of the ONNX file; None for an axis that is open."""
    model = onnx.load(folder / constants(folder)["MODEL"])
    return {
        item.name: [d.dim_value or None for d in item.type.tensor_type.shape.dim]
        for item in model.graph.input
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_corner_runs(name: str) -> None:
    """All ways of saying them say the same, and the module takes each corner."""
    folder = kit(name)
    profiles = of_trtexec(folder)
    assert profiles == of_provider(folder)
    inputs = inputs_of_file(folder)
    module = network(name).torch(seed=0).eval().to("meta")
    dtypes = {item.name: getattr(torch, item.dtype) for item in network(name).inputs}
    for word in WORDS:
        assert profiles[word].keys() == inputs.keys()
        for entry, shape in profiles[word].items():
            pairs = zip(shape, inputs[entry], strict=True)
            assert all(wanted in (None, size) for size, wanted in pairs)
        xs = [torch.empty(profiles[word][n], dtype=dtypes[n], device="meta") for n in inputs]
        module(*xs)
    for entry in inputs:
        sides = zip(*(profiles[word][entry] for word in WORDS), strict=True)
        assert all(list(sizes) == sorted(sizes) for sizes in sides)
        assert profiles["min"][entry] != profiles["max"][entry]


@pytest.mark.full
@pytest.mark.parametrize("name", ["fours", "vae", "cgan_generator"])
def test_polygraphy_reads_the_same(name: str, tmp_path: Path) -> None:
    """Its own parser writes a program from the command, in which the profiles stand."""
    pytest.importorskip("polygraphy", reason="needs polygraphy: pip install polygraphy")
    folder = kit(name)
    words = [*command(folder, "polygraphy"), "--gen-script", str(tmp_path / "run.py")]
    code = "import sys; from polygraphy.tools import main; sys.argv[0] = 'polygraphy'; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = (tmp_path / "run.py").read_text()
    for entry in inputs_of_file(folder):
        wanted = of_trtexec(folder)
        corners = ", ".join(f"{word}={wanted[word][entry]}" for word in WORDS)
        assert f".add('{entry}', {corners})" in written


def test_what_is_asked_for_is_taken_or_refused() -> None:
    graph = netdsl.load("examples/unet16.net").graph
    wishes = Wishes({"H": 32, "N": 2}, {"H": 64, "W": 64}, {"H": 96, "W": 128, "N": 4})
    box = box_of(graph, None, wishes)
    assert [dict(corner.sizes) for corner in box.corners] == [
        {"H": 32, "W": 16}, {"H": 64, "W": 64}, {"H": 96, "W": 128},
    ]  # fmt: skip
    assert [corner.samples for corner in box.corners] == [2, 4, 4]
    for wrong, told in (
        (Wishes({"H": 33}, {}, {}), "H a multiple of 16|nearest: H=32,W=16"),
        (Wishes({}, {}, {"H": 100}), "nearest: H=96"),
        (Wishes({"Q": 3}, {}, {}), "no open size Q"),
        (Wishes({"H": 64}, {"H": 32}, {}), "H has min 64, opt 32"),
        (Wishes({"N": 9}, {"N": 2}, {}), "N has min 9, opt 2"),
        (Wishes({"H": 0}, {}, {}), "H is at least 1"),
    ):
        with pytest.raises(ExportError, match=told):
            box_of(graph, None, wrong)


def test_a_file_without_an_open_axis_has_no_profile() -> None:
    graph = netdsl.load("examples/lenet.net").graph
    options = Options(batch=4)
    box = box_of(graph, 4)
    assert trtexec(graph, "a.onnx", options, box) == "trtexec --onnx=a.onnx"
    assert provider_options(graph, options, box) == {}


def test_half_precision_keeps_the_types_of_the_file() -> None:
    graph = netdsl.load("examples/lenet.net").graph
    text = trtexec(graph, "a b.onnx", Options(half=True), box_of(graph))
    assert text.startswith("trtexec '--onnx=a b.onnx' ")
    assert text.endswith(" --stronglyTyped")
