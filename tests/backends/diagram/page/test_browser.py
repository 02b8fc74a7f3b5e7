"""The page in a real browser: by mouse, by keys, on a phone, in the dark, on paper."""

from __future__ import annotations

import base64
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.analyses.dims import Dims
from netdsl.analyses.links import field, hull, shape_of
from netdsl.backends.diagram.theme import theme
from netdsl.cli import main
from tests import examples
from tests.backends.diagram.page.script import page_of
from tests.examples import example

UNIT = '#drawing [data-path="{}"]'


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Callable[[str], Page]]:
    """Opens a page; at the end nothing may have gone wrong in it, or been asked of a network."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.get_log("browser")

    def opened(text: str) -> Page:
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        browser.get(path.as_uri())
        return Page(browser)

    yield opened
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert [name for name in asked if not name.startswith("blob:")] == []


class Page:
    """What a person does with a page, and sees in it."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def find(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return self.browser.find_elements("css selector", selector)

    def unit(self, path: str) -> Any:
        return self.find(UNIT.format(path))

    def is_shown(self, path: str) -> bool:
        return bool(self.all(UNIT.format(path)))

    def script(self, code: str, *given: Any) -> Any:
        return self.browser.execute_script(code, *given)

    def focus(self, path: str) -> Any:
        unit = self.unit(path)
        self.script("arguments[0].focus()", unit)
        return unit

    def focused(self) -> str:
        return self.script(
            "return document.activeElement.dataset.path || document.activeElement.id"
        )

    def keys(self, *keys: str) -> None:
        self.browser.switch_to.active_element.send_keys(*keys)

    def set(self, selector: str, value: object) -> None:
        self.script(
            "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
            "e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change'))",
            selector, str(value),
        )  # fmt: skip

    def text(self, selector: str) -> str:
        return self.script("return document.querySelector(arguments[0]).textContent", selector)

    def labels(self) -> set[str]:
        return set(self.script("return [...document.querySelectorAll('#drawing .label')].map(e => e.textContent)"))  # fmt: skip


def key(name: str) -> str:
    from selenium.webdriver.common.keys import Keys

    return getattr(Keys, name)


@cache
def googlenet(**sizes: int) -> str:
    return page_of(examples.network("googlenet"), theme="auto", sizes=sizes or None)


def test_any_set_of_blocks_is_open_at_once_by_keys_and_by_mouse(page: Any) -> None:
    here = page(googlenet())
    assert here.unit("inception3a").get_attribute("aria-expanded") == "true"
    here.focus("inception4b").send_keys(key("ENTER"))
    here.focus("inception5b").send_keys(key("ENTER"))
    assert here.focused() == "inception5b"
    for path in ("inception3a", "inception4b", "inception5b"):
        assert here.unit(path).get_attribute("aria-expanded") == "true"
        assert here.is_shown(f"{path}.branch2.1")
    assert not here.is_shown("inception4c.branch1")
    assert "inception5b open, 8 units" in here.text("#said")
    here.focus("inception4b.branch1").send_keys(key("ESCAPE"))
    assert here.focused() == "inception4b"
    assert not here.is_shown("inception4b.branch1")
    assert here.is_shown("inception5b.branch1")
    here.script("arguments[0].querySelector('.toggle').dispatchEvent(new MouseEvent('click', {bubbles: true}))", here.unit("inception4c"))  # fmt: skip
    assert here.is_shown("inception4c.branch1")
    here.find("#close-all").click()
    assert not here.all("#drawing .open")
    here.find("#open-all").click()
    assert len(here.all("#drawing .open")) > 9
    assert len(here.all("#drawing [data-unit]")) == len(here.all("#listing tr[data-unit]"))


def test_a_unit_tells_what_it_is_to_a_screen_reader_and_to_the_eye(page: Any) -> None:
    here = page(googlenet(H=224, W=224))
    block = here.unit("inception4b")
    assert block.aria_role == "button"
    assert block.accessible_name.startswith(
        "inception4b, Inception, 160+224+64+64 ch, 425 k params"
    )
    assert block.accessible_name.endswith("512×14×14")
    here.focus("inception4b")
    details = here.text("#details")
    rows = {row.path: row for row in examples.network("googlenet").summary(1).rows}
    for told in ("512×14×14", f"{rows['inception4b'].parameters:,}", "line 26"):
        assert told in details
    row = next(r for r in here.all("#listing tr[data-unit]") if "inception4b" in r.get_attribute("textContent"))  # fmt: skip
    assert "512×14×14" in row.get_attribute("textContent")
    assert here.find("#drawing").get_attribute("role") == "group"
    assert here.find("#said").aria_role == "status"


def test_arrow_keys_go_from_unit_to_unit_and_a_slash_searches(page: Any) -> None:
    here = page(googlenet())
    here.focus("image").send_keys(key("ARROW_RIGHT"))
    assert here.focused() == "conv1"
    here.keys(key("ARROW_LEFT"))
    assert here.focused() == "image"
    here.focus("inception3a.branch1").send_keys(key("ARROW_DOWN"))
    assert here.focused() == "inception3a.branch2.0"
    here.keys("/")
    assert here.focused() == "search"
    here.keys("xyz", key("ESCAPE"))
    assert here.focused() == "stage"
    assert here.find("#search").get_property("value") == ""


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("words", "path", "others"), [
    ("3x3", "conv3", ["conv1"]), ("max pool", "maxpool1", ["conv1"]),
    ("224 filters", "inception4b.branch2.1", ["inception4b.branch1"]),
    ("64×56×56", "conv2", ["inception5a"]), ("64 x 56 x 56", "conv2", ["inception5a"]),
    ("425 k", "inception4b", ["inception4c"]), ("ch3x3red", "inception3a.branch2.0", ["conv1"]),
])  # fmt: skip
def test_search_finds_whatever_is_printed_and_goes_there(
    page: Any, words: str, path: str, others: list[str]
) -> None:
    here = page(googlenet())
    here.find("#search").send_keys(words)
    count = int(here.text("#found").split()[0])
    assert 0 < count < 90
    seen = []
    for _ in range(count):
        here.find("#search").send_keys(key("ENTER"))
        seen.append(here.text("#found").partition(": ")[2])
    assert path in seen
    assert here.is_shown(path)
    assert not set(others) & set(seen)
    assert "hit" in here.unit(path).get_attribute("class")


def test_sizes_move_all_numbers_and_what_is_refused_says_why(page: Any) -> None:
    here = page(googlenet())
    assert {"64×112×112", "192×28×28"} <= here.labels()
    here.set('input[type="range"][data-size="H"]', 97)
    here.set('input[type="number"][data-size="W"]', 131)
    fixed = netdsl.load(example("googlenet"), sizes={"H": 97, "W": 131})
    shapes = Dims(fixed.graph).values_by_name()
    for name in ("stage3", "stage4d"):
        assert "×".join(map(str, shape_of(shapes[name]))) in here.labels()
    assert f"{fixed.summary().macs:,}" in here.text("#details")
    here.set('input[type="number"][data-size="W"]', 9)
    refused = here.text("#refused")
    assert refused.startswith("Refused: line ")
    assert any(text.partition(": ")[2].partition(";")[0] in refused for text in examples.network("googlenet").sizes.explain(H=97, W=9))  # fmt: skip
    assert here.labels() == {"–"}
    here.set('input[type="number"][data-size="W"]', 131)
    assert here.find("#refused").get_attribute("hidden") is not None
    assert "–" not in here.labels()


@pytest.mark.parametrize("typed", ["0", "-3", "12.7", "250000", ""])
def test_a_field_of_a_size_never_shows_what_the_drawing_is_not_made_for(
    page: Any, typed: str
) -> None:
    """What is no size is not taken; the field is marked, and tells the size in use when left."""
    text = "net N { input image: [2, H, W]\n output y = image -> conv(8, 3, padding=1) -> relu }"
    here = page(page_of(netdsl.loads(text), sizes={"H": 64, "W": 48}))
    field = here.find('input[type="number"][data-size="H"]')
    field.send_keys(key("CONTROL") + "a")
    field.send_keys(typed or key("DELETE"))
    assert field.get_property("value") == typed
    assert f"2×{typed}×48" not in here.labels()
    assert not typed or here.all('input:invalid[data-size="H"]')
    field.send_keys(key("TAB"))
    assert f"2×{field.get_property('value')}×48" in here.labels()
    assert "from 1 to 100,000" in field.get_attribute("title")
    here.set('input[type="number"][data-size="H"]', 64)
    here.focus("conv1")
    here.set('.field input[data-axis="0"]', 3)
    here.set('.field input[data-axis="0"]', 64)
    assert here.find('.field input[data-axis="0"]').get_property("value") == "3"
    assert "rows 2–4," in here.text(".field [role=status]")
    assert "The other plane is added in the same way." in here.text(".lesson")


def test_what_was_asked_is_answered_anew_at_another_size(page: Any) -> None:
    here = page(googlenet(H=64, W=64))
    here.find("#search").send_keys("64×16×16")
    found = here.text("#found")
    assert found != "0 found"
    here.focus("conv1")
    here.set('.field input[data-axis="0"]', 5)
    assert "sees rows 7–13" in here.text(".field [role=status]")
    here.set("#colour", "macs")
    here.set('input[type="number"][data-size="H"]', 96)
    assert here.text("#found") == "0 found"
    assert "sees rows 7–13" in here.text(".field [role=status]")
    here.set('input[type="number"][data-size="H"]', 1)
    assert here.find("#scale").get_attribute("hidden") is not None
    assert "heated" not in (here.find("#drawing").get_attribute("class") or "")
    here.set('input[type="number"][data-size="H"]', 64)
    assert here.text("#found") == found
    assert here.find("#scale").get_attribute("hidden") is None


@pytest.mark.parametrize("name", ["unet", "resnet18"])
def test_all_that_the_panel_prints_of_a_unit_is_found(page: Any, name: str) -> None:
    here = page(page_of(examples.network(name)))
    here.find("#open-all").click()
    printed = "return [...document.querySelectorAll('#details .about dd')].flatMap(e => [...e.childNodes].map(c => c.textContent))"  # fmt: skip
    search = "const e = document.querySelector('#search'); e.value = arguments[0]; e.dispatchEvent(new Event('input')); return document.querySelector('#found').textContent"  # fmt: skip
    for path in [e.get_attribute("data-path") for e in here.all("#drawing [data-unit]")][1:20:4]:
        here.focus(path)
        for text in here.script(printed):
            assert not text or here.script(search, text.replace("\n", " ")) != "0 found", text


def test_a_skip_is_coloured_from_its_fork_on(page: Any) -> None:
    """Of a U-Net's skips that begin beside a box, no piece behind the fork is grey."""
    here = page(page_of(examples.network("unet"), sizes={"H": 64, "W": 64}))
    gives = "return JSON.parse(document.getElementById('data').textContent).units.find(u => u.path === arguments[0]).gives[0]"  # fmt: skip
    looks = "return [...document.querySelectorAll(`#drawing .wire[data-value='${arguments[0]}']`)].map(e => e.getAttribute('class'))"  # fmt: skip
    for path in ("down0", "down2"):
        own = here.script(looks, here.script(gives, path))
        assert own.count("wire ") == 1, own  # the way to the next box
        assert own.count("wire skip") > 3


def test_a_cell_is_traced_as_the_links_say(page: Any) -> None:
    net = netdsl.load(example("resnet18"), sizes={"H": 64, "W": 40})
    here = page(page_of(examples.network("resnet18"), sizes={"H": 64, "W": 40}))
    known, (image,) = Dims(net.graph).values_by_name(), net.inputs
    for path, name in (("conv1", "bn1"), ("layer2.0", "layer2.0"), ("maxpool1", "maxpool1")):
        here.focus(path)
        _, height, width = shape_of(known[name])
        for row, column in ((0, 0), (height - 1, 0), (height // 2, width - 1)):
            here.set('.field input[data-axis="0"]', row)
            here.set('.field input[data-axis="1"]', column)
            _, rows, columns = hull(field(net.graph, known[name], (0, row, column))[image.value])
            told = here.text(".field [role=status]")
            assert (
                f"sees rows {rows[0]}–{rows[1]}, columns {columns[0]}–{columns[1]} of image" in told
            )
            assert "exactly" in told
    assert "traced" in here.unit("conv1").get_attribute("class")


def test_a_cell_is_picked_on_the_map_by_pointer_and_by_arrows(page: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    here = page(page_of(examples.network("lenet")))
    here.focus("conv2")
    ActionChains(here.browser).move_to_element_with_offset(here.find(".map.picks"), -90, 90).click().perform()  # fmt: skip
    values = [e.get_property("value") for e in here.all(".field input")]
    assert values == ["9", "0"]
    here.find(".map.picks").send_keys(key("ARROW_UP"), key("ARROW_RIGHT"))
    assert [e.get_property("value") for e in here.all(".field input")] == ["8", "1"]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("what", ["params", "macs", "bytes", "field"])
def test_colours_are_shares_of_the_largest_and_have_a_scale(page: Any, what: str) -> None:
    here = page(googlenet(H=64, W=64))
    here.set("#colour", what)
    shares = here.script(
        "return Object.fromEntries([...document.querySelectorAll('#drawing .unit:not(.open)')]"
        ".map(e => [e.dataset.path, +e.style.getPropertyValue('--share')]))"
    )
    assert max(shares.values()) == 1
    assert shares["image"] == 0 or what == "field"
    if what == "params":
        counts = {row.path: row.parameters for row in examples.network("googlenet").summary(1).rows}
        most = max(counts[path] for path in shares if path in counts)
        assert most == counts["aux2"]  # of training
        assert abs(shares["inception4b"] ** 2 - counts["inception4b"] / most) < 0.001
        assert f"{most:,}" in here.text("#scale")
    if what == "field":
        assert shares["conv1"] < shares["conv3"] < shares["inception4b"]
    filled = {e.value_of_css_property("fill") for e in here.all("#drawing .unit:not(.open) > rect.shape:not(.hollow)")}  # fmt: skip
    assert len(filled) > 4
    here.set("#colour", "")
    assert "heated" not in (here.find("#drawing").get_attribute("class") or "")


def test_a_convolution_is_tried_with_other_settings(page: Any) -> None:
    here = page(page_of(examples.network("rgb6")))
    told = here.text(".lesson")
    assert "floor((6 + 2*0 - 3)/1) + 1 = 4" in told
    here.set('[data-setting="stride"]', 2)
    here.set('[data-setting="padding"]', 1)
    assert "floor((6 + 2*1 - 3)/2) + 1 = 3" in here.text(".lesson")
    assert len(here.all('[data-grid="what it gives"] rect')) == 9
    assert len(here.all('[data-grid="what comes in"] rect.padding')) == 64 - 36
    here.set('[data-setting="kernel"]', 9)
    assert "Refused: the window spans 9 cells, and the padded height is 8" in here.text(".lesson")


def test_pointing_at_a_weight_shows_its_users_and_at_a_neuron_its_cells(page: Any) -> None:
    here = page(page_of(examples.network("rgb6")))
    point = "document.querySelector(`[data-grid='${arguments[0]}'] [data-index='${arguments[1]}']`).dispatchEvent(new PointerEvent('pointerenter'))"  # fmt: skip
    lit = "return [...document.querySelectorAll(`[data-grid='${arguments[0]}'] .hit, [data-grid='${arguments[0]}'] .now`)].map(e => e.dataset.index)"  # fmt: skip
    here.script(point, "what it gives", "1,2")
    assert here.script(lit, "what comes in") == [f"{r},{c}" for r in (1, 2, 3) for c in (2, 3, 4)]
    here.script(point, "the filter", "2,0")
    assert here.script(lit, "what it gives") == [f"{r},{c}" for r in range(4) for c in range(4)]
    assert here.script(lit, "what comes in") == [f"{r},{c}" for r in (2, 3, 4, 5) for c in range(4)]
    assert "used by all 16 neurons" in here.text(".lesson")


def test_the_sum_is_gone_through_product_by_product(page: Any) -> None:
    here = page(page_of(examples.network("rgb6")))
    cells = here.script("return [...document.querySelectorAll(\"[data-grid='what comes in'] .hit, [data-grid='what comes in'] .now\")].map(e => +e.nextElementSibling.textContent)")  # fmt: skip
    weights = here.script("return [...document.querySelectorAll(\"[data-grid='the filter'] text\")].map(e => +e.textContent)")  # fmt: skip
    sums = [sum(c * w for c, w in zip(cells[: n + 1], weights, strict=False)) for n in range(9)]
    for number, total in enumerate(sums, 1):
        assert f"Product {number} of 9" in here.text(".sum")
        assert here.text(".sum").endswith(f"the sum so far is {total}.")
        here.find(".lesson .on").click()
    middle = here.find("[data-grid='what it gives'] .hit + text").text
    assert middle == str(sums[-1])


@pytest.mark.parametrize("name", ["googlenet", "unet", "rgb6"])
def test_on_a_phone_letters_are_readable_and_nothing_runs_over(
    page: Any, browser: Any, name: str
) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})  # fmt: skip
    here = page(page_of(examples.network(name)))
    assert here.script("return document.documentElement.scrollWidth") <= 390
    small = here.script(
        "return [...document.querySelectorAll('body *')].filter(e => e.textContent.trim() && !e.children.length"
        " && e.getClientRects().length && !e.closest('script, style, noscript'))"
        ".filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.textContent)"
    )
    assert small == []
    assert here.script("return document.querySelector('#stage').clientHeight") > 130
    assert here.all("#drawing [data-unit]")


def test_two_fingers_zoom(page: Any, browser: Any) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})  # fmt: skip
    here = page(googlenet())
    width = float(here.find("#drawing").get_attribute("width"))
    top = here.script("return document.querySelector('#stage').getBoundingClientRect().top") + 80

    def touch(kind: str, *xs: int) -> None:
        points = [{"x": x, "y": top, "id": number} for number, x in enumerate(xs)]
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    touch("touchStart", 100)
    touch("touchStart", 100, 200)
    for x in (220, 260, 300):
        touch("touchMove", 100, x)
    touch("touchEnd")
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert float(here.find("#drawing").get_attribute("width")) == pytest.approx(width * 2, rel=0.05)


@pytest.mark.parametrize("asked", ["dark", "light"])
def test_the_page_is_dark_where_the_system_is(page: Any, browser: Any, asked: str) -> None:
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": asked}]})  # fmt: skip
    here = page(googlenet())
    colours = theme(asked)

    def numbers(role: str) -> str:
        text = colours[role]
        return ", ".join(str(int(text[i : i + 2], 16)) for i in (1, 3, 5))

    assert numbers("paper") in here.find("body").value_of_css_property("background-color")
    assert numbers("conv.fill") in here.unit("conv1").find_element("css selector", ".shape").value_of_css_property("fill")  # fmt: skip


def test_blocks_open_with_a_move_unless_the_reader_wants_none(page: Any, browser: Any) -> None:
    moves = "document.querySelector('#drawing [data-path=inception4b] .toggle').dispatchEvent(new MouseEvent('click', {bubbles: true})); return document.getAnimations().length"
    assert page(googlenet()).script(moves) > 5
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]})  # fmt: skip
    assert page(googlenet()).script(moves) == 0


def test_on_paper_the_drawing_stands_alone(page: Any, browser: Any) -> None:
    here = page(googlenet())
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    for selector in (".tools", "#search-form", "#details", "#sizes"):
        assert not here.find(selector).is_displayed()
    assert here.find("#drawing").is_displayed()
    printed = browser.execute_cdp_cmd("Page.printToPDF", {})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")


def test_the_drawing_is_saved_as_it_is_shown(page: Any, browser: Any, tmp_path: Path) -> None:
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})  # fmt: skip
    here = page(googlenet())
    here.find("#close-all").click()
    shown = {e.get_attribute("data-path") for e in here.all("#drawing [data-path]")}
    here.find("#save").click()
    file = tmp_path / "GoogLeNet.svg"
    for _ in range(100):
        if file.exists() and file.stat().st_size:
            break
        time.sleep(0.1)
    root = ET.fromstring(file.read_bytes())
    assert {e.get("data-path") for e in root.iter() if e.get("data-path")} == shown
    assert b"var(" not in file.read_bytes()
    assert theme("light")["conv.fill"].encode() in file.read_bytes()


def test_explain_writes_the_same_page_with_the_place_chosen(page: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    place = "inception4b.branch2.1[7,3,1]"
    args = ["explain", str(example("googlenet")), place, "--size", "H=64,W=64", "--html", str(out)]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 0, result.output
    here = page(out.read_text(encoding="utf-8"))
    assert here.text("#details h2") == "inception4b.branch2.1"
    assert "chosen" in here.unit("inception4b.branch2.1").get_attribute("class")
    assert [e.get_property("value") for e in here.all(".field input")] == ["3", "1"]
    assert "of image" in here.text(".field [role=status]")
    assert here.all(".lesson")
