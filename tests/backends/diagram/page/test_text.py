"""What a page is as a file: texts of the network stay texts, the same bytes, no other file."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

import netdsl
from netdsl.backends.diagram.options import DrawError
from netdsl.backends.diagram.page import assets
from netdsl.backends.diagram.page.html import in_script
from tests import examples
from tests.backends.diagram.page.script import PURE, data_of, needs_node, page_of, run

HOSTILE = "</script><script>alert(1)</script><!-- \" ' & \u2028 \u2029 @js@ @data@"


class Scripts(HTMLParser):
    """The scripts of a page, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)


def hostile() -> netdsl.Network:
    text = (
        f"# {HOSTILE}\nblock B {{ conv(4, 3) -> relu -> conv(4, 3) }}\n"
        "net N { input x: [3, 9, 9]\n output y = x -> b: B }"
    )
    return netdsl.loads(text)


def test_comments_and_titles_are_only_text() -> None:
    page = page_of(hostile(), title=HOSTILE)
    assert Scripts(page).tags.count("script") == 2
    assert "\u2028" not in page.partition('id="data">')[2]
    data = data_of(page)
    assert data["name"] == HOSTILE
    assert any(HOSTILE.split("\u2028")[0] in unit.get("doc", "") for unit in data["units"])
    assert json.loads(in_script({"a": HOSTILE})) == {"a": HOSTILE}


def test_hostile_texts_do_nothing_in_a_browser(browser, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "page.html"
    path.write_text(page_of(hostile(), title=HOSTILE), encoding="utf-8")
    browser.get(path.as_uri())
    unit = browser.find_element("css selector", '[data-path="b"]')
    browser.execute_script("arguments[0].focus()", unit)
    assert "alert(1)" in browser.find_element("id", "details").text
    assert len(browser.find_elements("tag name", "script")) == 2
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []


def test_the_same_network_gives_the_same_bytes_and_asks_for_nothing() -> None:
    net = examples.network("googlenet")
    page = page_of(net)
    assert page == page_of(net)
    assert len(page.encode()) < 1_000_000
    for harmless in ("href: URL.createObjectURL(", "link.href)"):  # a file that the page makes
        page = page.replace(harmless, "")
    assert not re.search(r"(src|href)\s*[=:]|url\(|@import|fetch\(|XMLHttp|https?://(?!www\.w3\.org)", page)  # fmt: skip


def test_every_script_and_style_is_a_file_that_is_read() -> None:
    folder = assets.files("netdsl.backends.diagram") / "page"
    there = {item.name for item in folder.iterdir() if item.name.endswith((".js", ".css"))}
    assert there == {*assets.SCRIPTS, *assets.STYLES, "picture.js", "picture.css"}
    assert set(PURE) < set(assets.SCRIPTS)


def test_a_place_that_is_not_there_is_refused() -> None:
    with pytest.raises(DrawError, match="no layer or block `conv9`"):
        page_of(examples.network("lenet"), place="conv9")
    with pytest.raises(DrawError, match="at `--level blocks`, and this is `--level volumes`"):
        page_of(examples.network("lenet"), place="conv1", level="volumes")


@needs_node
@pytest.mark.parametrize(("words", "paths"), [
    ("3x3", {"conv3"}), ("Max Pool", {"maxpool1", "maxpool2", "maxpool3", "maxpool4"}),
    ("6,624,904", set()), ("fc linear", {"fc"}), ("nothing like it", set()), ("  ", set()),
    ("1000", {"fc"}),
])  # fmt: skip
def test_words_are_found_in_what_is_printed(words: str, paths: set[str]) -> None:
    data = data_of(page_of(examples.network("googlenet")))
    code = "const n = new Network(data); return findUnits(n, words).map(u => n.units[u].path);"
    found = set(run(code, {"data": data, "words": words}))
    assert paths <= found
    assert bool(found) == bool(paths)
    if "pool" in words.lower():
        printed = {u["path"] for u in data["units"] if "max pool" in json.dumps(u)}
        assert found == printed
