"""Image files as pixels: read as people see them, or refused with a reason."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Lock, current_thread, main_thread
from typing import TYPE_CHECKING, Any

from netdsl.diagnostics.reading import KINDS, reason

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

MAX_BYTES = 2**30
"""The largest image file that is read."""
MAX_PIXELS = 2**27
"""More of them are not decoded: a small file can hold a picture that fills the memory."""
GREY, COLOUR = 1, 3
"""How many channels there are."""
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
FULL_RANGE = ("PNG",)
"""Formats in which 65535 is white."""
BITS_PER_SAMPLE = 258
"""The tag of TIFF that says how many bits a number has."""
TO_BYTE = 257
"""A level of 16 bits by one of 8: 65535 is 255."""
PLAIN = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
"""Modes of Pillow whose numbers are levels of 8 bits."""
TRANSPARENT = ("RGBA", "LA", "PA", "RGBa")
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "PPM", "JPEG2000")
"""Formats that Pillow decodes by itself: of others it calls programs."""


_LOCK = Lock()


class ImageError(Exception):
    """A file that can't be read as an image; the text says why, and what to do."""


def read_image(
    path: str | Path, channels: int = COLOUR, background: str | None = None
) -> np.ndarray:
    """The pixels of a file, uint8 [height, width, channels], turned as its camera says.

    `channels` is 1 for grey (ITU-R 601) or 3 for colour, in which the three of a grey image are
    equal. Transparent pixels stand on `background`, a colour as CSS names it; without one they
    are refused. Of several frames it is the first. Raises `ImageError`, and `ModuleNotFoundError`
    where Pillow is not installed.
    """
    data = _bytes(path)
    behind = None if background is None else colour(background)
    with _without_warnings():
        image = _decoded(data, path)
        if image.mode in SIXTEEN_BITS:
            image = _eight_bits(image, image.format, path)
        return _pixels(image, path, channels, behind)


def read_numbers(path: str | Path) -> np.ndarray:
    """The numbers of a mask, uint8 [height, width]: grey levels, or those of a palette.

    Raises `ImageError`, also for a file with colours, and `ModuleNotFoundError` without Pillow.
    """
    import numpy as np

    with _without_warnings():
        image = _decoded(_bytes(path), path)
    if image.mode not in ("1", "L", "P"):
        held = "levels of 16 bits" if image.mode in SIXTEEN_BITS else "colours"
        raise ImageError(f"{path}: a mask has one number for each pixel, and this has {held}")
    return np.array(image, dtype=np.uint8)


def _bytes(path: str | Path) -> bytes:
    """All of a plain file."""
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind == stat.S_IFDIR:
            raise ImageError(f"{path} is a folder: name the images in it, `{path}/*.jpg`")
        if kind != stat.S_IFREG:
            raise ImageError(f"{path} is {KINDS.get(kind, 'something else')}, no plain file")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ImageError(f"can't read {path}: {reason(error)}") from None
    if not data:
        raise ImageError(f"{path} is empty")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{path} is larger than {MAX_BYTES // 2**30} GiB")
    return data


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Without what Pillow warns of: broken EXIF data, and sizes that are checked here.

    Filters of warnings are those of all threads, so that only the main one may change them.
    """
    if current_thread() is not main_thread():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(data: bytes) -> Image:
    """The image, of which the head is read; Pillow's own bound, one for all threads, is lifted."""
    from PIL import Image

    Image.init()
    with _LOCK:
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(BytesIO(data), formats=[f for f in FORMATS if f in Image.OPEN])
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def _decoded(data: bytes, path: str | Path) -> Image:
    """The image, turned as its camera says."""
    from PIL import ImageOps, UnidentifiedImageError

    try:
        image = _opened(data)
    except UnidentifiedImageError:
        known = "JPEG, PNG, WebP, AVIF, GIF, BMP, TIFF, PPM or JPEG 2000"
        raise ImageError(f"{path} is no whole image of {known}") from None
    except Exception as error:  # Pillow's readers raise what they meet in a broken file
        raise ImageError(f"{path} is broken: {_told(error)}") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{path} has {width} x {height} pixels, and more than {MAX_PIXELS:,} are not read: "
            "make it smaller first"
        )
    _check_bits(image, path)
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
        upright.format = image.format
    except MemoryError:
        raise
    except Exception as error:
        raise ImageError(f"{path} is broken: {_told(error)}") from None
    return upright


def _check_bits(image: Image, path: str | Path) -> None:
    """Refuses colours of more than 8 bits where the upper 8, which Pillow takes, may be no levels.

    Pillow holds a transparent colour of 16 bits against pixels of 8, and finds it nowhere.
    """
    tags: Any = getattr(image, "tag_v2", {})
    if image.mode in PLAIN + TRANSPARENT and max(tags.get(BITS_PER_SAMPLE, (8,))) > 8:
        raise _no_white(path, image.format)
    tiles: Any = getattr(image, "tile", [])
    if "transparency" in image.info and any(";16" in str(tile[3]) for tile in tiles):
        raise ImageError(
            f"{path} has levels of 16 bits, of which one is transparent: save it with 8 bits for a "
            "channel, or without transparency"
        )


def _no_white(path: str | Path, form: str | None) -> ImageError:
    return ImageError(
        f"{path} has levels of 16 bits, and {form} does not say which one is white: save it "
        "with 8 bits for a channel, or as PNG"
    )


def _told(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:200]


def _pixels(
    image: Image, path: str | Path, channels: int, behind: tuple[int, ...] | None
) -> np.ndarray:
    import numpy as np

    if image.mode in TRANSPARENT or (image.mode in PLAIN and "transparency" in image.info):
        image = _opaque(image.convert("RGBA"), path, behind)
    elif image.mode not in PLAIN:
        raise ImageError(
            f"{path} holds {_kind(image.mode)}, which are no levels from 0 to 255: save it with 8 "
            "bits for a channel"
        )
    pixels = np.asarray(image.convert("L" if channels == GREY else "RGB"), dtype=np.uint8)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _kind(mode: str) -> str:
    return {"I": "whole numbers of 32 bits", "F": "floats"}.get(mode, f"pixels of the mode {mode}")


def _eight_bits(image: Image, form: str | None, path: str | Path) -> Image:
    """Levels of 16 bits as levels of 8, where the format says that they fill the 16."""
    import numpy as np
    from PIL import Image as images

    if form not in FULL_RANGE:
        raise _no_white(path, form)
    levels = np.asarray(image).astype(np.uint32)
    rounded = (levels + TO_BYTE // 2) // TO_BYTE
    return images.fromarray(rounded.astype(np.uint8))


def _opaque(image: Image, path: str | Path, behind: tuple[int, ...] | None) -> Image:
    """The image on a background, where something shines through."""
    from PIL import Image as images

    alpha: Any = image.getchannel("A")
    if alpha.getextrema()[0] == 255:
        return image.convert("RGB")
    if behind is None:
        raise ImageError(
            f"{path} has transparent pixels, whose colour nothing says: put it on a background, "
            "`--background white`"
        )
    plane = images.new("RGBA", image.size, behind)
    return images.alpha_composite(plane, image).convert("RGB")


def colour(name: str) -> tuple[int, int, int, int]:
    """A colour by a name or a number of CSS: `white`, `#808080`. Raises `ValueError`."""
    from PIL import ImageColor

    try:
        parts = ImageColor.getrgb(name)
    except (ValueError, AttributeError):
        raise ValueError(f"`{name}` is no colour such as white, black or #808080") from None
    if parts[3:] not in ((), (255,)):
        raise ValueError(f"`{name}` is transparent itself: write it without its last part")
    return (*parts[:3], 255)
