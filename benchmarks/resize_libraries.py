"""How far the resizing of other libraries is from each mode of `resize`: the table of docs/images.md.

    python benchmarks/resize_libraries.py --with VENV/bin/python

`VENV` is an environment with tensorflow and opencv-python-headless, which are not of this project;
without `--with` the table has Pillow, torchvision and ONNX Runtime. Images of random rectangles,
with noise, are resized to sizes that shrink and that grow, as levels; differences are of levels.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "images.md"
BEGIN, END = "<!-- libraries -->\n", "<!-- end of libraries -->"
MODES = (
    "bilinear", "bilinear, antialias=false", "bicubic", "bicubic, antialias=false", "nearest",
    "nearest_floor", "area",
)  # fmt: skip
Array = np.ndarray[Any, Any]
Resizing = Callable[[Array, tuple[int, int]], Array]
CASES = 24


def cases() -> Iterator[tuple[Array, tuple[int, int]]]:
    """Images `[H, W, 3]` of levels, and sizes; every second one grows."""
    for number in range(CASES):
        draw, random = Random(number), np.random.default_rng(number)
        height, width = draw.randint(60, 200), draw.randint(60, 200)
        image = np.full((height, width, 3), 128.0)
        for _ in range(30):
            top, left = draw.randrange(height), draw.randrange(width)
            image[top : top + height // 3, left : left + width // 3] = random.integers(0, 256, 3)
        image += random.normal(0, 6, image.shape)
        scale = draw.uniform(1.1, 3) if number % 2 else draw.uniform(0.1, 0.9)
        size = (
            max(round(height * scale), 2),
            max(round(width * scale * draw.uniform(0.8, 1.2)), 2),
        )
        yield np.clip(np.round(image), 0, 255).astype(np.uint8), size


def pillow() -> Iterator[tuple[str, Resizing]]:
    from PIL import Image

    for name in ("NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS"):
        filter = getattr(Image.Resampling, name)
        yield (
            f"Pillow `{name}`",
            lambda x, size, filter=filter: np.array(
                Image.fromarray(x).resize((size[1], size[0]), filter)
            ),
        )


def opencv() -> Iterator[tuple[str, Resizing]]:
    cv2 = import_module("cv2")
    for name in ("NEAREST", "NEAREST_EXACT", "LINEAR", "CUBIC", "AREA"):
        flag = getattr(cv2, f"INTER_{name}")
        yield (
            f"OpenCV `INTER_{name}`",
            lambda x, size, flag=flag: cv2.resize(x, size[::-1], interpolation=flag),
        )


def tensorflow() -> Iterator[tuple[str, Resizing]]:
    tf = import_module("tensorflow")
    ways = [("nearest", False), ("area", False)]
    ways += [(name, antialias) for name in ("bilinear", "bicubic") for antialias in (False, True)]
    for name, antialias in ways:
        smooth = ", antialias=True" * antialias
        yield (
            f"TensorFlow `{name}{smooth}`",
            lambda x, size, name=name, antialias=antialias: rounded(
                tf.image.resize(x, size, method=name, antialias=antialias).numpy()
            ),
        )


def torchvision() -> Iterator[tuple[str, Resizing]]:
    """On tensors of levels, for which it has kernels of its own."""
    import torch

    sys.path.insert(0, str(ROOT))
    from tests.torchvision_models import torchvision_transforms

    resize, modes = torchvision_transforms().resize, torchvision_transforms().InterpolationMode

    for name in ("NEAREST", "NEAREST_EXACT", "BILINEAR", "BICUBIC"):
        for antialias in (True, False) if name.startswith("BI") else (True,):

            def run(x: Array, size: tuple[int, int], name=name, antialias=antialias) -> Array:
                tensor = torch.from_numpy(x).permute(2, 0, 1)
                way = getattr(modes, name)
                tensor = resize(tensor, list(size), interpolation=way, antialias=antialias)
                return tensor.permute(1, 2, 0).numpy()

            yield f"torchvision `{name}`" + ", `antialias=False`" * (not antialias), run


def onnx_runtime() -> Iterator[tuple[str, Resizing]]:
    """Its operator Resize, on floats, centres on centres."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    for mode, antialias in (
        ("nearest", 0),
        ("linear", 0),
        ("linear", 1),
        ("cubic", 0),
        ("cubic", 1),
    ):

        def run(x: Array, size: tuple[int, int], mode=mode, antialias=antialias) -> Array:
            settings = {"antialias": 1, "cubic_coeff_a": -0.5} if antialias else {}
            node = helper.make_node(
                "Resize", ["x", "", "", "sizes"], ["y"], mode=mode,
                coordinate_transformation_mode="half_pixel", **settings,
            )  # fmt: skip
            floats = TensorProto.FLOAT
            x_, y_ = (helper.make_tensor_value_info(n, floats, [1, 3, None, None]) for n in "xy")
            sizes = helper.make_tensor("sizes", TensorProto.INT64, [4], [1, 3, *size])
            graph = helper.make_graph([node], "resize", [x_], [y_], [sizes])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
            model.ir_version = 8
            onnx.checker.check_model(model)
            running = onnxruntime.InferenceSession(model.SerializeToString())
            feed = x.transpose(2, 0, 1)[None].astype(np.float32)
            (y,) = running.run(None, {"x": feed})
            return rounded(np.asarray(y)[0].transpose(1, 2, 0))

        yield f"ONNX Runtime `Resize({mode}{', antialias=1' * antialias})`", run


def rounded(numbers: Array) -> Array:
    """The nearest levels."""
    return np.clip(np.round(numbers), 0, 255).astype(np.uint8)


def netdsl_modes() -> dict[str, list[Array]]:
    """What each mode gives for all cases."""
    import torch

    import netdsl

    found: dict[str, list[Array]] = {}
    for mode in MODES:
        for image, (height, width) in cases():
            text = (
                "net A {\n    input x: uint8 [3, H, W]\n"
                f"    output y = x -> resize({height}x{width}, mode={mode})\n}}"
            )
            module = netdsl.loads(text).torch(seed=0).eval()
            tensor = module(torch.from_numpy(image.transpose(2, 0, 1).copy())[None])
            found.setdefault(mode, []).append(tensor[0].numpy().transpose(1, 2, 0))
    return found


HERE = (pillow, torchvision, onnx_runtime)
ELSEWHERE = (opencv, tensorflow)


def results(libraries: tuple[Callable[[], Iterator[tuple[str, Resizing]]], ...]) -> Any:
    """What each call of some libraries gives for all cases, by its name."""
    return {
        name: [run(image, size) for image, size in cases()]
        for library in libraries
        for name, run in library()
    }


def of_other_python(python: str) -> dict[str, list[Array]]:
    """The same of the libraries of another environment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.npz"
        subprocess.run([python, __file__, "--write", str(path)], check=True)
        found: dict[str, list[Array]] = {}
        with np.load(path) as file:
            for key in file.files:
                name, _, _ = key.rpartition("#")
                found.setdefault(name, []).append(file[key])
    return found


def row(name: str, theirs: list[Array], modes: dict[str, list[Array]]) -> str:
    """The mode that is closest, and how close."""
    apart = {
        mode: np.concatenate([
            np.abs(a.astype(int) - b).ravel() for a, b in zip(theirs, ours, strict=True)
        ])
        for mode, ours in modes.items()
    }  # fmt: skip
    mode = min(apart, key=lambda m: apart[m].mean())
    far = apart[mode]
    return f"| {name} | `{mode}` | {far.mean():.3f} | {far.max()} | {(far > 1).mean():.2%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--with", dest="python", help="python of another environment")
    parser.add_argument("--write", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.write:
        found = results(ELSEWHERE)
        flat = {
            f"{name}#{n:02}": x for name, several in found.items() for n, x in enumerate(several)
        }
        np.savez(chosen.write, **flat)
        return
    theirs = results(HERE) | (of_other_python(chosen.python) if chosen.python else {})
    modes = netdsl_modes()
    lines = [
        "| library | closest mode | mean | greatest | more than one level |",
        "|---|---|---|---|---|",
        *(row(name, several, modes) for name, several in sorted(theirs.items())),
    ]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if chosen.python and end:
        PAGE.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
