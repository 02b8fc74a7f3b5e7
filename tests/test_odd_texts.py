"""Labels and comments with the signs of other languages come through drawings, pages and tables."""

from __future__ import annotations

import csv
import json
import re
from html import unescape
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.backends.diagram.engine import run
from netdsl.cli import main
from netdsl.lints import WARNINGS
from tests.hostile_names import ODD

LABELS = [n for n in ODD if n.isprintable() and n.strip() and "" not in n.split(".")]
COMMENT = "says </script> <!-- <script> ]]> & \" ' \\ ` @page@ {0} %s"


def text_of(labels: list[str]) -> str:
    kinds = ["B", "{ conv(3, 1) -> relu }", "conv(3, 1)"]
    stages = [f'"{name}": {kinds[i % 3]}' for i, name in enumerate(labels)]
    return (
        f"# {COMMENT}\nblock B {{ c: conv(3, 1) -> relu }}\n# {COMMENT}\n"
        f"net A {{ input x: [3, 4, 4]\n output y = x\n -> " + "\n -> ".join(stages) + "\n}\n"
    )


@pytest.fixture(scope="module")
def network() -> netdsl.Network:
    return netdsl.loads(text_of(LABELS), allow=WARNINGS)


def own(path: str) -> str:
    """A label as a picture shows it: `.` parts it from what lies below."""
    return path.removesuffix(".c").removesuffix(".0")


@pytest.mark.parametrize("level", ["blocks", "layers"])
def test_svg(network: netdsl.Network, level: str) -> None:
    data, _ = network.drawing("svg", level=level)
    root = ElementTree.fromstring(data)
    paths = {own(group.get("data-path", "")) for group in root.iter() if group.get("data-path")}
    assert set(LABELS) <= paths | {path.split(".")[0] for path in paths} | {"\ufb01.fi"}
    assert all(element.tag.startswith("{http://www.w3.org/2000/svg}") for element in root.iter())
    assert not [element for element in root.iter() if element.tag.endswith("script")]


def test_dot(network: netdsl.Network) -> None:
    data, _ = network.drawing("dot")
    told = json.loads(run(data.decode(), "json0"))
    labels = " ".join(unescape(item.get("label", "")) for item in told["objects"])
    for name in LABELS:
        assert name in labels or name.replace("\\", "\\\\") in labels, name


def test_html(network: netdsl.Network) -> None:
    data, _ = network.drawing("html")
    text = data.decode()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found is not None
    assert "<!" not in found[1]
    assert "</" not in found[1]
    units = json.loads(found[1])["units"]
    assert set(LABELS) <= {own(unit["path"]) for unit in units}
    assert any(unit.get("doc") == COMMENT for unit in units)
    assert text.count("<script") - found[1].count("<script") == 2


def summary(form: str, tmp_path) -> str:
    path = tmp_path / "odd.net"
    path.write_text(text_of(LABELS), encoding="utf-8")
    done = CliRunner().invoke(main, ["summary", str(path), "--format", form])
    assert done.exit_code == 0
    return done.stdout


def test_tables(tmp_path) -> None:
    markdown = pytest.importorskip("markdown_it").MarkdownIt().enable("table")
    rendered = markdown.render(summary("markdown", tmp_path))
    cells = [unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", rendered, re.S)]
    assert not re.search("<(em|strong|code|script|b|a)[ >]", rendered)
    paths = {row["path"] for row in csv.DictReader(summary("csv", tmp_path).splitlines())}
    data = {row["path"] for row in json.loads(summary("json", tmp_path))["layers"]}
    for name in LABELS:
        for found in (set(cells), paths, data):
            assert name in {own(path) for path in found} | found, name


def test_sarif_and_github(tmp_path) -> None:
    path = tmp_path / "odd.net"
    path.write_text(text_of([*LABELS, *LABELS]), encoding="utf-8")
    for form in ("json", "sarif", "github"):
        done = CliRunner().invoke(main, ["check", str(path), "--format", form])
        assert done.exit_code == 1
        if form == "github":
            assert len(done.stdout.splitlines()) >= len(LABELS)
            assert all(line.startswith("::error file=") for line in done.stdout.splitlines())
            continue
        said = json.dumps(json.loads(done.stdout), ensure_ascii=False)
        assert "`a|b`" in said


@pytest.mark.parametrize("options", [[], ["--guard"]])
def test_onnx_keeps_names_and_comments(options: list[str], network: netdsl.Network) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("torch")
    model = network.onnx(guard=bool(options))
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.doc_string == COMMENT
    keys = {tensor.name for tensor in model.graph.initializer}
    for index, name in enumerate(LABELS):
        below = ["c.", "0.", ""][index % 3]
        assert f"{name}.{below}weight" in keys


def test_names_that_onnx_makes_itself_give_way() -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("torch")
    text = """net A { input batch: [3, N, batch_size] where N >= 4
        output constant = batch -> pad(1) -> conv(3, 3, stride=2) -> upsample(size=batch) }"""
    model = netdsl.loads(text.replace("batch_size", "M"), allow=WARNINGS).onnx(guard=True)
    onnx.checker.check_model(model, full_check=True)
    assert [o.name for o in model.graph.output] == ["constant"]
    text = "net A { input x: [3, N, batch_size]\n input z: [3, batch, 4]\n output y = x -> relu\n output w = z -> relu }"
    model = netdsl.loads(text, allow=WARNINGS).onnx()
    onnx.checker.check_model(model, full_check=True)
    dims = [d.dim_param for i in model.graph.input for d in i.type.tensor_type.shape.dim]
    assert dims == ["batch_1", "", "N", "batch_size", "batch_1", "", "batch", ""]
