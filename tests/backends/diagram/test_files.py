"""Drawings as files: SVG that readers can parse, PNG, DOT, HTML in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.backends.diagram import engine
from netdsl.backends.diagram.blocks import dot
from netdsl.backends.diagram.draw import FORMATS, draw
from netdsl.backends.diagram.engine import EngineError
from netdsl.backends.diagram.options import FORMS, LEVELS, DrawError, Options
from netdsl.cli import main
from tests import examples
from tests.examples import example

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SVG = "{http://www.w3.org/2000/svg}"


def network(name: str, **sizes: int) -> netdsl.Network:
    return netdsl.load(example(name), sizes=sizes) if sizes else examples.network(name)


@pytest.mark.parametrize("name", ["light", "dark", "auto", "print"])
def test_svg_is_xml_with_a_title_a_description_and_plain_attributes(name: str) -> None:
    data, _ = network("googlenet", H=224, W=224).drawing("svg", theme=name)
    root = ET.fromstring(data)
    assert root.find(f"{SVG}title").text == "GoogLeNet"  # type: ignore[union-attr]
    assert "multiply-adds" in root.find(f"{SVG}desc").text  # type: ignore[union-attr,operator]
    assert b"var(" not in data
    assert b"transparent" not in data
    assert (b"prefers-color-scheme" in data) == (name == "auto")
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    tips = [g.find(f"{SVG}title").text for g in root.iter(f"{SVG}g") if g.get("class") == "unit"]  # type: ignore[union-attr]
    assert any("line " in tip and "parameters" in tip for tip in tips)  # type: ignore[operator]


def test_png_has_twice_the_points_in_pixels_or_the_width_asked_for() -> None:
    net = network("lenet")
    for width, pixels in ((None, None), (468.0, 936)):
        data, _ = net.drawing("png", width=width)
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        wide = struct.unpack(">I", data[16:20])[0]
        assert pixels is None or abs(wide - pixels) <= 2


@pytest.mark.skipif(shutil.which("dot") is None, reason="no Graphviz on this system")
def test_dot_passes_through_the_systems_graphviz() -> None:
    source = network("resnet18").drawing("dot")[0].decode()
    assert engine.run(source, "svg", "system").startswith(b"<?xml")


def test_one_table_says_what_writes_each_kind_of_file() -> None:
    assert tuple(FORMATS) == FORMS
    with pytest.raises(
        DrawError, match="no drawing has the form `gif`; there are svg, png, pdf, tex"
    ):
        network("lenet").drawing("gif")
    code, said = run(str(EXAMPLES / "lenet.net"), "-o", "x.gif")
    assert code == 2
    assert all(f".{form}" in said for form in FORMS)


def test_dot_text_is_read_by_the_engine_with_every_unit() -> None:
    source = network("googlenet").drawing("dot")[0].decode()
    answer = json.loads(engine.run(source, "json0"))
    names = {item["name"] for item in answer["objects"]}
    assert {"in0", "out0", "cluster_inception3a"} <= names


def test_a_slow_engine_gives_a_simpler_picture_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from netdsl.backends.diagram.blocks import dot

    calls: list[str] = []

    def slow(source: str, *args: object, **options: object) -> bytes:
        calls.append(source)
        if "cluster" in source:
            raise EngineError("Graphviz took more than 20 s", is_slow=True)
        return engine.run(source, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(dot, "run", slow)
    _, notes = network("googlenet").drawing("svg")
    assert notes[0] == "Graphviz took too long for what was asked: all blocks are closed"


def test_small_print_is_remarked() -> None:
    for level, width, way_out in (
        ("layers", 120.0, "draw `--level blocks`, or ask for a larger `--width`"),
        ("volumes", 60.0, "under 6; ask for a larger `--width`"),
        ("neurons", 300.0, "under 6; ask for a larger `--width`"),
    ):
        _, notes = network("resnet18", H=64, W=64).drawing("svg", level=level, width=width)
        assert re.search(r"smallest letters are \d\.\d points high", notes[0])
        assert notes[0].endswith(way_out)
    _, notes = network("resnet50").drawing("svg", depth=1, width=120.0)
    assert notes[0].endswith(
        "open fewer blocks (`--expand`, `--depth`), or ask for a larger `--width`"
    )
    assert network("lenet").drawing("svg", width=468.0)[1] == []
    assert network("conv27").drawing("svg")[1] == []
    assert network("resnet50").drawing("svg")[1] == []
    # no width is asked for, and it is for a screen
    _, notes = network("resnet50").drawing("svg", expand=("none",))
    found = re.search(r"its smallest letters are (\d\.\d) points; from (\d+\.\d) in", notes[0])
    assert found is not None
    assert float(found[1]) * float(found[2]) == pytest.approx(6 * 6.5, rel=0.03)


def test_a_notebook_shows_the_picture() -> None:
    assert ET.fromstring(network("lenet")._repr_svg_()).tag == f"{SVG}svg"


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["draw", *args])
    return result.exit_code, result.output


def test_the_command_writes_whole_files_or_none(tmp_path: Path) -> None:
    out = tmp_path / "x.svg"
    code, said = run(str(EXAMPLES / "lenet.net"), "-o", str(out), "--title", "A <title> & more")
    assert code == 0, said
    assert ET.parse(out).getroot().find(f"{SVG}title").text == "A <title> & more"  # type: ignore[union-attr]
    assert [p.name for p in tmp_path.iterdir()] == ["x.svg"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["-o", "x.gif"], "`x.gif` should end in one of .svg, .png"),
        (["-o", "x.svg", "--width", "6 feet"], "`6 feet` is not a width"),
        (["-o", "x.svg", "--show", "sizes"], "`sizes` can't be shown; there are params"),
        (["-o", "x.svg", "--expand", "conv9"], "there is no block to open as `conv9`"),
        (["-o", "/no/such/folder/x.svg"], "can't write /no/such/folder/x.svg"),
        (["-o", "x.svg", "--neuron", "conv2[0,4,4]"], "`--neuron` is for `--level neurons` and"),
        (
            ["-o", "x.svg", "--level", "layers", "--expand", "conv1"],
            "`--expand` is for `--level blocks`",
        ),
        (["-o", "x.svg", "--level", "layers", "--depth", "2"], "`--depth` is for `--level blocks`"),
        (
            ["-o", "x.svg", "--level", "volumes", "--expand", "conv9"],
            "the network has none; leave out `--expand`",
        ),
    ],
)
def test_wrong_calls_end_with_2_and_a_reason(args: list[str], told: str) -> None:
    code, said = run(str(EXAMPLES / "lenet.net"), *args)
    assert code == 2
    assert told in said


def test_a_pattern_for_volumes_is_a_path_or_a_kind_and_is_never_ignored() -> None:
    net = network("googlenet", H=64, W=64)
    closed = net.drawing("svg", level="volumes")[0]
    by_path = net.drawing("svg", level="volumes", expand=("inception3a",))[0]
    by_kind = net.drawing("svg", level="volumes", expand=("Inception",))[0]
    assert len({closed, by_path, by_kind}) == 3
    with pytest.raises(DrawError, match="no block is `inception3x`; there are, for example: inc"):
        net.drawing("svg", level="volumes", expand=("inception3x",))


def test_what_changes_nothing_at_a_level_is_said() -> None:
    _, notes = network("lenet").drawing("svg", level="volumes", direction="down")
    assert notes[-1].startswith("`--direction` changes nothing at `--level volumes`")


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("echo hello", "its answer is not the layout that was asked for"),
        ("echo 'Format: json0 not recognized.' >&2; exit 1", "Format: json0 not recognized"),
        ("exit 3", "no output, exit code 3"),
        ("kill -SEGV $$", "it was ended by signal 11"),
        ("exec sleep 60", "Graphviz took more than 0.2 s"),
    ],
)
def test_a_broken_dot_is_told_and_leaves_no_file(
    body: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "dot"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setattr(engine.shutil, "which", lambda name: str(program))
    real = engine.run
    monkeypatch.setattr(
        dot, "run", lambda *a, **k: real(*a, **{**k, "limit_s": 0.2 if "sleep" in body else 9})
    )
    out = tmp_path / "x.svg"
    code, said = run(str(EXAMPLES / "lenet.net"), "-o", str(out), "--engine", "system")
    assert code == 2
    assert told in said
    assert "`dot -V`" in said
    assert not out.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    out = tmp_path / "x.svg"
    out.symlink_to("/dev/full")
    code, said = run(str(EXAMPLES / "lenet.net"), "-o", str(out))
    assert code == 2
    assert "no space left on device" in said


ODD = {
    "scalar": "net N { input x: []\n output y = x -> relu }",
    "ids": "net N { input x: int64 [10]\n output y = x -> embedding(100, 8) -> linear(4) }",
    "nothing": "net N { input x: [3, 8, 8]\n output y = x }",
    "twice": "net N { input x: [3, 8, 8]\n a = x -> relu\n output y = a\n output z = a }",
    "unused": "net N { input x: [3, 8, 8]\n input u: [3, 8, 8]\n output y = x -> relu }",
    "one pixel": "net N { input x: [1, 1, 1]\n output y = x -> conv(1, 1) -> relu }",
    "huge": "net N { input x: [3, 100000, 100000]\n output y = x -> conv(8, 3) -> maxpool(2) }",
    "itself": "net N { input x: [3, 8, 8]\n a = x -> relu\n output y = (a, a) -> concat }",
    "many": "net N {" + "".join(f"input x{i}: [3, 8, 8]\n output y{i} = x{i} -> conv(3, 1)\n" for i in range(9)) + "}",
    "long names": f"block {'b' * 200} {{ conv(4, 3) -> relu -> conv(4, 3) }}\nnet N {{ input {'x' * 200}: [3, 9, 9]\n output y = {'x' * 200} -> {'c' * 200}: {'b' * 200} }}",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "level"),
    [
        pytest.param(name, level, marks=[pytest.mark.full] * ((name, level) == ("huge", "field")))
        for name in ODD
        for level in LEVELS
    ],
)
def test_odd_networks_are_drawn_or_refused_with_a_way_out(name: str, level: str) -> None:
    net = netdsl.loads(ODD[name])
    try:
        data, _ = net.drawing("svg", level=level)
    except DrawError as error:
        assert name == "nothing"
        assert "the network computes nothing" in str(error)
    else:
        assert ET.fromstring(data) is not None


def test_names_and_comments_of_any_kind_are_only_text(tmp_path: Path) -> None:
    text = '# </script><b>&"\nblock B { conv(4, 3) -> relu -> conv(4, 3) }\nnet N { input x: [3, 9, 9]\n output y = x -> b: B }'
    net = netdsl.loads(text)
    for form in FORMS:
        data, _ = draw(net.graph, form, Options(title='</script>"\\N&<'))
        assert form != "svg" or ET.fromstring(data) is not None
        assert form != "html" or data.count(b"</script>") == 2


@pytest.mark.parametrize("level", ["layers", "volumes", "neurons", "field"])
def test_other_levels_are_a_page_with_one_picture(level: str) -> None:
    data = network("lenet").drawing("html", level=level, theme="auto")[0].decode()
    assert data.count("<svg") == 1
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?://(?!www\.w3\.org)", data)


def test_a_neuron_that_is_pointed_at_is_left_alone_with_its_links(browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from selenium.webdriver.common.by import By

    page = tmp_path / "lenet.html"
    network("lenet").draw(page, level="neurons", neurons=("conv2[0,4,4]",))
    browser.get(page.as_uri())
    neuron = browser.find_element(By.CSS_SELECTOR, 'g[data-neuron="conv2[0,4,4]"]')
    browser.execute_script("arguments[0].focus()", neuron)
    shown = browser.find_elements(By.CSS_SELECTOR, ".link.shown")
    ends = {(e.get_attribute("data-from"), e.get_attribute("data-to")) for e in shown}
    every = browser.find_elements(By.CSS_SELECTOR, ".link")
    assert (
        len(ends)
        == len(shown)
        == sum(
            "conv2[0,4,4]" in (e.get_attribute("data-from"), e.get_attribute("data-to"))
            for e in every
        )
        == 4
    )
    assert ("maxpool1[0,4,4]", "conv2[0,4,4]") in ends
    assert ("conv2[0,4,4]", "maxpool2[0,2,2]") in ends
    browser.execute_script("arguments[0].blur()", neuron)
    assert not browser.find_elements(By.CSS_SELECTOR, ".link.shown")
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def test_two_networks_in_a_notebook_do_not_mix(browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from selenium.webdriver.common.by import By

    names = ("lenet", "googlenet")
    page = tmp_path / "notebook.html"
    shown = "".join(network(name)._repr_html_() for name in names)
    page.write_text(f'<!DOCTYPE html><meta charset="utf-8"><title>Notebook</title>{shown}')
    browser.get(page.as_uri())
    frames = browser.find_elements(By.TAG_NAME, "iframe")
    for frame, path in zip(frames, ("conv1", "inception3a"), strict=True):
        browser.switch_to.frame(frame)
        browser.find_element(By.ID, "close-all").click()
        group = browser.find_element(By.CSS_SELECTOR, f'#stage g[data-path="{path}"]')
        browser.execute_script("arguments[0].focus()", group)
        assert path in browser.find_element(By.ID, "details").text
        browser.switch_to.default_content()
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def test_a_page_shows_its_picture_without_scripts() -> None:
    text = network("googlenet").drawing("html")[0].decode()
    stage = text.partition('id="stage"')[2].partition("</main>")[0]
    assert 'data-path="inception3a"' in stage
