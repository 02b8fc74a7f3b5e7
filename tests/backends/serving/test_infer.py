"""infer.py as a process without netdsl: right numbers at sizes of the contract, refusals outside."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from random import Random
from typing import Any

import pytest

import netdsl
from netdsl.backends.onnx.options import Options
from netdsl.backends.serving.box import Wishes, box_of
from netdsl.backends.serving.runner import runner
from netdsl.lints import WARNINGS
from tests.backends.serving.kits import constants, infer, kit, module, network
from tests.examples import random_inputs
from tests.examples.test_every_size import Judge

np = pytest.importorskip("numpy")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

CASES: dict[str, tuple[list[dict[str, int]], list[dict[str, int]]]] = {
    "lenet": ([{}], []),
    "mtcnn_pnet": ([{"H": 11, "W": 30}], [{"H": 10, "W": 30}]),
    "audio_1d": ([{"L": 1025}], [{"L": 1023}]),
    "bert": ([{"T": 9}], [{"T": 513}]),
    "crnn": ([{"W": 37}], [{"W": 3}]),
    "vae": ([{"H": 17, "W": 24}], []),
    "cgan_generator": ([{}], []),
    "siamese": ([{}], []),
    "upsample_any": ([{"H": 5, "W": 4}], []),
    "hourglass": ([{"H": 63, "W": 66}], [{"H": 64, "W": 67}]),
    "segnet": ([{"H": 33, "W": 40}], [{"H": 31, "W": 40}]),
    "fours": ([{"H": 8, "W": 12}], [{"H": 7, "W": 12}]),
    "joined": ([{"H": 7, "W": 4, "P": 3}], [{"H": 7, "W": 4, "P": 4}]),
}
"""Sizes of the contract, and others."""
NEAR = re.compile(r"^(?:crop|pad) to (.+)$", re.MULTILINE)


def arrays(name: str, sizes: dict[str, int], batch: int = 2) -> dict[str, Any]:
    xs = random_inputs(network(name), sizes, batch)
    return {i.name: x.numpy() for i, x in zip(network(name).inputs, xs, strict=True)}


def written(path: Path, inputs: dict[str, Any]) -> Path:
    np.savez(path, **inputs)
    return path


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_module_does(name: str, tmp_path: Path) -> None:
    legal, wrong = CASES[name]
    out = tmp_path / "out.npz"
    for sizes in legal:
        inputs = arrays(name, sizes)
        done = infer(kit(name), written(tmp_path / "in.npz", inputs), "--save", out)
        assert done.returncode == 0, done.stderr
        with torch.no_grad():
            results = module(name)(*map(torch.from_numpy, inputs.values()))
        results = [results] if torch.is_tensor(results) else [r for r in results if r is not None]
        names = [output.name for output in network(name).outputs if not output.when_training]
        with np.load(out) as found:
            assert list(found) == names
            for key, wanted in zip(names, results, strict=True):
                torch.testing.assert_close(
                    torch.from_numpy(found[key]), wanted, rtol=1e-3, atol=1e-4
                )
    out.unlink(missing_ok=True)
    for sizes in wrong:
        inputs = arrays(name, sizes)
        done = infer(kit(name), written(tmp_path / "in.npz", inputs), "--save", out)
        assert (done.returncode, out.exists()) == (1, False), done.stderr
        assert "Traceback" not in done.stderr
        near = NEAR.findall(done.stderr)
        assert near, done.stderr
        judge = Judge(network(name))
        for text in near:
            point = {k: int(n) for k, n in (pair.split("=") for pair in text.split(","))}
            assert judge.shapes(point, sure=True) is not None, point
            assert point != sizes


@pytest.mark.parametrize("name", ["fours", "joined"])
def test_its_contract_is_what_the_module_takes(name: str) -> None:
    """Also without ONNX Runtime: `check` is for programs that run the file in their own way."""
    program = runpy.run_path(str(kit(name) / "infer.py"))
    judge, draw = Judge(network(name)), Random(name)
    answers = []
    for _ in range(20):
        sizes = {symbol: draw.randint(1, 13) for symbol in network(name).sizes.symbols}
        if draw.random() < 0.5:  # else hardly one is taken
            sizes |= {"P": max(1, sizes["H"] // 2)} if name == "joined" else {"H": 8, "W": 4}
        try:
            program["check"](sizes)
        except program["Refused"] as refusal:
            taken = False
            for text in NEAR.findall(str(refusal)):
                point = {k: int(n) for k, n in (pair.split("=") for pair in text.split(","))}
                program["check"](point)
                assert judge.shapes(point, sure=True) is not None
        else:
            taken = True
        assert (judge.shapes(sizes, sure=not taken) is not None) == taken, sizes
        answers.append(taken)
    assert {True, False} == set(answers)


def test_near_sizes_are_the_nearest() -> None:
    """By trying all."""
    program = runpy.run_path(str(kit("joined") / "infer.py"))
    legal = [
        (h, p) for h in range(1, 40) for p in range(1, 40) if h // 2 == p and h >= 6
    ]  # by hand: the window of 3 behind the pool
    for h, p in ((9, 2), (7, 9), (20, 14), (15, 15), (3, 3)):
        wanted = {"H": h, "W": 5, "P": p}
        for way in (-1, 1):
            moves = [
                ((a - h) * way + (b - p) * way, a, b)
                for a, b in legal
                if (a - h) * way >= 0 and (b - p) * way >= 0
            ]
            found = program["near"](wanted, way)
            assert found == ({"H": min(moves)[1], "W": 5, "P": min(moves)[2]} if moves else None)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("vae", lambda a: a.update(noise=a["noise"][:, :, 1:]), "`noise` is [2, 4, 2, 3], and has to be [2, 4, 3, 3] at H=17,W=24"),
        ("vae", lambda a: a.pop("noise"), "the input `noise` is missing; there are: image"),
        ("vae", lambda a: a.update(image=a["image"].astype("float64")), "`image` is float64 with 4 axes, not float32 with 4"),
        ("vae", lambda a: a.update(image=a["image"][0]), "`image` is float32 with 3 axes"),
        ("vae", lambda a: a.update(noise=a["noise"][:1]), "`noise` is [1, 4, 3, 3], and has to be [2, 4, 3, 3]"),
        ("vae", lambda a: a.update(image=a["image"][:, :2]), "`image` is [2, 2, 17, 24], and has to be [2, 3, 17, 24]"),
        ("vae", lambda a: a.update(image=a["image"][:, :, :0]), "`image` is empty"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit(name: str, change: Any, told: str) -> None:
    program = runpy.run_path(str(kit(name) / "infer.py"))
    inputs = arrays(name, {"H": 17, "W": 24})
    program["measure"](inputs)
    change(inputs)
    with pytest.raises(program["Refused"], match=re.escape(told)):
        program["measure"](inputs)


def test_images(tmp_path: Path) -> None:
    """What is not in the graph is asked for: what white is; the rest as Pillow and numpy have it."""
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (9, 14, 3), "uint8")
    image.fromarray(pixels).save(tmp_path / "a.png")
    out = tmp_path / "out.npz"
    folder = kit("fours")
    done = infer(folder, tmp_path / "a.png", "--save", out)
    assert (done.returncode, "what is white?" in done.stderr) == (2, True)
    done = infer(folder, tmp_path / "a.png", "--pixels", 1, "--save", out)
    assert (done.returncode, "pad to H=12,W=16" in done.stderr) == (1, True)
    more = ("--pixels", 255, "--pad", "--mean", "100", "--std", "50")
    done = infer(folder, tmp_path / "a.png", *more, "--save", out)
    assert done.returncode == 0, done.stderr
    grey = np.zeros((12, 16), "float32")
    grey[:9, :14] = np.asarray(image.open(tmp_path / "a.png").convert("L"))
    with torch.no_grad():
        wanted = module("fours")(torch.from_numpy((grey - 100) / 50)[None, None])
    with np.load(out) as found:
        torch.testing.assert_close(torch.from_numpy(found["mask"]), wanted, rtol=1e-4, atol=1e-4)


def test_images_that_are_no_levels(tmp_path: Path) -> None:
    """Turned as the camera says; 16 bits, floats and what shines through are refused."""
    image = pytest.importorskip("PIL.Image")
    program = runpy.run_path(str(kit("fours") / "infer.py"))
    levels = np.random.default_rng(0).integers(0, 256, (9, 14), "uint8")
    picture = image.fromarray(levels)
    turned = picture.getexif()
    turned[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=turned)
    upright = np.asarray(program["upright"](str(tmp_path / "turned.png")))
    assert np.array_equal(upright, np.rot90(levels, -1))
    image.fromarray(levels.astype("uint16") * 257).save(tmp_path / "deep.png")
    image.fromarray(levels.astype("float32")).save(tmp_path / "floats.tiff")
    picture.convert("RGBA").save(tmp_path / "full.png")
    assert program["upright"](str(tmp_path / "full.png")).mode == "RGB"
    clear = picture.convert("RGBA")
    clear.putalpha(picture)
    clear.save(tmp_path / "clear.png")
    refused = {"deep.png": "no levels", "floats.tiff": "no levels", "clear.png": "transparent"}
    for name, told in refused.items():
        with pytest.raises(program["Refused"], match=told):
            program["upright"](str(tmp_path / name))


@pytest.mark.parametrize("data", ["", "PK\x03\x04 nothing", "array", "objects"])
def test_files_that_are_no_arrays(data: str, tmp_path: Path) -> None:
    program = runpy.run_path(str(kit("fours") / "infer.py"))
    path = tmp_path / "a.npz"
    with open(path, "wb") as file:
        if data == "array":
            np.save(file, np.zeros(3))
        elif data == "objects":
            np.savez(file, image=np.array([{}], object))
        else:
            file.write(data.encode())
    with pytest.raises(program["Refused"], match="file of numbers"):
        program["read_arrays"](str(path))


LEVELS = "net Levels { input photo: uint8 [3, H, W]\n output y = photo -> to_float }"


def test_levels_are_taken_as_they_are(tmp_path: Path) -> None:
    """Options that would scale them are errors, and so are those of images without one."""
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.zeros((4, 5, 3), "uint8")).save(tmp_path / "a.png")
    netdsl.loads(LEVELS).export_kit(tmp_path / "kit")
    done = infer(tmp_path / "kit", tmp_path / "a.png", "--pixels", 1, "--mean", "3")
    told = "--pixels, --mean: the network takes pixels as they are, uint8"
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert infer(tmp_path / "kit", tmp_path / "a.png").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "give an image, an .npz file, or --size H=224,W=224"),
        (("--size", "H=8"), 2, "is not H=...,W=..."),
        (("--size", "H=8,W=x"), 2, "is not H=...,W=..."),
        (("--check", "H=8,W=8"), 0, ""),
        (("--check", "H=8,W=9"), 1, "H=8,W=9 is refused; the network takes W a multiple of 4"),
        (("none.npz",), 1, "No such file"),
        (("--size", "H=8,W=8", "--batch", "-1"), 2, "`-1` is not 1 or more"),
        (("--size", "H=8,W=8", "--pad"), 2, "--pad: for images, and none is given"),
        (("a.png", "--pixels", "1", "--mean", "1,2"), 2, "`1,2` is not one number"),
        (("a.png", "--pixels", "1", "--mean", "nan"), 2, "`nan` is not one number"),
        (("a.png", "--pixels", "1", "--std", "0"), 2, "`0` divides by 0"),
        (("a.png", "--pixels", "1", "--resize", "0x5"), 2, "`0x5` is not HxW, such as 480x640"),
        (("a.png", "--pixels", "1", "--resize", "wide"), 2, "`wide` is not HxW"),
        (("--size", "H=8,W=8", "--tensorrt"), 1, "has no TensorRT"),
        (("--size", "H=8,W=644", "--tensorrt"), 1, "takes W from 4 to 640, not 644"),
    ],
)
@pytest.mark.one_in(4)
def test_calls(arguments: tuple[str, ...], code: int, told: str) -> None:
    done = infer(kit("fours"), *arguments)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_fixed_number_of_samples() -> None:
    folder = kit("fours", batch=3)
    assert constants(folder)["BATCH"] == 3
    program = runpy.run_path(str(folder / "infer.py"))
    program["measure"](arrays("fours", {"H": 4, "W": 4}, 3))
    with pytest.raises(program["Refused"], match="3 samples at a time, not 2"):
        program["measure"](arrays("fours", {"H": 4, "W": 4}, 2))


ODD_NAMES = """
net Odd {
    input image: [3, max, part1, lambda] where max >= 9, part1 >= 9, lambda >= 9, max + part1 >= lambda
    output y = image -> conv(2, 3, stride=2) -> maxpool(2) -> conv(2, 2)
}
"""


def test_names_that_python_has_too() -> None:
    """Sizes that are called as Python's words are, and as what infer.py needs itself."""
    graph = netdsl.loads(ODD_NAMES).graph
    names: dict[str, Any] = {}
    exec(runner(graph, "a.onnx", Options(), box_of(graph)), names)
    for sizes, is_taken in (((12, 12, 12), True), ((12, 12, 30), False), ((6, 12, 12), False)):
        parts = names["requirements"](*sizes)
        assert all(holds for _, _, holds in parts) == is_taken
    assert names["input_shapes"](4, 5, 6) == {"image": (3, 4, 5, 6)}


def test_formulas_that_would_double() -> None:
    """A size whose formula has itself twice, twenty times over, is written in lines."""
    chain = " -> ".join(["upsample(1.5)"] * 20)
    text = f"net A {{ input x: [1, L]\n input y: [1, P]\n output z = (x -> {chain}, y) -> concat }}"
    graph = netdsl.loads(text, allow=WARNINGS).graph
    size = 7
    for _ in range(20):
        size = size * 3 // 2
    point = {"L": 7, "P": size}
    program = runner(graph, "a.onnx", Options(), box_of(graph, None, Wishes(point, point, point)))
    assert len(program) < 30_000
    names: dict[str, Any] = {}
    exec(program, names)
    assert all(holds for _, _, holds in names["requirements"](7, size))
    assert not all(holds for _, _, holds in names["requirements"](7, size + 1))
