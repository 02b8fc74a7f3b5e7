"""Drawings as Mermaid: by a reader of our own, and by Mermaid's where node finds it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import netdsl
from netdsl.backends.diagram.blocks.mermaid import _label
from netdsl.backends.diagram.blocks.opening import open_units
from netdsl.backends.diagram.blocks.picture import BlockSheet
from netdsl.backends.diagram.options import DrawError, Options
from netdsl.backends.diagram.theme import theme
from tests import examples

NODE = re.compile(
    r'(\w+)(\(|\(\(|\(\[|\[|\[\[|\[/|\[\\)"([^"\n]*)"(\)|\)\)|\]\)|\]|\]\]|\\\]|/\]):::(is_\w+)'
)
PAIRS = {"(": ")", "((": "))", "([": "])", "[": "]", "[[": "]]", "[/": "\\]", "[\\": "/]"}
LINK = re.compile(r'(\w+) (-->|-\.->)(?:\|"([^"\n]*)"\|)? (\w+)')
SUBGRAPH = re.compile(r'subgraph (\w+)\["([^"\n]*)"\]')
OTHER = re.compile(
    r"end|class (\w+) (is_\w+)|linkStyle (?:default|\d+(?:,\d+)*) stroke:#[0-9a-f]{6}(?:,stroke-width:2px)?"
    r"|classDef is_\w+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}"
)
CASES = {
    "googlenet": Options(),
    "unet": Options(direction="down", theme="dark"),
    "resnet50": Options(expand=("layer*",)),
    "lenet": Options(level="layers"),
    "transformer": Options(),
}


def read(label: str) -> list[str]:
    """The lines of a label as they are shown."""
    assert not re.search(r"[\"<>`*#&{}\[\]|;$]", re.sub(r"#\d+;|<br/>", "", label)), label
    return [
        re.sub(r"#(\d+);", lambda found: chr(int(found[1])), line) for line in label.split("<br/>")
    ]


def sheet_of(graph: netdsl.Network, options: Options) -> BlockSheet:
    return BlockSheet(graph.graph, open_units(graph.graph, options), options)


@pytest.mark.parametrize(
    "name", [name for name in CASES if (Path("examples") / f"{name}.net").exists()]
)
def test_each_unit_is_a_node_and_each_wire_a_link(name: str) -> None:
    options, net = CASES[name], examples.network(name)
    keywords = {
        "level": options.level,
        "expand": options.expand,
        "direction": options.direction,
        "theme": options.theme,
    }
    text = net.drawing("mmd", **keywords)[0].decode()  # type: ignore[arg-type]
    sheet = sheet_of(net, options)
    head, lines = text.split("flowchart ")[0], text.split("flowchart ")[1].splitlines()
    assert head == f'---\ntitle: "{net.name}"\n---\n'
    assert lines.pop(0) == ("LR" if options.direction == "right" else "TB")
    nodes: dict[str, tuple[str, list[str], str]] = {}
    links: list[tuple[str, str, bool]] = []
    depth, opened = 0, Counter[str]()
    for line in map(str.strip, lines):
        if found := NODE.fullmatch(line):
            assert PAIRS[found[2]] == found[4]
            assert found[1] not in nodes
            nodes[found[1]] = (found[2], read(found[3]), found[5])
        elif found := LINK.fullmatch(line):
            links.append((found[1], found[4], found[2] == "-.->"))
        elif found := SUBGRAPH.fullmatch(line):
            depth += 1
            opened[found[1]] += 1
            read(found[2])
        else:
            assert OTHER.fullmatch(line), line
            depth -= line == "end"
    assert depth == 0
    assert set(opened.values()) <= {1}
    assert nodes.keys() == sheet.boxes.keys()
    assert [(w.tail, w.head) for w in sheet.wires] == [link[:2] for link in links]
    for key, (shape, label, look) in nodes.items():
        box = sheet.boxes[key]
        assert label[0] == box.label.title
        assert [line for line in box.label.lines if line not in label] == []
        assert look == f"is_{box.kind}"
        assert (shape == "[[") == (box.form == "block")
        assert f"classDef {look} fill:{theme(options.theme)[f'{box.kind}.fill']}," in text


def test_blocks_with_names_of_mermaids_own_words_and_odd_paths_are_subgraphs_of_their_own() -> None:
    net = netdsl.loads(
        "block end(n: int) { conv(n, 3, padding=1) -> relu -> conv(n, 1) }\n"
        "net graph { input class: [3, 9, 9]\n"
        " output style = class -> click: end(8) -> subgraph: end(8) -> a_b: end(4) }"
    )
    text = net.drawing("mmd", depth=1)[0].decode()
    found = SUBGRAPH.findall(text)
    assert [label for _, label in found] == ["click: end", "subgraph: end", "a_b: end"]
    assert len({name for name, _ in found}) == 3
    assert all(name.startswith("block_") for name, _ in found)


def test_a_label_shows_whatever_is_in_it() -> None:
    for line in ODD:
        assert read(_label([line])) == [" ".join(line.split())]
        assert (
            not re.match(r"[-+*>#]|\d+\.", _label([line]).replace("#", "", 1))
            or _label([line])[0] == "#"
        )


ODD = [
    "1. one", "- two", "+ ReLU", "* three", "a*b*c _x_ `q`", '"q" #35; <b> & &amp; %% {{x}} [y](z) $x$ | \\n', "end",
    "1) z", "中文 → ≥ α 🙂", "it's a.b-c+d @~^!?", "# h", "> q", "http://a.b/c", "fa:fa-car x", "two\nlines", "a;b",
]  # fmt: skip


def test_what_mermaid_would_not_draw_is_remarked() -> None:
    deep = (
        "net N { input x: [8, 9, 9]\n output y = x -> "
        + " -> ".join(f"conv({8 + i % 2}, 1)" for i in range(510))
        + "}"
    )
    notes = netdsl.loads(deep).drawing("mmd")[1]
    assert [re.sub(r"\d+", "N", note).split(" Mermaid")[0] for note in notes] == [
        "the flowchart has N links;", "N boxes stand side by side, as"
    ]  # fmt: skip
    assert any("`maxEdges`" in note for note in notes)
    assert examples.network("lenet").drawing("mmd", direction="down")[1] == []
    data, notes = examples.network("lenet").drawing("mmd", direction="down", title="R&D")
    assert data.startswith(b"%% R&D\nflowchart")
    assert notes == ["a title of Mermaid can't have `<`, `>` or `&`: it is a comment in the file"]


@pytest.mark.parametrize("level", ["volumes", "neurons", "field", "ops"])
def test_there_is_no_flowchart_of_other_levels(level: str) -> None:
    with pytest.raises(
        DrawError, match=rf"blocks or layers, not for `--level {level}`; write .svg"
    ):
        examples.network("lenet").drawing("mmd", level=level)
    net = examples.network("lenet")
    with pytest.raises(DrawError, match="not for a comparison"):
        net.drawing("mmd", old=net)


SCRIPT = """
import {readFileSync} from "fs";
try {
  const {JSDOM} = await import("jsdom");
  globalThis.window = new JSDOM("").window;
  globalThis.document = window.document;
  var mermaid = (await import("mermaid")).default;
} catch (error) { console.log("absent"); process.exit(0); }
const told = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  try { told.push((await mermaid.parse(text)).diagramType); } catch (error) { told.push(String(error)); }
}
console.log(JSON.stringify(told));
"""


@pytest.mark.full
@pytest.mark.skipif(shutil.which("node") is None, reason="no node on this system")
def test_mermaid_reads_it() -> None:
    """Node looks for mermaid and jsdom from the folder MERMAID, else from here."""
    texts = [
        examples.network(name).drawing("mmd")[0].decode()
        for name in ("googlenet", "unet", "resnet50")
    ]
    texts.append(
        "flowchart TB\n" + "".join(f'  n{k}["{_label([line])}"]\n' for k, line in enumerate(ODD))
    )
    texts.append('flowchart TB\n  a["x"y"]')
    folder = os.environ.get("MERMAID", ".")
    command = ["node", "--input-type=module", "-e", SCRIPT]
    done = subprocess.run(
        command, input=json.dumps(texts), cwd=folder, capture_output=True, text=True, check=True
    )
    if done.stdout.strip() == "absent":
        pytest.skip("node finds no mermaid and jsdom")
    *good, bad = json.loads(done.stdout)
    assert good == ["flowchart-v2"] * (len(texts) - 1)
    assert "Parse error" in bad
