"""`netdsl explain` on the command line: what is what, forms, plots, errors, the page in docs/."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from netdsl.analyses.explain.document import Document, Section, Table
from netdsl.analyses.explain.terms import terms
from netdsl.cli import main
from netdsl.diagnostics.pages import codes
from netdsl.reference import pages
from tests.test_docs_commands import shell

ROOT = Path(__file__).resolve().parents[2]
CONV27 = str(ROOT / "examples" / "conv27.net")
LENET = str(ROOT / "examples" / "lenet.net")
UNET = str(ROOT / "examples" / "unet16.net")
PAGE = ROOT / "docs" / "explain.md"
CONSOLE = re.compile(r"```console\n(.*?)```\n", re.DOTALL)


def explain(*words: str, columns: int = 100) -> Result:
    return CliRunner().invoke(main, ["explain", *words], env={"COLUMNS": str(columns)})


def data(*words: str) -> Any:
    result = explain(*words, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_the_list_has_codes_terms_and_layers() -> None:
    lines = explain(columns=120).output.splitlines()
    first = {line.split()[0] for line in lines if line.startswith("  ")}
    assert set(codes()) | set(terms()) | set(pages()) <= first
    titles = [line for line in lines if line and not line.startswith(" ")]
    assert titles[:3] == ["errors", "warnings", "terms"]


@pytest.mark.parametrize("columns", [60, 100, 160])
@pytest.mark.parametrize("place", ["", "conv", "conv[0,2,4]", "image"])
def test_pages_fit_the_terminal(place: str, columns: int) -> None:
    result = explain(CONV27, *([place] if place else []), columns=columns)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= max(columns, 100)


def test_json_has_the_numbers_as_they_are() -> None:
    layer = data(CONV27, "conv")
    assert (layer["kind"], layer["neurons"], layer["connections"]) == ("layer", 243, 2187)
    assert (layer["weights"], layer["reading"]["most"]) == (27, 9)
    neuron = data(CONV27, "conv[0,2,4]")
    assert neuron["reads"] == [
        {"value": "image", "axes": [[[0, 0]], [[6, 8]], [[12, 14]]], "count": 9}
    ]
    assert data(CONV27, "image")["values"] == 729
    network = data(CONV27)
    assert network["depth"] == {"layers": 1, "longest": 1, "path": ["conv"]}


def test_markdown() -> None:
    result = explain(CONV27, "conv", "--format", "markdown")
    assert result.output.startswith("# conv: conv(3, 3x3, stride=3), 1x27x27 -> 3x9x9\n")
    assert "| neurons | 243 | 3 x 9 x 9 |" in result.output
    assert explain("stride", "--format", "markdown").output.startswith("# stride\n")


def test_two_sizes_are_compared() -> None:
    report = data(UNET, "--size", "H=64,W=64", "--size", "H=128,W=128")
    assert report["sizes"] == {"H": 64, "W": 64}
    assert report["changed"]["sizes"] == {"H": 128, "W": 128}
    assert report["changed"]["macs"] == 4 * report["macs"]
    shown = explain(UNET, "--size", "H=64", "--size", "W=64", "--size", "H=128,W=128").output
    assert re.search(r"multiply-adds .* 4\.00", shown)
    three = explain(UNET, *["--size", "H=64,W=64"] * 3)
    assert three.exit_code == 2
    assert "two sizes are compared, not more" in three.output


def test_sizes_that_nobody_chose_are_told() -> None:
    assert "The sizes are open. These numbers are for H = 224, W = 224" in explain(UNET).output
    assert data(UNET)["are_assumed"] is True
    assert data(UNET, "--size", "H=64,W=64")["are_assumed"] is False


def test_a_roofline() -> None:
    report = data(LENET, "--gbs", "100", "--tflops", "1")
    roofline = report["roofline"]
    assert roofline["ridge"] == 10.0
    layers = report["layers"]
    seconds = [max(p["moved"] / 100e9, 2 * p["macs"] / 1e12) for p in layers]
    assert roofline["seconds"] == pytest.approx(sum(seconds))
    assert roofline["moving"] + roofline["computing"] == pytest.approx(roofline["seconds"])
    assert explain(LENET, "--gbs", "100").exit_code == 2
    assert explain(LENET, "--gbs", "100", "--tflops", "0").exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stirde"], "did you mean `stride`?"),
        (["Receptive Field"], "did you mean `receptive-field`?"),
        (["field"], "receptive-field"),
        (["zzz"], "`netdsl explain` lists all"),
        (["stride", "conv"], "`conv` is a place in a file, and `stride` is none"),
        ([CONV27, "conv[0,9,9]"], "whose last neuron is conv[2,8,8]"),
        ([CONV27, "con"], "did you mean `conv`?"),
        ([UNET, "head[0,0,0]"], "say `--size H=32,W=32`"),
        ([UNET, "head", "--size", "H=64,W=64", "--size", "H=32,W=32"], "leave the place out"),
        ([CONV27, "conv[0,0,0]", "--image", "x.npy"], "--weights and --image go together"),
        ([CONV27, "conv", "--plot", "x.svg"], "a plot shows a network or a block"),
        ([LENET, "--plot", "x.gif"], "should end in one of .svg"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(words: list[str], said: str) -> None:
    result = explain(*words, columns=400)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_file_with_errors_is_told_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_text("net A { input x: [3, 8, 8] ; output y = x -> conv(8, 9) }")
    result = explain(str(path))
    assert result.exit_code == 1
    assert "error[shape-mismatch]" in result.output
    assert explain(str(tmp_path / "absent.net")).exit_code in (1, 2)


def test_products_from_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    np = pytest.importorskip("numpy")
    import netdsl

    module = netdsl.load(LENET).torch(seed=1)
    torch.save(module.state_dict(), tmp_path / "w.pth")
    np.save(tmp_path / "x.npy", np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 28, 28))
    np.save(tmp_path / "wrong.npy", np.zeros((3, 28, 28), np.float32))
    (tmp_path / "broken.npy").write_bytes(b"no array")
    weights = ["--weights", str(tmp_path / "w.pth"), "--image"]
    report = data(LENET, "conv1[2,0,0]", *weights, str(tmp_path / "x.npy"))
    assert len(report["sum"]["terms"]) == report["links"] == 9
    assert report["sum"]["total"] == pytest.approx(report["sum"]["result"], abs=1e-5)
    for name, said in [("wrong.npy", "is [3, 28, 28], and image is [1, 28, 28]"),
                       ("broken.npy", "is no array or image"), ("absent.npy", "can't read")]:  # fmt: skip
        result = explain(LENET, "conv1[2,0,0]", *weights, str(tmp_path / name), columns=300)
        assert result.exit_code == 2
        assert said in " ".join(result.output.split())
    pooled = explain(LENET, "maxpool1[0,0,0]", *weights, str(tmp_path / "x.npy"), columns=300)
    assert "multiplies nothing by weights of its own" in " ".join(pooled.output.split())


@pytest.mark.parametrize("place", [[], ["down1"]])
def test_a_plot_is_a_picture(place: list[str], tmp_path: Path) -> None:
    path = tmp_path / "out.svg"
    result = explain(UNET, *place, "--plot", str(path), "--size", "H=64,W=64")
    assert result.exit_code == 0, result.output
    texts = [
        element.text or "" for element in ET.parse(path).iter() if element.tag.endswith("text")
    ]
    report = data(UNET, *place, "--size", "H=64,W=64")
    costly = max(report["layers"], key=lambda part: part["macs"])
    assert f"{costly['macs']:,}" in texts
    assert ("receptive field" in " ".join(texts)) == (not place)


def test_tables_cut_words_and_no_numbers() -> None:
    rows = (("a" * 60, "1,234,567", "b" * 50, "###"),)
    table = Table(("name", "number", "what", ""), rows, frozenset({1}))
    text = Document("t", [Section("", (table,))]).text(70)
    assert "1,234,567" in text
    assert "###" in text
    assert "..." in text
    assert max(map(len, text.splitlines())) <= 70


def test_the_page_in_the_docs(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each command prints what stands below it."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")

    def renewed(match: re.Match[str]) -> str:
        command = match[1].splitlines()[0].removeprefix("$ ")
        return (
            f"```console\n$ {command}\n{shell([f'export COLUMNS=100; {command}'], tmp_path)}```\n"
        )

    text = PAGE.read_text(encoding="utf-8")
    made = CONSOLE.sub(renewed, text)
    if request.config.getoption("--bless"):
        PAGE.write_text(made, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == made
    assert len(CONSOLE.findall(text)) >= 5


@pytest.mark.parametrize("option", [("--plot", "x.svg"), ("--size", "H=3"), ("--batch", "2")])
def test_options_of_a_network_are_refused_for_a_term(option: tuple[str, str]) -> None:
    result = explain("stride", *option)
    assert result.exit_code == 2
    assert f"{option[0]} is for a network, and `stride` is no file" in result.output


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Conv2d", "conv"), ("upsampling", "upsample"), ("deconvolution", "conv_transpose")],
)
def test_names_of_other_frameworks(name: str, meant: str) -> None:
    assert f"did you mean `{meant}`" in explain(name).output
