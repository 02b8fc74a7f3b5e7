"use strict";
// Pictures are made in advance, one for each block that can be opened; this shows one of them,
// moves and zooms it, finds units, and tells what is known of the one that is chosen.
const drawing = JSON.parse(document.getElementById("drawing").textContent);
const stage = document.getElementById("stage");
const details = document.getElementById("details");
const found = document.getElementById("found");
const search = document.getElementById("search");
drawing.pictures[drawing.start] = stage.innerHTML; // stands in the page, for readers without scripts
let state = drawing.start;
let view = null;
let chosen = null;

function show(name, keep) {
  state = name;
  stage.innerHTML = drawing.pictures[name];
  const svg = stage.querySelector("svg");
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  svg.setAttribute("role", "group"); // an image would hide the units in it
  const [x, y, width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  view = {x, y, width, height};
  svg.dataset.width = width;
  svg.dataset.height = height;
  for (const group of svg.querySelectorAll("g[data-path]")) {
    const unit = drawing.units[group.dataset.path];
    group.setAttribute("tabindex", "0");
    group.setAttribute("role", unit && unit.block ? "button" : "img");
    if (unit && unit.block) group.setAttribute("aria-expanded", group.classList.contains("open"));
    group.setAttribute("aria-label", [...group.querySelectorAll("text")].map(text => text.textContent).join(" ") || group.dataset.path);
    if (unit) group.setAttribute("aria-description", unit.tip.replace(/\n/g, ", "));
  }
  if (keep) focusOn(keep);
  mark();
}

function focusOn(path) {
  const group = groupOf(path);
  if (!group) return;
  group.focus({preventScroll: true});
  choose(path);
}

function groupOf(path) {
  return [...stage.querySelectorAll("g[data-path]")].find(g => g.dataset.path === path);
}

function place() {
  stage.querySelector("svg").setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
}

function zoom(factor, px = 0.5, py = 0.5) {
  const svg = stage.querySelector("svg");
  const width = Math.min(Math.max(view.width * factor, 60), svg.dataset.width * 4);
  const scale = width / view.width;
  view.x += view.width * (1 - scale) * px;
  view.y += view.height * (1 - scale) * py;
  view.height *= scale;
  view.width = width;
  place();
}

function fit() {
  const svg = stage.querySelector("svg");
  view = {x: 0, y: 0, width: +svg.dataset.width, height: +svg.dataset.height};
  place();
}

// The picture that is shown, whole, as a file.
function save() {
  const home = document.createElement("div");
  home.innerHTML = drawing.pictures[state];
  const text = new XMLSerializer().serializeToString(home.querySelector("svg"));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(['<?xml version="1.0" encoding="UTF-8"?>\n', text], {type: "image/svg+xml"}));
  const shown = {[drawing.start]: "", "": "-closed", "*": "-open"}[state] ?? "-" + state;
  link.download = (document.title + shown).replace(/[^\w.-]+/g, "_") + ".svg";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function toggle(path) {
  const unit = drawing.units[path];
  if (!unit || !unit.block) return;
  const group = groupOf(path);
  const isOpen = group && group.classList.contains("open");
  const target = isOpen ? unit.outer : path;
  if (target in drawing.pictures) show(target, path);
}

function cell(term, text, code) {
  if (!text) return "";
  const safe = String(text).replace(/[&<>]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[c]);
  return `<dt>${term}</dt><dd>${code ? `<code>${safe}</code>` : safe}</dd>`;
}

function choose(path) {
  const unit = drawing.units[path];
  if (!unit) return;
  chosen = path;
  for (const group of stage.querySelectorAll(".chosen")) group.classList.remove("chosen");
  const group = groupOf(path);
  if (group) group.classList.add("chosen");
  details.innerHTML = `<h2></h2><dl>${cell("what", unit.what, true)}${cell("takes", unit.takes)}` +
    `${cell("gives", unit.gives)}${cell("parameters", unit.parameters)}` +
    `${cell("multiply-adds", unit.macs)}${cell("written in line " + unit.line, unit.source, true)}` +
    `${cell("about it", unit.doc)}</dl>` +
    (unit.block ? `<p><button type="button" id="toggle">${group && group.classList.contains("open") ? "Close" : "Open"} this block</button></p>` : "") +
    (unit.field ? '<div class="field"></div>' : drawing.open ? `<p>${drawing.open}</p>` : "");
  details.querySelector("h2").textContent = path + (unit.count > 1 ? `, ${unit.count} times` : "");
  const button = document.getElementById("toggle");
  if (button) button.onclick = () => toggle(path);
  if (unit.field) field(unit);
}

// A neuron of the unit, by its index along each axis that matters, and the patch that it sees.
function field(unit) {
  const home = details.querySelector(".field");
  const axes = unit.field.axes;
  home.innerHTML = "<h2>What a neuron sees</h2>" + axes.map((axis, i) =>
    `<label>${axis.name} <input type="number" min="0" max="${axis.size - 1}" value="${Math.floor(axis.size / 2)}" data-axis="${i}"></label>`
  ).join("") + '<p role="status"></p><div></div>';
  const inputs = [...home.querySelectorAll("input")];
  const draw = () => {
    const at = inputs.map((input, i) => Math.min(Math.max(0, Math.floor(+input.value || 0)), axes[i].size - 1));
    const who = axes.length ? "Each channel at " + axes.map((axis, i) => `${axis.name} ${at[i]}`).join(", ") : "Each number";
    const seen = drawing.inputs.map((input, k) => [input, patch(unit.field.inputs[k], at)]);
    home.querySelector("p").textContent = who + seen.map(([input, ends]) => says(input, ends)).join("; ") + ".";
    home.querySelector("div").innerHTML = seen.map(([input, ends]) => ends ? picture(input, ends) : "").join("");
  };
  for (const input of inputs) input.oninput = draw;
  draw();
}

// What lies in the patches of every index; null where nothing is seen.
function patch(sight, at) {
  if (!sight || !sight.whole) return null;
  let found = sight.whole.map(ends => [...ends]);
  sight.along.forEach((narrower, i) => {
    for (const [k, column] of Object.entries(narrower)) {
      const ends = column[at[i]];
      if (!ends || !found) { found = null; return; }
      found[k] = [Math.max(found[k][0], ends[0]), Math.min(found[k][1], ends[1])];
    }
  });
  return found && found.every(([first, last]) => first <= last) ? found : null;
}

function says(input, ends) {
  if (!ends) return ` sees nothing of ${input.name}`;
  return " sees " + ends.map(([first, last], i) => first === last ? `${input.axes[i]} ${first}` : `${input.axes[i]}s ${first} to ${last}`).join(", ") +
    ` of ${input.name}: ${ends.map(([first, last]) => last - first + 1).join(" × ")} of ${input.sizes.join(" × ")}`;
}

function picture(input, ends) {
  const [high, wide] = input.sizes.length === 1 ? [input.sizes[0] / 12, input.sizes[0]] : input.sizes.slice(-2);
  const rows = ends.length === 1 ? [0, high - 1] : ends[ends.length - 2];
  const columns = ends[ends.length - 1];
  const thin = Math.max(high, wide) / 240;
  return `<svg viewBox="${-thin} ${-thin} ${wide + 2 * thin} ${high + 2 * thin}" role="img" aria-label="The patch of ${input.name} that is seen">` +
    `<rect width="${wide}" height="${high}" fill="none" stroke="currentColor" stroke-width="${thin}"/>` +
    `<rect x="${columns[0]}" y="${rows[0]}" width="${columns[1] - columns[0] + 1}" height="${rows[1] - rows[0] + 1}" fill="var(--mark)" fill-opacity="0.45" stroke="var(--mark)" stroke-width="${thin}"/></svg>`;
}

function hits() {
  const words = search.value.trim().toLowerCase();
  if (!words) return [];
  return Object.keys(drawing.units).filter(path => {
    const unit = drawing.units[path];
    return (path + " " + unit.what + " " + unit.gives).toLowerCase().includes(words);
  });
}

function mark() {
  const paths = new Set(hits());
  for (const group of stage.querySelectorAll("g[data-path]")) {
    group.classList.toggle("hit", paths.has(group.dataset.path));
  }
  found.textContent = search.value.trim() ? `${paths.size} found` : "";
  const group = chosen && groupOf(chosen);
  if (group) group.classList.add("chosen");
}

let turn = -1;
search.addEventListener("input", () => { turn = -1; mark(); });
search.addEventListener("keydown", event => {
  if (event.key !== "Enter") return;
  const paths = hits();
  if (!paths.length) return;
  turn = (turn + 1) % paths.length;
  const path = paths[turn];
  if (!groupOf(path)) show(drawing.units[path].state);
  choose(path);
  mark();
  found.textContent = `${turn + 1} of ${paths.length}: ${path}`;
});

document.getElementById("zoom-in").onclick = () => zoom(0.8);
document.getElementById("zoom-out").onclick = () => zoom(1.25);
document.getElementById("fit").onclick = fit;
document.getElementById("save").onclick = save;
document.getElementById("close-all").onclick = () => show("");
document.getElementById("open-all").onclick = () => show("*");
if (!("*" in drawing.pictures)) document.getElementById("open-all").hidden = true;

stage.addEventListener("wheel", event => {
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoom(event.deltaY > 0 ? 1.12 : 1 / 1.12, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}, {passive: false});

let drag = null;
stage.addEventListener("pointerdown", event => { drag = {x: event.clientX, y: event.clientY, moved: false}; });
stage.addEventListener("pointermove", event => {
  if (!drag || !(event.buttons & 1)) { drag = null; return; }
  const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
  if (Math.abs(dx) + Math.abs(dy) > 3) drag.moved = true;
  if (!drag.moved) return;
  const box = stage.getBoundingClientRect();
  const scale = Math.max(view.width / box.width, view.height / box.height);
  view.x -= dx * scale;
  view.y -= dy * scale;
  drag.x = event.clientX;
  drag.y = event.clientY;
  place();
});
stage.addEventListener("click", event => {
  if (drag && drag.moved) return;
  const group = event.target.closest("g[data-path]");
  if (group) choose(group.dataset.path);
});
stage.addEventListener("dblclick", event => {
  const group = event.target.closest("g[data-path]");
  if (group) toggle(group.dataset.path);
});
stage.addEventListener("mouseover", event => {
  const group = event.target.closest("g[data-path]");
  if (group && !chosen) choose(group.dataset.path), chosen = null;
});
stage.addEventListener("focusin", event => {
  if (event.target.dataset && event.target.dataset.path) choose(event.target.dataset.path);
});
stage.addEventListener("keydown", event => {
  const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
  if (step) {
    view.x += step[0] * view.width * 0.08;
    view.y += step[1] * view.height * 0.08;
    place();
  } else if (event.key === "+" || event.key === "=") zoom(0.8);
  else if (event.key === "-") zoom(1.25);
  else if (event.key === "0") fit();
  else if ((event.key === "Enter" || event.key === " ") && event.target.dataset.path) toggle(event.target.dataset.path);
  else return;
  event.preventDefault();
});

show(state);
