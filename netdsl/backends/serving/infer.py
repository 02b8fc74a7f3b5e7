"""Runs the ONNX file beside it in ONNX Runtime, at the sizes that its network takes.

    python infer.py photo.jpg --pixels 1       an image or several, one run each
    python infer.py inputs.npz --save out.npz  arrays, by the names of the inputs
    python infer.py --size H=224,W=224         numbers at random, to try it
    python infer.py --check H=65,W=64          whether sizes are accepted; loads no model

Sizes outside of the contract are refused before a run, with the nearest that are accepted: exit
code 1. It needs numpy; to run, onnxruntime; for images, Pillow.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

# --- the network ---
MODEL = "net.onnx"
DTYPES = {"image": "float32"}
AXES = {"H": ("image", 2), "W": ("image", 3)}
BATCH: int | None = None
PICTURE: tuple[str, int, int] | None = ("image", 3, 1)
BOX = {"N": (1, 8), "H": (1, 640), "W": (1, 640)}
TENSORRT: dict[str, str] = {}


def input_shapes(H: int, W: int) -> dict[str, tuple[int, ...]]:
    return {"image": (3, H, W)}


def requirements(H: int, W: int) -> list[tuple[tuple[str, ...], str, bool]]:
    return [(("H",), "any H", True), (("W",), "any W", True)]


# --- end of the network ---

FAR = 20_000
"""Points that are tried to find sizes near to wanted ones."""
LEVELS = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
"""Modes of Pillow whose numbers are levels of 8 bits, without transparency."""
OF_IMAGES = ("pixels", "mean", "std", "resize", "pad")
"""Options that say how an image becomes the input."""
Sizes = Mapping[str, int]
Arrays = Mapping[str, Any]


class Refused(Exception):
    """These sizes are none of the network's; the text says why, and which are near."""


def check(sizes: Sizes) -> None:
    """Raises `Refused` for sizes that the network does not take."""
    wrong = [words for _, words, holds in requirements(*sizes.values()) if not holds]
    if not wrong:
        return
    lines = [f"{shown(sizes)} is refused; the network takes {'; '.join(wrong)}"]
    for way, word in (-1, "crop to"), (1, "pad to"):
        point = near(sizes, way)
        if point:
            lines.append(f"{word} {shown(point)}")
    raise Refused("\n".join(lines))


def near(sizes: Sizes, way: int) -> dict[str, int] | None:
    """The nearest sizes that are accepted, none larger (`way` -1) or none smaller (1)."""
    point = dict(sizes)
    for names in dict.fromkeys(names for names, _, _ in requirements(*sizes.values())):
        for moved in outward({name: sizes[name] for name in names}, way):
            there = point | moved
            if all(holds for of, _, holds in requirements(*there.values()) if of == names):
                point = there
                break
        else:
            return None
    return point


def outward(sizes: Sizes, way: int) -> Iterator[dict[str, int]]:
    """Sizes around some, none below 1: the nearest first, of these the smallest."""
    farthest = int(FAR ** (1 / len(sizes)))
    steps = [range(min(farthest, size) if way < 0 else farthest) for size in sizes.values()]
    moves = product(*steps)
    if len(steps) > 1:
        moves = sorted(moves, key=lambda some: (sum(some), [way * step for step in some]))
    for move in moves:
        yield {name: sizes[name] + way * step for name, step in zip(sizes, move, strict=True)}


def measure(arrays: Arrays) -> tuple[dict[str, int], int]:
    """The sizes and the number of samples of some inputs. Raises `Refused` where they don't fit."""
    ranks = {name: len(shape) + 1 for name, shape in input_shapes(*(1 for _ in AXES)).items()}
    for name, dtype in DTYPES.items():
        if name not in arrays:
            raise Refused(f"the input `{name}` is missing; there are: {', '.join(arrays)}")
        if arrays[name].ndim != ranks[name] or arrays[name].dtype != dtype:
            it = f"{arrays[name].dtype} with {arrays[name].ndim} axes"
            raise Refused(f"`{name}` is {it}, not {dtype} with {ranks[name]}, batch included")
        if 0 in arrays[name].shape:
            raise Refused(f"`{name}` is empty: {list(arrays[name].shape)}")
    sizes = {symbol: arrays[name].shape[axis] for symbol, (name, axis) in AXES.items()}
    batch = arrays[next(iter(DTYPES))].shape[0]
    if BATCH not in (None, batch):
        raise Refused(f"the file takes {BATCH} samples at a time, not {batch}")
    check(sizes)
    for name, shape in input_shapes(*sizes.values()).items():
        if arrays[name].shape != (batch, *shape):
            at = f" at {shown(sizes)}" if sizes else ""
            it = f"{list(arrays[name].shape)}, and has to be {[batch, *shape]}{at}"
            raise Refused(f"`{name}` is {it}")
    return sizes, batch


def check_box(sizes: Sizes, batch: int) -> None:
    """Raises `Refused` for what lies outside of the box that TensorRT builds its engine for."""
    given = {**({} if BATCH else {next(iter(BOX)): batch}), **sizes}
    for name, size in given.items():
        least, most = BOX[name]
        if not least <= size <= most:
            raise Refused(f"TensorRT's engine takes {name} from {least} to {most}, not {size}")


def at_random(sizes: Sizes, batch: int) -> dict[str, Any]:
    """Normal numbers; zeros and ones for whole ones."""
    check(sizes)
    draw = np.random.default_rng(0)
    inputs = {}
    for name, shape in input_shapes(*sizes.values()).items():
        whole = not DTYPES[name].startswith("float")
        numbers = (
            draw.integers(0, 2, (batch, *shape)) if whole else draw.normal(size=(batch, *shape))
        )
        inputs[name] = numbers.astype(DTYPES[name])
    return inputs


def picture(path: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """An image file as the input, values and sizes as chosen."""
    from PIL import Image

    assert PICTURE is not None
    name, channels, axis = PICTURE
    image = upright(path).convert("RGB" if channels == 3 else "L")
    if chosen.resize:
        height, width = chosen.resize
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image).reshape(image.height, image.width, channels)
    if chosen.pad and AXES:
        pixels = padded(pixels, axis)
    if DTYPES[name] != "uint8":
        pixels = pixels.astype(DTYPES[name]) / 255 * chosen.pixels
        pixels = (pixels - np.array(chosen.mean or [0.0])) / np.array(chosen.std or [1.0])
        pixels = pixels.astype(DTYPES[name])
    return {name: np.ascontiguousarray(pixels.transpose(2, 0, 1) if axis == 1 else pixels)[None]}


def upright(path: str) -> Any:
    """An image turned as its camera says. Raises `Refused` where its numbers are no levels."""
    from PIL import Image, ImageOps

    try:
        image = Image.open(path)
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            full = image.convert("RGBA")
            if np.asarray(full)[:, :, 3].min() < 255:
                raise Refused(f"{path} has transparent pixels: put it on a background")
            image = full.convert("RGB")
    except (OSError, Refused, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise what they meet in a broken file
        raise Refused(f"can't read {path} as an image: {error}") from None
    if image.mode not in LEVELS:
        raise Refused(
            f"{path} holds pixels of the mode {image.mode}, which are no levels from 0 to 255: "
            "save it with 8 bits for a channel"
        )
    return image


def read_arrays(path: str) -> dict[str, Any]:
    """The arrays of an `.npz` file. Raises `Refused` for a file that is none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise Refused(f"can't read {path} as an .npz file of numbers: {error}") from None


def padded(pixels: Any, channel_axis: int) -> Any:
    """With black cells to the right and below, up to the next sizes that are accepted."""
    first = 2 if channel_axis == 1 else 1
    sizes = {symbol: pixels.shape[axis - first] for symbol, (_, axis) in AXES.items()}
    more = near(sizes, 1)
    if not more:
        raise Refused(f"no sizes from {shown(sizes)} on are accepted")
    edges = [(0, 0)] * 3
    for symbol, (_, axis) in AXES.items():
        edges[axis - first] = (0, more[symbol] - sizes[symbol])
    return np.pad(pixels, edges)


def read_channels(text: str) -> list[float]:
    """`0.485,0.456,0.406` as numbers: one, or one for each channel."""
    channels = PICTURE[1] if PICTURE else 1
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, channels) or not np.isfinite(numbers).all():
        wanted = "one number" if channels == 1 else f"one number, or {channels} with commas"
        raise argparse.ArgumentTypeError(f"`{text}` is not {wanted}")
    return numbers


def read_divisors(text: str) -> list[float]:
    """The same, none of them 0."""
    numbers = read_channels(text)
    if not all(numbers):
        raise argparse.ArgumentTypeError(f"`{text}` divides by 0")
    return numbers


def read_height_width(text: str) -> tuple[int, int]:
    """`480x640`, or `480` for both."""
    height, _, width = text.partition("x")
    pair = height, width or height
    if not all(part.isdecimal() and int(part) for part in pair):
        raise argparse.ArgumentTypeError(f"`{text}` is not HxW, such as 480x640")
    return int(pair[0]), int(pair[1])


def read_count(text: str) -> int:
    """A number of samples."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"`{text}` is not 1 or more")
    return int(text)


def session(*, tensorrt: bool) -> Any:
    """ONNX Runtime with the file: on a GPU where the package has one, else on the CPU."""
    import onnxruntime

    wanted: list[Any] = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    there = onnxruntime.get_available_providers()
    providers = [name for name in wanted if name in there]
    if tensorrt:
        if "TensorrtExecutionProvider" not in there:
            sys.exit(f"infer.py: this onnxruntime has no TensorRT; it has {', '.join(there)}")
        providers.insert(0, ("TensorrtExecutionProvider", TENSORRT))
    path = Path(__file__).with_name(MODEL)
    return onnxruntime.InferenceSession(str(path), providers=providers)


def shown(sizes: Sizes) -> str:
    """`H=64,W=96`."""
    return ",".join(f"{name}={size}" for name, size in sizes.items())


def read_sizes(text: str) -> dict[str, int]:
    """`H=64,W=96` as numbers, in the order of the network's symbols."""
    parts = [part.partition("=") for part in text.split(",") if part]
    pairs = {name: number for name, _, number in parts}
    if pairs.keys() != AXES.keys() or not all(n.isdecimal() and int(n) for n in pairs.values()):
        wanted = ",".join(f"{name}=..." for name in AXES) or "nothing: all sizes are fixed"
        raise argparse.ArgumentTypeError(f"`{text}` is not {wanted}")
    return {name: int(pairs[name]) for name in AXES}


def save(path: str, arrays: Arrays) -> None:
    """Arrays by name, as `numpy.load` reads them."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def parser() -> argparse.ArgumentParser:
    assert __doc__ is not None
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("files", nargs="*", metavar="FILE", help="images, or arrays as .npz")
    options.add_argument("--size", type=read_sizes, help="H=224,W=224: numbers at random")
    options.add_argument("--check", type=read_sizes, help="whether these sizes are accepted")
    options.add_argument("--batch", type=read_count, default=BATCH or 1, help="samples of --size")
    options.add_argument("--save", metavar="OUT.npz", help="where the results of a run go")
    options.add_argument("--tensorrt", action="store_true", help="in TensorRT, with its profiles")
    options.add_argument("--pixels", type=float, choices=(1, 255), help="what white is")
    options.add_argument(
        "--mean", type=read_channels, help="of each channel, to be subtracted: 0.485,0.456,0.406"
    )
    options.add_argument(
        "--std", type=read_divisors, help="of each channel, to be divided by: 0.229,0.224,0.225"
    )
    options.add_argument(
        "--resize", type=read_height_width, metavar="HxW", help="images are resized first"
    )
    options.add_argument("--pad", action="store_true", help="images get black edges to fit")
    return options


def inputs_of(chosen: argparse.Namespace, options: argparse.ArgumentParser) -> Iterator[Arrays]:
    """The inputs of one run after the other."""
    given = [f"--{name}" for name in OF_IMAGES if getattr(chosen, name) not in (None, False)]
    if given and all(path.endswith(".npz") for path in chosen.files):
        options.error(f"{', '.join(given)}: for images, and none is given")
    for path in chosen.files:
        if path.endswith(".npz"):
            yield read_arrays(path)
            continue
        if PICTURE is None:
            options.error(f"the input is no image: give {', '.join(DTYPES)} as an .npz file")
        if chosen.pixels is None and DTYPES[PICTURE[0]] != "uint8":
            options.error("--pixels 1 or --pixels 255: what is white? The network does not tell")
        scaled = [f"--{name}" for name in OF_IMAGES[:3] if getattr(chosen, name) is not None]
        if scaled and DTYPES[PICTURE[0]] == "uint8":
            options.error(f"{', '.join(scaled)}: the network takes pixels as they are, uint8")
        yield picture(path, chosen)
    if chosen.size is not None or (not AXES and not chosen.files):
        yield at_random(chosen.size or {}, chosen.batch)


def main() -> None:
    options = parser()
    chosen = options.parse_args()
    if chosen.check is not None:
        check(chosen.check)
        print("yes")
        return
    if chosen.save and (len(chosen.files) > 1 or chosen.save in chosen.files):
        options.error("--save is for the results of one run, in a file of their own")
    runtime = None
    for arrays in inputs_of(chosen, options):
        sizes, batch = measure(arrays)
        if chosen.tensorrt:
            check_box(sizes, batch)
        runtime = runtime or session(tensorrt=chosen.tensorrt)
        names = [output.name for output in runtime.get_outputs()]
        results = runtime.run(names, {name: arrays[name] for name in DTYPES})
        found = dict(zip(names, results, strict=True))
        for name, array in found.items():
            print(f"{name} {array.dtype} {list(array.shape)}")
        if chosen.save:
            save(chosen.save, found)
    if runtime is None:
        options.error(f"give an image, an .npz file, or --size {shown(dict.fromkeys(AXES, 224))}")


if __name__ == "__main__":
    try:
        main()
    except Refused as refusal:
        sys.exit(f"infer.py: {refusal}")
    except (OSError, ImportError) as error:
        sys.exit(f"infer.py: {error}")
