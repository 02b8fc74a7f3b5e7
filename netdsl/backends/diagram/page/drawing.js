// The drawing: what a scene says, as SVG; units keep their elements, so that they can be moved.

const SVG = "http://www.w3.org/2000/svg";
const LINE_HEIGHT = 15, MOVE_MS = 280, MOST_DRAWN = 1500;
const KINDS_WITH_SLANT = {shrink: [0, 1], grow: [1, 0]};

// An element with attributes and children; texts are always only text.
function make(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const ruler = document.createElement("canvas").getContext("2d");
const measured = new Map();

function textWidth(text, font = "12px") {
  const key = font + text;
  if (!measured.has(key)) {
    ruler.font = `${font} Helvetica, Arial, sans-serif`;
    measured.set(key, ruler.measureText(text).width);
  }
  return measured.get(key);
}

class Drawing {
  constructor(svg, network) {
    Object.assign(this, {svg, network, elements: new Map(), zoom: 1, scene: null, view: null});
    this.camera = make("g");
    this.layers = {};
    for (const name of ["units", "wires", "labels"]) { // wires run around boxes, and over frames
      this.layers[name] = make("g", {class: name, ...(name === "units" ? {} : {"aria-hidden": "true"})});
      this.camera.append(this.layers[name]);
    }
    svg.append(this.camera);
  }

  // Width and height of a box; of an open block those of its head.
  sizeOf(number, inner) {
    const unit = this.network.units[number];
    const title = textWidth(unit.title, "bold 13px");
    if (inner) return {width: title + 60, height: 24};
    if (unit.form === "circle") return {width: 28, height: 28};
    if (unit.form === "strip") {
      const long = Math.min(Math.max(90, 26 * unit.cut.length, 0.35 * unit.cut.reduce((sum, n) => sum + n, 0)), 200);
      return this.isDown ? {width: Math.max(long, 40 * unit.cut.length), height: 26} : {width: 34, height: long};
    }
    const lines = this.network.lines(unit);
    const widest = Math.max(title + (unit.parts ? 18 : 0), ...lines.map(line => textWidth(line)));
    const height = 18 + LINE_HEIGHT * (lines.length + 1) + (unit.cut ? 12 : 0) - (lines.length ? 4 : 6);
    return {width: Math.max(46, Math.ceil(widest) + 24 + (unit.form in KINDS_WITH_SLANT ? 8 : 0)), height};
  }

  show(scene, isMoving) {
    this.scene = scene;
    this.resize();
    this.paint(isMoving && !matchMedia("(prefers-reduced-motion: reduce)").matches);
  }

  resize() {
    this.svg.setAttribute("width", Math.ceil(this.scene.width * this.zoom + 24));
    this.svg.setAttribute("height", Math.ceil(this.scene.height * this.zoom + 24));
    this.svg.setAttribute("viewBox", `${-12 / this.zoom} ${-12 / this.zoom} ${this.scene.width + 24 / this.zoom} ${this.scene.height + 24 / this.zoom}`);
  }

  // The units of the scene that are near to what is seen; all, where they are not many.
  drawnUnits() {
    const {units} = this.scene;
    if (units.length <= MOST_DRAWN || !this.view) return units;
    const {left, top, right, bottom} = this.view();
    return units.filter(u => u.x < right && u.x + u.width > left && u.y < bottom && u.y + u.height > top);
  }

  paint(isMoving) {
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.unit : undefined;
    const seen = new Map();
    const drawn = this.drawnUnits(), isPart = drawn !== this.scene.units;
    for (const place of drawn) {
      const before = this.elements.get(place.id);
      const element = this.unit(place, before && before.element);
      this.layers.units.append(element);
      if (isMoving) this.move(element, before && before.place, place);
      seen.set(place.id, {element, place});
    }
    for (const [id, {element}] of this.elements) if (!seen.has(id)) element.remove();
    this.elements = seen;
    const near = isPart ? new Set(drawn.map(place => place.id)) : null;
    this.paintWires(near, isMoving);
    if (focused !== undefined) this.focus(Number(focused));
  }

  paintWires(near, isMoving) {
    const parts = [];
    for (const wire of this.scene.wires) {
      if (near && !near.has(wire.to) && !near.has(wire.from)) continue;
      parts.push(make("path", {class: `wire ${wire.mark}`, d: wire.path, "data-value": wire.value}));
      if (wire.isArrow) parts.push(this.arrow(wire));
    }
    this.layers.wires.replaceChildren(...parts);
    const labels = this.scene.labels.filter(label => !near || this.isNear(label)).map(label => {
      const text = make("text", {class: label.key.startsWith("-1") ? "label" : "label inside", x: label.x, y: label.y, "data-value": label.value});
      text.textContent = this.network.shapeText(label.value);
      return text;
    });
    this.layers.labels.replaceChildren(...labels);
    if (isMoving) for (const layer of [this.layers.wires, this.layers.labels]) {
      layer.animate([{opacity: 0}, {opacity: 0, offset: 0.5}, {opacity: 1}], {duration: MOVE_MS * 1.6});
    }
  }

  isNear({x, y}) {
    const {left, top, right, bottom} = this.view();
    return x < right && x > left && y < bottom && y > top;
  }

  arrow(wire) {
    const [x, y] = wire.path.split(/[MLCQ, ]/).slice(-2).map(Number);
    const points = this.isDown ? [[0, 0], [-3.2, -8], [3.2, -8]] : [[0, 0], [-8, -3.2], [-8, 3.2]];
    return make("path", {class: `arrow ${wire.mark}`, d: `M${points.map(([a, b]) => `${x + a} ${y + b}`).join("L")}Z`});
  }

  move(element, before, place) {
    const from = before || this.elements.get(place.parent)?.place;
    if (before && before.x === place.x && before.y === place.y && before.isOpen === place.isOpen) return;
    const to = `translate(${place.x}px, ${place.y}px)`;
    const start = from ? `translate(${from.x}px, ${from.y}px)` : to;
    const grows = before && place.isOpen !== before.isOpen ? ` scale(${before.width / place.width}, ${before.height / place.height})` : "";
    element.animate([{transform: start + grows, opacity: before ? 1 : 0}, {transform: to, opacity: 1}], {duration: MOVE_MS, easing: "ease-out"});
  }

  // The element of a unit, new or with new contents.
  unit(place, old) {
    const unit = this.network.units[place.id];
    const element = old || make("g", {tabindex: 0, role: "button", "data-unit": place.id, "data-path": unit.path + (unit.what === "output" ? " (output)" : "")});
    element.setAttribute("transform", `translate(${place.x} ${place.y})`);
    const classes = ["unit", unit.kind, place.isOpen ? "open" : "", unit.trains ? "trains" : ""];
    for (const name of ["chosen", "hit", "traced"]) if (element.classList.contains(name)) classes.push(name);
    element.setAttribute("class", classes.filter(Boolean).join(" "));
    if (unit.parts) element.setAttribute("aria-expanded", place.isOpen);
    const shown = (unit.gives || []).concat(unit.gives ? [] : unit.takes).map(value => this.network.shapeText(value)).join(", ");
    const lines = this.network.lines(unit);
    element.setAttribute("aria-label", [unit.path, unit.title === unit.path ? "" : unit.title, ...lines, shown].filter(Boolean).join(", "));
    element.replaceChildren(...(place.isOpen ? this.frame(unit, place) : this.box(unit, place, lines)));
    return element;
  }

  frame(unit, {width, height}) {
    const name = make("text", {class: "title", x: 26, y: 20});
    const what = unit.lines && unit.lines[0] !== unit.title ? unit.lines[0] : "";
    name.textContent = unit.title;
    const room = width - 40 - textWidth(unit.title, "bold 13px");
    const kind = make("text", {x: 34 + textWidth(unit.title, "bold 13px"), y: 20});
    kind.textContent = what && textWidth(what) < room ? what : "";
    return [make("rect", {class: "shape", width, height, rx: 9}), this.mark(16, 15, true), name, kind];
  }

  // The sign to press: a triangle on a ground that is easy to hit.
  mark(x, y, isOpen) {
    const points = isOpen ? [[-4, -3], [4, -3], [0, 4]] : [[-3, -4], [4, 0], [-3, 4]];
    return make("g", {class: "toggle"},
      make("rect", {class: "hidden-mark", x: x - 13, y: y - 13, width: 26, height: 26}),
      make("path", {class: "mark", d: `M${points.map(([a, b]) => `${x + a} ${y + b}`).join("L")}Z`}));
  }

  box(unit, {width, height}, lines) {
    const parts = this.cards(unit, width, height);
    if (unit.form === "circle") {
      const sign = make("text", {class: "sign", x: width / 2, y: height / 2 + 5.5, "text-anchor": "middle"});
      sign.textContent = unit.title;
      return [...parts, make("circle", {...this.paint_of(unit), cx: width / 2, cy: height / 2, r: width / 2}), sign];
    }
    if (unit.form === "strip") return [...parts, ...this.strip(unit, width, height)];
    parts.push(this.shape(unit, width, height));
    if (unit.parts) parts.push(make("rect", {class: "inset", stroke: `var(--${unit.kind}-line)`, x: 3, y: 3, width: width - 6, height: height - 6, rx: 6.5}));
    let y = lines.length || unit.cut ? 21 : height / 2 + 4.5;
    const title = make("text", {class: "title", x: width / 2 + (unit.parts ? 7 : 0), y, "text-anchor": "middle"});
    title.textContent = unit.title;
    parts.push(title);
    if (unit.parts) parts.push(this.mark(width / 2 - textWidth(unit.title, "bold 13px") / 2 - 4, y - 4.5, false));
    if (unit.cut) {
      parts.push(...this.bar(unit, width, y + 6));
      y += 12;
    }
    for (const line of lines) {
      y += LINE_HEIGHT;
      const text = make("text", {x: width / 2, y, "text-anchor": "middle"});
      text.textContent = line;
      parts.push(text);
    }
    return parts;
  }

  paint_of(unit, name = "shape") {
    return {class: name, fill: `var(--${unit.kind}-fill)`, stroke: `var(--${unit.kind}-line)`};
  }

  cards(unit, width, height) {
    const cards = Math.min((unit.count || 1) - 1, 2);
    return Array.from({length: cards}, (_, at) => {
      const shift = (cards - at) * 4;
      return make("rect", {...this.paint_of(unit, "card"), x: shift, y: -shift, width, height, rx: 7});
    });
  }

  shape(unit, width, height) {
    if (unit.form in KINDS_WITH_SLANT) {
      const [near, far] = KINDS_WITH_SLANT[unit.form].map(side => side * Math.min(7, height / 5));
      const points = this.isDown ?
        [[near, 0], [width - near, 0], [width - far, height], [far, height]] :
        [[0, near], [width, far], [width, height - far], [0, height - near]];
      return make("polygon", {...this.paint_of(unit), points: points.map(point => point.join(",")).join(" ")});
    }
    const radius = {pill: height / 2, sharp: 1.5, end: 12, block: 9}[unit.form] ?? 7;
    return make("rect", {...this.paint_of(unit), width, height, rx: radius});
  }

  // A concat: its parts in proportion, with their channels.
  strip(unit, width, height) {
    const total = unit.cut.reduce((sum, part) => sum + part, 0), parts = [];
    let before = 0;
    unit.cut.forEach((part, number) => {
      const place = this.isDown ? {x: before / total * width, y: 0, width: part / total * width, height} :
        {x: 0, y: before / total * height, width, height: part / total * height};
      parts.push(make("rect", {class: "part", fill: `var(--series${number % 9})`, ...place}));
      if (textWidth(String(part), "bold 12px") < place.width && place.height > 14) {
        const text = make("text", {class: "part-text", x: place.x + place.width / 2, y: place.y + place.height / 2 + 4, "text-anchor": "middle"});
        text.textContent = part;
        parts.push(text);
      }
      before += part;
    });
    return [...parts, make("rect", {class: "shape hollow", fill: "none", stroke: `var(--${unit.kind}-line)`, width, height, rx: 2})];
  }

  bar(unit, width, y) {
    const total = unit.cut.reduce((sum, part) => sum + part, 0), room = width - 22;
    let x = 11;
    return unit.cut.map((part, number) => {
      const share = room * part / total;
      const box = make("rect", {fill: `var(--series${number % 9})`, x, y, width: Math.max(share - 1, 0.5), height: 8});
      x += share;
      return box;
    });
  }

  element(number) {
    return this.elements.get(number)?.element;
  }

  focus(number) {
    const element = this.element(number);
    if (element && document.activeElement !== element) element.focus({preventScroll: true});
  }

  setClass(name, numbers) {
    for (const [id, {element}] of this.elements) element.classList.toggle(name, numbers.has(id));
  }

  // The drawing as a file of its own, with colours in the place of their names.
  file() {
    const copy = this.svg.cloneNode(true);
    const style = getComputedStyle(this.svg);
    const plain = text => text.replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
    for (const element of copy.querySelectorAll("*")) {
      for (const name of ["tabindex", "role", "aria-expanded", "style"]) element.removeAttribute(name);
      for (const name of ["fill", "stroke"]) {
        if (element.hasAttribute(name)) element.setAttribute(name, plain(element.getAttribute(name)));
      }
    }
    const rules = [...document.styleSheets[0].cssRules].filter(rule => rule.cssText.startsWith("#drawing") && !/focus|calc|pointer/.test(rule.cssText));
    copy.prepend(make("style", {}, plain(rules.map(rule => rule.cssText).join("\n"))), make("title", {}, document.title));
    const {x, y, width, height} = copy.viewBox.baseVal;
    copy.insertBefore(make("rect", {x, y, width, height, fill: style.getPropertyValue("--paper").trim()}), copy.children[2]);
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + new XMLSerializer().serializeToString(copy);
  }
}
