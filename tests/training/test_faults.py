"""What goes wrong around a training is told, and no file holds weights or numbers of no use."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

import netdsl
from tests.training import MAPS, QUIET, write_images

STILL = """
net N { input x: [3, H, W]; output y = x -> center_crop((1, 2)) -> mean(axis=0) -> flatten }
"""
ONCE: dict[str, Any] = {"epochs": 1, "workers": 0}


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """Two classes of four images each."""
    write_images(tmp_path / "d", {"a": 60, "b": 200}, 4)
    return tmp_path


def train(room: Path, text: str = QUIET, **options: Any) -> Any:
    places: dict[str, Any] = {"data": room / "d", "out": room / "run", "sizes": [12]}
    return netdsl.train(netdsl.loads(text), **{**places, **ONCE, **options})


def write_masks(room: Path, void: set[int], count: int = 6) -> None:
    """Images below `m`, their masks all of class 0, or void."""
    from PIL import Image

    for name in ("images", "masks"):
        (room / "m" / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (8, 8), (40, 40, 40)).save(room / "m" / "images" / f"{number}.png")
        level = 255 if number in void else 0
        Image.new("L", (8, 8), level).save(room / "m" / "masks" / f"{number}.png")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 2**64}, "`seed` is less than 2**64, not 18446744073709551616"),
        ({"workers": -1}, "`workers` is a whole number from 0 on, not -1"),
        ({"workers": "2"}, "`workers` is a whole number from 0 on, not '2'"),
        ({"lr": "0.1"}, "`lr` is a number from 0 on, not '0.1'"),
        ({"momentum": None}, "`momentum` is a number from 0 on, not None"),
        ({"val": "0.5"}, "`val` is a part of the images between 0 and 1, not '0.5'"),
        ({"init": "none"}, "`init` is one of pytorch, kaiming_normal, "),
        ({"accelerator": "tpu"}, "Lightning refuses this: "),
        ({"sizes": 12}, "sizes are a list of sizes, as [224], not 12"),
        ({"test_sizes": 12}, "test_sizes are a list of sizes, as [224], not 12"),
        ({"out": None}, "`out` is a path, not None"),
        ({"data": 3}, "`data` is a path, not 3"),
    ],
)
def test_settings_of_other_types(options: dict[str, Any], words: str, room: Path) -> None:
    with pytest.raises(netdsl.TrainingError) as caught:
        train(room, **options)
    assert words in str(caught.value)


def test_a_network_without_weights(room: Path) -> None:
    with pytest.raises(netdsl.TrainingError, match="`N` has no weights that learn"):
        train(room, STILL)


def test_weights_that_the_last_step_has_spoilt(room: Path) -> None:
    """The only step has a finite loss, and what comes of it does not."""
    with pytest.raises(netdsl.TrainingError, match="after epoch 1 the loss of the images to judge"):
        train(room, optimizer="sgd", lr=1e38, batch=64)
    assert not (room / "run" / "best.safetensors").exists()


def test_images_of_which_no_pixel_counts(room: Path) -> None:
    """They change no accuracy; with no others nothing can be said."""
    for part in ("train", "val"):
        write_masks(room, {0, 1})
        (room / "m").rename(room / part)
        (room / "all").mkdir(exist_ok=True)
        (room / part).rename(room / "all" / part)
    options: dict[str, Any] = {"data": room / "all", "sizes": [8], "batch": 2, "lr": 0.1}
    (score,) = train(room, MAPS, epochs=20, **options).scores
    assert (score.samples, score.accuracy) == (4, 1.0)
    write_masks(room, set(range(6)))
    with pytest.raises(netdsl.TrainingError, match="no pixel counts: every one of the masks"):
        train(room, MAPS, data=room / "m", sizes=[8], out=room / "void")


def test_parts_that_are_called_otherwise(room: Path) -> None:
    """`train` and `valid` are no classes."""
    for part in ("train", "valid"):
        shutil.copytree(room / "d", room / "p" / part)
    with pytest.raises(netdsl.TrainingError, match="p has train/ with folders in it, and no val/"):
        train(room, data=room / "p")
    (room / "p" / "valid").rename(room / "p" / "val")
    assert train(room, data=room / "p", out=room / "p" / "run").epochs == 1
    write_images(room / "q", {"train": 60, "tram": 200}, 4)
    assert train(room, data=room / "q").epochs == 1


def test_a_run_among_the_classes(room: Path) -> None:
    with pytest.raises(netdsl.TrainingError, match=r"run is among the folders of .*d, and these"):
        train(room, out=room / "d" / "run")
    assert sorted(path.name for path in (room / "d").iterdir()) == ["a", "b"]


def test_sizes_that_do_not_fit_into_memory(room: Path) -> None:
    with pytest.raises(netdsl.TrainingError, match=r"out of memory: .* bytes; a smaller --batch"):
        train(room, test_sizes=[999999])


def test_a_table_that_can_not_be_written(room: Path) -> None:
    train(room)
    (room / "run" / "accuracy.csv").unlink()
    (room / "run" / "accuracy.csv").mkdir()
    with pytest.raises(netdsl.TrainingError, match=r"can't write into .*run: is a directory"):
        train(room, resume=True)


def test_an_interrupt(room: Path) -> None:
    """It is one for the caller too, and the run goes on as if there had been none."""

    def interrupt(line: str) -> None:
        if line.startswith("epoch 1/"):
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(room, epochs=3, report=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler
    resumed = train(room, epochs=3, resume=True)
    assert resumed.scores == train(room, epochs=3, out=room / "whole").scores
