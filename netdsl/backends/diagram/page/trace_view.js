// A map of which a cell is chosen, and what that cell sees: in the inputs, and in between.

const MAP_SIDE = 200, MOST_LISTED = 30;
const AXIS_NAMES = {1: ["position"], 2: ["row", "column"], 3: ["depth", "row", "column"]};

const runsText = runs => runs.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`)).join(", ");

// A map to scale with boxes of cells on it; of three axes the last two.
function mapPicture(sizes, boxes, attributes) {
  const [high, wide] = sizes.length === 1 ? [Math.max(sizes[0] / 12, 1), sizes[0]] : sizes.slice(-2);
  const scale = MAP_SIDE / Math.max(high, wide), thin = 1 / scale;
  const svg = make("svg", {class: "map", width: wide * scale, height: high * scale, viewBox: `0 0 ${wide} ${high}`, role: "img", ...attributes});
  for (const {box, name} of boxes) {
    const rows = sizes.length === 1 ? [[0, high - 1]] : box[box.length - 2];
    for (const [top, bottom] of rows) for (const [left, right] of box[box.length - 1]) {
      svg.append(make("rect", {class: name, x: left, y: top, width: Math.max(right - left + 1, thin), height: Math.max(bottom - top + 1, thin)}));
    }
  }
  return svg;
}

class TraceView {
  constructor(network, drawing, say) {
    Object.assign(this, {network, drawing, say, chosen: null});
  }

  // The part of the panel for a unit; `index` is the cell to begin with.
  panel(number, index) {
    const unit = this.network.units[number];
    const value = (unit.gives || unit.takes)[0];
    this.clear();
    if (!this.network.data.inputs.length || this.network.isRefused || !this.network.isThere(value)) return "";
    const home = html("section", {class: "field"}, html("h3", {}, "What a cell sees"));
    const answer = html("div", {role: "status"});
    if (!isMap(this.network, value)) {
      home.append(html("p", {}, "Its numbers are no map: traced is all of it together."));
      home.append(answer, html("button", {type: "button", onclick: () => this.trace(value, [], answer)}, "Trace it back"));
      return home;
    }
    const sizes = this.network.shape(value).slice(1).map(Number);
    this.index = sizes.map((size, axis) => Math.min(index ? index[axis] : Math.floor(size / 2), size - 1));
    const fields = sizes.map((size, axis) => html("input", {type: "number", min: 0, max: size - 1, value: this.index[axis], "data-axis": axis}));
    const picture = html("div");
    const update = () => {
      fields.forEach((field, axis) => { if (document.activeElement !== field) field.value = this.index[axis]; });
      picture.replaceChildren(this.picker(sizes, update, picture));
      this.trace(value, this.index, answer);
    };
    fields.forEach((field, axis) => {
      wholeNumber(field, text => {
        this.index[axis] = Number(text);
        update();
      }, () => this.index[axis]);
    });
    const names = AXIS_NAMES[sizes.length];
    home.append(html("div", {class: "row"}, ...fields.map((field, axis) => html("label", {}, `${names[axis]} `, field))), picture, answer);
    picture.append(this.picker(sizes, update, picture));
    if (index) this.trace(value, this.index, answer);
    else answer.append(html("p", {}, `Point at a cell of this ${sizes.join("×")} map, or give its place; all channels of it are followed.`));
    return home;
  }

  picker(sizes, update, home) {
    const cell = {box: this.index.map(at => [[at, at]]), name: "cell"};
    const svg = mapPicture(sizes, [cell], {class: "map picks", tabindex: 0, "aria-label": `Map of ${sizes.join("×")} cells, at ${this.index.join(", ")}; arrow keys move`});
    const pick = event => {
      const box = svg.getBoundingClientRect(), last = sizes.length - 1;
      const at = (share, size) => Math.min(Math.max(Math.floor(share * size), 0), size - 1);
      this.index[last] = at((event.clientX - box.left) / box.width, sizes[last]);
      if (last) this.index[last - 1] = at((event.clientY - box.top) / box.height, sizes[last - 1]);
      update();
    };
    svg.onpointerdown = event => pick(event);
    svg.onpointermove = event => event.buttons & 1 && pick(event);
    svg.onkeydown = event => {
      const step = {ArrowLeft: [-1, 1], ArrowRight: [1, 1], ArrowUp: [-1, 2], ArrowDown: [1, 2]}[event.key];
      if (!step || sizes.length < step[1]) return;
      const axis = sizes.length - step[1];
      this.index[axis] = Math.min(Math.max(this.index[axis] + step[0], 0), sizes[axis] - 1);
      event.preventDefault();
      event.stopPropagation();
      update();
      home.firstChild.focus();
    };
    return svg;
  }

  trace(value, index, answer) {
    const found = traceBack(this.network, value, cellBox(this.network, value, index));
    answer.replaceChildren(...this.network.data.inputs.map(number => this.told(number, found)), this.between(found));
    this.fields = found.fields;
    this.mark();
  }

  told(number, {fields, isExact}) {
    const input = this.network.units[number], value = input.gives[0];
    const boxes = fields.get(value);
    if (!boxes) return html("p", {}, `It sees nothing of ${input.path}.`);
    if (!isMap(this.network, value)) return html("p", {}, `It sees ${isExact ? "" : "at most "}${input.path}.`);
    const sizes = this.network.shape(value).slice(1).map(Number), cells = boxes.map(box => box.slice(1));
    const hull = hullOf(cells), names = AXIS_NAMES[sizes.length];
    const ends = hull.map((runs, axis) => `${names[axis]}s ${runsText(runs)}`).join(", ");
    const count = countCells(cells), every = hull.reduce((product, runs) => product * countRuns(runs), 1);
    const holes = count < every ? `, ${commas(BigInt(count))} of these ${commas(BigInt(every))} cells` : "";
    const share = hull.map(countRuns).join("×");
    const text = `It sees ${isExact ? "" : "at most "}${ends} of ${input.path}: ${share} of ${sizes.join("×")}${holes}`;
    return html("figure", {}, html("p", {}, text + (isExact ? ", exactly." : ".")),
      mapPicture(sizes, cells.map(box => ({box, name: "seen"})), {"aria-label": text}));
  }

  // The maps between: how much of each lies on the way.
  between({fields}) {
    const rows = [];
    for (const [number] of this.drawing.elements) {
      const unit = this.network.units[number], value = (unit.gives || [])[0];
      if (unit.parts || !fields.has(value) || !isMap(this.network, value) || this.network.data.inputs.includes(number)) continue;
      const sizes = this.network.shape(value).slice(1);
      const hull = hullOf(fields.get(value).map(box => box.slice(1)));
      rows.push(html("tr", {}, html("th", {scope: "row"}, unit.path), html("td", {}, `${hull.map(countRuns).join("×")} of ${sizes.join("×")}`)));
    }
    if (!rows.length) return "";
    const rest = rows.length - MOST_LISTED;
    return html("details", {}, html("summary", {}, "In the maps between"),
      html("table", {}, ...rows.slice(0, MOST_LISTED)), rest > 0 ? html("p", {}, `and ${rest} more`) : "");
  }

  mark() {
    if (!this.fields) return;
    const onWay = new Set();
    for (const [number] of this.drawing.elements) {
      const unit = this.network.units[number];
      if ((unit.gives || []).some(value => this.fields.has(value))) onWay.add(number);
    }
    this.drawing.setClass("traced", onWay);
  }

  clear() {
    this.fields = null;
    this.drawing.setClass("traced", new Set());
  }
}
