"""`netdsl see` as a command: sheets that can be read, errors with a place, no file left behind."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from netdsl.cli import main
from tests.examples import example
from tests.see.digits import NET

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    Image.effect_noise((24, 16), 80).save(path)
    return str(path)


def see(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["see", *arguments])


def looks(photo: str) -> dict[str, list[str]]:
    return {
        "filters": [],
        "maps": ["--image", photo, "--layer", "conv2"],
        "saliency": ["--image", photo],
        "dream": ["--image", photo, "--layer", "conv2", "--steps", "2", "--octaves", "2"],
        "class": ["--class", "3", "--steps", "2", "--side", "8"],
        "neuron": ["--neuron", "conv2[3]", "--steps", "2", "--side", "8"],
        "invert": ["--image", photo, "--at", "conv1,logits", "--steps", "2"],
        "fit": ["--image", photo, "--to", "12x12"],
    }


@pytest.mark.parametrize("form", ["png", "svg"])
@pytest.mark.parametrize("name", looks(""))
def test_every_look_writes_a_sheet(name: str, form: str, photo: str, tmp_path: Path) -> None:
    out = tmp_path / f"out.{form}"
    result = see(name, NET, *looks(photo)[name], "-o", str(out))
    assert result.exit_code == 0, result.output
    assert ("no --weights: they are random" in result.output) == (name != "fit")
    again = tmp_path / f"again.{form}"
    see(name, NET, *looks(photo)[name], "-o", str(again))
    assert out.read_bytes() == again.read_bytes()
    if form == "png":
        picture = Image.open(BytesIO(out.read_bytes()))
        assert picture.width >= 360
        assert len(set(picture.convert("L").tobytes())) > 8
        return
    root = ElementTree.fromstring(out.read_text())
    pictures = [e for e in root.iter() if e.tag.endswith("}image")]
    texts = [e.text or "" for e in root.iter() if e.tag.endswith("}text")]
    assert pictures
    assert texts[0].startswith(("Digits", "16x24 as"))
    assert len(texts) > len(pictures)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["maps", "--layer", "conv9", "--image", "PHOTO"], "there is no layer `conv9`"),
        (["maps", "--layer", "logits", "--image", "PHOTO"], "no maps"),
        (["maps", "--layer", "conv1", "--image", "none.png"], "can't read none.png"),
        (["maps", "--layer", "conv1", "--image", "WEIGHTS"], "no whole image"),
        (["filters", "--layer", "relu1"], "`relu1` is no convolution"),
        (["neuron", "--neuron", "conv1"], "no channel and no neuron"),
        (["neuron", "--neuron", "conv1[16]", "--side", "8"], "axis 0 goes from 0 to 15"),
        (["neuron", "--neuron", "conv1[1,2]", "--side", "8"], "has 2 numbers"),
        (["saliency", "--image", "PHOTO", "--neuron", "conv1[0,99,0]"], "not in conv1"),
        (["saliency", "--image", "PHOTO", "--class", "12"], "they go from 0 to 9"),
        (["class", "--class", "cat", "--side", "8"], "no class is called `cat`"),
        (["class", "--class", "1", "--as", "imagenet"], "3 colours"),
        (["fit", "--image", "PHOTO", "--to", "12"], "HEIGHTxWIDTH"),
        (["invert", "--image", "PHOTO", "--at", "conv1,"], "there is no layer ``"),
    ],
)
def test_what_can_not_be_seen(arguments: list[str], said: str, photo: str, tmp_path: Path) -> None:
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"no weights")
    named = [{"PHOTO": photo, "WEIGHTS": str(weights)}.get(a, a) for a in arguments]
    out = tmp_path / "out.png"
    result = see(named[0], NET, *named[1:], "-o", str(out))
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not out.exists()


def test_labels_that_are_no_text(photo: str, tmp_path: Path) -> None:
    out = tmp_path / "o.png"
    result = see("class", NET, "--class", "1", "--labels", photo, "-o", str(out))
    assert result.exit_code == 1
    assert "error[not-text]" in result.output
    assert not out.exists()


def test_wrong_weights(tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "w.pth")
    result = CliRunner().invoke(
        main, ["see", "filters", NET, "--weights", str(tmp_path / "w.pth"), "-o", str(out)]
    )
    assert result.exit_code == 1 or isinstance(result.exception, Exception)
    assert not out.exists()


@pytest.mark.parametrize("name", ["siamese", "bert", "audio_1d", "vae"])
def test_networks_of_no_image(name: str, tmp_path: Path) -> None:
    result = see("filters", str(example(name)), "-o", str(tmp_path / "o.png"))
    assert result.exit_code == 2, result.output
    assert "networks of one image" in result.output


def test_a_size_that_is_refused_names_the_nearest(photo: str, tmp_path: Path) -> None:
    result = see("maps", str(example("unet16")), "--image", photo, "--layer", "conv1",
                 "-o", str(tmp_path / "o.png"))  # fmt: skip
    assert result.exit_code == 2
    assert "does not take an image of 16x24" in result.output
    assert "the nearest that it takes: H=16,W=32 or H=16,W=16" in " ".join(result.output.split())


def test_the_labels_and_the_weights_are_not_overwritten(tmp_path: Path) -> None:
    labels, weights = tmp_path / "names.svg", tmp_path / "weights.png"
    labels.write_text("\n".join("abcdefghij"))
    torch.save({}, weights)
    for option, path in ("--labels", labels), ("--weights", weights):
        before = path.read_bytes()
        result = see("class", NET, "--class", "1", "--side", "8", option, str(path),
                     "-o", str(path))  # fmt: skip
        assert result.exit_code == 2, result.output
        assert "is read here" in " ".join(result.output.split())
        assert path.read_bytes() == before


@pytest.mark.parametrize("device", ["foo", "cuda:99", "meta:x"])
def test_a_device_that_is_not_there(device: str, tmp_path: Path) -> None:
    result = see("filters", NET, "--device", device, "-o", str(tmp_path / "o.png"))
    assert result.exit_code == 2
    assert f"there is no device `{device}` here: " in result.output


def test_the_image_is_not_overwritten(photo: str) -> None:
    before = Path(photo).read_bytes()
    result = see("maps", NET, "--image", photo, "--layer", "conv1", "-o", photo)
    assert result.exit_code == 2
    assert Path(photo).read_bytes() == before


def test_what_each_way_of_fitting_loses() -> None:
    from netdsl.see.fit import fit

    picture = torch.rand(1, 3, 100, 200)
    seen = fit(picture, 50, 50)
    assert seen.numbers["aspect"] == pytest.approx(0.5)
    assert seen.numbers["cropped"] == pytest.approx(0.5)
    assert seen.numbers["empty"] == pytest.approx(0.5)
    assert [tile.pixels.shape for tile in seen.sheet.tiles[1:]] == [(50, 50, 3)] * 8
    middle = torch.nn.functional.interpolate(picture, (50, 100), mode="bilinear", antialias=True)
    crop = torch.from_numpy(seen.sheet.tiles[2].pixels.copy()).permute(2, 0, 1) / 255
    assert (crop - middle[0, :, :, 25:75]).abs().max() < 0.003


# --- networks of bytes ----------------------------------------------------------------------------

BYTES = """net A {{
    input x: uint8 [3, {size}]
    output y = x -> f: to_float -> n: normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
        -> c: conv({maps}, 3) -> relu -> global_avgpool -> fc: linear(3)
}}
"""


def of_bytes(folder: Path, size: str, maps: int = 4) -> str:
    (folder / "a.net").write_text(BYTES.format(size=size, maps=maps), encoding="utf-8")
    return str(folder / "a.net")


def test_an_image_of_bytes_that_is_too_small_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "tiny.png")
    result = see("maps", of_bytes(tmp_path, "H, W"), "--image", str(tmp_path / "tiny.png"),
                 "--layer", "c", "-o", str(tmp_path / "o.png"))  # fmt: skip
    assert result.exit_code == 2
    assert "the network does not take an image of 1x1" in result.output
    assert "the nearest that it takes: H=3,W=3" in " ".join(result.output.split())


def test_bytes_of_one_size_get_an_image_of_that_size(photo: str, tmp_path: Path) -> None:
    result = see("maps", of_bytes(tmp_path, "10, 12", maps=1), "--image", photo, "--layer", "c",
                 "-o", str(tmp_path / "o.png"))  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "the image of 16x24 is looked at as 10x12" in result.output
    assert "c: 1 map of 8x10; it is shown" in result.output


@pytest.mark.parametrize(
    ("word", "said"),
    [("bytes", "which the network converts itself"), ("imagenet", "has a `normalize` itself")],
)
def test_a_range_that_the_file_has_itself(word: str, said: str, photo: str, tmp_path: Path) -> None:
    result = see("dream", of_bytes(tmp_path, "H, W"), "--image", photo, "--layer", "c", "--as",
                 word, "-o", str(tmp_path / "o.png"))  # fmt: skip
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_random_weights_are_told_once_and_only_where_they_matter(
    photo: str, tmp_path: Path
) -> None:
    out = str(tmp_path / "o.png")
    looked = see("saliency", NET, "--image", photo, "--neuron", "conv2[0,1,1]", "-o", out)
    assert looked.output.count("they are random") == 1
    fitted = see("fit", NET, "--image", photo, "--to", "12x12", "-o", out)
    assert "they are random" not in fitted.output
