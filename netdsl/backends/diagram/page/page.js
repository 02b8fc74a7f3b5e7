// The page: which blocks are open, what is chosen, and what keys, pointers and fields do.

const NARROW = 600; // pixels, below which drawings run down
const ROOMS = [0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6]; // widths of rows that are tried, in windows
const NEAR = 800; // pixels around what is seen that are drawn, where there is much
const byId = id => document.getElementById(id);
const network = new Network(JSON.parse(byId("data").textContent));
const stage = byId("stage"), details = byId("details"), search = byId("search"), found = byId("found");
const drawing = new Drawing(byId("drawing"), network);
const trace = new TraceView(network, drawing, say);
const state = {open: new Set(network.data.open), chosen: null, hits: [], turn: -1};

function say(text) {
  byId("said").textContent = text;
}

drawing.view = () => {
  const {scrollLeft, scrollTop, clientWidth, clientHeight} = stage, {zoom} = drawing;
  return {
    left: (scrollLeft - NEAR) / zoom, right: (scrollLeft + clientWidth + NEAR) / zoom,
    top: (scrollTop - NEAR) / zoom, bottom: (scrollTop + clientHeight + NEAR) / zoom,
  };
};

// The places of all that is open, in rows as wide as the window, or so many times as wide.
function arranged() {
  drawing.isDown = network.data.direction === "down" || stage.clientWidth < NARROW;
  const arrangement = new Arrangement(network, state.open, {
    sizeOf: (number, inner) => drawing.sizeOf(number, inner),
    labelOf: value => (network.data.show.includes("shapes") ? textWidth(network.shapeText(value)) : 0),
    room: (state.room || 1) * Math.max(stage.clientWidth - 40, 300), isDown: drawing.isDown,
  });
  const scene = arrangement.scene();
  if (!network.data.show.includes("shapes")) scene.labels = [];
  return scene;
}

// Lays all out anew; what is `kept` stays where it is on the screen.
function draw({kept = null, isMoving = true} = {}) {
  const before = kept === null ? null : drawing.elements.get(kept)?.place;
  const scene = arranged();
  drawing.show(scene, isMoving);
  const after = kept === null ? null : drawing.elements.get(kept)?.place;
  if (before && after) {
    stage.scrollTop += (after.y - before.y) * drawing.zoom;
    stage.scrollLeft += (after.x - before.x) * drawing.zoom;
  }
  marks();
}

function marks() {
  paintHeats(drawing, network, byId("colour").value, byId("scale"));
  drawing.setClass("chosen", new Set(state.chosen === null ? [] : [state.chosen]));
  drawing.setClass("hit", new Set(state.hits.map(shownAs)));
  wiresOf(state.chosen);
  trace.mark();
}

// The unit itself where it is drawn, else the closed block that holds it.
function shownAs(number) {
  const closed = network.around(number).filter(block => !state.open.has(block));
  return closed.length ? closed[closed.length - 1] : number;
}

function toggle(number) {
  if (!network.isBlock(number)) return;
  const isOpen = state.open.has(number);
  if (isOpen) state.open.delete(number);
  else state.open.add(number);
  draw({kept: number});
  choose(number);
  drawing.focus(number);
  say(`${network.units[number].path} ${isOpen ? "closed" : `open, ${network.parts(number).length} units`}`);
}

function choose(number, index = null) {
  state.chosen = number;
  drawing.setClass("chosen", new Set(number === null ? [] : [number]));
  wiresOf(number);
  if (number === null) {
    trace.clear();
    details.replaceChildren(overview(network));
    return;
  }
  const unit = network.units[number];
  details.replaceChildren(told(network, number, state.open.has(number), () => toggle(number)));
  if (unit.conv && !network.isRefused) details.append(new LessonView(network, unit.conv).panel());
  details.append(trace.panel(number, index));
}

// The wires that a unit reads and gives stand out.
function wiresOf(number) {
  const unit = network.units[number] || {};
  const own = new Set([...(unit.takes || []), ...(unit.gives || [])].map(String));
  for (const wire of drawing.layers.wires.children) wire.classList.toggle("near", own.has(wire.dataset.value));
}

// Opens the blocks around a unit, and brings it into view.
function goTo(number) {
  const closed = network.around(number).filter(block => !state.open.has(block));
  closed.forEach(block => state.open.add(block));
  if (closed.length) draw();
  reveal(number);
  choose(number);
  marks();
}

function reveal(number) {
  const place = drawing.scene.units.find(unit => unit.id === number);
  if (!place) return;
  const {zoom} = drawing, margin = 40;
  const [x, y] = [place.x * zoom, place.y * zoom];
  const isSeen = x >= stage.scrollLeft && x + place.width * zoom <= stage.scrollLeft + stage.clientWidth &&
    y >= stage.scrollTop && y + Math.min(place.height * zoom, 60) <= stage.scrollTop + stage.clientHeight;
  if (!isSeen) stage.scrollTo(Math.max(x - margin, 0), Math.max(y - margin * 2, 0));
  drawing.paint(false);
}

// Brings the middle of a unit to the middle, across: where drawings are wider than the screen.
function centre(number) {
  const place = drawing.scene.units.find(unit => unit.id === number);
  if (place && drawing.isDown) stage.scrollLeft = (place.x + place.width / 2) * drawing.zoom + 12 - stage.clientWidth / 2;
}

function zoomBy(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const before = drawing.zoom;
  drawing.zoom = Math.min(Math.max(before * factor, 0.05), 6);
  drawing.resize();
  const scale = drawing.zoom / before;
  stage.scrollLeft = (stage.scrollLeft + x) * scale - x;
  stage.scrollTop = (stage.scrollTop + y) * scale - y;
  drawing.paint(false);
  marks();
}

// All of it at once, in rows of such a length that it is as large as can be; or back to letters
// of their full size.
function fit() {
  const isFitted = byId("fit").getAttribute("aria-pressed") === "true";
  byId("fit").setAttribute("aria-pressed", !isFitted);
  let best = {room: 1, zoom: 1};
  if (!isFitted) {
    best.zoom = 0;
    for (const room of drawing.isDown ? [1] : ROOMS) {
      state.room = room;
      const {width, height} = arranged();
      const zoom = Math.min((stage.clientWidth - 30) / width, (stage.clientHeight - 30) / height, 2);
      if (zoom > best.zoom) best = {room, zoom};
    }
  }
  state.room = best.room;
  drawing.zoom = best.zoom;
  draw();
  stage.scrollTo(0, 0);
}

function save() {
  const link = html("a", {href: URL.createObjectURL(new Blob([drawing.file()], {type: "image/svg+xml"}))});
  link.download = document.title.replace(/[^\w.-]+/g, "_") + ".svg";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function openAll(isOpen) {
  state.open = new Set(isOpen ? network.units.map((_, n) => n).filter(n => network.isBlock(n)) : []);
  draw();
  say(isOpen ? "All blocks are open" : "All blocks are closed");
}

// The unit nearest to another in the direction of an arrow key.
function neighbour(number, [dx, dy]) {
  const middle = ({x, y, width, height, isOpen}) => [x + width / 2, isOpen ? y + 12 : y + height / 2];
  const here = drawing.scene.units.find(unit => unit.id === number);
  const [x, y] = middle(here);
  let best = null, least = Infinity;
  for (const unit of drawing.scene.units) {
    if (unit === here) continue;
    const [a, b] = middle(unit);
    const ahead = (a - x) * dx + (b - y) * dy, aside = Math.abs((a - x) * dy) + Math.abs((b - y) * dx);
    if (ahead > 4 && ahead + 2.5 * aside < least) [best, least] = [unit.id, ahead + 2.5 * aside];
  }
  return best;
}

const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

function goAlong(number, arrow) {
  const next = neighbour(number, arrow);
  if (next === null) return;
  reveal(next);
  drawing.focus(next);
}

// One step out: of a block, of what is chosen.
function goOut(number) {
  const [block] = number === null ? [] : network.around(number);
  if (block !== undefined) {
    state.open.delete(block);
    draw({kept: block});
    reveal(block);
    drawing.focus(block);
    choose(block);
    say(`${network.units[block].path} closed`);
  } else {
    choose(null);
    marks();
  }
}

const unitOf = element => {
  const group = element && element.closest && element.closest("[data-unit]");
  return group ? Number(group.dataset.unit) : null;
};

stage.addEventListener("keydown", event => {
  const number = unitOf(event.target);
  if (event.key in ARROWS && number !== null) goAlong(number, ARROWS[event.key]);
  else if (event.key === "+" || event.key === "=") zoomBy(1.25);
  else if (event.key === "-") zoomBy(0.8);
  else if (event.key === "0") fit();
  else if ((event.key === "Enter" || event.key === " ") && number !== null) network.isBlock(number) ? toggle(number) : choose(number);
  else if (event.key === "Escape") goOut(number);
  else return;
  event.preventDefault();
});
stage.addEventListener("click", event => {
  const number = unitOf(event.target);
  if (number === null) return;
  if (event.target.closest(".toggle")) toggle(number);
  else choose(number);
});
stage.addEventListener("dblclick", event => {
  const number = unitOf(event.target);
  if (number !== null && !event.target.closest(".toggle")) toggle(number);
});
stage.addEventListener("focusin", event => {
  const number = unitOf(event.target);
  if (number !== null && number !== state.chosen) choose(number);
});
stage.addEventListener("wheel", event => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoomBy(Math.exp(-event.deltaY / 200), event.clientX - box.left, event.clientY - box.top);
}, {passive: false});
stage.addEventListener("scroll", () => {
  if (drawing.scene.units.length > MOST_DRAWN) requestAnimationFrame(() => { drawing.paint(false); marks(); });
});

// A mouse draws the page along; two fingers zoom about the point between them.
stage.addEventListener("pointermove", event => {
  if (event.pointerType !== "mouse" || !(event.buttons & 1)) return;
  stage.scrollLeft -= event.movementX;
  stage.scrollTop -= event.movementY;
});
let pinch = null;
const spread = ([a, b]) => ({
  distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY),
  x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2,
});
stage.addEventListener("touchstart", event => { pinch = event.touches.length === 2 ? spread(event.touches) : null; }, {passive: true});
stage.addEventListener("touchmove", event => {
  if (event.touches.length !== 2 || !pinch) return;
  event.preventDefault();
  const now = spread(event.touches), box = stage.getBoundingClientRect();
  stage.scrollLeft -= now.x - pinch.x;
  stage.scrollTop -= now.y - pinch.y;
  if (pinch.distance > 0) zoomBy(now.distance / pinch.distance, now.x - box.left, now.y - box.top);
  pinch = now;
}, {passive: false});

function find() {
  state.hits = findUnits(network, search.value);
  state.turn = -1;
  found.textContent = search.value.trim() ? `${state.hits.length} found` : "";
}

search.addEventListener("input", () => {
  find();
  marks();
});
search.addEventListener("keydown", event => {
  if (event.key === "Escape") {
    search.value = "";
    search.dispatchEvent(new Event("input"));
    stage.focus();
  } else if (event.key === "Enter" && state.hits.length) {
    state.turn = (state.turn + (event.shiftKey ? state.hits.length - 1 : 1)) % state.hits.length;
    const number = state.hits[state.turn];
    goTo(number);
    found.textContent = `${state.turn + 1} of ${state.hits.length}: ${network.units[number].path}`;
  }
});
byId("search-form").onsubmit = () => false;
document.addEventListener("keydown", event => {
  if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  search.focus();
  search.select();
});

function sized(sizes, isMoving = true) {
  network.setSizes(sizes);
  const refused = network.refusals();
  byId("refused").hidden = !refused.length;
  byId("refused").textContent = refused.length ? `Refused: ${refused[0]}${refused.length > 1 ? `; and ${refused.length - 1} more` : ""}` : "";
  if (search.value) find();
  const traced = trace.fields ? trace.index : null;
  draw({isMoving});
  choose(state.chosen, traced);
  table();
}

function table() {
  for (const row of document.querySelectorAll("#listing tr[data-unit]")) {
    const unit = network.units[Number(row.dataset.unit)], cells = row.querySelectorAll("td");
    cells[1].textContent = (unit.gives || unit.takes).map(value => network.shapeText(value)).join(", ");
    ["params", "macs"].forEach((what, at) => { cells[2 + at].textContent = costOf(network, unit, what)[0]; });
  }
}

byId("colour").onchange = marks;
byId("close-all").onclick = () => openAll(false);
byId("open-all").onclick = () => openAll(true);
byId("zoom-in").onclick = () => zoomBy(1.25);
byId("zoom-out").onclick = () => zoomBy(0.8);
byId("fit").onclick = fit;
byId("save").onclick = save;
let width = stage.clientWidth;
addEventListener("resize", () => {
  if (Math.abs(stage.clientWidth - width) < 2) return;
  width = stage.clientWidth;
  draw({isMoving: false});
});

sizeForm(byId("sizes"), network, sized);
// A network of a few units leaves its room to what is told of one, a single convolution first.
const FEW = 6;
const lessons = network.units.map((unit, number) => ("conv" in unit ? number : -1)).filter(number => number >= 0);
if (network.units.length <= FEW) document.querySelector("main").classList.add("small-drawing");

sized(network.sizes, false);
centre(network.data.root[0]);
if (network.units.length <= FEW && lessons.length === 1 && !network.data.place) choose(lessons[0]);
if (network.data.place) {
  const [number, index] = network.data.place;
  goTo(number);
  if (index) choose(number, index.slice(1));
}
