"""Training as PyTorch does it by hand; what is judged is what was not learned from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import netdsl
from tests.training import MAPS, quiet, restless, rows, write_images

import torch  # isort: skip
import torch.nn.functional as F  # isort: skip


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Dark and bright images, 14 of each."""
    write_images(tmp_path / "photos", {"bright": 200, "dark": 60}, 14)
    return tmp_path / "photos"


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The batches that a training is given, in order."""
    from netdsl.training.learner import Learner

    batches: list[Any] = []
    step = Learner.training_step

    def watching(self: Any, batch: Any, batch_idx: int) -> Any:
        batches.append(batch)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Learner, "training_step", watching)
    return batches


@pytest.mark.parametrize("optimizer", ["sgd", pytest.param("adamw", marks=pytest.mark.full)])
def test_weights_are_those_of_a_loop_by_hand(
    optimizer: str, photos: Path, tmp_path: Path, watched: list[Any]
) -> None:
    """Cross entropy, the auxiliary output at its weight, the optimizer, half a cosine wave."""
    net = quiet()
    result = netdsl.train(
        net, photos, [12, "16x20"], tmp_path / "run", schedule="batch", epochs=3, batch=5,
        optimizer=optimizer, lr=0.05, weight_decay=0.01, aux_weight=0.4, workers=0, seed=4,
    )  # fmt: skip
    module = net.torch(seed=4).train()
    by_hand = (
        torch.optim.SGD(module.parameters(), 0.05, momentum=0.9, weight_decay=0.01)
        if optimizer == "sgd"
        else torch.optim.AdamW(module.parameters(), 0.05, weight_decay=0.01)
    )
    wave = torch.optim.lr_scheduler.CosineAnnealingLR(by_hand, len(watched))
    rates: list[float] = []
    for batch in watched:
        rates.append(by_hand.param_groups[0]["lr"])
        scores, aux = module(batch.images)
        loss = F.cross_entropy(scores, batch.targets) + 0.4 * F.cross_entropy(aux, batch.targets)
        by_hand.zero_grad()
        loss.backward()
        by_hand.step()
        wave.step()
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["state_dict"]
    for key, tensor in module.state_dict().items():
        torch.testing.assert_close(state[f"network.{key}"], tensor, rtol=1e-3, atol=2e-5)
    shapes = [tuple(batch.images.shape) for batch in watched]
    assert {shape[2:] for shape in shapes} == {(12, 12), (16, 20)}
    assert {shape[0] for shape in shapes if shape[2] == 16} <= set(range(1, 6))
    assert max(shape[0] for shape in shapes if shape[2] == 12) == 5 * 320 // 144
    assert result.epochs == 3
    log = rows(tmp_path / "run" / "log.csv")
    for row in log:
        assert float(row["lr"]) == pytest.approx(rates[int(row["steps"]) - 1], rel=1e-4)
    assert float(log[-1]["lr"]) > 0


def test_images_come_as_pillow_reads_and_torchvision_resizes_them(
    photos: Path, tmp_path: Path, watched: list[Any]
) -> None:
    from PIL import Image
    from torchvision.transforms import v2

    netdsl.train(quiet(), photos, [(10, 12)], tmp_path / "run", epochs=1, batch=50, workers=0)
    (batch,) = watched
    change = v2.Compose([v2.PILToTensor(), v2.Resize(10), v2.ToDtype(torch.float32, scale=True)])
    files = {tuple(change(Image.open(p)).flatten().tolist()): p for p in photos.rglob("*.png")}
    for image, label in zip(batch.images, batch.targets, strict=True):
        path = files.pop(tuple(image.flatten().tolist()))
        assert ["bright", "dark"][int(label)] == path.parent.name
    left = [path.parent.name for path in files.values()]
    assert sorted(left) == ["bright"] * 3 + ["dark"] * 3


def test_what_is_judged_is_not_what_was_learned(tmp_path: Path) -> None:
    """Labels the other way round: all is right where it learns, all is wrong where it is judged."""
    write_images(tmp_path / "d" / "train", {"a": 40, "b": 215}, 8)
    write_images(tmp_path / "d" / "val", {"a": 215, "b": 40}, 4)
    run = tmp_path / "run"
    result = netdsl.train(
        restless(),
        tmp_path / "d",
        [16],
        run,
        test_sizes=[20],
        epochs=12,
        batch=8,
        lr=0.05,
        workers=0,
    )
    last = rows(run / "log.csv")[-1]
    assert float(last["train_accuracy"]) > 0.9
    assert float(last["val_accuracy"]) < 0.1
    assert [score.samples for score in result.scores] == [8, 8]


def test_the_best_weights_are_judged_and_exported(photos: Path, tmp_path: Path) -> None:
    """The accuracies of the end are those of the file, run by hand at each size."""
    from PIL import Image
    from torchvision.transforms import v2

    for part, name in (("train", "photos"), ("val", "v")):
        if part == "val":
            write_images(tmp_path / name, {"bright": 190, "dark": 70}, 5)
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / part).symlink_to(tmp_path / name)
    net, run = restless(), tmp_path / "run"
    result = netdsl.train(
        net, tmp_path / "d", [16, 24], run, test_sizes=["20x24"], epochs=5, batch=8, lr=0.05,
        augment=["crop", "flip"], workers=0,
    )  # fmt: skip
    module = net.torch(weights=run / "best.safetensors").eval()
    for height, width, is_trained in (16, 16, True), (24, 24, True), (20, 24, False):
        score = next(s for s in result.scores if s.size == (height, width))
        right, loss = 0, 0.0
        for label, name in enumerate(("bright", "dark")):
            for path in (tmp_path / "v" / name).iterdir():
                image = v2.functional.pil_to_tensor(Image.open(path))
                covering = max(height / 20, width / 24)
                image = v2.functional.resize(image, [round(20 * covering), round(24 * covering)])
                image = v2.functional.center_crop(image, [height, width])
                with torch.no_grad():
                    scores = module(image[None] / 255)
                right += int(scores.argmax()) == label
                loss += float(F.cross_entropy(scores, torch.tensor([label])))
        assert score.accuracy == right / 10 == result.accuracy((height, width))
        assert score.loss == pytest.approx(loss / 10, rel=1e-3)
        assert score.is_trained == is_trained
    table = rows(run / "accuracy.csv")
    assert [row["trained"] for row in table] == ["yes", "yes", "no"]
    log = rows(run / "log.csv")
    top = max(float(row["val_accuracy"]) for row in log)
    assert sum(result.accuracy(n) for n in (16, 24)) / 2 == pytest.approx(top)
    assert net.check_weights(run / "best.safetensors") == ()
    net.export(tmp_path / "net.onnx", run / "best.safetensors")
    shown = (run / "curves.svg").read_text()
    assert len(re.findall("<path ", shown)) == 10 + 4
    assert [row["sizes"] for row in log] == ["16x16", "24x24", "16x16", "24x24", "16x16"]


def test_it_stops_early(photos: Path, tmp_path: Path) -> None:
    """With a learning rate of 0 nothing gets better."""
    options: dict[str, Any] = {"epochs": 9, "batch": 9, "lr": 0.0, "patience": 2, "workers": 0}
    result = netdsl.train(quiet(), photos, [12], tmp_path / "run", **options)
    assert (result.epochs, len(rows(tmp_path / "run" / "log.csv"))) == (3, 3)
    again = netdsl.train(quiet(), photos, [12], tmp_path / "run", resume=True, **options)
    assert (again.epochs, again.scores) == (3, result.scores)


def masks(folder: Path) -> Path:
    """Images whose pixels have one of three levels, and masks that tell which; a frame is left out."""
    import numpy as np
    from PIL import Image

    draw = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in ("images", "masks"):
            (folder / part / name).mkdir(parents=True)
        for number in range(6):
            mask = np.kron(draw.integers(0, 3, (3, 4)), np.ones((8, 8))).astype(np.uint8)
            image = (mask * 100 + 20)[..., None].repeat(3, axis=2).astype(np.uint8)
            mask[:4] = 255
            Image.fromarray(image).save(folder / part / "images" / f"{number}.png")
            Image.fromarray(mask).save(folder / part / "masks" / f"{number}.png")
    return folder


def test_segmentation(tmp_path: Path) -> None:
    net = netdsl.loads(MAPS)
    result = netdsl.train(
        net, masks(tmp_path / "d"), ["24x32", "12x16"], tmp_path / "run", test_sizes=[24],
        epochs=20, batch=3, lr=0.1, augment=["crop", "flip"], workers=0,
    )  # fmt: skip
    assert result.accuracy("24x32") > 0.9
    assert result.accuracy(24) > 0.85


def test_masks_smaller_than_the_scores_and_pixels_left_out() -> None:
    from netdsl.training.losses import hits, losses

    draw = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 4, 5, 6, generator=draw)
    targets = torch.randint(0, 4, (3, 5, 6), generator=draw)
    targets[0, :2] = 255
    targets[2] = 255
    for sample in range(2):
        one = F.cross_entropy(
            scores[sample : sample + 1], targets[sample : sample + 1], ignore_index=255
        )
        torch.testing.assert_close(losses(scores, targets)[sample], one)
        counts = targets[sample] != 255
        right = (scores[sample].argmax(0) == targets[sample])[counts].double().mean()
        torch.testing.assert_close(hits(scores, targets)[sample], right)
    assert (losses(scores, targets)[2], hits(scores, targets)[2]) == (0, 0)
    large = torch.randint(0, 4, (3, 10, 12), generator=draw)
    wide = F.interpolate(scores, scale_factor=2, mode="bilinear")
    expected = F.cross_entropy(wide, large, reduction="none").mean((1, 2))
    torch.testing.assert_close(losses(scores, large), expected)


def test_bytes_and_channels_last(tmp_path: Path, photos: Path, watched: list[Any]) -> None:
    """The layout and the type are those of the network's input."""
    from netdsl.training.image_input import image_input

    last = netdsl.loads(
        "net A { input x: [H, W, 3]\n output y = x -> permute([2, 0, 1]) -> conv(2, 1) -> global_avgpool }"
    )
    assert image_input(last.graph).is_last
    netdsl.train(last, photos, ["8x12"], tmp_path / "run", epochs=1, batch=9, workers=0)
    assert {tuple(batch.images.shape[1:]) for batch in watched} == {(8, 12, 3)}


@pytest.mark.full
def test_images_read_by_other_processes_are_the_same(photos: Path, tmp_path: Path) -> None:
    tables = []
    for workers in (0, 1):
        run = tmp_path / f"run{workers}"
        netdsl.train(
            restless(),
            photos,
            [12, 16],
            run,
            epochs=2,
            batch=6,
            augment=["crop", "flip"],
            workers=workers,
        )
        tables.append(rows(run / "log.csv"))
    assert tables[0] == tables[1]
