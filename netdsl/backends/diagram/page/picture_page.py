"""A page with one picture: a neuron that is pointed at is left alone with its links."""

from __future__ import annotations

import re
from html import escape

from netdsl.backends.diagram.scene import Picture
from netdsl.backends.diagram.svg import svg
from netdsl.backends.diagram.theme import Theme, theme

_STYLE = """
body { margin: 0; background: %(light)s; }
main { padding: 12px; }
h1 { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%%); }
svg { max-width: 100%%; height: auto; display: block; margin: auto; }
.neuron { cursor: pointer; }
.neuron:focus { outline: none; }
.neuron:focus > :first-child { stroke-width: 3; }
.link { transition: opacity 0.12s; }
svg.asked .link:not(.shown) { opacity: 0.06; }
svg.asked .neuron:not(.shown) { opacity: 0.35; }
"""
_DARK = "@media (prefers-color-scheme: dark) { body { background: %s; } }"
_SCRIPT = """
const svg = document.querySelector("svg");
const all = (name) => [...svg.querySelectorAll("." + name)];
function ask(neuron) {
  svg.classList.toggle("asked", !!neuron);
  for (const part of [...all("link"), ...all("neuron")]) part.classList.remove("shown");
  if (!neuron) return;
  const near = new Set([neuron.dataset.neuron]);
  for (const link of all("link")) {
    const ends = [link.dataset.from, link.dataset.to];
    if (!ends.includes(neuron.dataset.neuron)) continue;
    link.classList.add("shown");
    ends.forEach((end) => near.add(end));
  }
  for (const other of all("neuron").filter((n) => near.has(n.dataset.neuron))) {
    other.classList.add("shown");
  }
}
if (all("neuron").length) svg.setAttribute("role", "group");
for (const neuron of all("neuron").filter((n) => n.dataset.neuron)) {
  neuron.setAttribute("tabindex", "0");
  neuron.addEventListener("mouseenter", () => ask(neuron));
  neuron.addEventListener("mouseleave", () => ask(null));
  neuron.addEventListener("focus", () => ask(neuron));
  neuron.addEventListener("blur", () => ask(null));
}
"""


def picture_page(picture: Picture, colours: Theme) -> str:
    """One file that needs no network: the picture, and what happens when it is pointed at."""
    drawn = re.sub(r"^<\?xml[^>]*>\s*", "", svg(picture, colours))
    style = _STYLE % {"light": colours["paper"]}
    if colours.name == "auto":
        style += _DARK % theme("dark")["paper"]
    title = escape(picture.title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n"
        f"<style>{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{drawn}</main>\n"
        f"<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )
