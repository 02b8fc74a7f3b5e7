// The network that the page holds, at the sizes that are chosen.

class Network {
  constructor(data) {
    this.data = data;
    this.units = data.units;
    this.setSizes(data.sizes);
  }

  setSizes(sizes) {
    this.sizes = {...sizes};
    this.exact = new Exact(this.data.formulas, this.sizes);
    this.isRefused = this.refusals().length > 0;
  }

  // What the contract refuses at these sizes: texts, none where the network takes them.
  refusals() {
    const {where, needs} = this.data.contract;
    const refused = needs.filter(([condition]) => !this.exact.holds(condition));
    return [
      ...(this.exact.holds(where[0]) ? [] : [`the file restricts sizes to ${where[1]}`]),
      ...refused.map(([, message, line]) => `line ${line}: ${message}`),
    ];
  }

  shape(value) {
    return this.data.values[value][0].map(size => this.exact.value(size));
  }

  // Whether all axes have at least one cell: a head for training may not fit in a small image.
  isThere(value) {
    return this.shape(value).every(size => size >= 1n);
  }

  channelAxis(value) {
    return this.data.values[value][1];
  }

  // "64×56×56"; of whole numbers "int64 12". Sizes that are refused give no numbers.
  shapeText(value) {
    if (this.isRefused) return "–";
    if (!this.isThere(value)) return "none at this size";
    const type = this.data.values[value][2];
    return (type ? `${type} ` : "") + (this.shape(value).join("×") || "1");
  }

  // The same in the symbols, where an axis is open.
  shapeFormula(value) {
    const sizes = this.data.values[value][0];
    if (!sizes.some(size => typeof size === "string" && size[0] === "#")) return "";
    return `[${sizes.map(size => this.exact.text(size) || (String(size)[0] === "#" ? "…" : size)).join(", ")}]`;
  }

  cost(unit, what) {
    return what in unit ? this.exact.value(unit[what]) : 0n;
  }

  parts(number) {
    return this.units[number].parts || [];
  }

  isBlock(number) {
    return "parts" in this.units[number];
  }

  // The blocks around a unit, inner first.
  around(number) {
    const blocks = [];
    for (let at = this.units[number].parent; at >= 0; at = this.units[at].parent) blocks.push(at);
    return blocks;
  }

  // The lines of a box: what it does, and where it is a block (or dense) what it costs.
  lines(unit) {
    const shown = this.data.show, times = unit.count > 1 ? `${unit.count} × ` : "", costs = [];
    const told = unit.parts || unit.kind === "dense";
    const parameters = this.cost(unit, "params"), macs = this.cost(unit, "macs");
    if (told && parameters && shown.includes("params")) costs.push(`${times}${rough(parameters)} params`);
    if (unit.parts && macs > 0n && !this.isRefused && shown.includes("macs")) costs.push(`${times}${rough(macs)} MACs`);
    return [...(unit.lines || []), ...(costs.length ? [costs.join(" · ")] : [])];
  }
}

// Shapes of values in numbers, and in the symbols.
function shapesOf(network, values) {
  return [values.map(value => network.shapeText(value)).join(", "),
    values.map(value => network.shapeFormula(value)).filter(Boolean).join(", ")];
}

// What a unit costs in numbers, and as a formula.
function costOf(network, unit, what) {
  if (!(what in unit)) return ["", ""];
  const times = unit.count > 1 ? ` each, ${commas(network.cost(unit, what) * BigInt(unit.count))} in all` : "";
  return [network.isRefused ? "–" : commas(network.cost(unit, what)) + times, network.exact.text(unit[what])];
}
