"""Other tools that draw networks, each run as its own documentation does, and what they drew.

torchview (depth 3, nested modules framed) writes SVG by `dot`; visualtorch paints volumes
(`style="flow"`, with dimensions and a legend); torchvista writes a page, with all its modules open,
and Netron is one: both draw in Chromium. The unit of a drawing is a point or a pixel; what is
compared is only how large its letters are in it. Each drawing is made in a process of its own, which
gets no more than `LIMIT_S` seconds, and `LIMIT_GB` of memory where it needs no browser.
"""

from __future__ import annotations

import multiprocessing
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import netdsl

WAIT_S = 60.0
"""Seconds until a page that draws nothing is given up."""
LIMIT_S, LIMIT_GB = 120.0, 10


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawing: its size, its smallest letters, what stands in it, and how long it took."""

    width: float
    height: float
    letters: float
    boxes: int
    operations: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Tool:
    """What it needs, as modules of Python and programs, and how it draws."""

    draw: Callable[[netdsl.Network], Drawn]
    modules: tuple[str, ...]
    programs: tuple[str, ...] = ()

    def missing(self) -> str:
        """What is not here, in words."""
        lacking = [name for name in self.modules if find_spec(name) is None]
        lacking += [name for name in self.programs if shutil.which(name) is None]
        return f"no {' and no '.join(lacking)}" if lacking else ""


def inputs_of(network: netdsl.Network, device: str) -> list[Any]:
    """One batch of zeros for each input."""
    import torch

    return [
        torch.zeros(
            (1, *map(int, map(str, item.shape))), dtype=getattr(torch, item.dtype), device=device
        )
        for item in network.inputs
    ]


# ---- torchview ----


def torchview_graph(module: Any, network: netdsl.Network) -> Any:
    from torchview import draw_graph

    given = inputs_of(network, "meta")
    return draw_graph(module, input_data=given, device="meta", depth=3, expand_nested=True)


def torchview_svg(module: Any, network: netdsl.Network) -> str:
    """Of a module on the meta device."""
    return torchview_graph(module, network).visual_graph.pipe(format="svg").decode()


def by_torchview(network: netdsl.Network) -> Drawn:
    import torch

    with torch.device("meta"):
        module = network.torch().eval()
    start = time.perf_counter()
    graph = torchview_graph(module, network)
    svg = graph.visual_graph.pipe(format="svg").decode()
    seconds = time.perf_counter() - start
    nodes = {id(node): node for edge in graph.edge_list for node in edge}.values()
    boxes = [node for node in nodes if type(node).__name__ != "TensorNode"]
    single = [node for node in boxes if node.is_container]  # so it calls what has nothing inside
    width, height = (float(x) for x in re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2])
    scale = float(re.findall(r"scale\(([\d.]+)", svg)[0])
    letters = scale * min(float(size) for size in re.findall(r'font-size="([\d.]+)"', svg))
    return Drawn(width, height, letters, len(boxes), len(single), seconds)


# ---- visualtorch ----


@contextmanager
def _font_sizes() -> Iterator[list[float]]:
    """The sizes of whatever is written into an image meanwhile."""
    from PIL.ImageDraw import ImageDraw

    plain, seen = ImageDraw.text, list[float]()

    def text(self: Any, *given: Any, **more: Any) -> Any:
        font = more.get("font")
        seen.append(float(getattr(font, "size", 10)))
        return plain(self, *given, **more)

    ImageDraw.text = text
    try:
        yield seen
    finally:
        ImageDraw.text = plain


def by_visualtorch(network: netdsl.Network) -> Drawn:
    import visualtorch
    from visualtorch.backend import extract_architecture

    module = network.torch().eval()
    shapes = [tuple(given.shape) for given in inputs_of(network, "cpu")]
    shape = tuple(shapes) if len(shapes) > 1 else shapes[0]
    start = time.perf_counter()
    with _font_sizes() as sizes:
        image = visualtorch.render(module, shape, style="flow", show_dimension=True, legend=True)
    seconds = time.perf_counter() - start
    layers = sum(map(len, extract_architecture(module, shape).columns)) - len(network.inputs)
    return Drawn(image.width, image.height, min(sizes), layers, layers, seconds)


# ---- pages ----


@contextmanager
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1400,900"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def measured(driver: Any, script: str) -> list[float]:
    """What a script finds on a page as soon as it finds it twice. Raises `TimeoutError`."""
    end, before = time.monotonic() + WAIT_S, None
    while time.monotonic() < end:
        now = driver.execute_script(script)
        if now is not None and now == before:
            return now
        before = now
        time.sleep(0.2)
    raise TimeoutError(f"no picture after {WAIT_S:.0f} s")


VISTA = """
const inner = document.querySelector('svg > g');
if (!inner || !inner.querySelector('[class^=node_]')) return null;
const box = inner.getBBox(), nodes = [...inner.querySelectorAll('[class^=node_]')];
const texts = [...inner.querySelectorAll('text')].filter(t => t.textContent.length > 1);
const sizes = texts.map(t => parseFloat(getComputedStyle(t).fontSize));
const boxes = nodes.filter(n => /module_|operation_/.test(n.getAttribute('class')));
return [box.width, box.height, Math.min(...sizes), boxes.length];
"""


def by_torchvista(network: netdsl.Network) -> Drawn:
    import torchvista

    module, given = network.torch().eval(), tuple(inputs_of(network, "cpu"))
    with tempfile.TemporaryDirectory() as folder, browser() as driver:
        page = Path(folder) / "page.html"
        start = time.perf_counter()
        with redirect_stdout(StringIO()):
            torchvista.trace_model(
                module, given, collapse_modules_after_depth=100, export_path=str(page)
            )
        driver.get(page.as_uri())
        width, height, letters, boxes = measured(driver, VISTA)
        seconds = time.perf_counter() - start
    return Drawn(width, height, letters, int(boxes), int(boxes), seconds)


NETRON = """
document.getElementById('message-button')?.click();
const canvas = document.getElementById('canvas');
if (!canvas || !canvas.querySelector('.graph-node')) return null;
if (!canvas.style.height) return null;
const sizes = [...canvas.querySelectorAll('text')].map(t => parseFloat(getComputedStyle(t).fontSize));
const box = canvas.querySelector('#origin').getBBox();
return [box.width, box.height, Math.min(...sizes), canvas.querySelectorAll('.graph-node').length];
"""


def by_netron(network: netdsl.Network) -> Drawn:
    import netron

    with tempfile.TemporaryDirectory() as folder, browser() as driver:
        file = Path(folder) / "net.onnx"
        network.export(file)
        start = time.perf_counter()
        with redirect_stdout(StringIO()):
            host, port = netron.start(str(file), browse=False)
        try:
            driver.get(f"http://{host}:{port}")
            width, height, letters, boxes = measured(driver, NETRON)
            seconds = time.perf_counter() - start
        finally:
            with redirect_stdout(StringIO()):
                netron.stop((host, port))
    return Drawn(width, height, letters, int(boxes), int(boxes), seconds)


# ---- all of them ----


CHROMIUM = ("chromium", "chromedriver")
TOOLS = {
    "torchview": Tool(by_torchview, ("torch", "torchview"), ("dot",)),
    "visualtorch": Tool(by_visualtorch, ("torch", "visualtorch")),
    "torchvista": Tool(by_torchvista, ("torch", "torchvista", "selenium"), CHROMIUM),
    "Netron": Tool(by_netron, ("onnx", "netron", "selenium"), CHROMIUM),
}


def _answer(tool: str, network: netdsl.Network, end: Connection) -> None:
    if TOOLS[tool].programs != CHROMIUM:  # a browser reserves more than it uses
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_GB << 30, LIMIT_GB << 30))
    try:
        end.send(TOOLS[tool].draw(network))
    except Exception as error:  # whatever another tool raises is a finding
        end.send(f"{type(error).__name__}: {error}".splitlines()[0][:100].rstrip(": "))


def drawn_by(tool: str, network: netdsl.Network) -> Drawn | str:
    """What a tool drew, or why it did not."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(tool, network, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(LIMIT_S) else f"nothing after {LIMIT_S:.0f} s"
    except EOFError:
        return "ended without an answer"
    finally:
        process.kill()
        process.join()
