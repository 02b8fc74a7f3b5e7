// A convolution to try: sliders for its settings, and three grids: what it reads, its filter, and
// what it gives.

const GRID_SIDE = 300, LEAST_TEXT = 20, MOST_SHOWN = 16;
const SLIDERS = {kernel: [1, 11], stride: [1, 8], padding: [0, 6], dilation: [1, 6]};
const SHOWN_NAME = "map shown";

const otherPlanes = count => count > 1 ? `The other ${commas(BigInt(count))} planes are added in the same way.` : count ? "The other plane is added in the same way." : "";

class LessonView {
  constructor(network, conv) {
    const number = size => Number(network.exact.value(size));
    const sizes = conv.sizes.map(number);
    this.real = new Lesson({...conv, sizes, channels: number(conv.channels)});
    const shown = sizes.map((size, axis) => Math.min(size, MOST_SHOWN, Math.max(7, this.real.span(axis) - 2 * conv.padding[axis] + 2 * conv.stride[axis])));
    this.small = this.real.with({sizes: shown});
    this.neuron = this.middle();
    this.step = 0;
    this.weight = null;
  }

  middle() {
    return this.small.refusal() ? [] : this.small.result.map(size => Math.floor((size - 1) / 2));
  }

  panel() {
    this.home = html("section", {class: "lesson"}, html("h3", {}, "Try it with other settings"));
    this.words = html("div", {role: "status"});
    this.grids = html("div", {class: "grids"});
    this.sum = html("div");
    this.home.append(html("div", {class: "settings"}, ...this.sliders()), this.grids, this.sum, this.words);
    this.update();
    return this.home;
  }

  // One slider for all axes, or one each where they differ.
  sliders() {
    const rows = [];
    for (const [setting, [least, most]] of Object.entries(SLIDERS)) {
      const values = this.real[setting], same = values.every(value => value === values[0]);
      (same ? [null] : values.map((_, axis) => axis)).forEach(axis => {
        const value = values[axis ?? 0], name = axis === null ? setting : `${setting}, ${this.real.axisName(axis)}`;
        rows.push(this.slider(name, least, Math.max(most, value), value, number => {
          const list = this.real[setting].map((old, at) => (axis === null || at === axis ? number : old));
          this.real = this.real.with({[setting]: list});
          this.small = this.small.with({[setting]: list});
        }));
      });
    }
    rows.push(this.slider(SHOWN_NAME, 1, Math.min(MOST_SHOWN, Math.max(...this.real.sizes)), Math.max(...this.small.sizes), number => {
      this.small = this.small.with({sizes: this.real.sizes.map(size => Math.min(size, number))});
    }));
    return rows;
  }

  slider(name, least, most, value, changed) {
    const shown = html("output", {}, value);
    const input = html("input", {type: "range", min: least, max: most, value, step: 1, "data-setting": name});
    input.oninput = () => {
      shown.textContent = input.value;
      changed(Number(input.value));
      this.neuron = this.middle();
      this.weight = null;
      this.step = 0;
      this.update();
    };
    return html("label", {class: "slider"}, html("span", {}, name), input, shown);
  }

  update() {
    this.words.replaceChildren(...this.numbers());
    const isRefused = !!this.small.refusal();
    this.grids.hidden = this.sum.hidden = isRefused;
    if (!isRefused) this.draw();
  }

  numbers() {
    const {real} = this, refused = real.refusal();
    if (refused) return [html("p", {class: "wrong"}, `Refused: ${refused}.`)];
    const small = this.small.refusal();
    const filter = `${[real.planes, ...real.kernel].join("×")} = ${commas(BigInt(real.weightsOfFilter))} weights`;
    return [
      facts([
        ...real.sizes.map((_, axis) => [real.axisName(axis), real.formula(axis)]),
        ["gives", [real.filters, ...real.result].join("×")],
        ["a filter", filter],
        ["maps", `${real.filters === 1 ? "1 filter gives 1 map" : `${commas(BigInt(real.filters))} filters give ${commas(BigInt(real.filters))} maps`}; all neurons of a map use the weights of one filter`],
        ["parameters", commas(real.parameters)],
        ["multiply-adds", commas(real.multiplyAdds)],
        ["neurons", commas(real.neurons)],
      ]),
      small ? html("p", {class: "wrong"}, `No picture: ${small} in the part that is shown.`) :
        html("p", {}, `Drawn is one plane of ${this.small.sizes.join("×")} cells${String(this.small.sizes) === String(real.sizes) ? "" : `, in place of the ${real.sizes.join("×")} that come in`}; one filter; and the map it gives. The numbers are examples, not trained ones.`),
    ];
  }

  draw() {
    const {small} = this, padding = small.padding;
    const products = small.products(this.neuron);
    const users = this.weight ? small.users(this.weight) : [];
    const same = (one, other) => one && other && one.every((n, at) => n === other[at]);
    const cellsHit = this.weight ? users.map(user => user.cell) : products.map(product => product.cell);
    const now = products[this.step];
    this.grids.replaceChildren(
      this.grid("what comes in", small.sizes, padding, cell => ({
        text: exampleValue(cell), isHit: cellsHit.some(other => same(other, cell)), isNow: !this.weight && now && same(now.cell, cell),
      }), null),
      this.grid("the filter", small.kernel, null, tap => ({
        text: exampleWeight(tap), isHit: this.weight ? same(this.weight, tap) : products.some(p => same(p.weight, tap)), isNow: !this.weight && now && same(now.weight, tap),
      }), tap => { this.weight = tap; }),
      this.grid("what it gives", small.result, null, neuron => ({
        text: this.sumOf(neuron), isHit: this.weight ? users.some(user => same(user.neuron, neuron)) : same(this.neuron, neuron), isNow: false,
      }), neuron => { this.neuron = neuron; this.weight = null; this.step = 0; }),
    );
    this.sum.replaceChildren(...(this.weight ? this.toldWeight(users) : this.toldSum(products)));
  }

  sumOf(neuron) {
    return this.small.products(neuron).reduce((sum, p) => sum + exampleValue(p.cell) * exampleWeight(p.weight), 0);
  }

  toldWeight(users) {
    const every = this.small.result.reduce((product, n) => product * n, 1);
    const rest = every - users.length;
    return [html("p", {}, `Weight [${this.weight.join(", ")}] is used by all ${commas(BigInt(every))} neurons of the map, each on another cell${rest ? `; for ${commas(BigInt(rest))} of them that cell is padding, and adds nothing` : ""}.`)];
  }

  toldSum(products) {
    const shown = products.slice(0, this.step + 1);
    const now = products[this.step];
    const total = shown.reduce((sum, p) => sum + exampleValue(p.cell) * exampleWeight(p.weight), 0);
    const left = this.small.kernel.reduce((product, k) => product * k, 1) - products.length;
    const move = by => {
      this.step = Math.min(Math.max(this.step + by, 0), products.length - 1);
      this.draw();
      this.sum.querySelector(by < 0 ? ".back" : ".on").focus();
    };
    const text = now ? `Product ${this.step + 1} of ${products.length}: cell [${now.cell.join(", ")}] × weight [${now.weight.join(", ")}] = ${exampleValue(now.cell)} × ${exampleWeight(now.weight)} = ${exampleValue(now.cell) * exampleWeight(now.weight)}; the sum so far is ${total}.` : "All its cells are padding: the sum is 0.";
    const more = [left ? `${left} of the window's cells are padding.` : "", otherPlanes(this.small.planes - 1), this.small.bias ? "Then the filter's bias is added." : ""].filter(Boolean).join(" ");
    return [
      html("p", {}, `Neuron [${this.neuron.join(", ")}] of the map:`),
      html("div", {class: "row"},
        html("button", {type: "button", class: "back", onclick: () => move(-1)}, "Back"),
        html("button", {type: "button", class: "on", onclick: () => move(1)}, "Next product")),
      html("p", {class: "sum", role: "status"}, text), html("p", {}, more),
    ];
  }

  // Cells as squares; `look` tells their number and state, `pick` is called with one pointed at.
  grid(name, sizes, padding, look, pick) {
    const [high, wide] = sizes.length === 1 ? [1, sizes[0]] : sizes;
    const [top, left] = !padding ? [0, 0] : sizes.length === 1 ? [0, padding[0]] : padding;
    const side = Math.min(24, Math.max(7, Math.floor(GRID_SIDE / Math.max(high + 2 * top, wide + 2 * left))));
    const svg = make("svg", {class: "grid", width: (wide + 2 * left) * side + 2, height: (high + 2 * top) * side + 2, viewBox: `-1 -1 ${(wide + 2 * left) * side + 2} ${(high + 2 * top) * side + 2}`, role: "img", "aria-label": `${name}, ${sizes.join("×")}${pick ? "; arrow keys choose" : ""}`, "data-grid": name});
    for (let row = -top; row < high + top; row++) for (let column = -left; column < wide + left; column++) {
      const isPadding = row < 0 || row >= high || column < 0 || column >= wide;
      const index = sizes.length === 1 ? [column] : [row, column];
      const state = isPadding ? {} : look(index);
      const box = make("rect", {class: isPadding ? "padding" : state.isNow ? "now" : state.isHit ? "hit" : "", x: (column + left) * side, y: (row + top) * side, width: side, height: side, "data-index": index.join(",")});
      if (pick) box.onpointerenter = () => { pick(index); this.draw(); };
      svg.append(box);
      if (!isPadding && side >= LEAST_TEXT) {
        const text = make("text", {x: (column + left + 0.5) * side, y: (row + top + 0.5) * side + 4});
        text.textContent = state.text;
        if (textWidth(text.textContent) < side) svg.append(text);
      }
    }
    if (pick) this.keys(svg, name, sizes, pick);
    return html("figure", {}, html("figcaption", {}, `${name}, ${sizes.join("×")}`), svg);
  }

  keys(svg, name, sizes, pick) {
    svg.setAttribute("tabindex", 0);
    svg.onkeydown = event => {
      const step = {ArrowLeft: [-1, 1], ArrowRight: [1, 1], ArrowUp: [-1, 2], ArrowDown: [1, 2]}[event.key];
      if (!step || sizes.length < step[1]) return;
      event.preventDefault();
      event.stopPropagation();
      const index = [...(name === "the filter" ? this.weight || sizes.map(() => 0) : this.neuron)];
      const axis = sizes.length - step[1];
      index[axis] = Math.min(Math.max(index[axis] + step[0], 0), sizes[axis] - 1);
      pick(index);
      this.draw();
      this.grids.querySelector(`[data-grid="${name}"]`).focus();
    };
  }
}
