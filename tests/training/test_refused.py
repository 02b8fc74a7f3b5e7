"""What can't be trained is refused before the first step, and nothing is overwritten."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.cli import main
from tests.training import MAPS, QUIET, RESTLESS, quiet, restless, write_images

TWO = "net T { input a: [3, H, W]; input b: [3, H, W]; output y = add { a ; b } -> conv(2, 1) -> global_avgpool }"
SEVERAL = "net S { input x: [3, H, W]; m = x -> conv(2, 1); output y = m -> global_avgpool; output z = m -> global_maxpool }"
SOFT = "net P { input x: [3, H, W]; output y = x -> conv(2, 1) -> global_avgpool -> softmax }"
TOKENS = (
    "net W { input x: int64 [3, H, W]; output y = x -> mul(1.0) -> conv(2, 1) -> global_avgpool }"
)
FIVE = "net F { input x: [5, H, W]; output y = x -> conv(2, 1) -> global_avgpool }"
FLAT = "net L { input x: [12]; output y = x -> linear(2) }"
ONE = "net O { input x: [3, H, W]; output y = x -> conv(1, 1) -> global_avgpool }"
SQUARE = "net Q { input x: [3, H, H]; output y = x -> conv(2, 1) -> global_avgpool }"
FIXED = "net X { input x: [3, 16, 20]; output y = x -> conv(2, 1) -> global_avgpool }"
ODD = "net U { input x: [3, H, W]; output y = x -> conv(2, 1) -> global_avgpool; output aux = x -> conv(3, 1) -> global_avgpool when training }"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """Two classes of four images each."""
    write_images(tmp_path / "d", {"a": 60, "b": 200}, 4)
    return tmp_path


def refusal(room: Path, text: str = QUIET, sizes: list[Any] | None = None, **options: Any) -> str:
    """Why a training is refused; it leaves no files."""
    before = sorted(room.rglob("*"))
    data = options.pop("data", room / "d")
    network = netdsl.loads(text, name="a.net")
    choices = {"epochs": 1, "workers": 0, "out": room / "run", **options}
    with pytest.raises(netdsl.TrainingError) as caught:
        netdsl.train(network, data, sizes or [12], **choices)
    assert sorted(room.rglob("*")) == before
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TWO, "has one input, for images; this one has `a`, `b`"),
        (SEVERAL, "has the outputs y, z: choose one by --output NAME"),
        (TOKENS, "images are float32 or uint8, and not int64"),
        (FIVE, "read with 3 channels or 1, and not as `x`, which is [5, H, W]"),
        (FLAT, "images are [channels, height, width], and not as `x`, which is [12]"),
        (ONE, "`y` tells 1 classes apart"),
        (FIXED, "`x` takes images of 16x20, and not of 12x12"),
        (ODD, "`aux` learns beside `y`, and is [3], not of the form [2]"),
        (MAPS, "has no folders images/ and masks/, and `scores` has a class for each pixel"),
    ],
)
def test_networks(text: str, words: str, room: Path) -> None:
    assert words in refusal(room, text)


def test_an_output_of_several(room: Path) -> None:
    net = netdsl.loads(SEVERAL)
    assert (
        netdsl.train(net, room / "d", [9], room / "run", epochs=1, workers=0, output="z").epochs
        == 1
    )
    assert "no output at inference is called `q`; there are: y, z" in refusal(
        room, SEVERAL, output="q"
    )


def test_shares_instead_of_scores(room: Path) -> None:
    """It shows when the first batch has run."""
    with pytest.raises(netdsl.TrainingError, match="gives shares that sum to 1"):
        netdsl.train(netdsl.loads(SOFT), room / "d", [9], room / "run", epochs=1, workers=0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sizes": [0]}, "`0` is no image size"),
        ({"sizes": ["8x"]}, "`8x` is no image size"),
        ({"test_sizes": ["a"]}, "test_sizes: `a` is no image size"),
        ({"epochs": 0}, "`epochs` is a whole number from 1 on, not 0"),
        ({"batch": 2.5}, "`batch` is a whole number from 1 on, not 2.5"),
        ({"lr": -1.0}, "`lr` is a number from 0 on"),
        ({"lr": float("nan")}, "`lr` is a number from 0 on"),
        ({"val": 1.0}, "between 0 and 1"),
        ({"schedule": "day"}, "`schedule` is one of epoch, batch, not `day`"),
        ({"augment": ["turn"]}, "takes crop, flip, and not `turn`"),
        ({"augment": "flip"}, "`augment` is a list"),
        ({"accelerator": "abacus"}, "Lightning refuses this: "),
        ({"precision": "7"}, "Lightning refuses this: "),
        ({"data": "nowhere"}, "nowhere is no folder; data is a folder, or sklearn:digits"),
        ({"data": "sklearn:digits"}, "has 10 classes (0, 1, 2, 3, 4, 5, 6, 7, ...), and the output `scores` has 2"),
    ],
)  # fmt: skip
def test_settings(options: dict[str, Any], words: str, room: Path) -> None:
    assert words in refusal(room, **options)


def test_weights_of_another_network(room: Path) -> None:
    """They are refused before there is a run."""
    weights = netdsl.loads(RESTLESS).torch().state_dict()
    with pytest.raises(netdsl.DiagnosticError):
        netdsl.train(quiet(), room / "d", [12], room / "run", weights=weights, workers=0)
    assert not (room / "run").exists()


def test_an_unknown_setting(room: Path) -> None:
    assert "epoch" in refusal(room, epoch=3)


def test_sizes_that_training_does_not_take(room: Path) -> None:
    """The place in the file, the numbers, and the nearest sizes; the smallest batch counts."""
    small = (
        "net S { input x: [3, H, W]\n output y = x -> conv(2, 7) -> batchnorm -> global_avgpool }"
    )
    text = refusal(room, small, [5])
    assert text.startswith("images of 5x5 are refused\na.net:2:26: ")
    assert text.endswith("nearest that work: 7x7")
    assert "images of 6x9 are refused" in refusal(room, small, [9], test_sizes=["6x9"])
    assert "the smallest batch has 1 sample; the last one may" in refusal(room, small, [7], batch=5)
    text = refusal(room, SQUARE, ["8x9"])
    assert text == "`x` takes images as high as wide, and not of 8x9"


def test_classes(room: Path) -> None:
    (room / "d" / "c").mkdir()
    assert refusal(room) == f"{room / 'd'}: no image is in c"
    write_images(room / "e", {"a": 60, "b": 200, "c": 100}, 2)
    assert "--set classes=3" in refusal(room, data=room / "e")
    write_images(room / "f" / "train", {"a": 60, "b": 200}, 2)
    write_images(room / "f" / "val", {"a": 60, "x": 200}, 2)
    assert "train/ and val/ have not the same classes: b, x" in refusal(room, data=room / "f")
    (room / "empty").mkdir()
    assert "no folder for each class" in refusal(room, data=room / "empty")
    write_images(room / "g", {"a": 60, "b": 200}, 1)
    assert "to learn from and to judge by takes two" in refusal(room, data=room / "g")


def test_broken_images_are_named_and_counted(room: Path) -> None:
    from PIL import Image

    one = room / "d" / "a" / "0.png"
    one.write_bytes(one.read_bytes()[:300])
    (room / "d" / "b" / "1.png").write_bytes(b"no image")
    photo = room / "d" / "b" / "photo.jpg"
    Image.open(room / "d" / "b" / "2.png").resize((300, 300)).save(photo)
    photo.write_bytes(photo.read_bytes()[:-400])
    text = refusal(room)
    assert "of 9 images can't be used" in text or "images can't be used (--broken skip" in text
    for name in ("a/0.png", "b/1.png", "b/photo.jpg"):
        assert str(room / "d" / name) in refusal(room, val=0.5) + text
    told: list[str] = []
    netdsl.train(
        quiet(),
        room / "d",
        [12],
        room / "run",
        epochs=1,
        workers=0,
        broken="skip",
        report=told.append,
    )
    assert sum(line.startswith("left out: ") for line in told) == 3
    about = json.loads((room / "run" / "run.json").read_text())
    assert sum(about["images"][:2]) == 6


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.full)])
def test_an_image_that_breaks_during_a_run(workers: int, room: Path) -> None:
    def report(line: str) -> None:
        for path in (room / "d").rglob("*.png"):
            path.write_bytes(b"gone")

    with pytest.raises(netdsl.TrainingError, match=r"\.png is no whole image of "):
        netdsl.train(
            quiet(), room / "d", [12], room / "run", epochs=3, workers=workers, report=report
        )


def test_masks(tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    for name in ("images", "masks"):
        (tmp_path / "d" / name).mkdir(parents=True)
    for number in range(6):
        Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(
            tmp_path / "d" / "images" / f"{number}.png"
        )
        Image.fromarray(np.full((8, 9), number % 3, np.uint8)).save(
            tmp_path / "d" / "masks" / f"{number}.png"
        )
    assert "has masks, and the output `scores` has one class" in refusal(tmp_path, QUIET)
    one = tmp_path / "d" / "masks" / "3.png"

    def refused(mask: Any) -> str:
        Image.fromarray(mask).save(one)
        return refusal(tmp_path, MAPS, ["8x9"])

    assert f"{one}: its class 7 is not one of 0 to 2, or 255" in refused(
        np.full((8, 9), 7, np.uint8)
    )
    assert f"{one}: it is not as large as its image" in refused(np.zeros((9, 8), np.uint8))
    assert f"{one}: a mask has one number for each pixel" in refused(np.zeros((8, 9, 3), np.uint8))
    one.unlink()
    assert "1 images or masks have no partner of the same name: 3" in refusal(tmp_path, MAPS)


def test_a_run_is_never_overwritten(room: Path) -> None:
    options: dict[str, Any] = {"epochs": 1, "workers": 0}
    first = netdsl.train(quiet(), room / "d", [12], room / "run", **options)
    held = {path: path.read_bytes() for path in (room / "run").iterdir()}
    assert "a run is in " in refusal(room)
    text = refusal(room, RESTLESS, resume=True)
    assert "can't be resumed so: its network was" in text
    assert "its lr was 0.001, and is 0.5 now" in refusal(room, resume=True, lr=0.5)
    assert "its sizes was" in refusal(room, sizes=[16], resume=True)
    assert "its epochs was 1, and is 2 now" in refusal(room, resume=True, epochs=2)
    assert {path: path.read_bytes() for path in (room / "run").iterdir()} == held
    again = netdsl.train(quiet(), room / "d", [12], room / "run", resume=True, **options)
    assert again.scores == first.scores
    (room / "other").mkdir()
    (room / "other" / "thesis.tex").write_text("years of work")
    for resume in (False, True):
        assert "holds thesis.tex, and no run" in refusal(room, out=room / "other", resume=resume)
    assert "is no folder" in refusal(room, out=room / "other" / "thesis.tex")
    (room / "run" / "best.safetensors").write_bytes(b"not now")
    assert "can't read " in refusal(room, resume=True)
    broken = room / "run" / "last.ckpt"
    broken.write_bytes(broken.read_bytes()[:1000])
    assert "last.ckpt is broken: " in refusal(room, resume=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder(room: Path) -> None:
    (room / "closed").mkdir(mode=0o500)
    assert "can't write into " in refusal(room, out=room / "closed" / "run")


def test_a_folder_that_can_not_be_made(room: Path) -> None:
    assert "can't write into /proc/netdsl-run: " in refusal(room, out="/proc/netdsl-run")


def test_the_command(room: Path) -> None:
    """It prints the accuracy by size; a refusal is a message with exit code 2, not a traceback."""
    (room / "a.net").write_text(RESTLESS)
    words = ["train", str(room / "a.net"), "--data", str(room / "d"), "--workers", "0"]

    def run(*more: str) -> Any:
        result = CliRunner().invoke(main, [*words, *more])
        assert "Traceback" not in result.output
        assert "internal error" not in result.output
        return result

    options = [
        "--sizes",
        "12,14x16",
        "--test-sizes",
        "20",
        "--epochs",
        "2",
        "--augment",
        "crop,flip",
    ]
    done = run(*options, "--out", str(room / "run"))
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["size", "12x12", "14x16", "20x20"]
    assert [line.endswith("(not trained at)") for line in lines] == [False, False, False, True]
    assert done.stderr.count("epoch ") == 2
    for wrong in (
        [*options, "--out", str(room / "run")],
        ["--sizes", "0", "--out", "r"],
        ["--sizes", "12", "--augment", "turn", "--out", "r"],
        ["--sizes", "12", "--epochs", "0", "--out", "r"],
        ["--sizes", "12", "--set", "classes=3", "--out", "r"],
        ["--sizes", "12", "--devices", "many", "--out", "r"],
    ):
        assert run(*wrong).exit_code == 2
    assert not Path("r").exists()


def test_missing_packages(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netdsl.training import faults

    found = faults.find_spec
    hidden = ("lightning", "sklearn")
    monkeypatch.setattr(faults, "find_spec", lambda name: None if name in hidden else found(name))
    expected = "training needs lightning: pip install 'netdsl[train]'"
    assert refusal(room) == expected
    assert "needs lightning, scikit-learn: " in refusal(room, data="sklearn:digits")


def test_a_loss_that_is_not_finite(room: Path) -> None:
    with pytest.raises(netdsl.TrainingError, match="the loss of epoch 1 is not finite"):
        netdsl.train(
            restless(), room / "d", [12], room / "run", epochs=1, workers=0, optimizer="sgd",
            lr=1e30, batch=2,
        )  # fmt: skip


def test_a_torchvision_that_does_not_load(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("netdsl.training.faults.import_module", refuse)
    assert "torchvision does not load beside this PyTorch (operator" in refusal(room)
