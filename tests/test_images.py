"""Image files: read as people see them, or refused with a reason; two hundred that are no photographs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from random import Random
from struct import pack
from zlib import compress, crc32

import pytest

from netdsl.images import ImageError, read_image

np = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM", "WEBP")
CUTS, FLIPS = 16, 12
SIZE = (23, 17)


def drawn(seed: int = 0, size: tuple[int, int] = SIZE):
    """Pixels of a smooth picture with some noise, [height, width, 3]."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    noise = np.random.default_rng(seed).integers(0, 20, (height, width, 3))
    ramps = np.stack([rows * 9, columns * 7, (rows + columns) * 5], 2)
    return ((ramps + noise) % 256).astype(np.uint8)


def saved(path: Path, image, form: str = "PNG", **options) -> Path:
    image.save(path, form, **options)
    return path


def encoded(form: str) -> bytes:
    buffer = BytesIO()
    Image.fromarray(drawn()).save(buffer, form)
    return buffer.getvalue()


# --- what is broken -------------------------------------------------------------------------


def broken_files() -> Iterator[tuple[str, bytes]]:
    """Every format cut at many places and with bytes changed, and what is no image at all."""
    for form in FORMATS:
        random, whole = Random(form), encoded(form)
        for number in range(CUTS):
            yield f"cut-{form}-{number}", whole[: random.randrange(1, len(whole))]
        for number in range(FLIPS):
            data = bytearray(whole)
            for _ in range(random.choice([1, 4, 30])):
                data[random.randrange(len(data))] = random.randrange(256)
            yield f"changed-{form}-{number}", bytes(data)
    texts = {
        "empty": b"", "blank": b"\n", "text": b"not an image", "zeros": bytes(1000), "zip": b"PK\3\4" * 9,
        "html": b"<html><img src='a.jpg'></html>", "jpeg-head": b"\xff\xd8\xff\xe0", "gif-head": b"GIF89a",
        "png-head": b"\x89PNG\r\n\x1a\n", "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "net": b"net A { input x: [3, H, W] }", "pdf": b"%PDF-1.7\n", "svg": b"<svg xmlns='x'/>", "bmp-head": b"BM" + bytes(60),
    }  # fmt: skip
    yield from texts.items()


@pytest.mark.filterwarnings("error")
def test_two_hundred_files_are_read_or_refused_in_words(tmp_path: Path) -> None:
    """A cut file is refused, or nothing of its picture was cut off; no other exception comes."""
    refused = total = 0
    whole = {form: read_image(_written(tmp_path / form, encoded(form))) for form in FORMATS}
    for name, data in broken_files():
        path = _written(tmp_path / name, data)
        total += 1
        try:
            pixels = read_image(path)
        except ImageError as error:
            refused += 1
            assert str(path) in str(error)
            assert "\n" not in str(error)
            continue
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        if name.startswith("cut"):
            assert np.array_equal(pixels, whole[name.split("-")[1]]), name
        assert name.startswith(("cut", "changed")), name
    assert total >= 200
    assert refused >= 120


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: os.mkfifo(path), "is a pipe, no plain file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, no plain file"),
        (lambda path: path.symlink_to(path), "can't read"),
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("hello"), "is no whole image of JPEG, PNG"),
    ],
    ids=["folder", "pipe", "device", "loop", "absent", "empty", "text"],
)
def test_what_is_no_image(tmp_path: Path, make: Callable[[Path], object], told: str) -> None:
    path = tmp_path / "a.jpg"
    make(path)
    with pytest.raises(ImageError, match=told):
        read_image(path)


def test_names_that_no_file_has() -> None:
    with pytest.raises(ImageError, match="can't read"):
        read_image("a\0b.jpg")
    with pytest.raises(ImageError, match="can't read"):
        read_image("x" * 5000)


def test_a_small_file_with_a_huge_picture_is_not_decoded(tmp_path: Path) -> None:
    size = pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    parts = (b"IHDR", size), (b"IDAT", compress(bytes(10_000))), (b"IEND", b"")
    chunks = (pack(">I", len(d)) + n + d + pack(">I", crc32(n + d)) for n, d in parts)
    path = _written(tmp_path / "a.png", b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(ImageError, match="40000 x 40000 pixels"):
        read_image(path)
    assert Image.MAX_IMAGE_PIXELS is not None


def test_several_threads_leave_pillow_as_it_was(tmp_path: Path) -> None:
    """Its bound on pixels, and the filters of warnings, are those of the whole process."""
    import warnings
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "a.png"
    Image.new("RGB", (30, 20)).save(path)
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        shapes = set(pool.map(lambda _: read_image(path).shape, range(400)))
    assert shapes == {(20, 30, 3)}
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


# --- what is odd ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 100_000), (100_000, 1), (65_000, 2)])
def test_odd_sizes_are_read_as_they_are(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = drawn(3, size)
    path = saved(tmp_path / "a.png", Image.fromarray(pixels))
    assert np.array_equal(read_image(path), pixels)


TURNED: dict[int, Callable[..., object]] = {
    1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2), 6: lambda x: x[::-1].transpose(1, 0, 2),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2), 8: lambda x: x[:, ::-1].transpose(1, 0, 2),
}  # fmt: skip
"""The EXIF standard's orientations: row 0 and column 0 of the file are which sides of the picture."""


@pytest.mark.parametrize("turn", TURNED)
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path, turn: int, form: str) -> None:
    pixels = drawn()
    exif = Image.Exif()
    exif[0x0112] = turn
    path = saved(tmp_path / "a", Image.fromarray(pixels), form, exif=exif)
    assert np.array_equal(read_image(path), TURNED[turn](pixels))


def test_grey_becomes_three_equal_channels_and_colour_becomes_grey(tmp_path: Path) -> None:
    pixels = drawn()
    grey = saved(tmp_path / "grey.png", Image.fromarray(pixels[:, :, 0]))
    assert np.array_equal(read_image(grey), np.repeat(pixels[:, :, :1], 3, 2))
    assert np.array_equal(read_image(grey, 1), pixels[:, :, :1])
    colour = saved(tmp_path / "colour.png", Image.fromarray(pixels))
    wanted = pixels @ np.array([0.299, 0.587, 0.114])  # ITU-R 601
    found = read_image(colour, 1)
    assert found.shape == (*wanted.shape, 1)
    assert np.abs(found[:, :, 0] - wanted).max() <= 1


def test_black_and_white_and_palettes(tmp_path: Path) -> None:
    bits = np.indices((6, 7)).sum(0) % 2 == 0
    path = saved(tmp_path / "bits.png", Image.fromarray(bits))
    assert np.array_equal(read_image(path)[:, :, 1], bits * np.uint8(255))
    index = (np.indices((6, 7)).sum(0) % 3).astype(np.uint8)
    image = Image.fromarray(index, "L")
    image.putpalette([9, 8, 7, 200, 100, 50, 0, 255, 1])
    table = np.array([[9, 8, 7], [200, 100, 50], [0, 255, 1]], np.uint8)
    for form in "PNG", "GIF":
        path = saved(tmp_path / f"palette.{form}", image, form)
        assert np.array_equal(read_image(path), table[index])


def test_cmyk_is_what_paper_would_show(tmp_path: Path) -> None:
    """Cyan takes red away, and so on; black takes all: (1 - ink) (1 - black)."""
    inks = np.random.default_rng(0).integers(0, 256, (9, 8, 4), dtype=np.uint8)
    path = saved(tmp_path / "a.tif", Image.fromarray(inks, "CMYK"), "TIFF")
    part = 1 - inks / 255
    wanted = part[:, :, :3] * part[:, :, 3:] * 255
    assert np.abs(read_image(path) - wanted).max() <= 1.01
    smooth = np.full((16, 16, 4), (255, 0, 0, 0), np.uint8)
    path = saved(tmp_path / "a.jpg", Image.fromarray(smooth, "CMYK"), "JPEG", quality=95)
    assert np.abs(read_image(path).astype(int) - (0, 255, 255)).max() <= 6


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_no_matter_where_nothing_shines_through(tmp_path: Path, mode: str) -> None:
    pixels = drawn()
    image = Image.fromarray(pixels).convert(mode)
    path = saved(tmp_path / "a.png", image)
    wanted = np.asarray(
        Image.fromarray(pixels).convert("L" if mode == "LA" else "RGB").convert("RGB")
    )
    assert np.array_equal(read_image(path), wanted)


def test_what_shines_through_needs_a_background(tmp_path: Path) -> None:
    pixels = np.concatenate([drawn(), np.full((17, 23, 1), 255, np.uint8)], 2)
    pixels[:4, :, 3] = 0
    pixels[4:8, :, 3] = 128
    path = saved(tmp_path / "a.png", Image.fromarray(pixels, "RGBA"))
    with pytest.raises(ImageError, match="`--background white`"):
        read_image(path)
    share = pixels[:, :, 3:] / 255
    for name, level in ("white", 255), ("#102030", (16, 32, 48)):
        wanted = pixels[:, :, :3] * share + np.array(level) * (1 - share)
        assert np.abs(read_image(path, background=name) - wanted).max() <= 1.01
    with pytest.raises(ValueError, match="is no colour"):
        read_image(path, background="whitish")


def test_a_transparent_colour_of_a_palette_is_transparent(tmp_path: Path) -> None:
    index = np.zeros((4, 4), np.uint8)
    index[0] = 1
    image = Image.fromarray(index, "L")
    image.putpalette([9, 8, 7, 1, 2, 3])
    path = saved(tmp_path / "a.gif", image, "GIF", transparency=1)
    with pytest.raises(ImageError, match="transparent"):
        read_image(path)
    assert read_image(path, background="white")[0, 0].tolist() == [255, 255, 255]


def test_sixteen_bits_are_scaled_where_white_is_known(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 300).astype(np.uint16).reshape(15, 20)
    png = saved(tmp_path / "a.png", Image.fromarray(levels))
    wanted = np.round(levels / 65535 * 255)
    assert np.array_equal(read_image(png, 1)[:, :, 0], wanted)
    tiff = saved(tmp_path / "a.tif", Image.fromarray(levels), "TIFF")
    with pytest.raises(ImageError, match="16 bits, and TIFF does not say which one is white"):
        read_image(tiff)


def tiff_of_sixteen_bits(levels) -> bytes:
    """A TIFF file with three colours of 16 bits, which Pillow does not write."""
    height, width, channels = levels.shape
    entries = 9
    after = 8 + 2 + 12 * entries + 4
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, after), (259, 4, 1, 1),
        (262, 4, 1, 2), (273, 4, 1, after + 2 * channels), (277, 4, 1, channels),
        (278, 4, 1, height), (279, 4, 1, levels.size * 2),
    ]  # fmt: skip
    head = pack("<2sHIH", b"II", 42, 8, entries) + b"".join(pack("<HHII", *tag) for tag in tags)
    return head + pack("<I3H", 0, 16, 16, 16) + levels.astype("<u2").tobytes()


def test_colours_of_sixteen_bits_whose_white_is_unknown_are_refused(tmp_path: Path) -> None:
    """Of 12 bits in 16 the upper 8 would be an image almost black."""
    (tmp_path / "a.tif").write_bytes(tiff_of_sixteen_bits(drawn().astype(np.uint16) * 16))
    with pytest.raises(ImageError, match="16 bits, and TIFF does not say which one is white"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_of_sixteen_bits_is_refused(tmp_path: Path, channels: int) -> None:
    """Pillow looks for it among levels of 8 bits, and finds none."""
    levels = np.linspace(0, 65535, 20 * channels).astype(">u2").reshape(4, 5 * channels)
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    kind = 0 if channels == 1 else 2
    parts = [
        (b"IHDR", pack(">IIBBBBB", 5, 4, 16, kind, 0, 0, 0)),
        (b"tRNS", levels[0, :channels].tobytes()),
        (b"IDAT", compress(rows)),
        (b"IEND", b""),
    ]
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(data)) + name + data + pack(">I", crc32(name + data)) for name, data in parts
    ))  # fmt: skip
    for background in None, "white":
        with pytest.raises(ImageError, match="16 bits, of which one is transparent"):
            read_image(path, channels, background)


@pytest.mark.parametrize(("dtype", "told"), [(np.int32, "32 bits"), (np.float32, "floats")])
def test_numbers_that_are_no_levels_are_refused(tmp_path: Path, dtype: object, told: str) -> None:
    path = saved(tmp_path / "a.tif", Image.fromarray(np.ones((4, 5), dtype)), "TIFF")
    with pytest.raises(ImageError, match=told):
        read_image(path)


def test_of_several_frames_it_is_the_first(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((5, 6), n, np.uint8)) for n in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif")[0, 0].tolist() == [10, 10, 10]


def test_the_name_says_nothing_of_the_format(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", Image.fromarray(drawn()))
    assert np.array_equal(read_image(path), drawn())
