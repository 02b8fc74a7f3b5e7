"""`netdsl run`: from files to names, the same in PyTorch, in ONNX Runtime and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.analyses.photograph import PhotographError
from netdsl.cli import main

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")
pytest.importorskip("onnxruntime")

import torch.nn.functional as F  # noqa: E402

TEXT = """
net Tiny(classes: int = 4) {
    input photo: uint8 SHAPE where H >= 4, W >= 3  # allow: tight-where
    x = photo BEFORE-> to_float
    output logits = x -> conv1: conv(8, 3, stride=2) -> relu -> global_avgpool -> fc: linear(classes)
    output mask = x -> conv2: conv(2, 1)
}
"""
FLOATS = """
net Floats(classes: int = 4) {
    input image: [3, H, W]
    output logits = image -> global_avgpool -> fc: linear(classes)
}
"""
LAST = " -> permute([2, 0, 1])"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder with networks, weights, photographs and names."""
    for name, shape, before in (("first", "[3, H, W]", " "), ("last", "[H, W, 3]", LAST)):
        (tmp_path / f"{name}.net").write_text(
            TEXT.replace("SHAPE", shape).replace("BEFORE", before)
        )
    (tmp_path / "floats.net").write_text(FLOATS)
    module = netdsl.load(tmp_path / "first.net").torch(seed=0)
    torch.save(module.state_dict(), tmp_path / "w.pt")
    for number, size in enumerate([(31, 20), (9, 40)]):
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "names.txt").write_text("cat\ndog\nowl\nfox\n")
    return tmp_path


def run(room: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def by_hand(room: Path, image: str):
    """The logits and the mask, with the weights of the file and nothing of ours."""
    w = torch.load(room / "w.pt")
    pixels = np.asarray(Image.open(room / image))
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    maps = F.conv2d(x, w["conv1.weight"], w["conv1.bias"], stride=2).relu()
    logits = F.linear(maps.mean((2, 3)), w["fc.weight"], w["fc.bias"])
    return logits[0], F.conv2d(x, w["conv2.weight"], w["conv2.bias"])[0]


@pytest.mark.parametrize("way", [(), ("--onnx",)], ids=["torch", "onnx"])
@pytest.mark.parametrize("net", ["first", "last"])
def test_names_and_probabilities_are_those_by_hand(
    room: Path, net: str, way: tuple[str, ...]
) -> None:
    images = [room / "0.png", room / "1.png"]
    result = run(room, room / f"{net}.net", "--image", *images, "--weights", room / "w.pt",
                 "--labels", room / "names.txt", "--top", 2, "--format", "json", *way)  # fmt: skip
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert [item["image"] for item in data] == list(map(str, images))
    assert [(item["height"], item["width"]) for item in data] == [(31, 20), (9, 40)]
    for item, image in zip(data, ["0.png", "1.png"], strict=True):
        logits, mask = by_hand(room, image)
        shares = logits.softmax(0)
        scores, maps = item["outputs"]
        order = shares.argsort(descending=True)[:2].tolist()
        assert scores["scores"] == "logits"
        assert [one["class"] for one in scores["top"]] == order
        names = ["cat", "dog", "owl", "fox"]
        assert [one["name"] for one in scores["top"]] == [names[n] for n in order]
        found = [one["probability"] for one in scores["top"]]
        assert found == pytest.approx([float(shares[n]) for n in order], abs=1e-5)
        assert maps["shape"] == list(mask.shape)
        assert maps["scores"] is None
        assert maps["least"] == pytest.approx(float(mask.min()), abs=1e-4)
        assert maps["greatest"] == pytest.approx(float(mask.max()), abs=1e-4)


def test_text_says_what_is_what(room: Path) -> None:
    result = run(room, room / "first.net", "--image", room / "0.png", "--weights", room / "w.pt",
                 "--labels", room / "names.txt")  # fmt: skip
    lines = result.stdout.splitlines()
    assert lines[0] == f"{room / '0.png'}: 31 x 20"
    assert lines[1] == "  softmax of logits:"
    assert len(lines) == 2 + 4 + 1
    assert lines[6].startswith("  mask: 2x31x20 float32, from ")
    shares = [float(line.split("%")[0]) for line in lines[2:6]]
    assert sum(shares) == pytest.approx(100, abs=0.01)


def test_python_gives_the_same(room: Path) -> None:
    network = netdsl.load(room / "first.net")
    wanted, mask = by_hand(room, "0.png")
    pixels = np.asarray(Image.open(room / "0.png"))
    for way in False, True:
        for image in room / "0.png", str(room / "0.png"), pixels:
            (reading,) = network.run(image, weights=room / "w.pt", onnx=way)
            np.testing.assert_allclose(reading["logits"], wanted, atol=1e-5)
            np.testing.assert_allclose(reading["mask"], mask, atol=1e-5)
    with pytest.raises(ValueError, match="before it has weights"):
        network.run(pixels)
    with pytest.raises(PhotographError, match="pixels are uint8"):
        network.run(pixels.astype(np.float32), weights=room / "w.pt")


@pytest.mark.parametrize(
    ("head", "kind", "line"),
    [
        ("softmax", "probabilities", "  y, probabilities:"),
        ("softmax -> dropout", "probabilities", "  y, probabilities:"),
        ("log_softmax", "logarithms of probabilities", "  y, logarithms of probabilities:"),
        ("sigmoid", "probabilities, each for itself", "  y, probabilities, each for itself:"),
        ("relu", "logits", "  softmax of y:"),
        ("reshape([2, 2]) -> softmax(axis=1) -> flatten", "logits", "  softmax of y:"),
    ],
)
def test_what_scores_are_is_read_off_the_network(
    tmp_path: Path, head: str, kind: str, line: str
) -> None:
    text = f"net A {{ input x: uint8 [3, H, W]\n output y = x -> to_float -> global_avgpool -> fc: linear(4) -> {head} }}"
    network = netdsl.loads(text)
    module = network.torch(seed=1).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    (reading,) = network.run(pixels, weights=module)
    (answer,) = reading.outputs
    assert answer.kind == kind
    with torch.no_grad():
        y = module(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].double()
    shares = {"logits": y.softmax(0), "logarithms of probabilities": y.exp()}.get(kind, y)
    assert [p for _, p in answer.top(4)] == pytest.approx(sorted(shares.tolist())[::-1], abs=1e-6)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "a.net").write_text(text)
    torch.save(module.state_dict(), tmp_path / "w.pt")
    result = run(tmp_path, tmp_path / "a.net", "--image", tmp_path / "a.png", "--weights",
                 tmp_path / "w.pt")  # fmt: skip
    assert result.stdout.splitlines()[1] == line


def test_the_mean_of_probabilities_is_no_logits() -> None:
    text = """
    net A {
        input x: uint8 [3, H, W]
        output y = x -> crops(4) -> each { to_float -> global_avgpool -> fc: linear(4) -> softmax } -> mean(axis=0)
    }
    """
    network = netdsl.loads(text)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    (reading,) = network.run(pixels, weights=network.torch(seed=1))
    assert reading.outputs[0].kind == "probabilities"


def test_a_bad_image_does_not_keep_the_others_back(room: Path) -> None:
    (room / "bad.png").write_bytes((room / "0.png").read_bytes()[:500])
    Image.new("RGB", (9, 3)).save(room / "flat.png")
    result = run(room, room / "first.net", "--weights", room / "w.pt", "--image",
                 room / "bad.png", room / "flat.png", room / "1.png")  # fmt: skip
    assert result.exit_code == 2
    assert "1.png: 9 x 40" in result.output
    assert "bad.png is broken" in result.output
    assert "flat.png: a photograph of 3 x 9 is refused" in result.output
    assert "pad to 4 x 9" in result.output
    assert "\ufffd" not in result.output
    assert "  pad to 4 x 9" in result.output.splitlines()


def test_a_short_name_is_told_too(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(room)
    Image.new("RGB", (9, 3)).save(room / "a", "PNG")
    result = run(room, "first.net", "--weights", "w.pt", "--image", "a")
    assert "netdsl: a: a photograph of 3 x 9 is refused" in result.output


def test_photographs_may_stand_behind_the_network_alone(room: Path) -> None:
    arguments = (room / "first.net", "--weights", room / "w.pt")
    wanted = run(room, *arguments, "--image", room / "0.png", "--image", room / "1.png")
    result = run(room, *arguments, room / "0.png", room / "1.png")
    assert (result.exit_code, result.output) == (0, wanted.output)
    result = run(room, *arguments)
    assert result.exit_code == 2
    assert "there is no photograph: --image PHOTO" in result.output


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("[3, 8, 8]", "does not fit: photo uint8 [3, 8, 8] takes 8 x 8 (height x width)"),
        ("[3, S, S]", "does not fit"),
        ("[4, H, W]", "which is no image"),
        ("[H, W]", "which is no image"),
    ],
)
def test_what_a_network_does_not_take(room: Path, shape: str, told: str) -> None:
    text = f"net A {{ input photo: uint8 {shape}\n output y = photo -> to_float }}"
    (room / "a.net").write_text(text)
    result = run(room, room / "a.net", "--image", room / "0.png", "--weights", room / "empty.pt")
    torch.save({}, room / "empty.pt")
    result = run(room, room / "a.net", "--image", room / "0.png", "--weights", room / "empty.pt")
    assert result.exit_code == 2
    assert told in result.output


def test_two_inputs_are_no_photograph(room: Path) -> None:
    text = "net A { input a: uint8 [3, H, W]\n input b: uint8 [3, H, W]\n output y = (a, b) -> concat }"
    (room / "a.net").write_text(text)
    result = run(room, room / "a.net", "--image", room / "0.png", "--weights", room / "w.pt")
    assert result.exit_code == 2
    assert "A has 2 inputs" in result.output


def test_a_network_of_floats_is_told_what_to_write(room: Path) -> None:
    """The file that is written by the advice runs, and gives what `--as imagenet` gives."""
    module = netdsl.load(room / "floats.net").torch(seed=0)
    torch.save(module.state_dict(), room / "f.pt")
    rest = ("--image", room / "0.png", "--weights", room / "f.pt")
    result = run(room, room / "floats.net", *rest)
    assert result.exit_code == 2
    assert "nothing in it says how the levels of a photograph become that" in result.output
    lines = [line.removeprefix("    ") for line in result.output.splitlines()]
    first = next(n for n, line in enumerate(lines) if line.startswith("use "))
    last = lines.index("}")
    (room / "photographs.net").write_text("\n".join(lines[first : last + 1]) + "\n")
    written = run(room, room / "photographs.net", *rest, "--format", "json")
    assert written.exit_code == 0, written.output
    chosen = run(room, room / "floats.net", "--as", "imagenet", *rest, "--format", "json")
    assert chosen.exit_code == 0, chosen.output
    assert chosen.output == written.output


def test_parameters_are_handed_on(room: Path) -> None:
    module = netdsl.load(room / "floats.net", params={"classes": 7}).torch(seed=0)
    torch.save(module.state_dict(), room / "f.pt")
    result = run(room, room / "floats.net", "--as", "imagenet", "--set", "classes=7", "--image",
                 room / "0.png", "--weights", room / "f.pt", "--format", "json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["outputs"][0]["shape"] == [7]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "", "holds no names"),
        ("a.txt", "one\ntwo\n", "2 names, and logits has 4 classes"),
        ("a.json", "[1, 2", "is no JSON"),
        ("a.json", '{"0": "a", "2": "b"}', "not the numbers from 0 to 1"),
        ("a.json", "[1, 2, 3, 4]", "a name that is no text: 1"),
    ],
)
def test_names_that_are_none(room: Path, name: str, text: str, told: str) -> None:
    (room / name).write_text(text)
    result = run(room, room / "first.net", "--image", room / "0.png", "--weights", room / "w.pt",
                 "--labels", room / name)  # fmt: skip
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())


@pytest.mark.parametrize(
    "text", ['["cat", "dog", "owl", "fox"]', '{"0": ["n1", "cat"], "1": ["n2", "dog"], "3": ["n4", "fox"], "2": "owl"}']
)  # fmt: skip
def test_names_as_json(room: Path, text: str) -> None:
    (room / "a.json").write_text(text)
    arguments = (room / "first.net", "--image", room / "0.png", "--weights", room / "w.pt")
    plain = run(room, *arguments, "--labels", room / "names.txt")
    assert run(room, *arguments, "--labels", room / "a.json").output == plain.output
    assert "owl (2)" in plain.output


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--as", "imagenet"), "takes photographs as they are"),
        (("--background", "whitish"), "is no colour"),
        (("--background", "#ffffff80"), "is transparent itself"),
        (("--top", "0"), "--top"),
    ],
)
def test_wrong_calls(room: Path, more: tuple[str, ...], told: str) -> None:
    arguments = (room / "first.net", "--image", room / "0.png", "--weights", room / "w.pt")
    result = run(room, *arguments, *more)
    assert result.exit_code == 2
    assert told in result.output
    result = run(room, room / "first.net", "--image", room / "0.png")
    assert result.exit_code == 2
    assert "before it has weights" in result.output
