"""docs/tutorial-weights.md: every block runs, in order, with weights that stand in for the download."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import netdsl

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
pytest.importorskip("onnxruntime")
image = pytest.importorskip("PIL.Image")

from tests.torchvision_models import torchvision_models  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "tutorial-weights.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"^```(python|python download|python offline|sh|sh fails|text|net)\n(.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


def shell(text: str, folder: Path) -> tuple[int, str]:
    script = f'netdsl() {{ "{sys.executable}" -m netdsl "$@"; }}\n{text}'
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def walked(folder: Path, without: str) -> dict[str, Any]:
    """Runs every block but those of one kind, in order; gives the names of the Python ones."""
    (folder / "examples").symlink_to(ROOT / "examples")
    noise = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    image.fromarray(noise).resize((451, 300)).save("picture.jpg")
    names: dict[str, Any] = {}
    output, blocks = "", 0
    for kind, text in BLOCK.findall(TEXT):
        blocks += 1
        if kind == without:
            continue
        if kind.startswith("python"):
            exec(compile(text, "tutorial", "exec"), names)
        elif kind == "net":
            assert netdsl.loads(text).warnings == ()
        elif kind == "text":
            assert output == text
        else:
            code, output = shell(text, folder)
            assert code == (1 if kind == "sh fails" else 0), output
    assert blocks == 14
    return names


def test_the_tutorial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models = torchvision_models()
    torch.manual_seed(0)
    theirs = models.resnet18().eval()
    asked: list[str] = []

    def download(url: str, **_: Any) -> Any:
        asked.append(url)
        return theirs.state_dict()

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    monkeypatch.chdir(tmp_path)
    names = walked(tmp_path, without="python offline")
    assert asked == ["https://download.pytorch.org/models/resnet18-f37072fd.pth"]
    assert asked[0].rpartition("/")[2] in TEXT

    by_torchvision = names["published"].transforms()(image.open("picture.jpg"))
    assert torch.allclose(names["x"][0], by_torchvision, atol=1e-6)
    with torch.no_grad():
        logits = theirs(by_torchvision.unsqueeze(0))
    assert torch.allclose(names["shares"], logits.softmax(dim=1)[0], atol=1e-6)
    assert np.allclose(names["logits"], logits.numpy(), atol=1e-4)
    printed = capsys.readouterr().out.splitlines()
    best = names["published"].meta["categories"][int(logits.argmax())]
    assert printed[0].endswith(f"%  {best}")
    assert printed[5] == best


@pytest.mark.full
def test_the_tutorial_without_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torchvision_models()

    def download(url: str, **_: Any) -> Any:
        raise OSError(f"no connection to {url}")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    monkeypatch.chdir(tmp_path)
    names = walked(tmp_path, without="python download")
    assert len(capsys.readouterr().out.splitlines()) == 6
    assert np.allclose(names["logits"].argmax(), names["shares"].argmax())


def test_googlenet_takes_pictures_from_minus_one_to_one() -> None:
    """As the page says of the weights that torchvision publishes for it."""
    theirs = torchvision_models().googlenet(init_weights=False, transform_input=True).eval()
    module = netdsl.load(ROOT / "examples" / "googlenet.net").torch(weights=theirs).eval()
    x = torch.rand(1, 3, 96, 96)
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).reshape(
        2, 3, 1, 1
    )
    with torch.no_grad():
        assert torch.allclose(module((x - 0.5) / 0.5), theirs((x - mean) / deviation), atol=1e-5)
